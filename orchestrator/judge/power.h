/* SPDX-License-Identifier: ISC */
/*
 * What losses of power excuse, and of whole stores. A server that does not
 * sync every write loses with its power what it wrote since its last sync
 * (guarantees 1), so some of what was acknowledged is in doubt:
 *
 * - A minority of a stream's replicas lost their power: what was acknowledged
 *   since every replica was seen to be current. What is older was on all of
 *   them, and the majority still has it.
 * - More of them: what was acknowledged in the last two sync intervals. What is
 *   older is on every disk.
 *
 * And what was acknowledged, or read, in the 10 s behind that: it may have been
 * on its way. Nothing is in doubt of servers that sync always.
 *
 * A server whose store is wiped has lost all, synced or not: of a minority the
 * same is in doubt; of more replicas, which is the only one, everything. When
 * that takes its time (STORE_DOOMED), what comes meanwhile is in doubt, too.
 */
#ifndef CHECK_POWER_H
#define CHECK_POWER_H

#include "orchestrator/judge/ledger.h"
#include "orchestrator/judge/seqmap.h"
#include "proto/config.h"

#define POWER_RECENT 16 /* ticks that are remembered, a second each */
#define POWER_OLD    3	/* moments, a sync interval apart */

/* How far streams were acknowledged at some moments. */
struct power_stream {
	uint64_t recent[POWER_RECENT], old[POWER_OLD];
	struct seqmap doubt; /* sequences that may be gone */
	uint64_t upto;	     /* the highest that was looked at for that */
};

struct power {
	uint32_t always; /* bits of servers that sync every write */
	uint64_t interval_ns;
	uint64_t cuts; /* servers that lost something, each time */
	/* Those of the last fault: since then all were known to be current. */
	uint64_t whole_ns;
	unsigned together;
	bool is_wiped;	  /* the last of them lost all that it had */
	uint32_t doomed;  /* bits of servers that will lose all, some time */
	bool took_all;	  /* once more than a minority lost something */
	uint64_t late_ns; /* what comes until then is in doubt; 0: nothing */
	uint64_t recent_ns[POWER_RECENT], old_ns[POWER_OLD];
	struct power_stream *streams;
	uint32_t nstreams;
	bool no_memory; /* a stream could not be entered */
};

void power_init(struct power *);
void power_fini(struct power *);

/* Enter an event, after the ledger has. */
void power_event(struct power *, const struct event *, const struct ledger *,
    const struct run_config *);

/* May a server have lost something that it had not synced? */
bool power_was_cut(const struct power *);

/* May so many have, at once, that a stream or consumer is gone as a whole? */
bool power_took_all(const struct power *);

/* May this sequence of a stream be gone, though it was acknowledged? */
bool power_may_lack(const struct power *, uint32_t stream, uint64_t seq);

#endif
