/* SPDX-License-Identifier: ISC */
/*
 * What every server tells of the run's streams (/jsz: first and last sequence
 * and messages of its own store, and who leads), compared. Without load and
 * faults the replicas of a stream agree; those that do not are asked again
 * until they do or have differed for long (guarantees 13). Whether that
 * convicts is the orchestrator's to say.
 */
#ifndef CHAOS_STATES_H
#define CHAOS_STATES_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"

#define STATES_PERSIST_NS (60 * CLOCK_S) /* guarantees 13 */
#define STATES_GIVE_UP_NS (100 * CLOCK_S)
#define STATES_MAX	  16 /* streams that are told with all servers */

struct child;

/* A stream at a server. */
struct state_row {
	uint64_t first, last, messages;
	bool has_it, leads;
};

/*
 * True when the rows of n servers (of which peers, as bits, are replicas)
 * can't all be of one stream in one state: replicas that lack it or differ,
 * or two leaders. Without a leader nothing is known, so it is false.
 */
bool states_differ(const struct state_row *rows, unsigned n, unsigned peers);

/* Zeroed: nothing is wanted. */
struct states {
	uint64_t begin_ns; /* 0: nothing is wanted */
	uint64_t asked_ns; /* answers have to be younger */
	unsigned streams, differ, leaderless;
	struct {
		char name[80];
		uint64_t since_ns, seen_ns; /* differs from, at least to */
		bool is_seen;		    /* by the round that goes on */
	} open[STATES_MAX];
	unsigned nopen;
};

/* Begin; the answer (STATE, STATES_DIFFER, COMPARED) comes by steps. */
void states_begin(struct states *);

/* Look at what is known, and answer when it is enough. */
void states_step(struct states *, const struct cluster *, struct child *);

#endif
