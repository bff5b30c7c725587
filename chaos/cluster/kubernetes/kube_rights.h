/* SPDX-License-Identifier: ISC */
/*
 * What RBAC allows natsburn: asked at the start, so that a run which would be
 * refused later is refused before anything is done.
 */
#ifndef CHAOS_KUBE_RIGHTS_H
#define CHAOS_KUBE_RIGHTS_H

#include <stdbool.h>

#include "chaos/cluster/cluster.h"

enum kube_right_index {
	RIGHT_LIST_PODS,
	RIGHT_WATCH_PODS,
	RIGHT_LIST_SETS,
	RIGHT_WATCH_SETS,
	RIGHT_PATCH_SETS,
	RIGHT_DELETE_PODS,
	RIGHT_CREATE_EXEC,
	RIGHT_GET_EXEC,
	RIGHT_FORWARD,
	RIGHT_PROXY,
	RIGHT_LIST_BUDGETS,
	RIGHT_WATCH_BUDGETS,
	RIGHT_GET_CONFIG,
	RIGHT_PATCH_CONFIG,
	RIGHT_LIST_POLICIES,
	RIGHT_CREATE_POLICIES,
	RIGHT_DELETE_POLICIES,
	RIGHT_PATCH_PODS,
	RIGHT_GET_LOG,
	RIGHT_GET_CLAIMS,
	RIGHT_DELETE_CLAIMS,
	RIGHTS
};
#define BIT(r) (1U << (r))
#define RIGHTS_ALWAYS                                                          \
	(BIT(RIGHT_LIST_PODS) | BIT(RIGHT_WATCH_PODS) | BIT(RIGHT_LIST_SETS) | \
	    BIT(RIGHT_WATCH_SETS))
#define RIGHTS_EXEC    (BIT(RIGHT_CREATE_EXEC) | BIT(RIGHT_GET_EXEC))
#define RIGHTS_BUDGETS (BIT(RIGHT_LIST_BUDGETS) | BIT(RIGHT_WATCH_BUDGETS))
#define RIGHTS_CONFIG  (BIT(RIGHT_GET_CONFIG) | BIT(RIGHT_PATCH_CONFIG))
#define RIGHTS_POLICIES                                                        \
	(BIT(RIGHT_LIST_POLICIES) | BIT(RIGHT_CREATE_POLICIES) |               \
	    BIT(RIGHT_DELETE_POLICIES) | BIT(RIGHT_PATCH_PODS))
#define RIGHTS_STORE                                                           \
	(BIT(RIGHT_GET_LOG) | BIT(RIGHT_GET_CLAIMS) | BIT(RIGHT_DELETE_CLAIMS))

/* Do we have all of these rights (bits)? */
bool kube_rights_have(const struct cluster *, unsigned rights);

/*
 * Refuse what RBAC will refuse: 0, or -ENOTSUP with why, which says that what
 * can't be done, and which of these rights (bits) are lacking.
 */
int kube_rights_refuse(struct cluster *, const char *what, unsigned need);

/*
 * The steps of the way up: ask for what is needed to look at anything; then,
 * when the names of things are known, for the rest. 0, or -errno with why.
 */
int kube_rights_first(struct cluster *);
int kube_rights_all(struct cluster *);

/* Refuse those of the run's faults that RBAC will refuse. 0 or -ENOTSUP. */
int kube_rights_faults(struct cluster *);

#endif
