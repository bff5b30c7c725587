/* SPDX-License-Identifier: ISC */
/*
 * reorder: the one order of a stream, or of a consumer's first deliveries,
 * was broken.
 *
 * Stream (guarantees 2b): the ack of A was received before the publish of
 * B was first invoked, yet B has a lower sequence than A. All processes
 * share one monotonic clock, so "before" is a fact. Acks that say duplicate
 * are left out; concurrent publishes may get any order.
 *
 * Consumer (guarantees 7): among first deliveries, ordered by consumer
 * sequence, the stream sequence goes down. After a change of the consumer's
 * leader num_delivered may begin anew, so this convicts only when no fault
 * was in force for 20 s and the same leader was seen before the first and
 * after the second delivery; otherwise it is a warning.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/check.h"

struct inversion {
	uint64_t time_ns;
	uint64_t seqs[2], consumer_seqs[2];
};

struct reorder_consumer {
	bool exists;
	uint32_t stream;
	char name[136]; /* stream/consumer, as LEADER events have it */
	char leader[32];
	uint64_t leader_since_ns;
	uint64_t seq, consumer_seq, time_ns; /* latest first delivery */
	bool suspect;
	unsigned confirmations; /* the same leader, seen since */
	struct inversion inversion;
};

struct reorder_state {
	struct reorder_consumer *consumers;
	uint32_t n;
};

static void
judge_floor(struct check *c, const struct ledger_entry *e, uint64_t seq,
    const char *how)
{
	struct anomaly a = {.kind = ANOMALY_REORDER, .stream = e->stream};

	if (seq >= e->floor)
		return;
	a.ids[0] = e->id;
	a.seqs[0] = seq;
	a.seqs[1] = e->floor;
	check_raise(c, &a,
	    "message %u:%llu was first published after sequence %llu had been "
	    "acknowledged, but was %s at the lower sequence %llu",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->floor, how, (unsigned long long)seq);
}

static void
on_publish_ok(struct check *c, const struct msg_publish_ok *m)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);

	if (e != NULL && !m->duplicate && e->seq != m->seq)
		judge_floor(c, e, m->seq, "acknowledged");
}

static void
raise_inversion(
    struct check *c, struct reorder_consumer *r, enum anomaly_class class)
{
	const struct inversion *v = &r->inversion;
	struct anomaly a = {.kind = ANOMALY_REORDER, .class = class};

	r->suspect = false;
	a.rule = "guarantees 7";
	a.stream = r->stream;
	a.time_ns = v->time_ns;
	a.seqs[0] = v->seqs[0];
	a.seqs[1] = v->seqs[1];
	check_raise(c, &a,
	    "consumer %s delivered sequence %llu first as number %llu, then "
	    "sequence %llu for the first time as number %llu%s",
	    r->name, (unsigned long long)v->seqs[0],
	    (unsigned long long)v->consumer_seqs[0],
	    (unsigned long long)v->seqs[1],
	    (unsigned long long)v->consumer_seqs[1],
	    class == CLASS_VIOLATION
		? ""
		: " (a leader change between them can't be excluded)");
}

static void
judge_first_delivery(
    struct check *c, struct reorder_consumer *r, const struct msg_deliver *m)
{
	if (m->consumer_seq <= r->consumer_seq)
		return; /* came late from another worker: says nothing new */
	if (m->seq < r->seq) {
		if (r->suspect)
			raise_inversion(c, r, CLASS_WARNING);
		r->inversion = (struct inversion){c->now_ns, {r->seq, m->seq},
		    {r->consumer_seq, m->consumer_seq}};
		r->suspect = true;
		r->confirmations = 0;
		if (!faults_quiet_for(
			c->faults, c->now_ns, FAULTS_ELECTION_NS) ||
		    r->leader[0] == '\0' || r->leader_since_ns > r->time_ns)
			raise_inversion(c, r, CLASS_WARNING);
	}
	r->seq = m->seq;
	r->consumer_seq = m->consumer_seq;
	r->time_ns = c->now_ns;
}

static int
on_deliver(struct check *c, const struct msg_deliver *m)
{
	struct reorder_state *st = c->state;
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	struct reorder_consumer *r;

	if (!check_is_ours(c, m->run, m->intact))
		return 0;
	if (e != NULL && e->seq == 0)
		judge_floor(c, e, m->seq, "delivered");
	r = check_slot(&st->consumers, &st->n, m->consumer, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	if (m->delivered == 1)
		judge_first_delivery(c, r, m);
	return 0;
}

static int
on_consumer(struct check *c, const struct msg_consumer *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct reorder_state *st = c->state;
	struct reorder_consumer *r =
	    check_slot(&st->consumers, &st->n, m->consumer, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	/* A new incarnation numbers its deliveries anew. */
	memset(r, 0, sizeof(*r));
	r->exists = true;
	r->stream = m->stream;
	(void)snprintf(r->name, sizeof(r->name), "%s/%s",
	    s != NULL ? s->name : "?", m->name);
	return 0;
}

static void
on_leader(struct check *c, const struct msg_leader *m)
{
	struct reorder_state *st = c->state;
	struct reorder_consumer *r;
	bool same;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		r = &st->consumers[i];
		if (m->what != 3 || !r->exists || strcmp(r->name, m->name) != 0)
			continue;
		same =
		    m->leader[0] != '\0' && strcmp(r->leader, m->leader) == 0;
		/* The first answer may have been asked for before. */
		if (r->suspect && (!same || ++r->confirmations == 2))
			raise_inversion(
			    c, r, same ? CLASS_VIOLATION : CLASS_WARNING);
		if (same)
			continue;
		(void)snprintf(r->leader, sizeof(r->leader), "%s", m->leader);
		r->leader_since_ns = c->now_ns;
	}
}

static int
reorder_event(struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_PUBLISH_OK:
		on_publish_ok(c, &ev->u.publish_ok);
		return 0;
	case MESSAGE_DELIVER:
		return on_deliver(c, &ev->u.deliver);
	case MESSAGE_CONSUMER:
		return on_consumer(c, &ev->u.consumer);
	default:
		on_leader(c, &ev->u.leader);
		return 0;
	}
}

static void
reorder_finish(struct check *c)
{
	struct reorder_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		if (st->consumers[i].suspect)
			raise_inversion(c, &st->consumers[i], CLASS_WARNING);
}

static void
reorder_fini(struct check *c)
{
	struct reorder_state *st = c->state;

	free(st->consumers);
}

static const enum message_type types[] = {
    MESSAGE_PUBLISH_OK, MESSAGE_DELIVER, MESSAGE_CONSUMER, MESSAGE_LEADER, 0};

const struct check_ops check_reorder = {
    .name = "reorder",
    .summary = "streams keep one order; first deliveries follow it",
    .rule = "guarantees 2",
    .types = types,
    .state_size = sizeof(struct reorder_state),
    .event = reorder_event,
    .finish = reorder_finish,
    .fini = reorder_fini,
};
