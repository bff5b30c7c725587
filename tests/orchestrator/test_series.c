/* SPDX-License-Identifier: ISC */
/*
 * series: nothing is lost when buckets are merged, quantiles are near the
 * truth, and a run of a week has no more buckets than a run of minutes.
 */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/series.h"

#define START_NS (1000 * CLOCK_S)
#define WEEK_S	 (UINT64_C(7) * 86400)

static struct series *
begun(void)
{
	struct series *s = series_create();

	assert_non_null(s);
	series_begin(s, START_NS);
	return s;
}

static void
test_nothing_before_the_load(void **state)
{
	struct series *s = series_create();

	(void)state;
	assert_non_null(s);
	series_round(s, START_NS);
	series_latency(s, SERIES_ASK, START_NS, 5);
	assert_int_equal(s->n, 0);
	series_begin(s, START_NS);
	series_begin(s, START_NS + CLOCK_S); /* only the first counts */
	assert_true(s->start_ns == START_NS);
	assert_int_equal(s->n, 1);
	series_destroy(s);
	/* Without memory: no picture, no crash. */
	series_round(NULL, START_NS);
	series_stall(NULL, 0, 9 * CLOCK_S, false);
	series_fault(NULL, START_NS, "x", 0, true);
}

static void
test_week(void **state)
{
	struct series *s = begun();
	uint64_t t, rounds = 0, samples = 0, max = 0;
	unsigned g;
	size_t i;

	(void)state;
	for (t = 0; t < WEEK_S; t++) {
		series_round(s, START_NS + t * CLOCK_S);
		series_latency(s, SERIES_ASK, START_NS + t * CLOCK_S, t * 1000);
	}
	assert_true(s->n <= SERIES_BUCKETS && s->n > SERIES_BUCKETS / 2 - 1);
	assert_true(s->n * s->step_ns >= WEEK_S * CLOCK_S);
	for (i = 0; i < s->n; i++) {
		rounds += s->buckets[i].rounds;
		for (g = 0; g < SERIES_GRADES; g++)
			samples += s->buckets[i].grades[SERIES_ASK][g];
		if (s->buckets[i].max[SERIES_ASK] > max)
			max = s->buckets[i].max[SERIES_ASK];
	}
	assert_true(rounds == WEEK_S && samples == WEEK_S);
	assert_true(max == (WEEK_S - 1) * 1000);
	series_destroy(s);
}

static void
test_quantiles(void **state)
{
	static const double fractions[] = {0.01, 0.5, 0.9, 0.99};
	struct series *s = begun();
	double want, got;
	uint64_t v;
	size_t i;

	(void)state;
	for (v = 1; v <= 10000; v++)
		series_latency(s, SERIES_CONSUME, START_NS, v * 20000);
	for (i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
		want = fractions[i] * 10000 * 20000;
		got = (double)series_quantile(
		    s->buckets, SERIES_CONSUME, fractions[i]);
		assert_true(got > want * 0.9 && got < want * 1.1);
	}
	assert_true(series_quantile(s->buckets, SERIES_ASK, 0.5) == 0);
	/* All in the last, open grade. */
	series_latency(s, SERIES_ASK, START_NS, UINT64_MAX);
	assert_true(series_quantile(s->buckets, SERIES_ASK, 0.5) == UINT64_MAX);
	series_destroy(s);
}

/* A fault is in every bucket from its beginning to its end, and no other. */
static void
test_faults(void **state)
{
	struct series *s = begun();
	uint64_t faulty = 0;
	unsigned i;

	(void)state;
	series_fault(s, START_NS + CLOCK_S, "kill", 2, true);
	series_fault(s, START_NS + 2 * CLOCK_S, "pause", 2, true);
	series_fault(s, START_NS + 3 * CLOCK_S, "kill", 2, false);
	series_fault(s, START_NS + 3 * CLOCK_S, "pause", 2, false);
	series_pass(s, START_NS + 5 * CLOCK_S);
	for (i = 0; i < 20; i++) {
		assert_int_equal(
		    s->buckets[i].faults[2] & 1, i >= 4 && i <= 12);
		assert_int_equal(
		    s->buckets[i].faults[2] >> 1, i >= 8 && i <= 12);
		assert_int_equal(s->buckets[i].faults[1], 0);
		faulty += s->buckets[i].faulty_ns[2];
		assert_true(s->buckets[i].faulty_ns[2] <= SERIES_STEP_NS);
	}
	assert_true(faulty == 2 * CLOCK_S); /* two at once count once */
	for (i = 0; i < 2 * SERIES_MODES; i++) {
		char mode[8] = {'m', (char)('a' + i), '\0'};

		series_fault(s, START_NS + 6 * CLOCK_S, mode, 0, true);
	}
	assert_int_equal(s->nmodes, SERIES_MODES);
	assert_string_equal(s->modes[SERIES_MODES - 1], "others");
	series_destroy(s);
}

static void
test_stalls_are_the_longest(void **state)
{
	struct series *s = begun();
	uint64_t i;

	(void)state;
	series_stall(s, START_NS, START_NS + CLOCK_S - 1, false); /* none */
	for (i = 1; i <= 1000; i++)
		series_stall(s, START_NS, START_NS + i * CLOCK_S, false);
	assert_int_equal(s->nstalls, SERIES_STALLS);
	assert_true(s->stalls_seen == 1000);
	assert_true(s->stalled_ns == 500500 * CLOCK_S);
	for (i = 0; i < SERIES_STALLS; i++)
		assert_true(s->stalls[i].end_ns - START_NS >
			    (1000 - SERIES_STALLS) * CLOCK_S);
	series_destroy(s);
}

/* The highest in a bucket stays when buckets are merged; 0 is a level, too. */
static void
test_levels(void **state)
{
	struct series *s = begun();
	struct msg_server_level m = {.node = 3};
	uint64_t t, top = 0;
	size_t i;

	(void)state;
	series_level(NULL, START_NS, &m);
	series_level(s, START_NS, &m);
	assert_int_equal(s->buckets[0].levels[LEVELS_CONNECTIONS][2], 1);
	assert_int_equal(s->buckets[0].levels[LEVELS_CONNECTIONS][1], 0);
	for (t = 0; t < WEEK_S; t += 60) {
		m.memory = (t + 1) << 10;
		m.files = UINT64_MAX;
		series_level(s, START_NS + t * CLOCK_S, &m);
	}
	for (i = 0; i < s->n; i++) {
		assert_true(s->buckets[i].levels[LEVELS_MEMORY][2] > top);
		top = s->buckets[i].levels[LEVELS_MEMORY][2];
	}
	assert_int_equal(top, WEEK_S - 60 + 2);
	assert_true(s->buckets[0].levels[LEVELS_FILES][2] == UINT32_MAX);
	m.node = CONFIG_NODES_MAX + 1;
	series_level(s, START_NS + t * CLOCK_S, &m); /* nobody's */
	m.node = 0;
	series_level(s, START_NS + t * CLOCK_S, &m);
	series_destroy(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_before_the_load),
	    cmocka_unit_test(test_week),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_quantiles),
	    cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_stalls_are_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
