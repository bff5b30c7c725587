/* SPDX-License-Identifier: ISC */
/* What the kernel says of the host's load is read, and told in time. */
#include "tests/support.h"

#include "orchestrator/live/host.h"
#include "proto/base/clock.h"

static void
test_read(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(
	    host_read_tasks("0.20 0.18 0.12 17/803 11206\n", &n), 0);
	assert_int_equal(n, 17);
	assert_true(host_read_tasks("0.20 0.18 0.12", &n) < 0);
	assert_true(host_read_tasks("x/803", &n) < 0);
	assert_true(host_read_tasks("/", &n) < 0);
	assert_int_equal(
	    host_read_pressure("some avg10=0.22 avg60=0.17 avg300=1.11 "
			       "total=58761459\nfull avg10=0 total=1\n",
		&n),
	    0);
	assert_int_equal(n, 58761459);
	assert_true(host_read_pressure("full avg10=0 total=1\n", &n) < 0);
	assert_true(host_read_pressure("some avg10=0.22", &n) < 0);
	assert_true(host_read_pressure("", &n) < 0);
}

static void
test_tell(void **state)
{
	struct host h;
	struct event ev;
	uint64_t now, told = 0;

	(void)state;
	host_init(&h);
	for (now = 100 * CLOCK_S; now < 112 * CLOCK_S; now += 50 * CLOCK_MS) {
		if (now == 103 * CLOCK_S)
			host_late(&h, 700 * CLOCK_MS);
		if (now == 104 * CLOCK_S)
			host_late(&h, 20 * CLOCK_MS);
		if (!host_poll(&h, now, &ev))
			continue;
		assert_int_equal(ev.type, MESSAGE_HOST_LOAD);
		assert_int_equal(ev.u.host_load.span_ns, 5 * CLOCK_S);
		assert_int_equal(
		    ev.u.host_load.late_ns, told++ == 0 ? 700 * CLOCK_MS : 0);
		assert_true(ev.u.host_load.pressure <= HOST_PRESSURE_UNKNOWN);
	}
	assert_int_equal(told, 2);
}

/* One that was not begun is silent, whatever the time. */
static void
test_not_looked_at(void **state)
{
	struct host h = {0};
	struct event ev;

	(void)state;
	assert_false(host_poll(&h, 100 * CLOCK_S, &ev));
	assert_false(host_poll(&h, 200 * CLOCK_S, &ev));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_tell),
	    cmocka_unit_test(test_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
