/* SPDX-License-Identifier: ISC */
/* The leader path of a scan; see absent.h. */
#include <errno.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/absent.h"
#include "worker/audit/ask.h"
#include "worker/audit/listed.h"

#define ROUNDS	   5	/* that settle a gap */
#define GAPS_ASKED 4096 /* at once: the first are known soon */
#define SAMPLES	   8	/* sequences of a gap that are asked by number */
#define PARTS	   (1 + (SAMPLES - 2) * ROUNDS) /* a gap has for that */
#define ONE_BY_ONE 8 /* gaps up to this long are told by sequence */
#define LISTED	   3 /* rounds by lists, of more gaps than are asked at once */

struct settling {
	struct scan *scan;
	struct gaps *gaps;
	struct ask ask;
	struct question *questions;
	size_t n;
	uint64_t deadline_ns;
	bool is_listed; /* there are very many: the lists were asked for */
};

/* Its ends, and in each round other places between them. */
static uint64_t
sample(const struct gap *g, uint32_t i)
{
	uint64_t len = g->last - g->first, part;

	if (len < SAMPLES)
		return g->first + i;
	if (i < 2)
		return i == 0 ? g->first : g->last;
	part = 1 + (i - 2) * ROUNDS + g->rounds;
	return g->first + len / PARTS * part + len % PARTS * part / PARTS;
}

/*
 * Of a single sequence among very many the two questions take turns: one a
 * round.
 */
static void
put_questions(struct settling *t, uint32_t ngaps)
{
	struct question *q = t->questions;
	const struct gap *g;
	bool is_single;
	uint64_t len;
	uint32_t i, k;

	for (i = 0; i < ngaps; i++) {
		g = &t->gaps->list[i];
		len = g->last - g->first;
		is_single = t->is_listed && len == 0;
		if (!is_single || g->rounds % 2 == 0)
			*q++ = (struct question){
			    .seq = g->first, .is_next = true, .of = i};
		if (is_single && g->rounds % 2 == 0)
			continue;
		for (k = 0; k < SAMPLES && k <= len; k++)
			*q++ = (struct question){.seq = sample(g, k), .of = i};
	}
	t->n = (size_t)(q - t->questions);
}

/* A gap has one round more when every answer about it says empty. */
static void
count_round(struct settling *t, uint32_t ngaps)
{
	struct question *q = t->questions, *end = q + t->n;
	struct gap *g;
	uint32_t i;
	bool is_empty;

	for (i = 0; i < ngaps; i++) {
		g = &t->gaps->list[i];
		is_empty = true;
		for (; q < end && q->of == i; q++) {
			if (q->answer == ASK_PRESENT && q->found > g->last)
				q->answer = ASK_ABSENT;
			is_empty = is_empty && q->answer == ASK_ABSENT;
		}
		g->rounds += is_empty;
	}
}

/*
 * Read what the leader has in a gap, from one message to the next. 0 or
 * -errno; what can't be read now is asked for again.
 */
static int
read_present(struct settling *t, uint64_t seq)
{
	uint64_t from;
	int err;

	while (gaps_has(t->gaps, seq) && clock_mono_ns() < t->deadline_ns) {
		if (scan_get(t->scan, seq) != 1)
			return 0;
		err = gaps_fill(t->gaps, seq);
		if (err < 0)
			return err;
		from = seq + 1;
		if (!gaps_has(t->gaps, from) ||
		    scan_next(t->scan, from, &seq) != 1)
			return 0;
	}
	return 0;
}

static int
read_all_present(struct settling *t)
{
	const struct question *q;
	int err = 0;
	size_t i;

	for (i = 0; i < t->n && err == 0; i++) {
		q = &t->questions[i];
		if (q->answer == ASK_PRESENT)
			err = read_present(t, q->found);
	}
	return err;
}

static void
tell(struct scan *s, const struct gap *g)
{
	uint64_t seq;

	if (g->last - g->first >= ONE_BY_ONE) {
		scan_tell_range(s, g->first, g->last, g->rounds);
		return;
	}
	for (seq = g->first; seq <= g->last; seq++)
		scan_tell_absent(s, seq, g->rounds);
}

/* Of the first gaps those that are settled are told, and go. */
static void
tell_settled(struct settling *t, uint32_t ngaps)
{
	struct gap *list = t->gaps->list;
	uint32_t i, gone = ngaps;

	for (i = 0; i < ngaps; i++)
		if (list[i].rounds >= ROUNDS)
			tell(t->scan, &list[i]);
	for (i = ngaps; i-- > 0;)
		if (list[i].rounds < ROUNDS)
			list[--gone] = list[i];
	gaps_drop(t->gaps, gone);
	child_flush(&t->scan->w->child);
}

static int
settle_round(struct settling *t)
{
	uint32_t n = t->gaps->n < GAPS_ASKED ? t->gaps->n : GAPS_ASKED;
	int err;

	put_questions(t, n);
	ask_leader(&t->ask, t->questions, t->n, t->deadline_ns);
	count_round(t, n);
	err = read_all_present(t);
	/* Gaps may have been split, or filled, meanwhile. */
	tell_settled(t, t->gaps->n < n ? t->gaps->n : n);
	return err;
}

int
absent_settle(struct scan *s, struct gaps *g, uint64_t deadline_ns)
{
	struct settling t = {.scan = s, .gaps = g, .deadline_ns = deadline_ns};
	struct backoff b = {0};
	uint32_t left;
	int err;

	if (g->n == 0)
		return 0;
	t.questions =
	    calloc((size_t)GAPS_ASKED * (SAMPLES + 1), sizeof(*t.questions));
	err = t.questions == NULL ? -ENOMEM : ask_open(&t.ask, s);
	t.is_listed = g->n > GAPS_ASKED;
	if (err == 0 && t.is_listed)
		listed_ask(s, g, LISTED);
	while (err == 0) {
		left = g->n;
		err = settle_round(&t);
		if (g->n < left)
			b.step = 0; /* the next ones are asked anew */
		if (err < 0 || g->n == 0)
			break;
		if (clock_mono_ns() >= deadline_ns) {
			text_format(s->why, sizeof(s->why),
			    "%u ranges of sequences, from %llu on, were not "
			    "settled in time",
			    g->n, (unsigned long long)g->list[0].first);
			err = -ETIMEDOUT;
			break;
		}
		session_backoff(&b, &s->w->child);
	}
	if (t.questions != NULL)
		ask_close(&t.ask);
	free(t.questions);
	return err;
}
