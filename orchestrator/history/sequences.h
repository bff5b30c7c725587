/* SPDX-License-Identifier: ISC */
/*
 * Whether a history is whole: each source numbers its events 1, 2, 3... in
 * each of its incarnations, and the parent says at a child's end how many
 * there were. An event that does not follow so from those before it shows that
 * events are missing, stand twice or were moved.
 *
 * CHILD_EXIT comes behind all that the child sent, because it is stamped after
 * the child's end was seen, and the merge releases in the order of time.
 */
#ifndef ORCHESTRATOR_SEQUENCES_H
#define ORCHESTRATOR_SEQUENCES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/message.h"

struct sequences_source {
	uint32_t incarnation; /* 0: nothing was heard of it */
	uint64_t seq, time_ns;
};

struct sequences {
	struct sequences_source *sources;
	uint32_t n;
	uint64_t missing,
	    dropped;	/* events that lack; that DROPPED stands for */
	bool has_beats; /* heartbeats took numbers: journals of old */
};

void sequences_init(struct sequences *);
void sequences_fini(struct sequences *);

/*
 * True when this event follows. False when it does not, or without memory to
 * tell; the others are then not to be asked any more.
 */
bool sequences_take(struct sequences *, const struct event *);

/* Since when the event that was taken last leaves events in doubt. */
uint64_t sequences_since(const struct sequences *, const struct event *);

/* When this source was heard last; 0 when it never was. */
uint64_t sequences_heard(const struct sequences *, uint32_t source);

/* In words, why the event that was taken last does not follow. */
void sequences_why(
    const struct sequences *, const struct event *, char *out, size_t size);

#endif
