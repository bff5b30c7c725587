/* SPDX-License-Identifier: ISC */
/*
 * rolling_upgrade: a rolling restart that changes the version: of two
 * --server-bin all servers begin with the first and come back, one by one,
 * as the second. With -o rolling_upgrade.back=true the next round takes
 * them back to the first, and so on.
 *
 * Where the cluster restarts its servers by itself (a StatefulSet) a round
 * is one rollout of another image, from the one that it has to --k8s-image.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define SERVER_NS (8 * CLOCK_S) /* of mixed versions between two servers */

struct upgrade_options {
	bool back;
};

static const struct option_spec upgrade_rows[] = {
    {.name = "back",
	.type = OPTION_FLAG,
	OPTION_AT(struct upgrade_options, back),
	.def = "false",
	.arg = "BOOL",
	.help = "downgrade again in every second round"},
    {.name = NULL},
};

static int
upgrade_check(const struct run_config *c, char *why)
{
	const struct cluster_ops *driver = cluster_find(c->cluster);

	/* A driver without this verb is refused by what the mode needs. */
	return driver->check_upgrade != NULL ? driver->check_upgrade(c, why)
					     : 0;
}

static void
upgrade_plan(struct mayhem_plan *p, struct fault *f)
{
	if (p->left == 0) {
		p->left = p->rolls ? 1 : p->nodes;
		p->round++;
	}
	f->round = p->round;
	f->planned_ns = p->next_ns;
	f->is_rollout = p->rolls;
	p->next_ns += SERVER_NS * (p->rolls ? p->nodes : 1);
	if (p->rolls)
		f->nodes = (1U << p->nodes) - 1;
	else
		f->node = p->left;
	p->left--;
}

/*
 * The server to look at. In a rollout all are changed alike: the first will do.
 */
static unsigned
one_of(const struct fault *f)
{
	return f->is_rollout ? 1 : f->node;
}

/*
 * Without -o rolling_upgrade.back=true the new version stays: there is nothing
 * more to do.
 */
static bool
upgrade_aim(struct fault *f)
{
	const struct upgrade_options *o = f->options;

	return o->back || f->cluster->nodes[one_of(f) - 1].binary == 0;
}

static int
upgrade_inject(struct fault *f)
{
	struct cluster *c = f->cluster;
	struct health_varz v;

	if (health_varz(c->health, one_of(f), &v))
		text_set(f->before, sizeof(f->before), v.version);
	if (f->is_rollout)
		return c->ops->roll(c, 1 - c->nodes[0].binary);
	return c->ops->node_end(c, f->node, SIGTERM);
}

static bool
upgrade_is_applied(struct fault *f)
{
	struct cluster *c = f->cluster;
	char how[FAULT_HOW_MAX];
	enum cluster_roll state;

	if (f->is_rollout) {
		state = c->ops->roll_state(c, how, sizeof(how));
		text_format(
		    f->how, sizeof(f->how), "%.32s: %.100s", f->before, how);
		return state == ROLL_GOING || state == ROLL_DONE;
	}
	text_format(how, sizeof(how), "%.32s: SIGTERM, exit seen", f->before);
	return mayhem_all_ended(f, how);
}

static int
upgrade_heal(struct fault *f)
{
	struct cluster *c = f->cluster;
	int err = 0;

	if (f->is_rollout) {
		f->mark = 0; /* is_rolled() sets it at the end of the rollout */
		return 0;
	}
	if (!c->ops->node_runs(c, f->node) && f->mark == 0)
		err = c->ops->node_binary(
		    c, f->node, 1 - c->nodes[f->node - 1].binary);
	return err < 0 ? err : mayhem_start_all(f);
}

/*
 * True when the rollout is over, well or badly. f->mark is when that was seen.
 */
static bool
is_rolled(struct fault *f)
{
	enum cluster_roll state =
	    f->cluster->ops->roll_state(f->cluster, f->how, sizeof(f->how));

	if (state == ROLL_ASKED || state == ROLL_GOING)
		return false;
	if (f->mark == 0)
		f->mark = clock_mono_ns();
	return true;
}

static bool
upgrade_is_healed(struct fault *f)
{
	struct health_varz v;
	char how[FAULT_HOW_MAX];

	if (f->is_rollout && !is_rolled(f))
		return false;
	if (!health_varz(f->cluster->health, one_of(f), &v) ||
	    v.asked_ns < f->mark)
		v.version[0] = '\0';
	text_format(how, sizeof(how),
	    "started as %.24s; all servers healthy, all streams current",
	    v.version);
	return mayhem_is_whole(f, how) && v.version[0] != '\0';
}

const struct mayhem_ops mayhem_rolling_upgrade = {
    .name = "rolling_upgrade",
    .summary = "restart every server as another version, one after the other",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_UPGRADE,
    .needs_rolling = CLUSTER_CAN_ROLL | CLUSTER_CAN_UPGRADE,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_graceful = true,
    .options = upgrade_rows,
    .options_size = sizeof(struct upgrade_options),
    .apply_ns = 30 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .check = upgrade_check,
    .plan = upgrade_plan,
    .aim = upgrade_aim,
    .inject = upgrade_inject,
    .is_applied = upgrade_is_applied,
    .heal = upgrade_heal,
    .is_healed = upgrade_is_healed,
};
