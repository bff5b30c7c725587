/* SPDX-License-Identifier: ISC */
/*
 * What a cluster refuses for good: there is no JetStream, the account's
 * limits are reached, the user may not do it. Trying again does not help, and
 * the user wants to know why.
 */
#ifndef WORKER_DENIAL_H
#define WORKER_DENIAL_H

#include "worker/internal.h"

/*
 * Ask after a request of the setup that failed, which session_note() or
 * session_outcome() has noted; begun_ns is when it was tried first. True when
 * it was refused for good, for longer than such a refusal may take to pass by
 * itself. Always false in other processes than the setup.
 */
bool denial_is_final(const struct worker *, uint64_t begun_ns);

/* What the user may not do, in the server's words, or NULL. */
const char *denial_permission(const struct worker *);

/*
 * Ask after a step of the load. 0, or -EACCES when the user may not publish
 * something, an ack or a request for example, which the test needs and would
 * wait for in vain: session.refusal has it. What may not be subscribed to is
 * no matter: some of it is only nice to know.
 */
int denial_look(struct worker *);

/*
 * Say in session.refusal what could not be done ("cannot create stream x"),
 * and why in the server's own words. Returns -EACCES, with which the process
 * ends: the run then ends with that reason.
 */
int denial_say(struct worker *, const char *what);

#endif
