/* SPDX-License-Identifier: ISC */
/*
 * How containers end: what Kubernetes says of it, and the last words of the
 * server, which are in the log of the container before. The log is asked for
 * and comes later; then the end is told, if it is of note.
 */
#ifndef CHAOS_KUBE_END_H
#define CHAOS_KUBE_END_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube_object.h"

/* Of one server: the end whose log is asked for. */
struct kube_end {
	struct cluster *cluster;
	unsigned node;
	bool is_asking, was_told;
	struct kube_exit exit;
};

/*
 * The container of this pod was restarted. was_told: it ended as it was told
 * to, so that only a crash is of note.
 */
void kube_end_restarted(
    struct cluster *, unsigned node, const struct kube_pod *, bool was_told);

/* Its pod went though nobody of ours told it to: its log went with it. */
void kube_end_gone(struct cluster *, unsigned node);

#endif
