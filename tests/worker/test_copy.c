/* SPDX-License-Identifier: ISC */
/* A copy as hashes: where a difference shows, and that it stays small. */
#include <string.h>

#include "tests/support.h"
#include "worker/audit/copy.h"

static const struct copy_range narrow = {0, UINT64_MAX, COPY_BLOCK};

static void
enter(struct copy *c, const struct copy_range *r, uint64_t seq, int64_t stamp)
{
	struct delivery d = {.seq = seq, .stamp_ns = stamp};
	natsMsg *msg = NULL;

	assert_int_equal(natsMsg_Create(&msg, "s", NULL, "x", 1), NATS_OK);
	assert_int_equal(copy_enter(c, r, msg, &d), 0);
	natsMsg_Destroy(msg);
}

/* A week of 20,000 messages/s, and all that a server could say. */
static void
test_width(void **state)
{
	static const uint64_t lasts[] = {0, 1, COPY_BLOCK * COPY_BLOCKS - 1,
	    COPY_BLOCK * (uint64_t)COPY_BLOCKS, 12096000000, UINT64_MAX};
	uint64_t width;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
		width = copy_width(0, lasts[i]);
		assert_true(width >= COPY_BLOCK && width % COPY_BLOCK == 0);
		assert_true(lasts[i] / width < COPY_BLOCKS);
		/* And no wider than it must be. */
		assert_true(width == COPY_BLOCK ||
			    lasts[i] / (width / 2) >= COPY_BLOCKS);
	}
	assert_int_equal(copy_width(0, lasts[2]), COPY_BLOCK);
	assert_int_equal(copy_width(0, lasts[3]), 2 * COPY_BLOCK);
	/* A block of the widest is read in narrow ones. */
	width = copy_width(0, 12096000000);
	assert_int_equal(copy_width(7 * width, 8 * width - 1), COPY_BLOCK);
}

static void
test_differs(void **state)
{
	struct copy a = {0}, b = {0};
	uint64_t seq;
	uint32_t i;

	(void)state;
	for (seq = 1; seq <= 5 * COPY_BLOCK; seq++) {
		enter(&a, &narrow, seq, 1);
		if (seq != 2 * COPY_BLOCK + 7)
			enter(&b, &narrow, seq, 1 + (seq == COPY_BLOCK));
	}
	for (i = 0; i < 6; i++)
		assert_int_equal(copy_hash_at(&a, i) == copy_hash_at(&b, i),
		    i != 1 && i != 2);
	assert_int_not_equal(copy_hash(&a, &narrow), copy_hash(&b, &narrow));
	assert_int_equal(a.messages, b.messages + 1);
	copy_fini(&a);
	copy_fini(&b);
}

/* A server may number as it likes: memory is that of so many blocks. */
static void
test_bounded(void **state)
{
	static const struct copy_range part = {
	    10 * COPY_BLOCK, 20 * COPY_BLOCK, COPY_BLOCK};
	struct copy a = {0}, b = {0};

	(void)state;
	enter(&a, &narrow, UINT64_MAX - 1, 1);
	enter(&b, &narrow, UINT64_MAX, 1);
	assert_true(a.nblocks <= 2 * COPY_BLOCKS);
	assert_int_equal(copy_hash_at(&a, COPY_BLOCKS - 2), 0);
	assert_int_not_equal(copy_hash(&a, &narrow), copy_hash(&b, &narrow));
	copy_reset(&a);
	enter(&a, &part, 1, 1); /* below its range: a server's mistake */
	enter(&a, &part, 11 * COPY_BLOCK, 1);
	assert_int_not_equal(copy_hash_at(&a, 0), 0);
	assert_int_not_equal(copy_hash_at(&a, 1), 0);
	copy_fini(&a);
	copy_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_width),
	    cmocka_unit_test(test_differs),
	    cmocka_unit_test(test_bounded),
	};

	int failed;

	/* The library's messages need it. */
	if (nats_Open(-1) != NATS_OK)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	nats_CloseAndWait(0);
	return failed;
}
