/* SPDX-License-Identifier: ISC */
/*
 * pod_delete: a random server's pod is deleted as "kubectl delete pod" does
 * it: SIGTERM, its grace period, and its StatefulSet makes another one with
 * the same name and the same volume.
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

static int
delete_inject(struct fault *f)
{
	return f->cluster->ops->node_delete(f->cluster, f->node);
}

static bool
delete_is_applied(struct fault *f)
{
	return mayhem_all_ended(f, "deleted; it is gone");
}

static bool
delete_is_healed(struct fault *f)
{
	return mayhem_is_whole(
	    f, "a new pod; all servers healthy, all streams current");
}

const struct mayhem_ops mayhem_pod_delete = {
    .name = "pod_delete",
    .summary = "delete a random server's pod gracefully (Kubernetes)",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_DELETE,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_graceful = true,
    .apply_ns = 60 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = mayhem_plan_one,
    .inject = delete_inject,
    .is_applied = delete_is_applied,
    .heal = mayhem_start_all,
    .is_healed = delete_is_healed,
};
