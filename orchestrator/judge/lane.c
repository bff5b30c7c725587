/* SPDX-License-Identifier: ISC */
/* Messages in the order of their sequences; see lane.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/lane.h"
#include "proto/base/array.h"
#include "proto/base/ensure.h"

void
amount_add(struct amount *a, uint64_t messages, uint64_t bytes)
{
	a->messages += messages;
	a->bytes += bytes;
}

void
amount_sub(struct amount *a, uint64_t messages, uint64_t bytes)
{
	ensure(a->messages >= messages && a->bytes >= bytes);
	a->messages -= messages;
	a->bytes -= bytes;
}

void
lanes_init(struct lanes *l)
{
	memset(l, 0, sizeof(*l));
	hashmap_init(&l->live, sizeof(struct live), LIVE_MAX);
}

void
lanes_fini(struct lanes *l)
{
	hashmap_fini(&l->live);
	free(l->subjects);
}

struct lane *
lanes_of(struct lanes *l, uint32_t subject)
{
	struct lane *lane;

	if (subject == 0)
		return &l->stream;
	lane = array_at(
	    &l->subjects, &l->nsubjects, subject, sizeof(*lane), LANES_MAX);
	if (lane != NULL)
		lane->kind = LANE_SUBJECT;
	l->no_memory |= lane == NULL;
	return lane;
}

struct live *
lanes_find(const struct lanes *l, uint64_t seq)
{
	return hashmap_find(&l->live, seq);
}

bool
lane_is_proof(const struct lane *lane, const struct live *e)
{
	unsigned counts = TOUCHED_LIMIT;

	/*
	 * A limit drops the oldest first: if one is there, so are all newer
	 * ones that nothing else can have touched.
	 */
	if (lane->kind == LANE_SUBJECT)
		counts |= TOUCHED_PER_SUBJECT;
	return e->open == 0 && (e->touched & ~counts) == 0;
}

/* Count a message as proof where it is, or no longer. */
static void
proof_count(struct lane *lane, const struct live *e, bool enters)
{
	if (!lane_is_proof(lane, e))
		return;
	if (enters)
		amount_add(&lane->proof, 1, e->bytes);
	else
		amount_sub(&lane->proof, 1, e->bytes);
}

static void
proofs_count(struct lanes *l, const struct live *e, bool enters)
{
	proof_count(&l->stream, e, enters);
	if (e->subject != 0)
		proof_count(&l->subjects[e->subject], e, enters);
}

void
lanes_touch(struct lanes *l, struct live *e, unsigned why)
{
	if ((e->touched | why) == e->touched)
		return;
	proofs_count(l, e, false);
	e->touched |= why;
	proofs_count(l, e, true);
}

void
lanes_open(struct lanes *l, struct live *e, int more)
{
	ensure(more > 0 || e->open > 0);
	proofs_count(l, e, false);
	e->open += (uint32_t)more;
	proofs_count(l, e, true);
}

/* Put a new entry between those with lower and higher sequences. */
static void
lane_link(struct lanes *l, struct lane *lane, struct live *e)
{
	enum lane_kind k = lane->kind;
	uint64_t prev = lane->last, next = 0;

	while (prev > e->seq) { /* acks come nearly in order */
		next = prev;
		prev = lanes_find(l, prev)->prev[k];
	}
	e->prev[k] = prev;
	e->next[k] = next;
	*(prev != 0 ? &lanes_find(l, prev)->next[k] : &lane->first) = e->seq;
	*(next != 0 ? &lanes_find(l, next)->prev[k] : &lane->last) = e->seq;
	amount_add(&lane->stored, 1, e->bytes);
	if (e->seq <= lane->mark)
		return;
	amount_add(&lane->above, 1, e->bytes);
	if (lane->above_first == 0 || e->seq < lane->above_first)
		lane->above_first = e->seq;
}

static void
lane_unlink(struct lanes *l, struct lane *lane, const struct live *e)
{
	enum lane_kind k = lane->kind;
	uint64_t prev = e->prev[k], next = e->next[k];

	*(prev != 0 ? &lanes_find(l, prev)->next[k] : &lane->first) = next;
	*(next != 0 ? &lanes_find(l, next)->prev[k] : &lane->last) = prev;
	lane->removed++;
	if (e->seq <= lane->mark)
		return;
	amount_sub(&lane->above, 1, e->bytes);
	if (lane->above_first == e->seq)
		lane->above_first = next;
}

void
lanes_add(struct lanes *l, const struct live *m)
{
	struct lane *lane = lanes_of(l, m->subject);
	struct live *e = lane != NULL ? hashmap_add(&l->live, m->seq) : NULL;

	l->no_memory |= e == NULL;
	if (e == NULL)
		return;
	*e = *m;
	lane_link(l, &l->stream, e);
	if (e->seq <= l->stream.mark)
		e->touched |= TOUCHED_LIMIT;
	if (lane != &l->stream) {
		lane_link(l, lane, e);
		if (e->seq <= lane->mark)
			e->touched |= TOUCHED_PER_SUBJECT;
	}
	proofs_count(l, e, true);
}

void
lanes_remove(struct lanes *l, struct live *e, uint64_t now_ns)
{
	l->gone[l->ngone++ % LANES_GONE_MAX] = (struct gone){e->seq, now_ns};
	proofs_count(l, e, false);
	lane_unlink(l, &l->stream, e);
	if (e->subject != 0)
		lane_unlink(l, &l->subjects[e->subject], e);
	hashmap_remove(&l->live, e);
}

bool
lanes_left_by(const struct lanes *l, uint64_t seq, uint64_t ns)
{
	uint64_t i, n = l->ngone < LANES_GONE_MAX ? l->ngone : LANES_GONE_MAX;
	const struct gone *g = NULL;

	for (i = 1; i <= n; i++) {
		g = &l->gone[(l->ngone - i) % LANES_GONE_MAX];
		if (g->seq == seq)
			return g->ns <= ns;
	}
	return n == LANES_GONE_MAX && g->ns <= ns;
}

void
lanes_mark(struct lanes *l, struct lane *lane, const struct amount *limit)
{
	struct amount *a = &lane->above;
	struct live *e;

	while (lane->above_first != 0) {
		if (a->messages + lane->pending.messages +
			    lane->stray.messages <=
			limit->messages &&
		    a->bytes + lane->pending.bytes + lane->stray.bytes <=
			limit->bytes)
			return;
		e = lanes_find(l, lane->above_first);
		lane->mark = e->seq;
		lane->above_first = e->next[lane->kind];
		amount_sub(a, 1, e->bytes);
		lanes_touch(l, e,
		    lane->kind == LANE_STREAM ? TOUCHED_LIMIT
					      : TOUCHED_PER_SUBJECT);
	}
}

void
lanes_drop(struct lanes *l, struct lane *lane, const struct amount *limit,
    uint64_t now_ns)
{
	struct live *e;
	bool is_proof;

	while (lane->first != 0) {
		e = lanes_find(l, lane->first);
		is_proof = lane_is_proof(lane, e);
		if (lane->proof.messages + (is_proof ? 0 : 1) <=
			limit->messages &&
		    lane->proof.bytes + (is_proof ? 0 : e->bytes) <=
			limit->bytes)
			return;
		lanes_remove(l, e, now_ns);
	}
}
