/* SPDX-License-Identifier: ISC */
/*
 * skipped: a consumer never delivered a message that it had to deliver.
 *
 * Rule (guarantees 4): after the load the consumer says, and keeps saying,
 * that nothing is pending and nothing awaits an ack; yet a message of its
 * subjects that is stored (acknowledged, or delivered by another consumer)
 * was never received by any of its processes. An ordered consumer
 * (guarantees 8) is judged as it goes: it delivers upwards, so what lies
 * behind it and was not delivered is left out.
 *
 * Why no legal behaviour trips it: a process tells of a delivery before it
 * acks it, so what was acked is known as delivered; what died with a process
 * or on the way is redelivered, and keeps the consumer from saying that
 * nothing is left; consumers with limited deliveries are not judged, nor is
 * anything when the cluster did not settle.
 */
#include <errno.h>

#include "orchestrator/judge/check.h"

struct skipped_state {
	bool is_unsettled;
	struct seqmap told; /* ids, of ordered consumers */
};

static void
raise_skipped(struct check *c, const struct ledger_entry *e,
    const struct ledger_consumer *k, const char *rule)
{
	const struct skipped_state *st = c->state;
	struct anomaly a = {
	    .kind = ANOMALY_SKIPPED, .rule = rule, .stream = e->stream};

	if (st->is_unsettled)
		a.class = CLASS_WARNING;
	a.ids[0] = e->id;
	a.seqs[0] = e->seq;
	check_raise(c, &a,
	    "message %u:%llu at sequence %llu was never delivered by "
	    "consumer %s, which %s",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->seq, k->name,
	    k->kind == KIND_ORDERED ? "went on behind it"
				    : "has nothing left to deliver");
}

static bool
was_skipped(const struct ledger_entry *e, const struct ledger_consumer *k)
{
	return e->seq != 0 && (e->required & k->bit) != 0 &&
	       (e->delivered & k->bit) == 0;
}

static void
judge_consumer(struct check *c, const struct ledger_consumer *k)
{
	const struct ledger_entry *e;
	size_t i = 0;

	while ((e = ledger_next(c->ledger, &i)) != NULL)
		if (e->stream == k->stream && was_skipped(e, k))
			raise_skipped(c, e, k, NULL);
}

static void
on_state(struct check *c, const struct msg_consumer_state *m)
{
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);

	if (k == NULL || k->bit == 0 || k->max_deliver != 0 ||
	    k->kind == KIND_ORDERED)
		return;
	if (!m->quiet || m->pending > 0 || m->ack_pending > 0) {
		check_doubt(c,
		    "consumer %s was not drained: %llu pending, %llu awaiting "
		    "their ack",
		    k->name, (unsigned long long)m->pending,
		    (unsigned long long)m->ack_pending);
		return;
	}
	judge_consumer(c, k);
}

static int
judge_ordered(struct check *c, const struct ledger_consumer *k)
{
	struct skipped_state *st = c->state;
	const struct ledger_entry *e;
	size_t i = 0;
	int err;

	while ((e = ledger_next(c->ledger, &i)) != NULL) {
		if (e->stream != k->stream || !e->is_acked ||
		    e->seq >= k->frontier || !was_skipped(e, k))
			continue;
		err = seqmap_add(&st->told, e->id, e->id);
		if (err == -ENOMEM)
			return err;
		if (err == 0)
			raise_skipped(c, e, k, "guarantees 8");
	}
	return 0;
}

static int
skipped_event(struct check *c, const struct event *ev)
{
	struct skipped_state *st = c->state;
	const struct ledger_consumer *k;
	uint32_t i;
	int err = 0;

	if (ev->type == MESSAGE_SETTLED)
		st->is_unsettled = !ev->u.settled.ok;
	else if (ev->type == MESSAGE_CONSUMER_STATE)
		on_state(c, &ev->u.consumer_state);
	else
		for (i = 0; i < c->ledger->nconsumers && err == 0; i++) {
			k = ledger_consumer(c->ledger, i);
			if (k != NULL && k->bit != 0 && k->kind == KIND_ORDERED)
				err = judge_ordered(c, k);
		}
	return err;
}

static void
skipped_fini(struct check *c)
{
	struct skipped_state *st = c->state;

	seqmap_fini(&st->told);
}

static const enum message_type types[] = {
    MESSAGE_TICK, MESSAGE_SETTLED, MESSAGE_CONSUMER_STATE, 0};

const struct check_ops check_skipped = {
    .name = "skipped",
    .summary = "every consumer delivers every message of its subjects",
    .rule = "guarantees 4",
    .types = types,
    .state_size = sizeof(struct skipped_state),
    .event = skipped_event,
    .fini = skipped_fini,
};
