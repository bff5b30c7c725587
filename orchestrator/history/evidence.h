/* SPDX-License-Identifier: ISC */
/*
 * The events that show an anomaly: those of the journal that carry one of
 * its keys (message id, stream sequence, fault), and what else was in force.
 * One pass over the journal serves all anomalies of a report.
 */
#ifndef ORCHESTRATOR_EVIDENCE_H
#define ORCHESTRATOR_EVIDENCE_H

#include <cjson/cJSON.h>

#include "orchestrator/judge/judge.h"
#include "proto/journal.h"

#define EVIDENCE_EVENTS_MAX 32 /* of one anomaly: the first 16, the last 16 */

/* What was found for one anomaly. */
struct evidence {
	cJSON *events; /* JSON array to append to; the caller's */
	uint64_t omitted;
	uint64_t first_ns, last_ns; /* 0: no events */
};

/*
 * Append to found[i] the events of the judge's i-th anomaly, n of them, as
 * objects; of the journal of a run folder, or of one that is open. 0 or its
 * -errno, -EIO when it is damaged.
 */
int evidence_collect(
    const struct judge *, const char *run_dir, struct evidence *, size_t n);
int evidence_read(
    const struct judge *, struct journal_reader *, struct evidence *, size_t n);

/*
 * Most events have nothing to do with any anomaly. A bitmap of the anomalies'
 * keys tells this fast; only events that it lets pass are compared with each
 * anomaly.
 */
#define EVIDENCE_SIEVE_BITS 16

struct evidence_sieve {
	uint64_t bits[(1U << EVIDENCE_SIEVE_BITS) / 64];
};

void evidence_sieve_fill(struct evidence_sieve *, const struct judge *);
bool evidence_sieve_passes(const struct evidence_sieve *, const struct event *);

/* True when an event carries a key of an anomaly of the judge's. */
bool evidence_bears_on(
    const struct judge *, const struct event *, const struct anomaly *);

/* True when it tells how the run went: class FRAME, and warnings. */
bool evidence_is_frame(const struct event *);

/*
 * True when it carries a key of an anomaly, or is from 10 s before to 2 s
 * after one. The sieve is that of the judge's anomalies.
 */
bool evidence_is_around(
    const struct judge *, const struct evidence_sieve *, const struct event *);

/* An event as a JSON object, or NULL without memory. */
cJSON *evidence_event(const struct event *, uint64_t start_ns);

#endif
