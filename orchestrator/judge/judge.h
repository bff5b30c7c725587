/* SPDX-License-Identifier: ISC */
/*
 * The judge feeds one history to the ledger and to every check, keeps the
 * anomalies and says the verdict. The live run and "natsburn check" use the
 * same judge on the same events, so they can't disagree.
 */
#ifndef CHECK_JUDGE_H
#define CHECK_JUDGE_H

#include "orchestrator/judge/check.h"

#define JUDGE_KEEP    16 /* anomalies of one kind and class kept whole */
#define JUDGE_REASONS 16
#define JUDGE_NOTES   6
/* Time for reading in the audit that is worth a line. */
#define JUDGE_READING_NS UINT64_C(10000000000)

enum verdict {
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_INCONCLUSIVE,
	VERDICT_SKIPPED,
	VERDICT_COUNT
};

/* Exit codes, a contract with scripts: see docs/verdicts.md. */
enum exit_code {
	EXIT_PASS = 0,
	EXIT_VIOLATION = 1,
	EXIT_INCONCLUSIVE = 2,
	EXIT_SKIPPED = 3,
	EXIT_LIMIT = 4, /* a pass, beyond a --limit */
	EXIT_USAGE = 64,
	EXIT_CLUSTER = 69,
	EXIT_HARNESS = 70,
	EXIT_KILLED = 130
};

struct judge_result {
	enum verdict verdict;
	enum exit_code exit_code;
	unsigned nreasons;
	char reasons[JUDGE_REASONS][256]; /* why it isn't a pass */
	/* What a reader has to know of what was judged, whatever was found. */
	unsigned nnotes;
	char notes[JUDGE_NOTES][256];
	/* True when checks that found nothing have seen all they need. */
	bool is_whole;
};

typedef void judge_notice(void *arg, const struct anomaly *);

/* notice is called for each anomaly as it is raised; may be NULL. */
struct judge *judge_create(judge_notice *notice, void *arg);
void judge_destroy(struct judge *);

/*
 * The next event of the history. 0, or -ENOMEM: the judge then no longer
 * knows everything. It says so in its result, and convicts no more.
 */
int judge_event(struct judge *, const struct event *);

/*
 * What happened after since_ns is not to be trusted, for this reason: events
 * are missing or changed. No check sees what follows or finishes, what was
 * raised after that time is a warning, and the verdict is the harness's unless
 * a violation stands.
 */
void judge_distrust(struct judge *, uint64_t since_ns, const char *why);

/* The history was cut off: whatever it said, it has not come to its end. */
void judge_cut(struct judge *);

/* The same, when memory ran out elsewhere and the history lacks something. */
void judge_forget(struct judge *);

/* The history is over; further events are not allowed. */
void judge_finish(struct judge *, struct judge_result *);

/*
 * What can be said while the history goes on: fail, or inconclusive for now.
 * Changes nothing.
 */
void judge_look(const struct judge *, struct judge_result *);

/* True when an open or UNKNOWN operation needs this earlier event. */
bool judge_needs(const struct judge *, const struct event *);

/*
 * Of the time that an operation used until to_ns, what the host had time for.
 * If it is late but for that, the run is inconclusive.
 */
uint64_t judge_used(const struct check *, const struct check_time *,
    uint64_t used_ns, uint64_t to_ns);

/* True when the history says that the run came to its end. */
bool judge_saw_end(const struct judge *);

/*
 * True when an operation succeeded after the last fault during which none can
 * be counted on, and when there was no such fault or nothing operates.
 */
bool judge_worked_since_idle(const struct judge *);

/* Anomalies raised so far, by kind and class. */
uint64_t judge_count(
    const struct judge *, enum anomaly_kind, enum anomaly_class);

/* The same of one check, by class. */
uint64_t judge_check_count(
    const struct judge *, const struct check_ops *, enum anomaly_class);

/* How many things this check has judged, of its unit. */
uint64_t judge_check_judged(const struct judge *, const struct check_ops *);

/* The i-th anomaly kept (at most JUDGE_KEEP a kind and class), or NULL. */
const struct anomaly *judge_anomaly(const struct judge *, size_t i);

/* What the history has shown so far; borrowed. */
const struct ledger *judge_ledger(const struct judge *);
const struct contents *judge_contents(const struct judge *);
const struct faults *judge_faults(const struct judge *);
const struct run_config *judge_config(const struct judge *);

const char *verdict_name(enum verdict);

#endif
