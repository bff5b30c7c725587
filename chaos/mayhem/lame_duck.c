/* SPDX-License-Identifier: ISC */
/*
 * lame_duck: a random server is told to go into lame duck mode (SIGUSR2):
 * it gives its leaderships away, tells its clients to leave, closes their
 * connections one by one and ends. Then it is started again.
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

#define DOWN_HIGH_NS (5 * CLOCK_S)

static void
lame_duck_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_hold(p, 0, DOWN_HIGH_NS);
}

static int
lame_duck_inject(struct fault *f)
{
	return f->cluster->ops->node_lame_duck(f->cluster, f->node);
}

static bool
lame_duck_is_applied(struct fault *f)
{
	return mayhem_all_ended(f, "SIGUSR2; it ended by itself");
}

static bool
lame_duck_is_healed(struct fault *f)
{
	return mayhem_is_whole(
	    f, "started; all servers healthy, all streams current");
}

const struct mayhem_ops mayhem_lame_duck = {
    .name = "lame_duck",
    .summary = "send a random server into lame duck mode, then start it again",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_LAME_DUCK,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_graceful = true,
    /*
     * The server closes about one client a second, and takes 30 s at least
     * where there are many.
     */
    .apply_ns = 120 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = lame_duck_plan,
    .inject = lame_duck_inject,
    .is_applied = lame_duck_is_applied,
    .heal = mayhem_start_all,
    .is_healed = lame_duck_is_healed,
};
