/* SPDX-License-Identifier: ISC */
/* What a server puts in the place of the last message of a subject; see
 * stock.h. */
#include <string.h>

#include "orchestrator/judge/stock.h"
#include "proto/base/array.h"

/* The subject's, or NULL when the stream has no markers. */
static struct marking *
marking_of(struct stock *st, uint32_t subject)
{
	struct marking *m;

	if (st->terms.marker_ttl_ns == 0)
		return NULL;
	m = array_at(
	    &st->markings, &st->nmarkings, subject, sizeof(*m), LANES_MAX);
	st->lanes.no_memory |= m == NULL;
	return m;
}

void
marking_sent(struct stock *st, const struct live *e)
{
	uint64_t early_ns = limits_early_ns(st, e);
	struct marking *m = marking_of(st, e->subject);

	if (m == NULL || early_ns == UINT64_MAX)
		return;
	early_ns += st->skew_ns; /* which may grow */
	if (m->may_ns == 0 || early_ns < m->may_ns)
		m->may_ns = early_ns;
}

void
marking_grown_old(struct stock *st, const struct live *e)
{
	const struct lane *lane = lanes_of(&st->lanes, e->subject);
	struct marking *m = marking_of(st, e->subject);

	if (m != NULL && lane != NULL && lane->first == e->seq &&
	    lane->last == e->seq && lane->pending.messages == 0)
		m->seq = e->seq;
}

void
marking_removed(struct stock *st, uint32_t subject, uint64_t now_ns)
{
	struct marking *m = marking_of(st, subject);

	if (m != NULL && m->removed_ns < now_ns)
		m->removed_ns = now_ns;
}

static bool
has_new_limits(const struct stock *st)
{
	return memcmp(&st->widest, &st->narrowest, sizeof(st->widest)) != 0;
}

uint64_t
marking_may_ns(const struct stock *st, uint32_t subject)
{
	uint64_t may_ns =
	    subject < st->nmarkings ? st->markings[subject].may_ns : 0;

	if (has_new_limits(st)) /* an age may have become shorter */
		return 1;
	if (may_ns == 0)
		return 0;
	return may_ns > st->skew_ns ? may_ns - st->skew_ns : 1;
}

/* A removal of the subject is open, or was when the message grew old. */
static bool
is_disturbed(const struct stock *st, uint32_t subject, uint64_t early_ns)
{
	const struct removal *r;
	uint32_t i;

	for (i = 0; i < st->nremovals; i++) {
		r = &st->removals[i];
		if (!r->spares_markers &&
		    (r->scope.subject == 0 || r->scope.subject == subject))
			return true;
	}
	return st->markings[0].removed_ns >= early_ns ||
	       st->markings[subject].removed_ns >= early_ns;
}

/* Nothing but age and removals takes a message away, or refuses a marker. */
static bool
is_unlimited(const struct stock *st)
{
	return !has_new_limits(st) && st->widest.messages == LANE_NO_LIMIT &&
	       st->widest.bytes == LANE_NO_LIMIT;
}

const struct live *
marking_due(const struct stock *st, uint32_t subject, uint64_t *until_ns)
{
	const struct lane *lane;
	const struct live *e;
	uint64_t early_ns;

	if (subject == 0 || subject >= st->nmarkings ||
	    subject >= st->lanes.nsubjects || !is_unlimited(st))
		return NULL;
	lane = &st->lanes.subjects[subject];
	e = lanes_find(&st->lanes, lane->last);
	if (e == NULL || e->seq != st->markings[subject].seq || e->rolls ||
	    e->open != 0 || (e->touched & ~(TOUCHED_AGE | TOUCHED_OLD)) != 0 ||
	    lane->pending.messages != 0 || lane->stray.messages != 0)
		return NULL;
	early_ns = limits_early_ns(st, e);
	if (is_disturbed(st, subject, early_ns))
		return NULL;
	*until_ns = early_ns + st->terms.marker_ttl_ns;
	if (*until_ns <= STOCK_EARLY_NS + st->skew_ns)
		return NULL;
	*until_ns -= STOCK_EARLY_NS + st->skew_ns;
	return e;
}
