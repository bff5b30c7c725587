/* SPDX-License-Identifier: ISC */
/*
 * The system account of somebody else's servers: requests that only it may
 * make (admin.h) need a login that the user gives.
 */
#ifndef CHAOS_ACCOUNT_H
#define CHAOS_ACCOUNT_H

#include <stdbool.h>

#include "chaos/cluster/cluster.h"

/* The options that say how to log in, for cluster_ops.options. */
#define ACCOUNT_OPTIONS                                                        \
	"url", "user", "password", "token", "nkey", "creds", "sys-user",       \
	    "sys-password", "sys-nkey", "sys-creds", "tls-ca", "tls-cert",     \
	    "tls-key", "tls-hostname", "tls", "tls-first", "user-jwt",         \
	    "js-domain", "js-prefix", "inbox-prefix"

/* Does the configuration name a user of the system account? */
bool account_is_given(const struct run_config *);

/*
 * Make cluster->admin with the logins of its configuration, if it has none.
 * 0 or -ENOMEM.
 */
int account_open(struct cluster *);

/*
 * Wait until some server takes the login of the system account, 2 s a server at
 * most. 0 (also without such a login), or -EACCES with why. A wrong login is
 * said at the start, for later it would only be seen as faults that don't
 * happen.
 */
int account_try(struct cluster *);

#endif
