/* SPDX-License-Identifier: ISC */
/* The time of a loop counts its turns, not the time in which it had none. */
#include "tests/support.h"

#include "proto/base/pace.h"

static void
test_turns(void **state)
{
	uint64_t now = 1000 * CLOCK_S;
	struct pace p;
	int i;

	(void)state;
	pace_begin(&p, now);
	assert_int_equal(p.ns, now);
	for (i = 0; i < 10; i++)
		(void)pace_turn(&p, now += 20 * CLOCK_MS);
	assert_int_equal(p.ns, 1000 * CLOCK_S + 200 * CLOCK_MS);
	assert_int_equal(pace_turn(&p, now), p.ns);
	assert_int_equal(p.ns, 1000 * CLOCK_S + 200 * CLOCK_MS);
}

static void
test_stands_still(void **state)
{
	uint64_t now = 1000 * CLOCK_S;
	struct pace p;

	(void)state;
	pace_begin(&p, now);
	now += 130 * CLOCK_S;
	assert_int_equal(pace_turn(&p, now), 1000 * CLOCK_S + PACE_TURN_NS);
	/* It is the turn that counts, not what was missed. */
	now += CLOCK_MS;
	assert_int_equal(
	    pace_turn(&p, now), 1000 * CLOCK_S + PACE_TURN_NS + CLOCK_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_turns),
	    cmocka_unit_test(test_stands_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
