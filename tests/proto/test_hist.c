/* SPDX-License-Identifier: ISC */
/* hist: quantiles within 3 % of the truth, over all 64 bits. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/hist.h"

#define SAMPLES 10000

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
test_empty(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));

	(void)state;
	assert_non_null(h);
	assert_true(hist_quantile(h, 0.99) == 0);
	free(h);
}

static void
test_small_values_are_exact(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));
	uint64_t v;

	(void)state;
	assert_non_null(h);
	for (v = 0; v < 32; v++)
		hist_add(h, v);
	assert_true(hist_quantile(h, 0.5) == 15);
	assert_true(hist_quantile(h, 1.0) == 31);
	assert_true(h->max == 31);
	free(h);
}

/* "The value that fraction of the samples do not exceed": rounded up. */
static void
test_two_samples(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));

	(void)state;
	assert_non_null(h);
	hist_add(h, 1);
	hist_add(h, 20);
	assert_true(hist_quantile(h, 0.5) == 1);
	assert_true(hist_quantile(h, 0.99) == 20);
	free(h);
}

static void
test_extremes(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));

	(void)state;
	assert_non_null(h);
	hist_add(h, UINT64_MAX);
	assert_true(hist_quantile(h, 0.5) == UINT64_MAX);
	hist_add(h, 0);
	assert_true(hist_quantile(h, 0.5) == 0);
	free(h);
}

static void
test_random(void **state)
{
	static const double fractions[] = {0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
	uint64_t *v = calloc(SAMPLES, sizeof(*v)), truth, got;
	struct hist *h = calloc(1, sizeof(*h));
	struct rng rng;
	size_t i;

	(void)state;
	assert_non_null(v);
	assert_non_null(h);
	rng_init(&rng, support_seed(), "hist");
	for (i = 0; i < SAMPLES; i++) {
		v[i] = rng_next(&rng);
		v[i] >>= rng_below(&rng, 64);
		hist_add(h, v[i]);
	}
	qsort(v, SAMPLES, sizeof(*v), compare);
	for (i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
		truth = v[(size_t)(fractions[i] * SAMPLES) - 1];
		got = hist_quantile(h, fractions[i]);
		assert_true(got >= truth && got - truth <= truth / 31 + 1);
	}
	free(h);
	free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_small_values_are_exact),
	    cmocka_unit_test(test_two_samples),
	    cmocka_unit_test(test_extremes),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
