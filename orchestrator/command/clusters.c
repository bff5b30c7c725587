/* SPDX-License-Identifier: ISC */
/* Questions to the cluster drivers; see clusters.h. */
#include <string.h>

#include "orchestrator/command/clusters.h"
#include "orchestrator/command/usage.h"
#include "proto/base/text.h"

#define NAMES_MAX 32

void
clusters_names(clusters_question *is, const char *arg, char *out, size_t size)
{
	const struct cluster_ops *const *d, *last = NULL;

	out[0] = '\0';
	for (d = cluster_table; *d != NULL; d++) {
		if (!is(*d, arg))
			continue;
		if (last != NULL)
			text_add(out, size, "%s%s", out[0] != '\0' ? ", " : "",
			    last->name);
		last = *d;
	}
	if (last != NULL)
		text_add(out, size, "%s%s", out[0] != '\0' ? " or " : "",
		    last->name);
}

int
clusters_find(const struct run_config *c)
{
	const char *names[NAMES_MAX], *near;
	size_t n;

	if (cluster_find(c->cluster) != NULL)
		return 0;
	for (n = 0; n < NAMES_MAX && cluster_table[n] != NULL; n++)
		names[n] = cluster_table[n]->name;
	near = text_nearest(c->cluster, names, n);
	if (near != NULL)
		return usage_error("unknown cluster \"%s\"; did you mean %s?",
		    c->cluster, near);
	return usage_error(
	    "unknown cluster \"%s\"; \"natsburn list clusters\" names them",
	    c->cluster);
}

static bool
takes(const struct cluster_ops *driver, const char *option)
{
	const char *const *o;

	for (o = driver->options; o != NULL && *o != NULL; o++)
		if (strcmp(*o, option) == 0)
			return true;
	return false;
}

/* What some drivers take and this one doesn't. */
static int
validate_options(const struct run_config *c, const struct cluster_ops *driver)
{
	const struct option_spec *row;
	char value[OPTION_VALUE_MAX], with[256];

	for (row = config_options; row->name != NULL; row++) {
		if (option_is_default(row, c) || takes(driver, row->name))
			continue;
		clusters_names(takes, row->name, with, sizeof(with));
		if (with[0] == '\0')
			continue; /* it goes with any driver */
		option_get(row, c, value, sizeof(value));
		return usage_error("--%s%s%s%s: goes with --cluster %s, not %s",
		    row->name, row->secret ? "" : " \"",
		    row->secret ? "" : value, row->secret ? "" : "\"", with,
		    c->cluster);
	}
	return 0;
}

int
clusters_validate(const struct run_config *c)
{
	const struct cluster_ops *driver = cluster_find(c->cluster);
	char why[OPTION_WHY_MAX];
	int bad = validate_options(c, driver);

	if (bad != 0 || driver->validate == NULL ||
	    driver->validate(c, why) == 0)
		return bad;
	return usage_error("%s", why);
}
