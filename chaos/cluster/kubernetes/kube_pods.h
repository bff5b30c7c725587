/* SPDX-License-Identifier: ISC */
/*
 * The pods of the StatefulSet, itself, and the disruption budgets of its
 * pods, as watches tell them. A server is the container of a pod: another
 * pod, or a restarted container, is another one.
 */
#ifndef CHAOS_KUBE_PODS_H
#define CHAOS_KUBE_PODS_H

#include <stdbool.h>

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube_object.h"

/*
 * Open the watches, and wait until they have told all there is. 0, or -errno
 * with why. Closing is safe without.
 */
int kube_pods_open(struct cluster *);
void kube_pods_close(struct cluster *);

/* Do what is due. */
void kube_pods_step(struct cluster *);

/* The server of a pod, from 1; 0 when it is none of ours. */
unsigned kube_pods_node(const struct cluster *, const struct kube_pod *);

/*
 * The container that runs now was told to end: when it does, that is no crash.
 * how says in words what ended it.
 */
void kube_pods_told(struct cluster *, unsigned node, const char *how);

/*
 * Refuse a run whose faults put more servers out at once than a budget
 * allows. 0, or -ENOTSUP with why.
 */
int kube_pods_budgets(struct cluster *);

/* As of the same name in struct cluster_ops. */
bool kube_pods_is_ready(struct cluster *, unsigned node);
bool kube_pods_runs(struct cluster *, unsigned node);
bool kube_pods_crashed(struct cluster *, unsigned node);
int kube_pods_start(struct cluster *, unsigned node);
const char *kube_pods_how(struct cluster *, unsigned node);
bool kube_pods_may_disrupt(struct cluster *, unsigned count);

#endif
