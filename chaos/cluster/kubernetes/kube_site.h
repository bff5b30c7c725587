/* SPDX-License-Identifier: ISC */
/*
 * The Kubernetes API as the driver asks it: a question with its answer waited
 * for, what a refusal says, and how the StatefulSet is found. What waits is
 * for the start and the end of a run only.
 */
#ifndef CHAOS_KUBE_SITE_H
#define CHAOS_KUBE_SITE_H

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube.h"

/*
 * Ask and wait. The HTTP status or -errno; *body (may be NULL) is the
 * caller's to free.
 */
int kube_site_ask(struct cluster *, struct kube_ask *, char **body);

/* Set why: what could not be done, in the API's own words. */
void kube_site_explain(
    struct cluster *, const char *what, int status, const char *body);

/*
 * What was asked for these servers (bits) was refused: their faults have no
 * effect to wait for.
 */
void kube_site_refused(
    struct cluster *, unsigned nodes, int status, const char *body);

/*
 * The steps of the way up, in this order: the namespace, as kubectl knows it;
 * the API answers; the StatefulSet is found; it suits this run, and its pods
 * are the cluster's servers from now on. 0, or -errno with why; -ENOTSUP when
 * one of the run's faults can't be done to it.
 */
int kube_site_namespace(struct cluster *);
int kube_site_open(struct cluster *);
int kube_site_find(struct cluster *);
int kube_site_take(struct cluster *);

#endif
