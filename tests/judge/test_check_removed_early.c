/* SPDX-License-Identifier: ISC */
/*
 * Work queues and interest streams with consumers that come and go: what they
 * drop that had to stay, and keep that nobody takes. Each story has its legal
 * twins.
 */
#include "proto/base/text.h"
#include "tests/stories/churn_story.h"

#define VOWED  CLASS_VIOLATION
#define BIT(n) (UINT64_C(1) << ((n)-1))
#define TOLD   41 /* the message that is gone */

enum twist {
	TWIST_NONE,
	TWIST_ACKED,	/* its client acked it */
	TWIST_UNKNOWN,	/* ... and heard nothing of that */
	TWIST_TERMED,	/* ... termed it */
	TWIST_NAKED,	/* ... refused it */
	TWIST_LEFT,	/* ... had it, and did nothing */
	TWIST_DELETED,	/* the consumer was asked to go */
	TWIST_OVER,	/* nobody knows whether it is there */
	TWIST_NARROWED, /* it does not take that subject any more */
	TWIST_MAYBE,	/* that was asked for, without an answer */
	TWIST_UNSETTLED,
	TWIST_STORED /* it is there */
};

struct row {
	const char *name;
	uint8_t retention;
	enum twist twist;
	bool is_unheld; /* no replica was seen to have it */
	struct msg_consumer_terms terms;
	unsigned told, warned;
};

static void
tell_held(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_CONSUMER_HELD};

	ev.u.consumer_held.consumer = CHURN_CONSUMER;
	store_feed(&s->store, &ev);
}

static void
tell_planned(struct churn_story *s, const char *mode)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = 1;
	text_set(
	    ev.u.fault_planned.mode, sizeof(ev.u.fault_planned.mode), mode);
	store_feed(&s->store, &ev);
}

static void
tell_healed(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_FAULT_HEALED};

	ev.u.fault_healed.fault = 1;
	ev.u.fault_healed.ok = 1;
	store_feed(&s->store, &ev);
	churn_pass(s, 10 * CLOCK_S);
}

static void
tell_answer(struct churn_story *s, uint8_t how)
{
	struct event ev = {.type = MESSAGE_ANSWER_INVOKE};

	ev.u.answer_invoke =
	    (struct msg_answer_invoke){.consumer = CHURN_CONSUMER,
		.seq = TOLD,
		.consumer_seq = s->numbers[TOLD],
		.id = s->store.ids[TOLD],
		.attempt = 1,
		.how = how};
	store_feed(&s->store, &ev);
	ev = (struct event){.type = MESSAGE_ANSWER_OK};
	ev.u.answer_ok = (struct msg_answer_ok){
	    CHURN_CONSUMER, TOLD, s->numbers[TOLD], s->store.ids[TOLD], how};
	store_feed(&s->store, &ev);
}

static void
tell_unknown_ack(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_ACK_INVOKE};

	ev.u.ack_invoke = (struct msg_ack_invoke){
	    CHURN_CONSUMER, TOLD, s->numbers[TOLD], s->store.ids[TOLD], 1};
	store_feed(&s->store, &ev);
	ev = (struct event){.type = MESSAGE_ACK_UNKNOWN};
	ev.u.ack_unknown = (struct msg_ack_unknown){.consumer = CHURN_CONSUMER,
	    .seq = TOLD,
	    .consumer_seq = s->numbers[TOLD],
	    .id = s->store.ids[TOLD],
	    .gave_up = 1};
	store_feed(&s->store, &ev);
}

static void
twist(struct churn_story *s, enum twist twist)
{
	if (twist >= TWIST_ACKED && twist <= TWIST_LEFT)
		churn_deliver(s, TOLD, 1);
	if (twist == TWIST_ACKED)
		churn_ack(s, TOLD);
	else if (twist == TWIST_UNKNOWN)
		tell_unknown_ack(s);
	else if (twist == TWIST_TERMED || twist == TWIST_NAKED)
		tell_answer(
		    s, twist == TWIST_TERMED ? ANSWER_TERM : ANSWER_NAK);
	else if (twist == TWIST_DELETED)
		churn_delete(s);
	else if (twist == TWIST_OVER)
		churn_over(s);
	else if (twist == TWIST_NARROWED || twist == TWIST_MAYBE) {
		s->terms.subjects = BIT(2);
		churn_answer(s,
		    twist == TWIST_MAYBE ? MESSAGE_CHANGE_UNKNOWN
					 : MESSAGE_CHANGE_OK,
		    churn_ask(s, EDIT_UPDATE));
	} else if (twist == TWIST_UNSETTLED) {
		struct event ev = {.type = MESSAGE_SETTLED};

		store_feed(&s->store, &ev); /* it is not ok */
	}
}

static void
play(const struct row *r)
{
	struct churn_story s;

	print_message("%s\n", r->name);
	churn_begin(&s);
	store_retain(&s.store, r->retention);
	store_purge(&s.store, 40);
	s.terms = r->terms;
	s.terms.consumer = CHURN_CONSUMER;
	s.terms.kind = KIND_PULL;
	s.terms.is_durable = r->terms.inactive_ns == 0;
	churn_create(&s);
	churn_pass(&s, 10 * CLOCK_S);
	if (!r->is_unheld)
		tell_held(&s);
	churn_pass(&s, 10 * CLOCK_S);
	store_publish(&s.store, 1); /* TOLD */
	churn_pass(&s, 10 * CLOCK_S);
	twist(&s, r->twist);
	churn_pass(&s, 60 * CLOCK_S);
	if (r->twist != TWIST_STORED)
		store_drop(&s.store, TOLD, TOLD);
	s.store.expected[ANOMALY_REMOVED_EARLY][VOWED] = r->told;
	s.store.expected[ANOMALY_REMOVED_EARLY][CLASS_WARNING] = r->warned;
	churn_end(&s);
}

#define QUEUE	 RETENTION_WORKQUEUE
#define INTEREST RETENTION_INTEREST

static void
kept(void **state)
{
	static const struct row rows[] = {
	    {"queue: never taken", QUEUE, TWIST_NONE, .told = 1},
	    {"queue: taken, and left alone", QUEUE, TWIST_LEFT, .told = 1},
	    {"queue: refused", QUEUE, TWIST_NAKED, .told = 1},
	    {"queue: its consumer was deleted", QUEUE, TWIST_DELETED,
		.told = 1},
	    {"queue: nobody knows of it", QUEUE, TWIST_OVER, .told = 1},
	    {"queue: not settled", QUEUE, TWIST_UNSETTLED, .warned = 1},
	    {"queue, legal: acked", QUEUE, TWIST_ACKED, .told = 0},
	    {"queue, legal: perhaps", QUEUE, TWIST_UNKNOWN, .told = 0},
	    {"queue, legal: termed", QUEUE, TWIST_TERMED, .told = 0},
	    {"queue, legal: there", QUEUE, TWIST_STORED, .told = 0},
	    {"interest: never taken", INTEREST, TWIST_NONE, .told = 1},
	    {"interest: taken, and left alone", INTEREST, TWIST_LEFT,
		.told = 1},
	    {"interest: refused", INTEREST, TWIST_NAKED, .told = 1},
	    {"interest: at MaxDeliver", INTEREST, TWIST_LEFT,
		.terms = {.max_deliver = 1}, .told = 1},
	    {"interest: not settled", INTEREST, TWIST_UNSETTLED, .warned = 1},
	    {"interest: it may begin anew, as far as was seen", INTEREST,
		TWIST_NONE, .terms = {.policy = POLICY_NEW}, .warned = 1},
	    {"interest, legal: acked", INTEREST, TWIST_ACKED, .told = 0},
	    {"interest, legal: perhaps", INTEREST, TWIST_UNKNOWN, .told = 0},
	    {"interest, legal: termed", INTEREST, TWIST_TERMED, .told = 0},
	    {"interest, legal: there", INTEREST, TWIST_STORED, .told = 0},
	    {"interest, legal: deleted", INTEREST, TWIST_DELETED, .told = 0},
	    {"interest, legal: over", INTEREST, TWIST_OVER, .told = 0},
	    {"interest, legal: other filters", INTEREST, TWIST_NARROWED,
		.told = 0},
	    {"interest, legal: perhaps others", INTEREST, TWIST_MAYBE,
		.told = 0},
	    {"interest, legal: not its subject", INTEREST, TWIST_NONE,
		.terms = {.subjects = BIT(2)}},
	    {"interest, legal: a replica may lack it", INTEREST, TWIST_NONE,
		.is_unheld = true},
	    {"interest, legal: it may go", INTEREST, TWIST_NONE,
		.terms = {.inactive_ns = CLOCK_S}},
	    {"interest, legal: in memory", INTEREST, TWIST_NONE,
		.terms = {.is_memory = 1}},
	    {"interest, legal: one ack is for all", INTEREST, TWIST_NONE,
		.terms = {.acks = ACK_POLICY_ALL}},
	    {"interest, legal: without acks", INTEREST, TWIST_NONE,
		.terms = {.acks = ACK_POLICY_NONE}},
	    {"interest, legal: begins behind it", INTEREST, TWIST_NONE,
		.terms = {.policy = POLICY_BY_SEQ, .start_seq = TOLD + 1}},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		play(&rows[i]);
}

/* A stream that drops what is acked, with a consumer that all replicas know. */
static void
begin_held(struct churn_story *s, uint8_t retention)
{
	churn_begin(s);
	store_retain(&s->store, retention);
	store_purge(&s->store, 40);
	churn_create(s);
	tell_held(s);
	churn_pass(s, 10 * CLOCK_S);
}

/* A server that joins, or comes back with nothing, may not know a consumer. */
static void
newcomer(void **state)
{
	static const char *const modes[] = {
	    "peer_remove", "wipe_store", "random_hard_kill"};
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		begin_held(&s, INTEREST);
		tell_planned(&s, modes[i / 2]);
		if (i % 2 == 1)
			tell_healed(&s);
		store_publish(&s.store, 1);
		if (i % 2 == 0)
			tell_healed(&s);
		churn_pass(&s, 60 * CLOCK_S);
		store_drop(&s.store, TOLD, TOLD);
		s.store.expected[ANOMALY_REMOVED_EARLY][VOWED] =
		    i % 2 == 1 || i / 2 == 2;
		churn_end(&s);
	}
}

/* What is on its way when the server joins may be stored behind that. */
static void
on_its_way(void **state)
{
	struct msg_publish_terms terms;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin_held(&s, INTEREST);
		terms = store_terms(&s.store, 1);
		store_sent(&s.store, &terms);
		if (i == 1) /* it was stored before */
			store_acked(&s.store, terms.id, TOLD, false);
		tell_planned(&s, "peer_remove");
		if (i == 0)
			store_acked(&s.store, terms.id, TOLD, false);
		tell_healed(&s);
		churn_pass(&s, 60 * CLOCK_S);
		store_drop(&s.store, TOLD, TOLD);
		s.store.expected[ANOMALY_REMOVED_EARLY][VOWED] = i;
		churn_end(&s);
	}
}

/* Before the consumer was seen everywhere; another leader of "the new". */
static void
unsure(void **state)
{
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		churn_begin(&s);
		store_retain(&s.store, RETENTION_INTEREST);
		store_purge(&s.store, 40);
		s.terms.policy = i == 0 ? POLICY_ALL : POLICY_NEW;
		churn_create(&s);
		churn_pass(&s, 10 * CLOCK_S);
		if (i == 0)
			store_publish(&s.store, 1);
		tell_held(&s);
		churn_pass(&s, 10 * CLOCK_S);
		if (i != 0)
			store_publish(&s.store, 1);
		if (i == 2) { /* a quorum knows where it begins */
			store_publish(&s.store, 1);
			churn_deliver(&s, TOLD, 1);
			churn_ack(&s, TOLD);
		}
		s.leader = "n1";
		churn_pass(&s, 20 * CLOCK_S);
		store_drop(&s.store, TOLD, s.store.last);
		s.store.expected[ANOMALY_REMOVED_EARLY][CLASS_WARNING] = i == 1;
		s.store.expected[ANOMALY_REMOVED_EARLY][VOWED] = i == 2;
		churn_end(&s);
	}
}

/* It has nothing left, and one message neither came nor was ended. */
static void
drained(void **state)
{
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		begin_held(&s, i < 3 ? QUEUE : INTEREST);
		store_publish_many(&s.store, 40, 1);
		store_drop(&s.store, TOLD, 80);
		if (i % 3 != 0)
			churn_deliver(&s, TOLD, 1);
		if (i % 3 == 2)
			churn_ack(&s, TOLD);
		churn_take(&s, TOLD + 1, 80);
		churn_pass(&s, 11 * CLOCK_S);
		churn_drained(&s);
		churn_drained(&s);
		s.store.expected[ANOMALY_SKIPPED][VOWED] = i % 3 == 0;
		s.store.expected[ANOMALY_NOT_REDELIVERED][VOWED] = i % 3 == 1;
		s.store.expected[ANOMALY_REMOVED_EARLY][VOWED] = i % 3 != 2;
		churn_end(&s);
	}
}

/* It was changed to take, behind where it had come, what it took not always. */
static void
regained(void **state)
{
	struct churn_story s;
	uint64_t id;
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		churn_begin(&s);
		store_retain(&s.store, QUEUE);
		store_purge(&s.store, 40);
		s.terms.subjects = i == 4 ? BIT(1) : BIT(2);
		churn_create(&s);
		if (i != 2 && i != 3)
			store_publish(&s.store, 1);
		s.terms.subjects = i == 1 ? BIT(2) | BIT(3) : BIT(1) | BIT(2);
		id = churn_ask(&s, EDIT_UPDATE);
		if (i == 3)
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN, id);
		else
			churn_made(&s, id);
		if (i == 2 || i == 3)
			store_publish(&s.store, 1);
		store_drop(&s.store, TOLD, TOLD);
		i == 0 || i == 3
		    ? s.store.expected[ANOMALY_REMOVED_EARLY][CLASS_WARNING]++
		    : s.store.expected[ANOMALY_REMOVED_EARLY][VOWED]++;
		churn_end(&s);
	}
}

/* The servers tell different things of the stream, or of the consumer. */
static void
differs(void **state)
{
	struct event ev;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 7; i++) {
		churn_begin(&s);
		store_retain(&s.store, i == 0		 ? RETENTION_LIMITS
				       : i == 1 || i > 4 ? INTEREST
							 : QUEUE);
		store_purge(&s.store, 40);
		s.terms.subjects = BIT(1);
		churn_create(&s);
		s.terms.subjects = BIT(2);
		if (i == 3)
			churn_update(&s);
		if (i > 4) { /* each replica has to have it, and one has not */
			tell_held(&s);
			churn_pass(&s, 10 * CLOCK_S);
			store_publish(&s.store, 1);
			ev = (struct event){.type = MESSAGE_STATE};
			ev.u.state.has_it = ev.u.state.is_replica = 1;
			ev.u.state.messages = i == 6;
			text_set(
			    ev.u.state.stream, sizeof(ev.u.state.stream), "s0");
			store_feed(&s.store, &ev);
		}
		ev = (struct event){.type = MESSAGE_SETTLED};
		ev.u.settled.ok = 1;
		store_feed(&s.store, &ev);
		ev = (struct event){.type = MESSAGE_STATES_DIFFER};
		ev.u.states_differ.differed_ns = 61 * CLOCK_S;
		text_set(ev.u.states_differ.stream,
		    sizeof(ev.u.states_differ.stream), i == 4 ? "s0/c1" : "s0");
		store_feed(&s.store, &ev);
		churn_end_with(&s, ANOMALY_DIVERGENCE,
		    i == 1 || i == 3 || i == 6 ? CLASS_WARNING : VOWED);
	}
}

/* The ack is told before the publish is confirmed: it may be gone. */
static void
overtaken(void **state)
{
	struct msg_publish_terms terms;
	struct churn_story s;

	(void)state;
	churn_begin(&s);
	store_retain(&s.store, QUEUE);
	store_purge(&s.store, 40);
	churn_create(&s);
	churn_pass(&s, 10 * CLOCK_S);
	terms = store_terms(&s.store, 1);
	store_sent(&s.store, &terms);
	s.store.ids[TOLD] = terms.id;
	churn_deliver(&s, TOLD, 1);
	tell_unknown_ack(&s);
	s.store.last = TOLD;
	store_acked(&s.store, terms.id, TOLD, false);
	store_drop(&s.store, TOLD, TOLD);
	churn_pass(&s, 120 * CLOCK_S);
	churn_end(&s);
}

/* With interest a subject that nobody ever took is not stored. */
static void
unwanted(void **state)
{
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		churn_begin(&s);
		if (i != 1)
			store_retain(&s.store, i == 2 ? QUEUE : INTEREST);
		s.terms.subjects = BIT(1) | BIT(2) | BIT(3) | BIT(4);
		churn_create(&s);
		store_purge(&s.store, 40);
		if (i == 3) { /* asked for, and never confirmed */
			s.terms.subjects |= BIT(5);
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_UPDATE));
		}
		churn_pass(&s, 10 * CLOCK_S);
		store_publish(&s.store, 5);
		s.store.expected[ANOMALY_NOT_REMOVED][VOWED] = i == 0;
		churn_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(kept),
	    cmocka_unit_test(newcomer),
	    cmocka_unit_test(on_its_way),
	    cmocka_unit_test(unsure),
	    cmocka_unit_test(drained),
	    cmocka_unit_test(regained),
	    cmocka_unit_test(differs),
	    cmocka_unit_test(overtaken),
	    cmocka_unit_test(unwanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
