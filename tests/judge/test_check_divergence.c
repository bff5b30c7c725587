/* SPDX-License-Identifier: ISC */
/*
 * divergence: copies that stay different convict; copies that agree in the
 * end, that could not be read, or that differ while the cluster is not
 * settled don't.
 */
#include <string.h>

#include "proto/base/text.h"
#include "tests/stories/story.h"

#define COPIES 3

static void
tell_copy(struct story *s, unsigned server, uint32_t round, uint64_t messages,
    uint64_t hash)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_COPY);

	ev->u.copy.round = round;
	ev->u.copy.first = 1;
	ev->u.copy.last = messages;
	ev->u.copy.messages = messages;
	ev->u.copy.hash = hash;
	text_format(
	    ev->u.copy.server, sizeof(ev->u.copy.server), "n%u", server);
}

static void
tell_message(struct story *s, unsigned server, uint64_t seq, uint64_t sum)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_COPY_MESSAGE);

	ev->u.copy_message.seq = seq;
	ev->u.copy_message.sum = sum;
	text_format(ev->u.copy_message.server,
	    sizeof(ev->u.copy_message.server), "n%u", server);
}

static void
tell_end(struct story *s, uint32_t copies, bool agree, uint64_t differed_ns)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_COPIES_END);

	ev->u.copies_end.copies = copies;
	ev->u.copies_end.expected = COPIES;
	ev->u.copies_end.agree = agree;
	ev->u.copies_end.differed_ns = differed_ns;
	text_set(ev->u.copies_end.why, sizeof(ev->u.copies_end.why),
	    copies < COPIES ? "only 2 of 3 copies were found" : "");
}

static void
judged(struct story *s, struct story_verdict *v)
{
	story_judge(s, v);
	story_fini(s);
}

static void
begin(struct story *s)
{
	story_init(s, support_seed());
	s->mayhem = "none";
	story_open(s);
	story_rounds(s, 20);
	story_close(s);
}

/* n2 lacks 7 and has another 9. */
static void
differ(struct story *s, uint32_t round)
{
	unsigned i;

	for (i = 1; i <= COPIES; i++)
		tell_copy(s, i, round, i == 2 ? 19 : 20, i == 2 ? 5 : 4);
}

static void
test_persistent(void **state)
{
	struct story_verdict v;
	struct story s;
	unsigned i;
	uint64_t seq;

	(void)state;
	begin(&s);
	differ(&s, 1);
	differ(&s, 2);
	for (i = 1; i <= COPIES; i++)
		for (seq = 1; seq <= 20; seq++)
			if (i != 2 || seq != 7)
				tell_message(&s, i, seq,
				    i == 2 && seq == 9 ? 99 : 100 + seq);
	tell_end(&s, COPIES, false, 63 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_FAIL);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 1);
	assert_int_equal(story_other_violations(&v, ANOMALY_DIVERGENCE), 0);
	/* It names the sequences and the servers. */
	if (strstr(v.says, "7 (n1 has it, n2 lacks it, n3 has it)") == NULL ||
	    strstr(v.says, "9 (n1 has it, n2 has another, n3 has it)") ==
		NULL ||
	    strstr(v.says, "n2 1..19, 19 messages") == NULL)
		fail_msg("says: %s", v.says);
}

static void
test_agree(void **state)
{
	struct story_verdict v;
	struct story s;
	unsigned i;

	(void)state;
	begin(&s);
	differ(&s, 1); /* one catches up */
	for (i = 1; i <= COPIES; i++)
		tell_copy(&s, i, 2, 20, 4);
	tell_end(&s, COPIES, true, 0);
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_PASS);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 0);
}

static void
test_short(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	differ(&s, 1);
	tell_end(&s, COPIES, false, 59 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 1);
	/* Nobody knows whether they would have agreed. */
	assert_int_equal(v.result.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(v.result.reasons[0], "differed for 59 s"));
}

static void
test_unsettled(void **state)
{
	struct story_verdict v;
	struct event *ev;
	struct story s;

	(void)state;
	begin(&s);
	ev = story_add(&s, STORY_CHAOS, MESSAGE_SETTLED);
	text_set(ev->u.settled.why, sizeof(ev->u.settled.why), "n2");
	differ(&s, 1);
	tell_end(&s, COPIES, false, 90 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 1);
}

/* What could not be read is no difference, and no comfort either. */
static void
test_unread(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	tell_copy(&s, 1, 1, 20, 4);
	tell_copy(&s, 2, 1, 20, 4);
	tell_end(&s, 2, false, 0);
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 0);
	assert_int_equal(v.result.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(v.says, "2 of 3"));
}

/* What the servers tell: n2 lacks a message, n3 the stream. */

static void
tell_state(struct story *s, unsigned server, const char *stream,
    uint64_t messages, bool leads)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_STATE);

	ev->u.state.first = 1;
	ev->u.state.last = 20;
	ev->u.state.messages = messages;
	ev->u.state.has_it = messages > 0;
	ev->u.state.is_replica = 1;
	ev->u.state.leads = leads;
	text_format(
	    ev->u.state.server, sizeof(ev->u.state.server), "n%u", server);
	text_set(ev->u.state.stream, sizeof(ev->u.state.stream), stream);
}

static void
tell_differ(struct story *s, const char *stream, uint64_t differed_ns)
{
	struct event *ev;

	tell_state(s, 1, stream, 20, true);
	tell_state(s, 2, stream, 19, false);
	tell_state(s, 3, stream, 0, false);
	ev = story_add(s, STORY_CHAOS, MESSAGE_STATES_DIFFER);
	ev->u.states_differ.differed_ns = differed_ns;
	text_set(ev->u.states_differ.stream, sizeof(ev->u.states_differ.stream),
	    stream);
}

static void
tell_compared(struct story *s, uint32_t differ, const char *why)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_COMPARED);

	ev->u.compared.servers = COPIES;
	ev->u.compared.streams = 2;
	ev->u.compared.differ = differ;
	text_set(ev->u.compared.why, sizeof(ev->u.compared.why), why);
}

static void
test_states(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	tell_differ(&s, "NB_1_a", 61 * CLOCK_S);
	tell_differ(&s, "NB_1_b", 60 * CLOCK_S);
	tell_compared(&s, 2, "");
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_FAIL);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 2);
	assert_int_equal(story_other_violations(&v, ANOMALY_DIVERGENCE), 0);
	if (strstr(v.says,
		"stream NB_1_a: n1 1..20, 20 messages, leads; n2 1..20, 19 "
		"messages; n3 lacks it") == NULL)
		fail_msg("says: %s", v.says);
}

static void
test_two_leaders(void **state)
{
	struct story_verdict v;
	struct event *ev;
	struct story s;
	unsigned i;

	(void)state;
	begin(&s);
	for (i = 1; i <= COPIES; i++)
		tell_state(&s, i, "NB_1_a", 20, i != 2);
	ev = story_add(&s, STORY_CHAOS, MESSAGE_STATES_DIFFER);
	ev->u.states_differ.differed_ns = 70 * CLOCK_S;
	text_set(ev->u.states_differ.stream, sizeof(ev->u.states_differ.stream),
	    "NB_1_a");
	tell_compared(&s, 1, "");
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 1);
	if (strstr(v.says, "n3 1..20, 20 messages, leads") == NULL)
		fail_msg("says: %s", v.says);
}

/* Of a stream its size is told, too. */
static void
test_sizes(void **state)
{
	struct story_verdict v;
	struct event *ev;
	struct story s;
	unsigned i;

	(void)state;
	begin(&s);
	for (i = 1; i <= COPIES; i++) {
		tell_state(&s, i, "NB_1_a", 20, i == 2);
		ev = story_add(&s, STORY_CHAOS, MESSAGE_STATE_SIZE);
		ev->u.state_size.bytes = i == 3 ? 1000 : 4680;
		ev->u.state_size.subjects = 2;
	}
	ev = story_add(&s, STORY_CHAOS, MESSAGE_STATES_DIFFER);
	ev->u.states_differ.differed_ns = 61 * CLOCK_S;
	text_set(ev->u.states_differ.stream, sizeof(ev->u.states_differ.stream),
	    "NB_1_a");
	tell_compared(&s, 1, "");
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 1);
	if (strstr(v.says,
		"n2 1..20, 20 messages, leads, 4680 bytes, 2 subjects; n3 "
		"1..20, 20 messages, 1000 bytes, 2 subjects") == NULL)
		fail_msg("says: %s", v.says);
}

/* The replicas of a consumer: n2 has another ack floor, n3 lacks it. */
static void
tell_consumer(struct story *s, uint64_t differed_ns)
{
	struct msg_consumer_at *m;
	struct event *ev;
	unsigned i;

	for (i = 1; i <= COPIES; i++) {
		m = &story_add(s, STORY_CHAOS, MESSAGE_CONSUMER_AT)
			 ->u.consumer_at;
		m->delivered = 20;
		m->floor = i == 2 ? 11 : 20;
		m->ack_pending = i == 2 ? 3 : 0;
		m->has_it = i != 3;
		m->is_replica = 1;
		m->leads = i == 1;
		text_format(m->server, sizeof(m->server), "n%u", i);
		text_set(m->name, sizeof(m->name), "NB_b0b_queue/c");
	}
	ev = story_add(s, STORY_CHAOS, MESSAGE_STATES_DIFFER);
	ev->u.states_differ.differed_ns = differed_ns;
	text_set(ev->u.states_differ.stream, sizeof(ev->u.states_differ.stream),
	    "NB_b0b_queue/c");
	tell_compared(s, 0, "");
}

static void
test_consumer(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	tell_consumer(&s, 60 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_FAIL);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 1);
	if (strstr(v.says,
		"of consumer NB_b0b_queue/c: n1 20 delivered, ack floor 20, 0 "
		"awaiting their ack, leads; n2 20 delivered, ack floor 11, 3 "
		"awaiting their ack; n3 lacks it") == NULL)
		fail_msg("says: %s", v.says);
}

static void
test_consumer_for_a_moment(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	tell_consumer(&s, 59 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 1);
}

/* Legal: they agreed in the end, in time, or the cluster did not settle. */
static void
test_states_legal(void **state)
{
	static const uint64_t lasted[] = {1, 59 * CLOCK_S, 90 * CLOCK_S};
	struct story_verdict v;
	struct event *ev;
	struct story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		if (i == 2) {
			ev = story_add(&s, STORY_CHAOS, MESSAGE_SETTLED);
			text_set(
			    ev->u.settled.why, sizeof(ev->u.settled.why), "n2");
		}
		tell_differ(&s, "NB_1_a", lasted[i]);
		tell_compared(&s, 1, "");
		judged(&s, &v);
		assert_int_equal(
		    v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
		assert_int_equal(
		    v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 1);
	}
	begin(&s);
	tell_compared(&s, 0, "");
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_PASS);
}

/* Not compared: no comfort. */
static void
test_states_unknown(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	tell_compared(&s, 0, "n2 does not tell its JetStream state");
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(v.says, "n2 does not tell"));
}

/*
 * Replicas by clocks that were apart: what ages may be gone on one of them. It
 * convicts without ages, or if all clocks were the same.
 */
static void
test_clocks(void **state)
{
	static const struct {
		bool has_ages, is_set;
	} rows[] = {{true, true}, {true, false}, {false, true}};
	struct story_verdict v;
	struct event *ev;
	struct story s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		story_init(&s, support_seed());
		s.mayhem = "none";
		story_open(&s);
		ev = story_add(&s, STORY_SETUP, MESSAGE_CONTENTS);
		ev->u.contents.max_age_ns =
		    rows[i].has_ages ? 3600 * CLOCK_S : 0;
		ev = story_add(&s, STORY_CHAOS, MESSAGE_CLOCK_SET);
		ev->u.clock_set.most_ns =
		    rows[i].is_set ? 3600 * (int64_t)CLOCK_S : 0;
		story_rounds(&s, 20);
		story_close(&s);
		differ(&s, 1);
		tell_message(&s, 1, 7, 107);
		tell_end(&s, COPIES, false, 63 * CLOCK_S);
		tell_differ(&s, "NB_b0b_queue", 61 * CLOCK_S);
		tell_compared(&s, 1, "");
		judged(&s, &v);
		assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION],
		    i == 0 ? 0 : 2);
		assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING],
		    i == 0 ? 2 : 0);
		assert_int_equal(
		    story_other_violations(&v, ANOMALY_DIVERGENCE), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_persistent),
	    cmocka_unit_test(test_agree),
	    cmocka_unit_test(test_short),
	    cmocka_unit_test(test_unsettled),
	    cmocka_unit_test(test_unread),
	    cmocka_unit_test(test_states),
	    cmocka_unit_test(test_two_leaders),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_consumer),
	    cmocka_unit_test(test_consumer_for_a_moment),
	    cmocka_unit_test(test_states_legal),
	    cmocka_unit_test(test_states_unknown),
	    cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
