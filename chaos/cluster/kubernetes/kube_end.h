/* SPDX-License-Identifier: ISC */
/*
 * How containers end: what Kubernetes says of it, and the last words of the
 * server, which are in the log of the container before. A kubelet has that
 * log some time after it has told the restart, so it is asked for again and
 * again; when it came, or does not come, the end is told, if it is of note.
 */
#ifndef CHAOS_KUBE_END_H
#define CHAOS_KUBE_END_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube_object.h"

/* Of one server: the end whose log is wanted. */
struct kube_end {
	struct cluster *cluster;
	unsigned node;
	bool is_wanted, is_asking, was_told;
	unsigned tries;
	uint64_t next_ns;
	struct kube_exit exit;
};

/*
 * The container of this pod was restarted. was_told: it ended as it was told
 * to, so that only a crash is of note.
 */
void kube_end_restarted(
    struct cluster *, unsigned node, const struct kube_pod *, bool was_told);

/* Do what is due. */
void kube_end_step(struct cluster *);

/* Its pod went though nobody of ours told it to: its log went with it. */
void kube_end_gone(struct cluster *, unsigned node);

#endif
