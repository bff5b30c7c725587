/* SPDX-License-Identifier: ISC */
/*
 * misdelivered: a consumer delivered what its filter does not take.
 *
 * Rule (guarantees 4): a consumer with a filter delivers the messages of its
 * subject and no others, and a consumer delivers those of its own stream.
 * Which subject a message was sent to follows from its id, which stands in
 * its payload.
 *
 * One that comes, changes and goes (lives.h, guarantees 24) delivers what one
 * of its filters takes that may be in force since the message was published,
 * from where it begins, not after its end, and nothing new while it is paused.
 *
 * Why no legal behaviour trips it: nobody changes a filter of the others in a
 * run, each attempt to publish a message goes to the same subject, and the
 * payload passes its checksum. What was never answered may be in force; what
 * was published before an end, a change or a pause may have been on its way;
 * one that is made on a replica that is behind begins at that one's end, before
 * the sequence or the time that it was asked for; and what a server has to know
 * that leads convicts if one was steady.
 */
#include "orchestrator/judge/check.h"
#include "proto/base/text.h"

static void
raise_subject(struct check *c, const struct ledger_consumer *k,
    const struct msg_deliver *m, uint64_t subject)
{
	struct anomaly a = {.kind = ANOMALY_MISDELIVERED,
	    .stream = m->stream,
	    .ids = {m->id, 0},
	    .seqs = {m->seq, 0},
	    .is_no_loss = true};

	check_raise(c, &a,
	    "consumer %s delivered message %u:%llu at sequence %llu (delivery "
	    "%llu, consumer sequence %llu), which was sent to subject %llu: "
	    "its filter takes subject %u only",
	    k->name, message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq, (unsigned long long)m->delivered,
	    (unsigned long long)m->consumer_seq, (unsigned long long)subject,
	    k->subject);
}

static void
raise_stream(struct check *c, const struct ledger_consumer *k,
    const struct msg_deliver *m, uint32_t stream)
{
	struct anomaly a = {.kind = ANOMALY_MISDELIVERED,
	    .stream = m->stream,
	    .ids = {m->id, 0},
	    .seqs = {m->seq, 0},
	    .is_no_loss = true};
	const struct ledger_stream *of = ledger_stream(c->ledger, stream);

	check_raise(c, &a,
	    "consumer %s of stream %u delivered message %u:%llu, which was "
	    "sent to stream %u (%s)",
	    k->name, k->stream, message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id), stream,
	    of != NULL ? of->name : "?");
}

/* What can't be, in words, and what has to be steady that it convicts. */
struct wrong {
	const char *what;
	enum leaders_group steady; /* 0: it convicts whoever leads */
	enum anomaly_class class;  /* otherwise; CLASS_COUNT: nothing */
};

static const struct wrong wrongs[] = {
    [FLAW_SUBJECT] = {"is of a subject that it was never asked to take", 0, 0},
    [FLAW_LEFT] = {"was published after its filters had been changed, and they "
		   "do not take its subject",
	LEADERS_CONSUMER, CLASS_WARNING},
    [FLAW_BELOW] = {"lies before the sequence at which it begins", LEADERS_META,
	CLASS_WARNING},
    [FLAW_EARLY] = {"is older than the time at which it begins", LEADERS_META,
	CLASS_WARNING},
    [FLAW_OLD] = {"was stored long before the consumer was asked for, which "
		  "begins later",
	LEADERS_META, CLASS_WARNING},
    [FLAW_ENDED] = {"was published after the deletion of the consumer had "
		    "been confirmed",
	LEADERS_META, CLASS_COUNT},
    [FLAW_PAUSED] = {"was published after the consumer had said that it is "
		     "paused, which it still has to be",
	LEADERS_CONSUMER, CLASS_WARNING},
};

/* One that comes and goes: what it was asked to be decides. */
static void
judge_life(struct check *c, const struct life *f, const struct msg_deliver *m)
{
	struct anomaly a = {.kind = ANOMALY_MISDELIVERED,
	    .stream = m->stream,
	    .ids = {m->id, 0},
	    .seqs = {m->seq, 0}};
	uint64_t since_ns;
	enum life_flaw flaw =
	    life_flaw(c->lives, c->contents, m, c->now_ns, &since_ns);
	const struct wrong *w = &wrongs[flaw];
	char name[CHECK_CONSUMER_MAX], says[320];
	struct check_span span;

	check_judged(c, 1);
	if (flaw == FLAW_NONE)
		return;
	text_format(says, sizeof(says),
	    "consumer %s delivered message %u:%llu at sequence %llu (delivery "
	    "%llu, consumer sequence %llu), which %s",
	    f->name, message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq, (unsigned long long)m->delivered,
	    (unsigned long long)m->consumer_seq, w->what);
	a.is_no_loss = flaw == FLAW_SUBJECT;
	if (w->steady == 0) {
		check_raise(c, &a, "%s", says);
		return;
	}
	a.class = w->class;
	span = w->steady == LEADERS_META
		   ? check_meta_span(c, since_ns)
		   : check_life_span(c, f, since_ns, name);
	check_raise_steady(c, &a, &span, "%s", says);
}

static int
misdelivered_event(struct check *c, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	const struct ledger_stream *s;
	const struct life *f = life_of(c->lives, m->consumer);
	const struct ledger_entry *e;
	uint64_t subject;

	if (f != NULL && check_is_ours(c, m->run, m->intact)) {
		judge_life(c, f, m);
		return 0;
	}
	/* What this run never sent is a phantom. */
	if (k == NULL || !check_is_ours(c, m->run, m->intact) ||
	    !ledger_was_invoked(c->ledger, m->id))
		return 0;
	s = ledger_stream(c->ledger, k->stream);
	e = ledger_find(c->ledger, m->id);
	if (e != NULL && e->stream != k->stream) {
		raise_stream(c, k, m, e->stream);
		return 0;
	}
	if (s == NULL || s->subjects == 0 || !k->is_filtered)
		return 0;
	check_judged(c, 1);
	subject = message_id_counter(m->id) % s->subjects;
	if (subject != k->subject)
		raise_subject(c, k, m, subject);
	return 0;
}

static const enum message_type types[] = {MESSAGE_DELIVER, 0};

const struct check_ops check_misdelivered = {
    .name = "misdelivered",
    .summary = "a consumer delivers what its filter takes, and nothing else",
    .rule = "guarantees 4",
    .types = types,
    .unit = "deliveries through a filter",
    .event = misdelivered_event,
};
