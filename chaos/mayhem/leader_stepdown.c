/* SPDX-License-Identifier: ISC */
/*
 * leader_stepdown: the leader of the meta group, of a stream or of a
 * consumer is asked to step down. That it did is seen in /jsz: another
 * server leads.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chaos/account.h"
#include "chaos/admin.h"
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/topology.h"

struct stepdown_options {
	char of[16];
};

static const struct option_spec stepdown_rows[] = {
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct stepdown_options, of),
	.def = "any",
	.choices = mayhem_leader_names,
	.arg = "WHAT",
	.help = "meta, stream, consumer or any"},
    {.name = NULL},
};

/*
 * On servers of others: is there a login to ask with, and a monitoring address
 * to see who leads?
 */
static int
look_at_login(const struct run_config *c, bool needs_monitor, char *why)
{
	bool is_blind = needs_monitor && c->monitor[0] == '\0';

	if (account_is_given(c) && !is_blind)
		return 0;
	text_format(why, OPTION_WHY_MAX,
	    "mayhem leader_stepdown on a cluster that isn't natsburn's needs "
	    "%sthe system account: --sys-user, --sys-nkey or --sys-creds",
	    needs_monitor ? "--monitor and " : "");
	return -ENOTSUP;
}

static int
stepdown_check(const struct run_config *c, char *why)
{
	const struct cluster_ops *driver = cluster_find(c->cluster);

	if (driver->owner != OWNER_US)
		return look_at_login(c, driver->needs_monitor, why);
	if (topology_home(c) > 1)
		return 0;
	text_set(why, OPTION_WHY_MAX,
	    "with --servers 1 there is nobody else to lead");
	return -EINVAL;
}

/* With one replica only the meta group has leaders to choose from. */
static bool
stepdown_aim(struct fault *f)
{
	const struct stepdown_options *o = f->options;

	if (f->cluster->config->replicas == 1)
		return mayhem_aim_leader(f, LEADER_OF_META);
	return mayhem_aim_leader(f, mayhem_leader_of(f, o->of));
}

static int
stepdown_inject(struct fault *f)
{
	enum admin_account account = ADMIN_USER;
	char subject[256] = "", prefix[CONFIG_PREFIX_MAX], *slash;

	config_js_prefix(f->cluster->config, prefix);
	if (f->before[0] == '\0') {
		account = ADMIN_SYSTEM;
		text_set(
		    subject, sizeof(subject), "$JS.API.META.LEADER.STEPDOWN");
	} else if (strchr(f->before, '/') == NULL)
		text_add(subject, sizeof(subject),
		    "%s.STREAM.LEADER.STEPDOWN.%s", prefix, f->before);
	else {
		text_add(subject, sizeof(subject),
		    "%s.CONSUMER.LEADER.STEPDOWN.%s", prefix, f->before);
		slash = strchr(subject, '/');
		*slash = '.';
	}
	f->mark = clock_mono_ns();
	return admin_request(f->cluster->admin, account, 0, subject, "");
}

static bool
stepdown_is_applied(struct fault *f)
{
	const struct health *h = f->cluster->health;
	unsigned leader;

	mayhem_take_refusal(f);
	leader = f->before[0] == '\0'
		     ? health_meta_leader(h, f->mark)
		     : health_group_leader(h, f->before, f->mark);
	if (leader == 0 || leader == f->node)
		return false;
	text_format(f->how, sizeof(f->how), "%s leads now",
	    f->cluster->nodes[leader - 1].name);
	return true;
}

static int
stepdown_heal(struct fault *f)
{
	admin_done(f->cluster->admin);
	f->mark = clock_mono_ns();
	return 0;
}

static bool
stepdown_is_healed(struct fault *f)
{
	return mayhem_is_whole(f, "all servers healthy, all streams current");
}

const struct mayhem_ops mayhem_leader_stepdown = {
    .name = "leader_stepdown",
    .summary = "ask the leader of the meta group, a stream or a consumer to "
	       "step down",
    .promise = "replicated streams stay available",
    .needs = CLUSTER_CAN_ADMIN,
    .touches = TOUCH_LEADERS,
    .is_graceful = true,
    .options = stepdown_rows,
    .options_size = sizeof(struct stepdown_options),
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 60 * CLOCK_S,
    .check = stepdown_check,
    .plan = mayhem_plan_next,
    .aim = stepdown_aim,
    .inject = stepdown_inject,
    .is_applied = stepdown_is_applied,
    .heal = stepdown_heal,
    .is_healed = stepdown_is_healed,
};
