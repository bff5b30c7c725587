/* SPDX-License-Identifier: ISC */
/*
 * How the pods are reached (--k8s-reach): by their own addresses, by
 * port-forwards, or their monitoring by the API's proxy to pods. Sets the
 * addresses of the cluster's nodes.
 */
#ifndef CHAOS_KUBE_REACH_H
#define CHAOS_KUBE_REACH_H

#include <stdbool.h>
#include <stddef.h>

#include "chaos/cluster/cluster.h"

/*
 * The steps of the way up: what the options and this place allow; what RBAC
 * does; and where servers are, once they are known. 0, or -errno with why.
 */
int kube_reach_choose(struct cluster *);
int kube_reach_rights(struct cluster *);
int kube_reach_begin(struct cluster *);

/*
 * A server's pod was seen. is_other: it is another one than before, or
 * restarted.
 */
void kube_reach_pod(struct cluster *, unsigned node, bool is_other);

/* Do what is due for a server; is_ready: its pod is. */
void kube_reach_step(struct cluster *, unsigned node, bool is_ready);

/* End all forwards. */
void kube_reach_end(struct cluster *);

/* The address of a server's monitoring page, for kube_request(). */
void kube_reach_page(const struct cluster *, unsigned node, const char *page,
    char *out, size_t size);

#endif
