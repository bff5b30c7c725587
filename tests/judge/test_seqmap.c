/* SPDX-License-Identifier: ISC */
/* seqmap: against a plain array, with keys in order and at random. */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "orchestrator/judge/seqmap.h"

#define KEYS 400

struct naive {
	bool has[KEYS];
	uint64_t value[KEYS];
	uint64_t count;
};

static void
compare_key(const struct seqmap *m, const struct naive *n, uint64_t key)
{
	uint64_t v = 0;

	assert_int_equal(seqmap_find(m, key, &v), n->has[key]);
	if (n->has[key])
		assert_true(v == n->value[key]);
}

static void
compare_value(const struct seqmap *m, const struct naive *n, uint64_t value)
{
	uint64_t key, k;

	for (k = 0; k < KEYS; k++)
		if (n->has[k] && n->value[k] == value)
			break;
	assert_int_equal(seqmap_find_value(m, value, &key), k < KEYS);
	if (k < KEYS)
		assert_int_equal(key, k);
}

static void
compare_all(const struct seqmap *m, const struct naive *n)
{
	uint64_t k, last = 0;

	for (k = 0; k < KEYS; k++) {
		compare_key(m, n, k);
		if (n->has[k])
			last = k;
	}
	assert_int_equal(seqmap_last(m), last);
	assert_int_equal(m->count, n->count);
	for (k = 1; k < m->n; k++)
		assert_true(
		    m->runs[k - 1].key + m->runs[k - 1].len <= m->runs[k].key);
}

static void
add(struct seqmap *m, struct naive *n, uint64_t key, uint64_t value)
{
	assert_int_equal(seqmap_add(m, key, value), n->has[key] ? -EEXIST : 0);
	if (n->has[key])
		return;
	n->has[key] = true;
	n->value[key] = value;
	n->count++;
}

static void
test_random(void **state)
{
	struct naive n;
	struct seqmap m;
	struct rng rng;
	uint64_t key;
	int round, i;

	(void)state;
	rng_init(&rng, support_seed(), "seqmap");
	for (round = 0; round < 300; round++) {
		memset(&n, 0, sizeof(n));
		seqmap_init(&m);
		for (i = 0; i < 300; i++) {
			key = rng_below(&rng, KEYS);
			/* Mostly of one line, so that runs form and join. */
			add(&m, &n, key,
			    1000 + key + (rng_below(&rng, 8) == 0 ? 7 : 0));
			if (i % 37 == 0)
				compare_all(&m, &n);
			compare_value(
			    &m, &n, 1000 + rng_below(&rng, KEYS + 10));
		}
		compare_all(&m, &n);
		seqmap_fini(&m);
	}
}

static void
fill(struct seqmap *m, struct naive *n, struct rng *rng, uint64_t percent)
{
	uint64_t k;

	memset(n, 0, sizeof(*n));
	seqmap_init(m);
	for (k = 0; k < KEYS; k++)
		if (rng_below(rng, 100) < percent)
			add(m, n, k, k);
}

static void
test_first_missing(void **state)
{
	struct naive na, nb;
	struct seqmap a, b;
	struct rng rng;
	uint64_t from, k, key;
	int round, i;

	(void)state;
	rng_init(&rng, support_seed(), "missing");
	for (round = 0; round < 400; round++) {
		fill(&a, &na, &rng, rng_below(&rng, 101));
		fill(&b, &nb, &rng, 60 + rng_below(&rng, 41));
		for (i = 0; i < 50; i++) {
			from = rng_below(&rng, KEYS);
			for (k = from; k < KEYS; k++)
				if (na.has[k] && !nb.has[k])
					break;
			assert_int_equal(
			    seqmap_first_missing(&a, &b, from, &key), k < KEYS);
			if (k < KEYS)
				assert_int_equal(key, k);
		}
		seqmap_fini(&a);
		seqmap_fini(&b);
	}
}

/* A week of messages in order is one entry, whatever gets through late. */
static void
test_memory(void **state)
{
	struct seqmap m;
	uint64_t k;

	(void)state;
	seqmap_init(&m);
	for (k = 1; k <= 1000000; k++)
		if (k % 100000 != 0)
			assert_int_equal(seqmap_add(&m, k, k + 5), 0);
	assert_int_equal(m.n, 10);
	for (k = 100000; k <= 1000000; k += 100000)
		assert_int_equal(seqmap_add(&m, k, k + 5), 0);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.count, 1000000);
	seqmap_fini(&m);
}

/* What is newest stays, whatever is unevenly laid. */
static void
test_trim(void **state)
{
	uint64_t k, v, gone, lowest = 1;
	struct seqmap m;

	(void)state;
	seqmap_init(&m);
	assert_int_equal(seqmap_trim(&m, 0), 0);
	for (k = 1; k <= 100000; k++) {
		assert_int_equal(seqmap_add(&m, 3 * k, k), 0);
		assert_int_equal(seqmap_add(&m, 3 * k + 1, k + 1), 0);
		gone = seqmap_trim(&m, 100);
		if (gone != 0)
			lowest = gone / 3 + 1;
		assert_true(m.n <= 100);
		assert_int_equal(m.count, 2 * (k - lowest + 1));
		assert_int_equal(seqmap_find(&m, 3 * lowest - 2, &v), false);
		assert_true(seqmap_find(&m, 3 * lowest, &v));
		assert_int_equal(v, lowest);
	}
	assert_true(lowest > 100000 - 101);
	assert_true(m.room <= 256);
	seqmap_fini(&m);
}

/* Ranges that overlap, touch and hold each other, against a plain set. */
static void
test_cover(void **state)
{
	bool set[401] = {false};
	uint64_t first, last, k, v, n, low, high;
	struct seqmap_part part;
	struct seqmap m;
	struct rng rng;
	unsigned i;

	(void)state;
	seqmap_init(&m);
	rng_init(&rng, 3, "cover");
	for (i = 0; i < 400; i++) {
		first = 1 + rng_below(&rng, 390);
		last = first + rng_below(&rng, 8) - 1;
		assert_int_equal(seqmap_cover(&m, first, last), 0);
		for (k = first; k <= last; k++)
			set[k] = true;
		first = 1 + rng_below(&rng, 400);
		last = first + rng_below(&rng, 401 - first);
		part = seqmap_between(&m, first, last);
		for (n = low = high = 0, k = first; k <= last; k++) {
			assert_int_equal(seqmap_find(&m, k, &v), set[k]);
			n += set[k];
			low = low == 0 && set[k] ? k : low;
			high = set[k] ? k : high;
		}
		assert_int_equal(part.count, n);
		assert_int_equal(part.low, low);
		assert_int_equal(part.high, high);
		for (n = 0, k = 1; k <= 400; k++)
			n += set[k];
		assert_int_equal(m.count, n);
	}
	assert_int_equal(seqmap_cover(&m, 1, UINT64_MAX - 1), 0);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.count, UINT64_MAX - 1);
	seqmap_fini(&m);
}

static void
test_empty(void **state)
{
	struct seqmap a, b;
	uint64_t v;

	(void)state;
	seqmap_init(&a);
	seqmap_init(&b);
	assert_false(seqmap_find(&a, 0, &v));
	assert_false(seqmap_find_value(&a, 0, &v));
	assert_false(seqmap_first_missing(&a, &b, 0, &v));
	assert_int_equal(seqmap_last(&a), 0);
	assert_int_equal(seqmap_add(&a, 0, 9), 0);
	assert_true(seqmap_first_missing(&a, &b, 0, &v));
	assert_int_equal(v, 0);
	seqmap_fini(&a);
	seqmap_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_first_missing),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_cover),
	    cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
