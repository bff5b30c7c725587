/* SPDX-License-Identifier: ISC */
/* What streams hold whose messages go away; see contents.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/contents.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/refusal.h"

#define PUBLISHING_MAX (1u << 26)
#define PROBES	       256
#define WINDOW_NS      (60 * CLOCK_S) /* no attempt comes so late */
#define QUIET_NS       (30 * CLOCK_S)
#define CLOCK_FAR      (INT64_MAX / 8)

void
contents_init(struct contents *ct)
{
	memset(ct, 0, sizeof(*ct));
	hashmap_init(
	    &ct->publishing, sizeof(struct publishing), PUBLISHING_MAX);
}

void
contents_fini(struct contents *ct)
{
	struct stock *st;
	uint32_t i;

	for (i = 0; i < ct->nstocks; i++) {
		st = ct->stocks[i];
		if (st == NULL)
			continue;
		lanes_fini(&st->lanes);
		seqmap_fini(&st->aged);
		seqmap_fini(&st->settled);
		free(st->removals);
		free(st->ghosts);
		free(st->markings);
		free(st);
	}
	free(ct->stocks);
	hashmap_fini(&ct->publishing);
	contents_init(ct);
}

static struct stock *
stock_of(const struct contents *ct, uint32_t stream)
{
	return stream < ct->nstocks ? ct->stocks[stream] : NULL;
}

const struct stock *
contents_stock(const struct contents *ct, uint32_t stream)
{
	return stock_of(ct, stream);
}

bool
contents_has(const struct contents *ct, uint32_t stream)
{
	return stock_of(ct, stream) != NULL;
}

const struct live *
contents_find(const struct contents *ct, uint32_t stream, uint64_t seq)
{
	const struct stock *st = stock_of(ct, stream);

	return st != NULL ? lanes_find(&st->lanes, seq) : NULL;
}

bool
publishing_is_refused(const struct publishing *p, uint32_t code)
{
	return (p->terms.expects_last || p->terms.expects_subject) &&
	       (code == 0 || refusal_is_wrong_last(code));
}

const struct publishing *
contents_publishing(const struct contents *ct, uint64_t id)
{
	return hashmap_find(&ct->publishing, id);
}

const struct live *
contents_next(const struct contents *ct, uint32_t stream, uint64_t seq)
{
	const struct stock *st = stock_of(ct, stream);
	const struct live *e;

	if (st == NULL)
		return NULL;
	e = lanes_find(&st->lanes, seq);
	return lanes_find(&st->lanes,
	    e != NULL ? e->next[LANE_STREAM] : st->lanes.stream.first);
}

/*
 * What was stored behind seq and not acknowledged has taken a sequence that
 * was not acknowledged, nor will be: those that later were are counted.
 */
static unsigned
level_of(const struct contents *ct, const struct stock *st, uint64_t seq)
{
	const struct ledger_stream *s =
	    ledger_stream(ct->ledger, st->terms.stream);

	if (st->end == 0 || s == NULL)
		return LANE_ALL;
	if (seq >= st->end)
		return 0;
	return lanes_level(st->end - seq -
			   seqmap_between(&s->acked, seq + 1, st->end).count +
			   st->recovered);
}

/* Whether it is there with all that may be stored behind it, unheard. */
static bool
is_within(
    const struct contents *ct, const struct stock *st, const struct live *e)
{
	unsigned dropped = e->touched & (TOUCHED_LIMIT | TOUCHED_PER_SUBJECT);
	unsigned level = level_of(ct, st, e->seq);

	if (level != 0 && (e->touched & TOUCHED_STRAY) != 0)
		return false;
	if (level == LANE_ALL)
		return dropped == 0;
	return e->drops_at[LANE_STREAM] > level &&
	       e->drops_at[LANE_SUBJECT] > level;
}

static bool
is_present(const struct contents *ct, const struct stock *st,
    const struct live *e, uint64_t now_ns, uint32_t open)
{
	unsigned but =
	    TOUCHED_AGE | TOUCHED_LIMIT | TOUCHED_PER_SUBJECT | TOUCHED_STRAY;

	return e->open == open && (e->touched & ~but) == 0 &&
	       limits_early_ns(st, e) > now_ns && is_within(ct, st, e);
}

/* A consumer ended it, or was asked to before its publish was confirmed. */
static bool
was_ended(const struct stock *st, uint64_t seq)
{
	uint64_t same;

	return seq < st->settled_low || seqmap_find(&st->settled, seq, &same);
}

enum presence
contents_presence(
    const struct contents *ct, uint32_t stream, uint64_t seq, uint64_t now_ns)
{
	const struct stock *st = stock_of(ct, stream);
	const struct live *e;
	uint64_t same;

	if (st == NULL)
		return PRESENT;
	if (ct->has_hole)
		return MAYBE_PRESENT;
	e = lanes_find(&st->lanes, seq);
	if (e == NULL && (seq <= st->lifted || was_ended(st, seq)))
		return MAYBE_PRESENT;
	if (e == NULL)
		return seqmap_find(&st->aged, seq, &same) ? AGED : GONE;
	return is_present(ct, st, e, now_ns, 0) ? PRESENT : MAYBE_PRESENT;
}

/* Of its attempts so many may have been stored, unheard. */
static uint64_t
unsure_of(const struct publishing *p)
{
	return (uint64_t)p->unknowns + p->doubted;
}

/* It is the one attempt, and no other publish of the lane was open since. */
static bool
was_alone(const struct publishing *p, const struct lane *lane)
{
	return p->sent_ns == p->invoked_ns && unsure_of(p) == 0 &&
	       !p->was_unknown && p->alone[lane->kind] != 0 &&
	       p->alone[lane->kind] == lane->begun;
}

bool
contents_meet(
    const struct contents *ct, const struct publishing *p, uint64_t now_ns)
{
	const struct msg_publish_terms *t = &p->terms;
	struct stock *st = stock_of(ct, p->stream);
	const struct ledger_stream *s = ledger_stream(ct->ledger, p->stream);
	const struct lane *lane;
	const struct live *e;

	/* Markers of the server's may stand anywhere. */
	if (st == NULL || s == NULL || ct->has_hole ||
	    st->terms.marker_ttl_ns != 0)
		return false;
	if (t->expects_last &&
	    (!was_alone(p, &st->lanes.stream) || t->last != s->max_acked))
		return false;
	if (!t->expects_subject)
		return t->expects_last;
	lane = t->subject != 0 ? lanes_of(&st->lanes, t->subject) : NULL;
	if (lane == NULL || !was_alone(p, lane) ||
	    lane->last != t->subject_last)
		return false;
	e = lanes_find(&st->lanes, lane->last);
	return e != NULL && e->acked_ns < p->invoked_ns &&
	       is_present(ct, st, e, now_ns, t->rolls != ROLLS_NOTHING);
}

bool
contents_gone_by(
    const struct contents *ct, uint32_t stream, uint64_t seq, uint64_t ns)
{
	const struct stock *st = stock_of(ct, stream);

	return st != NULL && lanes_left_by(&st->lanes, seq, ns);
}

static void
part_add(struct seqmap_part *p, uint64_t seq)
{
	if (p->count++ == 0)
		p->low = p->high = seq;
	if (seq < p->low)
		p->low = seq;
	if (seq > p->high)
		p->high = seq;
}

static bool
is_asked_for(const struct contents *ct, const struct contents_query *q,
    const struct live *e)
{
	return e != NULL && (q->subject == 0 || q->subject == e->subject) &&
	       e->acked_ns < q->acked_by_ns &&
	       is_present(ct, stock_of(ct, q->stream), e, q->now_ns, q->open);
}

struct seqmap_part
contents_present(const struct contents *ct, const struct contents_query *q)
{
	struct stock *st = stock_of(ct, q->stream);
	struct seqmap_part part = {0, 0, 0};
	const struct lane *lane;
	const struct live *e;
	uint64_t seq;

	if (st == NULL || ct->has_hole || q->first > q->last ||
	    (q->subject != 0 && q->subject >= st->lanes.nsubjects))
		return part;
	if (q->last - q->first < PROBES) {
		for (seq = q->first; seq - q->first <= q->last - q->first;
		     seq++)
			if (is_asked_for(ct, q, lanes_find(&st->lanes, seq)))
				part_add(&part, seq);
		return part;
	}
	lane = lanes_of(&st->lanes, q->subject);
	for (seq = lane->last; seq != 0 && seq >= q->first;
	     seq = e->prev[lane->kind]) {
		e = lanes_find(&st->lanes, seq);
		if (seq <= q->last && is_asked_for(ct, q, e))
			part_add(&part, seq);
	}
	return part;
}

bool
contents_is_whole(const struct contents *ct, uint32_t stream,
    const struct live *e, uint64_t now_ns)
{
	struct live untaken = *e;

	untaken.touched &= ~TOUCHED_TAKEN;
	return !ct->has_hole &&
	       is_present(ct, stock_of(ct, stream), &untaken, now_ns, 0);
}

void
contents_wanted(struct contents *ct, uint32_t stream, uint64_t subjects)
{
	struct stock *st = stock_of(ct, stream);

	if (st != NULL)
		st->wanted |= subjects;
}

void
contents_regained(
    struct contents *ct, uint32_t stream, uint64_t subjects, uint64_t now_ns)
{
	struct stock *st = stock_of(ct, stream);
	unsigned i;

	for (i = 0; st != NULL && i < 64; i++)
		if ((subjects >> i & 1) != 0)
			st->regained_ns[i] = now_ns;
}

bool
contents_is_regained(const struct stock *st, const struct live *e)
{
	return e->subject >= 1 && e->subject <= 64 &&
	       st->regained_ns[e->subject - 1] >= e->invoked_ns;
}

void
contents_taken(struct contents *ct, uint32_t stream, uint64_t seq)
{
	struct stock *st = stock_of(ct, stream);
	struct live *e = st != NULL ? lanes_find(&st->lanes, seq) : NULL;

	if (e != NULL && st->retention != RETENTION_LIMITS)
		lanes_touch(&st->lanes, e, TOUCHED_TAKEN);
}

static void
note_settled(struct contents *ct, struct stock *st, uint64_t seq)
{
	uint64_t low;

	ct->no_memory |= seqmap_add(&st->settled, seq, seq) == -ENOMEM;
	low = seqmap_trim(&st->settled, STOCK_AGED_RUNS);
	if (low != 0)
		st->settled_low = low + 1;
}

void
contents_ended(struct contents *ct, uint32_t stream, uint64_t seq)
{
	struct stock *st = stock_of(ct, stream);

	if (st == NULL || st->retention != RETENTION_WORKQUEUE)
		return;
	if (lanes_find(&st->lanes, seq) != NULL)
		contents_taken(ct, stream, seq);
	else
		note_settled(ct, st, seq);
}

void
contents_settled(
    struct contents *ct, uint32_t stream, uint64_t seq, uint64_t now_ns)
{
	struct stock *st = stock_of(ct, stream);
	struct live *e = st != NULL ? lanes_find(&st->lanes, seq) : NULL;

	if (e == NULL || st->retention != RETENTION_WORKQUEUE || e->open != 0)
		return;
	note_settled(ct, st, seq);
	lanes_remove(&st->lanes, e, now_ns);
}

void
contents_forget(
    struct contents *ct, uint32_t stream, uint64_t seq, uint64_t now_ns)
{
	struct stock *st = stock_of(ct, stream);
	struct live *e = st != NULL ? lanes_find(&st->lanes, seq) : NULL;

	if (e == NULL || e->open != 0)
		return;
	note_settled(ct, st, seq);
	amount_add(&st->lanes.stream.stray, 1, e->bytes);
	if (e->subject != 0)
		amount_add(&st->lanes.subjects[e->subject].stray, 1, e->bytes);
	lanes_remove(&st->lanes, e, now_ns);
}

const struct removal *
contents_removal(
    const struct contents *ct, uint32_t stream, uint64_t id, uint32_t attempt)
{
	const struct stock *st = stock_of(ct, stream);
	uint32_t i;

	for (i = 0; st != NULL && attempt != 0 && i < st->nremovals; i++)
		if (st->removals[i].id == id &&
		    st->removals[i].attempt == attempt)
			return &st->removals[i];
	return NULL;
}

/*
 * At most all that may be there, what may be stored, unheard, and what has left
 * since it began.
 */
struct contents_bounds
contents_removable(const struct contents *ct, uint32_t stream,
    const struct removal *r, uint64_t now_ns)
{
	struct contents_query q = {.stream = stream,
	    .subject = r->scope.subject,
	    .first = r->scope.first,
	    .last = r->scope.last,
	    .acked_by_ns = r->from_ns,
	    .now_ns = now_ns,
	    .open = 1};
	struct contents_bounds b = {contents_present(ct, &q).count, UINT64_MAX};
	struct stock *st = stock_of(ct, stream);
	const struct lane *lane;
	const struct live *e;
	uint64_t seq;

	lane = st != NULL ? lanes_of(&st->lanes, r->scope.subject) : NULL;
	/* Markers are not counted. */
	if (lane == NULL || ct->has_hole || limits_are_unordered(st) ||
	    st->terms.marker_ttl_ns != 0)
		return b;
	b.most = lane->pending.messages + lane->stray.messages + lane->removed -
		 r->removed +
		 seqmap_between(&st->aged, r->scope.first, r->scope.last).count;
	for (seq = lane->last; seq != 0 && seq >= r->scope.first;
	     seq = e->prev[lane->kind]) {
		e = lanes_find(&st->lanes, seq);
		b.most += seq <= r->scope.last;
	}
	return b;
}

uint64_t
contents_most(const struct contents *ct, uint32_t stream, uint32_t subject,
    uint64_t since_ns)
{
	struct stock *st = stock_of(ct, stream);
	const struct lane *lane =
	    st != NULL ? lanes_of(&st->lanes, subject) : NULL;
	uint64_t seq, most = 0, left;

	if (lane == NULL || ct->has_hole || limits_are_unordered(st) ||
	    st->retention != RETENTION_LIMITS || st->terms.marker_ttl_ns != 0)
		return UINT64_MAX;
	left = lanes_left_since(&st->lanes, since_ns);
	if (left == UINT64_MAX)
		return UINT64_MAX;
	for (seq = lane->first; seq != 0;
	     seq = lanes_find(&st->lanes, seq)->next[lane->kind])
		most++;
	return most + left + lane->pending.messages + lane->stray.messages;
}

static void
enter_rules(struct contents *ct, const struct msg_stream_rules *m)
{
	struct stock *st = stock_of(ct, m->stream);

	if (st != NULL)
		st->retention = (enum message_word)m->retention;
}

uint64_t
contents_apart_ns(const struct contents *ct)
{
	return (uint64_t)(ct->most_ahead_ns - ct->least_ahead_ns);
}

bool
contents_ages_apart(const struct contents *ct, uint32_t stream)
{
	const struct stock *st = contents_stock(ct, stream);

	return st != NULL && contents_apart_ns(ct) > 0 &&
	       (st->narrowest.age_ns != LANE_NO_LIMIT || st->terms.allow_ttl);
}

/*
 * Before it is. Numbers of a journal may be anything, so they have a bound.
 */
static void
enter_clock(struct contents *ct, const struct msg_clock_set *m)
{
	uint64_t were = contents_apart_ns(ct);
	uint32_t i;

	if (m->least_ns < ct->least_ahead_ns)
		ct->least_ahead_ns =
		    m->least_ns > -CLOCK_FAR ? m->least_ns : -CLOCK_FAR;
	if (m->most_ns > ct->most_ahead_ns)
		ct->most_ahead_ns =
		    m->most_ns < CLOCK_FAR ? m->most_ns : CLOCK_FAR;
	ct->skew_ns += contents_apart_ns(ct) - were;
	for (i = 0; i < ct->nstocks; i++)
		if (ct->stocks[i] != NULL)
			ct->stocks[i]->skew_ns = ct->skew_ns;
}

static void
enter_contents(struct contents *ct, const struct msg_contents *m)
{
	const struct ledger_stream *s = ledger_stream(ct->ledger, m->stream);
	struct stock **at = array_at(&ct->stocks, &ct->nstocks, m->stream,
	    sizeof(struct stock *), LEDGER_STREAMS_MAX);

	if (at == NULL || *at != NULL) {
		ct->no_memory |= at == NULL && m->stream < LEDGER_STREAMS_MAX;
		return;
	}
	*at = calloc(1, sizeof(**at));
	if (*at == NULL) {
		ct->no_memory = true;
		return;
	}
	(*at)->terms = *m;
	(*at)->retention = s != NULL ? s->retention : RETENTION_LIMITS;
	(*at)->skew_ns = ct->skew_ns;
	(*at)->is_replicated = s == NULL || s->replicas > 1;
	lanes_init(&(*at)->lanes);
	limits_init(*at);
}

/* The publish that this id stands for, made if it is new. */
static struct publishing *
publishing_at(struct contents *ct, uint64_t id, uint32_t stream)
{
	struct publishing *p = hashmap_find(&ct->publishing, id);

	if (p != NULL || id == 0)
		return p;
	p = hashmap_add(&ct->publishing, id);
	ct->no_memory |= p == NULL;
	if (p != NULL)
		p->stream = stream;
	return p;
}

static void
pend(struct stock *st, const struct publishing *p, bool begins)
{
	uint32_t subjects[2] = {0, p->terms.subject};
	struct lane *lane;
	unsigned i;

	for (i = 0; i < 1u + (subjects[1] != 0); i++) {
		lane = lanes_of(&st->lanes, subjects[i]);
		if (lane == NULL)
			return;
		lane->begun += begins;
		if (begins)
			amount_add(&lane->pending, 1, p->terms.stored);
		else
			amount_sub(&lane->pending, 1, p->terms.stored);
	}
}

/* So many messages of its kind may be stored, and nobody will hear of it. */
static void
stray(struct stock *st, const struct publishing *p, uint64_t n)
{
	struct lane *lane;

	amount_add(&st->lanes.stream.stray, n, n * p->terms.stored);
	if (p->terms.subject == 0)
		return;
	lane = lanes_of(&st->lanes, p->terms.subject);
	if (lane != NULL)
		amount_add(&lane->stray, n, n * p->terms.stored);
}

static void
enter_terms(struct contents *ct, const struct msg_publish_terms *m)
{
	struct stock *st = stock_of(ct, m->stream);
	uint32_t stored = m->stored;
	struct publishing *p;

	if (st == NULL)
		return;
	if (st->largest < stored)
		st->largest = stored;
	p = publishing_at(ct, m->id, m->stream);
	/* What is pending is counted as it was told. */
	if (p == NULL || p->is_pending || p->stream != m->stream)
		return;
	/* One that was sent and comes again may have fewer headers now. */
	if (p->invoked_ns != 0 && p->terms.stored > m->stored)
		stored = p->terms.stored;
	p->terms = *m;
	p->terms.stored = stored;
	p->has_terms = true;
}

/* With the one that just began; 0: others are open, or their outcome is. */
static uint64_t
alone_in(const struct lane *lane)
{
	return lane->pending.messages == 1 && lane->stray.messages == 0
		   ? lane->begun
		   : 0;
}

static void
enter_invoke(struct contents *ct, const struct event *ev)
{
	const struct msg_publish_invoke *m = &ev->u.publish_invoke;
	struct stock *st = stock_of(ct, m->stream);
	struct removal rolls = {.id = m->id, .from_ns = ev->time_ns};
	struct live sent = {.invoked_ns = ev->time_ns};
	struct publishing *p;
	struct lane *lane;

	if (st == NULL)
		return;
	p = publishing_at(ct, m->id, m->stream);
	if (p != NULL)
		p->sent_ns = ev->time_ns;
	if (p == NULL || p->is_pending || p->stream != m->stream)
		return;
	lane = lanes_of(&st->lanes, p->terms.subject);
	if (lane == NULL) {
		ct->no_memory = true;
		return;
	}
	if (p->invoked_ns == 0) {
		p->invoked_ns = ev->time_ns;
		p->stored = st->lanes.stream.stored;
		p->of_subject = lane->stored.messages;
		sent.subject = p->terms.subject;
		sent.ttl_ns = p->terms.ttl_ns;
		marking_sent(st, &sent);
	}
	p->is_pending = true;
	pend(st, p, true);
	lane = lanes_of(&st->lanes, p->terms.subject);
	p->alone[LANE_STREAM] = alone_in(&st->lanes.stream);
	p->alone[LANE_SUBJECT] = alone_in(lane);
	if (p->terms.rolls != ROLLS_NOTHING) {
		if (p->terms.rolls == ROLLS_SUBJECT)
			rolls.scope.subject = p->terms.subject;
		removals_begin(st, &rolls);
	}
	limits_weigh(st, p->terms.subject, ev->time_ns);
}

/*
 * Within the window a message that was acknowledged is stored once, whatever
 * became of its other attempts, as long as no server forgot its id, or is new.
 */
static bool
is_single(const struct ledger_stream *s, const struct faults *faults)
{
	return s != NULL && s->dedupe_ns >= WINDOW_NS &&
	       faults->servers_ended == 0 && s->scales.n == 0;
}

static bool
may_be_dropped(
    const struct stock *st, const struct publishing *p, unsigned level)
{
	const struct lane *lane = &st->lanes.stream;
	struct amount strays = lane_strays(lane, level, st->largest);
	struct limits tight = limits_tight(st);
	struct amount n = lane->stored;

	amount_sub(&n, p->stored.messages, p->stored.bytes);
	amount_add(&n, lane->pending.messages, lane->pending.bytes);
	amount_add(&n, strays.messages, strays.bytes);
	return st->terms.discard == DISCARD_OLD &&
	       (n.messages >= tight.messages ||
		   n.bytes + p->terms.stored > tight.bytes);
}

static bool
may_be_dropped_of_subject(
    const struct stock *st, const struct publishing *p, unsigned level)
{
	const struct lane *lane = &st->lanes.subjects[p->terms.subject];
	uint64_t n = lane->stored.messages - p->of_subject +
		     lane->pending.messages +
		     lane_strays(lane, level, st->largest).messages;

	return limits_drop_of_subject(st) && n >= limits_tight(st).per_subject;
}

/*
 * Until it was known to be there limits may have dropped it, for what has
 * come meanwhile, and may be gone by now.
 */
static void
drop_unseen(const struct stock *st, const struct publishing *p, struct live *e)
{
	unsigned level = LANE_LEVELS;

	if (may_be_dropped(st, p, LANE_ALL))
		e->touched |= TOUCHED_LIMIT;
	if (may_be_dropped_of_subject(st, p, LANE_ALL))
		e->touched |= TOUCHED_PER_SUBJECT;
	while (level-- > 0) {
		if (may_be_dropped(st, p, level))
			e->drops_at[LANE_STREAM] = (uint8_t)level;
		if (may_be_dropped_of_subject(st, p, level))
			e->drops_at[LANE_SUBJECT] = (uint8_t)level;
	}
}

static void
enter_stored(struct stock *st, const struct publishing *p,
    const struct event *ev, bool is_single)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	struct live e = {.seq = m->seq,
	    .id = m->id,
	    .invoked_ns = p->invoked_ns,
	    .acked_ns = ev->time_ns,
	    .ttl_ns = p->terms.ttl_ns,
	    .subject = p->terms.subject,
	    .bytes = p->terms.stored,
	    .rolls = p->terms.rolls != ROLLS_NOTHING,
	    .drops_at = {LANE_LEVELS, LANE_LEVELS}};

	/*
	 * An acknowledgement as duplicate names a copy that is as old as the
	 * first attempt, if that is the one.
	 */
	if (!p->has_terms || p->was_unknown ||
	    (m->duplicate && (unsure_of(p) == 0 || !is_single)) ||
	    e.subject == 0)
		e.touched = TOUCHED_REMOVAL;
	else
		drop_unseen(st, p, &e);
	if (st->retention == RETENTION_INTEREST || was_ended(st, m->seq))
		e.touched |= TOUCHED_TAKEN;
	st->recovered += p->was_unknown;
	limits_enter(st, &e);
	removals_enter(st, &e);
	lanes_add(&st->lanes, &e);
}

/* Of its attempts so many may be stored beside what is pending or known. */
static void
stray_upto(struct stock *st, struct publishing *p, uint64_t n)
{
	if (n > p->strays) {
		stray(st, p, n - p->strays);
		p->strays = n;
	}
}

static void
enter_ok(struct contents *ct, const struct event *ev, bool is_single,
    const struct ledger_stream *s)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	struct publishing *p = hashmap_find(&ct->publishing, m->id);
	struct stock *st = stock_of(ct, m->stream);
	struct rolled r = {m->id, m->seq, ev->time_ns, !m->duplicate, false};
	uint64_t same;
	bool is_known;

	if (st == NULL || p == NULL || !p->is_pending || s == NULL)
		return;
	is_known = seqmap_find(&s->acked, m->seq, &same) ||
		   lanes_find(&st->lanes, m->seq) != NULL;
	r.is_single = is_single || (unsure_of(p) == 0 && !p->was_unknown);
	pend(st, p, false);
	if (!is_single)
		stray_upto(st, p, unsure_of(p));
	if (p->terms.rolls != ROLLS_NOTHING)
		removals_rolled(st, &r);
	if (!is_known)
		enter_stored(st, p, ev, is_single);
	limits_weigh(st, p->terms.subject, ev->time_ns);
	hashmap_remove(&ct->publishing, p);
}

/* Nobody tries it any more. It leaves if it certainly did nothing. */
static void
publishing_end(struct contents *ct, struct publishing *p, bool is_unknown)
{
	struct stock *st = stock_of(ct, p->stream);

	if (st == NULL || !p->is_pending)
		return;
	p->is_pending = false;
	pend(st, p, false);
	if (unsure_of(p) > 0 || is_unknown) {
		removals_unknown(st, p->id, 0);
		/* Another one may have been open. */
		stray_upto(st, p, unsure_of(p) + is_unknown);
		p->was_unknown = true;
		return;
	}
	removals_fail(st, p->id, 0);
	if (!p->was_unknown)
		hashmap_remove(&ct->publishing, p);
}

static void
enter_outcome(struct contents *ct, const struct event *ev, bool is_single)
{
	struct publishing *p = hashmap_find(&ct->publishing, message_id_of(ev));
	struct stock *st = p != NULL ? stock_of(ct, p->stream) : NULL;

	if (st == NULL)
		return;
	if (ev->type == MESSAGE_PUBLISH_END) {
		publishing_end(
		    ct, p, ev->u.publish_end.outcome == ENDED_UNKNOWN);
		return;
	}
	if (ev->type == MESSAGE_PUBLISH_FAIL && !ct->is_doubted)
		return;
	p->unknowns += ev->type == MESSAGE_PUBLISH_UNKNOWN;
	p->doubted += ev->type == MESSAGE_PUBLISH_FAIL;
	if (is_single) /* what is pending stands for it */
		return;
	stray_upto(st, p, unsure_of(p));
	limits_weigh(st, p->terms.subject, ev->time_ns);
}

static void
enter_removal(struct contents *ct, const struct event *ev)
{
	const struct msg_remove_invoke *m = &ev->u.remove_invoke;
	const struct ledger_stream *s = ledger_stream(ct->ledger, m->stream);
	struct stock *st = stock_of(ct, m->stream);
	uint64_t same;
	struct removal r = {.id = m->id,
	    .from_ns = ev->time_ns,
	    .keep = m->keep,
	    .attempt = m->attempt,
	    .deletes = m->how == REMOVER_DELETE,
	    .scope = {m->subject, m->first, m->last}};

	if (st == NULL || m->attempt == 0)
		return;
	r.spares_markers = m->first == m->last && m->first != 0 && s != NULL &&
			   seqmap_find(&s->acked, m->first, &same);
	removals_begin(st, &r);
}

static void
enter_limits(struct contents *ct, const struct event *ev)
{
	const struct msg_limits_invoke *m = &ev->u.limits_invoke;
	struct stock *st = stock_of(ct, m->stream);
	struct limits_change c = {m->id, ev->time_ns, m->attempt,
	    {m->max_messages, m->max_bytes, m->per_subject, m->max_age_ns}};

	if (st != NULL)
		limits_begin(st, &c);
}

static void
enter_seal(struct contents *ct, const struct event *ev)
{
	struct stock *st = stock_of(ct, ev->u.seal_invoke.stream);

	if (st != NULL)
		limits_seal(st, ev->time_ns);
}

/*
 * The leader's numbers after the audit has read the stream: what was read, and
 * found absent, was so before. Another scan begins anew.
 */
static void
enter_end(struct contents *ct, const struct event *ev)
{
	const struct msg_scan_tally *m = &ev->u.scan_tally;
	const struct ledger_stream *s = ledger_stream(ct->ledger, m->stream);
	struct stock *st = stock_of(ct, m->stream);

	if (st == NULL || s == NULL)
		return;
	st->end = 0;
	if (ev->type == MESSAGE_SCAN_TALLY)
		st->end = m->last > seqmap_last(&s->acked)
			      ? m->last
			      : seqmap_last(&s->acked);
}

static void
enter_change(struct contents *ct, const struct event *ev)
{
	/* All of them begin alike. */
	const struct msg_change_ok *m = &ev->u.change_ok;
	struct stock *st = stock_of(ct, m->stream);

	if (st == NULL || m->attempt == 0)
		return;
	if (ev->type == MESSAGE_CHANGE_OK) {
		removals_ok(st, m->id, m->attempt, ev->time_ns);
		limits_ok(st, m->id, m->attempt, ev->time_ns);
	} else if (ev->type == MESSAGE_CHANGE_FAIL) {
		removals_fail(st, m->id, m->attempt);
		limits_fail(st, m->id, m->attempt);
	} else {
		removals_unknown(st, m->id, m->attempt);
		limits_unknown(st, m->id, m->attempt);
	}
}

/* What a process had open when it ended stays unknown for ever. */
static void
enter_exit(struct contents *ct, uint32_t source)
{
	struct publishing *p;
	uint32_t i;
	size_t at = 0;

	while ((p = hashmap_next(&ct->publishing, &at)) != NULL)
		if (message_id_source(p->id) == source)
			publishing_end(ct, p, true); /* it stays */
	for (i = 0; i < ct->nstocks; i++) {
		if (ct->stocks[i] == NULL)
			continue;
		removals_exit(ct->stocks[i], source);
		limits_exit(ct->stocks[i], source);
	}
}

/* When the oldest publish that is open began; UINT64_MAX: none is. */
static uint64_t
oldest_ns(const struct contents *ct)
{
	const struct publishing *p;
	uint64_t ns = UINT64_MAX;
	size_t at = 0;

	while ((p = hashmap_next(&ct->publishing, &at)) != NULL)
		if (p->is_pending && p->invoked_ns < ns)
			ns = p->invoked_ns;
	return ns;
}

/* Once a second, or when as much has passed since. */
static void
sweep(struct contents *ct, uint64_t now_ns, const struct faults *faults)
{
	bool is_quiet = faults_quiet_for(faults, now_ns, QUIET_NS);
	uint64_t begun_ns = oldest_ns(ct);
	struct stock *st;
	uint32_t i;

	for (i = 0; i < ct->nstocks; i++) {
		st = ct->stocks[i];
		if (st == NULL)
			continue;
		limits_sweep(st, now_ns, is_quiet);
		removals_prune(st, begun_ns);
	}
	ct->swept_ns = now_ns;
}

/* What several replicas may do it does from now on. */
static void
enter_scale(struct contents *ct, const struct msg_stream_change *m)
{
	const struct ledger_stream *s;
	uint32_t i;

	for (i = 0; i < ct->nstocks; i++) {
		s = ledger_stream(ct->ledger, i);
		if (ct->stocks[i] != NULL && s != NULL && m->replicas > 1 &&
		    strcmp(s->name, m->name) == 0)
			ct->stocks[i]->is_replicated = true;
	}
}

void
contents_event(struct contents *ct, const struct event *ev,
    const struct ledger *ledger, const struct faults *faults)
{
	const struct ledger_stream *s;
	uint32_t i;

	ct->ledger = ledger;
	if (ev->type == MESSAGE_CONTENTS)
		enter_contents(ct, &ev->u.contents);
	else if (ev->type == MESSAGE_CLOCK_SET)
		enter_clock(ct, &ev->u.clock_set);
	if (ct->nstocks == 0)
		return;
	if (ev->time_ns >= ct->swept_ns + STOCK_SWEEP_NS)
		sweep(ct, ev->time_ns, faults);
	/* The stream is the first field of all that are about one. */
	s = ledger_stream(ledger, ev->u.publish_ok.stream);
	if (ev->type == MESSAGE_PUBLISH_TERMS)
		enter_terms(ct, &ev->u.publish_terms);
	else if (ev->type == MESSAGE_PUBLISH_INVOKE)
		enter_invoke(ct, ev);
	else if (ev->type == MESSAGE_PUBLISH_OK)
		enter_ok(ct, ev, is_single(s, faults), s);
	else if (ev->type == MESSAGE_PUBLISH_UNKNOWN ||
		 ev->type == MESSAGE_PUBLISH_FAIL ||
		 ev->type == MESSAGE_PUBLISH_END)
		enter_outcome(ct, ev, is_single(s, faults));
	else if (ev->type == MESSAGE_REMOVE_INVOKE)
		enter_removal(ct, ev);
	else if (ev->type == MESSAGE_LIMITS_INVOKE)
		enter_limits(ct, ev);
	else if (ev->type == MESSAGE_CHANGE_OK ||
		 ev->type == MESSAGE_CHANGE_FAIL ||
		 ev->type == MESSAGE_CHANGE_UNKNOWN)
		enter_change(ct, ev);
	else if (ev->type == MESSAGE_STREAM_RULES)
		enter_rules(ct, &ev->u.stream_rules);
	else if (ev->type == MESSAGE_SCAN_BEGIN ||
		 ev->type == MESSAGE_SCAN_TALLY)
		enter_end(ct, ev);
	else if (ev->type == MESSAGE_SEAL_INVOKE)
		enter_seal(ct, ev);
	else if (ev->type == MESSAGE_STREAM_CHANGE)
		enter_scale(ct, &ev->u.stream_change);
	else if (ev->type == MESSAGE_CHILD_EXIT)
		enter_exit(ct, ev->u.child_exit.child);
	else if (ev->type == MESSAGE_DROPPED)
		ct->has_hole = true;
	for (i = 0; i < ct->nstocks; i++)
		if (ct->stocks[i] != NULL)
			ct->no_memory |= ct->stocks[i]->lanes.no_memory;
}
