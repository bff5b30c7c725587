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
 * Why no legal behaviour trips it: an ack that timed out is UNKNOWN and
 * never enters; late arrivals have d < m1; a deposed leader's numbers
 * collide with, or lie beyond, those of its successor.
 *
 * Memory: each redelivery makes the maps of a line uneven, so they keep what
 * is newest: of a sequence that was forgotten nothing is judged, and neither
 * is a delivery whose number is not above those forgotten.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/check.h"

#define PASSES	     3 /* numbers on the way have arrived by then */
#define WAITING_MAX  CHECK_SLOTS_MAX
#define SUSPECTS_MAX 4096
#define RUNS_MAX     4096 /* of each map of a line */

/* A confirmed ack for which no later message was delivered yet. */
struct waiting {
	uint64_t seq, confirmed_ns;
};

struct suspect {
	uint64_t id, seq, consumer_seq, delivered;
	uint64_t arrived_ns;
	uint64_t confirmed_ns; /* 0: long ago, no longer kept */
	uint64_t bar;	       /* m1, 0 not yet known */
	uint64_t passed_ns;    /* when the last M2 was delivered */
	unsigned passes;       /* M2s so far, each published after the last */
};

struct line {
	bool exists;
	uint32_t stream;
	uint64_t ack_wait_ns;
	struct seqmap bars;    /* confirmed sequence -> m1 */
	struct seqmap numbers; /* consumer sequence -> stream sequence */
	uint64_t forgotten;    /* highest number dropped from numbers */
	struct waiting *waiting;
	uint32_t nwaiting, waiting_room;
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

	return check_slot(&st->lines, &st->n, consumer, sizeof(struct line));
}

static void
raise_suspect(struct check *c, const struct line *l, const struct suspect *s,
    enum anomaly_class class)
{
	struct anomaly a = {
	    .kind = ANOMALY_REDELIVERED_AFTER_ACK, .class = class};
	char after[48] = "";

	a.stream = l->stream;
	a.ids[0] = s->id;
	a.seqs[0] = s->seq;
	a.time_ns = s->arrived_ns;
	if (s->confirmed_ns != 0)
		(void)snprintf(after, sizeof(after), "%.3f s ",
		    (double)(s->arrived_ns - s->confirmed_ns) / 1e9);
	check_raise(c, &a,
	    "sequence %llu was delivered again (delivery %llu, consumer "
	    "sequence %llu) %safter its ack was confirmed%s",
	    (unsigned long long)s->seq, (unsigned long long)s->delivered,
	    (unsigned long long)s->consumer_seq, after,
	    class == CLASS_VIOLATION
		? "; a message published after that ack has a lower consumer "
		  "sequence, so the server sent this one later"
		: "; that it was sent after the ack is not proven");
}

static void
suspect_drop(struct line *l, uint32_t i)
{
	l->suspects[i] = l->suspects[--l->nsuspects];
}

/* A message published after the acks of those waiting has number m1. */
static int
bars_set(struct line *l, uint64_t invoked_ns, uint64_t m1)
{
	struct waiting *w;
	struct suspect *s;
	uint32_t i = 0, k;

	while (i < l->nwaiting) {
		w = &l->waiting[i];
		if (w->confirmed_ns >= invoked_ns) {
			i++;
			continue;
		}
		if (seqmap_add(&l->bars, w->seq, m1) == -ENOMEM)
			return -ENOMEM;
		(void)seqmap_trim(&l->bars, RUNS_MAX); /* not judged then */
		for (k = 0; k < l->nsuspects; k++) {
			s = &l->suspects[k];
			if (s->seq == w->seq && s->bar == 0)
				s->bar = m1;
		}
		*w = l->waiting[--l->nwaiting];
	}
	return 0;
}

/* What a delivery of a message published at invoked_ns says of suspects. */
static void
suspects_judge(
    struct check *c, struct line *l, uint64_t invoked_ns, uint64_t number)
{
	struct suspect *s;
	uint32_t i = 0;

	while (i < l->nsuspects) {
		s = &l->suspects[i];
		if (s->bar != 0 && s->consumer_seq <= s->bar) {
			suspect_drop(l, i); /* numbered before the ack */
			continue;
		}
		if (invoked_ns <= s->passed_ns) {
			i++;
			continue;
		}
		s->passed_ns = c->now_ns;
		if (number > s->consumer_seq && ++s->passes < PASSES) {
			i++;
			continue;
		}
		if (s->bar != 0 && number > s->consumer_seq)
			raise_suspect(c, l, s, CLASS_VIOLATION);
		/* Otherwise the living line is behind: not its number. */
		suspect_drop(l, i);
	}
}

/*
 * A redelivery of another message tells that an earlier number of its was
 * lost on the way. A suspect below it may owe its number to a deposed
 * leader, and the lost delivery had the same: nothing is proven then.
 */
static void
suspects_doubt(struct check *c, struct line *l, const struct msg_deliver *m)
{
	const struct suspect *s;
	uint32_t i = 0;

	while (i < l->nsuspects) {
		s = &l->suspects[i];
		if (s->seq == m->seq || s->consumer_seq >= m->consumer_seq) {
			i++;
			continue;
		}
		raise_suspect(c, l, s, CLASS_WARNING);
		suspect_drop(l, i);
	}
}

static void
number_keep(struct line *l, uint64_t number, uint64_t seq)
{
	uint64_t forgotten;

	(void)seqmap_add(&l->numbers, number, seq); /* or unproven */
	forgotten = seqmap_trim(&l->numbers, RUNS_MAX);
	if (forgotten > l->forgotten)
		l->forgotten = forgotten;
}

/* Enter a number; false when another delivery has, or may have, it. */
static bool
number_enter(struct line *l, uint64_t number, uint64_t seq)
{
	uint32_t i = 0;
	uint64_t other = 0;

	if (number > l->forgotten &&
	    !seqmap_find(&l->numbers, number, &other)) {
		number_keep(l, number, seq);
		return true;
	}
	if (other == seq)
		return true;
	while (i < l->nsuspects) {
		if (l->suspects[i].consumer_seq == number &&
		    l->suspects[i].seq != seq)
			suspect_drop(l, i);
		else
			i++;
	}
	return false;
}

static bool
confirmed_before(const struct line *l, uint64_t seq, struct suspect *s)
{
	uint32_t i;

	if (seqmap_find(&l->bars, seq, &s->bar))
		return true;
	for (i = 0; i < l->nwaiting; i++)
		if (l->waiting[i].seq == seq) {
			s->confirmed_ns = l->waiting[i].confirmed_ns;
			return true;
		}
	return false;
}

static int
suspect_add(struct check *c, struct line *l, const struct msg_deliver *m)
{
	struct suspect s = {.id = m->id, .seq = m->seq}, *slot;

	if (l->nsuspects >= SUSPECTS_MAX || !confirmed_before(l, m->seq, &s))
		return 0;
	if (s.bar != 0 && m->consumer_seq <= s.bar)
		return 0;
	s.consumer_seq = m->consumer_seq;
	s.delivered = m->delivered;
	s.arrived_ns = s.passed_ns = c->now_ns;
	slot = check_slot(
	    &l->suspects, &l->suspects_room, l->nsuspects, sizeof(*slot));
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
	bool fresh;

	if (!check_is_ours(c, m->run, m->intact))
		return 0;
	l = line_at(c, m->consumer);
	if (l == NULL)
		return -ENOMEM;
	fresh = number_enter(l, m->consumer_seq, m->seq);
	if (m->delivered > 1)
		suspects_doubt(c, l, m);
	e = ledger_find(c->ledger, m->id);
	if (e != NULL) {
		if (bars_set(l, e->invoked_ns, m->consumer_seq) < 0)
			return -ENOMEM;
		suspects_judge(c, l, e->invoked_ns, m->consumer_seq);
	}
	return fresh ? suspect_add(c, l, m) : 0;
}

static int
on_ack_ok(struct check *c, const struct msg_ack_ok *m)
{
	struct line *l = line_at(c, m->consumer);
	struct waiting *w;
	struct suspect known;

	if (l == NULL)
		return -ENOMEM;
	if (confirmed_before(l, m->seq, &known) || l->nwaiting >= WAITING_MAX)
		return 0;
	w = check_slot(&l->waiting, &l->waiting_room, l->nwaiting, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	*w = (struct waiting){m->seq, c->now_ns};
	l->nwaiting++;
	return 0;
}

static void
line_fini(struct line *l)
{
	seqmap_fini(&l->bars);
	seqmap_fini(&l->numbers);
	free(l->waiting);
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
	line_fini(l); /* a new incarnation owes nothing to the last one */
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
			/* Nothing is on the way any more: one M2 will do. */
			if (s->passes > 0 && s->bar != 0)
				raise_suspect(c, l, s, CLASS_VIOLATION);
			else if (s->confirmed_ns == 0 ||
				 s->arrived_ns - s->confirmed_ns >
				     l->ack_wait_ns)
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
