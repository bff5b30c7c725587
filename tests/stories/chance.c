/* SPDX-License-Identifier: ISC */
/*
 * A random legal history; see story.h. A small model of a cluster at its
 * worst: publishes whose acks are lost, deliveries that wait in buffers or
 * are lost with a connection, acks that commit but are not confirmed,
 * leaders that forget what they had not replicated, workers that die. What
 * it never does is break a promise: a message is stored once, in order, and
 * is not sent again by the living leader once its ack was committed.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/stories/story.h"

#define MESSAGES_MAX 256
#define PARCELS_MAX  64
#define OPEN_MAX     3
#define SENDS_MAX    4096
#define IDLE_MAX     (20 * CLOCK_S) /* below every timeout */

/* A publish from the client's side and on its way. */
struct letter {
	uint64_t id, seq; /* seq 0: not stored yet */
	uint32_t attempt, stored_attempt;
	bool open;	 /* the client waits for it */
	bool on_the_way; /* a copy may still be stored */
};

/* A delivery that the server has sent. */
struct parcel {
	uint64_t seq, number, delivered;
};

struct reader {
	struct parcel parcels[PARCELS_MAX];
	unsigned n;
	struct parcel acking; /* seq 0: idle */
	bool committed;
};

struct chance {
	struct story *s;
	struct letter letters[MESSAGES_MAX];
	unsigned n, leaders;
	struct reader readers[STORY_CONSUMERS];
	struct parcel sends[SENDS_MAX]; /* of the living line */
	unsigned nsends;
	bool acked[MESSAGES_MAX * 8]; /* by sequence: committed */
	uint64_t safe;		      /* no leader forgets up to here */
	uint64_t idle_ns;
	uint32_t fault; /* in force, or 0 */
};

static uint64_t
below(struct chance *c, uint64_t n)
{
	return rng_below(&c->s->rng, n);
}

static struct letter *
any_letter(struct chance *c, bool open)
{
	unsigned i, k;

	if (c->n == 0)
		return NULL;
	k = (unsigned)below(c, c->n);
	for (i = 0; i < c->n; i++, k++)
		if (open ? c->letters[k % c->n].open
			 : c->letters[k % c->n].on_the_way)
			return &c->letters[k % c->n];
	return NULL;
}

static void
step_invoke(struct chance *c)
{
	struct letter *l;
	unsigned open = 0, i;

	for (i = 0; i < c->n; i++)
		open += c->letters[i].open;
	if (open >= OPEN_MAX || c->n == MESSAGES_MAX)
		return;
	l = &c->letters[c->n++];
	l->id = story_new_id(c->s);
	l->attempt = 1;
	l->open = l->on_the_way = true;
	story_invoke(c->s, l->id, 1);
}

static void
step_store(struct chance *c)
{
	struct letter *l = any_letter(c, false);

	if (l == NULL)
		return;
	if (l->seq == 0) {
		if (below(c, 12) == 0)
			c->s->outage_seqs = 1 + below(c, 2);
		l->seq = story_store(c->s, l->id);
		l->stored_attempt = l->attempt;
	}
	l->on_the_way = false;
}

static void
step_reply(struct chance *c)
{
	struct letter *l = any_letter(c, true);

	if (l == NULL || l->seq == 0)
		return;
	story_ok(c->s, l->id, l->seq, l->attempt != l->stored_attempt);
	l->open = false;
}

static void
step_no_reply(struct chance *c)
{
	struct letter *l = any_letter(c, true);

	if (l == NULL)
		return;
	if (l->attempt == 1 && l->seq == 0 && below(c, 3) == 0) {
		story_fail(c->s, l->id, 1);
		l->on_the_way = false;
	} else
		story_unknown(c->s, l->id, l->attempt);
	if (below(c, 8) == 0) {
		story_publish_end(c->s, l->id, 2);
		l->open = false;
		return;
	}
	story_invoke(c->s, l->id, ++l->attempt);
	l->on_the_way = true;
}

static uint64_t
times_sent(const struct chance *c, uint64_t seq)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < c->nsends; i++)
		n += c->sends[i].seq == seq;
	return n;
}

static bool
is_stored(const struct chance *c, uint64_t seq)
{
	return seq >= 1 && seq <= c->s->last &&
	       c->s->stored[seq].state == STORY_STORED;
}

/* The living leader sends a sequence; it may be lost on the way. */
static void
send(struct chance *c, uint64_t seq)
{
	struct reader *r = &c->readers[below(c, STORY_CONSUMERS)];
	struct parcel p = {seq, ++c->s->number, times_sent(c, seq) + 1};

	assert_true(c->nsends < SENDS_MAX);
	c->sends[c->nsends++] = p;
	if (r->n < PARCELS_MAX && below(c, 12) != 0)
		r->parcels[r->n++] = p;
}

static bool
step_send_first(struct chance *c)
{
	uint64_t seq;

	for (seq = 1; seq <= c->s->last; seq++)
		if (is_stored(c, seq) && !c->acked[seq] &&
		    times_sent(c, seq) == 0) {
			send(c, seq);
			return true;
		}
	return false;
}

static bool
step_send_again(struct chance *c)
{
	uint64_t seq, from;

	if (c->s->last == 0)
		return false;
	from = below(c, c->s->last);
	for (seq = 1; seq <= c->s->last; seq++) {
		uint64_t at = 1 + (from + seq) % c->s->last;

		if (is_stored(c, at) && !c->acked[at] &&
		    times_sent(c, at) > 0) {
			send(c, at);
			return true;
		}
	}
	return false;
}

static void
step_reader(struct chance *c)
{
	unsigned i = (unsigned)below(c, STORY_CONSUMERS);
	struct reader *r = &c->readers[i];
	uint32_t source = STORY_CONSUMER + i;
	struct parcel p = r->acking;

	if (p.seq == 0) {
		if (r->n == 0)
			return;
		p = r->acking = r->parcels[0];
		memmove(
		    r->parcels, r->parcels + 1, --r->n * sizeof(r->parcels[0]));
		story_deliver_as(c->s, source, p.seq, p.number, p.delivered);
		story_ack_invoke(c->s, source, p.seq, p.number);
		r->committed = false;
	} else if (!r->committed && below(c, 4) != 0) {
		/*
		 * It is committed behind its delivery, so whoever leads from
		 * now on knows the number of that, too.
		 */
		r->committed = c->acked[p.seq] = true;
		if (p.number > c->safe && p.number <= c->s->number)
			c->safe = p.number;
	} else if (r->committed && below(c, 6) != 0) {
		story_ack_ok(c->s, source, p.seq, p.number);
		r->acking.seq = 0;
	} else {
		story_ack_unknown(c->s, source, p.seq, p.number, false);
		story_ack_invoke(c->s, source, p.seq, p.number);
	}
}

/* A new leader knows the numbers up to some point and goes on from there. */
static void
step_leader(struct chance *c)
{
	static const char *const names[] = {"n1", "n2", "n3"};
	uint64_t back = c->s->number - c->safe;
	unsigned i, n = 0;

	c->s->number -= below(c, back + 1);
	for (i = 0; i < c->nsends; i++)
		if (c->sends[i].number <= c->s->number)
			c->sends[n++] = c->sends[i];
	c->nsends = n;
	story_leader(c->s, names[++c->leaders % 3]);
}

static void
step_fault(struct chance *c)
{
	if (c->fault == 0) {
		c->fault = story_fault(c->s, below(c, 4) == 0);
		return;
	}
	story_healed(c->s, c->fault, true);
	c->fault = 0;
}

static void
step_kill_reader(struct chance *c)
{
	unsigned i = (unsigned)below(c, STORY_CONSUMERS);
	struct reader *r = &c->readers[i];

	/* What it had acked may be committed, with nobody to say so. */
	if (r->acking.seq != 0 && !r->committed && below(c, 2) == 0)
		c->acked[r->acking.seq] = true;
	memset(r, 0, sizeof(*r));
	story_kill(c->s, STORY_CONSUMER + i);
	story_restart(c->s, STORY_CONSUMER + i);
}

static void
step_kill_publisher(struct chance *c)
{
	unsigned i;

	story_kill(c->s, STORY_PUBLISHER);
	story_restart(c->s, STORY_PUBLISHER);
	for (i = 0; i < c->n; i++)
		c->letters[i].open = false;
}

static void
step_idle(struct chance *c)
{
	uint64_t ns = below(c, 3 * CLOCK_S);

	if (c->idle_ns + ns > IDLE_MAX)
		return;
	c->idle_ns += ns;
	story_pass(c->s, ns);
	if (below(c, 3) == 0)
		story_leader(c->s, c->s->leader);
}

static void
step(struct chance *c)
{
	uint64_t what = below(c, 100);

	if (what < 18)
		step_invoke(c);
	else if (what < 34)
		step_store(c);
	else if (what < 46)
		step_reply(c);
	else if (what < 50)
		step_no_reply(c);
	else if (what < 64)
		(void)step_send_first(c); /* perhaps there is none */
	else if (what < 68)
		(void)step_send_again(c); /* likewise */
	else if (what < 90)
		step_reader(c);
	else if (what < 93)
		step_leader(c);
	else if (what < 96)
		step_fault(c);
	else if (what < 97)
		step_kill_reader(c);
	else if (what < 98 && below(c, 4) == 0)
		step_kill_publisher(c);
	else
		step_idle(c);
}

static bool
is_busy(const struct chance *c)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (c->letters[i].open)
			return true;
	for (i = 0; i < STORY_CONSUMERS; i++)
		if (c->readers[i].n > 0 || c->readers[i].acking.seq != 0)
			return true;
	return false;
}

static void
drain(struct chance *c)
{
	bool sent;

	do {
		step_store(c);
		step_reply(c);
		step_reader(c);
		sent = step_send_first(c);
		if (!sent && !is_busy(c))
			sent = step_send_again(c);
	} while (sent || is_busy(c));
}

void
story_chance(struct story *s, unsigned steps)
{
	struct chance *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->s = s;
	story_open(s);
	story_rounds(s, 2);
	c->safe = s->number;
	c->acked[1] = c->acked[2] = true;
	c->sends[c->nsends++] = (struct parcel){1, 1, 1};
	c->sends[c->nsends++] = (struct parcel){2, 2, 1};
	for (; steps > 0; steps--)
		step(c);
	drain(c);
	if (c->fault != 0)
		step_fault(c);
	story_close(s);
	free(c);
}
