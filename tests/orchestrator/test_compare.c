/* SPDX-License-Identifier: ISC */
/* Side by side: what is new, gone, more, less, worse and better. */
#include "tests/support.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/compare.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

static char dir[SUPPORT_PATH_MAX], one[SUPPORT_PATH_MAX + 8],
    other[SUPPORT_PATH_MAX + 8];

static void
put(const char *folder, const char *name, const char *text)
{
	char path[SUPPORT_PATH_MAX + 64];

	text_format(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(file_replace(path, text, strlen(text)), 0);
}

static int
set_up(void **state)
{
	(void)state;
	support_dir_make(dir);
	text_format(one, sizeof(one), "%s/one", dir);
	text_format(other, sizeof(other), "%s/other", dir);
	assert_int_equal(file_make_dir(one), 0);
	assert_int_equal(file_make_dir(other), 0);
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

/* What a row of a part says; "" when there is none of that name. */
static const char *
says(const cJSON *tree, const char *part, const char *name)
{
	const cJSON *row;

	cJSON_ArrayForEach (row, json_get(tree, part))
		if (strcmp(json_text(row, "name"), name) == 0)
			return json_text(row, "says");
	return "";
}

static cJSON *
compared(void)
{
	struct compare c = {0};
	cJSON *tree;

	assert_int_equal(compare_add(&c, one), 0);
	assert_int_equal(compare_add(&c, other), 0);
	tree = compare_make(&c);
	assert_true(json_is_whole());
	compare_fini(&c);
	return tree;
}

static void
test_hunts(void **state)
{
	cJSON *tree;

	(void)state;
	put(one, "hunt.json",
	    "{\"runs\": [{\"result\": \"FAIL\"}, {\"result\": \"pass\"}],"
	    " \"failures\": [{\"signature\": \"gone\", \"runs\": 1},"
	    " {\"signature\": \"more\", \"runs\": 1},"
	    " {\"signature\": \"same\", \"runs\": 2}]}");
	put(other, "hunt.json",
	    "{\"runs\": [{\"result\": \"FAIL\"}, {\"result\": \"FAIL\"}],"
	    " \"failures\": [{\"signature\": \"new\", \"runs\": 1},"
	    " {\"signature\": \"more\", \"runs\": 3},"
	    " {\"signature\": \"same\", \"runs\": 2}]}");
	tree = compared();
	assert_string_equal(says(tree, "findings", "gone"), "gone");
	assert_string_equal(says(tree, "findings", "new"), "new");
	assert_string_equal(says(tree, "findings", "more"), "more");
	assert_string_equal(says(tree, "findings", "same"), "same");
	assert_string_equal(
	    says(tree, "results", "runs that end FAIL"), "more");
	assert_string_equal(
	    says(tree, "results", "runs that end pass"), "gone");
	cJSON_Delete(tree);
}

static void
test_runs(void **state)
{
	struct compare c = {0};
	cJSON *tree;

	(void)state;
	put(one, "report.json",
	    "{\"verdict\": \"pass\", \"exit_code\": 0, \"test\": \"kv-cas\","
	    " \"rounds\": 1000, \"duration_s\": 10, \"longest_stall_ms\": 100,"
	    " \"latency_ms\": {\"round\": {\"p50\": 1, \"p99\": 9, \"max\": "
	    "9}},"
	    " \"anomalies\": []}");
	put(other, "report.json",
	    "{\"verdict\": \"fail\", \"exit_code\": 1, \"test\": \"kv-cas\","
	    " \"rounds\": 1000, \"duration_s\": 20, \"longest_stall_ms\": 149,"
	    " \"latency_ms\": {\"round\": {\"p50\": 1, \"p99\": 3, \"max\": "
	    "30}},"
	    " \"anomalies\": [{\"kind\": \"lost\", \"class\": \"violation\","
	    " \"rule\": \"guarantees 1\", \"says\": \"message 7 is gone\"}]}");
	/* There is a hunt in these folders, too. */
	assert_int_equal(compare_add(&c, one), 0);
	assert_int_equal(c.kind, COMPARE_HUNT);
	compare_fini(&c);
	put(one, "hunt.json", "");
	assert_int_equal(compare_add(&c, one), 0);
	assert_int_equal(compare_add(&c, other), EXIT_USAGE);
	compare_fini(&c);
	put(other, "hunt.json", "");

	tree = compared();
	assert_string_equal(says(tree, "results", "verdict"), "differs");
	assert_string_equal(
	    says(tree, "figures", "operations a second"), "worse");
	assert_string_equal(says(tree, "figures", "longest stall, ms"), "same");
	assert_string_equal(says(tree, "figures", "round p50, ms"), "same");
	assert_string_equal(says(tree, "figures", "round p99, ms"), "better");
	assert_string_equal(says(tree, "figures", "round max, ms"), "worse");
	assert_int_equal(cJSON_GetArraySize(json_get(tree, "findings")), 1);
	assert_string_equal(
	    json_text(json_get(tree, "findings")->child, "says"), "new");
	cJSON_Delete(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hunts),
	    cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
