/* SPDX-License-Identifier: ISC */
/*
 * limit_exceeded, misdelivered: a consumer went beyond MaxAckPending or
 * MaxDeliver, sent more than a request had asked for, or to two clients at a
 * time of which one is pinned.
 *
 * Rule (guarantees 14). MaxDeliver: the metadata of a delivery count more
 * than that. MaxAckPending: more different messages than that were out at
 * one moment, delivered for the first time and with no ack sent. A worker
 * says when it begins to ack what it received (ACKS_BEGIN, before the first
 * byte), so until then all of it is out.
 *
 * Why no legal behaviour trips it: redeliveries are not counted, nor is a
 * message that comes a second time as the first; one that was redelivered is
 * out no longer, for whoever received it then may have acked it; what a dead
 * worker held is left out; and unless one leader was steady (check_steady) from
 * the oldest of these deliveries on, its successor may have begun the counts
 * anew, and it is a warning. So is an advisory that tells of another number of
 * deliveries than MaxDeliver: it is sent at most once, and what is in it
 * removes nothing.
 *
 * Requests (guarantees 36): one brought more messages than its batch, or more
 * bytes than its max_bytes. Each has an inbox of its own, so what came there
 * it brought. A deposed leader may hear a request as well as its successor, so
 * it convicts when one leader was steady; and not when the client connected
 * anew meanwhile, for then the request may have been sent twice, nor where a
 * gateway or a leaf node may bring it, or a message, twice (guarantees 35).
 *
 * Rates (guarantees 24): since it was asked for, a consumer that pushes has
 * sent more payload than its rate allows for that time and ten seconds more,
 * and eight bursts: each leader begins with one, and may be elected while the
 * consumer is made. From some seconds on one leader was steady.
 *
 * Least numbers (guarantees 36): a request that wants some only while more are
 * pending, or not acked, than any stream here has, brought some. Servers that
 * do not know of this give it what they have: it is not judged where there are
 * several versions.
 *
 * Pins (guarantees 36): who got messages holds the pin for a while behind each
 * request that was answered; until then a request that does not name it gets
 * none. Changes of the consumer and of its leader may end a pin.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/order.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define PIN_EARLY_NS (CLOCK_S / 2) /* that a pin may end */
#define MADE_NS	     (8 * CLOCK_S) /* who led a new consumer is known then */
#define NEVER	     UINT64_C(1000000000) /* so many are never there */
#define RATE_MORE_NS (10 * CLOCK_S)
#define BURSTS	     8

struct limit_consumer {
	uint64_t out;	   /* messages */
	bool told;	   /* that they are too many, since they became so */
	struct order seqs; /* stream sequence: its reader and that one's turn */
	struct msg_pull asked; /* the latest request; batch 0: none */
	uint64_t asked_ns;
	uint64_t least; /* that it wants to be there; 0: any number */
	uint64_t pin;	/* hash; 0: none is known */
	uint64_t pin_ns, pin_life; /* asked for last; of this life */
	uint64_t got_ns;	   /* what brought messages with it was, last */
	uint64_t told_rate;	   /* the life of which it was told */
};

struct limit_reader {
	uint32_t consumer; /* a process reads one */
	uint64_t out;
	uint64_t since_ns; /* the first of these was delivered */
	uint64_t turn;	   /* times that it began to ack, from 1 */
};

struct limit_state {
	struct limit_consumer *consumers;
	uint32_t n;
	struct limit_reader *readers; /* by source */
	uint32_t nreaders;
	uint64_t reconnected_ns; /* a client did, last */
	bool has_remotes;	 /* gateways or leaf nodes, at any time */
	char version[32];	 /* of a server; "": none is known */
	bool is_mixed;		 /* others have had another one */
};

static void
judge_deliveries(struct check *c, const char *name, uint64_t max_deliver,
    const struct msg_deliver *m)
{
	struct anomaly a = {
	    .kind = ANOMALY_LIMIT_EXCEEDED, .stream = m->stream};

	if (max_deliver == 0 || m->delivered <= max_deliver)
		return;
	a.ids[0] = m->id;
	a.seqs[0] = m->seq;
	check_raise(c, &a,
	    "sequence %llu was delivered for the %lluth time by consumer %s, "
	    "whose MaxDeliver is %llu",
	    (unsigned long long)m->seq, (unsigned long long)m->delivered, name,
	    (unsigned long long)max_deliver);
}

/* Of one that comes and goes the highest counts that it ever had. */
static void
judge_life(struct check *c, const struct life *f, const struct msg_deliver *m)
{
	uint64_t max_deliver = life_max_deliver(f);

	check_judged(c, max_deliver != 0);
	judge_deliveries(c, f->name, max_deliver, m);
}

/* The server gives a message up. */
static void
on_advisory(struct check *c, const struct msg_advisory *m)
{
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	struct anomaly a = {
	    .kind = ANOMALY_LIMIT_EXCEEDED, .class = CLASS_WARNING};

	if (k == NULL || !k->has_rules || m->deliveries == k->max_deliver)
		return;
	a.stream = k->stream;
	a.seqs[0] = m->seq;
	check_raise(c, &a,
	    "an advisory says that consumer %s gives sequence %llu up after "
	    "%llu deliveries, and its MaxDeliver is %llu",
	    k->name, (unsigned long long)m->seq,
	    (unsigned long long)m->deliveries,
	    (unsigned long long)k->max_deliver);
}

/* As many sequences as can be out, and then as many again. */
static size_t
room_for(uint64_t max_ack_pending)
{
	size_t room = 64;

	while (room < ORDER_MAX && room / 2 < max_ack_pending)
		room *= 2;
	return room;
}

/* When the oldest of what is out was delivered. */
static uint64_t
oldest(const struct limit_state *st, uint32_t consumer)
{
	const struct limit_reader *r;
	uint64_t ns = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < st->nreaders; i++) {
		r = &st->readers[i];
		if (r->consumer == consumer && r->out > 0 && r->since_ns < ns)
			ns = r->since_ns;
	}
	return ns;
}

static void
judge_pending(struct check *c, const struct ledger_consumer *k,
    struct limit_consumer *l, const struct msg_deliver *m)
{
	struct anomaly a = {.kind = ANOMALY_LIMIT_EXCEEDED,
	    .class = CLASS_WARNING,
	    .stream = m->stream,
	    .ids = {m->id, 0},
	    .seqs = {m->seq, 0}};
	struct check_span span = {.what = LEADERS_CONSUMER,
	    .replicas = ledger_replicas(c->ledger, k->stream),
	    .to_ns = c->now_ns};
	char name[CHECK_CONSUMER_MAX];

	if (l->out <= k->max_ack_pending) {
		l->told = false;
		return;
	}
	if (l->told)
		return;
	l->told = true;
	check_consumer_name(c, k->stream, k->name, name);
	span.name = name;
	span.from_ns = oldest(c->state, m->consumer);
	check_raise_steady(c, &a, &span,
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
	r->turn++;
}

/* True when a message is out with a process that has not begun to ack. */
static bool
is_out(const struct limit_state *st, const struct order_item *item)
{
	const struct limit_reader *r;

	if (item->value == 0 || item->value > st->nreaders)
		return false;
	r = &st->readers[item->value - 1];
	return item->time_ns == r->turn;
}

/* It comes again, while who received it first has not begun to ack. */
static void
message_release(struct limit_state *st, struct limit_consumer *l, uint64_t seq)
{
	const struct order_item *found = order_find(&l->seqs, seq);
	struct order_item *item;

	if (found == NULL || !is_out(st, found) ||
	    order_put(&l->seqs, seq, &item) < 0)
		return;
	st->readers[item->value - 1].out--;
	l->out--;
	item->value = 0;
}

static int
on_deliver(struct check *c, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	const struct life *f = life_of(c->lives, m->consumer);
	struct limit_state *st = c->state;
	struct limit_consumer *l;
	struct limit_reader *r;
	struct order_item *item;
	int err;

	if (f != NULL)
		judge_life(c, f, m);
	if (k == NULL || !k->has_rules || f != NULL)
		return 0;
	check_judged(c, k->max_deliver != 0 || k->max_ack_pending != 0);
	judge_deliveries(c, k->name, k->max_deliver, m);
	if (k->max_ack_pending == 0 || m->seq == 0)
		return 0;
	if (m->delivered != 1) {
		if (m->consumer < st->n)
			message_release(
			    st, &st->consumers[m->consumer], m->seq);
		return 0;
	}
	l = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*l), CHECK_SLOTS_MAX);
	r = array_at(&st->readers, &st->nreaders, ev->source, sizeof(*r),
	    CHECK_SLOTS_MAX);
	if (l == NULL || r == NULL)
		return -ENOMEM;
	if (r->consumer != m->consumer)
		reader_release(st, ev->source);
	r->consumer = m->consumer;
	if (l->seqs.keep == 0)
		order_init(&l->seqs, room_for(k->max_ack_pending));
	err = order_put(&l->seqs, m->seq, &item);
	if (err < 0)
		return err == -ENOMEM ? err : 0;
	if (is_out(st, item))
		return 0; /* a new leader sends it as if for the first time */
	item->value = ev->source + UINT64_C(1);
	item->time_ns = r->turn;
	if (r->out++ == 0)
		r->since_ns = c->now_ns;
	l->out++;
	judge_pending(c, k, l, m);
	return 0;
}

static int
on_pull(struct check *c, const struct msg_pull *m)
{
	struct limit_state *st = c->state;
	struct limit_consumer *l = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*l), CHECK_SLOTS_MAX);

	if (l == NULL)
		return -ENOMEM;
	l->asked = *m;
	l->least = 0;
	l->asked_ns = c->now_ns;
	return 0;
}

static void
on_pull_min(struct limit_state *st, const struct msg_pull_min *m)
{
	struct limit_consumer *l =
	    m->consumer < st->n ? &st->consumers[m->consumer] : NULL;

	if (l != NULL && l->asked.pull == m->pull)
		l->least =
		    m->pending > m->ack_pending ? m->pending : m->ack_pending;
}

/* What a request has brought is known. */
static void
on_pull_end(struct check *c, const struct msg_pull_end *m)
{
	const struct life *f = life_of(c->lives, m->consumer);
	const struct limit_state *st = c->state;
	const struct limit_consumer *l =
	    m->consumer < st->n ? &st->consumers[m->consumer] : NULL;
	struct anomaly a = {.kind = ANOMALY_LIMIT_EXCEEDED,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 36"};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span;

	if (f == NULL || l == NULL || l->asked.batch == 0 ||
	    l->asked.pull != m->pull)
		return;
	check_judged(c, 1);
	a.stream = f->stream;
	span = check_life_span(c, f, l->asked_ns, name);
	span.is_no_proof = st->reconnected_ns >= l->asked_ns || st->has_remotes;
	if (m->messages > 0 && l->least >= NEVER && !st->is_mixed)
		check_raise_steady(c, &a, &span,
		    "consumer %s sent %u messages to a request that wants some "
		    "only while %llu are pending, or await their ack",
		    f->name, m->messages, (unsigned long long)l->least);
	if (m->messages <= l->asked.batch &&
	    (l->asked.max_bytes == 0 || m->bytes <= l->asked.max_bytes))
		return;
	check_raise_steady(c, &a, &span,
	    "consumer %s was asked for %u messages and %llu bytes at most (0: "
	    "any), and sent %u messages and %llu bytes to the inbox of that "
	    "request",
	    f->name, l->asked.batch, (unsigned long long)l->asked.max_bytes,
	    m->messages, (unsigned long long)m->bytes);
}

/* What it has pushed since it was made. */
static int
on_pushed(struct check *c, const struct msg_pushed *m)
{
	const struct life *f = life_of(c->lives, m->consumer);
	struct limit_state *st = c->state;
	struct limit_consumer *l = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*l), CHECK_SLOTS_MAX);
	struct anomaly a = {.kind = ANOMALY_LIMIT_EXCEEDED,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 24"};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span;
	uint64_t rate = f != NULL ? life_rate(f) / 8 : 0, most;

	if (l == NULL)
		return -ENOMEM;
	if (rate == 0 || f->made_ns == LIVES_NEVER ||
	    l->told_rate == f->number ||
	    c->now_ns < f->made_ns + MADE_NS + CLOCK_S)
		return 0;
	check_judged(c, 1);
	most = BURSTS * m->burst +
	       rate * ((c->now_ns - f->asked_ns + RATE_MORE_NS) / CLOCK_S + 1);
	if (m->bytes <= most)
		return 0;
	l->told_rate = f->number;
	a.stream = f->stream;
	span = check_life_span(c, f, f->made_ns + MADE_NS, name);
	span.is_no_proof = st->has_remotes;
	check_raise_steady(c, &a, &span,
	    "consumer %s has pushed %llu bytes of payload in the %.1f s since "
	    "it was asked for; its rate of %llu bytes a second allows %llu at "
	    "most",
	    f->name, (unsigned long long)m->bytes,
	    (double)(c->now_ns - f->asked_ns) / 1e9, (unsigned long long)rate,
	    (unsigned long long)most);
	return 0;
}

/* Who got messages of a consumer that pins one client. */
static void
on_pin(struct check *c, const struct msg_pull_pin *m)
{
	const struct life *f = life_of(c->lives, m->consumer);
	struct limit_state *st = c->state;
	struct limit_consumer *l =
	    m->consumer < st->n ? &st->consumers[m->consumer] : NULL;
	struct anomaly a = {.kind = ANOMALY_MISDELIVERED,
	    .class = CLASS_COUNT,
	    .rule = "guarantees 36"};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span;
	bool lasts;

	if (f == NULL || l == NULL || l->asked.pull != m->pull)
		return;
	if (l->pin_life != f->number)
		l->pin = 0;
	l->pin_life = f->number;
	lasts = c->now_ns + PIN_EARLY_NS < l->pin_ns + m->lasts_ns;
	if (l->pin != 0 && m->got != 0 && m->got != l->pin && lasts) {
		a.stream = f->stream;
		span = check_life_span(c, f, l->got_ns, name);
		check_raise_steady(c, &a, &span,
		    "consumer %s gave messages to another client than the one "
		    "that is pinned, which asked for messages %.3f s before "
		    "and keeps the pin for %.1f s",
		    f->name, (double)(c->now_ns - l->pin_ns) / 1e9,
		    (double)m->lasts_ns / 1e9);
	}
	/* Who names one that is over is told the same, and holds none. */
	if (m->got != 0 ||
	    (m->held && m->sent != 0 && m->sent == l->pin && lasts))
		l->pin_ns = l->asked_ns;
	if (m->got != 0) {
		l->pin = m->got;
		l->got_ns = l->asked_ns;
	}
}

static void
on_node(struct limit_state *st, const struct msg_node *m)
{
	if (m->version[0] == '\0')
		return;
	st->is_mixed |=
	    st->version[0] != '\0' && strcmp(st->version, m->version) != 0;
	text_set(st->version, sizeof(st->version), m->version);
}

static void
on_edit(struct limit_state *st, uint32_t consumer)
{
	if (consumer < st->n)
		st->consumers[consumer].pin = 0;
}

static int
limit_event(struct check *c, const struct event *ev)
{
	struct limit_state *st = c->state;

	switch ((unsigned)ev->type) {
	case MESSAGE_DELIVER:
		return on_deliver(c, ev);
	case MESSAGE_PULL:
		return on_pull(c, &ev->u.pull);
	case MESSAGE_PULL_END:
		on_pull_end(c, &ev->u.pull_end);
		return 0;
	case MESSAGE_NODE:
		on_node(st, &ev->u.node);
		return 0;
	case MESSAGE_PULL_MIN:
		on_pull_min(st, &ev->u.pull_min);
		return 0;
	case MESSAGE_PUSHED:
		return on_pushed(c, &ev->u.pushed);
	case MESSAGE_PULL_PIN:
		on_pin(c, &ev->u.pull_pin);
		return 0;
	case MESSAGE_CONSUMER_EDIT:
		on_edit(st, ev->u.consumer_edit.consumer);
		return 0;
	case MESSAGE_RECONNECTED:
		st->reconnected_ns = ev->time_ns;
		return 0;
	case MESSAGE_SERVER_REMOTES:
		st->has_remotes |= ev->u.server_remotes.gateways != 0 ||
				   ev->u.server_remotes.leafs != 0;
		return 0;
	default:
		break;
	}
	if (ev->type == MESSAGE_ADVISORY) {
		on_advisory(c, &ev->u.advisory);
		return 0;
	}
	reader_release(st, ev->type == MESSAGE_CHILD_EXIT
			       ? ev->u.child_exit.child
			       : ev->source);
	return 0;
}

static void
limit_fini(struct check *c)
{
	struct limit_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		order_fini(&st->consumers[i].seqs);
	free(st->consumers);
	free(st->readers);
}

static const enum message_type types[] = {MESSAGE_DELIVER, MESSAGE_ACKS_BEGIN,
    MESSAGE_CHILD_EXIT, MESSAGE_ADVISORY, MESSAGE_PULL, MESSAGE_PULL_END,
    MESSAGE_RECONNECTED, MESSAGE_PULL_PIN, MESSAGE_CONSUMER_EDIT,
    MESSAGE_SERVER_REMOTES, MESSAGE_PUSHED, MESSAGE_PULL_MIN, MESSAGE_NODE, 0};

const struct check_ops check_limit_exceeded = {
    .name = "limit_exceeded",
    .summary = "consumers keep their limits, and those of requests",
    .rule = "guarantees 14",
    .types = types,
    .unit = "deliveries",
    .state_size = sizeof(struct limit_state),
    .event = limit_event,
    .fini = limit_fini,
};
