/* SPDX-License-Identifier: ISC */
/* channel: events over a real pipe, in big batches and byte by byte. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/sig.h"
#include "proto/base/spawn.h"
#include "proto/channel.h"

struct pair {
	int fds[2]; /* reader, writer */
	struct channel_out out;
	struct channel_in in;
};

static void
pair_open(struct pair *p)
{
	assert_int_equal(spawn_pipe(p->fds), 0);
	channel_out_init(&p->out, p->fds[1], 5, 2);
	channel_in_init(&p->in, p->fds[0]);
}

static void
pair_close(struct pair *p)
{
	channel_out_fini(&p->out);
	channel_in_fini(&p->in);
	close(p->fds[0]);
	if (p->fds[1] >= 0)
		close(p->fds[1]);
}

static void
send_id(struct channel_out *c, uint64_t id)
{
	struct event ev = {.type = MESSAGE_DONE};

	ev.u.done.id = id;
	assert_int_equal(channel_send(c, &ev), 0);
	assert_int_equal(ev.seq, id);
	assert_int_equal(ev.source, 5);
	assert_int_equal(ev.incarnation, 2);
}

/* Take all whole events; returns the last id seen. */
static uint64_t
take(struct channel_in *c, uint64_t last, uint64_t *last_ns)
{
	const uint8_t *raw;
	struct event ev, again;
	size_t len, used;

	while (channel_next(c, &ev, &raw, &len) == FRAME_WHOLE) {
		assert_int_equal(ev.type, MESSAGE_DONE);
		assert_int_equal(ev.u.done.id, last + 1);
		assert_int_equal(ev.seq, last + 1);
		assert_true(ev.time_ns >= *last_ns);
		assert_int_equal(
		    frame_decode(raw, len, &again, &used), FRAME_WHOLE);
		assert_true(support_same(&ev, &again));
		*last_ns = ev.time_ns;
		last++;
	}
	return last;
}

static void
test_batches(void **state)
{
	uint64_t id = 0, seen = 0, ns = 0;
	struct pair p;
	int round, i;

	(void)state;
	pair_open(&p);
	for (round = 0; round < 200; round++) {
		/* Up to what a pipe holds: nobody reads meanwhile. */
		for (i = 0; i < 1000; i++)
			send_id(&p.out, ++id);
		assert_int_equal(channel_flush(&p.out), 0);
		while (seen < id) {
			assert_true(channel_fill(&p.in) > 0);
			seen = take(&p.in, seen, &ns);
		}
	}
	assert_int_equal(seen, 200000);
	pair_close(&p);
}

/* Nothing is written before the flush, unless an atomic write is full. */
static void
test_flush(void **state)
{
	uint64_t id = 0;
	uint8_t bytes[2 * FRAME_MAX];
	struct pair p;
	ssize_t n;

	(void)state;
	pair_open(&p);
	assert_true(fcntl(p.fds[0], F_SETFL, O_NONBLOCK) == 0);
	send_id(&p.out, ++id);
	assert_int_equal(channel_fill(&p.in), -EAGAIN);
	while (buf_len(&p.out.buf) > 0 && id < 1000) {
		size_t before = buf_len(&p.out.buf);

		send_id(&p.out, ++id);
		if (buf_len(&p.out.buf) < before)
			break;
	}
	n = read(p.fds[0], bytes, sizeof(bytes));
	assert_between(n, 1, FRAME_MAX);
	pair_close(&p);
}

static void
test_byte_by_byte(void **state)
{
	uint64_t seen = 0, ns = 0;
	struct pair p, slow;
	uint8_t byte;
	uint64_t id;

	(void)state;
	pair_open(&p);
	pair_open(&slow);
	for (id = 1; id <= 300; id++)
		send_id(&p.out, id);
	assert_int_equal(channel_flush(&p.out), 0);
	close(p.fds[1]);
	p.fds[1] = -1;
	while (read(p.fds[0], &byte, 1) == 1) {
		assert_int_equal(write(slow.fds[1], &byte, 1), 1);
		assert_int_equal(channel_fill(&slow.in), 1);
		seen = take(&slow.in, seen, &ns);
	}
	assert_int_equal(seen, 300);
	pair_close(&p);
	pair_close(&slow);
}

/* A writer that was killed in the middle of an event. */
static void
test_torn_end(void **state)
{
	struct event ev = {.type = MESSAGE_DONE, .seq = 1};
	uint8_t frame[FRAME_MAX];
	const uint8_t *raw;
	struct pair p;
	size_t raw_len;
	int len = frame_encode(&ev, frame), cut;

	(void)state;
	for (cut = 0; cut <= len; cut++) {
		pair_open(&p);
		send_id(&p.out, 1);
		assert_int_equal(channel_flush(&p.out), 0);
		assert_int_equal(write(p.fds[1], frame, (size_t)cut), cut);
		close(p.fds[1]);
		p.fds[1] = -1;
		while (channel_fill(&p.in) > 0)
			;
		assert_true(p.in.at_end);
		/* The second event, when it is whole, has number 1 again. */
		assert_int_equal(
		    channel_next(&p.in, &ev, &raw, &raw_len), FRAME_WHOLE);
		assert_int_equal(channel_next(&p.in, &ev, &raw, &raw_len),
		    cut == len ? FRAME_WHOLE : FRAME_MORE);
		assert_int_equal(
		    channel_is_torn(&p.in), cut != 0 && cut != len);
		pair_close(&p);
	}
}

static void
test_malformed(void **state)
{
	const uint8_t *raw;
	struct event ev;
	struct pair p;
	size_t len;

	(void)state;
	pair_open(&p);
	assert_int_equal(write(p.fds[1], "\0\0\0", 3), 3);
	assert_int_equal(channel_fill(&p.in), 3);
	assert_int_equal(channel_next(&p.in, &ev, &raw, &len), FRAME_MALFORMED);
	pair_close(&p);
}

/* Without blocking, everything is kept until it is too much. */
static void
test_slow_reader(void **state)
{
	uint64_t id = 0, seen = 0, ns = 0;
	struct event ev = {.type = MESSAGE_DONE};
	struct pair p;
	int err;

	(void)state;
	pair_open(&p);
	assert_true(fcntl(p.fds[1], F_SETFL, O_NONBLOCK) == 0);
	assert_true(fcntl(p.fds[0], F_SETFL, O_NONBLOCK) == 0);
	for (;;) {
		ev.u.done.id = id + 1;
		err = channel_send(&p.out, &ev);
		if (err < 0)
			break;
		id++;
	}
	assert_int_equal(err, -ENOBUFS);
	assert_true(buf_len(&p.out.buf) <= CHANNEL_OUT_MAX);
	while (seen < id) {
		(void)channel_flush(&p.out); /* as much as fits */
		assert_true(channel_fill(&p.in) > 0);
		seen = take(&p.in, seen, &ns);
	}
	/* The event that was refused left no hole in the sequence. */
	send_id(&p.out, id + 1);
	pair_close(&p);
}

static void
test_reader_is_gone(void **state)
{
	struct event ev = {.type = MESSAGE_DONE};
	int fds[2];
	struct channel_out out;

	(void)state;
	assert_int_equal(spawn_pipe(fds), 0);
	close(fds[0]);
	channel_out_init(&out, fds[1], 1, 1);
	assert_int_equal(channel_send(&out, &ev), 0);
	assert_int_equal(channel_flush(&out), -EPIPE);
	channel_out_fini(&out);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_batches),
	    cmocka_unit_test(test_flush),
	    cmocka_unit_test(test_byte_by_byte),
	    cmocka_unit_test(test_torn_end),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_slow_reader),
	    cmocka_unit_test(test_reader_is_gone),
	};

	int fd = sig_open(NULL, 0); /* ignores SIGPIPE */

	if (fd < 0)
		return 1;
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
