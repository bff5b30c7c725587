/* SPDX-License-Identifier: ISC */
/*
 * removed_early: a stream dropped a message that a consumer had not ended.
 *
 * Rule (guarantees 31): a work queue keeps a message until its consumer acks
 * or terms it, and an interest stream until each consumer has that was there
 * when it came and takes it. It convicts when, after heal and quiet, the
 * stream's leader says several times that there is no such message.
 *
 * Why no legal behaviour trips it: the streams that are followed so have no
 * limits, or those are counted (contents.h). Clients tell of each ack and term
 * before it leaves, so what none told of can't have been ended (lives.h). A
 * consumer counts that was there for certain from before the message was sent,
 * as was seen of each replica of the stream, that nobody has asked to go, that
 * does not go by itself, and whose filters took the message all that time. At
 * MaxDeliver a message has to stay. Servers take what lies behind where a
 * consumer of a work queue has come for acked when its filters are changed to
 * take that: it is lost, but who changed them may have meant so: a warning.
 * One that begins with the new or the last
 * may be begun again by another leader until a quorum knows of a delivery:
 * that convicts if one leader was steady since the message was sent.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

struct removed_state {
	struct seqmap *gone; /* by stream: what the scan found to be gone */
	uint32_t n;
};

/* The life for which it had to stay. */
static void
raise_kept(struct check *c, const struct life *f, const struct live *e,
    enum life_debt debt, struct anomaly *a)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, a->stream);
	enum anomaly_class class = check_life_class(c, f);
	char name[CHECK_CONSUMER_MAX];
	struct check_span span = check_life_span(c, f, e->invoked_ns, name);

	if (c->faults->is_unsettled || class != CLASS_VIOLATION) {
		span.is_no_proof = true;
		a->class = c->faults->is_unsettled ? CLASS_WARNING : class;
	} else if (debt != DEBT_SURE)
		a->class = CLASS_WARNING;
	check_raise_steady(c, a, &span,
	    "message %u:%llu was acknowledged at sequence %llu of %s and is "
	    "gone, although consumer %s, which was there %.3f s before it was "
	    "sent, has neither acked nor ended it",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->seq, s->name, f->name,
	    (double)(e->invoked_ns - f->made_ns) / 1e9);
}

static void
raise_queued(struct check *c, const struct stock *st, const struct live *e,
    struct anomaly *a)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, a->stream);

	bool is_regained = contents_is_regained(st, e);

	if (c->faults->is_unsettled || is_regained)
		a->class = CLASS_WARNING;
	check_raise(c, a,
	    "message %u:%llu was acknowledged at sequence %llu of the work "
	    "queue %s and is gone, although nobody has acked or ended it%s",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->seq, s->name,
	    is_regained ? "; a consumer was changed to take its subject, and "
			  "may have been behind it by then"
			: "");
}

/* A message that is gone. */
static void
judge_gone(struct check *c, const struct stock *st, const struct live *e)
{
	uint32_t stream = st->terms.stream;
	struct anomaly a = {.kind = ANOMALY_REMOVED_EARLY,
	    .stream = stream,
	    .ids = {e->id},
	    .seqs = {e->seq}};
	const struct life *f;
	enum life_debt debt;

	if (contents_presence(c->contents, stream, e->seq, c->now_ns) ==
	    PRESENT) {
		raise_queued(c, st, e, &a);
		return;
	}
	f = lives_keeper(c->lives, c->contents, stream, e, &debt);
	if (f != NULL && contents_is_whole(c->contents, stream, e, c->now_ns))
		raise_kept(c, f, e, debt, &a);
}

static void
on_end(struct check *c, const struct seqmap *gone, uint32_t stream)
{
	const struct stock *st = contents_stock(c->contents, stream);
	const struct live *e = contents_next(c->contents, stream, 0);
	uint64_t same;

	for (; e != NULL; e = contents_next(c->contents, stream, e->seq)) {
		check_judged(c, 1);
		if (seqmap_find(gone, e->seq, &same))
			judge_gone(c, st, e);
	}
}

static int
removed_early_event(struct check *c, const struct event *ev)
{
	/* The stream is the first field of all of them. */
	const struct msg_scan_removed *m = &ev->u.scan_removed;
	const struct stock *st = contents_stock(c->contents, m->stream);
	struct removed_state *r = c->state;
	struct seqmap *gone;

	if (st == NULL || st->retention == RETENTION_LIMITS)
		return 0;
	gone = array_at(
	    &r->gone, &r->n, m->stream, sizeof(*gone), CHECK_SLOTS_MAX);
	if (gone == NULL)
		return -ENOMEM;
	if (ev->type == MESSAGE_SCAN_BEGIN)
		seqmap_fini(gone); /* another try finds anew */
	else if (ev->type == MESSAGE_SCAN_REMOVED)
		return seqmap_cover(gone, m->first, m->last);
	else if (ev->u.scan_end.complete)
		on_end(c, gone, m->stream);
	return 0;
}

static void
removed_early_fini(struct check *c)
{
	struct removed_state *r = c->state;
	uint32_t i;

	for (i = 0; i < r->n; i++)
		seqmap_fini(&r->gone[i]);
	free(r->gone);
}

static const enum message_type types[] = {
    MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_REMOVED, MESSAGE_SCAN_END, 0};

const struct check_ops check_removed_early = {
    .name = "removed_early",
    .summary = "a message stays until consumers that take it have ended it",
    .rule = "guarantees 31",
    .types = types,
    .unit = "messages not ended",
    .state_size = sizeof(struct removed_state),
    .event = removed_early_event,
    .fini = removed_early_fini,
};
