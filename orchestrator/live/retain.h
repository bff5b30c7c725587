/* SPDX-License-Identifier: ISC */
/*
 * Keeps the journal of a long run near a size (--journal-keep): when it
 * grows beyond it, the oldest whole segment is written anew without the
 * events that nobody needs, and a note in their place says how many they
 * were. It never drops what tells how the run went (phases, faults,
 * leaders, processes), what bears on an anomaly or stands around it, and
 * what an open or UNKNOWN operation needs; so the journal may stay larger.
 *
 * The judge has all of it in its state already: the verdict of the run is
 * the same. Only judging it again from the folder is not possible any more.
 */
#ifndef ORCHESTRATOR_RETAIN_H
#define ORCHESTRATOR_RETAIN_H

#include "orchestrator/history/evidence.h"
#include "orchestrator/history/history.h"
#include "orchestrator/history/hole.h"

struct retain {
	uint64_t keep;	   /* bytes; 0: everything */
	uint64_t finished; /* bytes of all segments but the last */
	unsigned nfinished;
	unsigned next; /* oldest segment that is whole */
	bool is_active, has_failed;
	uint64_t had;	 /* bytes of the segment that is written anew */
	uint64_t events; /* of the history, at the last call */
	struct journal_reader in;
	struct journal_writer out;
	struct hole hole; /* what was left out since the last event kept */
	struct dropped dropped; /* of this segment */
	struct evidence_sieve sieve;
	uint64_t anomalies; /* that the sieve was made for */
};

/* Begin; lowers the segments' size so that there is something to drop. */
void retain_init(struct retain *, struct journal_writer *, uint64_t keep);

/*
 * Do a bounded piece of what is to be done: about a millisecond, or twice
 * the events that came since the last call. 0, or once the -errno for which
 * it gives up: the journal then just grows.
 */
int retain_poll(struct retain *, struct history *);

/*
 * True when an event is always kept: it tells how the run went, or what
 * holds for all of it.
 */
bool retain_is_frame(const struct event *);

/* Bytes of the journal on disk. */
uint64_t retain_bytes(const struct retain *, const struct journal_writer *);

/* Leave off: an unfinished segment stays as it was. */
void retain_fini(struct retain *);

#endif
