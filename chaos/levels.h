/* SPDX-License-Identifier: ISC */
/*
 * What each server holds (memory, goroutines, files, subscriptions,
 * connections), told as it changes: for whoever looks for leaks.
 */
#ifndef CHAOS_LEVELS_H
#define CHAOS_LEVELS_H

#include "chaos/cluster/cluster.h"

struct child;

struct levels_teller {
	/* of each server, when what was told last was asked for */
	uint64_t asked_ns[CONFIG_NODES_MAX];
};

/* Tell what is new, of each server once a second at the most. */
void levels_step(struct levels_teller *, struct cluster *, struct child *);

#endif
