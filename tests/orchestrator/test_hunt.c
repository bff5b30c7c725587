/* SPDX-License-Identifier: ISC */
/*
 * Findings that are the same have one signature, others have another; and what
 * shrink takes away of recorded faults.
 */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "orchestrator/many/hunt.h"
#include "orchestrator/many/shrink.h"
#include "proto/base/text.h"
#include "proto/json.h"

static void
sign(const char *kind, const char *says, char out[HUNT_SHAPE_MAX])
{
	cJSON *a = cJSON_CreateObject();

	json_put_text(a, "kind", kind);
	json_put_text(a, "rule", "guarantees 1");
	json_put_text(a, "says", says);
	hunt_signature("pipeline", a, out);
	cJSON_Delete(a);
}

static void
expect_same(const char *kind, const char *a, const char *b, bool same)
{
	char one[HUNT_SHAPE_MAX], other[HUNT_SHAPE_MAX];

	sign(kind, a, one);
	sign(kind, b, other);
	if (same)
		assert_string_equal(one, other);
	else
		assert_string_not_equal(one, other);
}

static void
test_text(void **state)
{
	char out[HUNT_SHAPE_MAX];

	(void)state;
	sign("lost",
	    "stream NB_1F_s0 begins at sequence 17, as its leader "
	    "said 3 times: 16 messages were acknowledged",
	    out);
	assert_string_equal(out,
	    "pipeline: lost (guarantees 1): stream # begins at sequence # as "
	    "its leader said # times");
}

/* Numbers, names, the particulars, and how many of a list there are. */
static void
test_same(void **state)
{
	(void)state;
	expect_same("lost", "message 3:14 at sequence 9 is gone",
	    "message 12:7 at sequence 100 is gone", true);
	expect_same("divergence", "copies of stream 2 differ: n1 has it",
	    "copies of stream 3 differ: n2 and n3 have it", true);
	expect_same("crashed", "n1 ended by itself; \"panic: a\" at 12.5 s",
	    "n3 ended by itself; \"panic: b\" at 3 s", false);
	expect_same(
	    "lost", "servers n1, n2, n3 lack it", "servers n2 lack it", true);
}

static void
test_other(void **state)
{
	char a[HUNT_SHAPE_MAX], b[HUNT_SHAPE_MAX];

	(void)state;
	expect_same(
	    "lost", "message 3:14 is gone", "message 3:14 is late", false);
	sign("lost", "message 3:14 is gone", a);
	sign("undeleted", "message 3:14 is gone", b);
	assert_string_not_equal(a, b);
	expect_same("crashed", "n1 panicked: main.go:12 raft.(*node).run",
	    "n2 panicked: main.go:99 server.(*client).readLoop", false);
}

/* Whatever is said, it fits and ends. */
static void
test_odd(void **state)
{
	char out[HUNT_SHAPE_MAX], says[4096];

	(void)state;
	memset(says, 'x', sizeof(says) - 1);
	says[sizeof(says) - 1] = '\0';
	sign("lost", says, out);
	memset(says, ' ', sizeof(says) - 1);
	sign("lost", says, out);
	assert_string_equal(out, "pipeline: lost (guarantees 1):");
	sign("lost", "", out);
	assert_string_equal(out, "pipeline: lost (guarantees 1):");
}

/* Of five faults: halves, quarters, then each alone; never all of them. */
static void
test_faults_are_taken_away(void **state)
{
	static const char five[] =
	    "{\"phases\": [{\"name\": \"mayhem\", \"t\": 2}], \"faults\": ["
	    "{\"fault\": 1}, {\"fault\": 2}, {\"fault\": 3}, "
	    "{\"fault\": 4}, {\"fault\": 5}]}";
	char dir[SUPPORT_PATH_MAX], path[SUPPORT_PATH_MAX + 16],
	    what[SHRINK_WHAT_MAX];
	cJSON *report = json_parse(five, strlen(five), 8), *left;
	struct run_config given, c;
	unsigned at, single = 0;

	(void)state;
	support_dir_make(dir);
	text_format(path, sizeof(path), "%s/faults.json", dir);
	assert_non_null(report);
	assert_int_equal(shrink_save_faults(report, path), 0);
	cJSON_Delete(report);
	config_init(&given);
	text_set(given.schedule, sizeof(given.schedule), path);
	for (at = 0;; at++) {
		c = given;
		if (!shrink_fault_steps[0].make(&c, at, what))
			break;
		left = json_load(c.schedule, 4096);
		assert_between(
		    cJSON_GetArraySize(json_get(left, "faults")), 1, 4);
		assert_int_equal(
		    cJSON_GetArraySize(json_get(left, "phases")), 1);
		single += cJSON_GetArraySize(json_get(left, "faults")) == 4;
		cJSON_Delete(left);
	}
	/* Of halves and quarters the last one is a single fault, too. */
	assert_int_equal(single, 5 + 1);
	report = json_parse("{\"faults\": []}", 14, 8);
	assert_int_equal(shrink_save_faults(report, path), -ENOENT);
	cJSON_Delete(report);
	support_dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_faults_are_taken_away),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_same),
	    cmocka_unit_test(test_other),
	    cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
