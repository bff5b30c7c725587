/* SPDX-License-Identifier: ISC */
/* seqlog and order: against plain arrays, in any order of arrival. */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/order.h"
#include "orchestrator/judge/seqlog.h"
#include "proto/base/rng.h"

#define SEQS   400000 /* interleaved: enough to be folded several times */
#define WINDOW 3000   /* how far arrivals are out of turn */

/* Two publishers by chance, so that runs are short. */
static uint64_t
id_of(uint64_t seq)
{
	return (rng_mix(seq) & 1) << 40 | seq;
}

static void
test_known(void **state)
{
	static uint64_t seqs[SEQS];
	struct seqlog_digest again = {0};
	struct seqlog_block was, is;
	struct seqlog l;
	struct rng rng;
	uint64_t i, k, id, swap, exact = 0;

	(void)state;
	rng_init(&rng, support_seed(), "seqlog");
	seqlog_init(&l);
	for (i = 0; i < SEQS; i++)
		seqs[i] = i + 1;
	for (i = 0; i + WINDOW < SEQS; i += 7) {
		k = i + rng_below(&rng, WINDOW);
		swap = seqs[i];
		seqs[i] = seqs[k];
		seqs[k] = swap;
	}
	for (i = 0; i < SEQS; i++) {
		assert_false(seqlog_has(&l, seqs[i]));
		assert_int_equal(seqlog_add(&l, seqs[i], id_of(seqs[i])), 0);
		assert_int_equal(seqlog_add(&l, seqs[i], 1), -EEXIST);
	}
	assert_true(l.folded > 100000);
	assert_true(l.room <= SEQLOG_RING_MAX);
	for (i = 1; i <= SEQS; i++) {
		assert_true(seqlog_has(&l, i));
		if (seqlog_find(&l, i, &id)) {
			assert_true(id == id_of(i));
			exact++;
		} else {
			assert_true(i < l.folded);
			assert_int_equal(
			    seqlog_digest_add(&again, i, id_of(i)), 0);
		}
	}
	assert_true(exact > 32768);
	assert_false(seqlog_has(&l, SEQS + 1));
	for (i = 0; i < again.n && i < l.digest.n; i++)
		assert_memory_equal(
		    &again.blocks[i], &l.digest.blocks[i], sizeof(was));
	/* One wrong pair shows its place; two that are swapped show. */
	was = is = l.digest.blocks[3];
	seqlog_digest_fini(&again);
	assert_int_equal(seqlog_digest_add(&again, 5, id_of(5)), 0);
	assert_int_equal(seqlog_digest_add(&again, 6, id_of(6)), 0);
	was = again.blocks[0];
	seqlog_digest_fini(&again);
	assert_int_equal(seqlog_digest_add(&again, 5, id_of(5)), 0);
	assert_int_equal(seqlog_digest_add(&again, 6, 4711), 0);
	is = again.blocks[0];
	assert_true(was.hash != is.hash);
	assert_int_equal(seqlog_digest_place(&was, &is, SEQLOG_BLOCK), 6);
	seqlog_digest_fini(&again);
	assert_int_equal(seqlog_digest_add(&again, 5, id_of(6)), 0);
	assert_int_equal(seqlog_digest_add(&again, 6, id_of(5)), 0);
	assert_true(was.hash != again.blocks[0].hash);
	assert_int_equal(
	    seqlog_digest_place(&was, &again.blocks[0], SEQLOG_BLOCK),
	    SEQLOG_BLOCK);
	seqlog_digest_fini(&again);
	seqlog_fini(&l);
}

#define STEP 20000 /* several of a wide block */

/*
 * A week of 20,000 a second: the blocks are wide, but the same however they
 * came to be so, and one wrong pair still shows its place.
 */
static void
test_wide(void **state)
{
	const uint64_t end = UINT64_C(12096000000),
		       wrong = end / 3 / STEP * STEP;
	struct seqlog_digest grown = {0}, wide = {0};
	uint64_t seq, width, i;

	(void)state;
	for (seq = 0; seq < end; seq += STEP)
		assert_int_equal(seqlog_digest_add(&grown, seq, id_of(seq)), 0);
	width = seqlog_digest_width(&grown);
	assert_int_equal(width, 16 * SEQLOG_BLOCK);
	assert_true(grown.n <= SEQLOG_BLOCKS);
	seqlog_digest_widen(&wide, width);
	for (seq = 0; seq < end; seq += STEP)
		assert_int_equal(seqlog_digest_add(&wide, seq,
				     id_of(seq == wrong ? 4711 : seq)),
		    0);
	assert_int_equal(seqlog_digest_width(&wide), width);
	for (i = 0; i * width < end; i++)
		if (i != wrong / width)
			assert_memory_equal(&grown.blocks[i], &wide.blocks[i],
			    sizeof(wide.blocks[i]));
	i = wrong / width;
	assert_true(grown.blocks[i].hash != wide.blocks[i].hash);
	assert_int_equal(
	    seqlog_digest_place(&grown.blocks[i], &wide.blocks[i], width),
	    wrong % width);
	/* Whatever a server numbers by. */
	assert_int_equal(seqlog_digest_add(&grown, UINT64_MAX, 1), 0);
	assert_true(grown.n <= SEQLOG_BLOCKS);
	seqlog_digest_fini(&grown);
	seqlog_digest_fini(&wide);
}

/* One publisher, however long: one run, and all of it exact. */
static void
test_cheap(void **state)
{
	struct seqlog l;
	uint64_t i, id;

	(void)state;
	seqlog_init(&l);
	for (i = 1; i <= 1000000; i++)
		assert_int_equal(seqlog_add(&l, i, i + 5), 0);
	assert_int_equal(l.folded, 0);
	assert_int_equal(l.runs.n, 1);
	assert_true(seqlog_find(&l, 1, &id) && id == 6);
	assert_true(seqlog_find_id(&l, 500005, &id) && id == 500000);
	assert_true(seqlog_find_id(&l, 1000005, &id) && id == 1000000);
	seqlog_fini(&l);
}

#define NUMBERS 4000

static void
test_order(void **state)
{
	static uint64_t has[NUMBERS + 1];
	const struct order_item *found;
	struct order_item *item;
	struct order o;
	struct rng rng;
	uint64_t i, n, k;

	(void)state;
	memset(has, 0, sizeof(has));
	rng_init(&rng, support_seed(), "order");
	order_init(&o, 0);
	for (i = 0; i < 3000; i++) {
		n = 1 + rng_below(&rng, NUMBERS);
		assert_int_equal(order_put(&o, n, &item), 0);
		assert_true(item->number == n);
		if (has[n] != 0 && item->value != 0)
			assert_true(item->value == has[n]);
		has[n] = item->value = i + 1;
		/* Whatever is found is right, and the nearest of what is. */
		found = order_below(&o, n);
		if (found != NULL) {
			assert_true(found->value == has[found->number]);
			for (k = found->number + 1; k < n; k++)
				assert_null(order_find(&o, k));
		}
		found = order_above(&o, n);
		if (found != NULL) {
			assert_true(found->value == has[found->number]);
			for (k = n + 1; k < found->number; k++)
				assert_null(order_find(&o, k));
		}
	}
	assert_int_equal(order_put(&o, 10 * ORDER_MAX, &item), 0);
	assert_int_equal(order_put(&o, 5, &item), -ERANGE);
	assert_null(order_find(&o, 5));
	order_fini(&o);
}

/* What is to be kept is, though nothing is in flight. */
static void
test_order_keeps(void **state)
{
	struct order_item *item;
	struct order o;
	uint64_t n, k;

	(void)state;
	order_init(&o, 256);
	for (n = 1; n <= 3000; n++) {
		assert_int_equal(order_put(&o, n, &item), 0);
		item->value = n;
		k = n > 256 ? n - 255 : 1;
		assert_non_null(order_find(&o, k));
		assert_true(order_find(&o, k)->value == k);
	}
	assert_true(o.room == 256);
	order_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known),
	    cmocka_unit_test(test_wide),
	    cmocka_unit_test(test_cheap),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_order_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
