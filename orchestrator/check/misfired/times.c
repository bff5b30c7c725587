/* SPDX-License-Identifier: ISC */
/* Clocks, and when something was due; see misfired.h. */
#include <string.h>

#include "orchestrator/check/misfired/misfired.h"

#define EARLY_NS   UINT64_C(250000000)	 /* of a clock that is set back a bit */
#define ROUND_NS   UINT64_C(500000000)	 /* periods begin at whole seconds */
#define LEAST_NS   UINT64_C(10000000000) /* with a short --op-timeout */
#define STEPPED_NS INT64_C(500000000)	 /* a clock was set */

void
misfired_on_wall(struct check *c, int64_t wall_ns)
{
	struct misfired_state *st = c->state;
	int64_t is_ns = wall_ns - (int64_t)c->now_ns;

	if (!st->knows_wall)
		st->wall_ns = is_ns;
	st->knows_wall = true;
	st->was_set |= is_ns > st->wall_ns + STEPPED_NS ||
		       is_ns < st->wall_ns - STEPPED_NS;
}

uint64_t
misfired_mono(const struct check *c, int64_t wall_ns)
{
	const struct misfired_state *st = c->state;

	return wall_ns > st->wall_ns ? (uint64_t)(wall_ns - st->wall_ns) : 0;
}

bool
misfired_is_one_clock(const struct check *c)
{
	const struct misfired_state *st = c->state;

	return st->knows_wall && !st->was_set &&
	       strcmp(c->config->cluster, "local") == 0;
}

bool
misfired_is_before(const struct check *c, int64_t stamp_ns, int64_t at_ns)
{
	return stamp_ns < at_ns &&
	       (uint64_t)at_ns - (uint64_t)stamp_ns >
		   EARLY_NS + contents_apart_ns(c->contents);
}

/* So long what is due may take. */
static uint64_t
late_ns(const struct check *c)
{
	return c->config->op_timeout_ns > LEAST_NS ? c->config->op_timeout_ns
						   : LEAST_NS;
}

uint64_t
misfired_used(const struct check *c, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t used, known_ns = c->now_ns > FAULTS_LAG_NS
				      ? c->now_ns - FAULTS_LAG_NS
				      : 0;

	if (to_ns > known_ns)
		to_ns = known_ns;
	if (!misfired_is_one_clock(c) || from_ns == 0 || to_ns <= from_ns)
		return 0;
	used = to_ns - from_ns - faults_stood(c->faults, from_ns, to_ns);
	if (used > late_ns(c))
		used -= faults_busy(c->faults, from_ns, to_ns);
	return used;
}

bool
misfired_is_late(const struct check *c, uint64_t from_ns, uint64_t to_ns)
{
	return misfired_used(c, from_ns, to_ns) > late_ns(c);
}

uint64_t
misfired_earliest(const struct check *c, const struct misfired_plan *p)
{
	if (p->times == TIMES_ONCE)
		return misfired_mono(c, p->at_ns);
	if (p->fired > 0)
		return misfired_mono(c, p->next);
	return p->invoked_ns +
	       (p->times == TIMES_EVERY ? p->every_ns - ROUND_NS : 0);
}

int64_t
misfired_bound(const struct check *c, const struct misfired_plan *p)
{
	const struct misfired_state *st = c->state;

	if (p->fired > 0)
		return p->next;
	return p->times == TIMES_EVERY && misfired_is_one_clock(c)
		   ? (int64_t)misfired_earliest(c, p) + st->wall_ns
		   : 0;
}

uint64_t
misfired_due(const struct check *c, const struct misfired_plan *p)
{
	if (p->times == TIMES_ONCE) /* not before it was stored */
		return p->ok_ns > misfired_mono(c, p->at_ns)
			   ? p->ok_ns
			   : misfired_mono(c, p->at_ns);
	if (p->fired > 0)
		return misfired_mono(c, p->next);
	return p->ok_ns != 0 ? p->ok_ns + p->every_ns + SLACK_NS : 0;
}
