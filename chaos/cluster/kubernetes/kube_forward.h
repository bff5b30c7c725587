/* SPDX-License-Identifier: ISC */
/*
 * "kubectl port-forward" to the ports of a pod, kept alive: its local ports
 * stay the same when it is started again, because the pod was replaced or
 * because it ended.
 */
#ifndef CHAOS_KUBE_FORWARD_H
#define CHAOS_KUBE_FORWARD_H

#include "chaos/cluster/kubernetes/kube.h"
#include "proto/config.h"

struct kube_forward {
	struct kube *kube;
	char ns[KUBE_NAME_MAX], pod[KUBE_NAME_MAX];
	char log[CONFIG_PATH_MAX + 128];
	unsigned ports[2], local[2]; /* in the pod; here, 0: not yet known */
	pid_t pid;
	uint64_t next_ns;
};

/* To two ports of a pod. Nothing is started before kube_forward_step(). */
void kube_forward_init(struct kube_forward *, struct kube *, const char *dir,
    const char *ns, const char *pod);
void kube_forward_fini(struct kube_forward *);

/* Do what is due: start it when it should run and doesn't. */
void kube_forward_step(struct kube_forward *, bool should_run);

/* The pod is another one now: connect anew. */
void kube_forward_renew(struct kube_forward *);

/* True once the local ports are known. */
bool kube_forward_is_open(const struct kube_forward *);

/* The local port of a line that kubectl writes, 0 if it tells none. */
unsigned kube_forward_port(const char *line, unsigned port);

#endif
