/* SPDX-License-Identifier: ISC */
/*
 * rolling_upgrade: a rolling restart that changes the version: of two
 * --server-bin all servers begin with the first and come back, one by one,
 * as the second. With -o rolling_upgrade.back=true the next round takes
 * them back to the first, and so on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "chaos/cluster.h"
#include "chaos/mayhem.h"
#include "chaos/monitor.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define SERVER_NS (8 * CLOCK_S) /* of mixed versions between two servers */

struct upgrade_options {
	bool back;
};

static const struct option_spec upgrade_rows[] = {
    {"back", OPTION_FLAG, offsetof(struct upgrade_options, back), sizeof(bool),
	"false", 0, 0, NULL, "BOOL", "downgrade again in every second round",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
upgrade_check(const struct run_config *c, char *why)
{
	const char *list = c->server_bin;
	char bin[CONFIG_PATH_MAX];
	unsigned n = 0;

	while (text_next_item(&list, bin, sizeof(bin)))
		n++;
	if (n == 2)
		return 0;
	why[0] = '\0';
	(void)text_add(why, OPTION_WHY_MAX,
	    "needs two binaries, --server-bin OLD,NEW, not %u", n);
	return -EINVAL;
}

static void
upgrade_plan(struct mayhem_plan *p, struct fault *f)
{
	if (p->left == 0) {
		p->left = p->nodes;
		p->round++;
	}
	f->round = p->round;
	f->planned_ns = p->next_ns;
	p->next_ns += SERVER_NS;
	f->node = p->left--;
}

/* Without the way back, the new version stays. */
static bool
upgrade_aim(struct fault *f)
{
	const struct upgrade_options *o = f->options;

	return o->back || f->cluster->nodes[f->node - 1].binary == 0;
}

static int
upgrade_inject(struct fault *f)
{
	struct cluster *c = f->cluster;
	struct monitor_varz v;

	if (monitor_varz(c->monitor, f->node, &v))
		(void)text_copy(f->before, sizeof(f->before), v.version);
	return c->ops->node_signal(c, f->node, SIGTERM);
}

static bool
upgrade_is_applied(struct fault *f)
{
	char how[FAULT_HOW_MAX];

	(void)snprintf(
	    how, sizeof(how), "%.32s: SIGTERM, exit seen", f->before);
	return mayhem_all_ended(f, how);
}

static int
upgrade_heal(struct fault *f)
{
	struct cluster *c = f->cluster;
	int err = 0;

	if (!c->ops->node_runs(c, f->node) && f->mark == 0)
		err = c->ops->node_binary(
		    c, f->node, 1 - c->nodes[f->node - 1].binary);
	return err < 0 ? err : mayhem_start_all(f);
}

static bool
upgrade_is_healed(struct fault *f)
{
	struct monitor_varz v;
	char how[FAULT_HOW_MAX];

	if (!monitor_varz(f->cluster->monitor, f->node, &v) ||
	    v.asked_ns < f->mark)
		v.version[0] = '\0';
	(void)snprintf(how, sizeof(how),
	    "started as %.24s; all servers healthy, all streams current",
	    v.version);
	return mayhem_is_whole(f, how) && v.version[0] != '\0';
}

const struct mayhem_ops mayhem_rolling_upgrade = {
    .name = "rolling_upgrade",
    .summary = "restart every server as another version, one after the other",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_UPGRADE,
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
