/* SPDX-License-Identifier: ISC */
/* Times by sequence, against a plain array of them. */
#include <string.h>

#include "orchestrator/judge/stamps.h"
#include "proto/base/rng.h"
#include "tests/support.h"

#define BLOCKS (4 * STAMPS_RING)

/* In any order that acks come in: exact to the block. */
static void
test_blocks(void **state)
{
	static uint64_t latest[BLOCKS];
	struct stamps s = {0};
	uint64_t i, top = 0, seq, back;
	struct rng rng;

	(void)state;
	rng_init(&rng, support_seed(), "stamps");
	assert_int_equal(stamps_at(&s, 5), 0);
	memset(latest, 0, sizeof(latest));
	for (i = 1; top < BLOCKS * STAMPS_BLOCK - 9000; i++) {
		top += rng_below(&rng, 8000);
		back = rng_below(&rng, 100) == 0 ? top : 3000;
		seq = top - rng_below(&rng, 1 + (top < back ? top : back));
		assert_int_equal(stamps_note(&s, seq, i), 0);
		latest[seq / STAMPS_BLOCK] = i;
	}
	for (seq = 0; seq < BLOCKS * STAMPS_BLOCK; seq += 100)
		assert_int_equal(
		    stamps_at(&s, seq), latest[seq / STAMPS_BLOCK]);
	stamps_fini(&s);
}

/* A week of 20,000 a second: bounded, exact lately, and never too early. */
static void
test_week(void **state)
{
	const uint64_t end = UINT64_C(12096000000);
	struct stamps s = {0};
	uint64_t seq, got;

	(void)state;
	for (seq = 0; seq < end; seq += STAMPS_BLOCK)
		assert_int_equal(stamps_note(&s, seq, seq + 1), 0);
	assert_true(s.nwide <= STAMPS_MAX);
	for (seq = end - 1000000; seq < end; seq += 4096) {
		got = stamps_at(&s, seq);
		if (seq > end - (STAMPS_RING - 1) * STAMPS_BLOCK)
			assert_int_equal(
			    got, seq / STAMPS_BLOCK * STAMPS_BLOCK + 1);
	}
	for (seq = 0; seq < end; seq += 1000003) {
		got = stamps_at(&s, seq);
		assert_true(got > seq / STAMPS_BLOCK * STAMPS_BLOCK);
		assert_true(got <= seq + 2 * end / STAMPS_MAX + STAMPS_BLOCK);
	}
	stamps_fini(&s);
}

/* Whatever a server numbers by. */
static void
test_far(void **state)
{
	struct stamps s = {0};

	(void)state;
	assert_int_equal(stamps_note(&s, 7, 10), 0);
	assert_int_equal(stamps_note(&s, UINT64_MAX, 20), 0);
	assert_int_equal(stamps_at(&s, 7), 10);
	assert_int_equal(stamps_at(&s, UINT64_MAX), 20);
	assert_int_equal(stamps_note(&s, UINT64_MAX / 2, 30), 0);
	assert_int_equal(stamps_at(&s, UINT64_MAX / 2), 30);
	assert_true(s.nwide <= STAMPS_MAX);
	stamps_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_week),
	    cmocka_unit_test(test_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
