/* SPDX-License-Identifier: ISC */
/* consumer-churn: what consumers are asked to be, and what servers make of it.
 */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/consumer_churn/consumer_churn.h"

#define DRAWS 2000

struct bench {
	struct worker *w;
	struct churn_options options;
	struct churn_life life;
	char config[CHURN_CONFIG_MAX];
};

static void
bench_init(struct bench *b, enum churn_level level)
{
	struct churn *s = calloc(1, sizeof(*s));

	memset(b, 0, sizeof(*b));
	b->w = calloc(1, sizeof(*b->w));
	assert_non_null(s);
	assert_non_null(b->w);
	b->options.streams = 1;
	b->options.subjects = 10;
	b->options.refilter = true;
	b->w->state = s;
	b->w->options = &b->options;
	b->w->config.replicas = 3;
	rng_init(&s->rng, support_seed(), "churn");
	s->streams[0].level = level;
	s->streams[0].last = 1000;
	s->streams[0].stamp_ns = INT64_C(1767225600123456789);
	text_set(b->life.name, sizeof(b->life.name), "c1");
	text_set(b->life.inbox, sizeof(b->life.inbox), "_INBOX.x");
}

static void
bench_fini(struct bench *b)
{
	free(b->w->state);
	free(b->w);
}

/* As the API would have it. */
static cJSON *
written(struct bench *b, const struct msg_consumer_terms *c)
{
	cJSON *tree;

	churn_terms_write(b->w, &b->life, c, 7, b->config);
	tree = json_parse(b->config, strlen(b->config), 4);
	assert_non_null(tree);
	return tree;
}

static size_t
filters_of(const cJSON *config)
{
	if (json_get(config, "filter_subject") != NULL)
		return 1;
	return (size_t)cJSON_GetArraySize(json_get(config, "filter_subjects"));
}

static void
check_terms(struct bench *b, const struct msg_consumer_terms *c)
{
	const struct churn *s = b->w->state;
	cJSON *tree = written(b, c);

	assert_int_equal(filters_of(tree), c->filters);
	assert_true(c->subjects < UINT64_C(1) << b->options.subjects);
	assert_true(c->subjects == 0 ||
		    c->filters == (uint32_t)__builtin_popcountll(c->subjects));
	/* What servers refuse. */
	assert_true(c->policy != POLICY_LAST_PER_SUBJECT || c->filters > 0);
	assert_true(c->policy != POLICY_BY_SEQ || c->start_seq > 0);
	assert_true(c->policy != POLICY_BY_TIME || c->start_ns != 0);
	assert_true(c->kind == KIND_PUSH ||
		    (c->acks != ACK_POLICY_NONE && c->group[0] == '\0'));
	assert_true(c->backoff_ns == 0 || c->backoff_ns == c->ack_wait_ns);
	assert_true(c->backoff_ns == 0 || c->max_deliver == 0 ||
		    c->max_deliver > (uint64_t)cJSON_GetArraySize(
					 json_get(tree, "backoff")));
	assert_true(c->replicas == 1 || c->replicas == 3);
	assert_true(s->streams[0].level >= CHURN_2_10 || c->filters <= 1);
	assert_int_equal(json_get(tree, "metadata") != NULL,
	    s->streams[0].level >= CHURN_2_10);
	assert_int_equal(
	    json_get(tree, "deliver_subject") != NULL, c->kind == KIND_PUSH);
	assert_int_equal(json_get(tree, "durable_name") != NULL, c->is_durable);
	assert_true(json_count(tree, "ack_wait") == c->ack_wait_ns);
	assert_true(json_count(tree, "opt_start_seq") ==
		    (c->policy == POLICY_BY_SEQ ? c->start_seq : 0));
	assert_true(
	    request_time(json_text(tree, "opt_start_time")) == c->start_ns);
	cJSON_Delete(tree);
}

/* A change of one leaves alone what can't be changed. */
static void
check_change(struct bench *b, const struct msg_consumer_terms *c)
{
	struct msg_consumer_terms changed = *c;

	churn_terms_vary(b->w, &changed);
	check_terms(b, &changed);
	assert_int_equal(changed.kind, c->kind);
	assert_int_equal(changed.acks, c->acks);
	assert_int_equal(changed.policy, c->policy);
	assert_true(changed.start_seq == c->start_seq);
	assert_int_equal(changed.is_durable, c->is_durable);
	changed = *c;
	churn_terms_spoil(&changed);
	assert_int_not_equal(changed.policy, c->policy);
}

static void
test_terms(void **state)
{
	static const enum churn_level levels[] = {
	    CHURN_2_9, CHURN_2_10, CHURN_2_11};
	unsigned policies = 0, several = 0, i, k;
	struct msg_consumer_terms c;
	struct bench b;

	(void)state;
	for (k = 0; k < 3; k++) {
		bench_init(&b, levels[k]);
		for (i = 0; i < DRAWS; i++) {
			memset(&c, 0, sizeof(c));
			churn_terms_draw(b.w, &c);
			check_terms(&b, &c);
			check_change(&b, &c);
			policies |= 1U << c.policy;
			several += c.filters > 1;
		}
		bench_fini(&b);
	}
	assert_int_equal(policies, 0x3f); /* each of the six */
	assert_true(several > DRAWS / 20);
}

/* What a server says is as asked for, whatever it adds of its own. */
static void
test_alike(void **state)
{
	char differs[CHURN_DIFFERS_MAX];
	struct msg_consumer_terms c;
	struct bench b;
	cJSON *said;
	unsigned i;

	(void)state;
	bench_init(&b, CHURN_2_11);
	for (i = 0; i < DRAWS; i++) {
		memset(&c, 0, sizeof(c));
		churn_terms_draw(b.w, &c);
		said = written(&b, &c);
		json_put_number(said, "max_waiting", 512);
		json_put_text(json_get(said, "metadata"), "_nats.level", "1");
		if (c.policy == POLICY_BY_TIME)
			json_set_text(said, "opt_start_time",
			    "2026-01-01T00:00:00.123456789Z");
		assert_false(churn_terms_differ(b.config, said, differs));
		assert_string_equal(differs, "");
		cJSON_Delete(said);
	}
	bench_fini(&b);
}

/* Each member that is another, or is not there, is named. */
static void
test_differ(void **state)
{
	static const char asked[] =
	    "{\"name\":\"c1\",\"ack_wait\":1000,\"max_deliver\":-1,"
	    "\"mem_storage\":true,\"filter_subjects\":[\"a\",\"b\"],"
	    "\"opt_start_time\":\"2026-01-01T00:00:00.500000000Z\","
	    "\"metadata\":{\"revision\":\"1\"}}";
	static const char rest[] =
	    "\"opt_start_time\":\"2026-01-01T00:00:00.5Z\"";
	static const struct {
		const char *said, *differs;
	} rows[] = {
	    {"{\"name\":\"c1\",\"ack_wait\":1000,\"max_deliver\":-1,"
	     "\"mem_storage\":true,\"filter_subjects\":[\"a\",\"b\"],"
	     "\"metadata\":{\"revision\":\"1\",\"x\":\"y\"},%s}",
		""},
	    {"{\"name\":\"c1\",\"ack_wait\":2000,\"max_deliver\":-1,"
	     "\"filter_subjects\":[\"a\",\"b\"],"
	     "\"metadata\":{\"revision\":\"1\"},%s}",
		"ack_wait mem_storage"},
	    {"{\"name\":\"c1\",\"ack_wait\":1000,\"max_deliver\":5,"
	     "\"mem_storage\":true,\"filter_subjects\":[\"a\",\"c\"],"
	     "\"metadata\":{\"revision\":\"2\"},%s}",
		"max_deliver filter_subjects metadata"},
	    {"{\"name\":\"c1\",\"ack_wait\":1000,\"max_deliver\":-1,"
	     "\"mem_storage\":true,\"filter_subject\":\"a\",%s}",
		"filter_subjects metadata filter_subject"},
	};
	char asked_of[CHURN_CONFIG_MAX], differs[CHURN_DIFFERS_MAX], said[512];
	const char *mark;
	cJSON *tree;
	size_t i;

	(void)state;
	text_set(asked_of, sizeof(asked_of), asked);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mark = strstr(rows[i].said, "%s");
		text_set(said, (size_t)(mark - rows[i].said) + 1, rows[i].said);
		text_add(said, sizeof(said), "%s}", rest);
		tree = json_parse(said, strlen(said), 4);
		assert_non_null(tree);
		assert_int_equal(churn_terms_differ(asked_of, tree, differs),
		    rows[i].differs[0] != '\0');
		assert_string_equal(differs, rows[i].differs);
		cJSON_Delete(tree);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_terms),
	    cmocka_unit_test(test_alike),
	    cmocka_unit_test(test_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
