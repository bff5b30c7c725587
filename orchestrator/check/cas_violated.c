/* SPDX-License-Identifier: ISC */
/*
 * cas_violated: a message was stored although what it expected was not so.
 *
 * Rule (guarantees 10): a publish that expects a last sequence, of the stream
 * or of its subject, is stored only if that is the last one. Sequences are
 * the order of storing, so one that was acknowledged, or of the subject is
 * present, between the expected one and the one that it got stood there then.
 *
 * Why no legal behaviour trips it: only publishes count whose
 * acknowledgement does not say "duplicate"; of a subject only what nothing
 * can have removed. Of a stream a removed message counts as well, for its last
 * sequence never goes down.
 */
#include <stddef.h>

#include "orchestrator/judge/check.h"

static void
raise(struct check *c, const struct msg_publish_ok *m, uint64_t expected,
    uint64_t found)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_CAS_VIOLATED,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq, found}};

	check_raise(c, &a,
	    "message %u:%llu was stored at sequence %llu of %s although it "
	    "expected %llu as the last one, and there was %llu",
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq, s->name, (unsigned long long)expected,
	    (unsigned long long)found);
}

static int
cas_event(struct check *c, const struct event *ev)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	const struct publishing *p = contents_publishing(c->contents, m->id);
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	const struct msg_publish_terms *t;
	struct seqmap_part between;
	struct contents_query q;

	if (p == NULL || s == NULL || m->duplicate)
		return 0;
	t = &p->terms;
	if (t->expects_last || t->expects_subject)
		check_judged(c, 1);
	if (t->expects_last) {
		between = seqmap_between(&s->acked, t->last + 1, m->seq - 1);
		if (t->last >= m->seq)
			raise(c, m, t->last, m->seq - 1);
		else if (between.count > 0)
			raise(c, m, t->last, between.high);
	}
	if (!t->expects_subject)
		return 0;
	q = (struct contents_query){m->stream, t->subject, t->subject_last + 1,
	    m->seq - 1, UINT64_MAX, c->now_ns, 0};
	between = contents_present(c->contents, &q);
	if (t->subject_last >= m->seq)
		raise(c, m, t->subject_last, m->seq - 1);
	else if (between.count > 0)
		raise(c, m, t->subject_last, between.high);
	return 0;
}

static const enum message_type types[] = {MESSAGE_PUBLISH_OK, 0};

const struct check_ops check_cas_violated = {
    .name = "cas_violated",
    .summary = "what expects a last sequence is stored only behind it",
    .rule = "guarantees 10",
    .types = types,
    .unit = "publishes that expect a sequence",
    .event = cas_event,
};
