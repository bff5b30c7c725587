/* SPDX-License-Identifier: ISC */
/*
 * seq_reuse: one stream sequence was given to two messages.
 *
 * Rule (guarantees 2a and 2c): two acknowledged publishes of different
 * messages name one sequence, or a reader finds at a sequence another
 * message than was acknowledged or read there before.
 *
 * Why no legal behaviour trips it: the stream is never deleted in a run
 * (one incarnation), sequences are not handed out again after a removal,
 * and an ack that says duplicate names the first copy of the same id, which
 * is the same message.
 */
#include <stddef.h>

#include "orchestrator/check/check.h"

static void
judge_claim(struct check *c, uint32_t stream, uint64_t seq, uint64_t id,
    const char *what)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct anomaly a = {.kind = ANOMALY_SEQ_REUSE, .stream = stream};
	bool acked;
	uint64_t other;

	if (s == NULL)
		return;
	acked = seqmap_find(&s->acked, seq, &other);
	if (!acked && !seqmap_find(&s->seen, seq, &other))
		return;
	if (other == id)
		return;
	a.ids[0] = other;
	a.ids[1] = id;
	a.seqs[0] = seq;
	check_raise(c, &a,
	    "sequence %llu of %s was %s as message %u:%llu and is now %s as "
	    "message %u:%llu",
	    (unsigned long long)seq, s->name, acked ? "acknowledged" : "read",
	    message_id_source(other),
	    (unsigned long long)message_id_counter(other), what,
	    message_id_source(id), (unsigned long long)message_id_counter(id));
}

static int
seq_reuse_event(struct check *c, const struct event *ev)
{
	const struct msg_publish_ok *p = &ev->u.publish_ok;
	const struct msg_deliver *d = &ev->u.deliver;
	const struct msg_scan_message *s = &ev->u.scan_message;

	if (ev->type == MESSAGE_PUBLISH_OK)
		judge_claim(c, p->stream, p->seq, p->id, "acknowledged");
	else if (ev->type == MESSAGE_DELIVER) {
		if (check_is_ours(c, d->run, d->intact))
			judge_claim(c, d->stream, d->seq, d->id, "delivered");
	} else if (check_is_ours(c, s->run, s->intact))
		judge_claim(c, s->stream, s->seq, s->id, "stored");
	return 0;
}

static const enum message_type types[] = {
    MESSAGE_PUBLISH_OK, MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, 0};

const struct check_ops check_seq_reuse = {
    .name = "seq_reuse",
    .summary = "a stream sequence belongs to one message for ever",
    .rule = "guarantees 2",
    .types = types,
    .event = seq_reuse_event,
};
