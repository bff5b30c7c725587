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
 * after the other to one stream, each acknowledged at its first attempt, the
 * second has the lower sequence. Legal when any attempt failed, the connection
 * was made anew, or the stream's leader changed.
 *
 * Consumer (guarantees 7): among first deliveries, ordered by consumer
 * sequence, the stream sequence goes down. After a change of the consumer's
 * leader num_delivered may begin anew. Where nobody received a lower number,
 * the server may have sent the message as that number, found nobody at the
 * inbox (its worker died), and taken the delivery count back. An ordered
 * consumer (guarantees 8) delivers each sequence once and upwards, whatever
 * happens.
 *
 * The two in the middle convict only when the leader was steady
 * (check_steady); otherwise a consumer's is a warning and a publisher's is
 * nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/order.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

#define KEEP 1024 /* numbers of a consumer, at least */

struct reorder_consumer {
	uint32_t stream, replicas;
	char name[CHECK_CONSUMER_MAX]; /* as LEADER events have it */
	uint64_t life;		       /* whose it is, if it comes and goes */
	struct order firsts; /* consumer sequence: stream sequence, arrival */
	struct order others; /* the numbers of deliveries that were no first */
	uint64_t seq;	     /* of the latest delivery, for ordered ones */
};

/* An inversion of a stream's that waits; those of publishers are rare. */
struct reorder_stream {
	bool waits;
	uint64_t from_ns, time_ns;
	uint64_t seqs[2], ids[2];
};

struct reorder_publisher {
	struct order *sent; /* by stream; counter: sequence, when acked */
	uint32_t nsent;
	uint64_t disturbed_ns; /* what was invoked before is left out */
};

struct reorder_state {
	struct reorder_consumer *consumers;
	uint32_t n;
	struct reorder_stream *streams;
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

/* Two neighbours: the lower number must have the lower sequence. */
static bool
is_inverted(const struct order_item *low, const struct order_item *high)
{
	return low != NULL && high != NULL && low->value > high->value;
}

/* Time of the earlier of two. */
static uint64_t
earlier(const struct order_item *a, const struct order_item *b)
{
	return a->time_ns < b->time_ns ? a->time_ns : b->time_ns;
}

/*
 * True when somebody received every number below `low` down to the first
 * delivery of a message that the stream has before seq: then seq was never
 * sent in its turn.
 */
static bool
was_never_sent(const struct reorder_consumer *r, const struct order_item *low,
    uint64_t seq)
{
	const struct order_item *i;
	uint64_t n = low->number;

	while (--n > 0) {
		i = order_find(&r->firsts, n);
		if (i != NULL && i->value < seq)
			return true;
		if (i == NULL && order_find(&r->others, n) == NULL)
			return false;
	}
	return true; /* the very first number is known */
}

static void
judge_pair(struct check *c, const struct reorder_consumer *r,
    const struct order_item *low, const struct order_item *high)
{
	struct anomaly a = {.kind = ANOMALY_REORDER,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 7",
	    .stream = r->stream};
	struct check_span span = {.what = LEADERS_CONSUMER, .name = r->name};
	char says[320];

	if (!is_inverted(low, high))
		return;
	a.seqs[0] = low->value;
	a.seqs[1] = high->value;
	text_format(says, sizeof(says),
	    "consumer %s delivered sequence %llu first as number %llu, then "
	    "sequence %llu for the first time as number %llu",
	    r->name, (unsigned long long)low->value,
	    (unsigned long long)low->number, (unsigned long long)high->value,
	    (unsigned long long)high->number);
	if (!was_never_sent(r, low, high->value)) {
		check_raise(c, &a,
		    "%s; a lower number was received by nobody, so the server "
		    "may have taken an earlier delivery of it back",
		    says);
		return;
	}
	span.replicas = r->replicas;
	span.from_ns = earlier(low, high);
	span.to_ns = c->now_ns;
	check_raise_steady(c, &a, &span, "%s", says);
}

static int
judge_first_delivery(
    struct check *c, struct reorder_consumer *r, const struct msg_deliver *m)
{
	struct order_item *item;
	int err = order_put(&r->firsts, m->consumer_seq, &item);

	if (err < 0)
		return err == -ENOMEM ? err : 0;
	if (item->value != 0)
		return 0; /* used before: delivered_twice judges that */
	item->value = m->seq;
	item->time_ns = c->now_ns;
	judge_pair(c, r, order_below(&r->firsts, m->consumer_seq), item);
	judge_pair(c, r, item, order_above(&r->firsts, m->consumer_seq));
	return 0;
}

static int
note_other(struct reorder_consumer *r, const struct msg_deliver *m)
{
	struct order_item *item;

	return order_put(&r->others, m->consumer_seq, &item) == -ENOMEM
		   ? -ENOMEM
		   : 0;
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
		    r->name, (unsigned long long)r->seq,
		    (unsigned long long)m->seq);
	}
	r->seq = m->seq;
}

/* A new incarnation numbers its deliveries anew. */
static void
consumer_begin(struct check *c, struct reorder_consumer *r, uint32_t stream,
    const char *name)
{
	order_fini(&r->firsts);
	order_fini(&r->others);
	memset(r, 0, sizeof(*r));
	order_init(&r->firsts, KEEP);
	order_init(&r->others, KEEP);
	r->stream = stream;
	r->replicas = ledger_replicas(c->ledger, stream);
	check_consumer_name(c, stream, name, r->name);
}

/* One that comes and goes numbers anew in each of its lives. */
static void
life_pass(struct check *c, struct reorder_consumer *r, const struct life *f)
{
	if (r->life != f->number)
		consumer_begin(c, r, f->stream, f->name);
	r->life = f->number;
	r->replicas = life_replicas(f, c->ledger);
}

static int
on_deliver(struct check *c, const struct msg_deliver *m)
{
	struct reorder_state *st = c->state;
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	const struct life *f = life_of(c->lives, m->consumer);
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
	if (f != NULL && (f->is_vague || f->is_unclear))
		return 0;
	if (f != NULL)
		life_pass(c, r, f);
	if (f != NULL ? life_is_of(f, KIND_ORDERED)
		      : k != NULL && k->kind == KIND_ORDERED)
		judge_ordered(c, r, m);
	else if (m->delivered == 1)
		return judge_first_delivery(c, r, m);
	else
		return note_other(r, m);
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
	struct reorder_stream *w = array_at(&st->streams, &st->nstreams,
	    m->stream, sizeof(*w), CHECK_SLOTS_MAX);
	const struct order_item *low, *high;
	struct order_item *item;
	struct order *sent;
	int err;

	sent = p == NULL ? NULL
			 : array_at(&p->sent, &p->nsent, m->stream,
			       sizeof(*sent), CHECK_SLOTS_MAX);
	if (sent == NULL || w == NULL)
		return -ENOMEM;
	if (m->attempt != 1 || e->attempts != 1 || e->is_unknown ||
	    m->duplicate || e->invoked_ns <= p->disturbed_ns)
		return 0;
	err = order_put(sent, message_id_counter(m->id), &item);
	if (err < 0 || item->value != 0)
		return err == -ENOMEM ? err : 0;
	item->value = m->seq;
	item->time_ns = c->now_ns;
	low = order_below(sent, item->number);
	high = item;
	if (!is_inverted(low, high)) {
		low = item;
		high = order_above(sent, item->number);
	}
	if (!is_inverted(low, high) || w->waits)
		return 0; /* one that waits is enough */
	*w = (struct reorder_stream){.waits = true,
	    .from_ns = e->invoked_ns,
	    .time_ns = c->now_ns,
	    .seqs = {low->value, high->value},
	    .ids = {message_id(source, low->number),
		message_id(source, high->number)}};
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

/* It is raised when its stream's leader is known to have been steady. */
static void
stream_judge(struct check *c, uint32_t stream)
{
	const struct reorder_state *st = c->state;
	struct reorder_stream *w = &st->streams[stream];
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct anomaly a = {.kind = ANOMALY_REORDER,
	    .rule = "guarantees 2",
	    .time_ns = w->time_ns,
	    .stream = stream,
	    .seqs = {w->seqs[0], w->seqs[1]},
	    .ids = {w->ids[0], w->ids[1]}};
	enum steadiness is;

	if (!w->waits)
		return;
	is = s == NULL ? STEADY_NO
		       : check_steady(c, LEADERS_STREAM, s->name, s->replicas,
			     w->from_ns, w->time_ns);
	w->waits = is == STEADY_SO_FAR;
	if (is == STEADY_YES)
		check_raise(c, &a,
		    "stream %s gave sequence %llu to message %u:%llu and the "
		    "lower %llu to message %u:%llu, which the same connection "
		    "sent later, both at their first attempt",
		    s->name, (unsigned long long)w->seqs[0],
		    message_id_source(w->ids[0]),
		    (unsigned long long)message_id_counter(w->ids[0]),
		    (unsigned long long)w->seqs[1],
		    message_id_source(w->ids[1]),
		    (unsigned long long)message_id_counter(w->ids[1]));
}

static void
streams_judge(struct check *c)
{
	const struct reorder_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->nstreams; i++)
		stream_judge(c, i);
}

static void
publisher_forget(struct reorder_publisher *p)
{
	uint32_t i;

	for (i = 0; i < p->nsent; i++)
		order_fini(&p->sent[i]);
}

/* An attempt failed, or the connection broke: what is open may overtake. */
static void
on_disturbance(struct check *c, uint32_t source)
{
	struct reorder_state *st = c->state;
	struct reorder_publisher *p;
	uint32_t i;

	streams_judge(c); /* what is known by now stands */
	if (source >= st->npublishers)
		return;
	p = &st->publishers[source];
	p->disturbed_ns = c->now_ns;
	publisher_forget(p);
	for (i = 0; i < st->nstreams; i++)
		if (message_id_source(st->streams[i].ids[0]) == source)
			st->streams[i].waits = false;
}

static int
on_consumer(struct check *c, const struct msg_consumer *m)
{
	struct reorder_state *st = c->state;
	struct reorder_consumer *r = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*r), CHECK_SLOTS_MAX);

	if (r == NULL)
		return -ENOMEM;
	consumer_begin(c, r, m->stream, m->name);
	return 0;
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
	case MESSAGE_TICK:
		streams_judge(c);
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
reorder_fini(struct check *c)
{
	struct reorder_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		order_fini(&st->consumers[i].firsts);
		order_fini(&st->consumers[i].others);
	}
	for (i = 0; i < st->npublishers; i++) {
		publisher_forget(&st->publishers[i]);
		free(st->publishers[i].sent);
	}
	free(st->consumers);
	free(st->streams);
	free(st->publishers);
}

static const enum message_type types[] = {MESSAGE_PUBLISH_OK,
    MESSAGE_PUBLISH_UNKNOWN, MESSAGE_PUBLISH_FAIL, MESSAGE_RECONNECTED,
    MESSAGE_CHILD_EXIT, MESSAGE_DELIVER, MESSAGE_CONSUMER, MESSAGE_TICK, 0};

static const enum message_type judges[] = {
    MESSAGE_PUBLISH_OK, MESSAGE_DELIVER, 0};

const struct check_ops check_reorder = {
    .name = "reorder",
    .summary = "streams keep one order; first deliveries follow it",
    .rule = "guarantees 2",
    .types = types,
    .unit = "publishes and deliveries",
    .judges = judges,
    .state_size = sizeof(struct reorder_state),
    .event = reorder_event,
    .finish = streams_judge,
    .fini = reorder_fini,
};
