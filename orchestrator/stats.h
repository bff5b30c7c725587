/* SPDX-License-Identifier: ISC */
/*
 * Figures of a history: counts, latencies, stalls, faults, servers. Fed
 * with the same events as the judge, just before it, so a recorded run has
 * the same figures as the live one. Judges nothing.
 */
#ifndef ORCHESTRATOR_STATS_H
#define ORCHESTRATOR_STATS_H

#include <stdbool.h>

#include "orchestrator/check/ledger.h"
#include "proto/base/hist.h"
#include "proto/config.h"
#include "proto/message.h"

#define STATS_FAULTS_MAX 1000 /* rows kept for the report */

struct stats_fault {
	uint32_t fault;
	char mode[32], target[32];
	uint64_t planned_ns;			/* offset in the schedule */
	uint64_t due_ns, applied_ns, healed_ns; /* times, 0: not yet */
	bool applied, healed;
	char applied_how[96], healed_how[96];
};

struct stats_server {
	char name[32], version[32];
};

struct stats {
	uint64_t first_ns, last_ns;    /* of the history */
	uint64_t load_ns, load_end_ns; /* phases quiet and drain begin */
	uint64_t mayhem_ns;	       /* phase mayhem begins */
	int64_t wall_ns;
	uint64_t events;
	uint64_t publish_ok, publish_fail, publish_unknown, publish_retries;
	uint64_t behind; /* most messages that a publisher's rate lacked */
	uint64_t deliver, redeliver, ack_ok, ack_unknown;
	uint64_t scanned, absent;
	uint64_t reads, updates, rejected; /* of keys */
	uint64_t streams_added, streams_removed, listings;
	uint64_t rounds;
	uint64_t last_round_ns, longest_stall_ns;
	struct hist publish, consume, round; /* nanoseconds */
	struct stats_fault *faults;
	size_t nfaults, faults_room;
	uint64_t faults_omitted;
	struct stats_server servers[CONFIG_NODES_MAX];
	char library[32];
	uint64_t workers_died, gaps;
	char phase[16];
	char fault_now[80]; /* for the progress line */
};

void stats_init(struct stats *);
void stats_fini(struct stats *);

/* Count an event that the ledger has not entered yet. */
void stats_event(struct stats *, const struct ledger *, const struct event *);

#endif
