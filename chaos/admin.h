/* SPDX-License-Identifier: ISC */
/*
 * Requests to the servers themselves: leaders asked to step down, peers
 * removed, who is reachable from where. One request at a time, each with
 * its own connection, which stays open for the next one to the same server
 * and account. Nothing waits but connecting, and that only for a moment and
 * only to servers that answer their monitoring.
 */
#ifndef CHAOS_ADMIN_H
#define CHAOS_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"

struct admin;

enum admin_account {
	ADMIN_SYSTEM, /* the system account */
	ADMIN_USER,   /* the account of the run's streams */
};

/*
 * NULL without memory. The texts of the logins must outlive it; the cluster's
 * urls are used as they are at the time of a request, with TLS as its
 * configuration says.
 */
struct admin *admin_create(struct cluster *, const struct config_login *system,
    const struct config_login *user);
void admin_destroy(struct admin *);

/* Another one with the same logins and a connection of its own, or NULL. */
struct admin *admin_copy(const struct admin *);

/*
 * Send a request through a server (from 1), or through any that is healthy
 * (0). 0; -EBUSY while another one is open, -ENOTCONN when the server can't
 * be reached, -EINVAL without a login. The answer is taken by admin_poll().
 */
int admin_request(struct admin *, enum admin_account, unsigned node,
    const char *subject, const char *body);

/*
 * The next answer to the open request: its length, with its text in out
 * (cut to size, with a NUL), or -EAGAIN while none is there, or -ENOTCONN
 * when the connection was lost.
 */
int admin_poll(struct admin *, char *out, size_t size);

/*
 * For a request that is answered in many parts. admin_parts() connects, to any
 * server that is healthy, and says where those of the next request have to be
 * sent: borrowed, good until another connection is made; NULL without one.
 * admin_take() gives the next of them, or the answer itself, to sink, and tells
 * the server that a part has come: 0, -EAGAIN while nothing is there,
 * -ENOTCONN. A part without bytes is the last one; status is what its header
 * says, or "".
 */
typedef void admin_sink(
    void *arg, bool is_part, const void *data, size_t len, const char *status);
const char *admin_parts(struct admin *, enum admin_account);
int admin_take(struct admin *, admin_sink *, void *arg);

/*
 * Hear in the account of the run's streams which of them have another leader,
 * or in the system account that the meta group has, through any server that is
 * healthy; it takes a connection, which may be there already. 0; -ENOTCONN when
 * none can be reached, -EINVAL without a login. Then the subject of one that
 * has come since, or false.
 */
int admin_listen(struct admin *, enum admin_account);
bool admin_heard(struct admin *, char *subject, size_t size);

/* The request is over: late answers are dropped. */
void admin_done(struct admin *);

#endif
