/* SPDX-License-Identifier: ISC */
/*
 * The check "kv" against planted violations: each must raise exactly the
 * anomaly that owns it and nothing else.
 */
#include "tests/stories/bucket_story.h"

#include <string.h>

static void
plant_two_on_one_expected(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_update(&b, A, 3, 0, 2);
	bucket_update(&b, B, 1, 0, 2);
	bucket_accept(&b, A, 3, 0, 3);
	bucket_accept(&b, B, 1, 0, 4);
	bucket_end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

/* The later revision is learned first. */
static void
plant_two_on_one_expected_reversed(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, A, 2, 0, 1);
	bucket_update(&b, B, 1, 0, 1);
	bucket_accept(&b, B, 1, 0, 3);
	bucket_accept(&b, A, 2, 0, 2);
	bucket_end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_two_creates(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_update(&b, A, 1, 0, 0);
	bucket_update(&b, B, 1, 0, 0);
	bucket_accept(&b, A, 1, 0, 1);
	bucket_accept(&b, B, 1, 0, 2);
	bucket_end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

/* One of the two was never acknowledged, but a read shows it. */
static void
plant_fork_seen_by_read(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put_unknown(&b, B, 1, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_get(&b, LEADER, 0, 3, ID(B, 1));
	bucket_end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_not_above_expected(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, B, 1, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_update(&b, A, 3, 0, 2);
	bucket_accept(&b, A, 3, 0, 2);
	b.expected[ANOMALY_CAS_VIOLATED][CLASS_VIOLATION] = 2;
	bucket_end(&b); /* not above what it expects; given twice */
}

static void
plant_overlooked_revision(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_put(&b, A, 3, 0, 2, 3);
	bucket_update(&b, B, 1, 0, 1);
	bucket_accept(&b, B, 1, 0, 4);
	bucket_end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_one_revision_twice(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_update(&b, A, 1, 0, 0);
	bucket_update(&b, B, 1, 0, 0);
	bucket_accept(&b, A, 1, 0, 1);
	bucket_accept(&b, B, 1, 0, 1);
	bucket_end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

/* Of another key, and out of real-time order. */
static void
plant_below_what_was_acked(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 2);
	bucket_put(&b, B, 1, 1, 0, 1);
	bucket_end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_acked_elsewhere_than_read(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_update(&b, A, 1, 0, 0);
	bucket_unknown(&b, A, 1);
	bucket_update(&b, A, 1, 0, 0);
	bucket_update(&b, A, 1, 0, 0);
	bucket_ask(&b, B, 0, LEADER);
	bucket_answer(&b, B, bucket_value(0, LEADER, 1, ID(A, 1)));
	bucket_accept_again(&b, A, 1, 0, 2);
	b.expected[ANOMALY_CAS_VIOLATED][CLASS_VIOLATION] = 2;
	bucket_end(&b); /* at two places; and twice on one expected */
}

static void
plant_revision_nobody_wrote(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_update(&b, A, 3, 0, 2);
	bucket_reject(&b, A, 3, 0);
	bucket_over(&b, A, 3, 1);
	bucket_get(&b, LEADER, 0, 3, ID(A, 2)); /* ours, but it is at 2 */
	bucket_end_with(&b, ANOMALY_PHANTOM, CLASS_VIOLATION);
}

/* Rightly refused, and stored all the same: it overlooks another one. */
static void
plant_refused_but_stored(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_refused(&b, B, 1, 0, 1);
	bucket_get(&b, LEADER, 0, 3, ID(B, 1));
	b.expected[ANOMALY_CAS_VIOLATED][CLASS_VIOLATION] = 1;
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_DOCUMENTED);
}

/* One leader all the time refuses what it stores; and the chain goes on. */
static void
plant_misanswered(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_lead(&b, "n1");
	bucket_pass(&b, 25 * CLOCK_S);
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_refused(&b, B, 1, 0, 1);
	bucket_get(&b, LEADER, 0, 2, ID(B, 1));
	bucket_put(&b, A, 2, 0, 2, 3);
	bucket_pass(&b, 10 * CLOCK_S);
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_VIOLATION);
}

/* The same at the first update, seen by the audit only. */
static void
plant_misanswered_seen_last(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_lead(&b, "n1");
	bucket_pass(&b, 25 * CLOCK_S);
	bucket_refused(&b, A, 1, 0, 0);
	bucket_pass(&b, 60 * CLOCK_S);
	bucket_audit(&b, 1, ID(A, 1), 1, ID(A, 1));
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_VIOLATION);
}

static void
plant_misanswered_strictly(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_option(&b, "strict-answers", "true");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_refused(&b, B, 1, 0, 1);
	bucket_get(&b, LEADER, 0, 2, ID(B, 1));
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_VIOLATION);
}

/* The sentence of the anomaly of a kind that was raised, with all of parts. */
static void
expect_says(const struct judge *j, enum anomaly_kind kind,
    const char *const parts[], unsigned n)
{
	const struct anomaly *a;
	unsigned i, k;

	for (i = 0; (a = judge_anomaly(j, i)) != NULL && a->kind != kind; i++)
		;
	assert_non_null(a);
	for (k = 0; k < n; k++)
		if (strstr(a->says, parts[k]) == NULL)
			fail_msg("no \"%s\" in: %s", parts[k], a->says);
}

/* Of a wrong refusal it is told who asked what, the answer, and who led. */
static void
misanswered_says(void **state)
{
	static const char *const sure[] = {
	    "update 3:1 of key 0, which expected revision 1, was refused",
	    "with error 10071 after ", "stored at revision 2", "attempts: 1",
	    "n1 was the leader all the time", "no fault for 20 s before"};
	static const char *const unsure[] = {"update 3:1 of key 0",
	    "error 10071", "stored at revision 2",
	    "monitoring named n1 as leader then", "n2 by now",
	    "fault 1 was in force"};
	struct bucket_story b;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		b = bucket_begin();
		bucket_lead(&b, "n1");
		bucket_pass(&b, 25 * CLOCK_S);
		bucket_put(&b, A, 1, 0, 0, 1);
		if (i == 1)
			bucket_fault(&b, false);
		bucket_refused(&b, B, 1, 0, 1);
		if (i == 1)
			bucket_lead(&b, "n2");
		bucket_get(&b, LEADER, 0, 2, ID(B, 1));
		bucket_pass(&b, 10 * CLOCK_S);
		expect_says(b.judge, ANOMALY_MISANSWERED,
		    i == 0 ? sure : unsure, i == 0 ? 5 : 6);
		bucket_end_with(&b, ANOMALY_MISANSWERED,
		    i == 0 ? CLASS_VIOLATION : CLASS_DOCUMENTED);
	}
}

/* Old although one leader was in office all the time (review, P14). */
static void
plant_stale_by_a_steady_leader(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_lead(&b, "n1");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_pass(&b, 25 * CLOCK_S);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_pass(&b, 10 * CLOCK_S);
	bucket_end_with(&b, ANOMALY_STALE_READ, CLASS_VIOLATION);
}

/* A key that nobody can update, while another one works (review, P17). */
static void
plant_key_is_wedged(void **state)
{
	struct bucket_story b = bucket_begin();
	uint64_t n;

	(void)state;
	bucket_option(&b, "op-timeout", "30s");
	bucket_lead(&b, "n1");
	bucket_pass(&b, 25 * CLOCK_S);
	bucket_put(&b, A, 1, 3, 0, 1);
	bucket_put(&b, B, 1, 0, 0, 2);
	for (n = 2; n < 120; n++) {
		bucket_get(&b, LEADER, 3, 1, ID(A, 1));
		bucket_refused(&b, A, n, 3, 1);
		bucket_put(&b, B, n, 0, n, n + 1);
		bucket_pass(&b, CLOCK_S);
	}
	b.expected[ANOMALY_OP_TIMEOUT][CLASS_VIOLATION] = 1;
	bucket_end(&b);
}

/* Two keys' updates at one revision (review, P15). */
static void
plant_one_revision_for_two_keys(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_update(&b, A, 1, 0, 0);
	bucket_update(&b, B, 1, 1, 0);
	bucket_accept(&b, A, 1, 0, 1);
	bucket_accept(&b, B, 1, 1, 1);
	bucket_end_with(&b, ANOMALY_SEQ_REUSE, CLASS_VIOLATION);
}

/* At the beginning, in the middle, at the end of what is kept (P16). */
static void
plant_history_lacks(void **state)
{
	static const uint64_t lost[] = {3, 6, 11};
	struct bucket_story b;
	uint64_t n;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		b = bucket_begin();
		bucket_option(&b, "o", "kv-cas.history=10");
		for (n = 1; n <= 12; n++)
			bucket_put(&b, A, n, 0, n - 1, n);
		bucket_scan_begin(&b);
		bucket_final(&b, LEADER, 0, 12, ID(A, 12));
		for (n = 3; n <= 12; n++)
			if (n != lost[i])
				bucket_final(&b, CONSUMER, 0, n, ID(A, n));
		bucket_scan_end(&b);
		bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
	}
}

static void
plant_phantom(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event ev;

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 1, 0, 2);
	bucket_put_unknown(&b, A, 3, 1, 2);
	bucket_get(&b, LEADER, 0, 3, ID(A, 9)); /* never sent */
	bucket_get(&b, LEADER, 0, 3, ID(A, 3)); /* for another key */
	bucket_get(&b, LEADER, 1, 4, ID(A, 3)); /* above all attempts */
	bucket_get(&b, LEADER, 0, 1, ID(A, 2)); /* another is stored there */
	bucket_get(&b, DIRECT, 0, 2, ID(A, 1)); /* it is stored at 1 */
	ev = bucket_value(0, LEADER, 1, ID(A, 1));
	ev.u.kv_value.run = BUCKET_RUN + 1;
	bucket_ask(&b, A, 0, LEADER);
	bucket_answer(&b, A, ev);
	b.expected[ANOMALY_PHANTOM][CLASS_VIOLATION] = 6;
	bucket_end(&b);
}

static void
plant_corrupt(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event ev;

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put_unknown(&b, A, 2, 0, 1);
	ev = bucket_value(0, LEADER, 1, ID(A, 1));
	ev.u.kv_value.intact = 0;
	bucket_ask(&b, A, 0, LEADER);
	bucket_answer(&b, A, ev);
	ev = bucket_value(0, LEADER, 1, ID(A, 1));
	ev.u.kv_value.sum++;
	bucket_ask(&b, A, 0, LEADER);
	bucket_answer(&b, A, ev);
	ev = bucket_value(0, LEADER, 2, ID(A, 2));
	ev.u.kv_value.sum++;
	bucket_ask(&b, A, 0, LEADER);
	bucket_answer(&b, A, ev);
	b.expected[ANOMALY_CORRUPT][CLASS_VIOLATION] = 3;
	bucket_end(&b);
}

static void
plant_lost_while_quiet(void **state)
{
	struct bucket_story b = bucket_begin();
	unsigned i;

	(void)state;
	bucket_lead(&b, "n1");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_pass(&b, 30 * CLOCK_S);
	for (i = 0; i < 30; i++) {
		bucket_get(&b, LEADER, 0, 1, ID(A, 1));
		bucket_pass(&b, CLOCK_S / 2);
	}
	bucket_pass(&b, 10 * CLOCK_S);
	b.expected[ANOMALY_STALE_READ][CLASS_VIOLATION] = 30;
	bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
}

static void
plant_lost_at_audit(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_audit(&b, 1, ID(A, 1), 1, ID(A, 1));
	bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
}

static void
plant_key_gone_at_audit(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_scan_begin(&b);
	bucket_final(&b, LEADER, 0, 0, 0);
	bucket_scan_end(&b);
	bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
}

static void
plant_bucket_anew(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	ev.u.scan_begin.created = 2000;
	bucket_feed(&b, 9, &ev);
	bucket_final(&b, LEADER, 0, 0, 0);
	bucket_final(&b, CONSUMER, 0, 0, 0);
	bucket_scan_end(&b);
	b.expected[ANOMALY_LOST_UPDATE][CLASS_VIOLATION] = 2; /* and its key */
	bucket_end(&b);
}

static void
plant_paths_differ(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_audit(&b, 2, ID(A, 2), 1, ID(A, 1));
	bucket_end_with(&b, ANOMALY_DIVERGENCE, CLASS_VIOLATION);
}

static void
plant_leader_lags(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_audit(&b, 1, ID(A, 1), 2, ID(A, 2));
	bucket_end_with(&b, ANOMALY_DIVERGENCE, CLASS_VIOLATION);
}

static void
plant_one_update_twice(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, A, 2, 0, 1);
	bucket_unknown(&b, A, 2);
	bucket_update(&b, A, 2, 0, 1);
	bucket_ask(&b, B, 0, LEADER);
	bucket_answer(&b, B, bucket_value(0, LEADER, 2, ID(A, 2)));
	bucket_ask(&b, B, 0, LEADER);
	bucket_answer(&b, B, bucket_value(0, LEADER, 3, ID(A, 2)));
	bucket_end_with(&b, ANOMALY_PHANTOM, CLASS_VIOLATION);
}

static void
plant_one_server_differs(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_scan_begin(&b);
	bucket_final(&b, LEADER, 0, 2, ID(A, 2));
	bucket_final(&b, CONSUMER, 0, 2, ID(A, 2));
	bucket_final(&b, DIRECT, 0, 2, ID(A, 2));
	bucket_final(&b, DIRECT, 0, 1, ID(A, 1));
	bucket_final(&b, DIRECT, 0, 2, ID(A, 2));
	bucket_scan_end(&b);
	bucket_end_with(&b, ANOMALY_DIVERGENCE, CLASS_VIOLATION);
}

/* One replica: there is nobody else who could have answered. */
static void
plant_stale_with_one_replica(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_stream(&b, 1, "file");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_end_with(&b, ANOMALY_STALE_READ, CLASS_VIOLATION);
}

static void
plant_not_found_with_one_replica(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_stream(&b, 1, "file");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_get(&b, LEADER, 0, 0, 0);
	bucket_end_with(&b, ANOMALY_STALE_READ, CLASS_VIOLATION);
}

static void
plant_update_times_out(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_option(&b, "op-timeout", "30s");
	bucket_update(&b, A, 1, 0, 0);
	bucket_unknown(&b, A, 1);
	bucket_pass(&b, 60 * CLOCK_S);
	bucket_over(&b, A, 1, 2);
	bucket_end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_VIOLATION);
}

static void
plant_read_times_out(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event failed = {.type = MESSAGE_KV_READ_FAILED};
	unsigned i;

	(void)state;
	bucket_option(&b, "op-timeout", "30s");
	for (i = 0; i < 60; i++) {
		bucket_ask(&b, A, 0, LEADER);
		failed.u.kv_read_failed.op = b.ops[A];
		bucket_feed(&b, A, &failed);
		bucket_pass(&b, CLOCK_S);
	}
	bucket_end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_VIOLATION);
}

/* It has to be let go on, and then the server has its time again. */
static void
plant_times_out_after_silence(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_option(&b, "op-timeout", "30s");
	bucket_update(&b, A, 1, 0, 0);
	bucket_stand_still(&b, A, 40 * CLOCK_S);
	bucket_unknown(&b, A, 1);
	bucket_pass(&b, 51 * CLOCK_S);
	bucket_over(&b, A, 1, 2);
	bucket_end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_VIOLATION);
}

static void
plant_starved(void **state)
{
	struct bucket_story b = bucket_begin();
	uint64_t n;

	(void)state;
	bucket_put(&b, B, 1, 0, 0, 1);
	for (n = 1; n < 130; n++) {
		bucket_update(&b, A, n, 0, 1);
		bucket_reject(&b, A, n, 0);
		bucket_over(&b, A, n, 1);
		bucket_pass(&b, CLOCK_S);
	}
	bucket_end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_WARNING);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plant_two_on_one_expected),
	    cmocka_unit_test(plant_two_on_one_expected_reversed),
	    cmocka_unit_test(plant_two_creates),
	    cmocka_unit_test(plant_fork_seen_by_read),
	    cmocka_unit_test(plant_not_above_expected),
	    cmocka_unit_test(plant_overlooked_revision),
	    cmocka_unit_test(plant_one_revision_twice),
	    cmocka_unit_test(plant_below_what_was_acked),
	    cmocka_unit_test(plant_acked_elsewhere_than_read),
	    cmocka_unit_test(plant_revision_nobody_wrote),
	    cmocka_unit_test(plant_refused_but_stored),
	    cmocka_unit_test(plant_misanswered),
	    cmocka_unit_test(misanswered_says),
	    cmocka_unit_test(plant_misanswered_seen_last),
	    cmocka_unit_test(plant_misanswered_strictly),
	    cmocka_unit_test(plant_stale_by_a_steady_leader),
	    cmocka_unit_test(plant_key_is_wedged),
	    cmocka_unit_test(plant_one_revision_for_two_keys),
	    cmocka_unit_test(plant_history_lacks),
	    cmocka_unit_test(plant_phantom),
	    cmocka_unit_test(plant_corrupt),
	    cmocka_unit_test(plant_lost_while_quiet),
	    cmocka_unit_test(plant_lost_at_audit),
	    cmocka_unit_test(plant_key_gone_at_audit),
	    cmocka_unit_test(plant_bucket_anew),
	    cmocka_unit_test(plant_paths_differ),
	    cmocka_unit_test(plant_leader_lags),
	    cmocka_unit_test(plant_one_update_twice),
	    cmocka_unit_test(plant_one_server_differs),
	    cmocka_unit_test(plant_stale_with_one_replica),
	    cmocka_unit_test(plant_not_found_with_one_replica),
	    cmocka_unit_test(plant_update_times_out),
	    cmocka_unit_test(plant_read_times_out),
	    cmocka_unit_test(plant_times_out_after_silence),
	    cmocka_unit_test(plant_starved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
