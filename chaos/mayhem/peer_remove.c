/* SPDX-License-Identifier: ISC */
/*
 * peer_remove: a random server is stopped for good and removed from the meta
 * group, which moves the replicas that it had to other servers. Later a new
 * one comes in its place: on the same ports, but with an empty store and a
 * new name, for raft knows a server by its name. While a replica moves there
 * is one copy less, and no other server must be lost: nothing else happens to
 * servers or their links meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "chaos/admin.h"
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/topology.h"

#define ABSENT_HIGH_NS (15 * CLOCK_S)
#define RECENT_NS      (3 * CLOCK_S)
#define RETRY_NS       (3 * CLOCK_S) /* between two requests to remove it */

static int
remove_check(const struct run_config *c, char *why)
{
	why[0] = '\0';
	if (c->replicas < 3)
		text_add(why, OPTION_WHY_MAX,
		    "needs --replicas 3 or more, not %llu: what a server is "
		    "removed with must be on a majority of others",
		    (unsigned long long)c->replicas);
	else if (strcmp(c->topology, TOPOLOGY_PLAIN) != 0)
		text_format(why, OPTION_WHY_MAX,
		    "can't be done with --topology \"%s\": of several "
		    "clusters natsburn can't say which one has room for "
		    "the replicas of a removed server",
		    c->topology);
	else if (c->servers <= c->replicas)
		text_add(why, OPTION_WHY_MAX,
		    "needs more --servers than --replicas %llu, not %llu: the "
		    "replicas of a removed server must move to another",
		    (unsigned long long)c->replicas,
		    (unsigned long long)c->servers);
	return why[0] != '\0' ? -EINVAL : 0;
}

static void
remove_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_hold(p, 0, ABSENT_HIGH_NS);
}

/*
 * Only when all replicas are current. Otherwise the removed server could have
 * what no majority of the others has.
 */
static bool
remove_aim(struct fault *f)
{
	char why[CLUSTER_WHY_MAX];

	return health_is_whole(
	    f->cluster->health, clock_mono_ns() - RECENT_NS, why);
}

static int
remove_inject(struct fault *f)
{
	struct cluster *c = f->cluster;

	text_set(f->before, sizeof(f->before), c->nodes[f->node - 1].name);
	text_set(f->target, sizeof(f->target), f->before);
	return c->ops->node_end(c, f->node, SIGTERM);
}

/*
 * Ask the meta leader, if one was seen since since_ns, to remove the old
 * server. That is repeated at f->next_ns, for a leader that is new may not know
 * of an earlier request.
 */
static void
ask_to_remove(struct fault *f, uint64_t since_ns)
{
	struct cluster *c = f->cluster;
	unsigned leader = health_meta_leader(c->health, since_ns);
	uint64_t now = clock_mono_ns();
	char body[128];

	if (leader == 0 || now < f->next_ns)
		return;
	admin_done(c->admin);
	text_format(body, sizeof(body), "{\"peer\":\"%s\"}", f->before);
	if (admin_request(c->admin, ADMIN_SYSTEM, leader,
		"$JS.API.SERVER.REMOVE", body) == 0)
		f->next_ns = now + RETRY_NS;
}

/*
 * f->mark is when the end of the server was seen. What was asked for later
 * shows the group without it.
 */
static bool
remove_is_applied(struct fault *f)
{
	struct cluster *c = f->cluster;

	if (c->ops->node_runs(c, f->node))
		return false;
	if (f->mark == 0)
		f->mark = clock_mono_ns();
	mayhem_take_refusal(f);
	if (health_meta_size(c->health, f->mark) != c->n - 1) {
		ask_to_remove(f, f->mark);
		return false;
	}
	text_format(f->how, sizeof(f->how),
	    "SIGTERM, exit seen, removed: the meta group has %u members",
	    c->n - 1);
	return true;
}

static int
remove_heal(struct fault *f)
{
	struct cluster *c = f->cluster;
	int err = 0;

	admin_done(c->admin);
	if (c->ops->node_runs(c, f->node))
		return 0; /* still ending, or started already */
	/*
	 * Renewed even when the removal was not seen: it may have happened,
	 * and the old one must not come back then. If it did not, the group
	 * has a member too many, which is_healed removes.
	 */
	if (strcmp(f->before, c->nodes[f->node - 1].name) == 0)
		err = c->ops->node_renew(c, f->node);
	return err < 0 ? err : mayhem_start_all(f);
}

/* The new one is there. */
static bool
remove_is_undone(struct fault *f)
{
	return strcmp(f->before, f->cluster->nodes[f->node - 1].name) != 0 &&
	       mayhem_is_undone(f);
}

static bool
remove_is_healed(struct fault *f)
{
	struct cluster *c = f->cluster;
	const char *name = c->nodes[f->node - 1].name;
	unsigned size;
	char how[FAULT_HOW_MAX];

	mayhem_take_refusal(f);
	/* the old server had not ended when heal was called */
	if (strcmp(f->before, name) == 0) {
		/* What fails is tried again at the next look. */
		if (!c->ops->node_runs(c, f->node))
			(void)remove_heal(f);
		return false;
	}
	size = health_meta_size(c->health, f->mark);
	if (size > c->n)
		ask_to_remove(f, f->mark);
	text_format(how, sizeof(how),
	    "joined as %.40s; the meta group has %u members; all streams "
	    "current "
	    "with all replicas",
	    name, size);
	if (!mayhem_is_whole(f, how))
		return false;
	if (size == c->n)
		return true;
	text_format(
	    f->how, sizeof(f->how), "the meta group has %u members", size);
	return false;
}

const struct mayhem_ops mayhem_peer_remove = {
    .name = "peer_remove",
    .summary = "remove a random server for good, let a new one join for it",
    .promise = "nothing acknowledged is lost; replicas move to others",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_ADMIN | CLUSTER_CAN_WIPE,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .stands_alone = true,
    .apply_ns = 60 * CLOCK_S,
    .heal_ns = 180 * CLOCK_S,
    .check = remove_check,
    .plan = remove_plan,
    .aim = remove_aim,
    .inject = remove_inject,
    .is_applied = remove_is_applied,
    .heal = remove_heal,
    .is_undone = remove_is_undone,
    .is_healed = remove_is_healed,
};
