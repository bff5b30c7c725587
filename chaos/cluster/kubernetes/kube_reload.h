/* SPDX-License-Identifier: ISC */
/*
 * Reloads of servers: their ConfigMap is changed and SIGHUP is sent by a
 * command in the pod; without the right to commands, by the request of the
 * system account that 2.10 and later take.
 */
#ifndef CHAOS_KUBE_RELOAD_H
#define CHAOS_KUBE_RELOAD_H

#include "chaos/cluster/cluster.h"

/*
 * Can it be done where the run's faults need it? 0, or -ENOTSUP with why.
 */
int kube_reload_look(struct cluster *);

/* Do what is due. */
void kube_reload_step(struct cluster *);

/* As of the same name in struct cluster_ops. */
int kube_reload_node(struct cluster *, unsigned node);
const char *kube_reload_how(struct cluster *, unsigned node);

#endif
