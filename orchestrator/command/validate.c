/* SPDX-License-Identifier: ISC */
/* What options must have in common; see validate.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "orchestrator/command/clusters.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/validate.h"
#include "orchestrator/history/thresholds.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/moment.h"
#include "proto/recorded.h"
#include "proto/topology.h"
#include "worker/worker.h"

#define NAMES_MAX 64

static int
unknown_name(
    const char *what, const char *name, const char *const *names, size_t n)
{
	const char *near = text_nearest(name, names, n);

	if (near != NULL)
		return usage_error(
		    "unknown %s \"%s\"; did you mean %s?", what, name, near);
	return usage_error(
	    "unknown %s \"%s\"; \"natsburn list\" names them", what, name);
}

static bool
has_no_servers(const struct cluster_ops *driver, const char *arg)
{
	(void)arg;
	return driver->owner == OWNER_NONE;
}

static int
validate_test(const struct run_config *c)
{
	const struct workload_ops *w = workload_find(c->test);
	const struct cluster_ops *driver = cluster_find(c->cluster);
	const char *names[NAMES_MAX];
	char none[256];
	size_t n;

	if (c->test[0] == '\0')
		return usage_error("which test? \"natsburn list\" names them");
	if (w == NULL) {
		for (n = 0; workload_table[n] != NULL; n++)
			names[n] = workload_table[n]->name;
		return unknown_name("test", c->test, names, n);
	}
	if (w->needs_no_cluster != has_no_servers(driver, NULL)) {
		clusters_names(has_no_servers, NULL, none, sizeof(none));
		return usage_error("--cluster %s: test %s runs with %s%s only",
		    c->cluster, c->test,
		    w->needs_no_cluster ? "--cluster " : "a cluster of servers",
		    w->needs_no_cluster ? none : "");
	}
	if (c->rate != 0 && !w->takes_rate)
		return usage_error("--rate %llu/s: test %s has one message in "
				   "flight and no rate; pipeline has one",
		    (unsigned long long)c->rate, c->test);
	return 0;
}

static int
validate_aim(const struct run_config *c)
{
	const char *names[MOMENTS_MAX];
	char unknown[64];
	size_t n;

	if (c->aim[0] != '\0' && strcmp(c->mayhem, "none") == 0)
		return usage_error("--aim \"%s\": there is no fault to aim; "
				   "--mayhem names some",
		    c->aim);
	if (c->aim[0] == '\0' ||
	    moment_bits(c->aim, unknown, sizeof(unknown)) != 0)
		return 0;
	for (n = 0; moments[n].name != NULL; n++)
		names[n] = moments[n].name;
	return unknown_name("moment", unknown, names, n);
}

static int
validate_schedule(const struct run_config *c)
{
	struct recorded r = {0};
	char why[OPTION_WHY_MAX];
	int bad = 0;

	if (c->schedule[0] == '\0')
		return 0;
	if (recorded_load(&r, c->schedule, why) < 0)
		bad = usage_error("--schedule %s", why);
	else if (c->seed == 0)
		bad = usage_error("--schedule \"%s\": needs the --seed that "
				  "its faults were drawn from",
		    c->schedule);
	recorded_free(&r);
	return bad;
}

static int
validate_tolerate(const struct run_config *c)
{
	uint64_t bound;

	if (strcmp(c->tolerate, "minority") == 0 ||
	    strcmp(c->tolerate, "none") == 0 ||
	    (text_to_u64(c->tolerate, CONFIG_NODES_MAX, &bound) == 0 &&
		bound >= 1))
		return 0;
	return usage_error("--tolerate \"%s\": must be minority, none, or a "
			   "number of servers from 1 to %d",
	    c->tolerate, CONFIG_NODES_MAX);
}

/* Does the mode keep within --tolerate, and do the options suit it? */
static int
validate_mode(const struct run_config *c, const struct mayhem_ops *ops)
{
	unsigned n = (unsigned)c->servers, width = mayhem_width(ops, n);
	char why[OPTION_WHY_MAX];

	if (width > mayhem_tolerated(c, n))
		return usage_error("--mayhem %s: puts %u of %u servers out of "
				   "service at once, more than --tolerate %s; "
				   "--tolerate none allows it",
		    ops->name, width, n, c->tolerate);
	if (ops->check != NULL && ops->check(c, why) == -EINVAL)
		return usage_error("--mayhem %s: %s", ops->name, why);
	return 0;
}

static int
expand_mayhem(struct run_config *c)
{
	const struct cluster_ops *driver = cluster_find(c->cluster);
	const struct mayhem_ops *const *m;
	char list[sizeof(c->mayhem)] = "", why[OPTION_WHY_MAX];
	unsigned n = (unsigned)c->servers, can = cluster_can(driver);

	if (strcmp(c->mayhem, "all") != 0)
		return 0;
	if (driver->lacks != NULL)
		can &= ~driver->lacks(c);
	for (m = mayhem_table; *m != NULL; m++) {
		if ((*m)->is_on_demand ||
		    ((*m)->destroys && driver->owner == OWNER_OTHERS) ||
		    (mayhem_needs(*m, driver) & ~can) != 0 ||
		    mayhem_width(*m, n) > mayhem_tolerated(c, n) ||
		    ((*m)->check != NULL && (*m)->check(c, why) < 0))
			continue;
		if (!text_fits_add(list, sizeof(list), "%s%s",
			list[0] != '\0' ? "," : "", (*m)->name))
			return usage_error("--mayhem all: too many modes");
	}
	if (list[0] == '\0')
		return usage_error("--mayhem all: no mode can be done with "
				   "--cluster %s and these options",
		    c->cluster);
	text_set(c->mayhem, sizeof(c->mayhem), list);
	return 0;
}

bool
validate_has_role(const char *test, enum workload_count count)
{
	const struct workload_ops *w = workload_find(test);
	const struct workload_role *role;

	for (role = w != NULL ? w->roles : NULL;
	     role != NULL && role->name != NULL; role++)
		if (role->count == count)
			return true;
	return false;
}

/* The topology says how many servers there are, and which domains. */
static int
fill_topology(struct run_config *c)
{
	char why[OPTION_WHY_MAX];
	struct topology t;
	unsigned n;

	if (topology_read(c, &t, why) < 0)
		return usage_error("%s", why);
	n = topology_servers(&t);
	if (c->servers != n &&
	    !option_is_default(option_find(config_options, "servers"), c))
		return usage_error("--servers %llu: --topology \"%s\" has %u",
		    (unsigned long long)c->servers, c->topology, n);
	c->servers = n;
	if (t.has_leafs && c->js_domain[0] == '\0')
		text_set(c->js_domain, sizeof(c->js_domain), TOPOLOGY_HUB);
	return 0;
}

int
validate_fill(struct run_config *c)
{
	const struct workload_ops *w = workload_find(c->test);
	bool has_clients = validate_has_role(c->test, WORKLOAD_CLIENTS);
	bool has_consumers = validate_has_role(c->test, WORKLOAD_CONSUMERS);
	unsigned home;
	int bad;

	if (w == NULL)
		return 0; /* validate_config() says so */
	bad = fill_topology(c);
	if (bad != 0)
		return bad;
	if (c->consumers != 0 && !has_consumers)
		return usage_error("--consumers %llu: test %s has no "
				   "consumers%s",
		    (unsigned long long)c->consumers, c->test,
		    has_clients ? "; --clients is how many processes it has"
				: "");
	if (c->clients != 0 && !has_clients)
		return usage_error("--clients %llu: test %s has no clients%s",
		    (unsigned long long)c->clients, c->test,
		    has_consumers ? "; --consumers is how many processes it has"
				  : "");
	if (c->consumers == 0)
		c->consumers = 10;
	if (c->clients == 0 && has_clients)
		c->clients = w->clients > 0 ? w->clients : 1;
	home = topology_home(c);
	if (c->replicas == 0)
		c->replicas =
		    cluster_find(c->cluster)->owner == OWNER_US && home < 3
			? home
			: 3;
	return expand_mayhem(c);
}

static int
validate_mayhem(const struct run_config *c)
{
	const char *list = c->mayhem, *names[NAMES_MAX];
	char mode[64];
	size_t n, count = 0;
	int bad;

	for (n = 0; mayhem_table[n] != NULL; n++)
		names[n] = mayhem_table[n]->name;
	while (text_next_item(&list, mode, sizeof(mode))) {
		count++;
		if (mayhem_find(mode) == NULL)
			return unknown_name("mayhem mode", mode, names, n);
		bad = validate_mode(c, mayhem_find(mode));
		if (bad != 0)
			return bad;
	}
	if (count == 0)
		return usage_error("--mayhem \"\": must name a mode, or none");
	if (count > 1 && config_list_has(c->mayhem, "none"))
		return usage_error(
		    "--mayhem \"%s\": none stands alone", c->mayhem);
	return 0;
}

static int
validate_rows(const struct run_config *c, const char *scope,
    const struct option_spec *rows, size_t size, const struct workload_ops *w)
{
	static const struct option_spec no_rows[] = {
	    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false}};
	void *state = calloc(1, size ? size : 1);
	char why[OPTION_WHY_MAX];
	int err;

	if (state == NULL)
		return usage_error("out of memory");
	err =
	    config_extras(c, scope, rows != NULL ? rows : no_rows, state, why);
	if (err == 0 && w != NULL && w->validate != NULL)
		err = w->validate(c, state, why);
	free(state);
	return err < 0 ? usage_error("%s", why) : 0;
}

static bool
is_scope(const char *extra, const char *scope)
{
	size_t len = strlen(scope);

	return strncmp(extra, scope, len) == 0 && extra[len] == '.';
}

/* -o NAME.KEY=VALUE: NAME is the test or one of the modes of this run. */
static int
validate_extra(const struct run_config *c, const char *extra)
{
	const struct workload_ops *w = workload_find(c->test);
	const char *list = c->mayhem;
	const struct mayhem_ops *m;
	char mode[64];

	if (is_scope(extra, w->name))
		return 0; /* all of the test's are looked at together */
	while (text_next_item(&list, mode, sizeof(mode))) {
		m = mayhem_find(mode);
		if (is_scope(extra, mode))
			return validate_rows(
			    c, mode, m->options, m->options_size, NULL);
	}
	return usage_error("-o \"%s\": must be %s.KEY=VALUE in this run, or "
			   "MODE.KEY=VALUE of one of its mayhem modes",
	    extra, w->name);
}

static int
validate_extras(const struct run_config *c)
{
	const struct workload_ops *w = workload_find(c->test);
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nextras && bad == 0; i++)
		bad = validate_extra(c, c->extras[i]);
	if (bad == 0)
		bad = validate_rows(c, w->name, w->options, w->options_size, w);
	return bad;
}

static int
validate_file(const char *option, const char *path)
{
	if (path[0] != '\0' && access(path, R_OK) < 0)
		return usage_error(
		    "--%s \"%s\": %s", option, path, strerror(errno));
	return 0;
}

static int
validate_storage(const struct run_config *c)
{
	if (strcmp(c->storage, "memory") == 0 &&
	    strcmp(c->storage_compression, "none") != 0)
		return usage_error(
		    "--storage-compression \"%s\": needs --storage file",
		    c->storage_compression);
	return 0;
}

static int
validate_status(const struct run_config *c)
{
	char value[32];

	if (c->status_interval_ns == 0 || c->status_interval_ns >= CLOCK_S)
		return 0;
	text_from_duration(c->status_interval_ns, value, sizeof(value));
	return usage_error(
	    "--status-interval \"%s\": must be 0 or from 1s to 1d", value);
}

static int
validate_limits(const struct run_config *c)
{
	struct threshold limits[THRESHOLDS_MAX];
	char why[OPTION_WHY_MAX];

	return thresholds_parse(c->limit, limits, why) < 0
		   ? usage_error("%s", why)
		   : 0;
}

int
validate_config(const struct run_config *c)
{
	int bad;

	bad = validate_test(c);
	if (bad == 0)
		bad = validate_storage(c);
	if (bad == 0)
		bad = validate_status(c);
	if (bad == 0)
		bad = validate_limits(c);
	if (bad == 0)
		bad = validate_tolerate(c);
	if (bad == 0)
		bad = validate_mayhem(c);
	if (bad == 0)
		bad = validate_aim(c);
	if (bad == 0)
		bad = validate_schedule(c);
	if (bad == 0)
		bad = validate_extras(c);
	if (bad == 0)
		bad = validate_file("server-conf", c->server_conf);
	return bad != 0 ? bad : clusters_validate(c);
}
