/* SPDX-License-Identifier: ISC */
/*
 * redelivered_early: a message came again sooner than AckWait allows.
 *
 * Rule (guarantees 5): natsburn's workers send no negative acks and their
 * consumers have no back-off, so an unacked message comes again when AckWait
 * is over, or under a new leader when it has been stored for that long. When
 * a delivery was sent nobody knows, but none was sent before the message was
 * first published: a second delivery that arrives sooner than AckWait after
 * that, less a tenth for clocks, was sent too early.
 *
 * Nothing is lost by it, so it is a warning: one for each consumer, when the
 * history is over, with their number.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

struct early_consumer {
	uint64_t ack_wait_ns;
	uint64_t n;				      /* that came early */
	uint64_t id, seq, delivered, age_ns, time_ns; /* the first of them */
};

struct early_state {
	struct early_consumer *consumers;
	uint32_t n;
};

static bool
was_received(
    const struct check *c, const struct ledger_entry *e, uint32_t consumer)
{
	const struct ledger_consumer *l = ledger_consumer(c->ledger, consumer);

	return l != NULL && l->bit != 0 ? (e->delivered & l->bit) != 0
					: e->stamp_ns != 0;
}

static int
early_event(struct check *c, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	struct early_state *st = c->state;
	const struct ledger_entry *e;
	struct early_consumer *k;

	if (ev->type == MESSAGE_CONSUMER) {
		k = array_at(&st->consumers, &st->n, ev->u.consumer.consumer,
		    sizeof(*k), CHECK_SLOTS_MAX);
		if (k == NULL)
			return -ENOMEM;
		k->ack_wait_ns = ev->u.consumer.ack_wait_ns;
		return 0;
	}
	if (m->delivered < 2 || m->consumer >= st->n ||
	    !check_is_ours(c, m->run, m->intact))
		return 0;
	check_judged(c, 1);
	k = &st->consumers[m->consumer];
	e = ledger_find(c->ledger, m->id);
	/*
	 * Before 2.10.16 a send that found nobody at the inbox counts as one,
	 * and the next follows at once: what was never received came early for
	 * nobody.
	 */
	if (e == NULL || e->was_parked || !was_received(c, e, m->consumer) ||
	    c->now_ns - e->invoked_ns >= k->ack_wait_ns - k->ack_wait_ns / 10)
		return 0;
	if (k->n++ == 0) {
		k->id = m->id;
		k->seq = m->seq;
		k->delivered = m->delivered;
		k->age_ns = c->now_ns - e->invoked_ns;
		k->time_ns = c->now_ns;
	}
	return 0;
}

static void
early_finish(struct check *c)
{
	const struct early_state *st = c->state;
	const struct ledger_consumer *l;
	const struct early_consumer *k;
	struct anomaly a = {
	    .kind = ANOMALY_REDELIVERED_EARLY, .class = CLASS_WARNING};
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		k = &st->consumers[i];
		l = ledger_consumer(c->ledger, i);
		if (k->n == 0 || l == NULL)
			continue;
		a.stream = l->stream;
		a.ids[0] = k->id;
		a.seqs[0] = k->seq;
		a.time_ns = k->time_ns;
		a.more = k->n - 1;
		check_raise(c, &a,
		    "consumer %s delivered messages again sooner than its "
		    "AckWait of %.3f s, %llu times; sequence %llu first, whose "
		    "delivery %llu came %.3f s after it was published",
		    l->name, (double)k->ack_wait_ns / 1e9,
		    (unsigned long long)k->n, (unsigned long long)k->seq,
		    (unsigned long long)k->delivered, (double)k->age_ns / 1e9);
	}
}

static void
early_fini(struct check *c)
{
	struct early_state *st = c->state;

	free(st->consumers);
}

static const enum message_type types[] = {MESSAGE_DELIVER, MESSAGE_CONSUMER, 0};

const struct check_ops check_redelivered_early = {
    .name = "redelivered_early",
    .summary = "an unacked message comes again after AckWait, not before",
    .rule = "guarantees 5",
    .types = types,
    .unit = "redeliveries",
    .state_size = sizeof(struct early_state),
    .event = early_event,
    .finish = early_finish,
    .fini = early_fini,
};
