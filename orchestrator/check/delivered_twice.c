/* SPDX-License-Identifier: ISC */
/*
 * delivered_twice: one delivery arrived twice.
 *
 * Rule (guarantees 5): each time that a server sends a message to somebody it
 * takes the next consumer sequence, and a queue group or a pull request gives
 * a delivery to one subscriber. So nobody receives a consumer sequence that
 * was received before, be it by the same process or by another.
 *
 * It convicts when the consumer's leader was steady (check_steady) from 20 s
 * before the first of the two until after the second; otherwise it is a
 * warning, for a leader that was deposed may still send what it had queued,
 * under numbers that its successor gives again. With one replica numbers go
 * back when a server ends (see redelivered_after_ack): documented then, and a
 * warning where nobody sees whether one did. Where servers have gateways or
 * leaf nodes it is a warning, too (guarantees 35): a message takes more than
 * one way there while such a link is made anew.
 *
 * What comes again later than any delivery is on its way is no second copy
 * but a consumer that has lost its state, which redelivered_after_ack judges.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/order.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define KEEP	 4096 /* numbers of a consumer, at least, and 20 s of them */
#define KEEP_MAX 32768
#define COPY_NS	 (20 * CLOCK_S)

struct twice_consumer {
	uint32_t stream, replicas;
	bool is_alone;		       /* it may have had one replica */
	char name[CHECK_CONSUMER_MAX]; /* as LEADER events have it */
	uint64_t life;		       /* whose it is, if it comes and goes */
	struct order numbers; /* consumer sequence: stream sequence, arrival */
};

struct twice_state {
	bool has_remotes; /* gateways or leaf nodes, at any time */
	struct twice_consumer *consumers;
	uint32_t n;
};

static void
judge_copy(struct check *c, const struct twice_consumer *t,
    const struct order_item *first, const struct msg_deliver *m)
{
	const struct twice_state *st = c->state;
	const enum anomaly_class lone =
	    check_lone_class(c, t->stream, t->is_alone, first->time_ns);
	const char *ways =
	    st->has_remotes ? "; servers have gateways or leaf nodes" : "";
	struct anomaly a = {.kind = ANOMALY_DELIVERED_TWICE,
	    .class = lone != CLASS_VIOLATION ? lone : CLASS_WARNING,
	    .stream = t->stream,
	    .ids = {m->id, 0},
	    .seqs = {m->seq, first->value}};
	struct check_span span = {.what = LEADERS_CONSUMER,
	    .name = t->name,
	    .replicas = t->replicas,
	    .from_ns = first->time_ns,
	    .to_ns = c->now_ns,
	    .is_no_proof = lone != CLASS_VIOLATION || st->has_remotes};

	if (first->value == m->seq)
		check_raise_steady(c, &a, &span,
		    "delivery %llu of consumer %s (sequence %llu, delivery "
		    "count %llu) arrived %.6f s after it had arrived before%s",
		    (unsigned long long)m->consumer_seq, t->name,
		    (unsigned long long)m->seq,
		    (unsigned long long)m->delivered,
		    (double)(c->now_ns - first->time_ns) / 1e9, ways);
	else
		check_raise_steady(c, &a, &span,
		    "consumer %s gave number %llu to sequence %llu, and "
		    "%.6f s before to sequence %llu%s",
		    t->name, (unsigned long long)m->consumer_seq,
		    (unsigned long long)m->seq,
		    (double)(c->now_ns - first->time_ns) / 1e9,
		    (unsigned long long)first->value, ways);
}

/* What would be overwritten by a number may still come a second time. */
static void
keep_more(struct check *c, struct twice_consumer *t, uint64_t number)
{
	struct order *o = &t->numbers;
	const struct order_item *old;

	if (o->room < o->keep || number <= o->top || number <= o->room)
		return;
	old = order_find(o, number - o->room);
	if (old == NULL || c->now_ns - old->time_ns >= COPY_NS)
		return;
	if (o->keep < KEEP_MAX)
		o->keep *= 2;
}

/* A new incarnation numbers its deliveries anew. */
static void
consumer_begin(struct check *c, struct twice_consumer *t, uint32_t stream,
    const char *name)
{
	order_fini(&t->numbers);
	order_init(&t->numbers, KEEP);
	t->stream = stream;
	t->replicas = ledger_replicas(c->ledger, stream);
	t->is_alone = t->replicas == 1;
	check_consumer_name(c, stream, name, t->name);
}

/* One that comes and goes numbers anew in each of its lives. */
static void
life_pass(struct check *c, struct twice_consumer *t, const struct life *f)
{
	if (t->life != f->number)
		consumer_begin(c, t, f->stream, f->name);
	t->life = f->number;
	t->replicas = life_replicas(f, c->ledger);
	t->is_alone = life_was_alone(f, c->ledger);
}

/* True for deliveries of one consumer that is known, and numbers them once. */
static bool
is_numbered(struct check *c, uint32_t consumer, const struct life *f)
{
	const struct ledger_consumer *k = ledger_consumer(c->ledger, consumer);

	/* An ordered consumer is made anew, and numbers anew, by itself. */
	return f != NULL ? !life_is_of(f, KIND_ORDERED) && !f->is_vague &&
			       !f->is_unclear
			 : k != NULL && k->kind != KIND_ORDERED;
}

static int
on_deliver(struct check *c, const struct msg_deliver *m)
{
	const struct life *f = life_of(c->lives, m->consumer);
	struct twice_state *st = c->state;
	struct twice_consumer *t;
	struct order_item *item;
	int err;

	if (!is_numbered(c, m->consumer, f) || m->consumer_seq == 0 ||
	    !check_is_ours(c, m->run, m->intact))
		return 0;
	t = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*t), CHECK_SLOTS_MAX);
	if (t == NULL)
		return -ENOMEM;
	if (f != NULL)
		life_pass(c, t, f);
	check_judged(c, 1);
	keep_more(c, t, m->consumer_seq);
	err = order_put(&t->numbers, m->consumer_seq, &item);
	if (err < 0)
		return err == -ENOMEM ? err : 0;
	if (item->value != 0) {
		if (c->now_ns - item->time_ns < COPY_NS)
			judge_copy(c, t, item, m);
		return 0;
	}
	item->value = m->seq;
	item->time_ns = c->now_ns;
	return 0;
}

static int
on_consumer(struct check *c, const struct msg_consumer *m)
{
	struct twice_state *st = c->state;
	struct twice_consumer *t = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*t), CHECK_SLOTS_MAX);

	if (t == NULL)
		return -ENOMEM;
	consumer_begin(c, t, m->stream, m->name);
	return 0;
}

/* Nobody watches who leads the consumers of the audit. */
static void
on_copy(struct check *c, const struct msg_copy_twice *m)
{
	const struct anomaly a = {.kind = ANOMALY_DELIVERED_TWICE,
	    .class = CLASS_WARNING,
	    .stream = m->stream,
	    .seqs = {m->seq, 0}};
	const struct check_span span = {.what = LEADERS_CONSUMER,
	    .name = m->consumer,
	    .to_ns = c->now_ns,
	    .is_no_proof = true};

	check_raise_steady(c, &a, &span,
	    "delivery %llu of the audit's consumer %s (sequence %llu) arrived "
	    "a second time",
	    (unsigned long long)m->consumer_seq, m->consumer,
	    (unsigned long long)m->seq);
}

static int
twice_event(struct check *c, const struct event *ev)
{
	struct twice_state *st = c->state;

	if (ev->type == MESSAGE_SERVER_REMOTES) {
		st->has_remotes |= ev->u.server_remotes.gateways != 0 ||
				   ev->u.server_remotes.leafs != 0;
		return 0;
	}
	if (ev->type == MESSAGE_COPY_TWICE) {
		on_copy(c, &ev->u.copy_twice);
		return 0;
	}
	return ev->type == MESSAGE_DELIVER ? on_deliver(c, &ev->u.deliver)
					   : on_consumer(c, &ev->u.consumer);
}

static void
twice_fini(struct check *c)
{
	struct twice_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		order_fini(&st->consumers[i].numbers);
	free(st->consumers);
}

static const enum message_type types[] = {MESSAGE_DELIVER, MESSAGE_CONSUMER,
    MESSAGE_COPY_TWICE, MESSAGE_SERVER_REMOTES, 0};

const struct check_ops check_delivered_twice = {
    .name = "delivered_twice",
    .summary = "one delivery arrives once, at one subscriber",
    .rule = "guarantees 5",
    .types = types,
    .unit = "deliveries",
    .state_size = sizeof(struct twice_state),
    .event = twice_event,
    .fini = twice_fini,
};
