/* SPDX-License-Identifier: ISC */
/*
 * A command run in a container, over a WebSocket on libcurl's own
 * connection (v5.channel.k8s.io, or v4 with older API servers). Nothing
 * blocks: kube_exec_step() takes in what came.
 */
#ifndef CHAOS_KUBE_EXEC_H
#define CHAOS_KUBE_EXEC_H

#include "chaos/cluster/kubernetes/kube.h"

#define KUBE_OUTPUT_MAX 4096 /* of a command; more is dropped */

struct kube_exec;

struct kube_command {
	const char *ns, *pod, *container;
	const char *const *argv; /* NULL-terminated */
	uint64_t timeout_ns;
};

/* Begin. NULL with errno. */
struct kube_exec *kube_exec_create(struct kube *, const struct kube_command *);

/* Also ends the connection; the command may run on in its container. */
void kube_exec_destroy(struct kube_exec *);

/* True once it is over. */
bool kube_exec_step(struct kube_exec *);

/*
 * When over: the command's exit code, or -errno when it could not be run or
 * the connection broke (-EACCES: the API refused).
 */
int kube_exec_code(const struct kube_exec *);

/* What it wrote to stdout and stderr so far, or why it could not be run. */
const char *kube_exec_output(const struct kube_exec *);

#endif
