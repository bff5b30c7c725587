/* SPDX-License-Identifier: ISC */
/*
 * Changes of the StatefulSet itself. What is to be put back stands in an
 * annotation that is set by the same request as the change, so that there is
 * never the one without the other.
 */
#ifndef CHAOS_KUBE_SET_H
#define CHAOS_KUBE_SET_H

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube.h"

/*
 * Begin to change it: restart its pods, with this image if it is another one;
 * or have so many of them. done as of kube_request(). 0 or -errno.
 */
int kube_set_roll(struct cluster *, const char *image, kube_done *done);
int kube_set_scale(struct cluster *, unsigned count, kube_done *done);

/*
 * Put it back: what an earlier run left, by its annotations, at the start; or
 * what we changed, at the end.
 */
void kube_set_look(struct cluster *);
void kube_set_restore(struct cluster *);

#endif
