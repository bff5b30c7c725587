/* SPDX-License-Identifier: ISC */
/* leaders: who led when; what was not told, or is forgotten, is not known. */
#include "tests/support.h"

#include <string.h>

#include "orchestrator/judge/leaders.h"
#include "proto/base/text.h"

static void
tell(struct leaders *l, uint64_t ns, enum leaders_group what, const char *name,
    const char *leader)
{
	struct event ev = {.type = MESSAGE_LEADER, .time_ns = ns};

	ev.u.leader.what = (uint8_t)what;
	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), name);
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), leader);
	leaders_event(l, &ev);
}

static void
test_steady_needs_two_later_words(void **state)
{
	struct leaders l;

	(void)state;
	leaders_init(&l);
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 10, 20), STEADY_NO);
	tell(&l, 10, LEADERS_STREAM, "S", "n1");
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 9, 20), STEADY_NO);
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 10, 20), STEADY_SO_FAR);
	tell(&l, 21, LEADERS_STREAM, "S", "n1");
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 10, 20), STEADY_SO_FAR);
	tell(&l, 22, LEADERS_STREAM, "S", "n1");
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 10, 20), STEADY_YES);
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 10, 21), STEADY_SO_FAR);
	/* It stays known behind a later change. */
	tell(&l, 30, LEADERS_STREAM, "S", "n2");
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 10, 20), STEADY_YES);
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 10, 25), STEADY_NO);
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 25, 35), STEADY_NO);
	leaders_fini(&l);
}

static void
test_no_leader_is_not_steady(void **state)
{
	struct leaders l;

	(void)state;
	leaders_init(&l);
	tell(&l, 10, LEADERS_META, "", "n1");
	tell(&l, 20, LEADERS_META, "", "");
	tell(&l, 30, LEADERS_META, "", "");
	tell(&l, 31, LEADERS_META, "", "");
	assert_int_equal(
	    leaders_steady(&l, LEADERS_META, "any", 21, 25), STEADY_NO);
	tell(&l, 40, LEADERS_META, "", "n1");
	assert_int_equal(
	    leaders_steady(&l, LEADERS_META, "", 15, 45), STEADY_NO);
	assert_string_equal(leaders_now(&l, LEADERS_META, ""), "n1");
	assert_string_equal(leaders_at(&l, LEADERS_META, "", 25), "");
	assert_string_equal(leaders_at(&l, LEADERS_META, "", 19), "n1");
	assert_string_equal(leaders_at(&l, LEADERS_META, "", 9), "");
	leaders_fini(&l);
}

static void
test_groups_are_apart(void **state)
{
	struct leaders l;

	(void)state;
	leaders_init(&l);
	tell(&l, 10, LEADERS_STREAM, "S", "n1");
	tell(&l, 10, LEADERS_CONSUMER, "S", "n2");
	tell(&l, 10, LEADERS_CONSUMER, "S/C", "n3");
	assert_string_equal(leaders_now(&l, LEADERS_STREAM, "S"), "n1");
	assert_string_equal(leaders_now(&l, LEADERS_CONSUMER, "S"), "n2");
	assert_string_equal(leaders_now(&l, LEADERS_CONSUMER, "S/C"), "n3");
	assert_string_equal(leaders_now(&l, LEADERS_CONSUMER, "S/D"), "");
	leaders_fini(&l);
}

static void
test_the_latest_changes_are_kept(void **state)
{
	struct leaders l;
	uint64_t i;

	(void)state;
	leaders_init(&l);
	for (i = 1; i <= LEADERS_CHANGES + 4; i++)
		tell(&l, i * 10, LEADERS_STREAM, "S", i % 2 ? "odd" : "even");
	assert_string_equal(leaders_at(&l, LEADERS_STREAM, "S", 45), "");
	assert_int_equal(
	    leaders_steady(&l, LEADERS_STREAM, "S", 41, 42), STEADY_NO);
	assert_string_equal(leaders_at(&l, LEADERS_STREAM, "S", 55), "odd");
	assert_string_equal(leaders_at(&l, LEADERS_STREAM, "S", 65), "even");
	leaders_fini(&l);
}

/* Of too many that is forgotten of which nothing was told for longest. */
static void
test_old_groups_go(void **state)
{
	struct leaders l;
	char name[32];
	unsigned i;

	(void)state;
	leaders_init(&l);
	for (i = 0; i <= LEADERS_MAX; i++) {
		text_format(name, sizeof(name), "S/c%u", i);
		tell(&l, 10 + i, LEADERS_CONSUMER, name, "n1");
		tell(&l, 10 + i, LEADERS_STREAM, "S", "n2");
	}
	assert_int_equal(l.n, LEADERS_MAX);
	assert_string_equal(leaders_now(&l, LEADERS_STREAM, "S"), "n2");
	assert_string_equal(leaders_now(&l, LEADERS_CONSUMER, name), "n1");
	assert_string_equal(leaders_now(&l, LEADERS_CONSUMER, "S/c0"), "");
	leaders_fini(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_steady_needs_two_later_words),
	    cmocka_unit_test(test_no_leader_is_not_steady),
	    cmocka_unit_test(test_groups_are_apart),
	    cmocka_unit_test(test_the_latest_changes_are_kept),
	    cmocka_unit_test(test_old_groups_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
