/* SPDX-License-Identifier: ISC */
/* What removals do to the messages of a stream; see stock.h. */
#include <stdlib.h>

#include "orchestrator/judge/stock.h"
#include "proto/base/array.h"

#define PROBES	64 /* sequences that are looked up one by one */
#define FOREVER UINT64_MAX

/* What becomes of each message of a scope. */
struct fate {
	struct stock *stock;
	uint64_t seq; /* those below it ... */
	uint64_t now_ns, from_ns;
	unsigned why;
};

typedef void fate_of(const struct fate *, struct live *);

static bool
is_in_scope(const struct scope *s, const struct live *e)
{
	return (s->subject == 0 || s->subject == e->subject) &&
	       e->seq >= s->first && e->seq <= s->last;
}

static const struct lane *
lane_of(struct stock *st, const struct scope *s)
{
	return lanes_of(&st->lanes, s->subject);
}

/* Messages may leave in it. */
static void
scope_each(const struct scope *s, fate_of *fate, const struct fate *f)
{
	const struct lane *lane = lane_of(f->stock, s);
	struct lanes *l = &f->stock->lanes;
	struct live *e;
	uint64_t seq, next;

	if (lane == NULL)
		return;
	if (s->last - s->first < PROBES) {
		for (seq = s->first; seq - s->first <= s->last - s->first;
		     seq++) {
			e = lanes_find(l, seq);
			if (e != NULL && is_in_scope(s, e))
				fate(f, e);
		}
		return;
	}
	for (seq = lane->first; seq != 0 && seq <= s->last; seq = next) {
		e = lanes_find(l, seq);
		next = e->next[lane->kind];
		if (seq >= s->first)
			fate(f, e);
	}
}

static void
fate_open(const struct fate *f, struct live *e)
{
	lanes_open(&f->stock->lanes, e, 1);
}

static void
fate_close(const struct fate *f, struct live *e)
{
	lanes_open(&f->stock->lanes, e, -1);
}

static void
fate_maybe(const struct fate *f, struct live *e)
{
	lanes_open(&f->stock->lanes, e, -1);
	lanes_touch(&f->stock->lanes, e, f->why);
}

static void
fate_gone(const struct fate *f, struct live *e)
{
	lanes_open(&f->stock->lanes, e, -1);
	lanes_remove(&f->stock->lanes, e, f->now_ns);
}

/* Removed if it was acknowledged before that was asked for. */
static void
fate_removed(const struct fate *f, struct live *e)
{
	(e->acked_ns < f->from_ns ? fate_gone : fate_maybe)(f, e);
}

/* A message at seq has replaced it. */
static void
fate_replaced(const struct fate *f, struct live *e)
{
	(e->seq < f->seq ? fate_gone : fate_close)(f, e);
}

/* The same, if that was done at all. */
static void
fate_doubtful(const struct fate *f, struct live *e)
{
	(e->seq < f->seq ? fate_maybe : fate_close)(f, e);
}

static void
ghost_widen(struct ghost *g, const struct ghost *by)
{
	if (by->scope.first < g->scope.first)
		g->scope.first = by->scope.first;
	if (by->scope.last > g->scope.last)
		g->scope.last = by->scope.last;
	if (by->before_ns > g->before_ns)
		g->before_ns = by->before_ns;
	g->why |= by->why;
}

/*
 * Too many are folded into one that stands for those which pass, and one for
 * those which stay.
 */
static void
ghosts_fold(struct stock *st)
{
	struct ghost passing = {.scope = {0, UINT64_MAX, 0}}, staying = passing;
	uint32_t i;

	for (i = 0; i < st->nghosts; i++)
		ghost_widen(
		    st->ghosts[i].before_ns == FOREVER ? &staying : &passing,
		    &st->ghosts[i]);
	st->ghosts[0] = passing; /* without any they have no scope */
	st->ghosts[1] = staying;
	st->nghosts = 2;
}

static bool
is_same(const struct ghost *a, const struct ghost *b)
{
	return a->before_ns == b->before_ns && a->why == b->why &&
	       a->scope.subject == b->scope.subject &&
	       a->scope.first == b->scope.first &&
	       a->scope.last == b->scope.last;
}

static void
ghosts_add(
    struct stock *st, const struct scope *s, uint64_t before_ns, unsigned why)
{
	struct ghost g = {*s, before_ns, why};
	uint32_t i;

	for (i = 0; i < st->nghosts; i++)
		if (is_same(&st->ghosts[i], &g))
			return;
	if (st->nghosts == STOCK_GHOSTS)
		ghosts_fold(st);
	if (array_reserve(&st->ghosts, &st->ghosts_room, st->nghosts + 1,
		sizeof(g), STOCK_GHOSTS) < 0) {
		st->lanes.no_memory = true;
		return;
	}
	st->ghosts[st->nghosts++] = g;
}

void
removals_prune(struct stock *st, uint64_t oldest_ns)
{
	uint32_t i, n = 0;

	for (i = 0; i < st->nghosts; i++)
		if (st->ghosts[i].before_ns >= oldest_ns)
			st->ghosts[n++] = st->ghosts[i];
	st->nghosts = n;
}

void
removals_begin(struct stock *st, const struct removal *proto)
{
	struct fate f = {.stock = st};
	const struct lane *lane;
	struct removal *r;

	if (array_reserve(&st->removals, &st->removals_room, st->nremovals + 1,
		sizeof(*r), STOCK_REMOVALS) < 0) {
		st->lanes.no_memory = true;
		return;
	}
	r = &st->removals[st->nremovals];
	*r = *proto;
	if (r->scope.first == 0)
		r->scope.first = 1;
	if (r->scope.last == 0)
		r->scope.last = UINT64_MAX;
	lane = lane_of(st, &r->scope);
	if (lane == NULL)
		return;
	r->removed = lane->removed;
	st->nremovals++;
	scope_each(&r->scope, fate_open, &f);
}

/* Take one out: true and *r. */
static bool
removal_take(struct stock *st, uint64_t id, uint32_t attempt, struct removal *r)
{
	uint32_t i;

	for (i = 0; i < st->nremovals; i++) {
		*r = st->removals[i];
		if (r->id != id || r->attempt != attempt)
			continue;
		st->removals[i] = st->removals[--st->nremovals];
		return true;
	}
	return false;
}

/*
 * All but the newest N: gone is what has N newer ones that are certainly
 * there, kept what can't have so many.
 */
static void
keep_newest(const struct removal *r, const struct fate *f)
{
	const struct lane *lane = lane_of(f->stock, &r->scope);
	struct lanes *l = &f->stock->lanes;
	uint64_t seq, prev, proofs = 0, possible;
	struct live *e;
	bool is_old, is_proof;

	possible = lane->pending.messages + lane->stray.messages +
		   lane->removed - r->removed;
	for (seq = lane->last; seq != 0; seq = prev) {
		e = lanes_find(l, seq);
		prev = e->prev[lane->kind];
		if (!is_in_scope(&r->scope, e))
			continue;
		is_old = e->acked_ns < r->from_ns;
		lanes_open(l, e, -1);
		is_proof = is_old && lane_is_proof(lane, e);
		if (is_old && proofs >= r->keep)
			lanes_remove(l, e, f->now_ns);
		else if (possible >= r->keep)
			lanes_touch(l, e, TOUCHED_REMOVAL);
		possible++;
		proofs += is_proof;
	}
}

/*
 * It may have taken a marker; or the newest message of a subject, behind which
 * an older one grew old without a marker.
 */
static void
tell_marking(struct stock *st, const struct removal *r, uint64_t now_ns)
{
	const struct live *e = lanes_find(&st->lanes, r->scope.first);

	if (!r->spares_markers)
		marking_removed(st, r->scope.subject, now_ns);
	else if (e != NULL && e->subject != 0)
		marking_removed(st, e->subject, now_ns);
}

void
removals_ok(struct stock *st, uint64_t id, uint32_t attempt, uint64_t now_ns)
{
	struct removal r;
	struct fate f = {.stock = st, .now_ns = now_ns, .why = TOUCHED_REMOVAL};

	if (!removal_take(st, id, attempt, &r))
		return;
	tell_marking(st, &r, now_ns);
	f.from_ns = r.from_ns;
	if (r.keep != 0)
		keep_newest(&r, &f);
	else
		scope_each(&r.scope, fate_removed, &f);
	ghosts_add(st, &r.scope, now_ns, TOUCHED_REMOVAL);
}

void
removals_fail(struct stock *st, uint64_t id, uint32_t attempt)
{
	struct fate f = {.stock = st};
	struct removal r;

	if (removal_take(st, id, attempt, &r))
		scope_each(&r.scope, fate_close, &f);
}

static void
leave_open(struct stock *st, uint64_t id, uint32_t attempt, unsigned why)
{
	struct fate f = {.stock = st, .why = why};
	struct removal r;

	if (!removal_take(st, id, attempt, &r))
		return;
	scope_each(&r.scope, fate_maybe, &f);
	ghosts_add(st, &r.scope, FOREVER, why);
	if (!r.spares_markers)
		marking_removed(st, r.scope.subject, FOREVER);
}

void
removals_unknown(struct stock *st, uint64_t id, uint32_t attempt)
{
	leave_open(
	    st, id, attempt, attempt == 0 ? TOUCHED_STRAY : TOUCHED_REMOVAL);
}

void
removals_exit(struct stock *st, uint32_t source)
{
	uint32_t i;

	for (i = st->nremovals; i-- > 0;)
		if (message_id_source(st->removals[i].id) == source)
			removals_unknown(
			    st, st->removals[i].id, st->removals[i].attempt);
}

void
removals_rolled(struct stock *st, const struct rolled *m)
{
	struct fate f = {.stock = st,
	    .seq = m->seq,
	    .now_ns = m->now_ns,
	    .why = TOUCHED_REMOVAL};
	struct removal r;

	if (!m->is_single) {
		leave_open(st, m->id, 0, TOUCHED_REMOVAL);
		return;
	}
	if (!removal_take(st, m->id, 0, &r))
		return;
	marking_removed(st, r.scope.subject, m->now_ns);
	scope_each(&r.scope, m->is_exact ? fate_replaced : fate_doubtful, &f);
	r.scope.last = m->seq - 1;
	if (r.scope.last > 0)
		ghosts_add(st, &r.scope, m->now_ns, TOUCHED_REMOVAL);
}

void
removals_enter(struct stock *st, struct live *e)
{
	uint32_t i;

	for (i = 0; i < st->nremovals; i++)
		e->open += is_in_scope(&st->removals[i].scope, e);
	for (i = 0; i < st->nghosts; i++)
		if (e->invoked_ns <= st->ghosts[i].before_ns &&
		    is_in_scope(&st->ghosts[i].scope, e))
			e->touched |= st->ghosts[i].why;
}
