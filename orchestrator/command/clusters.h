/* SPDX-License-Identifier: ISC */
/*
 * What the command line asks the cluster drivers: whether there is one of
 * that name, which options go with it, and whether it takes them.
 */
#ifndef ORCHESTRATOR_CLUSTERS_H
#define ORCHESTRATOR_CLUSTERS_H

#include "chaos/cluster/cluster.h"

/* The names of all drivers that this is true of: "a, b or c". */
typedef bool clusters_question(const struct cluster_ops *, const char *arg);
void clusters_names(
    clusters_question *, const char *arg, char *out, size_t size);

/* Is there a driver of config's --cluster? 0, or EXIT_USAGE, said. */
int clusters_find(const struct run_config *);

/*
 * Do all options that are given go with that driver, and does it take what
 * they say? 0, or EXIT_USAGE, said.
 */
int clusters_validate(const struct run_config *);

#endif
