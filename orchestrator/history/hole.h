/* SPDX-License-Identifier: ISC */
/*
 * A place in a copy of a journal where events were left out: an event DROPPED
 * stands there, so that the copy itself says what it lacks. Plain data.
 */
#ifndef ORCHESTRATOR_HOLE_H
#define ORCHESTRATOR_HOLE_H

#include "proto/journal.h"

struct hole {
	struct event note; /* how many since the last event that was kept */
};

void hole_init(struct hole *);

/* This event is left out. */
void hole_add(struct hole *, const struct event *);

/* An event is kept: the note goes before it, if there is one. 0 or -errno. */
int hole_put(struct hole *, struct journal_writer *);

#endif
