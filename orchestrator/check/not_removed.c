/* SPDX-License-Identifier: ISC */
/*
 * not_removed: a work queue or interest stream still holds what was acked.
 *
 * Rule (guarantees 9): such a stream drops a message when every consumer
 * that has to take it acked it. It convicts when, after heal and quiet, the
 * audit still reads a message of which each of these acks was confirmed, and
 * those consumers say that nothing is pending and nothing awaits an ack.
 *
 * An interest stream stores nothing that no consumer takes: it convicts when
 * the audit reads a message of a subject that no consumer of the run was ever
 * asked to take (guarantees 31).
 *
 * Why no legal behaviour trips it: removal lags, so only what the audit
 * reads counts; acks that were not confirmed (plain, unknown) leave either
 * state open; a second copy that a restart let in is with the consumers
 * until it is acked, too.
 */
#include <stddef.h>

#include "orchestrator/judge/check.h"

struct not_removed_state {
	uint64_t drained; /* bits of the consumers that have nothing left */
};

static void
on_state(struct check *c, const struct msg_consumer_state *m)
{
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	struct not_removed_state *st = c->state;

	if (k != NULL && m->quiet && m->pending == 0 && m->ack_pending == 0)
		st->drained |= k->bit;
}

/* Every ack that its removal waits for was confirmed. */
static bool
was_confirmed(
    const struct check *c, const struct msg_scan_message *m, uint64_t required)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	const struct ledger_consumer *k;
	uint64_t confirmed;
	uint32_t i;

	for (i = 0; i < c->ledger->nconsumers; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k != NULL && k->stream == m->stream &&
		    (k->bit & required) != 0 && k->acks != ACKS_CONFIRMED)
			return false;
	}
	if (e != NULL)
		return e->seq == m->seq && (required & ~e->confirmed) == 0;
	if (ledger_is_parked(c->ledger, m->id, &confirmed))
		return false;
	return ledger_was_invoked(c->ledger, m->id);
}

/* Of a subject that no consumer was ever asked to take; consumers come, go. */
static bool
was_unwanted(const struct check *c, const struct msg_scan_message *m)
{
	const struct stock *st = contents_stock(c->contents, m->stream);
	const struct live *e = contents_find(c->contents, m->stream, m->seq);

	return e != NULL && st->retention == RETENTION_INTEREST &&
	       !c->has_hole && st->wanted != 0 && e->subject >= 1 &&
	       e->subject <= LIVES_SUBJECTS &&
	       (st->wanted >> (e->subject - 1) & 1) == 0;
}

static void
on_scan(struct check *c, const struct msg_scan_message *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	const struct not_removed_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_NOT_REMOVED, .stream = m->stream};
	uint64_t required;

	if (s == NULL || s->retention == RETENTION_LIMITS ||
	    !check_is_ours(c, m->run, m->intact))
		return;
	check_judged(c, 1);
	if (was_unwanted(c, m)) {
		a.ids[0] = m->id;
		a.seqs[0] = m->seq;
		a.rule = "guarantees 31";
		if (c->faults->is_unsettled)
			a.class = CLASS_WARNING;
		check_raise(c, &a,
		    "message %u:%llu is stored at sequence %llu of %s, which "
		    "has interest, and no consumer ever took its subject",
		    message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id),
		    (unsigned long long)m->seq, s->name);
		return;
	}
	required = ledger_required(c->ledger, m->stream, m->id);
	if (required == 0 || !was_confirmed(c, m, required))
		return;
	if (c->faults->is_unsettled || (required & ~st->drained) != 0)
		a.class = CLASS_WARNING;
	a.ids[0] = m->id;
	a.seqs[0] = m->seq;
	check_raise(c, &a,
	    "message %u:%llu is still stored at sequence %llu of %s, although "
	    "every ack that it waited for was confirmed",
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq, s->name);
}

/* These it has dropped. */
static void
on_removed(struct check *c, const struct msg_scan_removed *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);

	if (s != NULL && s->retention != RETENTION_LIMITS)
		check_judged(c, m->last - m->first + 1);
}

static int
not_removed_event(struct check *c, const struct event *ev)
{
	if (ev->type == MESSAGE_CONSUMER_STATE)
		on_state(c, &ev->u.consumer_state);
	else if (ev->type == MESSAGE_SCAN_REMOVED)
		on_removed(c, &ev->u.scan_removed);
	else
		on_scan(c, &ev->u.scan_message);
	return 0;
}

static const enum message_type types[] = {
    MESSAGE_CONSUMER_STATE, MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_REMOVED, 0};

const struct check_ops check_not_removed = {
    .name = "not_removed",
    .summary = "work queues and interest streams drop what was acked",
    .rule = "guarantees 9",
    .types = types,
    .unit = "sequences",
    .state_size = sizeof(struct not_removed_state),
    .event = not_removed_event,
};
