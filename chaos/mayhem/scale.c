/* SPDX-License-Identifier: ISC */
/*
 * scale: the StatefulSet has one pod less for a while: the last one ends,
 * with its grace period, and its volume stays. The servers' meta group and
 * the streams' groups still count it: that is an outage of one server, which
 * comes back with what it had.
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

#define LOW_NS	(5 * CLOCK_S)
#define HIGH_NS (30 * CLOCK_S)

static void
scale_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->node = p->nodes;
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

static int
scale_inject(struct fault *f)
{
	return f->cluster->ops->scale(f->cluster, f->cluster->n - 1);
}

static bool
scale_is_applied(struct fault *f)
{
	return mayhem_all_ended(f, "scaled down by one; it is gone");
}

static int
scale_heal(struct fault *f)
{
	int err = f->cluster->ops->scale(f->cluster, f->cluster->n);
	int started = mayhem_start_all(f);

	return err < 0 ? err : started;
}

static bool
scale_is_healed(struct fault *f)
{
	return mayhem_is_whole(
	    f, "scaled up again; all servers healthy, all streams current");
}

const struct mayhem_ops mayhem_scale = {
    .name = "scale",
    .summary = "have one pod less for a while (Kubernetes)",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_SCALE,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_graceful = true,
    .is_on_demand = true,
    .apply_ns = 60 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = scale_plan,
    .inject = scale_inject,
    .is_applied = scale_is_applied,
    .heal = scale_heal,
    .is_healed = scale_is_healed,
};
