/* SPDX-License-Identifier: ISC */
/*
 * op_timeout: an operation was retried for too long without success.
 *
 * Rule (guarantees 15, and the availability clock of docs/verdicts.md): the
 * time since the first attempt, counted only while the faults in force
 * leave JetStream able to serve, is longer than --op-timeout.
 *
 * Why no legal behaviour trips it: a single attempt may time out and is
 * UNKNOWN; elections and reconnects take less than --op-timeout under
 * graceful faults, and other faults stop the clock. An operation whose
 * process died is UNKNOWN and no longer retried: it is not counted.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

/* An ack that a worker tries to have confirmed. */
struct open_ack {
	uint64_t id; /* 0: none */
	uint64_t seq, since_ns;
	uint32_t attempts, consumer;
};

struct op_timeout_state {
	struct seqmap told;	 /* ids of publishes */
	struct seqmap told_acks; /* ids of acks */
	struct open_ack *acks;	 /* by source */
	uint32_t nacks;
};

static void
judge_entry(struct check *c, const struct ledger_entry *e, bool is_over)
{
	struct op_timeout_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT, .stream = e->stream};
	struct check_time t = {
	    e->invoked_ns, c->config->op_timeout_ns, is_over};

	if (e->is_acked || e->is_ended || !check_is_late(c, &t) ||
	    seqmap_add(&st->told, e->id, e->id) != 0)
		return;
	a.ids[0] = e->id;
	check_raise_late(c, &a, &t,
	    "publish of message %u:%llu was tried %u times and not "
	    "acknowledged",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id), e->attempts);
}

static void
judge_ack(struct check *c, const struct open_ack *k, bool is_over)
{
	struct op_timeout_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT};
	struct check_time t = {k->since_ns, c->config->op_timeout_ns, is_over};
	const struct ledger_consumer *from =
	    ledger_consumer(c->ledger, k->consumer);

	if (k->id == 0 || !check_is_late(c, &t))
		return;
	if (from != NULL)
		t.limit_ns = ledger_limit(c->ledger, from->stream, t.limit_ns);
	if (!check_is_late(c, &t) ||
	    seqmap_add(&st->told_acks, k->id, k->id) != 0)
		return;
	a.seqs[0] = k->seq;
	check_raise_late(c, &a, &t,
	    "the ack of sequence %llu was tried %u times and not confirmed",
	    (unsigned long long)k->seq, k->attempts);
}

static int
on_ack(struct check *c, const struct event *ev)
{
	struct op_timeout_state *st = c->state;
	uint32_t source = ev->type == MESSAGE_CHILD_EXIT
			      ? ev->u.child_exit.child
			      : ev->source;
	struct open_ack *k = array_at(
	    &st->acks, &st->nacks, source, sizeof(*k), CHECK_SLOTS_MAX);

	if (k == NULL)
		return -ENOMEM;
	if (ev->type == MESSAGE_ACK_INVOKE) {
		k->attempts = ev->u.ack_invoke.attempt;
		if (k->id == ev->u.ack_invoke.id && k->attempts > 1)
			return 0;
		k->id = ev->u.ack_invoke.id;
		k->seq = ev->u.ack_invoke.seq;
		k->consumer = ev->u.ack_invoke.consumer;
		k->since_ns = ev->time_ns;
		return 0;
	}
	if (ev->type == MESSAGE_ACK_UNKNOWN && !ev->u.ack_unknown.gave_up)
		return 0;
	/* A worker that died was not refused anything by the server. */
	if (ev->type != MESSAGE_CHILD_EXIT)
		judge_ack(c, k, true);
	k->id = 0;
	return 0;
}

static void
on_tick(struct check *c)
{
	struct op_timeout_state *st = c->state;
	const struct ledger_entry *e;
	uint32_t i;
	size_t k = 0;

	while ((e = ledger_next(c->ledger, &k)) != NULL)
		judge_entry(c, e, false);
	for (i = 0; i < st->nacks; i++)
		judge_ack(c, &st->acks[i], false);
}

static int
op_timeout_event(struct check *c, const struct event *ev)
{
	const struct ledger_entry *e;

	switch ((unsigned)ev->type) {
	case MESSAGE_TICK:
		on_tick(c);
		return 0;
	case MESSAGE_PUBLISH_OK:
		e = ledger_find(c->ledger, ev->u.publish_ok.id);
		break;
	case MESSAGE_PUBLISH_END:
		e = ledger_find(c->ledger, ev->u.publish_end.id);
		break;
	default:
		return on_ack(c, ev);
	}
	if (e != NULL)
		judge_entry(c, e, true);
	return 0;
}

static void
op_timeout_fini(struct check *c)
{
	struct op_timeout_state *st = c->state;

	seqmap_fini(&st->told);
	seqmap_fini(&st->told_acks);
	free(st->acks);
}

static const enum message_type types[] = {MESSAGE_TICK, MESSAGE_PUBLISH_OK,
    MESSAGE_PUBLISH_END, MESSAGE_ACK_INVOKE, MESSAGE_ACK_OK,
    MESSAGE_ACK_UNKNOWN, MESSAGE_CHILD_EXIT, 0};

static const enum message_type judges[] = {
    MESSAGE_PUBLISH_INVOKE, MESSAGE_ACK_INVOKE, 0};

const struct check_ops check_op_timeout = {
    .name = "op_timeout",
    .summary = "operations succeed within --op-timeout",
    .rule = "guarantees 15",
    .types = types,
    .unit = "attempts",
    .judges = judges,
    .state_size = sizeof(struct op_timeout_state),
    .event = op_timeout_event,
    .fini = op_timeout_fini,
};
