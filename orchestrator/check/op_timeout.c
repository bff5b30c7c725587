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

#include "orchestrator/check/check.h"

struct op_timeout_state {
	struct seqmap told; /* ids */
};

static void
judge_entry(struct check *c, const struct ledger_entry *e)
{
	struct op_timeout_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT, .stream = e->stream};
	uint64_t waited;

	if (e->is_acked || e->is_ended)
		return;
	waited = check_available_ns(c, e->invoked_ns, e->invoked_stood);
	if (waited <= c->config->op_timeout_ns ||
	    seqmap_add(&st->told, e->id, e->id) != 0)
		return;
	a.ids[0] = e->id;
	check_raise(c, &a,
	    "publish of message %u:%llu was tried %u times and not "
	    "acknowledged within %.1f s in which the cluster could serve",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id), e->attempts,
	    (double)waited / 1e9);
}

static int
op_timeout_event(struct check *c, const struct event *ev)
{
	const struct ledger_entry *e;
	size_t i;

	if (ev->type != MESSAGE_TICK) {
		e = ledger_find(c->ledger, ev->type == MESSAGE_PUBLISH_OK
					       ? ev->u.publish_ok.id
					       : ev->u.publish_end.id);
		if (e != NULL)
			judge_entry(c, e);
		return 0;
	}
	for (i = 0; i < c->ledger->room; i++) {
		e = ledger_slot(c->ledger, i);
		if (e != NULL)
			judge_entry(c, e);
	}
	return 0;
}

static void
op_timeout_fini(struct check *c)
{
	struct op_timeout_state *st = c->state;

	seqmap_fini(&st->told);
}

static const enum message_type types[] = {
    MESSAGE_TICK, MESSAGE_PUBLISH_OK, MESSAGE_PUBLISH_END, 0};

const struct check_ops check_op_timeout = {
    .name = "op_timeout",
    .summary = "operations succeed within --op-timeout",
    .rule = "guarantees 15",
    .types = types,
    .state_size = sizeof(struct op_timeout_state),
    .event = op_timeout_event,
    .fini = op_timeout_fini,
};
