/* SPDX-License-Identifier: ISC */
/* kv-store: what is drawn of buckets, and how keys and filters are named. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "worker/workloads/kv_store/kv_store.h"

#define SEEDS 200
#define KEYS  20

static struct worker *
worker_make(struct bucket_options *o)
{
	struct worker *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	config_init(&w->config);
	w->config.run = 0xabc;
	o->buckets = 8;
	o->keys = KEYS;
	o->size[0] = 40;
	o->size[1] = 16000;
	w->options = o;
	return w;
}

static void
check_config(const struct worker *w, uint32_t i, const struct bucket_config *c)
{
	char text[OPERATE_TEXT_MAX];
	cJSON *tree;

	assert_true(c->history >= 1 && c->history <= 64);
	assert_int_equal(c->history == 1, i % 4 == 0);
	assert_int_equal(c->age_ns != 0, i % 4 == 1);
	assert_int_equal(c->bytes != 0, i % 4 == 2);
	assert_int_equal(c->is_unbounded, i % 4 == 3);
	/* What servers refuse. */
	assert_true(c->age_ns == 0 || c->dedupe_ns <= c->age_ns);
	bucket_config_write(w, i, c, text);
	tree = json_parse(text, strlen(text), 4);
	assert_non_null(tree);
	assert_true(json_number(tree, "max_bytes") ==
		    (c->bytes != 0 ? (double)c->bytes : -1));
	assert_int_equal(json_count(tree, "max_msgs_per_subject"), c->history);
	assert_true(json_is_true(tree, "deny_delete"));
	assert_true(json_is_true(tree, "allow_rollup_hdrs"));
	assert_int_equal(json_is_true(tree, "allow_msg_ttl"), c->allow_ttl);
	assert_int_equal(
	    json_count(tree, "subject_delete_marker_ttl"), c->marker_ns);
	assert_true(c->marker_ns == 0 || c->allow_ttl);
	cJSON_Delete(tree);
}

/* A seed draws the same each time, seeds differ, and servers take it. */
static void
test_configs(void **state)
{
	struct bucket_options o;
	struct worker *w = worker_make(&o);
	struct bucket_config c, again, other;
	unsigned seed, differ = 0;
	uint32_t i;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		for (i = 0; i < o.buckets; i++) {
			w->config.seed = seed;
			bucket_config_draw(w, i, &c);
			bucket_config_draw(w, i, &again);
			assert_memory_equal(&c, &again, sizeof(c));
			check_config(w, i, &c);
			w->config.seed = seed + 1;
			bucket_config_draw(w, i, &other);
			differ += memcmp(&c, &other, sizeof(c)) != 0;
		}
	}
	assert_true(differ > SEEDS * 4);
	free(w);
}

static void
test_keys(void **state)
{
	static const struct {
		uint32_t first, last;
		const char *filter;
	} rows[] = {
	    {1, KEYS, "$KV.NB_ABC_b3.>"},
	    {1, 8, "$KV.NB_ABC_b3.g0.>"},
	    {9, 16, "$KV.NB_ABC_b3.g1.>"},
	    {17, KEYS, "$KV.NB_ABC_b3.g2.>"},
	    {17, 17, "$KV.NB_ABC_b3.g2.k17"},
	};
	struct bucket_options o;
	struct worker *w = worker_make(&o);
	char key[OPERATE_SUBJECT_MAX], name[80];
	struct watch t = {.how = WATCH_ALL};
	uint32_t n;
	size_t i;

	(void)state;
	bucket_name(w, 3, name);
	assert_string_equal(name, "KV_NB_ABC_b3");
	for (n = 1; n <= KEYS; n++) {
		bucket_key(w, 3, n, key);
		assert_int_equal(bucket_key_read(w, 3, key), n);
		assert_int_equal(bucket_key_read(w, 4, key), 0);
	}
	bucket_key(w, 3, KEYS + 1, key);
	assert_int_equal(bucket_key_read(w, 3, key), 0);
	assert_int_equal(bucket_key_read(w, 3, ""), 0);
	assert_int_equal(bucket_key_read(w, 3, "$KV.NB_ABC_b3.g0.k0"), 0);
	assert_int_equal(bucket_key_read(w, 3, "$KV.NB_ABC_b3.g1.k1"), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t.first = rows[i].first;
		t.last = rows[i].last;
		bucket_filter(w, 3, &t, key);
		assert_string_equal(key, rows[i].filter);
	}
	free(w);
}

/* Each row of the table is drawn, and is what it says. */
static void
test_rows(void **state)
{
	struct bucket_options o;
	struct worker *w = worker_make(&o);
	struct bucket_config configs[4] = {{0}};
	struct bucket_state *s = calloc(1, sizeof(*s));
	struct operation op;
	unsigned drawn = 0, n;
	size_t i;

	(void)state;
	assert_non_null(s);
	w->state = s;
	rng_init(&s->operate.rng, support_seed(), "rows");
	s->operate.ops = &bucket_operate;
	s->operate.streams = calloc(4, sizeof(*s->operate.streams));
	assert_non_null(s->operate.streams);
	s->configs = configs;
	for (i = 0; i < bucket_operate.nrows; i++) {
		for (n = 0; n < 100; n++) {
			configs[0].marker_ns = n % 2 * CLOCK_S;
			/* Without a lifetime, all, or a bound no such row. */
			if (!operate_draw(w, &bucket_operate.rows[i], 0, &op))
				continue;
			drawn++;
			assert_true(op.ttl_ns <= 5 * configs[0].marker_ns);
			assert_int_equal(op.keep, 0);
			assert_true(op.subject <= KEYS);
			assert_int_equal(op.rolls != ROLLS_NOTHING,
			    op.marks != NULL && strcmp(op.marks, "PURGE") == 0);
			assert_true(op.size == 0 || op.marks == NULL);
		}
	}
	assert_true(drawn > 700);
	free(s->operate.streams);
	free(s);
	free(w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_configs),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
