/* SPDX-License-Identifier: ISC */
/* Streams that hold more than their limits allow, and those that may. */
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
		store_numbers(&s, 48, 4900);
		store_numbers(&s, i != 1 ? 51 : 50, i == 1 ? 5001 : 5000);
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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(limit_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
