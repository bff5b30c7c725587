/* SPDX-License-Identifier: ISC */
/* The check "streams" against legal oddities: none is a violation. */
#include "proto/refusal.h"
#include "tests/stories/lists_story.h"

/* what must not */

static void
test_right(void **state)
{
	struct lists_row rows[2] = {
	    lists_row_of(ID1, NAME), lists_row_of(ID2, "NB_7_3_1_2")};
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_add(&t, ID2, "NB_7_3_1_2", 1);
	lists_add_ok(&t, ID2, 100);
	lists_op_failed(&t, ID2, false);
	lists_filled(&t, ID2, 2);
	lists_op_end(&t, ID2, 0);
	rows[1].messages = 2; /* more than acknowledged: an unknown publish */
	lists_list_for(&t, 40, rows, 2);
	lists_drop(&t, ID1, NAME);
	lists_list_for(&t, 40, rows + 1, 1);
	lists_expect_legal(&t, 0, 0);
}

static void
test_one_miss_heals(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list(&t, ANN, NULL, 0);
	lists_list(&t, ANN, &r, 1);
	lists_drop(&t, ID1, NAME);
	lists_list(&t, ANN, &r, 1);
	t.now += 86 * CLOCK_MS;
	lists_list(&t, ANN, NULL, 0);
	lists_expect_legal(&t, 0, 2);
}

/* 29 s in quiet are too few; so long a miss is worth a warning. */
static void
test_long_miss_heals(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list_for(&t, 28, NULL, 0);
	lists_list(&t, ANN, &r, 1);
	lists_expect_legal(&t, 1, 0);
}

/* Any right answer between ends it: two listings that never agree. */
static void
test_flapping(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	for (i = 0; i < 20; i++) {
		lists_list(&t, ANN, NULL, 0);
		lists_pass(&t, 2 * CLOCK_S);
		lists_list(&t, BOB, &r, 1);
		lists_pass(&t, 2 * CLOCK_S);
	}
	lists_expect_legal(&t, 0, 20);
}

static void
test_wrong_under_faults(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	for (i = 0; i < 12; i++) {
		lists_fault_begins(&t, false);
		lists_list_for(&t, 3, NULL, 0);
		lists_fault_ends(&t, true);
		lists_list_for(&t, 5, NULL, 0);
	}
	lists_list(&t, ANN, &r, 1);
	lists_expect_legal(&t, 0, 1);
}

static void
test_wrong_over_elections(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	for (i = 0; i < 4; i++) {
		lists_leader(&t, i % 2 ? "n1" : "n2");
		lists_list_for(&t, 20, NULL, 0);
		lists_leader(&t, "");
	}
	lists_list(&t, ANN, &r, 1);
	lists_expect_legal(&t, 0, 1);
}

/* The last fault could not be healed: there is no quiet. */
static void
test_wrong_while_sick(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_fault_begins(&t, false);
	lists_fault_ends(&t, false);
	lists_list_for(&t, 60, NULL, 0);
	lists_finish(&t);
	assert_int_equal(lists_count_class(&t, CLASS_VIOLATION), 0);
	assert_int_equal(
	    lists_count(&t, ANOMALY_STREAM_MISSING, CLASS_WARNING), 1);
	assert_true(lists_has_reason(&t, "not watched"));
	judge_destroy(t.judge);
}

static void
test_wrong_at_the_end(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list_for(&t, 10, NULL, 0);
	lists_finish(&t);
	assert_int_equal(lists_count_class(&t, CLASS_VIOLATION), 0);
	assert_int_equal(
	    lists_count(&t, ANOMALY_STREAM_MISSING, CLASS_WARNING), 1);
	assert_int_equal(t.result.verdict, VERDICT_INCONCLUSIVE);
	assert_true(lists_has_reason(&t, "not watched"));
	judge_destroy(t.judge);
}

/* Two listings are too few, however far apart. */
static void
test_two_listings(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list(&t, ANN, NULL, 0);
	lists_pass(&t, 60 * CLOCK_S);
	lists_list(&t, ANN, NULL, 0);
	lists_list(&t, ANN, &r, 1);
	lists_expect_legal(&t, 1, 0);
}

/* An add without an answer: never, late, and gone for another reason. */
static void
test_unknown_add(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_op_end(&t, ID1, 2);
	lists_list_for(&t, 40, NULL, 0);
	lists_list_for(&t, 40, &r, 1);
	lists_expect_legal(&t, 0, 0);
}

/* Seen, then gone: nobody confirmed it. */
static void
test_unknown_add_vanishes(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_op_end(&t, ID1, 2);
	lists_list(&t, ANN, &r, 1);
	lists_list_for(&t, 40, NULL, 0);
	lists_expect_legal(&t, 1, 0);
}

static void
test_unknown_delete(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_remove(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_op_end(&t, ID1, 2);
	lists_list_for(&t, 40, &r, 1);
	lists_list_for(&t, 40, NULL, 0);
	lists_expect_legal(&t, 0, 0);
}

/* A deposed meta leader says "not found", and what was asked for is done. */
static void
test_not_found_and_deleted(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_fault_begins(&t, false);
	lists_remove(&t, ID1, NAME, 1);
	lists_op_refused(&t, ID1, REFUSAL_NOT_FOUND);
	lists_op_end(&t, ID1, ENDED_UNKNOWN);
	lists_fault_ends(&t, true);
	lists_list_for(&t, 60, NULL, 0);
	assert_int_equal(
	    lists_count(&t, ANOMALY_MISANSWERED, CLASS_DOCUMENTED), 1);
	lists_expect_legal(&t, 0, 1);
}

/* The same in a journal whose worker called it certain (review, P26). */
static void
test_not_found_called_certain(void **state)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_FAILED};
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_leader(&t, "n2");
	lists_remove(&t, ID1, NAME, 1);
	ev.u.stream_op_failed.id = ID1;
	ev.u.stream_op_failed.certain = 1;
	ev.u.stream_op_failed.code = REFUSAL_NOT_FOUND;
	lists_feed(&t, ANN, &ev);
	lists_op_end(&t, ID1, ENDED_FAILED);
	lists_list_for(&t, 60, NULL, 0);
	lists_expect_legal(&t, 0, 1);
}

/* It answers from a proposal of its own that is thrown away: all stays. */
static void
test_not_found_and_kept(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_remove(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_remove(&t, ID1, NAME, 2);
	lists_op_refused(&t, ID1, REFUSAL_NOT_FOUND);
	lists_op_end(&t, ID1, ENDED_UNKNOWN);
	lists_list_for(&t, 60, &r, 1);
	assert_int_equal(
	    lists_count(&t, ANOMALY_MISANSWERED, CLASS_DOCUMENTED), 1);
	lists_expect_legal(&t, 0, 1);
}

/* It may have been deleted by the attempt before: that answer is right. */
static void
test_not_found_behind_a_delete(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_remove(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_remove(&t, ID1, NAME, 2);
	lists_op_refused(&t, ID1, REFUSAL_NOT_FOUND);
	lists_op_end(&t, ID1, ENDED_UNKNOWN);
	lists_list_for(&t, 60, NULL, 0);
	lists_expect_legal(&t, 0, 0);
}

/* "Name in use" and "no peers", and yet the stream comes. */
static void
test_add_refused_and_done(void **state)
{
	static const uint32_t codes[] = {10058, 10005};
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		lists_begin(&t);
		lists_add(&t, ID1, NAME, 1);
		lists_op_refused(&t, ID1, codes[i]);
		lists_op_end(&t, ID1, ENDED_UNKNOWN);
		lists_list_for(&t, 60, NULL, 0);
		r.messages = 0;
		lists_list_for(&t, 60, &r, 1);
		assert_int_equal(
		    lists_count(&t, ANOMALY_MISANSWERED, CLASS_DOCUMENTED), 1);
		lists_expect_legal(&t, 0, 1);
	}
}

/* The second attempt succeeds, and so may the first have. */
static void
test_retried_delete(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_remove(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_remove(&t, ID1, NAME, 2);
	lists_remove_ok(&t, ID1);
	lists_op_end(&t, ID1, 0);
	lists_list_for(&t, 40, NULL, 0);
	lists_expect_legal(&t, 0, 0);
}

/* The unanswered delete of the first life reaches the second. */
static void
test_late_delete_of_next_life(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_remove(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_remove(&t, ID1, NAME, 2);
	lists_remove_ok(&t, ID1);
	lists_op_end(&t, ID1, 0);
	lists_have(&t, ID2, NAME);
	lists_list_for(&t, 40, NULL, 0);
	lists_expect_legal(&t, 0, 0);
}

/* The unanswered add comes when the stream was deleted already. */
static void
test_late_add(void **state)
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
	lists_list(&t, ANN, NULL, 0);
	lists_pass(&t, 200 * CLOCK_S);
	r.created = 300;
	r.messages = 0;
	lists_list_for(&t, 40, &r, 1);
	lists_expect_legal(&t, 0, 1);
}

static void
test_failed_listing(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	for (i = 0; i < 40; i++) {
		lists_list_begin(&t, ANN, PREFIX);
		lists_pass(&t, CLOCK_S / 2);
		lists_list_end(&t, ANN, NULL, 0, false);
		lists_list(&t, BOB, &r, 1);
		if (i % 8 == 7)
			lists_list(&t, ANN, &r, 1);
	}
	lists_expect_legal(&t, 0, 0);
}

/* Listings that began before the confirmation may show either. */
static void
test_overlap(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_list_begin(&t, BOB, PREFIX);
	lists_add_ok(&t, ID1, 100);
	lists_op_end(&t, ID1, 0);
	lists_list_end(&t, BOB, NULL, 0, true);
	lists_list_begin(&t, BOB, PREFIX);
	lists_remove(&t, ID1, NAME, 1);
	lists_remove_ok(&t, ID1);
	lists_list_end(&t, BOB, &r, 1, true);
	lists_expect_legal(&t, 0, 0);
}

/* Messages are counted only by who asked after they were confirmed. */
static void
test_fill_overlaps(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_add_ok(&t, ID1, 100);
	lists_list_begin(&t, BOB, PREFIX);
	lists_filled(&t, ID1, 1);
	lists_op_end(&t, ID1, 0);
	r.messages = 0;
	lists_list_end(&t, BOB, &r, 1, true);
	lists_expect_legal(&t, 0, 0);
}

/* Streams whose servers don't answer, for as long as it takes. */
static void
test_no_state(void **state)
{
	struct lists_row r = {NAME, 0, 0, 0, 0};
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list_for(&t, 60, &r, 1);
	lists_expect_legal(&t, 0, 0);
}

static void
test_memory_storage(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_option(&t, "storage", "memory");
	lists_have(&t, ID1, NAME);
	lists_fault_begins(&t, false);
	lists_fault_ends(&t, true);
	r.messages = 0;
	lists_list_for(&t, 60, &r, 1);
	lists_expect_legal(&t, 0, 1);
}

/* The client dies in the middle: what it did not confirm is unknown. */
static void
test_client_dies(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct event ev = {.type = MESSAGE_CHILD_EXIT};
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID2, "NB_7_3_1_2");
	lists_add(&t, ID1, NAME, 1);
	ev.u.child_exit.child = ANN;
	ev.u.child_exit.signal = 9;
	lists_feed(&t, 0, &ev);
	lists_pass(
	    &t, 60 * CLOCK_S); /* nobody tries it any more: no op_timeout */
	lists_list(&t, BOB, &r, 0);
	lists_finish(&t);
	/* Its confirmed stream is still expected. */
	assert_int_equal(lists_count_class(&t, CLASS_VIOLATION), 0);
	assert_int_equal(
	    lists_count(&t, ANOMALY_STREAM_MISSING, CLASS_WARNING), 1);
	assert_int_equal(lists_count_class(&t, CLASS_WARNING), 1);
	judge_destroy(t.judge);
}

/* What a client of ours did not ask for was not refused to it. */
static void
test_client_stands_still(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_stand_still(&t, ANN, 40 * CLOCK_S);
	lists_add_ok(&t, ID1, 100);
	lists_stand_still(&t, ANN, 40 * CLOCK_S);
	lists_filled(&t, ID1, 1);
	lists_op_end(&t, ID1, 0);
	lists_list_begin(&t, ANN, PREFIX);
	lists_stand_still(&t, ANN, 40 * CLOCK_S);
	lists_list_end(&t, ANN, NULL, 0, false);
	lists_list_begin(&t, ANN, PREFIX);
	lists_list_end(&t, ANN, NULL, 0, false);
	lists_expect_legal(&t, 0, 0);
}

/* A listing of one client's streams says nothing of the others'. */
static void
test_prefix(void **state)
{
	struct lists_story t;
	unsigned i;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	for (i = 0; i < 40; i++) {
		lists_list_begin(&t, BOB, "NB_7_4_");
		lists_list_end(&t, BOB, NULL, 0, true);
		t.now += CLOCK_S;
	}
	lists_expect_legal(&t, 0, 0);
}

static void
test_op_while_clock_stands(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_fault_begins(&t, true);
	lists_pass(&t, 120 * CLOCK_S);
	lists_fault_ends(&t, true);
	lists_pass(
	    &t, 40 * CLOCK_S); /* 20 s of elections, then 20 s that count */
	lists_add_ok(&t, ID1, 100);
	lists_op_end(&t, ID1, 0);
	lists_expect_legal(&t, 0, 0);
}

/* Of a stream that has another creation time and all its messages. */
static void
test_created_anew_whole(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	r.created = 200;
	lists_list_for(&t, 40, &r, 1);
	lists_expect_legal(&t, 1, 0);
}

/* Two of its attempts were carried out: replicas differ in the time. */
static void
test_assigned_twice(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_op_failed(&t, ID1, false);
	lists_add(&t, ID1, NAME, 2);
	lists_add_ok(&t, ID1, 100);
	lists_filled(&t, ID1, 1);
	lists_op_end(&t, ID1, 0);
	r.messages = 1;
	lists_list_for(&t, 4, &r, 1);
	r.created = 101;
	lists_list_for(&t, 40, &r, 1);
	lists_expect_legal(&t, 0, 0);
}

/* The other client's view of a stream that its own client then deletes. */
static void
test_wrong_then_deleted(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_list(&t, BOB, NULL, 0);
	lists_drop(&t, ID1, NAME);
	lists_list_for(&t, 40, NULL, 0);
	lists_expect_legal(&t, 0, 1);
}

/* Each attempt that nobody answered may have put a message in. */
static void
test_unheard_fills(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_add_ok(&t, ID1, 100);
	lists_op_failed(&t, ID1, false);
	lists_op_failed(&t, ID1, false);
	lists_filled(&t, ID1, 3);
	lists_op_end(&t, ID1, 0);
	lists_list_for(&t, 42, &r, 1);
	lists_expect_legal(&t, 0, 0);
}

/* It is stored, and its ack is on the way; or its client dies before. */
static void
test_fill_in_flight(void **state)
{
	struct event ev = {.type = MESSAGE_CHILD_EXIT};
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_add_ok(&t, ID1, 100);
	r.messages = 1;
	lists_list(&t, BOB, &r, 1);
	ev.u.child_exit.child = ANN;
	lists_feed(&t, 0, &ev);
	lists_pass(&t, CLOCK_S);
	for (int i = 0; i < 42; i++) {
		lists_list(&t, BOB, &r, 1);
		lists_pass(&t, CLOCK_S);
	}
	lists_expect_legal(&t, 0, 0);
}

/* A publish to the first life that nobody answered comes to the second. */
static void
test_late_fill_of_first_life(void **state)
{
	struct lists_row r = lists_row_of(ID2, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_add(&t, ID1, NAME, 1);
	lists_add_ok(&t, ID1, 100);
	lists_op_failed(&t, ID1, false);
	lists_filled(&t, ID1, 1);
	lists_op_end(&t, ID1, 0);
	lists_drop(&t, ID1, NAME);
	lists_have(&t, ID2, NAME);
	r.messages = 4;
	lists_list_for(&t, 42, &r, 1);
	lists_settled(&t, true);
	lists_content(&t, ID2, 4, ID1);
	lists_expect_legal(&t, 0, 1);
}

/* Too many for a moment only. */
static void
test_too_many_for_a_moment(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	r.messages = 6;
	lists_list_for(&t, 5, &r, 1);
	r.messages = 3;
	lists_list_for(&t, 42, &r, 1);
	lists_expect_legal(&t, 0, 1);
}

static void
test_content_under_a_fault(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_drop(&t, ID1, NAME);
	lists_have(&t, ID2, NAME);
	lists_settled(&t, true);
	lists_fault_begins(&t, true);
	lists_content(&t, ID2, 1, ID1);
	lists_expect_legal(&t, 1, 0);
}

static void
test_content_of_an_unsettled_cluster(void **state)
{
	struct lists_story t;

	(void)state;
	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	lists_drop(&t, ID1, NAME);
	lists_have(&t, ID2, NAME);
	lists_settled(&t, false);
	lists_content(&t, ID2, 1, ID1);
	lists_expect_legal(&t, 1, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_right),
	    cmocka_unit_test(test_one_miss_heals),
	    cmocka_unit_test(test_long_miss_heals),
	    cmocka_unit_test(test_flapping),
	    cmocka_unit_test(test_wrong_under_faults),
	    cmocka_unit_test(test_wrong_over_elections),
	    cmocka_unit_test(test_wrong_while_sick),
	    cmocka_unit_test(test_wrong_at_the_end),
	    cmocka_unit_test(test_two_listings),
	    cmocka_unit_test(test_unknown_add),
	    cmocka_unit_test(test_unknown_add_vanishes),
	    cmocka_unit_test(test_unknown_delete),
	    cmocka_unit_test(test_not_found_and_deleted),
	    cmocka_unit_test(test_not_found_called_certain),
	    cmocka_unit_test(test_not_found_and_kept),
	    cmocka_unit_test(test_not_found_behind_a_delete),
	    cmocka_unit_test(test_add_refused_and_done),
	    cmocka_unit_test(test_retried_delete),
	    cmocka_unit_test(test_late_delete_of_next_life),
	    cmocka_unit_test(test_late_add),
	    cmocka_unit_test(test_failed_listing),
	    cmocka_unit_test(test_overlap),
	    cmocka_unit_test(test_fill_overlaps),
	    cmocka_unit_test(test_no_state),
	    cmocka_unit_test(test_memory_storage),
	    cmocka_unit_test(test_client_dies),
	    cmocka_unit_test(test_client_stands_still),
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_op_while_clock_stands),
	    cmocka_unit_test(test_created_anew_whole),
	    cmocka_unit_test(test_assigned_twice),
	    cmocka_unit_test(test_wrong_then_deleted),
	    cmocka_unit_test(test_unheard_fills),
	    cmocka_unit_test(test_fill_in_flight),
	    cmocka_unit_test(test_late_fill_of_first_life),
	    cmocka_unit_test(test_too_many_for_a_moment),
	    cmocka_unit_test(test_content_under_a_fault),
	    cmocka_unit_test(test_content_of_an_unsettled_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
