/* SPDX-License-Identifier: ISC */
/*
 * The check "kv" against the legal oddities of guarantees 10 and 11: they
 * raise nothing at all, or only what is documented.
 */
#include "tests/stories/bucket_story.h"

static void
legal_plain_run(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_get(&b, LEADER, 0, 0, 0);
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_get(&b, LEADER, 1, 0, 0);
	bucket_put(&b, A, 3, 1, 0, 3);
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_scan_begin(&b);
	bucket_final(&b, LEADER, 0, 2, ID(A, 2));
	bucket_final(&b, LEADER, 1, 3, ID(A, 3));
	bucket_final(&b, CONSUMER, 0, 2, ID(A, 2));
	bucket_final(&b, CONSUMER, 1, 3, ID(A, 3));
	bucket_final(&b, DIRECT, 0, 2, ID(A, 2));
	bucket_final(&b, DIRECT, 1, 3, ID(A, 3));
	bucket_scan_end(&b);
	bucket_end(&b);
}

/* It is sent, and nobody is there to take it, or a leader said so. */
static void
no_responders(
    struct bucket_story *b, uint32_t source, uint64_t n, uint64_t expected)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_REJECTED};

	bucket_update(b, source, n, 0, expected);
	ev.u.kv_update_rejected.id = message_id(source, n);
	bucket_feed(b, source, &ev);
	bucket_over(b, source, n, ENDED_FAILED);
}

/*
 * A leader of 2.10 that was just deposed answers 503 without a code, which
 * the library takes for "no responders"; its successor stores the update. With
 * a leader that was there all the time it is a wrong answer.
 */
static void
legal_no_responders_by_a_deposed_leader(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_lead(&b, "n2");
	no_responders(&b, A, 2, 1);
	bucket_pass(&b, 10 * CLOCK_S);
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_put(&b, B, 1, 0, 2, 3);
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_DOCUMENTED);
}

static void
plant_no_responders_by_a_steady_leader(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_lead(&b, "n1");
	bucket_pass(&b, 60 * CLOCK_S);
	no_responders(&b, A, 2, 1);
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_pass(&b, 20 * CLOCK_S);
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_VIOLATION);
}

static void
legal_spurious_rejection(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, A, 2, 0, 1);
	bucket_reject(&b, A, 2, 0);
	bucket_over(&b, A, 2, 1);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_put(&b, A, 3, 0, 1, 2);
	bucket_end(&b);
}

/* Refused because an attempt of its own was stored after all. */
static void
legal_own_unknown_attempt(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, A, 2, 0, 1);
	bucket_unknown(&b, A, 2);
	bucket_update(&b, A, 2, 0, 1);
	bucket_reject(&b, A, 2, 0);
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_over(&b, A, 2, 0);
	bucket_put(&b, A, 3, 0, 2, 3);
	bucket_get(&b, LEADER, 0, 3, ID(A, 3));
	bucket_end(&b);
}

static void
legal_duplicate_ack(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, A, 2, 0, 1);
	bucket_unknown(&b, A, 2);
	bucket_put(&b, B, 1, 1, 0, 3); /* another key goes on */
	bucket_update(&b, A, 2, 0, 1);
	bucket_accept_again(&b, A, 2, 0, 2);
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_end(&b);
}

static void
legal_unknown_never_appears(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put_unknown(&b, A, 2, 0, 1);
	bucket_pass(&b, 300 * CLOCK_S);
	bucket_put(&b, A, 3, 0, 1, 2);
	bucket_audit(&b, 2, ID(A, 3), 2, ID(A, 3));
	bucket_end(&b);
}

static void
legal_unknown_appears_late(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put_unknown(&b, A, 2, 0, 1);
	bucket_pass(&b, 300 * CLOCK_S);
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_put(&b, A, 3, 0, 2, 3);
	bucket_end(&b);
}

/* Learned from an old direct get only, after others were built on it. */
static void
legal_unknown_learned_last(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put_unknown(&b, A, 2, 0, 1);
	bucket_ask(&b, B, 0, LEADER);
	bucket_answer(&b, B, bucket_value(0, LEADER, 2, ID(A, 2)));
	bucket_put(&b, B, 1, 0, 2, 3);
	bucket_get(&b, DIRECT, 0, 2, ID(A, 2));
	bucket_end_with(&b, ANOMALY_STALE_READ, CLASS_DOCUMENTED);
}

static void
legal_killed_client(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, A, 2, 0, 1);
	bucket_ask(&b, B, 0, LEADER);
	bucket_die(&b, A);
	bucket_die(&b, B);
	bucket_pass(&b, 300 * CLOCK_S); /* neither is retried: no time-out */
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_put(&b, A, 3, 0, 2, 3);
	bucket_end(&b);
}

/* Two clients learn of their successes in the other order. */
static void
legal_acks_cross(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, A, 2, 0, 1);
	bucket_ask(&b, B, 0, LEADER);
	bucket_answer(&b, B, bucket_value(0, LEADER, 2, ID(A, 2)));
	bucket_put(&b, B, 1, 0, 2, 3);
	bucket_accept(&b, A, 2, 0, 2);
	bucket_update(&b, A, 3, 0, 2);
	bucket_reject(&b, A, 3, 0);
	bucket_over(&b, A, 3, 1);
	bucket_get(&b, LEADER, 0, 3, ID(B, 1));
	bucket_end(&b);
}

static void
legal_no_responders(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event ev = {.type = MESSAGE_KV_UPDATE_REJECTED};

	(void)state;
	bucket_update(&b, A, 1, 0, 0);
	ev.u.kv_update_rejected.id = ID(A, 1);
	bucket_feed(&b, A, &ev);
	bucket_update(&b, A, 1, 0, 0);
	bucket_accept(&b, A, 1, 0, 1);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_end(&b);
}

static void
legal_direct_is_old(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_get(&b, DIRECT, 0, 1, ID(A, 1));
	bucket_get(&b, DIRECT, 0, 2, ID(A, 2));
	bucket_get(&b, DIRECT, 0, 0, 0); /* not there yet, after it was */
	bucket_get(&b, DIRECT, 0, 1, ID(A, 1));
	b.expected[ANOMALY_STALE_READ][CLASS_DOCUMENTED] = 3;
	bucket_end(&b);
}

/* Asked before the ack came: any answer is right. */
static void
legal_read_beside_update(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_ask(&b, A, 0, LEADER);
	bucket_put(&b, B, 1, 0, 1, 2);
	bucket_answer(&b, A, bucket_value(0, LEADER, 1, ID(A, 1)));
	bucket_end(&b);
}

static void
legal_leader_was_deposed(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_end_with(&b, ANOMALY_STALE_READ, CLASS_WARNING);
}

/* Old for long, but leaders changed meanwhile, and it healed. */
static void
legal_old_while_leaders_change(void **state)
{
	struct bucket_story b = bucket_begin();
	unsigned i;

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	for (i = 0; i < 40; i++) {
		bucket_lead(&b, i % 10 < 5 ? "n1" : "n2");
		bucket_get(&b, LEADER, 0, 1, ID(A, 1));
		bucket_pass(&b, CLOCK_S);
	}
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 40;
	bucket_end(&b);
}

static void
legal_old_under_fault(void **state)
{
	struct bucket_story b = bucket_begin();
	unsigned i;

	(void)state;
	bucket_lead(&b, "n1");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_fault(&b, false);
	for (i = 0; i < 40; i++) {
		bucket_get(&b, LEADER, 0, 1, ID(A, 1));
		bucket_pass(&b, CLOCK_S);
	}
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 40;
	bucket_end(&b);
}

/* A server whose disk is full has no message any more, it says. */
static void
legal_not_found_under_fault(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_stream(&b, 1, "file");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_fault(&b, false);
	bucket_get(&b, LEADER, 0, 0, 0);
	bucket_end_with(&b, ANOMALY_STALE_READ, CLASS_WARNING);
}

static void
legal_confirm_is_longer(void **state)
{
	struct bucket_story b = bucket_begin();
	unsigned i;

	(void)state;
	bucket_option(&b, "o", "kv-cas.confirm=60s");
	bucket_lead(&b, "n1");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	for (i = 0; i < 40; i++) {
		bucket_get(&b, LEADER, 0, 1, ID(A, 1));
		bucket_pass(&b, CLOCK_S);
	}
	/* Each is judged by itself; but no lost_update follows. */
	bucket_pass(&b, 10 * CLOCK_S);
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 5;
	b.expected[ANOMALY_STALE_READ][CLASS_VIOLATION] = 35;
	bucket_end(&b);
}

/* Twice, and right in between: no long time of being old. */
static void
legal_old_twice(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_lead(&b, "n1");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	bucket_pass(&b, 60 * CLOCK_S);
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 2;
	bucket_end(&b);
}

static void
legal_clock_stands(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_option(&b, "op-timeout", "30s");
	bucket_fault(&b, true);
	bucket_update(&b, A, 1, 0, 0);
	bucket_ask(&b, B, 0, LEADER);
	bucket_unknown(&b, A, 1);
	bucket_pass(&b, 300 * CLOCK_S);
	bucket_update(&b, A, 1, 0, 0);
	bucket_accept(&b, A, 1, 0, 1);
	bucket_answer(&b, B, bucket_value(0, LEADER, 1, ID(A, 1)));
	bucket_end(&b);
}

/* A client that stood still was not refused anything meanwhile. */
static void
legal_client_stands_still(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_option(&b, "op-timeout", "30s");
	bucket_update(&b, A, 1, 0, 0);
	bucket_stand_still(&b, A, 40 * CLOCK_S);
	bucket_accept(&b, A, 1, 0, 1);
	bucket_ask(&b, B, 0, LEADER);
	bucket_stand_still(&b, B, 40 * CLOCK_S);
	bucket_answer(&b, B, bucket_value(0, LEADER, 1, ID(A, 1)));
	bucket_update(&b, B, 1, 0, 0);
	bucket_reject(&b, B, 1, 0);
	bucket_over(&b, B, 1, 1);
	bucket_stand_still(&b, B, 130 * CLOCK_S);
	bucket_end(&b);
}

/* An old answer that is told late was old when it was asked for. */
static void
legal_old_answer_told_late(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_lead(&b, "n1");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_pass(&b, 30 * CLOCK_S);
	bucket_lead(&b, "n2");
	bucket_get(&b, LEADER, 0, 1, ID(A, 1));
	bucket_ask(&b, A, 0, LEADER);
	bucket_stand_still(&b, A, 30 * CLOCK_S);
	bucket_answer(&b, A, bucket_value(0, LEADER, 1, ID(A, 1)));
	bucket_get(&b, LEADER, 0, 2, ID(A, 2));
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 2;
	bucket_end(&b);
}

static void
legal_memory_forgets(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_stream(&b, 3, "memory");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_fault(&b, false);
	bucket_put(&b, A, 3, 0, 0, 1);
	bucket_get(&b, LEADER, 0, 1, ID(A, 3));
	bucket_put(&b, A, 4, 0, 1, 2);
	bucket_get(&b, LEADER, 0, 2, ID(A, 4));
	bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_DOCUMENTED);
}

static void
legal_read_but_never_acked(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put_unknown(&b, A, 2, 0, 1);
	bucket_get(&b, DIRECT, 0, 2, ID(A, 2));
	bucket_audit(&b, 1, ID(A, 1), 1, ID(A, 1));
	bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_WARNING);
}

static void
legal_not_settled(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event ev = {.type = MESSAGE_SETTLED};

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_feed(&b, 1, &ev);
	bucket_audit(&b, 2, ID(A, 2), 1, ID(A, 1));
	bucket_end_with(&b, ANOMALY_DIVERGENCE, CLASS_WARNING);
}

/* With history the consumer shows several revisions of a key. */
static void
legal_history(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_scan_begin(&b);
	bucket_final(&b, LEADER, 0, 2, ID(A, 2));
	bucket_final(&b, CONSUMER, 0, 1, ID(A, 1));
	bucket_final(&b, CONSUMER, 0, 2, ID(A, 2));
	bucket_scan_end(&b);
	bucket_end(&b);
}

/* Refused for a while by the others' success. */
static void
legal_contention(void **state)
{
	struct bucket_story b = bucket_begin();
	uint64_t n;

	(void)state;
	bucket_put(&b, B, 1, 0, 0, 1);
	for (n = 1; n < 60; n++) {
		bucket_update(&b, A, n, 0, n);
		bucket_put(&b, B, n + 1, 0, n, n + 1);
		bucket_reject(&b, A, n, 0);
		bucket_over(&b, A, n, 1);
		bucket_pass(&b, CLOCK_S);
	}
	bucket_put(&b, A, 60, 0, 60, 61);
	bucket_end(&b);
}

/* Its retry is answered after thousands of others. */
static void
legal_very_late_ack(void **state)
{
	struct bucket_story b = bucket_begin();
	uint64_t n;

	(void)state;
	bucket_option(&b, "op-timeout", "10m");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, B, 1, 0, 1);
	bucket_unknown(&b, B, 1);
	for (n = 3; n < 20000; n++)
		bucket_put(&b, A, n, 0, n - 1, n);
	bucket_update(&b, B, 1, 0, 1);
	bucket_accept_again(&b, B, 1, 0, 2);
	bucket_end(&b);
}

/* A deposed leader refuses what the new one stores (review, P25). */
static void
legal_refused_by_deposed_leader(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_lead(&b, "n1");
	bucket_pass(&b, 25 * CLOCK_S);
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_refused(&b, B, 1, 0, 1);
	bucket_refused(&b, A, 2, 0, 1); /* rightly, by then */
	bucket_lead(&b, "n2");
	bucket_pass(&b, 10 * CLOCK_S);
	bucket_get(&b, LEADER, 0, 2, ID(B, 1));
	bucket_put(&b, A, 3, 0, 2, 3);
	bucket_audit(&b, 3, ID(A, 3), 3, ID(A, 3));
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_DOCUMENTED);
}

/* The read that shows it is faster than the refusal. */
static void
legal_seen_before_it_is_refused(void **state)
{
	struct bucket_story b = bucket_begin();

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_update(&b, B, 1, 0, 1);
	bucket_get(&b, LEADER, 0, 2, ID(B, 1));
	bucket_reject(&b, B, 1, 0);
	bucket_over(&b, B, 1, ENDED_FAILED);
	bucket_put(&b, A, 2, 0, 2, 3);
	bucket_end_with(&b, ANOMALY_MISANSWERED, CLASS_DOCUMENTED);
}

/* So many were refused since that nobody remembers it. */
static void
legal_refused_long_ago(void **state)
{
	struct bucket_story b = bucket_begin();
	uint64_t n;

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	for (n = 1; n < 20000; n++)
		bucket_refused(&b, B, n, 0, 1);
	bucket_get(&b, LEADER, 0, 2, ID(B, 1));
	bucket_end(&b);
}

/* Who is refused, each second for two minutes, and why it proves nothing. */
enum hindrance {
	BY_ANOTHER_IN_FLIGHT,
	BY_AN_UNKNOWN_ONE,
	BY_A_FAULT,
	BY_OTHER_LEADERS,
	BY_NOBODY_SEEN,
	HINDRANCES
};

static void
legal_refused_for_long(void **state)
{
	struct bucket_story b;
	uint64_t n, other;
	unsigned why;

	(void)state;
	for (why = 0; why < HINDRANCES; why++) {
		b = bucket_begin();
		other = 1000;
		bucket_option(&b, "op-timeout", "30s");
		if (why != BY_NOBODY_SEEN)
			bucket_lead(&b, "n1");
		bucket_pass(&b, 25 * CLOCK_S);
		bucket_put(&b, A, 1, 3, 0, 1);
		bucket_put(&b, A, 2, 0, 0, 2);
		if (why == BY_AN_UNKNOWN_ONE)
			bucket_put_unknown(&b, B, 1, 3, 1);
		if (why == BY_A_FAULT)
			bucket_fault(&b, false);
		for (n = 3; n < 123; n++) {
			bucket_get(&b, LEADER, 3, 1, ID(A, 1));
			if (why == BY_ANOTHER_IN_FLIGHT)
				bucket_update(&b, B, ++other, 3, 1);
			bucket_refused(&b, A, n * 2, 3, 1);
			if (why == BY_ANOTHER_IN_FLIGHT) {
				bucket_reject(&b, B, other, 3);
				bucket_over(&b, B, other, ENDED_FAILED);
			}
			if (why == BY_OTHER_LEADERS && n % 10 == 0)
				bucket_lead(&b, n % 20 == 0 ? "n1" : "n2");
			bucket_put(&b, A, n * 2 + 1, 0, n - 1, n);
			bucket_pass(&b, CLOCK_S);
		}
		bucket_end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_WARNING);
	}
}

/* What was pushed out by others, acknowledged or not, is lawfully gone. */
static void
legal_history_pushed_out(void **state)
{
	struct bucket_story b = bucket_begin();
	uint64_t n;

	(void)state;
	bucket_option(&b, "o", "kv-cas.history=3");
	for (n = 1; n <= 5; n++)
		bucket_put(&b, A, n, 0, n - 1, n);
	bucket_put_unknown(&b, B, 1, 0, 5);
	bucket_scan_begin(&b);
	bucket_final(&b, LEADER, 0, 6, ID(B, 1));
	bucket_final(&b, CONSUMER, 0, 4, ID(A, 4));
	bucket_final(&b, CONSUMER, 0, 5, ID(A, 5));
	bucket_final(&b, CONSUMER, 0, 6, ID(B, 1));
	bucket_scan_end(&b);
	bucket_end(&b);
}

/* Longer ago than what is kept: counted, and nothing is concluded. */
static void
legal_very_old(void **state)
{
	struct bucket_story b = bucket_begin();
	uint64_t n;

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put_unknown(&b, B, 1, 0, 1);
	bucket_put(&b, B, 2, 0, 2, 3); /* on what B:1 became, whoever told it */
	for (n = 4; n < 20000; n++)
		bucket_put(&b, A, n, 0, n - 1, n);
	bucket_get(&b, DIRECT, 0, 1, ID(A, 1));
	bucket_get(&b, DIRECT, 0, 2, ID(B, 1));
	bucket_get(&b, DIRECT, 0, 3, ID(A, 3)); /* no longer known to be B:2 */
	b.expected[ANOMALY_STALE_READ][CLASS_DOCUMENTED] = 3;
	bucket_end(&b);
}

/* The request to create it was sent twice: its time may be either's. */
static void
legal_another_creation_time(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	ev.u.scan_begin.created = 2000;
	ev.u.scan_begin.last = 1;
	bucket_feed(&b, 9, &ev);
	bucket_final(&b, LEADER, 0, 1, ID(A, 1));
	bucket_final(&b, CONSUMER, 0, 1, ID(A, 1));
	bucket_scan_end(&b);
	bucket_end(&b);
}

/* So it may be, by a replica that is behind and that nobody leads. */
static void
legal_another_time_not_settled(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event settled = {.type = MESSAGE_SETTLED};
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	bucket_feed(&b, 1, &settled);
	ev.u.scan_begin.created = 2000;
	ev.u.scan_begin.last = 1;
	bucket_feed(&b, 9, &ev);
	bucket_final(&b, LEADER, 0, 2, ID(A, 2));
	bucket_final(&b, CONSUMER, 0, 2, ID(A, 2));
	bucket_scan_end(&b);
	bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_WARNING);
}

/* Nor does it in a cluster that settled, when the audit got no further. */
static void
legal_another_time_in_one_answer(void **state)
{
	struct bucket_story b = bucket_begin();
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	(void)state;
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_put(&b, A, 2, 0, 1, 2);
	ev.u.scan_begin.created = 2000;
	ev.u.scan_begin.last = 1;
	bucket_feed(&b, 9, &ev);
	ev = (struct event){.type = MESSAGE_SCAN_END};
	bucket_feed(&b, 9, &ev);
	bucket_end_with(&b, ANOMALY_LOST_UPDATE, CLASS_WARNING);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(legal_another_time_not_settled),
	    cmocka_unit_test(legal_another_time_in_one_answer),
	    cmocka_unit_test(legal_not_found_under_fault),
	    cmocka_unit_test(legal_another_creation_time),
	    cmocka_unit_test(legal_plain_run),
	    cmocka_unit_test(legal_spurious_rejection),
	    cmocka_unit_test(legal_no_responders_by_a_deposed_leader),
	    cmocka_unit_test(plant_no_responders_by_a_steady_leader),
	    cmocka_unit_test(legal_own_unknown_attempt),
	    cmocka_unit_test(legal_duplicate_ack),
	    cmocka_unit_test(legal_unknown_never_appears),
	    cmocka_unit_test(legal_unknown_appears_late),
	    cmocka_unit_test(legal_unknown_learned_last),
	    cmocka_unit_test(legal_killed_client),
	    cmocka_unit_test(legal_acks_cross),
	    cmocka_unit_test(legal_no_responders),
	    cmocka_unit_test(legal_direct_is_old),
	    cmocka_unit_test(legal_read_beside_update),
	    cmocka_unit_test(legal_leader_was_deposed),
	    cmocka_unit_test(legal_old_while_leaders_change),
	    cmocka_unit_test(legal_old_under_fault),
	    cmocka_unit_test(legal_confirm_is_longer),
	    cmocka_unit_test(legal_old_twice),
	    cmocka_unit_test(legal_clock_stands),
	    cmocka_unit_test(legal_client_stands_still),
	    cmocka_unit_test(legal_old_answer_told_late),
	    cmocka_unit_test(legal_memory_forgets),
	    cmocka_unit_test(legal_read_but_never_acked),
	    cmocka_unit_test(legal_not_settled),
	    cmocka_unit_test(legal_history),
	    cmocka_unit_test(legal_contention),
	    cmocka_unit_test(legal_very_late_ack),
	    cmocka_unit_test(legal_very_old),
	    cmocka_unit_test(legal_refused_by_deposed_leader),
	    cmocka_unit_test(legal_seen_before_it_is_refused),
	    cmocka_unit_test(legal_refused_long_ago),
	    cmocka_unit_test(legal_refused_for_long),
	    cmocka_unit_test(legal_history_pushed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
