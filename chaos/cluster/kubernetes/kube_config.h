/* SPDX-License-Identifier: ISC */
/*
 * The ConfigMap that holds the servers' configuration: changed for reloads,
 * and put back. What it was before stands in an annotation of it meanwhile.
 */
#ifndef CHAOS_KUBE_CONFIG_H
#define CHAOS_KUBE_CONFIG_H

#include "chaos/cluster/cluster.h"

/*
 * What the ConfigMap holds; what an earlier run left in it is undone first.
 * Without the right to it nothing is changed: reloads only send SIGHUP.
 */
void kube_config_look(struct cluster *);

/* Change what this server will read next. 0 or -errno. */
int kube_config_change(struct cluster *, unsigned node);

/* Undo what we changed, and have those servers read it that took it. */
void kube_config_restore(struct cluster *);

/*
 * When an earlier run was killed: have the servers read what was put back. 0.
 */
int kube_config_finish(struct cluster *);

#endif
