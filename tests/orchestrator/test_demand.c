/* SPDX-License-Identifier: ISC */
/* A report.json is believed when it is one, and does not contradict itself. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator/many/demand.h"
#include "orchestrator/many/shards.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define TEXT_MAX 4096

static const char base[] =
    "{\"schema\":1,\"natsburn\":\"1\",\"verdict\":\"pass\",\"exit_code\":0,"
    "\"finished\":true,\"test\":\"liar\",\"mayhem\":[\"none\"],\"seed\":7,"
    "\"started\":\"2026-01-01T00:00:00Z\",\"command\":\"natsburn run liar\","
    "\"cluster\":\"null\",\"replicas\":3,\"storage\":\"file\","
    "\"client_library\":\"x\",\"duration_s\":1.5,\"total_s\":2,"
    "\"rounds\":9,\"reasons\":[],\"servers\":[],\"counts\":{\"x\":1},"
    "\"latency_ms\":{},\"longest_stall_ms\":0,\"faults\":[],"
    "\"anomalies\":[],\"checks\":[],\"phases\":[],\"stalls\":[],"
    "\"stalls_seen\":0,\"stalled_s\":0,\"workers\":[],\"options\":{},"
    "\"harness\":{}}";

/* What stands there, and what stands there instead. */
static const char *const foreign[][2] = {
    {"\"schema\":1", "\"schema\":99"},
    {"\"schema\":1", "\"schema\":\"1\""},
    {"\"schema\":1,", ""},
    {"\"verdict\":\"pass\"", "\"verdict\":\"fail\""},
    {"\"verdict\":\"pass\"", "\"verdict\":\"inconclusive\""},
    {"\"verdict\":\"pass\"", "\"verdict\":\"skipped\""},
    {"\"verdict\":\"pass\"", "\"verdict\":\"splendid\""},
    {"\"verdict\":\"pass\"", "\"verdict\":0"},
    {"\"exit_code\":0", "\"exit_code\":1"},
    {"\"exit_code\":0", "\"exit_code\":0.4"},
    {"\"exit_code\":0", "\"exit_code\":-0.4"},
    {"\"exit_code\":0", "\"exit_code\":\"0\""},
    {"\"exit_code\":0", "\"exit_code\":4294967296"},
    {"\"exit_code\":0", "\"exit_code\":1e999"},
    {"\"exit_code\":0", "\"exit_code\":0,\"exit_code\":1"},
    {"\"finished\":true,", ""},
    {"\"finished\":true", "\"finished\":\"false\""},
    {"\"finished\":true", "\"finished\":true,\"finished\":false"},
    {"\"test\":\"liar\",", ""},
    {"\"test\":\"liar\"", "\"test\":[]"},
    {"\"mayhem\":[\"none\"]", "\"mayhem\":[1]"},
    {"\"mayhem\":[\"none\"]", "\"mayhem\":\"none\""},
    {"\"seed\":7", "\"seed\":{}"},
    {"\"started\":\"2026-01-01T00:00:00Z\"", "\"started\":5"},
    {"\"duration_s\":1.5", "\"duration_s\":-1"},
    {"\"rounds\":9", "\"rounds\":9.5"},
    {"\"reasons\":[]", "\"reasons\":[{}]"},
    {"\"servers\":[]", "\"servers\":[1]"},
    {"\"counts\":{\"x\":1}", "\"counts\":[1,2,3]"},
    {"\"latency_ms\":{}", "\"latency_ms\":7"},
    {"\"faults\":[]", "\"faults\":{}"},
    {"\"anomalies\":[]", "\"anomalies\":[\"a\"]"},
    {"\"anomalies\":[]",
	"\"anomalies\":[{\"kind\":\"lost\",\"class\":\"violation\"}]"},
    {"\"checks\":[]", "\"checks\":[[]]"},
    {"\"phases\":[]", "\"phases\":null"},
    {"\"stalls\":[]", "\"stalls\":[3]"},
    {"\"workers\":[]", "\"workers\":{\"a\":1}"},
    {"\"options\":{}", "\"options\":[\"a\"]"},
    {"\"harness\":{}", "\"harness\":[1]"},
    {"\"verdict\":\"pass\",\"exit_code\":0",
	"\"verdict\":\"fail\",\"exit_code\":1"},
    {base, "{\"exit_code\":0,\"verdict\":\"pass\"}"},
    {base, "[]"},
};

static cJSON *
changed(const char *from, const char *to)
{
	char text[TEXT_MAX] = "";
	const char *at = strstr(base, from);

	assert_non_null(at);
	assert_true(text_fits_add(text, sizeof(text), "%.*s%s%s",
	    (int)(at - base), base, to, at + strlen(from)));
	return json_parse(text, strlen(text), 64);
}

static void
test_foreign(void **state)
{
	char why[DEMAND_WHY_MAX];
	cJSON *report;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		report = changed(foreign[i][0], foreign[i][1]);
		assert_non_null(report);
		if (demand_report(report, why))
			fail_msg("%s is believed", foreign[i][1]);
		assert_string_not_equal(why, "");
		cJSON_Delete(report);
	}
}

static void
test_own(void **state)
{
	static const char *const own[][2] = {
	    {base, base},
	    {"\"verdict\":\"pass\",\"exit_code\":0",
		"\"verdict\":\"inconclusive\",\"exit_code\":70"},
	    {"\"verdict\":\"pass\",\"exit_code\":0",
		"\"verdict\":\"skipped\",\"exit_code\":3"},
	    {"\"anomalies\":[]", "\"anomalies\":[{\"class\":\"warning\"}]"},
	    {"\"seed\":7", "\"seed\":7,\"of_later\":[1]"},
	    {"\"finished\":true", "\"finished\":false"},
	};
	char why[DEMAND_WHY_MAX];
	cJSON *report;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		report = changed(own[i][0], own[i][1]);
		if (!demand_report(report, why))
			fail_msg("%s: %s", own[i][1], why);
		assert_string_equal(why, "");
		cJSON_Delete(report);
	}
}

/* One shard says a number where another has an object. */
static void
test_shapes_differ(void **state)
{
	cJSON *one = changed(base, base),
	      *other = changed("\"x\":1}", "\"x\":{\"y\":1}}");
	struct shards s;
	char why[256];

	(void)state;
	assert_int_equal(shards_init(&s), 0);
	assert_int_equal(shards_add(&s, "a", one, why, sizeof(why)), 0);
	json_set_number(other, "seed", 8);
	assert_int_equal(shards_add(&s, "b", other, why, sizeof(why)), 0);
	assert_int_equal(shards_finish(&s, "natsburn report --merge a b"), 0);
	shards_fini(&s);
	cJSON_Delete(one);
	cJSON_Delete(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_shapes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
