/* SPDX-License-Identifier: ISC */
/*
 * rolling_restart: every server once, highest number first, as the rollout
 * of a StatefulSet does: graceful stop, exit seen, start, everything healthy
 * and current again before the next one.
 *
 * Rounds lie --fault-interval apart, but never closer than a rollout
 * usually takes, so that the planned offsets can be met and the same seed
 * means the same schedule.
 */
#include <signal.h>

#include "chaos/cluster.h"
#include "chaos/mayhem.h"
#include "proto/base/clock.h"

#define SERVER_NS (4 * CLOCK_S) /* a server's share of a round, at least */

static void
rolling_plan(struct mayhem_plan *p, struct fault *f)
{
	uint64_t least = p->nodes * SERVER_NS;
	uint64_t round_ns = p->interval.low > least ? p->interval.low : least;

	if (p->left == 0) {
		p->left = p->nodes;
		p->next_ns = p->round++ * round_ns;
	}
	f->round = p->round;
	f->planned_ns = p->next_ns;
	f->node = p->left--;
}

static int
rolling_inject(struct fault *f)
{
	struct cluster *c = f->cluster;

	return c->ops->node_signal(c, f->node, SIGTERM);
}

static bool
rolling_is_applied(struct fault *f)
{
	return mayhem_all_ended(f, "SIGTERM, exit seen");
}

static bool
rolling_is_healed(struct fault *f)
{
	return mayhem_is_whole(
	    f, "started; all servers healthy, all streams current");
}

const struct mayhem_ops mayhem_rolling_restart = {
    .name = "rolling_restart",
    .summary = "restart every server gracefully, one after the other",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_RESTART,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_graceful = true,
    .apply_ns = 30 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = rolling_plan,
    .inject = rolling_inject,
    .is_applied = rolling_is_applied,
    .heal = mayhem_start_all,
    .is_healed = rolling_is_healed,
};
