/* SPDX-License-Identifier: ISC */
/* Messages in the order of their sequences; see lane.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/lane.h"
#include "proto/base/array.h"
#include "proto/base/ensure.h"

/* LANE_ALL is what was counted. */
static const uint64_t levels[LANE_LEVELS] = {
    0, 1, 2, 4, 8, 16, 32, 64, UINT64_MAX};

unsigned
lanes_level(uint64_t strays)
{
	unsigned level = 0;

	while (levels[level] < strays)
		level++;
	return level;
}

struct amount
lane_strays(const struct lane *lane, unsigned level, uint64_t largest)
{
	return level == LANE_ALL
		   ? lane->stray
		   : (struct amount){levels[level], levels[level] * largest};
}

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

static void
drops_at(struct live *e, enum lane_kind k, unsigned level)
{
	if (level < e->drops_at[k])
		e->drops_at[k] = (uint8_t)level;
}

/* Put a new entry between those with lower and higher sequences. */
static void
lane_link(struct lanes *l, struct lane *lane, struct live *e)
{
	enum lane_kind k = lane->kind;
	uint64_t prev = lane->last, next = 0;
	struct lane_mark *m;
	unsigned level;

	while (prev > e->seq) { /* acks come nearly in order */
		next = prev;
		prev = lanes_find(l, prev)->prev[k];
	}
	e->prev[k] = prev;
	e->next[k] = next;
	*(prev != 0 ? &lanes_find(l, prev)->next[k] : &lane->first) = e->seq;
	*(next != 0 ? &lanes_find(l, next)->prev[k] : &lane->last) = e->seq;
	amount_add(&lane->stored, 1, e->bytes);
	for (level = 0; level < LANE_LEVELS; level++) {
		m = &lane->marks[level];
		if (e->seq <= m->seq) {
			drops_at(e, k, level);
			continue;
		}
		amount_add(&m->above, 1, e->bytes);
		if (m->above_first == 0 || e->seq < m->above_first)
			m->above_first = e->seq;
	}
}

static void
lane_unlink(struct lanes *l, struct lane *lane, const struct live *e)
{
	enum lane_kind k = lane->kind;
	uint64_t prev = e->prev[k], next = e->next[k];
	struct lane_mark *m;

	*(prev != 0 ? &lanes_find(l, prev)->next[k] : &lane->first) = next;
	*(next != 0 ? &lanes_find(l, next)->prev[k] : &lane->last) = prev;
	lane->removed++;
	for (m = lane->marks; m < lane->marks + LANE_LEVELS; m++) {
		if (e->seq <= m->seq)
			continue;
		amount_sub(&m->above, 1, e->bytes);
		if (m->above_first == e->seq)
			m->above_first = next;
	}
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
	if (e->seq <= l->stream.marks[LANE_ALL].seq)
		e->touched |= TOUCHED_LIMIT;
	if (lane != &l->stream) {
		lane_link(l, lane, e);
		if (e->seq <= lane->marks[LANE_ALL].seq)
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

uint64_t
lanes_left_since(const struct lanes *l, uint64_t ns)
{
	uint64_t n = 0;

	while (n < l->ngone && n < LANES_GONE_MAX &&
	       l->gone[(l->ngone - 1 - n) % LANES_GONE_MAX].ns >= ns)
		n++;
	return n < LANES_GONE_MAX ? n : UINT64_MAX;
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

static unsigned
touched_by(const struct lane *lane)
{
	return lane->kind == LANE_STREAM ? TOUCHED_LIMIT : TOUCHED_PER_SUBJECT;
}

static void
mark_at(struct lanes *l, struct lane *lane, unsigned level,
    const struct amount *room)
{
	struct lane_mark *m = &lane->marks[level];
	struct live *e;

	while (m->above_first != 0 && (m->above.messages > room->messages ||
					  m->above.bytes > room->bytes)) {
		e = lanes_find(l, m->above_first);
		m->seq = e->seq;
		m->above_first = e->next[lane->kind];
		amount_sub(&m->above, 1, e->bytes);
		drops_at(e, lane->kind, level);
		if (level == LANE_ALL)
			lanes_touch(l, e, touched_by(lane));
	}
}

/* Without a limit there is room for everything. */
static uint64_t
room_beside(uint64_t limit, uint64_t pending, uint64_t strays)
{
	if (limit == LANE_NO_LIMIT)
		return UINT64_MAX;
	return limit > pending + strays ? limit - pending - strays : 0;
}

void
lanes_mark(struct lanes *l, struct lane *lane, const struct amount *limit,
    uint64_t largest)
{
	struct amount strays, room;
	unsigned level;

	for (level = 0; level < LANE_LEVELS; level++) {
		strays = lane_strays(lane, level, largest);
		room.messages = room_beside(
		    limit->messages, lane->pending.messages, strays.messages);
		room.bytes = room_beside(
		    limit->bytes, lane->pending.bytes, strays.bytes);
		mark_at(l, lane, level, &room);
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
		if (l->dropped < e->seq)
			l->dropped = e->seq;
		lanes_remove(l, e, now_ns);
	}
}
