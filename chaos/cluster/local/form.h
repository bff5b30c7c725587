/* SPDX-License-Identifier: ISC */
/* Servers of ours become a cluster. */
#ifndef CHAOS_LOCAL_FORM_H
#define CHAOS_LOCAL_FORM_H

#include "chaos/cluster/cluster.h"

/*
 * Start all servers and wait until they are one healthy cluster of all of
 * them; when some version forms a group that is too small, and never grows, it
 * is formed anew. 0, or -errno with why.
 */
int form_cluster(struct cluster *);

#endif
