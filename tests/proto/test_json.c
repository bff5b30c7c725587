/* SPDX-License-Identifier: ISC */
/* json: what is missing or of another type is nothing; files are one value. */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

static void
test_readers(void **state)
{
	cJSON *o = cJSON_Parse("{\"t\":\"x\",\"n\":-2.5,\"big\":1e30,"
			       "\"yes\":true,\"count\":7,\"null\":null}");

	(void)state;
	assert_non_null(o);
	assert_string_equal(json_text(o, "t"), "x");
	assert_string_equal(json_text(o, "n"), "");
	assert_string_equal(json_text(o, "missing"), "");
	assert_string_equal(json_text(NULL, "t"), "");
	assert_true(json_number(o, "n") == -2.5);
	assert_true(json_number(o, "t") == 0);
	assert_true(json_count(o, "n") == 0);
	assert_true(json_count(o, "count") == 7);
	assert_true(json_count(o, "big") == UINT64_MAX);
	assert_true(json_is_true(o, "yes"));
	assert_false(json_is_true(o, "count"));
	assert_false(json_is_true(o, "missing"));
	assert_non_null(json_get(o, "null"));
	assert_null(json_get(o, "T"));
	cJSON_Delete(o);
}

static void
test_writers(void **state)
{
	cJSON *o = cJSON_CreateObject(), *list = cJSON_CreateArray();
	cJSON *other = cJSON_CreateObject();
	char *text;

	(void)state;
	json_put_text(o, "a", "b");
	json_put_number(o, "n", 3);
	json_put_bool(o, "is", true);
	json_append_text(list, "x");
	json_append(list, cJSON_CreateNull());
	json_put(o, "list", list);
	json_put_copy(other, o, "list");
	json_put_copy(other, o, "missing");
	json_append_text(json_put_array(other, "empty"), NULL);
	json_set_text(json_put_object(other, "in"), "a", "b");
	json_set_number(other, "n", 1);
	json_set_number(other, "n", 2);
	json_replace(list, list->child, cJSON_CreateNumber(4));
	assert_true(json_is_whole());
	text = cJSON_PrintUnformatted(o);
	assert_string_equal(
	    text, "{\"a\":\"b\",\"n\":3,\"is\":true,\"list\":[4,null]}");
	free(text);
	text = cJSON_PrintUnformatted(other);
	assert_string_equal(text, "{\"list\":[\"x\",null],\"empty\":[],"
				  "\"in\":{\"a\":\"b\"},\"n\":2}");
	free(text);
	cJSON_Delete(o);
	cJSON_Delete(other);
}

static cJSON *
load(const char *dir, const char *text, size_t max)
{
	char path[SUPPORT_PATH_MAX + 16];

	text_format(path, sizeof(path), "%s/x.json", dir);
	assert_int_equal(file_replace(path, text, strlen(text)), 0);
	return json_load(path, max);
}

static void
test_load(void **state)
{
	static const char *const bad[] = {
	    "", "{", "{} x", "{}{}", "[1,]", "nul", "{\"a\":1"};
	char dir[SUPPORT_PATH_MAX];
	cJSON *tree;
	size_t i;

	(void)state;
	support_dir_make(dir);
	tree = load(dir, " {\"a\": 1}\n", 100);
	assert_non_null(tree);
	assert_true(json_number(tree, "a") == 1);
	cJSON_Delete(tree);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(load(dir, bad[i], 100));
	assert_null(load(dir, "{\"a\":    1}", 5));
	support_dir_remove(dir);
}

static void
test_ran_out(void **state)
{
	cJSON *o = cJSON_CreateObject();

	(void)state;
	assert_true(json_is_whole());
	json_put(o, "a", NULL);
	assert_false(json_is_whole());
	assert_null(json_get(o, "a"));
	json_begin();
	assert_true(json_is_whole());
	assert_null(json_put_array(NULL, "a"));
	assert_false(json_is_whole());
	json_begin();
	assert_null(json_put_object(NULL, "a"));
	assert_false(json_is_whole());
	json_begin();
	json_replace(o, NULL, NULL);
	assert_false(json_is_whole());
	json_begin();
	cJSON_Delete(o);
}

static void
assert_parsed(const char *text, unsigned nesting_max, bool expected)
{
	cJSON *o = json_parse(text, strlen(text), nesting_max);

	assert_int_equal(o != NULL, expected);
	cJSON_Delete(o);
}

static void
test_nesting(void **state)
{
	static char deep[1 << 20];

	(void)state;
	assert_parsed("{\"a\":[{\"b\":1},{\"c\":[]}]}", 4, true);
	assert_parsed("{\"a\":[{\"b\":1},{\"c\":[]}]}", 3, false);
	/* What stands in a text is no nesting, its end is found. */
	assert_parsed("[\"[[[[\", \"\\\"[[[[\", \"\\\\\", []]", 2, true);
	assert_parsed("[\"[[[[\", \"\\\"[[[[\", \"\\\\\", []]", 1, false);
	assert_parsed("]]]][", 4, false);
	assert_parsed("[\"", 4, false);
	assert_parsed("", 4, false);
	memset(deep, '[', sizeof(deep) - 1);
	assert_parsed(deep, 64, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_readers),
	    cmocka_unit_test(test_writers),
	    cmocka_unit_test(test_load),
	    cmocka_unit_test(test_ran_out),
	    cmocka_unit_test(test_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
