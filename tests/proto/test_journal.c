/* SPDX-License-Identifier: ISC */
/* journal: what was appended is read; what is broken is said. */
#include "proto/base/text.h"
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/journal.h"

#define SEGMENT ((uint64_t)1 << 20)
#define RUN	UINT64_C(4711)

static char dir[SUPPORT_PATH_MAX];
static bool is_plain; /* write as versions without compression did */

static void
segment_path(char *out, size_t size, unsigned segment)
{
	text_format(out, size, "%s/journal/%06u.nbj%s", dir, segment,
	    is_plain ? "" : ".zst");
}

static int
create(struct journal_writer *j)
{
	const struct journal_reader none = {.run = RUN};

	return is_plain ? journal_create_copy(j, dir, &none)
			: journal_create(j, dir, RUN);
}

static void
write_events(struct journal_writer *j, uint64_t first, uint64_t n)
{
	struct event ev = {.type = MESSAGE_DONE};
	uint8_t frame[FRAME_MAX];
	int len;

	for (; n > 0; n--) {
		ev.seq = ev.u.done.id = first++;
		len = frame_encode(&ev, frame);
		assert_int_equal(journal_append(j, frame, (size_t)len), 0);
	}
}

/* They can't be written, and are held. */
static void
held_events(struct journal_writer *j, uint64_t first, uint64_t n)
{
	struct event ev = {.type = MESSAGE_DONE};
	uint8_t frame[FRAME_MAX];
	int len;

	for (; n > 0; n--) {
		ev.seq = ev.u.done.id = first++;
		len = frame_encode(&ev, frame);
		assert_int_equal(
		    journal_append(j, frame, (size_t)len), -ENOSPC);
	}
}

/* Read all: events of ids 1, 2, 3..., their count, and how it ended. */
static enum journal_state
read_events(uint64_t *n)
{
	struct journal_reader r;
	enum journal_state state;
	const uint8_t *raw;
	struct event ev;
	size_t len;

	*n = 0;
	assert_int_equal(journal_open(&r, dir), 0);
	while ((state = journal_next(&r, &ev, &raw, &len)) == JOURNAL_EVENT) {
		++*n;
		if (ev.type == MESSAGE_DONE)
			assert_int_equal(ev.u.done.id, *n);
	}
	assert_int_equal(r.events, *n);
	journal_reader_fini(&r);
	return state;
}

/* The same, of any events. */
static enum journal_state
read_any(uint64_t *n)
{
	struct journal_reader r;
	enum journal_state state;
	struct event ev;

	assert_int_equal(journal_open(&r, dir), 0);
	while ((state = journal_next(&r, &ev, NULL, NULL)) == JOURNAL_EVENT)
		;
	*n = r.events;
	journal_reader_fini(&r);
	return state;
}

static void
make(uint64_t n)
{
	struct journal_writer j;

	assert_int_equal(create(&j), 0);
	write_events(&j, 1, n);
	assert_int_equal(j.events, n);
	assert_int_equal(journal_close(&j), 0);
}

static void
test_there_and_back(void **state)
{
	uint64_t n;

	(void)state;
	make(100000);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 100000);
}

static void
test_empty(void **state)
{
	uint64_t n;

	(void)state;
	make(0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 0);
}

static void
test_exists(void **state)
{
	struct journal_writer j;

	(void)state;
	make(1);
	assert_int_equal(create(&j), -EEXIST);
}

static void
test_no_folder(void **state)
{
	struct journal_writer j;
	struct journal_reader r;
	char path[SUPPORT_PATH_MAX + 8], *lengthy;

	(void)state;
	text_format(path, sizeof(path), "%s/none", dir);
	assert_int_equal(journal_create(&j, path, RUN), -ENOENT);
	assert_int_equal(journal_open(&r, path), -ENOENT);
	journal_reader_fini(&r);
	lengthy = malloc(JOURNAL_PATH_MAX + 1);
	assert_non_null(lengthy);
	memset(lengthy, 'x', JOURNAL_PATH_MAX);
	lengthy[JOURNAL_PATH_MAX] = '\0';
	assert_int_equal(journal_create(&j, lengthy, RUN), -ENAMETOOLONG);
	assert_int_equal(journal_open(&r, lengthy), -ENAMETOOLONG);
	free(lengthy);
}

/* What was flushed is there for a reader although nobody closed. */
static void
test_flush(void **state)
{
	struct journal_writer j;
	uint64_t n;

	(void)state;
	assert_int_equal(create(&j), 0);
	write_events(&j, 1, 10);
	assert_int_equal(journal_flush(&j), 0);
	/* A segment has an end that a killed writer leaves out. */
	assert_int_equal(read_events(&n), JOURNAL_TORN);
	assert_int_equal(n, 10);
	write_events(&j, 11, 10);
	assert_int_equal(journal_flush(&j), 0);
	assert_int_equal(journal_flush(&j), 0); /* nothing more */
	assert_int_equal(journal_close(&j), 0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 20);
}

static off_t
size_of(unsigned segment)
{
	char path[SUPPORT_PATH_MAX + 32];
	struct stat st;

	segment_path(path, sizeof(path), segment);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
cut(unsigned segment, off_t size)
{
	char path[SUPPORT_PATH_MAX + 32];

	segment_path(path, sizeof(path), segment);
	assert_int_equal(truncate(path, size), 0);
}

static void
patch(unsigned segment, off_t at, uint8_t byte)
{
	char path[SUPPORT_PATH_MAX + 32];
	int fd;

	segment_path(path, sizeof(path), segment);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static int
big_frame(uint8_t frame[FRAME_MAX])
{
	struct rng rng;
	struct event ev;

	rng_init(&rng, 1, "journal");
	support_fill(&ev, MESSAGE_OPTION, FILL_MOST, &rng);
	return frame_encode(&ev, frame);
}

static void
make_segments(unsigned segments)
{
	struct journal_writer j;
	uint8_t frame[FRAME_MAX];
	int len = big_frame(frame);

	assert_int_equal(create(&j), 0);
	j.segment_max = SEGMENT;
	while (j.segment < segments)
		assert_int_equal(journal_append(&j, frame, (size_t)len), 0);
	assert_int_equal(journal_close(&j), 0);
}

/* Events of one segment, which is read alone. */
static uint64_t
count_segment(unsigned segment)
{
	struct journal_reader r;
	struct event ev;
	uint64_t n;

	assert_int_equal(journal_open_segment(&r, dir, segment), 0);
	while (journal_next(&r, &ev, NULL, NULL) == JOURNAL_EVENT)
		;
	assert_int_equal(r.over, JOURNAL_END);
	n = r.events;
	journal_reader_fini(&r);
	return n;
}

static void
test_segments(void **state)
{
	uint64_t n, per;
	char path[SUPPORT_PATH_MAX + 32];

	(void)state;
	make_segments(3);
	assert_true((uint64_t)size_of(1) <= SEGMENT);
	assert_int_equal(journal_segment_size(dir, 1), size_of(1));
	assert_int_equal(journal_segment_size(dir, 4), 0);
	per = count_segment(1);
	assert_true(per > 200);
	assert_int_equal(count_segment(2), per);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 2 * per + 1);
	/* A writer killed just after it made a segment, or before. */
	cut(3, 8);
	assert_int_equal(read_events(&n), JOURNAL_TORN);
	assert_int_equal(n, 2 * per);
	cut(3, 0);
	assert_int_equal(read_events(&n), JOURNAL_TORN);
	assert_int_equal(n, 2 * per);
	segment_path(path, sizeof(path), 3);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(read_events(&n), JOURNAL_TORN);
	assert_int_equal(n, 2 * per);
	patch(2, 3, 0);
	assert_int_equal(read_events(&n), JOURNAL_DAMAGED);
	assert_int_equal(n, per);
}

/*
 * Only the last segment may end inside a frame: a kill leaves no other.
 */
static void
test_torn_in_the_middle(void **state)
{
	uint64_t n;

	(void)state;
	make_segments(2);
	cut(1, size_of(1) - 1);
	assert_int_equal(read_events(&n), JOURNAL_DAMAGED);
}

/* One that is not there is noticed: it isn't the end. */
static void
test_missing(void **state)
{
	char path[SUPPORT_PATH_MAX + 32];
	uint64_t n;

	(void)state;
	make_segments(3);
	segment_path(path, sizeof(path), 2);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(read_events(&n), JOURNAL_DAMAGED);
	assert_true(n > 0);
}

/* Segments of both kinds, as a tool may leave them. */
static void
test_mixed(void **state)
{
	char from[SUPPORT_PATH_MAX + 32], to[SUPPORT_PATH_MAX + 32];
	uint64_t n, all;

	(void)state;
	make_segments(2);
	assert_int_equal(read_events(&all), JOURNAL_END);
	segment_path(from, sizeof(from), 1);
	text_format(to, sizeof(to), "%s/journal/keep", dir);
	assert_int_equal(rename(from, to), 0);
	segment_path(from, sizeof(from), 2);
	assert_int_equal(unlink(from), 0);
	text_format(from, sizeof(from), "%s/journal", dir);
	text_format(to, sizeof(to), "%s/was", dir);
	assert_int_equal(rename(from, to), 0);
	is_plain = !is_plain;
	make_segments(2);
	is_plain = !is_plain;
	text_format(from, sizeof(from), "%s/was/keep", dir);
	segment_path(to, sizeof(to), 1);
	assert_int_equal(rename(from, to), 0);
	is_plain = !is_plain;
	segment_path(to, sizeof(to), 1);
	is_plain = !is_plain;
	assert_int_equal(unlink(to), 0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, all);
	text_format(to, sizeof(to), "%s/was", dir);
	assert_int_equal(rmdir(to), 0);
}

/*
 * A kill leaves what was flushed; a machine that dies leaves less. At any
 * length all events up to there are read, in order, and the tear is said.
 */
static void
test_torn(void **state)
{
	struct journal_writer j;
	uint64_t n, last = 1000;
	unsigned i;
	off_t size;

	(void)state;
	assert_int_equal(create(&j), 0);
	for (i = 0; i < 10; i++) {
		write_events(&j, i * 100 + 1, 100);
		assert_int_equal(journal_flush(&j), 0);
		assert_int_equal(read_events(&n), JOURNAL_TORN);
		assert_int_equal(n, (i + 1) * 100);
	}
	for (size = size_of(1) - 1; size >= 0; size--) {
		cut(1, size);
		assert_int_equal(read_events(&n), JOURNAL_TORN);
		assert_true(n <= last);
		assert_true(n % 100 == 0); /* what was flushed together */
		last = n;
	}
	assert_int_equal(last, 0);
	assert_int_equal(journal_close(&j), 0);
}

/* The disk is full: the first error stays, and no event is lost by it. */
static void
test_full_disk(void **state)
{
	struct journal_writer j;
	uint64_t n;
	int fd;

	(void)state;
	assert_int_equal(create(&j), 0);
	write_events(&j, 1, 100);
	assert_int_equal(journal_flush(&j), 0);
	fd = j.fd;
	j.fd = open("/dev/full", O_WRONLY);
	assert_true(j.fd >= 0);
	write_events(&j, 101, 50);
	assert_int_equal(journal_flush(&j), -ENOSPC);
	held_events(&j, 151, 50);
	assert_int_equal(journal_flush(&j), -ENOSPC);
	assert_int_equal(journal_retry(&j), -ENOSPC);
	/* There is room again. */
	close(j.fd);
	j.fd = fd;
	assert_int_equal(journal_retry(&j), 0);
	write_events(&j, 201, 100);
	assert_int_equal(journal_close(&j), 0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 300);
}

/* What is held back has a bound; behind a hole nothing is written. */
static void
test_full_for_long(void **state)
{
	struct journal_writer j;
	struct rng rng;
	struct event ev;
	uint8_t frame[FRAME_MAX];
	uint64_t n, i;
	int fd, len;

	(void)state;
	rng_init(&rng, 1, "journal");
	assert_int_equal(create(&j), 0);
	fd = j.fd;
	j.fd = open("/dev/full", O_WRONLY);
	assert_true(j.fd >= 0);
	for (i = 0; i < 200000 && !j.is_cut; i++) {
		/* Nothing that a codec could make small. */
		support_fill(&ev, MESSAGE_DELIVER, FILL_RANDOM, &rng);
		len = frame_encode(&ev, frame);
		/* It fails once all that is held back is full. */
		(void)journal_append(&j, frame, (size_t)len);
	}
	assert_true(j.is_cut);
	assert_between(buf_len(&j.out), JOURNAL_HELD_MAX, j.out.max);
	close(j.fd);
	j.fd = fd;
	assert_int_equal(journal_retry(&j), -ENOSPC);
	assert_int_equal(journal_append(&j, frame, 1), -ENOSPC);
	assert_int_equal(journal_close(&j), -ENOSPC);
	assert_int_equal(read_any(&n), JOURNAL_TORN);
	assert_between(n, 1, i);
}

/*
 * The disk becomes full while a segment is being ended: what is left of it
 * goes into its own file, and what came then into the next.
 */
static void
test_full_between_segments(void **state)
{
	struct journal_writer j;
	uint64_t n, first = 1;
	int fd;

	(void)state;
	assert_int_equal(create(&j), 0);
	j.segment_max = 4000;
	while (j.segment_bytes < 3900)
		write_events(&j, first++, 1);
	assert_int_equal(journal_flush(&j), 0);
	fd = j.fd;
	j.fd = open("/dev/full", O_WRONLY);
	assert_true(j.fd >= 0);
	while (j.segment_bytes + 40 < j.segment_max)
		write_events(&j, first++, 1);
	held_events(&j, first, 20);
	first += 20;
	assert_int_equal(journal_retry(&j), -ENOSPC);
	close(j.fd);
	j.fd = fd;
	assert_int_equal(journal_retry(&j), 0);
	write_events(&j, first, 500);
	first += 500;
	assert_int_equal(journal_close(&j), 0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, first - 1);
	assert_true(count_segment(2) > 0);
}

static void
read_to_end(struct journal_reader *r)
{
	struct event ev;

	while (journal_next(r, &ev, NULL, NULL) == JOURNAL_EVENT)
		;
	assert_int_equal(r->over, JOURNAL_END);
}

/*
 * A segment written anew takes the place of the old one, or leaves it; and
 * the next one still is the next one.
 */
static void
test_rewrite(void **state)
{
	struct journal_writer j;
	struct journal_reader r;
	uint64_t n, all;

	(void)state;
	make_segments(3);
	assert_int_equal(read_any(&all), JOURNAL_END);
	assert_int_equal(journal_open_segment(&r, dir, 2), 0);
	assert_int_equal(journal_rewrite_begin(&j, &r), 0);
	write_events(&j, 1, 10);
	assert_int_equal(journal_rewrite_end(&j, NULL), 0);
	assert_int_equal(read_any(&n), JOURNAL_END);
	assert_int_equal(n, all);
	assert_int_equal(journal_rewrite_begin(&j, &r), 0);
	write_events(&j, 1, 10);
	read_to_end(&r);
	assert_int_equal(read_any(&n), JOURNAL_END);
	assert_int_equal(n, all); /* it is beside it */
	all -= r.events - 10;
	assert_int_equal(journal_rewrite_end(&j, &r), 0);
	journal_reader_fini(&r);
	assert_int_equal(read_any(&n), JOURNAL_END);
	assert_int_equal(n, all);
	assert_int_equal(count_segment(2), 10);
}

/* A copy says how that ended which it is a copy of. */
static void
test_copy(void **state)
{
	static const enum journal_state ends[] = {
	    JOURNAL_END, JOURNAL_TORN, JOURNAL_DAMAGED};
	struct journal_writer j;
	uint64_t n;
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(create(&j), 0);
		write_events(&j, 1, 10);
		assert_int_equal(journal_close_copy(&j, ends[i]), 0);
		assert_int_equal(read_events(&n), ends[i]);
		assert_int_equal(n, 10);
		support_dir_remove(dir);
		support_dir_make(dir);
	}
	(void)state;
}

static int
setup(void **state)
{
	(void)state;
	is_plain = false;
	support_dir_make(dir);
	return 0;
}

static int
setup_plain(void **state)
{
	int err = setup(state);

	is_plain = true;
	return err;
}

static int
teardown(void **state)
{
	(void)state;
	support_dir_remove(dir);
	return 0;
}

#define PACKED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define PLAIN(test)                                                            \
	{                                                                      \
#test " plain", test, setup_plain, teardown, NULL              \
	}
#define BOTH(test) PACKED(test), PLAIN(test)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(test_there_and_back),
	    BOTH(test_empty),
	    BOTH(test_exists),
	    BOTH(test_no_folder),
	    BOTH(test_flush),
	    BOTH(test_torn),
	    BOTH(test_segments),
	    BOTH(test_torn_in_the_middle),
	    BOTH(test_missing),
	    BOTH(test_mixed),
	    BOTH(test_full_disk),
	    BOTH(test_full_for_long),
	    BOTH(test_full_between_segments),
	    PACKED(test_rewrite),
	    BOTH(test_copy),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
