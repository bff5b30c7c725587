/* SPDX-License-Identifier: ISC */
/* Hunts over time: what is entered, in whose place, and what is shown. */
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/many/trend.h"
#include "proto/base/file.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"
#include "proto/json.h"

static char dir[SUPPORT_PATH_MAX];

static int
set_up(void **state)
{
	(void)state;
	support_dir_make(dir);
	usage_be_silent(true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	support_dir_remove(dir);
	return 0;
}

/* Two runs on one version met it, one on another didn't. */
static cJSON *
hunt_of(unsigned seed, const char *signature)
{
	char text[1024];
	cJSON *tree;

	text_format(text, sizeof(text),
	    "{\"seed\": %u, \"started\": \"2026-01-02\", \"elapsed_s\": 60,"
	    " \"exit_code\": 1, \"runs\": ["
	    "{\"test\": \"kv-cas\", \"version\": \"2.9.10\", \"result\": "
	    "\"FAIL\", \"signatures\": [\"%s\"]},"
	    "{\"test\": \"kv-cas\", \"version\": \"2.9.10\", \"result\": "
	    "\"pass\", \"signatures\": []},"
	    "{\"test\": \"kv-cas\", \"version\": \"2.9.10\", \"result\": "
	    "\"inconclusive\"},"
	    "{\"test\": \"pipeline\", \"version\": \"2.9.10\", \"result\": "
	    "\"pass\"},"
	    "{\"test\": \"kv-cas\", \"version\": \"2.15.1\", \"result\": "
	    "\"pass\"}],"
	    " \"failures\": [{\"signature\": \"%s\", \"test\": \"kv-cas\","
	    " \"known\": \"\", \"began_s\": 12}]}",
	    seed, signature, signature);
	tree = json_parse(text, strlen(text), 10);
	assert_non_null(tree);
	return tree;
}

static void
add(unsigned seed, const char *signature, const char *folder)
{
	cJSON *hunt = hunt_of(seed, signature);

	assert_int_equal(trend_add(dir, hunt, folder), 0);
	cJSON_Delete(hunt);
}

static const cJSON *
item(const cJSON *list, int i)
{
	return cJSON_GetArrayItem(list, i);
}

static void
test_rates(void **state)
{
	const cJSON *hunt, *versions;
	cJSON *trend;

	(void)state;
	add(1, "one thing", "/no/such/a");
	trend = trend_load(dir);
	assert_int_equal(cJSON_GetArraySize(json_get(trend, "hunts")), 1);
	hunt = item(json_get(trend, "hunts"), 0);
	assert_string_equal(json_text(hunt, "folder"), "/no/such/a");

	/* Runs of its test that came to a verdict. */
	versions = json_get(item(json_get(hunt, "failures"), 0), "versions");
	assert_string_equal(json_text(item(versions, 0), "version"), "2.9.10");
	assert_int_equal(json_count(item(versions, 0), "runs"), 2);
	assert_int_equal(json_count(item(versions, 0), "met"), 1);
	assert_int_equal(json_count(item(versions, 1), "runs"), 1);
	assert_int_equal(json_count(item(versions, 1), "met"), 0);
	versions = json_get(hunt, "versions");
	assert_int_equal(json_count(item(versions, 0), "pass"), 2);
	assert_int_equal(json_count(item(versions, 0), "inconclusive"), 1);
	cJSON_Delete(trend);
}

/* A hunt that went on replaces what it was; another comes behind it. */
static void
test_places(void **state)
{
	const cJSON *hunts;
	cJSON *trend;

	(void)state;
	add(2, "a", "/no/such/b");
	add(3, "b", "/no/such/b");
	add(2, "c", "/no/such/b");
	trend = trend_load(dir);
	hunts = json_get(trend, "hunts");
	assert_int_equal(cJSON_GetArraySize(hunts), 3);
	assert_string_equal(
	    json_text(
		item(json_get(item(hunts, 1), "failures"), 0), "signature"),
	    "c");
	cJSON_Delete(trend);
}

static void
test_page(void **state)
{
	struct stream out;
	cJSON *trend;
	size_t len;
	char *text;

	(void)state;
	add(4, "<b>", "/no/such/d");
	trend = trend_load(dir);
	assert_non_null(stream_open(&out));
	trend_page(trend, out.file);
	assert_int_equal(stream_close(&out, &text, &len), 0);
	assert_non_null(strstr(text, "&lt;b&gt;"));
	assert_null(strstr(text, "<b>"));
	assert_non_null(strstr(text, "2.9.10: 1 of 2 runs"));
	assert_null(strstr(text, "2.15.1: 0 of"));
	free(text);
	cJSON_Delete(trend);
}

static void
test_bounds(void **state)
{
	cJSON *trend = cJSON_CreateObject(), *hunt;
	const cJSON *hunts;
	unsigned i;

	(void)state;
	(void)json_put_array(trend, "hunts"); /* is in the tree */
	for (i = 0; i < TREND_MAX + 5; i++) {
		hunt = hunt_of(10 + i, "x");
		trend_enter(trend, hunt, "/no/such");
		cJSON_Delete(hunt);
	}
	hunts = json_get(trend, "hunts");
	assert_int_equal(cJSON_GetArraySize(hunts), TREND_MAX);
	assert_int_equal(json_count(item(hunts, 0), "seed"), 15);
	cJSON_Delete(trend);
}

static void
test_foreign(void **state)
{
	char path[SUPPORT_PATH_MAX + 32];
	cJSON *hunt = hunt_of(1, "x");

	(void)state;
	text_format(path, sizeof(path), "%s/" TREND_JSON, dir);
	assert_int_equal(file_replace(path, "{}", 2), 0);
	assert_null(trend_load(dir));
	assert_int_equal(trend_add(dir, hunt, "/no/such"), -EINVAL);
	cJSON_Delete(hunt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_page),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
