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
#include <stdint.h>

#include "chaos/cluster/cluster.h"

struct kube_links;

#define KUBE_LINKS_POLICIES                                                    \
	"/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies"

/* Begin, without any cut. 0 or -ENOMEM. Destroy after the API's end. */
int kube_links_create(struct cluster *);
void kube_links_destroy(struct kube_links *);

/* Do what is due. */
void kube_links_step(struct cluster *);

/* As link_set and link_flow of struct cluster_ops. */
int kube_links_set(
    struct cluster *, unsigned from, unsigned to, const struct link_policy *);
bool kube_links_flow(
    struct cluster *, unsigned from, unsigned to, struct link_flow *);

/* True when all that was set is in force. */
bool kube_links_are_settled(const struct cluster *);

/* Bytes that came through cut links of a server, either way. */
uint64_t kube_links_leaked(const struct cluster *, unsigned node);

/* Take away all policies and labels, and wait for it. */
void kube_links_restore(struct cluster *);

#endif
