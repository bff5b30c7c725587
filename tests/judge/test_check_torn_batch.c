/* SPDX-License-Identifier: ISC */
/* Batches that are stored in part, and what may look like it. */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

#define N      5
#define CLIENT 5
#define MANY   60
#define VOWED  CLASS_VIOLATION

static const struct msg_contents plain = {.allow_rollup = 1};

/* What became of the commit, and what the stream holds then. */
struct row {
	enum message_type answer; /* 0: never sent; BATCH: none came */
	unsigned stored;	  /* bits of its messages */
	unsigned apart;		  /* others stand behind this one; 0: none */
	bool is_torn, is_refused_and_done;
};

#define ALL ((1u << N) - 1)

static const struct row rows[] = {
    {MESSAGE_PUBLISH_UNKNOWN, 0, 0, false, false},
    {MESSAGE_PUBLISH_UNKNOWN, ALL, 0, false, false},
    {MESSAGE_PUBLISH_UNKNOWN, ALL & ~1u, 0, true, false},
    {MESSAGE_PUBLISH_UNKNOWN, ALL & ~(1u << (N - 1)), 0, true, false},
    {MESSAGE_PUBLISH_UNKNOWN, ALL & ~4u, 0, true, false},
    {MESSAGE_PUBLISH_UNKNOWN, 1, 0, true, false},
    {MESSAGE_PUBLISH_UNKNOWN, ALL, 2, true, false},
    {MESSAGE_BATCH, 0, 0, false, false}, /* its client died */
    {MESSAGE_BATCH, ALL, 0, false, false},
    {MESSAGE_BATCH, 3, 0, true, false},
    {MESSAGE_PUBLISH_FAIL, 0, 0, false, false},
    {MESSAGE_PUBLISH_FAIL, 2, 0, true, false},
    {MESSAGE_PUBLISH_FAIL, ALL, 0, false, true},
    {0, 0, 0, false, false},
    {0, 1, 0, true, false},
    {0, ALL, 0, true, false},
    {MESSAGE_PUBLISH_OK, ALL, 0, false, false},
};

/* It is stored as the row has it, in its order. */
static void
store(struct store_story *s, const struct row *row, uint64_t first)
{
	unsigned i;

	for (i = 0; i < N; i++) {
		if (row->apart != 0 && i == row->apart)
			store_publish(s, 1);
		if ((row->stored >> i & 1) != 0)
			s->ids[++s->last] = first + i;
	}
}

static void
play(struct store_story *s, const struct row *row)
{
	uint64_t first = store_batch(s, N);

	if (row->answer != 0)
		store_batch_sent(s, first, N);
	if (row->answer == MESSAGE_PUBLISH_OK)
		store_batch_ok(s, first, N);
	else {
		if (row->answer == MESSAGE_BATCH)
			store_dies(s);
		else if (row->answer != 0)
			store_batch_not(s, row->answer, first, N);
		store(s, row, first);
	}
}

/* At the beginning, in the middle and at the end. */
static void
outcomes(void **state)
{
	struct store_story s;
	unsigned before;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (before = 0; before <= MANY; before += MANY / 2) {
			store_begin(&s, &plain);
			store_publish_many(&s, before, 5);
			play(&s, &rows[i]);
			/* Else it is a phantom: no later id was used. */
			store_publish_many(&s, MANY + 1 - before, 5);
			store_pass(&s, 40 * CLOCK_S);
			s.expected[ANOMALY_TORN_BATCH][VOWED] = rows[i].is_torn;
			s.expected[ANOMALY_MISANSWERED][VOWED] =
			    rows[i].is_refused_and_done;
			store_end(&s);
		}
}

/* A leader that was deposed may refuse what another one has done. */
static void
refused_under_fault(void **state)
{
	static const struct row row = {
	    MESSAGE_PUBLISH_FAIL, ALL, 0, false, true};
	struct store_story s;

	(void)state;
	store_begin(&s, &plain);
	store_fault(&s);
	play(&s, &row);
	store_pass(&s, 40 * CLOCK_S);
	store_end_with(&s, ANOMALY_MISANSWERED, CLASS_DOCUMENTED);
}

/* More than it keeps are given up: one that was sent is not forgotten. */
static void
many_given_up(void **state)
{
	static const struct row torn = {
	    MESSAGE_PUBLISH_UNKNOWN, 3, 0, true, false};
	struct store_story s;
	unsigned i;

	(void)state;
	store_begin(&s, &plain);
	play(&s, &torn);
	for (i = 0; i < 65536 + 8; i++)
		(void)store_batch(&s, 2);
	store_publish(&s, 1);
	store_pass(&s, 40 * CLOCK_S);
	store_end_with(&s, ANOMALY_TORN_BATCH, VOWED);
}

/* The answer names another number of messages, or another batch. */
static void
wrong_answers(void **state)
{
	static const struct {
		uint32_t count;
		uint8_t same;
	} wrong[] = {{N - 1, 1}, {N + 1, 1}, {0, 1}, {N, 0}};
	struct store_story s;
	uint64_t first;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, MANY, 5);
		first = store_batch(&s, N);
		store_batch_sent(&s, first, N);
		store_batch_told(
		    &s, first + N - 1, wrong[i].count, wrong[i].same);
		store_batch_ok(&s, first, N);
		store_end_with(&s, ANOMALY_TORN_BATCH, VOWED);
	}
}

/* Of one that was acknowledged each message is judged by itself. */
static void
acked_and_lost(void **state)
{
	struct store_story s;
	uint64_t first;

	(void)state;
	store_begin(&s, &plain);
	first = store_batch(&s, N);
	store_batch_sent(&s, first, N);
	store_batch_ok(&s, first, N);
	store_publish(&s, 1);
	store_drop(&s, 3, 3);
	store_end_with(&s, ANOMALY_LOST, VOWED);
}

/* A leader has shown it, and in the end none of it is there. */
static void
shown_and_gone(void **state)
{
	static const struct msg_look last = {.how = LOOK_LAST};
	static const struct row whole = {
	    MESSAGE_PUBLISH_UNKNOWN, ALL, 0, false, false};
	struct store_story s;

	(void)state;
	store_begin(&s, &plain);
	play(&s, &whole);
	store_look(&s, &last);
	store_shown(&s, 1, N);
	store_looked(&s, 1);
	store_drop(&s, 1, N);
	store_end_with(&s, ANOMALY_TORN_BATCH, VOWED);
}

/* Whatever may remove messages may have removed those of a batch. */
static void
removed(void **state)
{
	static const struct msg_contents limited = {
	    .allow_rollup = 1, .max_messages = 1000};
	static const struct row part = {
	    MESSAGE_PUBLISH_UNKNOWN, 6, 0, false, false};
	struct msg_publish_terms t;
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		store_begin(&s, i == 0 ? &limited : &plain);
		play(&s, &part);
		if (i == 1)
			store_delete(&s, 2);
		else if (i == 2)
			store_limits(&s, 1000, 0);
		t = store_terms(&s, 7);
		if (i == 3)
			t.rolls = ROLLS_SUBJECT;
		store_put(&s, &t);
		store_end(&s);
	}
}

/* What can't be a batch is none: such an event proves nothing. */
static void
odd_batches(void **state)
{
	static const uint32_t counts[] = {0, 1025, UINT32_MAX};
	struct store_story s;
	size_t i;

	(void)state;
	store_begin(&s, &plain);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		store_publish(&s, 1);
		store_batch_begun(&s, s.ids[s.last], counts[i]);
	}
	/* Twice the same. */
	store_batch_begun(&s, s.ids[s.last], 2);
	store_batch_begun(&s, s.ids[s.last], 2);
	store_end_with(&s, ANOMALY_TORN_BATCH, VOWED); /* it has no commit */
}

/* A fast batch, and what becomes of it. */
struct fast_row {
	unsigned stored;		     /* bits of its messages */
	uint32_t upto;			     /* as the answers have it */
	bool lets_gaps, is_other, is_turned; /* turned: two are */
	bool is_torn;
};

static const struct fast_row fast_rows[] = {
    {ALL, N, false, false, false, false},
    {ALL, 0, false, false, false, false}, /* nobody heard of it */
    {0, 0, false, false, false, false},
    {1, 0, false, false, false, false},
    {1, 1, false, false, false, false},
    {ALL & 7u, 2, false, false, false, false}, /* more than was told */
    {5, 0, true, false, false, false},
    {ALL & ~1u, 0, true, false, false, false},
    {0, 1, false, false, false, true},
    {1, 2, false, false, false, true},
    {ALL & ~4u, N, false, false, false, true},
    {ALL & ~(1u << (N - 1)), N, false, false, false, true},
    {ALL & ~4u, 2, false, false, false, true},
    {2, 0, false, false, false, true},
    {ALL & ~1u, 0, false, false, false, true},
    {ALL, N, false, true, false, true},
    {ALL, N + 1, false, false, false, true},
    {ALL, N, false, false, true, true},
    {ALL, 0, true, false, true, true},
};

static void
fast_told(struct store_story *s, const struct fast_row *row, uint64_t last_id)
{
	struct event ev = {.type = MESSAGE_FAST_ACK};

	ev.u.fast_ack = (struct msg_fast_ack){
	    STORE_STREAM, last_id, row->upto, !row->is_other};
	store_feed(s, &ev);
}

static void
play_fast(struct store_story *s, const struct fast_row *row)
{
	uint64_t first = message_id(CLIENT, s->counter + 1), same;
	struct event ev = {.type = MESSAGE_FAST_BATCH};
	unsigned i;

	s->counter += N;
	ev.u.fast_batch = (struct msg_fast_batch){
	    STORE_STREAM, first + N - 1, N, row->lets_gaps};
	store_feed(s, &ev);
	store_batch_sent(s, first, N);
	fast_told(s, row, first + N - 1);
	for (i = 0; i < N; i++) {
		if (i == 2) /* others publish meanwhile */
			store_publish(s, 1);
		if ((row->stored >> i & 1) != 0)
			s->ids[++s->last] = first + i;
	}
	store_batch_not(s, MESSAGE_PUBLISH_UNKNOWN, first, N);
	if (row->is_turned) {
		same = s->ids[s->last];
		s->ids[s->last] = s->ids[s->last - 1];
		s->ids[s->last - 1] = same;
	}
}

static void
fast(void **state)
{
	struct store_story s;
	unsigned before;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(fast_rows) / sizeof(fast_rows[0]); i++)
		for (before = 0; before <= MANY; before += MANY / 2) {
			store_begin(&s, &plain);
			store_publish_many(&s, before, 5);
			play_fast(&s, &fast_rows[i]);
			store_publish_many(&s, MANY + 1 - before, 5);
			store_pass(&s, 40 * CLOCK_S);
			s.expected[ANOMALY_TORN_BATCH][VOWED] =
			    fast_rows[i].is_torn;
			store_end(&s);
		}
}

/* How many messages it has, what it is refused for, and what that is then. */
static const struct reason {
	uint32_t n, code;
	const char *why;
	bool expects, has_fault;
	enum anomaly_class class; /* CLASS_COUNT: right */
} reasons[] = {
    {1001, 10199, "batch is too large: 1000 (10199)", false, false,
	CLASS_COUNT},
    {1000, 10199, "batch is too large: 1000 (10199)", false, false,
	CLASS_COUNT}, /* closed by one that is not stored */
    {999, 10199, "batch is too large: 1000 (10199)", false, false, VOWED},
    {N, 10199, "batch is too large: 1000 (10199)", false, true, VOWED},
    {N, 10199, "batch is too large: 4 (10199)", false, false, CLASS_COUNT},
    {N, 10199, "batch is too large (10199)", false, false, CLASS_COUNT},
    {N, 10071, "wrong last sequence: 9 (10071)", true, false, CLASS_COUNT},
    {N, 10071, "wrong last sequence: 9 (10071)", false, false, VOWED},
    {N, 10164, "wrong last sequence (10164)", false, true, VOWED},
    {N, 10201, "duplicate message id (10201)", false, false, VOWED},
    {N, 10201, "duplicate message id (10201)", false, true, CLASS_WARNING},
    {N, 10176, "incomplete and was abandoned (10176)", false, false,
	CLASS_COUNT},
};

static void
play_reason(struct store_story *s, const struct reason *r)
{
	struct msg_publish_terms terms = store_terms(s, 1);
	uint64_t first;
	struct event ev;
	uint32_t i;

	s->counter--; /* its id is not used */
	first = store_batch(s, r->n);
	for (i = 0; i < r->n; i++) {
		terms.id = first + i;
		terms.expects_last = i == 0 && r->expects;
		terms.last = 3; /* it is another */
		store_sent(s, &terms);
	}
	for (i = 0; i < r->n; i++) {
		ev = (struct event){.type = MESSAGE_PUBLISH_FAIL};
		ev.u.publish_fail.id = first + i;
		ev.u.publish_fail.attempt = 1;
		ev.u.publish_fail.code = r->code;
		text_set(ev.u.publish_fail.why, sizeof(ev.u.publish_fail.why),
		    r->why);
		store_feed(s, &ev);
		ev = (struct event){.type = MESSAGE_PUBLISH_END};
		ev.u.publish_end.id = first + i;
		ev.u.publish_end.outcome = ENDED_FAILED;
		store_feed(s, &ev);
	}
}

static void
refused_for_a_reason(void **state)
{
	struct store_story s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, 9, 1);
		if (reasons[i].has_fault)
			store_fault(&s);
		play_reason(&s, &reasons[i]);
		store_publish(&s, 1);
		store_pass(&s, 40 * CLOCK_S);
		if (reasons[i].class != CLASS_COUNT)
			s.expected[ANOMALY_MISANSWERED][reasons[i].class] = 1;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fast),
	    cmocka_unit_test(refused_for_a_reason),
	    cmocka_unit_test(outcomes),
	    cmocka_unit_test(refused_under_fault),
	    cmocka_unit_test(many_given_up),
	    cmocka_unit_test(wrong_answers),
	    cmocka_unit_test(acked_and_lost),
	    cmocka_unit_test(shown_and_gone),
	    cmocka_unit_test(removed),
	    cmocka_unit_test(odd_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
