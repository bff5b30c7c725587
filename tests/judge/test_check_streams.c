/* SPDX-License-Identifier: ISC */
/*
 * The check "streams" against planted violations: each is reported, and
 * nothing else is.
 */
#include "tests/stories/lists_story.h"

#include <string.h>

#include "orchestrator/check/streams/streams.h"
#include "proto/base/text.h"
#include "proto/refusal.h"

/* what must be reported */

static void
test_missing(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_leader(&t, "n1");
	lists_have(&t, ID1, NAME);
	lists_list(&t, ANN, &r, 1);
	lists_list_for(&t, 32, NULL, 0);
	lists_expect_violation(&t, ANOMALY_STREAM_MISSING);
}

/* A leader told again is the same one; the first one told is no change. */
static void
test_missing_under_steady_leader(void **state)
{
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list(&t, ANN, NULL, 0);
	for (i = 0; i < 8; i++) {
		lists_leader(&t, "n1");
		lists_list_for(&t, 4, NULL, 0);
	}
	lists_expect_violation(&t, ANOMALY_STREAM_MISSING);
}

/* Three listings are enough when they lie far apart, whoever made them. */
static void
test_missing_for_all_clients(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list(&t, ANN, NULL, 0);
	lists_pass(&t, 16 * CLOCK_S);
	lists_list(&t, BOB, NULL, 0);
	lists_pass(&t, 16 * CLOCK_S);
	lists_list(&t, BOB, NULL, 0);
	lists_pass(&t, 10 * CLOCK_S); /* the leader is seen again */
	lists_expect_violation(&t, ANOMALY_STREAM_MISSING);
}

static void
test_missing_after_faults(void **state)
{
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	for (i = 0; i < 10; i++) {
		lists_fault_begins(&t, false);
		lists_list_for(&t, 3, NULL, 0);
		lists_fault_ends(&t, true);
		lists_list_for(&t, 3, NULL, 0);
	}
	assert_int_equal(lists_count_class(&t, CLASS_VIOLATION), 0);
	lists_list_for(&t, 55, NULL, 0);
	lists_expect_violation(&t, ANOMALY_STREAM_MISSING);
}

/* One leader says "not found" of a stream that nobody deleted. */
static void
test_not_found_by_a_steady_leader(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_remove(&t, ID1, NAME, 1);
	lists_op_refused(&t, ID1, REFUSAL_NOT_FOUND);
	lists_op_end(&t, ID1, ENDED_UNKNOWN);
	lists_pass(&t, 10 * CLOCK_S);
	lists_expect_violation(&t, ANOMALY_MISANSWERED);
}

/* Of a delete it is told what was asked, the answer, who led, and the fault. */
static void
test_not_found_says(void **state)
{
	static const char *const parts[2][4] = {
	    {"the first delete of stream " NAME " (3:1) was answered \"stream "
	     "not found\" (10059) after 1.500 s, although its add had been "
	     "confirmed ",
		"before it was asked for, and nobody had asked to delete it",
		"no fault for 20 s before", "n1 was the leader all the time"},
	    {"(3:1) was answered \"stream not found\" (10059) after 1.500 s",
		"monitoring named n1 as leader then",
		"n2 at the end of it, n2 by now", "fault 1 was in force"}};
	const struct anomaly *a;
	struct lists_story t;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 2; i++) {
		lists_begin(&t);
		lists_have(&t, ID1, NAME);
		if (i == 1)
			lists_fault_begins(&t, false);
		lists_remove(&t, ID1, NAME, 1);
		t.now += CLOCK_S + CLOCK_S / 2;
		if (i == 1)
			lists_leader(&t, "n2");
		lists_op_refused(&t, ID1, REFUSAL_NOT_FOUND);
		lists_op_end(&t, ID1, ENDED_UNKNOWN);
		lists_pass(&t, 10 * CLOCK_S);
		a = judge_anomaly(t.judge, 0);
		assert_non_null(a);
		assert_int_equal(a->kind, ANOMALY_MISANSWERED);
		for (k = 0; k < 4; k++)
			if (strstr(a->says, parts[i][k]) == NULL)
				fail_msg(
				    "no \"%s\" in: %s", parts[i][k], a->says);
		judge_destroy(t.judge);
	}
}

/* Leaders changed, but the user wants to know. */
static void
test_not_found_with_strict_answers(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_option(&t, "strict-answers", "true");
	lists_have(&t, ID1, NAME);
	lists_leader(&t, "n2");
	lists_remove(&t, ID1, NAME, 1);
	lists_op_refused(&t, ID1, REFUSAL_NOT_FOUND);
	lists_op_end(&t, ID1, ENDED_UNKNOWN);
	lists_expect_violation(&t, ANOMALY_MISANSWERED);
}

static void
test_resurrected(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_drop(&t, ID1, NAME);
	lists_list(&t, ANN, NULL, 0);
	lists_list_for(&t, 32, &r, 1);
	lists_expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* Long after its delete, when the check no longer remembers it. */
static void
test_resurrected_late(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_drop(&t, ID1, NAME);
	for (i = 0; i < 30; i++) {
		lists_list(&t, ANN, NULL, 0);
		lists_pass(&t, 10 * CLOCK_S);
	}
	lists_list_for(&t, 32, &r, 1);
	lists_expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* A server that doesn't answer for it leaves a row without state. */
static void
test_resurrected_without_state(void **state)
{
	struct lists_row r = {NAME, 0, 0, 0, 0};
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_drop(&t, ID1, NAME);
	lists_list_for(&t, 32, &r, 1);
	lists_expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* An add of it was never answered, but what is there is the old one. */
static void
test_resurrected_itself(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_add(&t, ID1, NAME, 2);
	lists_add_ok(&t, ID1, 100);
	lists_op_end(&t, ID1, 0);
	lists_drop(&t, ID1, NAME);
	lists_list_for(&t, 32, &r, 1);
	lists_expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* Every add of it was refused for certain, and yet it is there. */
static void
test_added_though_refused(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, true);
	lists_op_end(&t, ID1, 1);
	lists_list_for(&t, 32, &r, 1);
	lists_expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* The name lives again, and the first life is shown in its place. */
static void
test_first_life_is_back(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_drop(&t, ID1, NAME);
	lists_have(&t, ID2, NAME);
	lists_list_for(&t, 32, &r, 1);
	lists_finish(&t);
	assert_int_equal(
	    lists_count(&t, ANOMALY_STREAM_MISSING, CLASS_VIOLATION), 1);
	assert_int_equal(
	    lists_count(&t, ANOMALY_STREAM_RESURRECTED, CLASS_VIOLATION), 1);
	assert_int_equal(lists_count_class(&t, CLASS_VIOLATION), 2);
	judge_destroy(t.judge);
}

static void
test_lost(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	r.messages = 2;
	lists_list_for(&t, 32, &r, 1);
	lists_expect_violation(&t, ANOMALY_LOST);
}

static void
test_lost_when_counted(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_counted(&t, ID1, true, 0);
	lists_pass(&t, 20 * CLOCK_S);
	lists_counted(&t, ID1, true, 0);
	lists_pass(&t, 20 * CLOCK_S);
	lists_counted(&t, ID1, true, 0);
	lists_pass(&t, 10 * CLOCK_S);
	lists_expect_violation(&t, ANOMALY_LOST);
}

static void
test_lost_created_anew(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	const struct anomaly *a;
	struct lists_story t;
	size_t i;
	bool told = false;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	r.messages = 0;
	r.created = 200;
	lists_list_for(&t, 32, &r, 1);
	for (i = 0; (a = judge_anomaly(t.judge, i)) != NULL; i++)
		told |= a->kind == ANOMALY_LOST &&
			strstr(a->says, "created anew") != NULL;
	assert_true(told);
	lists_expect_violation(&t, ANOMALY_LOST);
}

/* A name that was added again has the three messages of its first life, too. */
static void
test_holds_its_first_life(void **state)
{
	struct lists_row r = lists_row_of(ID2, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_drop(&t, ID1, NAME);
	lists_have(&t, ID2, NAME);
	r.messages = 6;
	lists_list_for(&t, 42, &r, 1);
	lists_expect_violation(&t, ANOMALY_WRONG_STATE);
}

static void
test_holds_many_copies(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	r.messages = 300;
	lists_list_for(&t, 42, &r, 1);
	lists_expect_violation(&t, ANOMALY_WRONG_STATE);
}

/* One more than what was answered and what was not. */
static void
test_holds_one_more(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_add_ok(&t, ID1, 100);
	lists_op_failed(&t, ID1, false);
	lists_filled(&t, ID1, 1);
	lists_op_end(&t, ID1, 0);
	r.messages = 3;
	lists_list_for(&t, 42, &r, 1);
	lists_expect_violation(&t, ANOMALY_WRONG_STATE);
}

static void
test_holds_too_many_when_counted(void **state)
{
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	for (i = 0; i < 5; i++) {
		lists_counted(&t, ID1, true, 4);
		lists_pass(&t, 10 * CLOCK_S);
	}
	lists_expect_violation(&t, ANOMALY_WRONG_STATE);
}

/* The audit reads a message of the first life in the second. */
static void
test_content_of_its_first_life(void **state)
{
	uint64_t seq;

	(void)state;
	for (seq = 1; seq <= 3; seq++) {
		struct lists_row r = lists_row_of(ID2, NAME);
		struct lists_story t;
		uint64_t at;

		lists_begin(&t);
		lists_have(&t, ID1, NAME);
		lists_drop(&t, ID1, NAME);
		lists_have(&t, ID2, NAME);
		lists_list(&t, ANN, &r, 1);
		lists_fault_begins(&t, true);
		lists_fault_ends(&t, true);
		lists_settled(&t, true);
		for (at = 1; at <= 3; at++)
			lists_content(&t, ID2, at, at == seq ? ID1 : ID2);
		lists_expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
	}
}

static void
test_content_is_damaged(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_settled(&t, true);
	lists_content(&t, ID1, 1, ID1);
	lists_content(&t, ID1, 2, 0);
	lists_content(&t, ID1, 3, 0); /* one sentence is enough */
	lists_expect_violation(&t, ANOMALY_CORRUPT);
}

static void
test_corrupt(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	r.variant = 5;
	lists_list_for(&t, 32, &r, 1);
	lists_expect_violation(&t, ANOMALY_CORRUPT);
}

static void
test_op_timeout_add(void **state)
{
	struct lists_story t;
	uint32_t attempt;

	(void)state;
	lists_begin(&t);
	for (attempt = 1; attempt <= 12; attempt++) {
		lists_add(&t, ID1, NAME, attempt);
		lists_pass(&t, 3 * CLOCK_S);
		lists_op_failed(&t, ID1, false);
	}
	lists_op_end(&t, ID1, 2);
	lists_expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

static void
test_op_timeout_fill(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_add_ok(&t, ID1, 100);
	lists_filled(&t, ID1, 1);
	lists_pass(&t, 40 * CLOCK_S);
	lists_filled(&t, ID1, 2);
	lists_op_end(&t, ID1, 0);
	lists_expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

static void
test_op_timeout_delete(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_remove(&t, ID1, NAME, 1);
	lists_pass(&t, 31 * CLOCK_S);
	lists_remove_ok(&t, ID1);
	lists_expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

static void
test_op_timeout_list(void **state)
{
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	for (i = 0; i < 20; i++) {
		lists_list_begin(&t, ANN, PREFIX);
		lists_pass(&t, 2 * CLOCK_S);
		lists_list_end(&t, ANN, NULL, 0, false);
	}
	lists_expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

/* The time after a client stood still is the server's again. */
static void
test_op_timeout_behind_silence(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_stand_still(&t, BOB, 40 * CLOCK_S);
	lists_add(&t, ID1, NAME, 1);
	lists_pass(&t, 51 * CLOCK_S);
	lists_op_end(&t, ID1, 2);
	lists_expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

/*
 * Of many streams that are deleted and forgotten those stay that have an
 * attempt which was never answered, up to a number; and no longer than that.
 */
static void
test_unanswered_are_bounded(void **state)
{
	enum {
		ROUNDS = 100,
		EACH = 100,
		ROOM = 2 * ROUNDS
	};
	struct streams_state st = {.watched = NULL};
	struct streams_walk w = {0};
	uint64_t id = 0, now_ns = CLOCK_S;
	struct stream *s;
	char name[64];

	(void)state;
	assert_true(sizeof(*s) <= 536); /* as docs/architecture.md says */
	hashmap_init(&st.lists, sizeof(struct stream_list), ROOM);
	hashmap_init(&st.ids, sizeof(struct stream_id), ROOM);
	for (; id < ROUNDS * EACH; id++) {
		text_format(name, sizeof(name), NAME "_%u", (unsigned)id);
		s = streams_new(&st, id + 1, name);
		assert_non_null(s);
		s->added_ns = s->removed_ns = now_ns;
		s->removes_open = id % EACH == 0;
		if (id % EACH != EACH - 1)
			continue;
		now_ns += 61 * CLOCK_S;
		streams_sweep(&st, now_ns);
		assert_int_equal(st.ids.n, id / EACH + 1);
		assert_int_equal(st.lists.n, id / EACH + 1);
	}
	for (s = st.watched, id = 0; s != NULL; s = s->watched_next)
		id++; /* a listing walks these */
	assert_int_equal(id, ROUNDS);
	for (; id < ROOM; id++) {
		text_format(name, sizeof(name), "more_%u", (unsigned)id);
		assert_non_null(streams_new(&st, 1000000 + id, name));
	}
	assert_null(streams_new(&st, 1, NAME));
	while ((s = streams_next(&st, &w)) != NULL)
		s->removes_open = 0;
	streams_sweep(&st, now_ns + 61 * CLOCK_S);
	assert_int_equal(st.ids.n, 0);
	assert_int_equal(st.lists.n, 0);
	streams_free(&st);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_missing_under_steady_leader),
	    cmocka_unit_test(test_missing_for_all_clients),
	    cmocka_unit_test(test_missing_after_faults),
	    cmocka_unit_test(test_not_found_by_a_steady_leader),
	    cmocka_unit_test(test_not_found_with_strict_answers),
	    cmocka_unit_test(test_not_found_says),
	    cmocka_unit_test(test_resurrected),
	    cmocka_unit_test(test_resurrected_late),
	    cmocka_unit_test(test_resurrected_without_state),
	    cmocka_unit_test(test_resurrected_itself),
	    cmocka_unit_test(test_added_though_refused),
	    cmocka_unit_test(test_first_life_is_back),
	    cmocka_unit_test(test_lost),
	    cmocka_unit_test(test_lost_when_counted),
	    cmocka_unit_test(test_lost_created_anew),
	    cmocka_unit_test(test_holds_its_first_life),
	    cmocka_unit_test(test_holds_many_copies),
	    cmocka_unit_test(test_holds_one_more),
	    cmocka_unit_test(test_holds_too_many_when_counted),
	    cmocka_unit_test(test_content_of_its_first_life),
	    cmocka_unit_test(test_content_is_damaged),
	    cmocka_unit_test(test_corrupt),
	    cmocka_unit_test(test_op_timeout_add),
	    cmocka_unit_test(test_op_timeout_fill),
	    cmocka_unit_test(test_op_timeout_delete),
	    cmocka_unit_test(test_op_timeout_list),
	    cmocka_unit_test(test_op_timeout_behind_silence),
	    cmocka_unit_test(test_unanswered_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
