/* SPDX-License-Identifier: ISC */
/* What limits and ages do to the messages of a stream; see stock.h. */
#include <string.h>

#include "orchestrator/judge/stock.h"
#include "proto/base/clock.h"

#define SOON_NS		(2 * CLOCK_S) /* until then a message counts as old */
#define AGED_NS		(30 * CLOCK_S)
#define MARKER_BYTES	1024 /* of a message that the server makes, at most */
#define MARKER_RETRY_NS (2 * CLOCK_S)

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
plus(uint64_t a, uint64_t b)
{
	return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void
widen(struct limits *loose, const struct limits *l)
{
	loose->messages = most(loose->messages, l->messages);
	loose->bytes = most(loose->bytes, l->bytes);
	loose->per_subject = most(loose->per_subject, l->per_subject);
	loose->age_ns = most(loose->age_ns, l->age_ns);
}

static void
narrow(struct limits *tight, const struct limits *l)
{
	tight->messages = least(tight->messages, l->messages);
	tight->bytes = least(tight->bytes, l->bytes);
	tight->per_subject = least(tight->per_subject, l->per_subject);
	tight->age_ns = least(tight->age_ns, l->age_ns);
}

static uint64_t
limit_of(uint64_t told)
{
	return told != 0 ? told : LANE_NO_LIMIT;
}

static struct limits
without_zeros(const struct limits *l)
{
	return (struct limits){limit_of(l->messages), limit_of(l->bytes),
	    limit_of(l->per_subject), limit_of(l->age_ns)};
}

void
limits_init(struct stock *st)
{
	const struct msg_contents *m = &st->terms;
	struct limits told = {
	    m->max_messages, m->max_bytes, m->per_subject, m->max_age_ns};

	st->in_force = without_zeros(&told);
	st->widest = st->narrowest = st->in_force;
	st->loose = (struct limits){0, 0, 0, 0};
	st->tight = (struct limits){
	    LANE_NO_LIMIT, LANE_NO_LIMIT, LANE_NO_LIMIT, LANE_NO_LIMIT};
}

struct limits
limits_loose(const struct stock *st)
{
	struct limits l = st->in_force;
	unsigned i;

	widen(&l, &st->loose);
	for (i = 0; i < st->nchanges; i++)
		widen(&l, &st->changes[i].to);
	return l;
}

struct limits
limits_tight(const struct stock *st)
{
	struct limits l = st->in_force;
	unsigned i;

	if (st->is_replicated)
		return st->narrowest;
	narrow(&l, &st->tight);
	for (i = 0; i < st->nchanges; i++)
		narrow(&l, &st->changes[i].to);
	return l;
}

static void
make_unknown(struct stock *st, const struct limits *l)
{
	widen(&st->loose, l);
	narrow(&st->tight, l);
}

bool
limits_are_unordered(const struct stock *st)
{
	return st->is_replicated &&
	       memcmp(&st->widest, &st->narrowest, sizeof(st->widest)) != 0;
}

/*
 * A replica that hears late of what was in force may keep what others have
 * dropped when the limits are looser by then.
 */
static void
lift(struct stock *st, const struct limits *to)
{
	struct limits loose = limits_loose(st), both = loose;
	uint64_t aged = seqmap_last(&st->aged);

	widen(&both, to);
	if (!st->is_replicated || memcmp(&both, &loose, sizeof(both)) == 0)
		return;
	st->lifted = most(st->lifted, most(st->lanes.dropped, aged));
}

void
limits_begin(struct stock *st, const struct limits_change *change)
{
	struct limits_change c = *change;

	c.to = without_zeros(&change->to);
	lift(st, &c.to);
	widen(&st->widest, &c.to);
	narrow(&st->narrowest, &c.to);
	st->per_subject_changed |= c.to.per_subject != st->in_force.per_subject;
	if (st->nchanges == STOCK_CHANGES)
		make_unknown(st, &c.to);
	else
		st->changes[st->nchanges++] = c;
	limits_weigh_all(st, c.from_ns);
}

static bool
change_take(
    struct stock *st, uint64_t id, uint32_t attempt, struct limits_change *c)
{
	unsigned i;

	for (i = 0; i < st->nchanges; i++) {
		*c = st->changes[i];
		if (c->id != id || c->attempt != attempt)
			continue;
		st->changes[i] = st->changes[--st->nchanges];
		return true;
	}
	return false;
}

void
limits_ok(struct stock *st, uint64_t id, uint32_t attempt, uint64_t now_ns)
{
	struct limits_change c;

	/* What the limits until now have let grow old may be gone. */
	limits_sweep(st, now_ns, false);
	if (!change_take(st, id, attempt, &c))
		return;
	/* Which of two came last is not known. */
	if (st->confirmed_ns > c.from_ns)
		make_unknown(st, &st->in_force);
	st->in_force = c.to;
	st->confirmed_ns = st->tightened_ns = now_ns;
	limits_weigh_all(st, now_ns);
}

void
limits_fail(struct stock *st, uint64_t id, uint32_t attempt)
{
	struct limits_change c;

	/* What was looser than the rest is in force no longer. */
	(void)change_take(st, id, attempt, &c);
}

void
limits_unknown(struct stock *st, uint64_t id, uint32_t attempt)
{
	struct limits_change c;

	if (change_take(st, id, attempt, &c))
		make_unknown(st, &c.to);
}

void
limits_seal(struct stock *st, uint64_t now_ns)
{
	const struct msg_contents *m = &st->terms;
	struct limits_change c = {.from_ns = now_ns,
	    .to = {
		m->max_messages, m->max_bytes, m->per_subject, m->max_age_ns}};

	if (memcmp(&st->widest, &st->narrowest, sizeof(st->widest)) == 0)
		return;
	limits_begin(st, &c);
	limits_unknown(st, c.id, c.attempt);
}

void
limits_exit(struct stock *st, uint32_t source)
{
	unsigned i;

	for (i = st->nchanges; i-- > 0;)
		if (message_id_source(st->changes[i].id) == source)
			limits_unknown(
			    st, st->changes[i].id, st->changes[i].attempt);
}

/* Messages that the server makes may stand beside those of the run. */
static bool
has_markers(const struct stock *st)
{
	return st->terms.marker_ttl_ns != 0;
}

static void
weigh_stream(struct stock *st, uint64_t now_ns)
{
	struct limits loose = limits_loose(st), tight = limits_tight(st);
	struct amount most_of = {loose.messages, loose.bytes};
	struct amount least_of = {tight.messages, tight.bytes};
	uint64_t n = has_markers(st) ? st->terms.subjects : 0;

	if (st->terms.discard != DISCARD_OLD)
		return;
	if (tight.messages != LANE_NO_LIMIT)
		least_of.messages = minus(tight.messages, n);
	if (tight.bytes != LANE_NO_LIMIT)
		least_of.bytes = minus(tight.bytes, n * MARKER_BYTES);
	lanes_mark(&st->lanes, &st->lanes.stream, &least_of, st->largest);
	lanes_drop(&st->lanes, &st->lanes.stream, &most_of, now_ns);
}

static bool
refuses_subject(const struct stock *st)
{
	return st->terms.discard == DISCARD_NEW &&
	       st->terms.discard_new_per_subject;
}

bool
limits_drop_of_subject(const struct stock *st)
{
	return !refuses_subject(st) || st->per_subject_changed;
}

/* One that refuses instead drops at a change at most. */
static bool
is_dropping_now(const struct stock *st)
{
	return !refuses_subject(st) || st->nchanges > 0 ||
	       st->tight.per_subject != LANE_NO_LIMIT;
}

static void
weigh_subject(struct stock *st, uint32_t subject, uint64_t now_ns)
{
	struct amount most_of = {limits_loose(st).per_subject, LANE_NO_LIMIT};
	struct amount least_of = {limits_tight(st).per_subject, LANE_NO_LIMIT};
	struct lane *lane = lanes_of(&st->lanes, subject);

	if (lane == NULL || !is_dropping_now(st))
		return;
	/* A marker is the oldest of its subject: it goes first. */
	lanes_mark(&st->lanes, lane, &least_of, st->largest);
	if (!refuses_subject(st))
		lanes_drop(&st->lanes, lane, &most_of, now_ns);
}

void
limits_weigh(struct stock *st, uint32_t subject, uint64_t now_ns)
{
	if (subject != 0)
		weigh_subject(st, subject, now_ns);
	weigh_stream(st, now_ns);
}

void
limits_weigh_all(struct stock *st, uint64_t now_ns)
{
	uint32_t i;

	for (i = 1; i < st->lanes.nsubjects; i++)
		weigh_subject(st, i, now_ns);
	weigh_stream(st, now_ns);
}

uint64_t
limits_early_ns(const struct stock *st, const struct live *e)
{
	uint64_t age_ns = limits_tight(st).age_ns, ttl_ns;

	if (e->ttl_ns == UINT64_MAX)
		return UINT64_MAX;
	ttl_ns = e->ttl_ns - e->ttl_ns % CLOCK_S;
	if (e->ttl_ns != 0)
		age_ns = least(age_ns, most(ttl_ns, CLOCK_S));
	return minus(plus(e->invoked_ns, age_ns),
	    age_ns != UINT64_MAX ? STOCK_EARLY_NS + st->skew_ns : 0);
}

/* Its own lifetime counts as so long at least. */
static uint64_t
late_ns(const struct stock *st, const struct live *e, uint64_t least_ns)
{
	uint64_t age_ns = limits_loose(st).age_ns;

	if (e->ttl_ns == UINT64_MAX)
		return UINT64_MAX;
	if (e->ttl_ns != 0)
		age_ns =
		    least(age_ns, most(most(e->ttl_ns, CLOCK_S), least_ns));
	age_ns = plus(age_ns, STOCK_LATE_NS + st->skew_ns);
	if (has_markers(st))
		age_ns = plus(age_ns, MARKER_RETRY_NS);
	return plus(most(e->acked_ns, st->tightened_ns), age_ns);
}

uint64_t
limits_late_ns(const struct stock *st, const struct live *e)
{
	return late_ns(st, e, st->terms.marker_ttl_ns);
}

uint64_t
limits_replaced_ns(const struct stock *st, const struct live *e)
{
	return late_ns(
	    st, e, st->widest.per_subject == 1 ? 0 : st->terms.marker_ttl_ns);
}

/* What left long ago is remembered by its sequence alone. */
static void
age_out(struct stock *st, struct live *e, uint64_t now_ns)
{
	uint64_t seq = e->seq;

	if (seqmap_add(&st->aged, seq, seq) < 0)
		st->lanes.no_memory = true;
	(void)seqmap_trim(&st->aged, STOCK_AGED_RUNS); /* then: gone */
	lanes_remove(&st->lanes, e, now_ns);
}

void
limits_enter(const struct stock *st, struct live *e)
{
	if (limits_early_ns(st, e) <= plus(e->acked_ns, SOON_NS))
		e->touched |= TOUCHED_AGE;
	/* What was in force before the last change is not looked at. */
	if (st->confirmed_ns >= e->invoked_ns)
		e->touched |= TOUCHED_REMOVAL;
}

void
limits_sweep(struct stock *st, uint64_t now_ns, bool is_quiet)
{
	struct live *e;
	uint64_t seq, next, early_ns;

	if (limits_tight(st).age_ns == UINT64_MAX && !st->terms.allow_ttl)
		return;
	for (seq = st->lanes.stream.first; seq != 0; seq = next) {
		e = lanes_find(&st->lanes, seq);
		next = e->next[LANE_STREAM];
		early_ns = limits_early_ns(st, e);
		if (early_ns <= now_ns && (e->touched & TOUCHED_OLD) == 0) {
			lanes_touch(&st->lanes, e, TOUCHED_OLD);
			marking_grown_old(st, e);
		}
		if (early_ns <= now_ns + SOON_NS)
			lanes_touch(&st->lanes, e, TOUCHED_AGE);
		if (is_quiet && plus(limits_late_ns(st, e), AGED_NS) <= now_ns)
			age_out(st, e, now_ns);
	}
}
