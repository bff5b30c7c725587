/* SPDX-License-Identifier: ISC */
/* merge: one order by time, complete, and nothing released too early. */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "orchestrator/live/merge.h"
#include "proto/base/ensure.h"

#define SOURCES 12

struct source {
	bool open, closing;
	uint64_t past;	   /* it is past this time */
	uint64_t pushed;   /* events, ever */
	uint64_t released; /* events, ever */
};

struct model {
	struct merge *merge;
	struct source sources[SOURCES];
	uint64_t last_ns, waiting;
	struct rng rng;
};

static void
push(struct model *m, uint32_t i, uint64_t time_ns)
{
	struct event ev = {.type = MESSAGE_DONE, .source = i};
	uint8_t frame[FRAME_MAX];
	int len;

	ev.time_ns = time_ns;
	ev.seq = ev.u.done.id = ++m->sources[i].pushed;
	len = frame_encode(&ev, frame);
	assert_int_equal(merge_push(m->merge, &ev, frame, (size_t)len), 0);
	m->sources[i].past = time_ns;
	m->waiting++;
}

/* No live source may still have something to say before this time. */
static void
check_not_early(const struct model *m, const struct event *ev)
{
	const struct source *s;
	uint32_t i;

	for (i = 0; i < SOURCES; i++) {
		s = &m->sources[i];
		if (s->open && !s->closing)
			assert_true(s->past >= ev->time_ns);
	}
}

static void
release(struct model *m)
{
	struct event ev, raw_ev;
	const uint8_t *raw;
	size_t len, used;

	while (merge_next(m->merge, &ev, &raw, &len)) {
		assert_true(ev.time_ns >= m->last_ns);
		m->last_ns = ev.time_ns;
		assert_int_equal(
		    ev.u.done.id, ++m->sources[ev.source].released);
		assert_int_equal(
		    frame_decode(raw, len, &raw_ev, &used), FRAME_WHOLE);
		assert_true(support_same(&ev, &raw_ev));
		check_not_early(m, &ev);
		m->waiting--;
	}
	assert_int_equal(merge_waiting(m->merge), m->waiting);
}

static void
step(struct model *m)
{
	uint32_t i = (uint32_t)rng_below(&m->rng, SOURCES);
	struct source *s = &m->sources[i];
	uint64_t what = rng_below(&m->rng, 40), t;

	if (!s->open) {
		if (what < 6) {
			/* It begins now: nobody was past that, or it waits. */
			t = m->last_ns + rng_below(&m->rng, 50);
			if (s->closing && t < s->past)
				t = s->past;
			assert_int_equal(merge_open(m->merge, i, t), 0);
			s->open = true;
			s->closing = false;
			s->past = t > s->past ? t : s->past;
		}
		return;
	}
	if (what == 0) {
		merge_close(m->merge, i);
		s->open = false;
		s->closing = true;
	} else if (what < 25)
		push(m, i, s->past + rng_below(&m->rng, 100));
	else if (what < 34) {
		s->past += rng_below(&m->rng, 200);
		merge_mark(m->merge, i, s->past);
	} else if (what < 36)
		merge_mark(m->merge, i, s->past / 2); /* goes unheeded */
	else
		release(m);
}

static void
test_random(void **state)
{
	struct model m;
	uint32_t i;
	int round, k;

	(void)state;
	memset(&m, 0, sizeof(m));
	rng_init(&m.rng, support_seed(), "merge");
	for (round = 0; round < 100; round++) {
		memset(m.sources, 0, sizeof(m.sources));
		m.last_ns = m.waiting = 0;
		m.merge = merge_create();
		assert_non_null(m.merge);
		for (k = 0; k < 5000; k++)
			step(&m);
		for (i = 0; i < SOURCES; i++) {
			merge_close(m.merge, i);
			m.sources[i].open = false;
		}
		release(&m);
		assert_int_equal(m.waiting, 0); /* complete */
		for (i = 0; i < SOURCES; i++)
			assert_int_equal(
			    m.sources[i].released, m.sources[i].pushed);
		merge_destroy(m.merge);
	}
}

static void
test_refusals(void **state)
{
	struct merge *m = merge_create();
	struct event ev = {.type = MESSAGE_DONE, .source = 3};
	uint8_t frame[FRAME_MAX];
	const uint8_t *raw;
	size_t len = (size_t)frame_encode(&ev, frame);

	(void)state;
	assert_int_equal(merge_push(m, &ev, frame, len), -EINVAL);
	assert_int_equal(merge_open(m, MERGE_SOURCES_MAX, 0), -E2BIG);
	assert_int_equal(merge_open(m, 3, 10), 0);
	ev.type = 0;
	assert_int_equal(merge_push(m, &ev, frame, len), -EINVAL);
	merge_close(m, 3);
	merge_close(m, 3);
	merge_mark(m, 3, 1000);
	merge_mark(m, 4, 1000);
	assert_false(merge_next(m, &ev, &raw, &len));
	merge_destroy(m);
	merge_destroy(NULL);
}

/* An empty source holds everybody back until it speaks or ends. */
static void
test_one_holds_all(void **state)
{
	struct model m;
	const uint8_t *raw;
	struct event ev;
	size_t len;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.merge = merge_create();
	assert_int_equal(merge_open(m.merge, 1, 0), 0);
	assert_int_equal(merge_open(m.merge, 2, 0), 0);
	push(&m, 1, 100);
	assert_false(merge_next(m.merge, &ev, &raw, &len));
	merge_mark(m.merge, 2, 99);
	assert_false(merge_next(m.merge, &ev, &raw, &len));
	merge_close(m.merge, 2);
	assert_true(merge_next(m.merge, &ev, &raw, &len));
	assert_false(merge_next(m.merge, &ev, &raw, &len));
	merge_destroy(m.merge);
}

/*
 * A time that goes back is taken as the source's last, in the event AND in
 * its frame: the journal stores the frame, and a replay must see the same.
 */
static void
test_time_goes_back(void **state)
{
	struct model m;
	const uint8_t *raw;
	struct event ev, stored;
	size_t len, used;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.merge = merge_create();
	assert_int_equal(merge_open(m.merge, 1, 1000), 0);
	push(&m, 1, 500);
	merge_close(m.merge, 1);
	assert_true(merge_next(m.merge, &ev, &raw, &len));
	assert_int_equal(ev.time_ns, 1000);
	assert_int_equal(frame_decode(raw, len, &stored, &used), FRAME_WHOLE);
	assert_int_equal(stored.time_ns, ev.time_ns);
	merge_destroy(m.merge);
}

/* A source that begins before what was released: a mistake of the caller. */
static void
release_late_source(void)
{
	struct model m;

	memset(&m, 0, sizeof(m));
	m.merge = merge_create();
	assert_int_equal(merge_open(m.merge, 1, 0), 0);
	push(&m, 1, 100);
	release(&m);
	assert_int_equal(merge_open(m.merge, 2, 50), 0);
	push(&m, 2, 60);
	m.last_ns = 0;
	release(&m);
}

static void
test_released_time_never_goes_back(void **state)
{
	char words[1024];
	int status = support_run_self("late", words, sizeof(words));

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ENSURE_EXIT);
	assert_non_null(strstr(words, "orchestrator/live/merge.c:"));
}

/* An event of a kilobyte, of this time. */
static void
push_long(struct merge *m, uint32_t source, uint64_t t)
{
	struct event ev = {
	    .type = MESSAGE_OPTION, .source = source, .time_ns = t, .seq = t};
	uint8_t frame[FRAME_MAX];
	int len;

	memset(ev.u.option.value, 'a' + (int)(t % 26),
	    sizeof(ev.u.option.value) - 1);
	len = frame_encode(&ev, frame);
	/* That there is room is asserted. */
	assert_int_equal(merge_push(m, &ev, frame, (size_t)len), 0);
}

/* The next event is the one that push_long() made. */
static void
expect_long(struct merge *m, uint32_t source, uint64_t t)
{
	struct event ev, raw_ev;
	const uint8_t *raw;
	size_t len, used;

	assert_true(merge_next(m, &ev, &raw, &len));
	assert_int_equal(frame_decode(raw, len, &raw_ev, &used), FRAME_WHOLE);
	assert_true(support_same(&ev, &raw_ev));
	assert_int_equal(ev.source, source);
	assert_int_equal(ev.time_ns, t);
	assert_int_equal(ev.u.option.value[1000], 'a' + (int)(t % 26));
}

/*
 * Who holds all up is known before there is no room for what waits, of all
 * sources together. Nothing of that is changed by waiting.
 */
static void
test_held_up(void **state)
{
	struct merge *m = merge_create();
	uint32_t holder = 0;
	uint64_t t, last;

	(void)state;
	for (t = 1; t <= 3; t++)
		assert_int_equal(merge_open(m, (uint32_t)t, 0), 0);
	merge_mark(m, 2, 10);
	for (last = 100; !merge_is_held_up(m, &holder); last++) {
		push_long(m, 1, last);
		push_long(m, 3, last);
	}
	assert_int_equal(holder, 2);
	/* Of the two together, and of their frames, not of structures. */
	t = merge_waiting(m) * 1100;
	assert_in_range(t, MERGE_HELD_MAX / 10 * 9, MERGE_HELD_MAX / 10 * 11);
	merge_mark(m, 2, last);
	assert_false(merge_is_held_up(m, &holder));
	merge_mark(m, 1, last);
	merge_mark(m, 3, last);
	for (t = 100; t < last; t++) {
		expect_long(m, 1, t);
		expect_long(m, 3, t);
	}
	assert_int_equal(merge_waiting(m), 0);
	push_long(m, 3, last + 1); /* its room was given back */
	merge_mark(m, 1, last + 2);
	merge_mark(m, 2, last + 2);
	expect_long(m, 3, last + 1);
	merge_destroy(m);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_one_holds_all),
	    cmocka_unit_test(test_time_goes_back),
	    cmocka_unit_test(test_released_time_never_goes_back),
	    cmocka_unit_test(test_held_up),
	};
	int failed;

	if (argc > 1 && strcmp(argv[1], "late") == 0) {
		release_late_source();
		return 0;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
