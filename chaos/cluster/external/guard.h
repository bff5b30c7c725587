/* SPDX-License-Identifier: ISC */
/*
 * The guard: a process that outlives natsburn for a moment. It is told which
 * processes of others are about to be stopped, before they are; and when
 * nobody can tell it anything any more, however that came, it continues those
 * that were not continued, and ends.
 */
#ifndef CHAOS_EXTERNAL_GUARD_H
#define CHAOS_EXTERNAL_GUARD_H

#include <stdbool.h>

#include "chaos/cluster/external/process.h"

struct guard {
	pid_t pid; /* 0: it does not run */
	int down, up;
};

/* Start it, and wait until it stands, 10 s at most. 0 or -errno. */
int guard_start(struct guard *);

/* From now on, or no longer: this process is stopped. 0 or -errno. */
int guard_note(struct guard *, const struct process *, bool is_stopped);

/* False when it has ended, or never ran. */
bool guard_runs(const struct guard *);

/* It continues what is still stopped, and ends. Safe when it never ran. */
void guard_stop(struct guard *);

#endif
