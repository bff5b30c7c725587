/* SPDX-License-Identifier: ISC */
/*
 * stuck: an acknowledged message was not received and confirmed in time.
 *
 * Rule (guarantees 15, and the availability clock of docs/verdicts.md): the
 * time from the publish ack until a consumer's ack was confirmed, counted
 * only while the faults in force leave JetStream able to serve, is longer
 * than --consume-timeout.
 *
 * Why no legal behaviour trips it: graceful faults on replicated streams
 * leave a quorum at all times, elections take less than 10 s, and a
 * delivery that died with a connection comes again after the ack wait (5 s);
 * the others stop the clock. When a worker process of ours dies or starts,
 * the count begins anew: that is our failure and not the server's; until it
 * is connected again nothing is judged. Neither once the consumers were told
 * to end. A worker that answers otherwise than by an ack keeps the message
 * waiting: the count begins anew then, too. With MaxDeliver the last delivery
 * may have been lost: a consumer with it is waited for only if it had one
 * leader since the message was published, and nothing was disturbed. The ack
 * wait runs by the wall clock: what faults have set clocks apart is added.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

struct stuck_state {
	struct seqmap told;    /* ids */
	uint64_t disturbed_ns; /* a worker of ours came or went */
	uint64_t cut_ns;       /* one died, or its connection was made anew */
	bool *absent;	       /* by source: died and not yet connected again */
	uint32_t n, nabsent;
	bool over;
};

/*
 * True when every consumer that misses it still delivers what comes before
 * it: the message waits in a queue that gets shorter.
 */
static bool
only_queues(
    const struct check *c, const struct ledger_entry *e, uint64_t missing)
{
	const struct ledger_consumer *k;
	uint32_t i;

	for (i = 0; i < c->ledger->nconsumers; i++) {
		k = &c->ledger->consumers[i];
		if (k->stream != e->stream || (missing & k->bit) == 0)
			continue;
		if (k->frontier >= e->seq ||
		    c->now_ns > k->moved_ns + c->config->consume_timeout_ns)
			return false;
	}
	return true;
}

/* Those of them who certainly have deliveries of it left. */
static uint64_t
without_spent(
    const struct check *c, const struct ledger_entry *e, uint64_t missing)
{
	const struct stuck_state *st = c->state;
	const struct ledger_consumer *k;
	uint32_t i;

	for (i = 0; i < c->ledger->nconsumers; i++) {
		k = &c->ledger->consumers[i];
		if (k->stream == e->stream && k->max_deliver != 0 &&
		    (missing & k->bit) != 0 &&
		    (st->cut_ns >= e->invoked_ns ||
			!check_drops_none(c, k, e->invoked_ns)))
			missing &= ~k->bit;
	}
	return missing;
}

/* When the count of a message begins. */
static uint64_t
begin_of(const struct check *c, const struct ledger_entry *e)
{
	const struct stuck_state *st = c->state;
	const struct ledger_answer *a = ledger_answer(c->ledger, e->id);
	uint64_t ns = e->acked_ns;

	if (st->disturbed_ns > ns)
		ns = st->disturbed_ns;
	return a != NULL && a->kept_ns > ns ? a->kept_ns : ns;
}

static void
judge_entry(struct check *c, const struct ledger_entry *e, bool is_over)
{
	struct stuck_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, e->stream);
	struct anomaly a = {.kind = ANOMALY_STUCK, .stream = e->stream};
	struct check_time t = {begin_of(c, e),
	    c->config->consume_timeout_ns + contents_apart_ns(c->contents),
	    is_over};
	uint64_t missing;

	if (s == NULL || s->consumers == 0 ||
	    !ledger_awaits(c->ledger, e, &missing))
		return;
	check_judged(c, is_over);
	if (!check_is_late(c, &t))
		return;
	if (e->required != 0 && (missing = without_spent(c, e, missing)) == 0)
		return;
	t.limit_ns = ledger_limit(c->ledger, e->stream, t.limit_ns);
	if (!check_is_late(c, &t) ||
	    (e->required != 0 && only_queues(c, e, missing)) ||
	    seqmap_add(&st->told, e->id, e->id) != 0)
		return;
	check_judged(c, !is_over);
	a.ids[0] = e->id;
	a.seqs[0] = e->seq;
	check_raise_late(c, &a, &t,
	    "message %u:%llu, acknowledged at sequence %llu of %s, was not "
	    "received and confirmed",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->seq, s->name);
}

/* A warning only, for nobody promises how long a restart may take. */
static void
judge_healed(struct check *c, const struct msg_fault_healed *m)
{
	struct anomaly a = {.kind = ANOMALY_STUCK, .class = CLASS_WARNING};

	if (m->ok)
		return;
	a.fault = m->fault;
	check_raise(c, &a, "fault %u: the cluster did not recover: %s",
	    m->fault, m->how);
}

static int
note_absent(struct check *c, uint32_t child, bool is_absent)
{
	struct stuck_state *st = c->state;
	bool *slot = array_at(
	    &st->absent, &st->n, child, sizeof(*slot), CHECK_SLOTS_MAX);

	if (slot == NULL)
		return -ENOMEM;
	if (is_absent && !*slot)
		st->nabsent++;
	else if (!is_absent && *slot)
		st->nabsent--;
	*slot = is_absent;
	return 0;
}

/*
 * A worker of ours came or went. Restarts have a back-off, and the one that
 * comes has to connect first: it is there when it says READY.
 */
static int
note_child(struct check *c, const struct event *ev)
{
	struct stuck_state *st = c->state;

	st->disturbed_ns = ev->time_ns;
	if (ev->type == MESSAGE_READY)
		return note_absent(c, ev->source, false);
	if (ev->type == MESSAGE_CHILD_EXIT && !ev->u.child_exit.expected) {
		st->cut_ns = ev->time_ns;
		return note_absent(c, ev->u.child_exit.child, true);
	}
	return 0;
}

static int
stuck_event(struct check *c, const struct event *ev)
{
	struct stuck_state *st = c->state;
	const struct ledger_entry *e;
	size_t i = 0;

	if (ev->type == MESSAGE_FAULT_HEALED) {
		judge_healed(c, &ev->u.fault_healed);
		return 0;
	}
	if (ev->type == MESSAGE_PHASE) {
		st->over |= strcmp(ev->u.phase.name, "settle") == 0;
		return 0;
	}
	if (ev->type == MESSAGE_CHILD_EXIT || ev->type == MESSAGE_CHILD_START ||
	    ev->type == MESSAGE_READY)
		return note_child(c, ev);
	if (ev->type == MESSAGE_RECONNECTED) {
		st->cut_ns = ev->time_ns;
		return 0;
	}
	/* While a worker is absent its messages wait because of us. */
	if (st->over || st->nabsent > 0)
		return 0;
	if (ev->type == MESSAGE_ACK_OK) {
		e = ledger_find(c->ledger, ev->u.ack_ok.id);
		if (e != NULL)
			judge_entry(c, e, true);
		return 0;
	}
	while ((e = ledger_next(c->ledger, &i)) != NULL)
		judge_entry(c, e, false);
	return 0;
}

static void
stuck_fini(struct check *c)
{
	struct stuck_state *st = c->state;

	seqmap_fini(&st->told);
	free(st->absent);
}

static const enum message_type types[] = {MESSAGE_TICK, MESSAGE_ACK_OK,
    MESSAGE_PHASE, MESSAGE_CHILD_EXIT, MESSAGE_CHILD_START, MESSAGE_READY,
    MESSAGE_FAULT_HEALED, MESSAGE_RECONNECTED, 0};

const struct check_ops check_stuck = {
    .name = "stuck",
    .summary = "what was acknowledged is consumed within --consume-timeout",
    .rule = "guarantees 15",
    .types = types,
    .unit = "messages awaited",
    .state_size = sizeof(struct stuck_state),
    .event = stuck_event,
    .fini = stuck_fini,
};
