/* SPDX-License-Identifier: ISC */
/* What drivers share; see cluster.h. */
#include <string.h>

#include "chaos/cluster/cluster.h"

const struct cluster_ops *
cluster_find(const char *name)
{
	const struct cluster_ops *const *d;

	for (d = cluster_table; *d != NULL; d++)
		if (strcmp((*d)->name, name) == 0)
			return *d;
	return NULL;
}

struct cluster_node *
cluster_node(struct cluster *c, unsigned node)
{
	return &c->nodes[node - 1];
}
