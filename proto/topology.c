/* SPDX-License-Identifier: ISC */
/* How servers are connected; see topology.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/topology.h"

/* "2x3" with 'x' between: two numbers of one digit, each 1 or more. */
static bool
read_pair(const char *text, char between, unsigned *a, unsigned *b)
{
	if (strlen(text) != 3 || text[1] != between || text[0] < '1' ||
	    text[0] > '9' || text[2] < '1' || text[2] > '9')
		return false;
	*a = (unsigned)(text[0] - '0');
	*b = (unsigned)(text[2] - '0');
	return true;
}

int
topology_read(const struct run_config *c, struct topology *t, char *why)
{
	static const char super[] = "supercluster:", leaf[] = "leaf:";
	const char *text = c->topology;
	unsigned a, b;

	*t = (struct topology){.n = 1, .last = (unsigned)c->servers};
	if (strcmp(text, TOPOLOGY_PLAIN) == 0)
		return 0;
	if (strncmp(text, super, sizeof(super) - 1) == 0 &&
	    read_pair(text + sizeof(super) - 1, 'x', &a, &b) && a > 1 &&
	    a * b <= CONFIG_NODES_MAX) {
		*t = (struct topology){
		    .has_gateways = true, .n = a, .size = b, .last = b};
		return 0;
	}
	if (strncmp(text, leaf, sizeof(leaf) - 1) == 0 &&
	    read_pair(text + sizeof(leaf) - 1, '+', &a, &b) &&
	    a + b <= CONFIG_NODES_MAX) {
		*t = (struct topology){
		    .has_leafs = true, .n = 2, .size = a, .last = b};
		return 0;
	}
	text_format(why, OPTION_WHY_MAX,
	    "--topology \"%s\": must be cluster, supercluster:CxN (C clusters "
	    "of N servers, 2 or more of them) or leaf:N+M (M leaf nodes of N "
	    "servers), with at most %d servers",
	    text, CONFIG_NODES_MAX);
	return -EINVAL;
}

unsigned
topology_servers(const struct topology *t)
{
	return (t->n - 1) * t->size + t->last;
}

unsigned
topology_cluster(const struct topology *t, unsigned node)
{
	unsigned cluster = t->size > 0 ? (node - 1) / t->size : 0;

	return cluster < t->n ? cluster : t->n - 1;
}

unsigned
topology_size(const struct topology *t, unsigned cluster)
{
	return cluster + 1 < t->n ? t->size : t->last;
}

void
topology_name(const struct topology *t, unsigned cluster,
    char out[static TOPOLOGY_NAME_MAX])
{
	out[0] = '\0';
	if (t->has_gateways)
		text_format(out, TOPOLOGY_NAME_MAX, "c%u", cluster + 1);
	else if (t->has_leafs)
		text_set(out, TOPOLOGY_NAME_MAX,
		    cluster == 0 ? TOPOLOGY_HUB : TOPOLOGY_LEAF);
}

void
topology_base(const struct run_config *c, char out[static TOPOLOGY_FULL_MAX])
{
	text_format(
	    out, TOPOLOGY_FULL_MAX, "nb_%llx", (unsigned long long)c->run);
}

void
topology_full_name(const struct topology *t, const char *base, unsigned cluster,
    char out[static TOPOLOGY_FULL_MAX])
{
	char name[TOPOLOGY_NAME_MAX];

	topology_name(t, cluster, name);
	text_format(out, TOPOLOGY_FULL_MAX, "%s%s%s", base,
	    name[0] != '\0' ? "_" : "", name);
}

void
topology_server(const struct run_config *c, unsigned node,
    char out[static TOPOLOGY_NAME_MAX])
{
	char why[OPTION_WHY_MAX];
	struct topology t;

	out[0] = '\0';
	if (topology_read(c, &t, why) == 0)
		topology_name(&t, topology_cluster(&t, node), out);
}

bool
topology_is_apart(
    const struct topology *t, const struct run_config *c, unsigned cluster)
{
	bool is_in_leaf = strcmp(c->js_domain, TOPOLOGY_LEAF) == 0;

	return t->has_leafs && (cluster == 1) != is_in_leaf;
}

unsigned
topology_home(const struct run_config *c)
{
	char why[OPTION_WHY_MAX];
	struct topology t;
	unsigned i;

	if (topology_read(c, &t, why) < 0)
		return (unsigned)c->servers;
	for (i = 0; topology_is_apart(&t, c, i); i++)
		;
	return topology_size(&t, i);
}
