/* SPDX-License-Identifier: ISC */
/* faults: which are in force, and what the availability clock says. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/faults.h"

#define S	 UINT64_C(1000000000)
#define ELECTION (FAULTS_ELECTION_NS / S)

static void
planned(struct faults *f, uint64_t t, uint32_t fault, bool stops)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED, .time_ns = t * S};

	ev.u.fault_planned.fault = fault;
	ev.u.fault_planned.stops_clock = stops;
	faults_event(f, &ev);
}

static void
applied(struct faults *f, uint64_t t, uint32_t fault, bool ok)
{
	struct event ev = {.type = MESSAGE_FAULT_APPLIED, .time_ns = t * S};

	ev.u.fault_applied.fault = fault;
	ev.u.fault_applied.ok = ok;
	faults_event(f, &ev);
}

static void
healed(struct faults *f, uint64_t t, uint32_t fault, bool ok)
{
	struct event ev = {.type = MESSAGE_FAULT_HEALED, .time_ns = t * S};

	ev.u.fault_healed.fault = fault;
	ev.u.fault_healed.ok = ok;
	faults_event(f, &ev);
}

/* Any event at all: it lets the clock settle. */
static void
something(struct faults *f, uint64_t t)
{
	struct event ev = {.type = MESSAGE_PHASE, .time_ns = t * S};

	faults_event(f, &ev);
}

static void
test_graceful_runs_on(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	assert_false(faults_active(&f));
	planned(&f, 10, 1, false);
	applied(&f, 11, 1, true);
	assert_true(faults_active(&f));
	assert_int_equal(faults_stood(&f, 100 * S), 0);
	healed(&f, 20, 1, true);
	assert_false(faults_active(&f));
	assert_int_equal(faults_stood(&f, 100 * S), 0);
	assert_int_equal(f.planned, 1);
	assert_int_equal(f.applied, 1);
	assert_int_equal(f.healed, 1);
	assert_false(faults_quiet_for(&f, 39 * S, 20 * S));
	assert_true(faults_quiet_for(&f, 40 * S, 20 * S));
}

static void
test_stopping(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	assert_int_equal(faults_stood(&f, 10 * S), 0);
	assert_int_equal(faults_stood(&f, 15 * S), 5 * S);
	healed(&f, 20, 1, true);
	assert_int_equal(faults_stood(&f, 25 * S), 15 * S);
	assert_int_equal(
	    faults_stood(&f, (20 + ELECTION) * S), (10 + ELECTION) * S);
	/* Asked before an event settles it, and after. */
	assert_int_equal(faults_stood(&f, 1000 * S), (10 + ELECTION) * S);
	something(&f, 900);
	assert_int_equal(faults_stood(&f, 1000 * S), (10 + ELECTION) * S);
}

static void
test_overlapping(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	planned(&f, 12, 2, true);
	planned(&f, 13, 3, false);
	healed(&f, 15, 1, true);
	assert_int_equal(faults_stood(&f, 100 * S), 90 * S);
	healed(&f, 30, 2, true);
	/* A new one before the elections are over: it never went on. */
	planned(&f, 35, 4, true);
	assert_int_equal(faults_stood(&f, 100 * S), 90 * S);
	healed(&f, 40, 4, true);
	assert_int_equal(faults_stood(&f, 200 * S), (30 + ELECTION) * S);
	assert_true(faults_active(&f));
	healed(&f, 41, 3, true);
	assert_false(faults_active(&f));
	/* And again much later: the two times add up. */
	planned(&f, 100, 5, true);
	healed(&f, 110, 5, true);
	assert_int_equal(
	    faults_stood(&f, 200 * S), (30 + ELECTION + 10 + ELECTION) * S);
}

static void
test_strict(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	f.strict = true;
	planned(&f, 10, 1, true);
	assert_true(faults_active(&f));
	assert_int_equal(faults_stood(&f, 100 * S), 0);
	healed(&f, 20, 1, true);
	assert_int_equal(faults_stood(&f, 100 * S), 0);
}

static void
test_failures(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	applied(&f, 11, 1, false);
	healed(&f, 12, 1, false);
	healed(&f, 13, 1, true); /* called twice: says nothing new */
	healed(&f, 14, 99, true);
	assert_int_equal(f.applied, 0);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.healed, 0);
	assert_int_equal(f.unhealed, 1);
	assert_int_equal(f.nopen, 0);
	/* What could not be undone may hinder JetStream for ever. */
	assert_int_equal(faults_stood(&f, 100 * S), 90 * S);
}

static void
test_more_than_fit(void **state)
{
	struct faults f;
	uint32_t i;

	(void)state;
	faults_init(&f);
	for (i = 1; i <= FAULTS_OPEN_MAX + 10; i++)
		planned(&f, 10, i, true);
	for (i = 1; i <= FAULTS_OPEN_MAX + 10; i++)
		healed(&f, 20, i, true);
	assert_false(faults_active(&f));
	assert_int_equal(faults_stood(&f, 500 * S), (10 + ELECTION) * S);
}

static void
tick(struct faults *f, uint64_t t)
{
	struct event ev = {.type = MESSAGE_TICK, .time_ns = t * S};

	faults_event(f, &ev);
}

/* No ticks, no host: that time is nobody's, whatever ends the silence. */
static void
test_host_stood_still(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	tick(&f, 1);
	tick(&f, 2);
	assert_int_equal(faults_stood(&f, 4 * S), 0);
	assert_int_equal(faults_stood(&f, 62 * S), 60 * S);
	tick(&f, 62);
	assert_int_equal(faults_stood(&f, 64 * S), 60 * S);
	/* What has stood never runs back: here a fault ends the silence. */
	assert_int_equal(faults_stood(&f, 122 * S), 120 * S);
	planned(&f, 122, 1, true);
	assert_int_equal(faults_stood(&f, 122 * S), 120 * S);
	tick(&f, 123);
	assert_int_equal(faults_stood(&f, 124 * S), 122 * S);
	healed(&f, 130, 1, true);
	tick(&f, 131);
	assert_int_equal(faults_stood(&f, 132 * S), 130 * S);
}

static void
test_quiet_between(void **state)
{
	struct faults f;
	uint64_t i;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, false);
	assert_true(faults_quiet_between(&f, 0, 9 * S));
	assert_false(faults_quiet_between(&f, 5 * S, 10 * S));
	assert_false(faults_quiet_between(&f, 50 * S, 60 * S));
	healed(&f, 20, 1, true);
	assert_false(faults_quiet_between(&f, 15 * S, 16 * S));
	assert_false(faults_quiet_between(&f, 5 * S, 30 * S));
	assert_false(faults_quiet_between(&f, 20 * S, 30 * S));
	assert_true(faults_quiet_between(&f, 21 * S, 30 * S));
	/* What is forgotten is not quiet. */
	for (i = 0; i < FAULTS_PAST; i++) {
		planned(&f, 100 + 2 * i, 2, true);
		healed(&f, 101 + 2 * i, 2, true);
	}
	assert_false(faults_quiet_between(&f, 0, 9 * S));
	assert_false(faults_quiet_between(&f, 19 * S, 30 * S));
	assert_true(faults_quiet_between(&f, 21 * S, 30 * S));
}

/* Second by second against a plain count. */
static void
test_random(void **state)
{
	bool open[8];
	uint64_t t, until, stood, k;
	struct faults f;
	struct rng rng;
	int round;

	(void)state;
	rng_init(&rng, support_seed(), "faults");
	for (round = 0; round < 500; round++) {
		faults_init(&f);
		memset(open, 0, sizeof(open));
		until = stood = 0;
		for (t = 1; t < 400; t++) {
			k = rng_below(&rng, 8);
			if (rng_below(&rng, 20) == 0 && !open[k]) {
				open[k] = true;
				planned(&f, t, (uint32_t)k, k < 4);
			} else if (rng_below(&rng, 12) == 0 && open[k]) {
				open[k] = false;
				healed(&f, t, (uint32_t)k, true);
				if (k < 4)
					until = t + ELECTION;
			} else if (rng_below(&rng, 3) == 0)
				something(&f, t);
			assert_true(faults_stood(&f, t * S) == stood * S);
			if (open[0] || open[1] || open[2] || open[3] ||
			    t < until)
				stood++;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_graceful_runs_on),
	    cmocka_unit_test(test_stopping),
	    cmocka_unit_test(test_overlapping),
	    cmocka_unit_test(test_strict),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_more_than_fit),
	    cmocka_unit_test(test_host_stood_still),
	    cmocka_unit_test(test_quiet_between),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
