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

#define HAS(verb) (ops->verb != NULL)

#define HAS_ALL(name, has, words) has,
#define WORDS(name, has, words)	  words,

unsigned
cluster_can(const struct cluster_ops *ops)
{
	const bool has[] = {CLUSTER_ABILITIES(HAS_ALL)};
	unsigned i, can = 0;

	for (i = 0; i < CLUSTER_ABILITY_COUNT; i++)
		can |= (unsigned)has[i] << i;
	return can;
}

const char *
cluster_can_words(unsigned can)
{
	static const char *const words[] = {CLUSTER_ABILITIES(WORDS)};

	return words[__builtin_ctz(can)];
}

struct cluster_node *
cluster_node(struct cluster *c, unsigned node)
{
	return &c->nodes[node - 1];
}
