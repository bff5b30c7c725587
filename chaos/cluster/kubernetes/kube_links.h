/* SPDX-License-Identifier: ISC */
/*
 * The links between the pods of a StatefulSet: cut by NetworkPolicies, with
 * what the servers tell of each other (kube_routes.h) as the only proof of
 * it. Many clusters take a policy and do nothing, and many network plugins
 * leave connections alone that are there.
 *
 * A cut is of both directions: one that is set either way cuts the link. How
 * (held or refused) is the network plugin's business.
 *
 * In the cluster there are, while something is cut, one policy for each pod
 * that is to hear less, with the label natsburn/set, and the label
 * natsburn/server of these pods. A pod that is replaced meanwhile gets its
 * label anew, and the policies its address: new ones are made before the
 * old ones go, for together they allow more than each does.
 */
#ifndef CHAOS_KUBE_LINKS_H
#define CHAOS_KUBE_LINKS_H

#include <stdbool.h>

#include "chaos/cluster/cluster.h"

struct kube_links;

/*
 * Begin: takes away what an earlier run left. 0, or -ENOMEM; what cannot be
 * taken away is said.
 */
int kube_links_look(struct cluster *);

/* The driver's link_set and link_flow. */
int kube_links_set(
    struct cluster *, unsigned from, unsigned to, const struct link_policy *);
bool kube_links_flow(
    struct cluster *, unsigned from, unsigned to, struct link_flow *);

/* Do what is due. */
void kube_links_step(struct cluster *);

/*
 * Cut a server off for some seconds, see it by the servers' own words, and
 * open its links again. 0, or -ENOTSUP with why when nothing was cut. What
 * is cut stays so until kube_links_restore() then.
 */
int kube_links_prove(struct cluster *);

/* Take away all policies and labels, and wait for it. */
void kube_links_restore(struct cluster *);

/* After the API's end: no answer comes any more. */
void kube_links_destroy(struct kube_links *);

#endif
