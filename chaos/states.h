/* SPDX-License-Identifier: ISC */
/*
 * What every server tells of the run's streams (/jsz: first and last sequence,
 * messages, bytes and subjects of its own store, and who leads) and of its
 * durable consumers (last delivery, ack floor, how many acks are awaited),
 * compared. Without load and
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
#define STATES_SILENT_NS  (10 * CLOCK_S) /* that do not answer for so long */
/* streams that are reported with the rows of all servers */
#define STATES_MAX 16

struct child;

/* A stream or consumer at a server. What is not of its kind is 0. */
struct state_row {
	uint64_t first, last, messages;
	bool has_it, leads;
	uint64_t bytes, subjects;
	uint64_t delivered, floor, ack_pending;
};

/*
 * True when the rows of n servers (of which peers, as bits, are replicas)
 * can't all be of one stream in one state: replicas that lack it or differ,
 * or two leaders. Without a leader nothing is known, so it is false.
 */
bool states_differ(const struct state_row *rows, unsigned n, unsigned peers);

/* A comparison that goes on. Zeroed: none does. */
struct states {
	uint64_t begin_ns;   /* 0: none goes on */
	uint64_t patient_ns; /* for servers that are silent, and for leaders */
	uint64_t asked_ns;   /* answers to earlier questions do not count */
	unsigned streams, differ, leaderless;
	struct {
		char name[80];
		/* it differed from then, and did so then, too */
		uint64_t since_ns, seen_ns;
		/* of a consumer, by its leader: it begins anew if they change
		 */
		uint64_t delivered, floor, ack_pending;
		bool is_seen; /* by the present comparison */
	} open[STATES_MAX];
	unsigned nopen;
};

/*
 * Begin a comparison, which waits for so long until every server tells its
 * state and every stream has a leader; one that differs has STATES_GIVE_UP_NS
 * if that is longer, for only lasting proves it. states_step() emits its result
 * (STATE, STATES_DIFFER, COMPARED).
 */
void states_begin(struct states *, uint64_t patience_ns);

/* Compare what is known, and emit the result once it is final. */
void states_step(struct states *, const struct cluster *, struct child *);

#endif
