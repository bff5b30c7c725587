/* SPDX-License-Identifier: ISC */
/*
 * undeleted: a stream still holds what was removed.
 *
 * Rule (guarantees 18): a removal that was confirmed has removed what was
 * acknowledged before it was asked for; a message that replaces others those
 * before it; a limit the oldest. It convicts when, after heal and quiet, the
 * audit reads such a message. One that its age should have removed is
 * expired_late (guarantees 20).
 *
 * Why no legal behaviour trips it: only removals that were confirmed count,
 * and only messages that were acknowledged before; what else may have kept it
 * (an order of two operations that is not known, a limit that may be looser)
 * leaves either state open. An age is judged when nothing has disturbed the
 * cluster for 30 s, and 10 s late: whoever reads may have stood still for 6 s
 * of these without notice.
 */
#include <stddef.h>

#include "orchestrator/judge/check.h"
#include "proto/base/clock.h"

#define CALM_NS (30 * CLOCK_S)

/* Since when nothing has disturbed the cluster for long enough; false: it has.
 */
static bool
is_calm(const struct check *c, uint64_t *since_ns)
{
	uint64_t calm_ns = faults_calm_since(c->faults);

	*since_ns = calm_ns + CALM_NS;
	return calm_ns != UINT64_MAX && c->now_ns >= *since_ns;
}

/* For so long it should have been gone on a server that works; 0: it not. */
static uint64_t
late_ns(const struct check *c, uint32_t stream, uint64_t seq)
{
	const struct stock *st = contents_stock(c->contents, stream);
	const struct live *e = contents_find(c->contents, stream, seq);
	uint64_t calm_ns, due_ns;

	if (e == NULL || c->contents->has_hole || !is_calm(c, &calm_ns))
		return 0;
	due_ns = limits_late_ns(st, e);
	if (due_ns < calm_ns)
		due_ns = calm_ns;
	return c->now_ns > due_ns ? c->now_ns - due_ns : 0;
}

static void
on_late(struct check *c, const struct msg_scan_message *m, struct anomaly *a)
{
	uint64_t by_ns = late_ns(c, m->stream, m->seq);

	if (by_ns == 0)
		return;
	a->kind = ANOMALY_EXPIRED_LATE;
	a->rule = "guarantees 20";
	check_raise(c, a,
	    "message %u:%llu is still stored at sequence %llu of %s, %.1f s "
	    "after its age, and 10 s more, were over",
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq,
	    ledger_stream(c->ledger, m->stream)->name, (double)by_ns / 1e9);
}

static void
on_scan(struct check *c, const struct msg_scan_message *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_UNDELETED, .stream = m->stream};
	enum presence presence;
	uint64_t same, since_ns;

	if (s == NULL || !contents_has(c->contents, m->stream) ||
	    !check_is_ours(c, m->run, m->intact) ||
	    !seqmap_find(&s->acked, m->seq, &same))
		return;
	a.class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION;
	a.ids[0] = m->id;
	a.seqs[0] = m->seq;
	check_judged(c, 1);
	presence = contents_presence(c->contents, m->stream, m->seq, c->now_ns);
	if (presence == GONE) {
		check_raise(c, &a,
		    "message %u:%llu is still stored at sequence %llu of %s, "
		    "although it was removed: by a request that was "
		    "confirmed, by a message that replaces it, or by a limit",
		    message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id),
		    (unsigned long long)m->seq, s->name);
		return;
	}
	if (presence == AGED && is_calm(c, &since_ns)) {
		a.kind = ANOMALY_EXPIRED_LATE;
		a.rule = "guarantees 20";
		check_raise(c, &a,
		    "message %u:%llu is still stored at sequence %llu of %s, "
		    "more than 30 s after its age was over",
		    message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id),
		    (unsigned long long)m->seq, s->name);
		return;
	}
	on_late(c, m, &a);
}

static int
undeleted_event(struct check *c, const struct event *ev)
{
	on_scan(c, &ev->u.scan_message);
	return 0;
}

static const enum message_type types[] = {MESSAGE_SCAN_MESSAGE, 0};

const struct check_ops check_undeleted = {
    .name = "undeleted",
    .summary = "what was removed, or is too old, is not stored any more",
    .rule = "guarantees 18",
    .types = types,
    .unit = "messages read",
    .event = undeleted_event,
};
