/* SPDX-License-Identifier: ISC */
/*
 * What the StatefulSet's own controller does to its servers: a rollout, and
 * fewer pods for a while. The change of the object is kube_set.h's; here is
 * what becomes of it.
 */
#ifndef CHAOS_KUBE_ROLL_H
#define CHAOS_KUBE_ROLL_H

#include "chaos/cluster/cluster.h"

/* Do what is due: look whether a rollout has come to its end. */
void kube_roll_step(struct cluster *);

/* As of the same name in struct cluster_ops. */
int kube_roll_check(const struct run_config *, char *why);
int kube_roll_begin(struct cluster *, unsigned binary);
enum cluster_roll kube_roll_state(struct cluster *, char *how, size_t size);
int kube_roll_scale(struct cluster *, unsigned count);

#endif
