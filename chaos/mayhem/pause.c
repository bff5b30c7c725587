/* SPDX-License-Identifier: ISC */
/*
 * pause: a random server is stopped (SIGSTOP) and continued (SIGCONT) after
 * a time that may be shorter or longer than an election takes. It comes
 * back with its memory of a world that has moved on.
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

#define LOW_NS	(CLOCK_S / 2)
#define HIGH_NS (20 * CLOCK_S) /* elections take 4-9 s */

static void
pause_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

const struct mayhem_ops mayhem_pause = {
    .name = "pause",
    .summary = "stop a random server (SIGSTOP), continue it later",
    .promise = "nothing acknowledged is lost; an election's time of outage",
    .needs = CLUSTER_CAN_PAUSE,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .apply_ns = 5 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = pause_plan,
    .inject = mayhem_pause_node,
    .is_applied = mayhem_is_paused,
    .heal = mayhem_continue_node,
    .is_healed = mayhem_is_continued,
};
