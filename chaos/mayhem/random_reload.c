/* SPDX-License-Identifier: ISC */
/*
 * random_reload: at random moments a random server's configuration is
 * really changed (max_connections) and reloaded with SIGHUP. That it took
 * effect is read from /varz: the new value and a new config_load_time; a
 * refused reload shows nowhere but in the log, and the server runs on.
 */
#include <stdio.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

static int
reload_inject(struct fault *f)
{
	struct cluster *c = f->cluster;
	struct health_varz v;

	if (health_varz(c->health, f->node, &v))
		text_set(f->before, sizeof(f->before), v.config_load_time);
	f->mark = clock_mono_ns();
	return c->ops->node_reload(c, f->node);
}

static bool
reload_is_applied(struct fault *f)
{
	const struct cluster_node *n = cluster_node(f->cluster, f->node);
	const struct cluster_ops *driver = f->cluster->ops;
	const char *how = NULL;
	struct health_varz v;

	if (!health_varz(f->cluster->health, f->node, &v) ||
	    v.asked_ns < f->mark || v.max_connections != n->config_mark ||
	    strcmp(v.config_load_time, f->before) == 0)
		return false;
	if (driver->reload_how != NULL)
		how = driver->reload_how(f->cluster, f->node);
	text_format(f->how, sizeof(f->how),
	    "%s%smax_connections is %llu, config_load_time %.32s",
	    how != NULL ? how : "", how != NULL ? "; " : "",
	    (unsigned long long)v.max_connections, v.config_load_time);
	return true;
}

static bool
reload_is_healed(struct fault *f)
{
	if (!health_node_is_ok(f->cluster->health, f->node, f->mark))
		return false;
	text_format(f->how, sizeof(f->how), "server is healthy");
	return true;
}

const struct mayhem_ops mayhem_random_reload = {
    .name = "random_reload",
    .summary = "change and reload the configuration of a random server",
    .promise = "every promise holds all the time",
    .needs = CLUSTER_CAN_RELOAD,
    .touches = TOUCH_SERVER,
    .is_graceful = true,
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 60 * CLOCK_S,
    .plan = mayhem_plan_one,
    .inject = reload_inject,
    .is_applied = reload_is_applied,
    .is_healed = reload_is_healed,
};
