/* SPDX-License-Identifier: ISC */
/*
 * kill_all: all servers are killed with SIGKILL at once and started again
 * after a random pause. What they had written stays in the page cache, so no
 * acknowledged message may be lost. Needs --tolerate none.
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

static void
kill_all_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->nodes = mayhem_draw_nodes(p, p->nodes);
	f->hold_ns = mayhem_draw_down(p);
}

static bool
kill_all_is_applied(struct fault *f)
{
	return mayhem_all_ended(f, "SIGKILL, end of all of them seen");
}

const struct mayhem_ops mayhem_kill_all = {
    .name = "kill_all",
    .summary = "kill all servers at once, start them again later",
    .promise = "nothing acknowledged is lost; no service meanwhile",
    .needs = CLUSTER_CAN_RESTART,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ALL,
    .ends_server = true,
    .apply_ns = 10 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = kill_all_plan,
    .inject = mayhem_kill_targets,
    .is_applied = kill_all_is_applied,
    .heal = mayhem_start_all,
    .is_healed = mayhem_is_back,
};
