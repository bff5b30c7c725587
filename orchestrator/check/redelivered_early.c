/* SPDX-License-Identifier: ISC */
/*
 * redelivered_early: a message came again sooner than it may.
 *
 * Rule (guarantees 5). When a delivery was sent nobody knows, but none was sent
 * before the message was first published, nor before a message was published
 * that has a lower consumer sequence. So these come too early:
 *
 *	a second delivery, sooner than AckWait after the message was published,
 *	less a tenth for clocks, unless it was nakked
 *
 *	with a back-off, delivery n + 1 sooner than the first n waits after
 *	that, if nothing was disturbed since
 *
 *	the delivery behind one of which a worker said that it is in progress,
 *	or that it wants a delay, sooner than was asked for; if the server
 *	confirmed that before its own wait can have been over, and nothing
 *	can be on its way that was said of an earlier delivery
 *
 * Nothing is lost by the first two: a warning for each consumer, when the
 * history is over, with their number. The last one convicts if one leader was
 * steady since the delivery was sent; otherwise it is nothing, for whoever
 * leads next may not know what was asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/order.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define WAITS_MAX 64
#define HOLDS_MAX 65536
#define KEEP	  4096
#define DELAY_NS  (CLOCK_S / 10) /* so much sooner is fine */

/*
 * What was said of a message. What a consumer was asked for counts only if no
 * earlier delivery can still be answered: whatever is said of one counts for
 * all of them.
 */
struct hold {
	uint64_t id;
	uint64_t number, count;	   /* of the delivery that was answered last */
	uint64_t sent_ns;	   /* not before this */
	uint64_t from_ns;	   /* the answer went out */
	uint64_t until_ns;	   /* not to come before this; 0: at any time */
	uint64_t expires_ns;	   /* the server's own wait, at the earliest */
	bool is_nak, is_confirmed; /* before that */
	bool is_over;		   /* nothing more is said of this delivery */
};

struct early_consumer {
	char name[CHECK_CONSUMER_MAX]; /* as LEADER events have it */
	uint64_t waits[WAITS_MAX];     /* AckWait, or the back-off */
	unsigned nwaits;
	uint64_t n;				      /* that came early */
	uint64_t id, seq, delivered, age_ns, time_ns; /* the first of them */
	bool has_answers;     /* other than acks; then there is: */
	struct order sent;    /* consumer sequence: count, not sent before */
	uint64_t bar, bar_ns; /* of the delivery that was published last */
	struct hashmap holds;
};

struct early_state {
	struct early_consumer *consumers;
	uint32_t n;
	uint64_t cut_ns; /* a worker died, or connected anew */
};

static struct early_consumer *
consumer_of(const struct check *c, uint32_t consumer)
{
	const struct early_state *st = c->state;

	return consumer < st->n && st->consumers[consumer].nwaits > 0
		   ? &st->consumers[consumer]
		   : NULL;
}

/* How long the server waits behind the delivery with this count. */
static uint64_t
wait_of(const struct early_consumer *k, uint64_t count)
{
	return k->waits[count < k->nwaits ? count - 1 : k->nwaits - 1];
}

static uint64_t
less_a_tenth(uint64_t ns)
{
	return ns - ns / 10;
}

static bool
was_received(
    const struct check *c, const struct ledger_entry *e, uint32_t consumer)
{
	const struct ledger_consumer *l = ledger_consumer(c->ledger, consumer);

	return l != NULL && l->bit != 0 ? (e->delivered & l->bit) != 0
					: e->stamp_ns != 0;
}

static bool
was_nakked(
    const struct check *c, const struct ledger_entry *e, uint32_t consumer)
{
	const struct ledger_consumer *l = ledger_consumer(c->ledger, consumer);
	const struct ledger_answer *a = ledger_answer(c->ledger, e->id);

	return l != NULL && a != NULL && (a->nakked & l->bit) != 0;
}

/* How old a message has to be for this delivery of it. */
static uint64_t
least_age(const struct check *c, const struct early_consumer *k,
    const struct ledger_entry *e, uint64_t delivered)
{
	const struct early_state *st = c->state;
	uint64_t ns = k->waits[0], i;

	if (k->nwaits == 1 || st->cut_ns >= e->invoked_ns ||
	    !faults_quiet_between(
		c->faults, faults_before(e->invoked_ns), c->now_ns))
		return ns;
	for (i = 2; i < delivered; i++)
		ns += wait_of(k, i);
	return ns;
}

static void
judge_age(
    struct check *c, struct early_consumer *k, const struct msg_deliver *m)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);

	check_judged(c, 1);
	/*
	 * Before 2.10.16 a send that found nobody at the inbox counts as one,
	 * and the next follows at once: what was never received came early for
	 * nobody.
	 */
	if (e == NULL || e->was_parked || !was_received(c, e, m->consumer) ||
	    was_nakked(c, e, m->consumer) ||
	    c->now_ns - e->invoked_ns >=
		less_a_tenth(least_age(c, k, e, m->delivered)))
		return;
	if (k->n++ == 0) {
		k->id = m->id;
		k->seq = m->seq;
		k->delivered = m->delivered;
		k->age_ns = c->now_ns - e->invoked_ns;
		k->time_ns = c->now_ns;
	}
}

/* The delivery behind the one that was answered. */
static void
judge_hold(struct check *c, const struct early_consumer *k,
    const struct hold *h, const struct msg_deliver *m)
{
	const struct ledger_consumer *l =
	    ledger_consumer(c->ledger, m->consumer);
	struct anomaly a = {.kind = ANOMALY_REDELIVERED_EARLY,
	    .class = CLASS_COUNT,
	    .stream = m->stream,
	    .ids = {m->id, 0},
	    .seqs = {m->seq, 0}};
	struct check_span span = {.what = LEADERS_CONSUMER,
	    .name = k->name,
	    .replicas = ledger_replicas(c->ledger, m->stream),
	    .from_ns = h->sent_ns,
	    .to_ns = c->now_ns};

	check_judged(c, 1);
	if (l == NULL || c->now_ns >= h->until_ns)
		return;
	check_raise_steady(c, &a, &span,
	    "consumer %s delivered sequence %llu again (delivery %llu) %.3f s "
	    "after a worker had %s of delivery %llu, which the server "
	    "confirmed: not before %.3f s",
	    l->name, (unsigned long long)m->seq,
	    (unsigned long long)m->delivered,
	    (double)(c->now_ns - h->from_ns) / 1e9,
	    h->is_nak ? "asked for a delay" : "said that it is in progress,",
	    (unsigned long long)h->count,
	    (double)(h->until_ns - h->from_ns) / 1e9);
}

/* Of what a worker may answer: how often, and since when it was sent. */
static int
note_sent(
    struct check *c, struct early_consumer *k, const struct msg_deliver *m)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	uint64_t invoked_ns = e != NULL ? e->invoked_ns : 0;
	struct order_item *item;
	int err = order_put(&k->sent, m->consumer_seq, &item);

	if (err < 0)
		return err == -ENOMEM ? err : 0;
	item->value = m->delivered;
	item->time_ns = invoked_ns;
	if (k->bar < m->consumer_seq && k->bar_ns > invoked_ns)
		item->time_ns = k->bar_ns;
	if (invoked_ns > k->bar_ns) {
		k->bar = m->consumer_seq;
		k->bar_ns = invoked_ns;
	}
	return 0;
}

/* A message of which something was said before is delivered. */
static void
hold_pass(struct check *c, struct early_consumer *k, struct hold *h,
    const struct msg_deliver *m)
{
	bool is_next = m->delivered == h->count + 1;

	if (is_next && h->is_confirmed)
		judge_hold(c, k, h, m);
	h->is_confirmed = false;
	if (!is_next || !h->is_over)
		hashmap_remove(&k->holds, h);
}

static int
on_deliver(struct check *c, const struct msg_deliver *m)
{
	struct early_consumer *k = consumer_of(c, m->consumer);
	struct hold *h;

	if (k == NULL || !check_is_ours(c, m->run, m->intact))
		return 0;
	if (m->delivered >= 2)
		judge_age(c, k, m);
	if (!k->has_answers || m->consumer_seq == 0)
		return 0;
	h = hashmap_find(&k->holds, m->id);
	if (h != NULL)
		hold_pass(c, k, h, m);
	return note_sent(c, k, m);
}

/* True when MaxDeliver leaves it another delivery. */
static bool
comes_again(const struct check *c, uint32_t consumer, uint64_t count)
{
	const struct ledger_consumer *l = ledger_consumer(c->ledger, consumer);

	return l != NULL && (l->max_deliver == 0 || count < l->max_deliver);
}

/*
 * What is known of a message when this delivery of it is answered; NULL when
 * that can't be judged: an earlier one may still be answered, or all are kept
 * that can be.
 */
static struct hold *
hold_at(struct early_consumer *k, const struct msg_answer_invoke *m,
    const struct order_item *sent)
{
	struct hold *h = hashmap_find(&k->holds, m->id);

	if (h == NULL)
		return sent->value == 1 ? hashmap_add(&k->holds, m->id) : NULL;
	if (h->number == m->consumer_seq ||
	    (h->is_over && h->count + 1 == sent->value))
		return h;
	hashmap_remove(&k->holds, h);
	return NULL;
}

static void
on_answer(struct check *c, const struct msg_answer_invoke *m)
{
	struct early_consumer *k = consumer_of(c, m->consumer);
	const struct order_item *sent;
	struct hold *h;
	uint64_t wait_ns;

	if (k == NULL)
		return;
	if (!k->has_answers) {
		k->has_answers = true;
		order_init(&k->sent, KEEP);
		hashmap_init(&k->holds, sizeof(struct hold), HOLDS_MAX);
	}
	sent = order_find(&k->sent, m->consumer_seq);
	if (m->how == ANSWER_TERM || sent == NULL || sent->time_ns == 0 ||
	    !comes_again(c, m->consumer, sent->value))
		return;
	h = hold_at(k, m, sent);
	if (h == NULL)
		return;
	wait_ns = less_a_tenth(wait_of(k, sent->value));
	/* Said again in time, it counts from then. */
	h->expires_ns = h->is_confirmed ? h->until_ns : sent->time_ns + wait_ns;
	h->number = m->consumer_seq;
	h->count = sent->value;
	h->sent_ns = sent->time_ns;
	h->from_ns = c->now_ns;
	h->is_nak = m->how == ANSWER_NAK;
	h->is_over = m->how == ANSWER_NOTHING;
	h->is_confirmed = false;
	h->until_ns = 0;
	if (m->how == ANSWER_PROGRESS)
		h->until_ns = c->now_ns + wait_ns;
	else if (m->delay_ns > DELAY_NS)
		h->until_ns = c->now_ns + m->delay_ns - DELAY_NS;
}

/* The server has said something of an answer, or of an ack, or nothing. */
static void
on_end(struct check *c, const struct event *ev)
{
	/* All of them have these fields at their beginning. */
	const struct msg_ack_ok *m = &ev->u.ack_ok;
	struct early_consumer *k = consumer_of(c, m->consumer);
	struct hold *h;

	if (k == NULL || !k->has_answers)
		return;
	h = hashmap_find(&k->holds, m->id);
	if (h == NULL)
		return;
	if (ev->type != MESSAGE_ANSWER_OK || h->number != m->consumer_seq) {
		hashmap_remove(&k->holds, h);
		return;
	}
	h->is_over = h->is_nak;
	h->is_confirmed = h->until_ns != 0 && c->now_ns < h->expires_ns;
}

static void
consumer_fini(struct early_consumer *k)
{
	if (k->has_answers) {
		order_fini(&k->sent);
		hashmap_fini(&k->holds);
	}
	memset(k, 0, sizeof(*k));
}

static int
on_consumer(struct check *c, const struct msg_consumer *m)
{
	struct early_state *st = c->state;
	struct early_consumer *k = array_at(
	    &st->consumers, &st->n, m->consumer, sizeof(*k), CHECK_SLOTS_MAX);

	if (k == NULL)
		return -ENOMEM;
	consumer_fini(k);
	k->waits[0] = m->ack_wait_ns;
	k->nwaits = 1;
	check_consumer_name(c, m->stream, m->name, k->name);
	return 0;
}

static void
on_wait(struct check *c, const struct msg_consumer_wait *m)
{
	struct early_consumer *k = consumer_of(c, m->consumer);

	if (k == NULL || m->delivery == 0 || m->delivery > WAITS_MAX ||
	    m->delivery > k->nwaits + 1)
		return;
	k->waits[m->delivery - 1] = m->wait_ns;
	if (m->delivery > k->nwaits)
		k->nwaits = m->delivery;
}

static int
early_event(struct check *c, const struct event *ev)
{
	struct early_state *st = c->state;

	switch ((unsigned)ev->type) {
	case MESSAGE_DELIVER:
		return on_deliver(c, &ev->u.deliver);
	case MESSAGE_CONSUMER:
		return on_consumer(c, &ev->u.consumer);
	case MESSAGE_CONSUMER_WAIT:
		on_wait(c, &ev->u.consumer_wait);
		return 0;
	case MESSAGE_ANSWER_INVOKE:
		on_answer(c, &ev->u.answer_invoke);
		return 0;
	case MESSAGE_CHILD_EXIT:
		if (!ev->u.child_exit.expected)
			st->cut_ns = ev->time_ns;
		return 0;
	case MESSAGE_RECONNECTED:
		st->cut_ns = ev->time_ns;
		return 0;
	default: /* ACK_OK, ACK_UNKNOWN, ANSWER_OK, ANSWER_UNKNOWN */
		on_end(c, ev);
		return 0;
	}
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
		    "%s of %.3f s, %llu times; sequence %llu first, whose "
		    "delivery %llu came %.3f s after it was published",
		    l->name,
		    k->nwaits == 1 ? "AckWait"
				   : "back-off that begins with one",
		    (double)k->waits[0] / 1e9, (unsigned long long)k->n,
		    (unsigned long long)k->seq,
		    (unsigned long long)k->delivered, (double)k->age_ns / 1e9);
	}
}

static void
early_fini(struct check *c)
{
	struct early_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		consumer_fini(&st->consumers[i]);
	free(st->consumers);
}

static const enum message_type types[] = {MESSAGE_DELIVER, MESSAGE_CONSUMER,
    MESSAGE_CONSUMER_WAIT, MESSAGE_ANSWER_INVOKE, MESSAGE_ANSWER_OK,
    MESSAGE_ANSWER_UNKNOWN, MESSAGE_ACK_OK, MESSAGE_ACK_UNKNOWN,
    MESSAGE_CHILD_EXIT, MESSAGE_RECONNECTED, 0};

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
