/* SPDX-License-Identifier: ISC */
/* Ranges that a scan has not seen, against a plain set of sequences. */
#include <errno.h>
#include <string.h>

#include "proto/base/rng.h"
#include "tests/support.h"
#include "worker/audit/gaps.h"

#define SEQS 2000

static uint64_t
count(const struct gaps *g)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < g->n; i++) {
		assert_true(g->list[i].first <= g->list[i].last);
		assert_true(i == 0 || g->list[i - 1].last < g->list[i].first);
		n += g->list[i].last - g->list[i].first + 1;
	}
	return n;
}

static void
test_fill(void **state)
{
	bool missing[SEQS + 1] = {false};
	struct gaps g = {0};
	uint64_t first, last = 0, seq, left = 0, i;
	struct rng rng;

	(void)state;
	rng_init(&rng, 17, "gaps");
	for (first = 1; first <= SEQS; first = last + 2) {
		last = first + rng_below(&rng, 40);
		last = last < SEQS ? last : SEQS;
		assert_int_equal(gaps_add(&g, first, last), 0);
		for (seq = first; seq <= last; seq++)
			missing[seq] = true;
		left += last - first + 1;
	}
	assert_int_equal(count(&g), left);
	for (i = 0; i < SEQS; i++) {
		seq = 1 + rng_below(&rng, SEQS);
		assert_int_equal(gaps_has(&g, seq), missing[seq]);
		assert_int_equal(gaps_fill(&g, seq), missing[seq]);
		left -= missing[seq];
		missing[seq] = false;
	}
	assert_int_equal(count(&g), left);
	gaps_fini(&g);
}

static void
test_fill_begins_anew(void **state)
{
	struct gaps g = {0};

	(void)state;
	assert_int_equal(gaps_add(&g, 5, 4), 0);
	assert_int_equal(g.n, 0);
	assert_int_equal(gaps_add(&g, 5, UINT64_MAX), 0);
	g.list[0].rounds = 4;
	assert_int_equal(gaps_fill(&g, 9), 1);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.list[0].rounds + g.list[1].rounds, 0);
	gaps_drop(&g, 1);
	assert_int_equal(g.list[0].first, 10);
	gaps_fini(&g);
}

/* Every second message is missing: bounded, and said. */
static void
test_bound(void **state)
{
	struct gaps g = {0};
	uint64_t seq;

	(void)state;
	for (seq = 1; seq <= 2 * (uint64_t)GAPS_MAX; seq += 2)
		assert_int_equal(gaps_add(&g, seq, seq), 0);
	assert_int_equal(gaps_add(&g, seq, seq), -E2BIG);
	assert_int_equal(g.n, GAPS_MAX);
	assert_true(sizeof(*g.list) * g.room <= 24 << 20);
	gaps_fini(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fill),
	    cmocka_unit_test(test_fill_begins_anew),
	    cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
