/* SPDX-License-Identifier: ISC */
/*
 * redelivered_after_ack: a message came again after its ack was confirmed.
 *
 * Rule (guarantees 6): after a confirmed ack "the message will never be
 * re-delivered by the consumer". A delivery that was SENT before the ack
 * committed may lawfully ARRIVE after it, from any buffer on the way, so
 * the time of arrival proves nothing. The proof is in the consumer's own
 * numbering. For an acked sequence s with ack confirmed at time t:
 *
 *	M1  a message whose publish was invoked after t, delivered as m1
 *	D   the redelivery of s, numbered d
 *	M2  a message whose publish was invoked after D arrived, number m2;
 *	    three of them, each published after the one before arrived
 *
 * m1 < d means that the server numbered D after M1, so after t. That holds
 * only if D comes from the same line of consumer leaders: a deposed leader
 * may have numbered ahead of the one that follows it. d < m2 without any
 * other delivery numbered d shows that the line which is alive passed d and
 * did not use it for anything else: D was its own. Both together convict;
 * anything less that comes later than the ack wait is a warning.
 *
 * Memory: the numbers and confirmations of the latest KEEP and of what was
 * in flight stand in rings; of older ones only the time is kept by which a
 * block of them had been confirmed, which is later than the truth. Blocks are
 * much smaller than KEEP: that time, too, is long before the redelivery.
 *
 * Why no legal behaviour trips it: an ack that timed out is UNKNOWN and
 * never enters; late arrivals have d < m1; a deposed leader's numbers
 * collide with, or lie beyond, those of its successor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/order.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

#define PASSES	     3 /* numbers on the way have arrived by then */
#define SUSPECTS_MAX 4096
#define KEEP	     4096  /* numbers and confirmations, at least */
#define BACK_MAX     KEEP  /* numbers looked at to find M1 */
#define RUNS_MAX     16384 /* of confirmed sequences; then half are dropped */
#define BLOCK	     1024  /* sequences that share a time of confirmation */

struct suspect {
	uint64_t id, seq, consumer_seq, delivered;
	uint64_t arrived_ns;
	uint64_t confirmed_ns; /* at the latest */
	bool is_old;	       /* when exactly is no longer kept */
	uint64_t bar;	       /* m1, 0 not yet known */
	uint64_t bar_seq;      /* the sequence of M1 */
	uint64_t bar_ns;       /* when its publish was invoked */
	uint64_t passed_ns;    /* when the last M2 was delivered */
	unsigned passes;       /* M2s so far, each published after the last */
};

struct line {
	bool exists;
	uint32_t stream;
	uint64_t ack_wait_ns;
	/* consumer sequence: stream sequence, and when it was published */
	struct order numbers;
	struct order confirmed; /* stream sequence: when it was confirmed */
	struct seqmap set;	/* stream sequences that were confirmed */
	uint64_t dropped;	/* below this the ledger knows it as well */
	uint64_t *blocks;	/* latest confirmation, by sequence / BLOCK */
	uint32_t nblocks;
	struct suspect *suspects;
	uint32_t nsuspects, suspects_room;
};

struct redelivered_state {
	struct line *lines; /* by consumer */
	uint32_t n;
};

static struct line *
line_at(struct check *c, uint32_t consumer)
{
	struct redelivered_state *st = c->state;

	return array_at(
	    &st->lines, &st->n, consumer, sizeof(struct line), CHECK_SLOTS_MAX);
}

static void
raise_suspect(struct check *c, const struct line *l, const struct suspect *s,
    enum anomaly_class class)
{
	struct anomaly a = {
	    .kind = ANOMALY_REDELIVERED_AFTER_ACK, .class = class};
	char after[48] = "", proof[160];

	a.stream = l->stream;
	a.ids[0] = s->id;
	a.seqs[0] = s->seq;
	a.seqs[1] = s->bar_seq;
	a.time_ns = s->arrived_ns;
	if (!s->is_old)
		text_format(after, sizeof(after), "%.3f s ",
		    (double)(s->arrived_ns - s->confirmed_ns) / 1e9);
	if (class == CLASS_VIOLATION)
		text_format(proof, sizeof(proof),
		    "sequence %llu, published after that ack, has the lower "
		    "consumer sequence %llu, so the server sent this one later",
		    (unsigned long long)s->bar_seq, (unsigned long long)s->bar);
	else
		text_format(proof, sizeof(proof),
		    "that it was sent after the ack is not proven");
	check_raise(c, &a,
	    "sequence %llu was delivered again (delivery %llu, consumer "
	    "sequence %llu) %safter its ack was confirmed; %s",
	    (unsigned long long)s->seq, (unsigned long long)s->delivered,
	    (unsigned long long)s->consumer_seq, after, proof);
}

/* It came later than what was sent before the ack usually takes. */
static bool
came_late(const struct line *l, const struct suspect *s)
{
	return s->is_old || s->arrived_ns - s->confirmed_ns > l->ack_wait_ns;
}

static void
set_bar(struct suspect *s, uint64_t number, uint64_t seq, uint64_t invoked_ns)
{
	s->bar = number;
	s->bar_seq = seq;
	s->bar_ns = invoked_ns;
}

static void
suspect_drop(struct line *l, uint32_t i)
{
	l->suspects[i] = l->suspects[--l->nsuspects];
}

/* What a delivery of a message published at invoked_ns says of suspects. */
static void
suspects_judge(struct check *c, struct line *l, const struct msg_deliver *m,
    uint64_t invoked_ns)
{
	uint64_t number = m->consumer_seq;
	struct suspect *s;
	uint32_t i = 0;

	while (i < l->nsuspects) {
		s = &l->suspects[i];
		if (invoked_ns > s->confirmed_ns && number < s->consumer_seq &&
		    invoked_ns > s->bar_ns)
			set_bar(s, number, m->seq, invoked_ns);
		if (invoked_ns <= s->passed_ns) {
			i++;
			continue;
		}
		s->passed_ns = c->now_ns;
		if (number > s->consumer_seq && ++s->passes < PASSES) {
			i++;
			continue;
		}
		if (number > s->consumer_seq && s->bar != 0)
			raise_suspect(c, l, s, CLASS_VIOLATION);
		/*
		 * Otherwise the living line is behind, so it is not its
		 * number; or nothing shows that it was numbered after the ack.
		 */
		suspect_drop(l, i);
	}
}

/* The latest that it can have been confirmed; 0 when it was not. */
static uint64_t
confirmed_before(struct check *c, const struct line *l,
    const struct msg_deliver *m, struct suspect *s)
{
	const struct order_item *item = order_find(&l->confirmed, m->seq);
	uint64_t same;

	if (item != NULL && item->time_ns != 0)
		return item->time_ns;
	s->is_old = true;
	if (m->seq / BLOCK >= l->nblocks)
		return 0;
	if (seqmap_find(&l->set, m->seq, &same) ||
	    (m->seq < l->dropped && m->delivered > 1 &&
		ledger_was_confirmed(c->ledger, m->consumer, m->id)))
		return l->blocks[m->seq / BLOCK];
	return 0;
}

/*
 * A redelivery of another message tells that an earlier number of its was
 * lost on the way. A suspect below it may owe its number to a deposed
 * leader, and the lost delivery had the same: nothing is proven then.
 * Unless the other was itself confirmed before M1 was published: whichever
 * of the two has that number, it was sent after its ack.
 */
static void
suspects_doubt(struct check *c, struct line *l, const struct msg_deliver *m)
{
	struct suspect other;
	uint64_t confirmed_ns = confirmed_before(c, l, m, &other);
	const struct suspect *s;
	uint32_t i = 0;

	while (i < l->nsuspects) {
		s = &l->suspects[i];
		if (s->seq == m->seq || s->consumer_seq >= m->consumer_seq ||
		    (confirmed_ns != 0 && confirmed_ns < s->bar_ns)) {
			i++;
			continue;
		}
		if (s->bar != 0 || came_late(l, s))
			raise_suspect(c, l, s, CLASS_WARNING);
		suspect_drop(l, i);
	}
}

/*
 * Enter a number: 1, 0 when another delivery has it already or it lies too
 * far back to prove anything, -ENOMEM.
 */
static int
number_enter(struct line *l, const struct msg_deliver *m, uint64_t invoked_ns)
{
	struct order_item *item;
	uint32_t i = 0;
	int err = order_put(&l->numbers, m->consumer_seq, &item);

	if (err < 0)
		return err == -ENOMEM ? err : 0;
	if (item->value == 0) {
		item->value = m->seq;
		item->time_ns = invoked_ns;
	}
	if (item->value == m->seq)
		return 1;
	while (i < l->nsuspects) {
		if (l->suspects[i].consumer_seq == m->consumer_seq)
			suspect_drop(l, i);
		else
			i++;
	}
	return 0;
}

/* A message published after the ack, with a lower number: M1. */
static void
find_bar(const struct line *l, struct suspect *s)
{
	const struct order_item *item;
	uint64_t at = s->consumer_seq;
	unsigned n;

	for (n = 0; n < BACK_MAX; n++) {
		item = order_below(&l->numbers, at);
		if (item == NULL)
			return;
		if (item->time_ns > s->confirmed_ns) {
			set_bar(s, item->number, item->value, item->time_ns);
			return;
		}
		at = item->number;
	}
}

static int
suspect_add(struct check *c, struct line *l, const struct msg_deliver *m)
{
	struct suspect s = {.id = m->id, .seq = m->seq}, *slot;

	if (l->nsuspects >= SUSPECTS_MAX)
		return 0;
	s.confirmed_ns = confirmed_before(c, l, m, &s);
	if (s.confirmed_ns == 0)
		return 0;
	s.consumer_seq = m->consumer_seq;
	s.delivered = m->delivered;
	s.arrived_ns = s.passed_ns = c->now_ns;
	find_bar(l, &s);
	slot = array_at(&l->suspects, &l->suspects_room, l->nsuspects,
	    sizeof(*slot), CHECK_SLOTS_MAX);
	if (slot == NULL)
		return -ENOMEM;
	*slot = s;
	l->nsuspects++;
	return 0;
}

static int
on_deliver(struct check *c, const struct msg_deliver *m)
{
	const struct ledger_entry *e;
	struct line *l;
	int fresh;

	if (!check_is_ours(c, m->run, m->intact))
		return 0;
	l = line_at(c, m->consumer);
	if (l == NULL)
		return -ENOMEM;
	e = ledger_find(c->ledger, m->id);
	fresh = number_enter(l, m, e != NULL ? e->invoked_ns : 0);
	if (fresh < 0)
		return fresh;
	if (m->delivered > 1)
		suspects_doubt(c, l, m);
	if (e != NULL)
		suspects_judge(c, l, m, e->invoked_ns);
	return fresh ? suspect_add(c, l, m) : 0;
}

/* Of too many runs the older half is forgotten. */
static void
set_trim(struct line *l)
{
	const struct seqmap_run *r;

	if (l->set.n <= RUNS_MAX)
		return;
	r = &l->set.runs[RUNS_MAX / 2 - 1];
	l->dropped = r->key + r->len;
	seqmap_drop(&l->set, RUNS_MAX / 2);
}

static int
block_note(struct line *l, uint64_t seq, uint64_t now_ns)
{
	uint64_t *block = array_at(
	    &l->blocks, &l->nblocks, seq / BLOCK, sizeof(*block), UINT32_MAX);

	if (block == NULL)
		return -ENOMEM;
	*block = now_ns;
	return 0;
}

static int
on_ack_ok(struct check *c, const struct msg_ack_ok *m)
{
	struct line *l = line_at(c, m->consumer);
	struct order_item *item;
	bool is_first; /* ack of it: from then on it must not come again */
	int err;

	if (l == NULL)
		return -ENOMEM;
	err = seqmap_add(&l->set, m->seq, m->seq);
	if (err == -ENOMEM)
		return err;
	is_first = err == 0;
	set_trim(l);
	err = order_put(&l->confirmed, m->seq, &item);
	if (err == 0 && item->time_ns == 0)
		item->time_ns = c->now_ns;
	if (err == -ENOMEM)
		return err;
	return is_first ? block_note(l, m->seq, c->now_ns) : 0;
}

static void
line_fini(struct line *l)
{
	order_fini(&l->numbers);
	order_fini(&l->confirmed);
	seqmap_fini(&l->set);
	free(l->blocks);
	free(l->suspects);
	memset(l, 0, sizeof(*l));
}

static int
redelivered_event(struct check *c, const struct event *ev)
{
	struct line *l;

	if (ev->type == MESSAGE_DELIVER)
		return on_deliver(c, &ev->u.deliver);
	if (ev->type == MESSAGE_ACK_OK)
		return on_ack_ok(c, &ev->u.ack_ok);
	l = line_at(c, ev->u.consumer.consumer);
	if (l == NULL)
		return -ENOMEM;
	line_fini(l); /* a new consumer may deliver all of them again */
	order_init(&l->numbers, KEEP);
	order_init(&l->confirmed, KEEP);
	l->exists = true;
	l->stream = ev->u.consumer.stream;
	l->ack_wait_ns = ev->u.consumer.ack_wait_ns;
	return 0;
}

static void
redelivered_finish(struct check *c)
{
	struct redelivered_state *st = c->state;
	const struct suspect *s;
	const struct line *l;
	uint32_t i, k;

	for (i = 0; i < st->n; i++)
		for (k = 0; k < st->lines[i].nsuspects; k++) {
			l = &st->lines[i];
			s = &l->suspects[k];
			/* At the end nothing is on its way: one M2 is enough.
			 */
			if (s->passes > 0 && s->bar != 0)
				raise_suspect(c, l, s, CLASS_VIOLATION);
			else if (came_late(l, s))
				raise_suspect(c, l, s, CLASS_WARNING);
		}
}

static void
redelivered_fini(struct check *c)
{
	struct redelivered_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		line_fini(&st->lines[i]);
	free(st->lines);
}

static const enum message_type types[] = {
    MESSAGE_DELIVER, MESSAGE_ACK_OK, MESSAGE_CONSUMER, 0};

const struct check_ops check_redelivered_after_ack = {
    .name = "redelivered_after_ack",
    .summary = "a message whose ack was confirmed never comes again",
    .rule = "guarantees 6",
    .types = types,
    .state_size = sizeof(struct redelivered_state),
    .event = redelivered_event,
    .finish = redelivered_finish,
    .fini = redelivered_fini,
};
