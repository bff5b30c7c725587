/* SPDX-License-Identifier: ISC */
/*
 * The configuration of a server of the run: what natsburn must own, and the
 * rest of the user's file (--server-conf). docs/servers.md says what is
 * whose; the tables in conf_merge.c are its source.
 */
#ifndef LOCAL_CONF_MERGE_H
#define LOCAL_CONF_MERGE_H

#include "chaos/cluster/local/conf.h"
#include "proto/config.h"
#include "proto/topology.h"

#define CONF_NAME_MAX 48 /* of an account or a user of natsburn's */

/* A file, without what is overruled, and what has become of it. */
struct conf_merge {
	struct conf *c;
	/* Accounts come from JWTs: natsburn can't have users of its own. */
	const struct conf_node *operator;
	const char *resolver_dir;     /* where the user's JWTs are, or NULL */
	struct conf_node *ocsp_cache; /* or NULL */
	char system_account[CONF_NAME_MAX]; /* empty: as it is */
	char system_user[CONF_NAME_MAX];
	char account[CONF_NAME_MAX], user[CONF_NAME_MAX]; /* of the load */
	uint64_t max_connections; /* where the reload mark begins */
	/* Told once for each key that is overruled; NULL: nobody listens. */
	void (*say)(void *arg, const char *text);
	void *arg;
	const char *system_password; /* of system_user */
	/* What the run says of its stores; NULL or empty: it says nothing. */
	const char *cipher, *key, *sync;
};

/* What differs from server to server. */
struct conf_server {
	const char *name, *dir; /* its folder, absolute */
	uint16_t client, http, route, advertise;
	uint16_t profile;    /* 0: no such port */
	uint16_t remote;     /* for gateways or leaf nodes; 0: none */
	const char *cluster; /* how the names of its clusters begin */
	const struct topology *topology;
	const uint16_t *fronts;	 /* of the routes to each server, from 1 */
	const uint16_t *remotes; /* likewise for gateways or leaf nodes */
	unsigned node;
	uint64_t max_connections;
	bool is_tagged; /* it has a tag "not-N" for each other server N */
};

/*
 * Read path, or nothing when it is empty, and take out what a run must own.
 * 0, or -errno with a sentence in m->c->why (m->c is NULL without memory).
 * m->say, m->arg, m->system_password, and m->cipher, m->key and m->sync (see
 * conf_merge_stores()) are set before; all else is zero.
 * The caller calls conf_merge_fini() in any case.
 */
int conf_merge_read(struct conf_merge *m, const char *path, unsigned servers);

/*
 * Before that: stores are encrypted (--encryption) with that key, and synced
 * (--sync) as the run wants it. m borrows what c and key hold.
 */
void conf_merge_stores(
    struct conf_merge *m, const struct run_config *c, const char *key);

/* The second half of it: m->c was read by somebody else. */
int conf_merge_take(struct conf_merge *m, unsigned servers);

void conf_merge_fini(struct conf_merge *);

/* Append the configuration of a server to out: as conf_write(). */
int conf_merge_write(
    struct conf_merge *, const struct conf_server *, struct buf *out);

/*
 * Copy what a new server must find in its folder: the JWTs of a resolver's.
 * 0 or -errno.
 */
int conf_merge_copy(const struct conf_merge *, const char *dir);

/*
 * A server's words about a line of path, its configuration: name the place in
 * the user's file instead, where it has one.
 */
void conf_merge_explain(const char *path, char *text, size_t size);

/*
 * May a run be made with its --server-conf and --sync? 0, or -EINVAL with a
 * sentence in why.
 */
int conf_merge_check(const struct run_config *, char *why, size_t size);

#endif
