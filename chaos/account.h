/* SPDX-License-Identifier: ISC */
/*
 * The system account of somebody else's servers: requests that only it may
 * make (admin.h) need a login that the user gives.
 */
#ifndef CHAOS_ACCOUNT_H
#define CHAOS_ACCOUNT_H

#include <stdbool.h>

#include "chaos/cluster/cluster.h"

/* Does the configuration name a user of the system account? */
bool account_is_given(const struct run_config *);

/*
 * Make cluster->admin with the logins of its configuration, if it has none.
 * 0 or -ENOMEM.
 */
int account_open(struct cluster *);

/*
 * Wait until some server takes the login of the system account, 2 s a server
 * at most. 0 (also without an admin), or -EACCES with why: better said at the
 * start than by faults that don't happen.
 */
int account_try(struct cluster *);

#endif
