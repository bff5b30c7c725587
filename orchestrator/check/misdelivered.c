/* SPDX-License-Identifier: ISC */
/*
 * misdelivered: a consumer delivered what its filter does not take.
 *
 * Rule (guarantees 4): a consumer with a filter delivers the messages of its
 * subject and no others, and a consumer delivers those of its own stream.
 * Which subject a message was sent to follows from its id, which stands in
 * its payload.
 *
 * Why no legal behaviour trips it: nobody changes a filter in a run, each
 * attempt to publish a message goes to the same subject, and the payload
 * passes its checksum.
 */
#include "orchestrator/judge/check.h"

static void
raise_subject(struct check *c, const struct ledger_consumer *k,
    const struct msg_deliver *m, uint64_t subject)
{
	struct anomaly a = {.kind = ANOMALY_MISDELIVERED,
	    .stream = m->stream,
	    .ids = {m->id, 0},
	    .seqs = {m->seq, 0}};

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
	    .seqs = {m->seq, 0}};
	const struct ledger_stream *of = ledger_stream(c->ledger, stream);

	check_raise(c, &a,
	    "consumer %s of stream %u delivered message %u:%llu, which was "
	    "sent to stream %u (%s)",
	    k->name, k->stream, message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id), stream,
	    of != NULL ? of->name : "?");
}

static int
misdelivered_event(struct check *c, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	const struct ledger_stream *s;
	const struct ledger_entry *e;
	uint64_t subject;

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
