/* SPDX-License-Identifier: ISC */
/*
 * Must fail, and must not: deliveries that are answered otherwise than by an
 * ack. Each row is a short history of one durable, with one thing in it that
 * a server must not do, or that it may.
 */
#include "tests/stories/pipe_story.h"

#include <string.h>

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "tests/stories/story.h"
#include "tests/support.h"

#define WAIT_NS (5 * CLOCK_S) /* of the story's durables */

static void
sink(void *arg, struct event *ev)
{
	assert_int_equal(judge_event(arg, ev), 0);
}

/* The same leader is seen again, twice, and time passes. */
static void
still_led(struct pipe_story *s)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		pipe_pass(s, CLOCK_S);
		pipe_leaders(s, "n1");
	}
	pipe_pass(s, 6 * CLOCK_S);
}

static uint64_t
publish(struct pipe_story *s)
{
	uint64_t id = pipe_new_id(s, 0), seq;

	pipe_invoke(s, id, 1);
	seq = pipe_store(s, id);
	pipe_ok(s, id, 1, seq, false);
	return seq;
}

static void
deliver_again(struct pipe_story *s, struct pipe_parcel *p)
{
	p->delivered++;
	p->number = ++s->durable[0].number;
	pipe_deliver(s, 0, 0, p);
}

/* A message that is published and delivered; its answer is to be told. */
static struct pipe_parcel
deliver_new(struct pipe_story *s)
{
	struct pipe_parcel p = {.delivered = 0};

	pipe_catch_up(s);
	p.seq = publish(s);
	s->durable[0].cursor = s->last;
	deliver_again(s, &p);
	return p;
}

static void
answer(struct pipe_story *s, const struct pipe_parcel *p, enum message_word how,
    uint64_t delay_ns)
{
	pipe_answer(s, 0, p, how, delay_ns);
	pipe_acks_begin(s, 0, 0, 1);
}

static void
answer_confirmed(struct pipe_story *s, const struct pipe_parcel *p,
    enum message_word how, uint64_t delay_ns)
{
	answer(s, p, how, delay_ns);
	pipe_answer_end(s, 0, p, MESSAGE_ANSWER_OK, how);
}

static void
ack(struct pipe_story *s, const struct pipe_parcel *p)
{
	pipe_acks_begin(s, 0, 0, 1);
	pipe_ack_ok(s, 0, 0, p);
}

static void
legal_nak(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);
	unsigned i;

	for (i = 0; i < (s->max_deliver == 0 ? 10 : 1); i++) {
		answer_confirmed(s, &p, ANSWER_NAK, 0);
		deliver_again(s, &p);
	}
	ack(s, &p);
}

/* Not all was acked at once; one leader, and no fault for long. */
static void
calm(struct pipe_story *s)
{
	legal_nak(s);
	pipe_pass(s, 25 * CLOCK_S);
	pipe_leaders(s, "n1");
}

static void
advise(struct pipe_story *s, uint64_t seq, uint64_t deliveries)
{
	struct event ev;

	pipe_event(PIPE_READER, MESSAGE_ADVISORY, &ev);
	ev.u.advisory.seq = seq;
	ev.u.advisory.deliveries = deliveries;
	ev.u.advisory.how = ANSWER_NOTHING;
	pipe_emit(s, &ev);
}

static void
fault(struct pipe_story *s)
{
	struct event ev;

	pipe_event(1, MESSAGE_FAULT_PLANNED, &ev);
	ev.u.fault_planned.fault = ++s->fault;
	pipe_emit(s, &ev);
	pipe_event(1, MESSAGE_FAULT_HEALED, &ev);
	ev.u.fault_healed.fault = s->fault;
	ev.u.fault_healed.ok = 1;
	pipe_emit(s, &ev);
}

/* what a server must not do */

static void
plant_after_term(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s), more;
	unsigned i;

	answer_confirmed(s, &p, ANSWER_TERM, 0);
	more = deliver_new(s);
	ack(s, &more);
	deliver_again(s, &p);
	ack(s, &p);
	for (i = 0; i < 3; i++) {
		more = deliver_new(s);
		ack(s, &more);
	}
}

/* It was asked for a delay, and comes when half of that is over. */
static void
come_early(struct pipe_story *s, enum message_word how)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	pipe_pass(s, 3 * CLOCK_S / 2);
	answer_confirmed(s, &p, how, how == ANSWER_NAK ? 6 * CLOCK_S : 0);
	pipe_pass(s, 16 * CLOCK_S / 5);
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

static void
plant_delay(struct pipe_story *s)
{
	come_early(s, ANSWER_NAK);
}

static void
plant_progress(struct pipe_story *s)
{
	come_early(s, ANSWER_PROGRESS);
}

/* "In progress", said again in time, counts from then. */
static void
plant_progress_again(struct pipe_story *s)
{
	struct pipe_parcel p;
	unsigned i;

	calm(s);
	p = deliver_new(s);
	for (i = 0; i < 3; i++) {
		answer_confirmed(s, &p, ANSWER_PROGRESS, 0);
		pipe_pass(s, 3 * CLOCK_S);
	}
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

/* Time passes, in which the same leader is told again and again. */
static void
led_for(struct pipe_story *s, uint64_t ns)
{
	uint64_t until = s->now_ns + ns;

	while (s->now_ns < until) {
		pipe_leaders(s, "n1");
		pipe_pass(s, CLOCK_S);
	}
}

static void
never_again(struct pipe_story *s, enum message_word how, uint64_t delay_ns)
{
	struct pipe_parcel p = deliver_new(s);

	answer_confirmed(s, &p, how, delay_ns);
	led_for(s, delay_ns + 32 * CLOCK_S + FAULTS_LAG_NS);
}

static void
plant_nak_lost(struct pipe_story *s)
{
	never_again(s, ANSWER_NAK, 0);
}

static void
plant_delay_lost(struct pipe_story *s)
{
	never_again(s, ANSWER_NAK, 20 * CLOCK_S);
}

static void
plant_nothing_lost(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);

	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, 32 * CLOCK_S + FAULTS_LAG_NS);
}

/* MaxDeliver leaves it deliveries, and nothing was disturbed. */
static void
plant_limited_lost(struct pipe_story *s)
{
	calm(s);
	plant_nak_lost(s);
}

/* Nobody acked it, and its deliveries are over: it has to be there. */
static struct pipe_parcel
use_up(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);

	answer_confirmed(s, &p, ANSWER_NAK, 0);
	deliver_again(s, &p);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, WAIT_NS);
	deliver_again(s, &p);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, WAIT_NS);
	return p;
}

static void
plant_used_up_gone(struct pipe_story *s)
{
	struct pipe_parcel p = use_up(s); /* the audit does not read it */

	advise(s, p.seq, 3);
	pipe_pass(s, 60 * CLOCK_S);
}

static void
plant_term_left(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);

	answer_confirmed(s, &p, ANSWER_TERM, 0);
	s->stored[p.seq].found = PIPE_LEFT;
}

static void
plant_too_often(struct pipe_story *s)
{
	struct pipe_parcel p = use_up(s);

	deliver_again(s, &p);
	ack(s, &p);
}

/* Its only durable goes on behind it. */
static void
plant_limited_skipped(struct pipe_story *s)
{
	calm(s);
	(void)publish(s); /* whichever sequence */
	s->durable[0].cursor = s->last;
	led_for(s, 15 * CLOCK_S);
}

/* Nothing awaits an ack but what was used up. */
static void
twist_acks(uint32_t durable, struct msg_consumer_info *m)
{
	(void)durable;
	m->ack_pending = 2;
	m->lasted_ns = m->tried_ns = 61 * CLOCK_S;
}

static void
plant_limited_acks(struct pipe_story *s)
{
	(void)use_up(s); /* one that may await it */
	s->twist = twist_acks;
}

/* what it may do */

static void
legal_delay(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	answer_confirmed(s, &p, ANSWER_NAK, 6 * CLOCK_S);
	pipe_pass(s, 6 * CLOCK_S - CLOCK_S / 20);
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

/* A new leader does not know of the delay. */
static void
legal_delay_unled(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	answer_confirmed(s, &p, ANSWER_NAK, 6 * CLOCK_S);
	pipe_leaders(s, "n2");
	pipe_pass(s, 5 * CLOCK_S);
	deliver_again(s, &p);
	ack(s, &p);
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	still_led(s);
}

/* The server's own wait may have been over when the answer came. */
static void
legal_delay_late(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	pipe_pass(s, WAIT_NS - CLOCK_S / 4);
	answer_confirmed(s, &p, ANSWER_NAK, 6 * CLOCK_S);
	pipe_pass(s, CLOCK_S / 2);
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

/* Of an earlier delivery somebody says something else, which counts as well. */
static void
delay_beside(struct pipe_story *s, enum message_word how)
{
	struct pipe_parcel p, first;

	calm(s);
	first = p = deliver_new(s);
	if (how == ANSWER_PROGRESS)
		answer_confirmed(s, &first, how, 0);
	pipe_pass(s, WAIT_NS);
	deliver_again(s, &p);
	answer_confirmed(s, &p, ANSWER_NAK, 8 * CLOCK_S);
	answer_confirmed(s, &first, how, 0);
	pipe_pass(s, how == ANSWER_NAK ? CLOCK_S / 10 : WAIT_NS);
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

static void
legal_delay_nakked(struct pipe_story *s)
{
	delay_beside(s, ANSWER_NAK);
}

static void
legal_delay_progress(struct pipe_story *s)
{
	delay_beside(s, ANSWER_PROGRESS);
}

/* Each earlier delivery was nakked, or is not answered: that is over. */
static void
plant_delay_third(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	answer_confirmed(s, &p, ANSWER_NAK, 0);
	deliver_again(s, &p);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, WAIT_NS);
	(void)publish(s); /* so that it is known when the third is sent */
	pipe_catch_up(s);
	deliver_again(s, &p);
	answer_confirmed(s, &p, ANSWER_NAK, 8 * CLOCK_S);
	pipe_pass(s, 6 * CLOCK_S);
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

/* The answer was not confirmed: it may not have come. */
static void
legal_delay_unheard(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	pipe_pass(s, CLOCK_S);
	answer(s, &p, ANSWER_NAK, 60 * CLOCK_S);
	pipe_answer_end(s, 0, &p, MESSAGE_ANSWER_UNKNOWN, ANSWER_NAK);
	pipe_pass(s, WAIT_NS);
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

static void
legal_progress(struct pipe_story *s)
{
	struct pipe_parcel p;
	unsigned i;

	calm(s);
	p = deliver_new(s);
	for (i = 0; i < 3; i++) {
		answer_confirmed(s, &p, ANSWER_PROGRESS, 0);
		pipe_pass(s, WAIT_NS / 2);
	}
	ack(s, &p);
	p = deliver_new(s);
	answer_confirmed(s, &p, ANSWER_PROGRESS, 0);
	pipe_pass(s, WAIT_NS);
	deliver_again(s, &p);
	ack(s, &p);
	still_led(s);
}

/* Two minutes of it, and each time it is a worker that lets it wait. */
static void
legal_patience(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);
	unsigned i;

	for (i = 0; i < 24; i++) {
		answer(s, &p, ANSWER_NOTHING, 0);
		pipe_pass(s, WAIT_NS);
		deliver_again(s, &p);
	}
	ack(s, &p);
}

static void
legal_used_up(struct pipe_story *s)
{
	struct pipe_parcel p = use_up(s);

	advise(s, p.seq, 3);
	s->stored[p.seq].found =
	    s->retention == RETENTION_LIMITS ? PIPE_STORED : PIPE_LEFT;
	pipe_pass(s, 60 * CLOCK_S);
}

/* The ack of its last delivery may have been committed: either will do. */
static void
legal_used_up_acked(struct pipe_story *s)
{
	struct pipe_parcel p = use_up(s);

	pipe_kill(s, 0, 1);
	s->durable[0].number++;
	p = deliver_new(s);
	answer_confirmed(s, &p, ANSWER_NAK, 0);
	deliver_again(s, &p);
	deliver_again(s, &p);
	pipe_acks_begin(s, 0, 0, 1);
	pipe_ack_unknown(s, 0, 0, &p);
	s->stored[p.seq - 1].found = PIPE_LEFT;
	pipe_pass(s, 60 * CLOCK_S);
}

/* Its last deliveries were lost with a server that ended. */
static void
legal_limited_lost(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	answer_confirmed(s, &p, ANSWER_NAK, 0);
	fault(s);
	pipe_pass(s, 90 * CLOCK_S);
}

/* The same, with a leader that was replaced by another. */
static void
legal_limited_unled(struct pipe_story *s)
{
	calm(s);
	(void)deliver_new(s); /* its reader says nothing of it yet */
	pipe_leaders(s, "n2");
	led_for(s, 90 * CLOCK_S);
}

/* The same, of one that was never received. */
static void
legal_limited_unreceived(struct pipe_story *s)
{
	calm(s);
	(void)publish(s); /* whichever sequence */
	s->durable[0].cursor = s->last;
	fault(s);
	pipe_pass(s, 90 * CLOCK_S);
}

/* Only the advisory says that its last delivery, which is lost, was sent. */
static void
legal_advised(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, 3 * WAIT_NS);
	advise(s, p.seq, 3);
	pipe_pass(s, 60 * CLOCK_S);
}

/* Nobody heard whether it was ended: it never comes again, or it does. */
static void
legal_term_unheard(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);

	answer(s, &p, ANSWER_TERM, 0);
	pipe_answer_end(s, 0, &p, MESSAGE_ANSWER_UNKNOWN, ANSWER_TERM);
	pipe_pass(s, 60 * CLOCK_S);
	p = deliver_new(s);
	answer(s, &p, ANSWER_TERM, 0);
	pipe_answer_end(s, 0, &p, MESSAGE_ANSWER_UNKNOWN, ANSWER_TERM);
	pipe_pass(s, WAIT_NS);
	deliver_again(s, &p);
	ack(s, &p);
}

/* The first ack was committed after all, when the second had been sent. */
static void
legal_ack_unheard(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);

	pipe_acks_begin(s, 0, 0, 1);
	pipe_ack_unknown(s, 0, 0, &p);
	pipe_pass(s, WAIT_NS);
	deliver_again(s, &p);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, 60 * CLOCK_S);
}

/* Not all of it, but as warnings. */

static void
warn_advisory(struct pipe_story *s)
{
	struct pipe_parcel p = deliver_new(s);

	advise(s, p.seq, 2);
	ack(s, &p);
}

/* The third delivery comes when only the first wait can be over. */
static void
warn_backoff(struct pipe_story *s)
{
	struct pipe_parcel p;

	calm(s);
	p = deliver_new(s);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, CLOCK_S);
	deliver_again(s, &p);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, CLOCK_S);
	deliver_again(s, &p);
	ack(s, &p);
}

static void
legal_backoff(struct pipe_story *s)
{
	struct pipe_parcel p;
	unsigned i;

	calm(s);
	p = deliver_new(s);
	for (i = 0; i < 4; i++) {
		answer(s, &p, ANSWER_NOTHING, 0);
		pipe_pass(s, (i == 0 ? 1 : 3) * CLOCK_S);
		deliver_again(s, &p);
	}
	ack(s, &p);
	/* After a fault whoever leads next may send at once. */
	fault(s);
	p = deliver_new(s);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, CLOCK_S);
	deliver_again(s, &p);
	answer(s, &p, ANSWER_NOTHING, 0);
	pipe_pass(s, CLOCK_S / 10);
	deliver_again(s, &p);
	ack(s, &p);
}

static const struct row {
	const char *name;
	void (*go)(struct pipe_story *);
	uint8_t retention;
	uint64_t max_deliver;
	unsigned violations, warnings; /* each of this kind: */
	enum anomaly_kind kind;
	bool has_backoff;
} rows[] = {
    {"after a term", plant_after_term, 0, 0, 1, 0,
	ANOMALY_REDELIVERED_AFTER_ACK, false},
    {"before its delay", plant_delay, 0, 0, 1, 0, ANOMALY_REDELIVERED_EARLY,
	false},
    {"in progress", plant_progress, 0, 0, 1, 0, ANOMALY_REDELIVERED_EARLY,
	false},
    {"in progress, said again", plant_progress_again, 0, 0, 1, 0,
	ANOMALY_REDELIVERED_EARLY, false},
    {"before its third delay", plant_delay_third, 0, 0, 1, 0,
	ANOMALY_REDELIVERED_EARLY, false},
    {"nakked, never again", plant_nak_lost, 0, 0, 1, 0, ANOMALY_STUCK, false},
    {"delayed, never again", plant_delay_lost, 0, 0, 1, 0, ANOMALY_STUCK,
	false},
    {"unanswered, never again", plant_nothing_lost, 0, 0, 1, 0, ANOMALY_STUCK,
	false},
    {"limited, never again", plant_limited_lost, 0, 3, 1, 0, ANOMALY_STUCK,
	false},
    {"limited, skipped", plant_limited_skipped, 0, 3, 1, 0, ANOMALY_SKIPPED,
	false},
    {"limited, more acks than there are", plant_limited_acks, 0, 3, 1, 0,
	ANOMALY_WRONG_STATE, false},
    {"used up, gone from a work queue", plant_used_up_gone, 1, 3, 1, 0,
	ANOMALY_LOST, false},
    {"used up, gone from interest", plant_used_up_gone, 2, 3, 1, 0,
	ANOMALY_LOST, false},
    {"termed, and left", plant_term_left, 1, 0, 1, 0, ANOMALY_NOT_REMOVED,
	false},
    {"once more than MaxDeliver", plant_too_often, 0, 3, 1, 0,
	ANOMALY_LIMIT_EXCEEDED, false},
    {"a wrong advisory", warn_advisory, 0, 3, 0, 1, ANOMALY_LIMIT_EXCEEDED,
	false},
    {"before the second wait", warn_backoff, 0, 0, 0, 1,
	ANOMALY_REDELIVERED_EARLY, true},
    {"legal: naks", legal_nak, 0, 0, 0, 0, 0, false},
    {"legal: a delay", legal_delay, 0, 0, 0, 0, 0, false},
    {"legal: a delay, another leader", legal_delay_unled, 0, 0, 0, 0, 0, false},
    {"legal: a delay, too late", legal_delay_late, 0, 0, 0, 0, 0, false},
    {"legal: a delay, and a nak", legal_delay_nakked, 0, 0, 0, 0, 0, false},
    {"legal: a delay, and in progress", legal_delay_progress, 0, 0, 0, 0, 0,
	false},
    {"legal: a delay, unheard", legal_delay_unheard, 0, 0, 0, 0, 0, false},
    {"legal: in progress", legal_progress, 0, 0, 0, 0, 0, false},
    {"legal: unanswered for long", legal_patience, 0, 0, 0, 0, 0, false},
    {"legal: used up", legal_used_up, 0, 3, 0, 0, 0, false},
    {"legal: used up, in a work queue", legal_used_up, 1, 3, 0, 0, 0, false},
    {"legal: used up, in interest", legal_used_up, 2, 3, 0, 0, 0, false},
    {"legal: used up, perhaps acked", legal_used_up_acked, 1, 3, 0, 0, 0,
	false},
    {"legal: limited, lost by a fault", legal_limited_lost, 0, 3, 0, 0, 0,
	false},
    {"legal: limited, another leader", legal_limited_unled, 0, 3, 0, 0, 0,
	false},
    {"legal: limited, never received", legal_limited_unreceived, 0, 3, 0, 0, 0,
	false},
    {"legal: limited, an advisory", legal_advised, 0, 3, 0, 0, 0, false},
    {"legal: a term, unheard", legal_term_unheard, 0, 0, 0, 0, 0, false},
    {"legal: an ack, unheard", legal_ack_unheard, 0, 0, 0, 0, 0, false},
    {"legal: a back-off", legal_backoff, 0, 0, 0, 0, 0, true},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
test_row(void **state)
{
	const struct row *r = *state;
	struct judge *j = judge_create(NULL, NULL);
	const struct anomaly *a;
	struct judge_result result;
	struct pipe_story s;
	char says[2048] = "";
	uint64_t n, others = 0;
	unsigned k;
	size_t i;

	assert_non_null(j);
	pipe_story_init(&s, support_seed());
	s.sink = sink;
	s.arg = j;
	s.messages = 64;
	s.durables = 1;
	s.retention = r->retention;
	s.max_deliver = r->max_deliver;
	s.has_backoff = r->has_backoff;
	s.plant = r->go;
	s.nplants = 1;
	pipe_story_tell(&s);
	judge_finish(j, &result);
	story_expect_judged(j);
	for (i = 0; (a = judge_anomaly(j, i)) != NULL; i++)
		text_add(says, sizeof(says), "%s (%s): %s\n",
		    anomaly_kind_name(a->kind), anomaly_class_name(a->class),
		    a->says);
	for (k = 0; k < ANOMALY_COUNT; k++)
		for (i = 0; i < CLASS_COUNT; i++) {
			n = judge_count(j, k, (enum anomaly_class)i);
			if (k != r->kind)
				others += n;
			else if (n != (i == CLASS_VIOLATION    ? r->violations
					  : i == CLASS_WARNING ? r->warnings
							       : 0))
				fail_msg("%s: %llu\n%s", r->name,
				    (unsigned long long)n, says);
		}
	if (others != 0 ||
	    result.exit_code !=
		(r->violations != 0 ? EXIT_VIOLATION : EXIT_PASS))
		fail_msg("%s: exit %d %s\n%s", r->name, result.exit_code,
		    result.nreasons > 0 ? result.reasons[0] : "", says);
	judge_destroy(j);
	pipe_story_fini(&s);
}

int
main(void)
{
	struct CMUnitTest tests[ROWS];
	size_t i;

	memset(tests, 0, sizeof(tests));
	for (i = 0; i < ROWS; i++) {
		tests[i].name = rows[i].name;
		tests[i].test_func = test_row;
		tests[i].initial_state = (void *)(uintptr_t)&rows[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
