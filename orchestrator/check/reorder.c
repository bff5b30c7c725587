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
 * Publisher (guarantees 2): of two messages that one connection sent one
 * after the other, each acknowledged at its first attempt, the second has
 * the lower sequence. Legal when any attempt failed, the connection was made
 * anew, or the stream's leader changed.
 *
 * Consumer (guarantees 7): among first deliveries, ordered by consumer
 * sequence, the stream sequence goes down. After a change of the consumer's
 * leader num_delivered may begin anew. An ordered consumer (guarantees 8)
 * delivers each sequence once and upwards, whatever happens.
 *
 * The two in the middle convict only when no fault was in force for 20 s and
 * the same leader was seen before the first and after the second of the
 * pair; otherwise a consumer's is a warning and a publisher's is nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/order.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

struct inversion {
	uint64_t time_ns;
	uint64_t seqs[2], numbers[2];
	uint64_t ids[2];
};

/*
 * A stream or consumer, and an inversion of it that is raised when it is seen
 * that the leader has not changed.
 */
struct led {
	uint32_t stream;
	char name[136]; /* as LEADER events have it */
	char leader[32];
	uint64_t leader_since_ns;
	bool suspect;
	unsigned confirmations; /* the same leader, seen since */
	struct inversion inversion;
};

struct reorder_consumer {
	bool exists;
	struct led led;
	struct order firsts; /* consumer sequence: stream sequence, arrival */
	uint64_t seq;	     /* of the latest delivery, for ordered ones */
};

struct reorder_publisher {
	struct order sent;     /* counter: stream sequence, when acked */
	uint64_t disturbed_ns; /* what was invoked before is left out */
};

struct reorder_state {
	struct reorder_consumer *consumers;
	uint32_t n;
	struct led *streams;
	uint32_t nstreams;
	struct reorder_publisher *publishers; /* by source */
	uint32_t npublishers;
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
raise_inversion(struct check *c, struct led *l, enum anomaly_class class)
{
	const struct inversion *v = &l->inversion;
	struct anomaly a = {.kind = ANOMALY_REORDER, .class = class};
	bool is_consumer = strchr(l->name, '/') != NULL;

	l->suspect = false;
	a.rule = is_consumer ? "guarantees 7" : "guarantees 2";
	a.stream = l->stream;
	a.time_ns = v->time_ns;
	a.seqs[0] = v->seqs[0];
	a.seqs[1] = v->seqs[1];
	a.ids[0] = v->ids[0];
	a.ids[1] = v->ids[1];
	check_raise(c, &a,
	    is_consumer
		? "consumer %s delivered sequence %llu first as number %llu, "
		  "then sequence %llu for the first time as number %llu%s"
		: "stream %s gave sequence %llu to message %llu and the lower "
		  "%llu to message %llu, which the same connection sent "
		  "later, both at their first attempt%s",
	    l->name, (unsigned long long)v->seqs[0],
	    (unsigned long long)v->numbers[0], (unsigned long long)v->seqs[1],
	    (unsigned long long)v->numbers[1],
	    class == CLASS_VIOLATION
		? ""
		: " (a leader change between them can't be excluded)");
}

/* Keep an inversion that nothing explains until the leader is told again. */
static bool
suspect(struct check *c, struct led *l, const struct inversion *v,
    uint64_t since_ns)
{
	if (!faults_quiet_for(c->faults, c->now_ns, FAULTS_ELECTION_NS) ||
	    l->leader[0] == '\0' || l->leader_since_ns > since_ns)
		return false;
	if (l->suspect)
		return true; /* one that waits is enough */
	l->inversion = *v;
	l->suspect = true;
	l->confirmations = 0;
	return true;
}

/* Two neighbours: the lower number must have the lower sequence. */
static bool
is_inverted(const struct order_item *low, const struct order_item *high)
{
	return low != NULL && high != NULL && low->value > high->value;
}

static struct inversion
inversion_of(const struct check *c, const struct order_item *low,
    const struct order_item *high)
{
	return (struct inversion){.time_ns = c->now_ns,
	    .seqs = {low->value, high->value},
	    .numbers = {low->number, high->number}};
}

/* Time of the earlier of two. */
static uint64_t
earlier(const struct order_item *a, const struct order_item *b)
{
	return a->time_ns < b->time_ns ? a->time_ns : b->time_ns;
}

static void
judge_pair(struct check *c, struct reorder_consumer *r,
    const struct order_item *low, const struct order_item *high, bool is_newest)
{
	struct inversion v;

	if (!is_inverted(low, high))
		return;
	v = inversion_of(c, low, high);
	if (suspect(c, &r->led, &v, earlier(low, high)) || !is_newest)
		return;
	if (r->led.suspect)
		raise_inversion(c, &r->led, CLASS_WARNING);
	r->led.inversion = v;
	raise_inversion(c, &r->led, CLASS_WARNING);
}

static int
judge_first_delivery(
    struct check *c, struct reorder_consumer *r, const struct msg_deliver *m)
{
	bool is_newest = m->consumer_seq > r->firsts.top;
	struct order_item *item;
	int err = order_put(&r->firsts, m->consumer_seq, &item);

	if (err < 0)
		return err == -ENOMEM ? err : 0;
	if (item->value != 0)
		return 0; /* the number was used before */
	item->value = m->seq;
	item->time_ns = c->now_ns;
	judge_pair(
	    c, r, order_below(&r->firsts, m->consumer_seq), item, is_newest);
	judge_pair(c, r, item, order_above(&r->firsts, m->consumer_seq), false);
	return 0;
}

/* The library promises it of ordered consumers, whatever happens. */
static void
judge_ordered(
    struct check *c, struct reorder_consumer *r, const struct msg_deliver *m)
{
	struct anomaly a = {.kind = ANOMALY_REORDER, .rule = "guarantees 8"};

	if (m->seq <= r->seq) {
		a.stream = m->stream;
		a.ids[0] = m->id;
		a.seqs[0] = r->seq;
		a.seqs[1] = m->seq;
		check_raise(c, &a,
		    "ordered consumer %s delivered sequence %llu and then "
		    "sequence %llu",
		    r->led.name, (unsigned long long)r->seq,
		    (unsigned long long)m->seq);
	}
	r->seq = m->seq;
}

static int
on_deliver(struct check *c, const struct msg_deliver *m)
{
	struct reorder_state *st = c->state;
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	const struct ledger_consumer *k;
	struct reorder_consumer *r;

	if (!check_is_ours(c, m->run, m->intact))
		return 0;
	if (e != NULL && e->seq == 0)
		judge_floor(c, e, m->seq, "delivered");
	r = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*r), CHECK_SLOTS_MAX);
	if (r == NULL)
		return -ENOMEM;
	k = ledger_consumer(c->ledger, m->consumer);
	if (k != NULL && k->kind == KIND_ORDERED)
		judge_ordered(c, r, m);
	else if (m->delivered == 1)
		return judge_first_delivery(c, r, m);
	return 0;
}

/* Messages of one connection, each acked at its first attempt. */
static int
judge_publisher(struct check *c, const struct ledger_entry *e,
    const struct msg_publish_ok *m)
{
	struct reorder_state *st = c->state;
	uint32_t source = message_id_source(m->id);
	struct reorder_publisher *p = array_at(&st->publishers,
	    &st->npublishers, source, sizeof(*p), CHECK_SLOTS_MAX);
	struct led *l = array_at(&st->streams, &st->nstreams, m->stream,
	    sizeof(*l), CHECK_SLOTS_MAX);
	const struct order_item *low, *high;
	struct order_item *item;
	struct inversion v;
	int err;

	if (p == NULL || l == NULL)
		return -ENOMEM;
	if (e->attempts != 1 || e->is_unknown || m->duplicate ||
	    e->invoked_ns <= p->disturbed_ns)
		return 0;
	err = order_put(&p->sent, message_id_counter(m->id), &item);
	if (err < 0 || item->value != 0)
		return err == -ENOMEM ? err : 0;
	item->value = m->seq;
	item->time_ns = c->now_ns;
	low = order_below(&p->sent, item->number);
	high = item;
	if (!is_inverted(low, high)) {
		low = item;
		high = order_above(&p->sent, item->number);
	}
	if (!is_inverted(low, high))
		return 0;
	v = inversion_of(c, low, high);
	v.ids[0] = message_id(source, low->number);
	v.ids[1] = message_id(source, high->number);
	(void)suspect(c, l, &v, e->invoked_ns); /* otherwise it is legal */
	return 0;
}

static int
on_publish_ok(struct check *c, const struct msg_publish_ok *m)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);

	if (e == NULL)
		return 0;
	if (!m->duplicate && e->seq != m->seq)
		judge_floor(c, e, m->seq, "acknowledged");
	return judge_publisher(c, e, m);
}

/* An attempt failed, or the connection broke: what is open may overtake. */
static void
on_disturbance(struct check *c, uint32_t source)
{
	struct reorder_state *st = c->state;
	struct reorder_publisher *p;
	uint32_t i;

	if (source >= st->npublishers)
		return;
	p = &st->publishers[source];
	p->disturbed_ns = c->now_ns;
	order_fini(&p->sent);
	for (i = 0; i < st->nstreams; i++)
		if (message_id_source(st->streams[i].inversion.ids[0]) ==
		    source)
			st->streams[i].suspect = false;
}

static int
on_consumer(struct check *c, const struct msg_consumer *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct reorder_state *st = c->state;
	struct reorder_consumer *r = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*r), CHECK_SLOTS_MAX);

	if (r == NULL)
		return -ENOMEM;
	/* A new incarnation numbers its deliveries anew. */
	order_fini(&r->firsts);
	memset(r, 0, sizeof(*r));
	r->exists = true;
	r->led.stream = m->stream;
	text_format(r->led.name, sizeof(r->led.name), "%s/%s",
	    s != NULL ? s->name : "?", m->name);
	return 0;
}

static int
on_stream(struct check *c, const struct msg_stream *m)
{
	struct reorder_state *st = c->state;
	struct led *l = array_at(&st->streams, &st->nstreams, m->stream,
	    sizeof(*l), CHECK_SLOTS_MAX);

	if (l == NULL)
		return -ENOMEM;
	memset(l, 0, sizeof(*l));
	l->stream = m->stream;
	text_format(l->name, sizeof(l->name), "%s", m->name);
	return 0;
}

static void
led_leader(struct check *c, struct led *l, const struct msg_leader *m)
{
	bool same;

	if (l->name[0] == '\0' || strcmp(l->name, m->name) != 0)
		return;
	same = m->leader[0] != '\0' && strcmp(l->leader, m->leader) == 0;
	/* The first answer may have been asked for before. */
	if (l->suspect && (!same || ++l->confirmations == 2)) {
		if (same || m->what == LEADS_CONSUMER)
			raise_inversion(
			    c, l, same ? CLASS_VIOLATION : CLASS_WARNING);
		l->suspect = false;
	}
	if (same)
		return;
	memcpy(l->leader, m->leader, sizeof(l->leader));
	l->leader_since_ns = c->now_ns;
}

static void
on_leader(struct check *c, const struct msg_leader *m)
{
	struct reorder_state *st = c->state;
	uint32_t i;

	for (i = 0; m->what == LEADS_CONSUMER && i < st->n; i++)
		led_leader(c, &st->consumers[i].led, m);
	for (i = 0; m->what == LEADS_STREAM && i < st->nstreams; i++)
		led_leader(c, &st->streams[i], m);
}

static int
reorder_event(struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_PUBLISH_OK:
		return on_publish_ok(c, &ev->u.publish_ok);
	case MESSAGE_DELIVER:
		return on_deliver(c, &ev->u.deliver);
	case MESSAGE_CONSUMER:
		return on_consumer(c, &ev->u.consumer);
	case MESSAGE_STREAM:
		return on_stream(c, &ev->u.stream);
	case MESSAGE_LEADER:
		on_leader(c, &ev->u.leader);
		return 0;
	case MESSAGE_CHILD_EXIT:
		on_disturbance(c, ev->u.child_exit.child);
		return 0;
	default: /* PUBLISH_UNKNOWN, PUBLISH_FAIL, RECONNECTED */
		on_disturbance(c, ev->source);
		return 0;
	}
}

static void
reorder_finish(struct check *c)
{
	struct reorder_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		if (st->consumers[i].led.suspect)
			raise_inversion(
			    c, &st->consumers[i].led, CLASS_WARNING);
	for (i = 0; i < st->nstreams; i++)
		if (st->streams[i].suspect)
			raise_inversion(c, &st->streams[i], CLASS_WARNING);
}

static void
reorder_fini(struct check *c)
{
	struct reorder_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		order_fini(&st->consumers[i].firsts);
	for (i = 0; i < st->npublishers; i++)
		order_fini(&st->publishers[i].sent);
	free(st->consumers);
	free(st->streams);
	free(st->publishers);
}

static const enum message_type types[] = {MESSAGE_PUBLISH_OK,
    MESSAGE_PUBLISH_UNKNOWN, MESSAGE_PUBLISH_FAIL, MESSAGE_RECONNECTED,
    MESSAGE_CHILD_EXIT, MESSAGE_DELIVER, MESSAGE_STREAM, MESSAGE_CONSUMER,
    MESSAGE_LEADER, 0};

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
