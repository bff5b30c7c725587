/* SPDX-License-Identifier: ISC */
/* What Kubernetes knows of the servers, saved beside their own pages. */
#ifndef CHAOS_KUBE_DUMP_H
#define CHAOS_KUBE_DUMP_H

#include "chaos/cluster/cluster.h"

/* As dump in struct cluster_ops. */
unsigned kube_dump(struct cluster *, const char *dir);

#endif
