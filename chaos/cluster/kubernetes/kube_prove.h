/* SPDX-License-Identifier: ISC */
/*
 * The proof that NetworkPolicies cut links on this cluster, before a run is
 * told that they can be cut; and the end of what an earlier run left cut.
 */
#ifndef CHAOS_KUBE_PROVE_H
#define CHAOS_KUBE_PROVE_H

#include "chaos/cluster/cluster.h"

/*
 * Begin the links of the run (kube_links.h); what an earlier run left in
 * force is taken away first, and said. 0 or -ENOMEM.
 */
int kube_prove_begin(struct cluster *);

/*
 * If the run's faults need it: cut a server off for some seconds, see it by
 * the servers' own words, and open its links again. 0, or -ENOTSUP with why
 * when nothing was cut. What is cut stays so until kube_links_restore() then.
 */
int kube_prove_cuts(struct cluster *);

#endif
