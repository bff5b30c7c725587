/* SPDX-License-Identifier: ISC */
/*
 * random_hard_kill: a random server is killed with SIGKILL and started again
 * after a random pause. What it had written stays in the page cache, so no
 * acknowledged message may be lost.
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

static void
hard_kill_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_down(p);
}

static bool
hard_kill_is_applied(struct fault *f)
{
	return mayhem_all_ended(f, "SIGKILL, end seen");
}

const struct mayhem_ops mayhem_random_hard_kill = {
    .name = "random_hard_kill",
    .summary = "kill a random server (SIGKILL), start it again later",
    .promise = "nothing acknowledged is lost; an election's time of outage",
    .needs = CLUSTER_CAN_RESTART,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .apply_ns = 10 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = hard_kill_plan,
    .inject = mayhem_kill_targets,
    .is_applied = hard_kill_is_applied,
    .heal = mayhem_start_all,
    .is_healed = mayhem_is_back,
};
