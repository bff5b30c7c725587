/* SPDX-License-Identifier: ISC */
/*
 * How the servers of a local run are connected (--topology): one cluster,
 * several clusters connected by gateways, or a hub cluster to which leaf nodes
 * connect. Servers are numbered from 1, cluster by cluster.
 *
 * Clusters connected by gateways are one JetStream: one meta group, and each
 * stream in one of the clusters. A hub and its leaf nodes are two, each with a
 * domain of its own: the run's streams are in the domain of --js-domain, and
 * the clients are connected to the servers of the other.
 */
#ifndef PROTO_TOPOLOGY_H
#define PROTO_TOPOLOGY_H

#include <stdbool.h>

#include "proto/config.h"

#define TOPOLOGY_PLAIN	  "cluster"
#define TOPOLOGY_HUB	  "hub" /* the domains, and names of clusters */
#define TOPOLOGY_LEAF	  "leaf"
#define TOPOLOGY_NAME_MAX 16

struct topology {
	bool has_gateways, has_leafs; /* neither: one cluster */
	unsigned n;		      /* clusters */
	unsigned size;		      /* servers of each but the last */
	unsigned last;		      /* servers of the last one */
};

/*
 * Read what a configuration says; without --topology it is one cluster of
 * --servers. 0, or -EINVAL with why (OPTION_WHY_MAX bytes).
 */
int topology_read(const struct run_config *, struct topology *, char *why);

/* How many servers that is. */
unsigned topology_servers(const struct topology *);

/* The cluster of a server, from 0, and the servers of a cluster. */
unsigned topology_cluster(const struct topology *, unsigned node);
unsigned topology_size(const struct topology *, unsigned cluster);

/* "c1", "c2" and so on; "hub" or "leaf". Empty when there is one cluster. */
void topology_name(const struct topology *, unsigned cluster,
    char out[static TOPOLOGY_NAME_MAX]);

/*
 * The same as servers have it in their configuration: behind the name of the
 * run's only cluster, which topology_base() makes.
 */
#define TOPOLOGY_FULL_MAX 48
void topology_base(
    const struct run_config *, char out[static TOPOLOGY_FULL_MAX]);
void topology_full_name(const struct topology *, const char *base,
    unsigned cluster, char out[static TOPOLOGY_FULL_MAX]);

/* As topology_name(), of a server of a run. */
void topology_server(const struct run_config *, unsigned node,
    char out[static TOPOLOGY_NAME_MAX]);

/*
 * Among how many servers a stream of the run has its replicas: a stream is in
 * one cluster. Of a configuration that was refused: --servers.
 */
unsigned topology_home(const struct run_config *);

/* Is this cluster another JetStream than the one of the run's streams? */
bool topology_is_apart(
    const struct topology *, const struct run_config *, unsigned cluster);

#endif
