/* SPDX-License-Identifier: ISC */
/* Streams that hold more than their limits allow, and those that may. */
#include "proto/base/text.h"
#include "tests/stories/store_story.h"

#define VOWED CLASS_VIOLATION

static void
limit_broken(void **state)
{
	static const struct msg_contents kinds[] = {
	    {.max_messages = 50}, {.max_bytes = 5000}, {.per_subject = 6}};
	static const struct msg_contents refusing = {
	    .max_messages = 50, .discard = DISCARD_NEW};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		store_begin(&s, &kinds[i]);
		store_pass(&s, 40 * CLOCK_S);
		store_numbers(&s, 48, 4900);
		store_numbers(&s, i != 1 ? 51 : 50, i == 1 ? 5001 : 5000);
		store_pass(&s, 40 * CLOCK_S);
		store_end_with(&s, ANOMALY_LIMIT_BROKEN, VOWED);
	}
	/* One that refuses keeps what it has. */
	store_begin(&s, &refusing);
	store_limits(&s, 40, 0);
	store_pass(&s, 40 * CLOCK_S);
	store_numbers(&s, 50, 5000);
	store_pass(&s, 40 * CLOCK_S);
	store_end(&s);
	/* Asked before a change was confirmed; and long after it. */
	store_begin(&s, &kinds[0]);
	s.now += CLOCK_S;
	store_limits(&s, 40, 0);
	store_pass(&s, 40 * CLOCK_S);
	store_numbers(&s, 45, 4500);
	store_pass(&s, 40 * CLOCK_S);
	store_end_with(&s, ANOMALY_LIMIT_BROKEN, VOWED);
}

static void
elect(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_LEADER};

	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), "s0");
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), "n2");
	ev.u.leader.what = LEADS_STREAM;
	store_feed(s, &ev);
}

/* One that was restarted has again for a moment what the limit had dropped. */
static void
came_back(void **state)
{
	static const struct msg_contents few = {.max_messages = 50};
	struct store_story s;

	(void)state;
	store_begin(&s, &few);
	store_pass(&s, 40 * CLOCK_S);
	elect(&s);
	store_numbers(&s, 51, 5000);
	store_pass(&s, 40 * CLOCK_S);
	store_end_with(&s, ANOMALY_LIMIT_BROKEN, CLASS_WARNING);
}

/* A new leader of a stream that refuses may let in too much, which stays. */
static void
let_in(void **state)
{
	static const struct msg_contents refusing = {
	    .max_messages = 50, .discard = DISCARD_NEW};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		store_begin(&s, &refusing);
		if (i == 1)
			elect(&s);
		store_pass(&s, 60 * CLOCK_S);
		store_numbers(&s, 51, 5000);
		store_pass(&s, 40 * CLOCK_S);
		store_end_with(&s, ANOMALY_LIMIT_BROKEN,
		    i == 0 ? CLASS_VIOLATION : CLASS_WARNING);
	}
}

/*
 * A large message drops several small ones, one after the other, and who asks
 * meanwhile sees some of them beside it. In the end nobody does.
 */
static void
bytes_meanwhile(void **state)
{
	static const struct msg_contents small = {.max_bytes = 5000};
	struct event ev = {.type = MESSAGE_SCAN_STATE};
	struct store_story s;
	struct msg_publish_terms t;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		store_begin(&s, &small);
		t = store_terms(&s, 1);
		t.stored = 800;
		store_put(&s, &t);
		store_pass(&s, 40 * CLOCK_S);
		store_numbers(&s, 40, i == 1 ? 5801 : 5800);
		store_pass(&s, 40 * CLOCK_S);
		ev.u.scan_state = (struct msg_scan_state){.polls = 3,
		    .first = 1,
		    .last = s.last,
		    .messages = 40,
		    .bytes = i == 2 ? 5001 : 5000,
		    .subjects = 8};
		store_feed(&s, &ev);
		s.expected[ANOMALY_LIMIT_BROKEN][VOWED] = i > 0;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(limit_broken),
	    cmocka_unit_test(bytes_meanwhile),
	    cmocka_unit_test(came_back),
	    cmocka_unit_test(let_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
