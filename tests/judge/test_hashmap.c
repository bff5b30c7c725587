/* SPDX-License-Identifier: ISC */
/* The map from numbers to values: growing, removal, limits, shrinking. */
#include "orchestrator/judge/hashmap.h"
#include "proto/base/rng.h"
#include "tests/support.h"

struct value {
	uint64_t key, twice;
};

static struct hashmap map;

static void
fill(uint64_t first, uint64_t last)
{
	struct value *v;
	uint64_t k;

	for (k = first; k <= last; k++) {
		v = hashmap_add(&map, k);
		assert_non_null(v);
		assert_int_equal(v->key, k);
		assert_int_equal(v->twice, 0);
		v->twice = 2 * k;
	}
}

static int
setup(void **state)
{
	(void)state;
	hashmap_init(&map, sizeof(struct value), 1000000);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	hashmap_fini(&map);
	return 0;
}

static void
test_empty(void **state)
{
	size_t at = 0;

	(void)state;
	assert_null(hashmap_find(&map, 1));
	assert_null(hashmap_next(&map, &at));
	assert_int_equal(hashmap_shrink(&map), 0);
	assert_int_equal(map.room, 0);
	fill(1, 1);
	assert_null(hashmap_find(&map, 0)); /* no key, but a free slot's */
}

/* Random additions and removals beside a plain array. */
static void
test_random(void **state)
{
	bool there[700] = {false};
	struct value *v;
	struct rng rng;
	uint64_t i, k;
	size_t n = 0;

	(void)state;
	rng_init(&rng, support_seed(), "hashmap");
	for (i = 0; i < 300000; i++) {
		/* neighbours, and far apart from them numbers as of sources */
		k = 1 + rng_below(&rng, 699);
		v = hashmap_find(&map, k << (k % 3 * 20));
		assert_int_equal(v != NULL, there[k]);
		if (v != NULL) {
			assert_int_equal(v->twice, 2 * k);
			hashmap_remove(&map, v);
			n--;
		} else {
			v = hashmap_add(&map, k << (k % 3 * 20));
			assert_non_null(v);
			assert_int_equal(v->twice, 0);
			v->twice = 2 * k;
			n++;
		}
		there[k] = !there[k];
		assert_int_equal(map.n, n);
	}
	assert_true(map.room <= 2048);
}

static void
test_max(void **state)
{
	(void)state;
	map.max = 100;
	fill(1, 100);
	assert_null(hashmap_add(&map, 101));
	assert_null(hashmap_find(&map, 101));
	hashmap_remove(&map, hashmap_find(&map, 50));
	assert_non_null(hashmap_add(&map, 101));
	assert_int_equal(map.n, 100);
}

/* Removing on the way: nothing is missed, what was removed never comes. */
static void
test_next(void **state)
{
	enum {
		N = 5000
	};
	static unsigned seen[N + 1];
	struct value *v;
	size_t at = 0;
	uint64_t k;

	(void)state;
	fill(1, N);
	while ((v = hashmap_next(&map, &at)) != NULL) {
		assert_in_range(v->key, 1, N);
		seen[v->key]++;
		if (v->key % 3 == 0) {
			assert_int_equal(seen[v->key], 1);
			hashmap_remove(&map, v);
			at--;
		}
	}
	for (k = 1; k <= N; k++) {
		assert_true(seen[k] >= 1);
		assert_int_equal(hashmap_find(&map, k) == NULL, k % 3 == 0);
	}
	assert_int_equal(map.n, N - N / 3);
}

static void
test_shrink(void **state)
{
	enum {
		N = 100000
	};
	uint64_t k;
	unsigned i;

	(void)state;
	fill(1, N);
	assert_int_equal(hashmap_shrink(&map), 0);
	assert_true(map.room >= 2 * N); /* it is half full */
	for (k = 1; k <= N; k++)
		if (k % 1000 != 0)
			hashmap_remove(&map, hashmap_find(&map, k));
	for (i = 0; i < 10; i++)
		assert_int_equal(hashmap_shrink(&map), 0);
	assert_int_equal(map.room, 16384);
	for (k = 1; k <= N; k++)
		assert_int_equal(hashmap_find(&map, k) != NULL, k % 1000 == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_max, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_next, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_shrink, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
