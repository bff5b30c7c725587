/* SPDX-License-Identifier: ISC */
/*
 * wipe_store: a server is killed, all that it has stored is removed, and it
 * comes back under its name, as after the loss of a volume. It begins when
 * every replica is current: what was acknowledged before is on all of them, so
 * the judge knows what a majority still has (orchestrator/judge/power.h).
 */
#include <errno.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/health.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "proto/topology.h"

#define RECENT_NS (5 * CLOCK_S)

static int
wipe_check(const struct run_config *c, char *why)
{
	if (topology_home(c) >= 3)
		return 0;
	text_format(why, OPTION_WHY_MAX,
	    "needs --servers 3 or more, not %u: a majority of others has to "
	    "know what streams there are",
	    topology_home(c));
	return -EINVAL;
}

static void
wipe_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_down(p);
}

/* Every replica is current, as asked after f->mark. */
static bool
wipe_aim(struct fault *f)
{
	char why[CLUSTER_WHY_MAX];

	f->mark = clock_mono_ns() - RECENT_NS;
	return health_is_whole(f->cluster->health, f->mark, why);
}

static void
tell_wiped(const struct fault *f)
{
	struct event ev = {.type = MESSAGE_STORE_WIPED};

	ev.u.store_wiped.node = f->node;
	ev.u.store_wiped.whole_ns = f->mark;
	child_emit(chaos_child(f->cluster->chaos), &ev);
}

static int
wipe_inject(struct fault *f)
{
	const struct cluster_ops *ops = f->cluster->ops;

	return ops->node_lose != NULL
		   ? ops->node_lose(f->cluster, f->node, f->mark)
		   : mayhem_kill_targets(f);
}

static bool
wipe_is_applied(struct fault *f)
{
	const struct cluster_ops *ops = f->cluster->ops;
	int err;

	if (!mayhem_all_ended(f, "killed; its store is still there"))
		return false;
	if (f->next_ns++ == 0) /* some of it may be gone if that fails */
		tell_wiped(f);
	err = ops->node_empty(f->cluster, f->node);
	if (ops->node_lose != NULL)
		text_set(
		    f->how, sizeof(f->how), ops->node_how(f->cluster, f->node));
	else if (err == 0)
		text_set(f->how, sizeof(f->how),
		    "SIGKILL, end seen, its store removed and empty");
	else
		text_format(f->how, sizeof(f->how),
		    "SIGKILL, end seen; its store can't be removed: %s",
		    strerror(-err));
	return err == 0;
}

const struct mayhem_ops mayhem_wipe_store = {
    .name = "wipe_store",
    .summary = "kill a server, remove its whole store, start it again",
    .promise = "what a majority of others has is kept",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_EMPTY,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .stands_alone = true, /* the others have to have everything */
    .destroys = true,
    .apply_ns = 30 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .check = wipe_check,
    .plan = wipe_plan,
    .aim = wipe_aim,
    .inject = wipe_inject,
    .is_applied = wipe_is_applied,
    .heal = mayhem_start_all,
    .is_healed = mayhem_is_back,
};
