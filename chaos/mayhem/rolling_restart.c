/* SPDX-License-Identifier: ISC */
/*
 * rolling_restart: every server once, highest number first, as the rollout
 * of a StatefulSet does: graceful stop, exit seen, start, everything healthy
 * and current again before the next one.
 *
 * Rounds lie --fault-interval apart, but never closer than a rollout
 * usually takes, so that the planned offsets can be met and the same seed
 * means the same schedule.
 *
 * Where the cluster restarts its servers by itself (a StatefulSet's rollout)
 * a round is one fault: asked for, then watched to its end.
 */
#include <signal.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

#define SERVER_NS (4 * CLOCK_S) /* a server's share of a round, at least */

static void
rolling_plan(struct mayhem_plan *p, struct fault *f)
{
	uint64_t least = p->nodes * SERVER_NS;
	uint64_t round_ns = p->interval.low > least ? p->interval.low : least;

	if (p->left == 0) {
		p->left = p->rolls ? 1 : p->nodes;
		p->next_ns = p->round++ * round_ns;
	}
	f->round = p->round;
	f->planned_ns = p->next_ns;
	f->is_rollout = p->rolls;
	if (p->rolls)
		f->nodes = (1U << p->nodes) - 1;
	else
		f->node = p->left;
	p->left--;
}

static int
rolling_inject(struct fault *f)
{
	struct cluster *c = f->cluster;

	if (f->is_rollout)
		return c->ops->roll(c, c->nodes[0].binary);
	return c->ops->node_end(c, f->node, SIGTERM);
}

static bool
rolling_is_applied(struct fault *f)
{
	struct cluster *c = f->cluster;
	enum cluster_roll state;

	if (!f->is_rollout)
		return mayhem_all_ended(f, "SIGTERM, exit seen");
	state = c->ops->roll_state(c, f->how, sizeof(f->how));
	return state == ROLL_GOING || state == ROLL_DONE;
}

/*
 * A rollout goes on by itself. is_healed sets f->mark at its end, for only what
 * is asked later counts.
 */
static int
rolling_heal(struct fault *f)
{
	f->mark = 0;
	return f->is_rollout ? 0 : mayhem_start_all(f);
}

static bool
rolling_is_healed(struct fault *f)
{
	struct cluster *c = f->cluster;

	if (!f->is_rollout)
		return mayhem_is_whole(
		    f, "started; all servers healthy, all streams current");
	switch (c->ops->roll_state(c, f->how, sizeof(f->how))) {
	case ROLL_ASKED:
	case ROLL_GOING:
		return false;
	case ROLL_DONE:
	case ROLL_FAILED:
		break;
	}
	if (f->mark == 0)
		f->mark = clock_mono_ns();
	return mayhem_is_whole(
	    f, "rolled out; all servers healthy, all streams current");
}

const struct mayhem_ops mayhem_rolling_restart = {
    .name = "rolling_restart",
    .summary = "restart every server gracefully, one after the other",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_RESTART,
    .needs_rolling = CLUSTER_CAN_ROLL,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_graceful = true,
    .apply_ns = 30 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = rolling_plan,
    .inject = rolling_inject,
    .is_applied = rolling_is_applied,
    .heal = rolling_heal,
    .is_healed = rolling_is_healed,
};
