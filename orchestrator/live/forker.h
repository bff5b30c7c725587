/* SPDX-License-Identifier: ISC */
/*
 * The template that forks the workers (proto/base/template.h), seen from the
 * orchestrator: who was asked for, in which order, and since when nothing was
 * heard. Nothing here waits.
 */
#ifndef ORCHESTRATOR_FORKER_H
#define ORCHESTRATOR_FORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/template.h"

#define FORKER_ASKED_MAX 32 /* at a time: each keeps descriptors under way */

struct child_slot;

struct forker {
	pid_t pid;   /* of the template; 0 none, or reaped */
	int fd;	     /* -1: there is none to ask */
	bool failed; /* for good: everybody is started by himself */
	struct child_slot *asked[FORKER_ASKED_MAX]; /* in order */
	unsigned n;
	uint64_t heard_ns; /* the last answer, or when one was first asked */
};

void forker_init(struct forker *);

/* False while nobody more can be asked for. */
bool forker_has_room(const struct forker *);

/* Start a template when there is none (fd is -1): 0 or -errno. */
int forker_start(struct forker *);

/* Ask it for a slot's process, at now_ns: 0 or -errno. */
int forker_ask(struct forker *, const struct spawn_request *,
    struct child_slot *, uint64_t now_ns);

/*
 * The answer about the first that was asked for, which the caller then takes
 * back: 0 and *pid, which is -errno when there was no fork; -EAGAIN: there is
 * none yet; other -errno: there will be none.
 */
int forker_answer(struct forker *, uint64_t now_ns, pid_t *pid);

/* True when it owes an answer for longer than a slow host explains. */
bool forker_is_late(const struct forker *, uint64_t now_ns);

/* The first that was asked for is waited for no more; NULL: there is none. */
struct child_slot *forker_take_back(struct forker *);

/* End the template. Whoever reaps it says so by pid = 0. */
void forker_end(struct forker *);

#endif
