/* SPDX-License-Identifier: ISC */
/*
 * limit_exceeded: a consumer went beyond MaxAckPending or MaxDeliver.
 *
 * Rule (guarantees 14). MaxDeliver: the metadata of a delivery count more
 * than that. MaxAckPending: more different messages than that were out at
 * one moment, delivered for the first time and with no ack sent. A worker
 * says when it begins to ack what it received (ACKS_BEGIN, before the first
 * byte), so until then all of it is out.
 *
 * Why no legal behaviour trips it: redeliveries don't add and are not
 * counted; what a dead worker held is left out; when a fault was in force in
 * the last 20 s a change of the consumer's leader may have begun the counts
 * anew, and it is a warning.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

struct limit_consumer {
	uint64_t out;
	bool told;
};

struct limit_reader {
	uint32_t consumer; /* a process reads one */
	uint64_t out;
};

struct limit_state {
	struct limit_consumer *consumers;
	uint32_t n;
	struct limit_reader *readers; /* by source */
	uint32_t nreaders;
};

static void
judge_deliveries(struct check *c, const struct ledger_consumer *k,
    const struct msg_deliver *m)
{
	struct anomaly a = {
	    .kind = ANOMALY_LIMIT_EXCEEDED, .stream = m->stream};

	if (k->max_deliver == 0 || m->delivered <= k->max_deliver)
		return;
	a.ids[0] = m->id;
	a.seqs[0] = m->seq;
	check_raise(c, &a,
	    "sequence %llu was delivered for the %lluth time by consumer %s, "
	    "whose MaxDeliver is %llu",
	    (unsigned long long)m->seq, (unsigned long long)m->delivered,
	    k->name, (unsigned long long)k->max_deliver);
}

static void
judge_pending(struct check *c, const struct ledger_consumer *k,
    struct limit_consumer *l, const struct msg_deliver *m)
{
	struct anomaly a = {
	    .kind = ANOMALY_LIMIT_EXCEEDED, .stream = m->stream};

	if (l->told || k->max_ack_pending == 0 || l->out <= k->max_ack_pending)
		return;
	if (!faults_quiet_for(c->faults, c->now_ns, FAULTS_ELECTION_NS))
		a.class = CLASS_WARNING;
	else
		l->told = true;
	a.ids[0] = m->id;
	a.seqs[0] = m->seq;
	check_raise(c, &a,
	    "consumer %s has %llu messages out of which none was acked yet, "
	    "and its MaxAckPending is %llu",
	    k->name, (unsigned long long)l->out,
	    (unsigned long long)k->max_ack_pending);
}

/* What a process held is no longer known to be out. */
static void
reader_release(struct limit_state *st, uint32_t source)
{
	struct limit_reader *r;

	if (source >= st->nreaders)
		return;
	r = &st->readers[source];
	if (r->consumer < st->n)
		st->consumers[r->consumer].out -= r->out;
	r->out = 0;
}

static int
on_deliver(struct check *c, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	struct limit_state *st = c->state;
	struct limit_consumer *l;
	struct limit_reader *r;

	if (k == NULL || !k->has_rules)
		return 0;
	judge_deliveries(c, k, m);
	if (m->delivered != 1 || k->max_ack_pending == 0)
		return 0;
	l = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*l), CHECK_SLOTS_MAX);
	r = array_at(&st->readers, &st->nreaders, ev->source, sizeof(*r),
	    CHECK_SLOTS_MAX);
	if (l == NULL || r == NULL)
		return -ENOMEM;
	if (r->consumer != m->consumer)
		reader_release(st, ev->source);
	r->consumer = m->consumer;
	r->out++;
	l->out++;
	judge_pending(c, k, l, m);
	return 0;
}

static int
limit_event(struct check *c, const struct event *ev)
{
	struct limit_state *st = c->state;

	if (ev->type == MESSAGE_DELIVER)
		return on_deliver(c, ev);
	reader_release(st, ev->type == MESSAGE_CHILD_EXIT
			       ? ev->u.child_exit.child
			       : ev->source);
	return 0;
}

static void
limit_fini(struct check *c)
{
	struct limit_state *st = c->state;

	free(st->consumers);
	free(st->readers);
}

static const enum message_type types[] = {
    MESSAGE_DELIVER, MESSAGE_ACKS_BEGIN, MESSAGE_CHILD_EXIT, 0};

const struct check_ops check_limit_exceeded = {
    .name = "limit_exceeded",
    .summary = "consumers keep MaxAckPending and MaxDeliver",
    .rule = "guarantees 14",
    .types = types,
    .state_size = sizeof(struct limit_state),
    .event = limit_event,
    .fini = limit_fini,
};
