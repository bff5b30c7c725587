/* SPDX-License-Identifier: ISC */
/* stream-store: which operations are done how often, and what is drawn. */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/option.h"
#include "worker/workloads/stream_store/stream_store.h"

#define SEEDS 200

static uint64_t
weight_of(const uint64_t *weights, const char *name)
{
	size_t i;

	for (i = 0; i < store_operate.nrows; i++)
		if (strcmp(store_operate.rows[i].name, name) == 0)
			return weights[i];
	fail_msg("no operation \"%s\"", name);
	return 0;
}

static void
test_weights(void **state)
{
	uint64_t weights[OPERATE_ROWS_MAX], sum = 0;
	char why[OPTION_WHY_MAX];
	size_t i;

	(void)state;
	assert_int_equal(
	    operate_weights_read(&store_operate, "", weights, why), 0);
	for (i = 0; i < store_operate.nrows; i++)
		assert_int_equal(weights[i], store_operate.rows[i].weight);
	assert_int_equal(operate_weights_read(&store_operate,
			     "publish:60,delete:8,get:0", weights, why),
	    0);
	assert_int_equal(weight_of(weights, "publish"), 60);
	assert_int_equal(weight_of(weights, "delete"), 8);
	for (i = 0; i < OPERATE_ROWS_MAX; i++)
		sum += weights[i];
	assert_int_equal(sum, 68);
}

static void
test_bad_weights(void **state)
{
	static const char *const bad[] = {"publish", "publish:", "publish:x",
	    "publish:1001", "publish:-1", "none:3", "publish:1,,delete:1",
	    "publish:0", ":1", "publish:1,Delete:2"};
	uint64_t weights[OPERATE_ROWS_MAX];
	char why[OPTION_WHY_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		if (operate_weights_read(
			&store_operate, bad[i], weights, why) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
		assert_non_null(strstr(why, "-o stream-store.weights"));
		assert_non_null(strstr(why, "purge-keep"));
	}
	assert_int_equal(operate_weights_read(
			     &store_operate, "publish:1,none:3", weights, why),
	    -EINVAL);
	assert_non_null(strstr(why, "\"none:3\""));
}

/* What is picked has a weight, and all that has one is. */
static void
test_pick(void **state)
{
	uint64_t weights[OPERATE_ROWS_MAX], seen[OPERATE_ROWS_MAX] = {0};
	char why[OPTION_WHY_MAX];
	struct rng r;
	size_t i;

	(void)state;
	rng_init(&r, support_seed(), "pick");
	assert_int_equal(operate_weights_read(
			     &store_operate, "delete:1,state:3", weights, why),
	    0);
	for (i = 0; i < 1000; i++)
		seen[operate_weights_pick(&store_operate, &r, weights, 4) -
		     store_operate.rows]++;
	assert_true(weight_of(seen, "delete") > 100);
	assert_true(weight_of(seen, "state") > 500);
	assert_int_equal(
	    weight_of(seen, "delete") + weight_of(seen, "state"), 1000);
}

static void
worker_make(struct worker *w, struct store_options *o)
{
	memset(w, 0, sizeof(*w));
	memset(o, 0, sizeof(*o));
	config_init(&w->config);
	w->config.run = 0xabc;
	o->streams = 8;
	o->subjects = 16;
	o->size[0] = 40;
	o->size[1] = 65000;
	w->options = o;
}

static void
check_config(const struct worker *w, uint32_t i, const struct store_config *c)
{
	const struct operate_limits *l = &c->limits;
	char text[OPERATE_TEXT_MAX];
	cJSON *tree;

	assert_int_equal(c->is_unbounded, i % 4 == 3);
	assert_int_equal(c->discard_new, i % 4 == 2);
	assert_true(i % 4 != 0 ||
		    (l->messages | l->bytes | l->age_ns | l->per_subject) == 0);
	assert_true(i % 4 != 1 || l->messages != 0 || l->bytes != 0);
	/* What servers refuse. */
	assert_true(l->age_ns == 0 || c->dedupe_ns <= l->age_ns);
	assert_true(!c->new_per_subject || l->per_subject != 0);
	assert_false(c->allow_rollup && c->deny_purge);
	assert_true(c->marker_ns == 0 || (c->allow_ttl && c->allow_rollup));
	store_config_write(w, i, c, l, text);
	tree = json_parse(text, strlen(text), 4);
	assert_non_null(tree);
	assert_true(json_number(tree, "max_bytes") ==
		    (l->bytes != 0 ? (double)l->bytes : -1));
	assert_int_equal(json_count(tree, "first_seq"), c->first_seq);
	assert_int_equal(json_is_true(tree, "deny_purge"), c->deny_purge);
	cJSON_Delete(tree);
}

/* A seed draws the same each time, seeds differ, and servers take it. */
static void
test_configs(void **state)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct store_config c, again, other;
	struct store_options o;
	unsigned seed, differ = 0;
	uint32_t i;

	(void)state;
	assert_non_null(w);
	worker_make(w, &o);
	for (seed = 1; seed <= SEEDS; seed++) {
		for (i = 0; i < o.streams; i++) {
			w->config.seed = seed;
			store_config_draw(w, i, &c);
			store_config_draw(w, i, &again);
			assert_memory_equal(&c, &again, sizeof(c));
			check_config(w, i, &c);
			w->config.seed = seed + 1;
			store_config_draw(w, i, &other);
			differ += memcmp(&c, &other, sizeof(c)) != 0;
		}
	}
	assert_true(differ > SEEDS * 7);
	free(w);
}

/* Limits that there are stay, and stay what servers take. */
static void
test_limits(void **state)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct store_options o;
	struct store_config c;
	struct operate_limits l;
	struct rng r;
	unsigned n;

	(void)state;
	assert_non_null(w);
	worker_make(w, &o);
	rng_init(&r, support_seed(), "limits");
	for (n = 0; n < SEEDS * 8; n++) {
		w->config.seed = n;
		store_config_draw(w, n % 8, &c);
		store_limits_draw(&r, &c, &l);
		assert_int_equal(l.messages != 0, c.limits.messages != 0);
		assert_int_equal(l.bytes != 0, c.limits.bytes != 0);
		assert_int_equal(l.per_subject != 0, c.limits.per_subject != 0);
		assert_int_equal(l.age_ns != 0, c.limits.age_ns != 0);
		assert_true(l.age_ns == 0 || c.dedupe_ns <= l.age_ns);
		assert_true(l.messages <= 2 * c.limits.messages);
	}
	free(w);
}

static void
test_subjects(void **state)
{
	struct worker *w = calloc(1, sizeof(*w));
	char subject[OPERATE_SUBJECT_MAX];
	struct store_options o;
	uint32_t n;

	(void)state;
	assert_non_null(w);
	worker_make(w, &o);
	for (n = 1; n <= 16; n++) {
		operate_subject(w, 3, n, subject);
		assert_int_equal(store_subject_read(w, 3, subject), n);
		assert_int_equal(store_subject_read(w, 4, subject), 0);
	}
	operate_subject(w, 3, 17, subject);
	assert_int_equal(store_subject_read(w, 3, subject), 0);
	assert_int_equal(store_subject_read(w, 3, "k"), 0);
	assert_int_equal(store_subject_read(w, 3, ""), 0);
	assert_int_equal(store_subject_read(w, 3, "nb.abc.s3.k0"), 0);
	assert_int_equal(store_subject_read(w, 3, "nb.abc.s3.k01"), 0);
	free(w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_weights),
	    cmocka_unit_test(test_bad_weights),
	    cmocka_unit_test(test_pick),
	    cmocka_unit_test(test_configs),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_subjects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
