/* SPDX-License-Identifier: ISC */
/*
 * A live run: children, merge, history, and the phases that lead through
 * it. One thread, one poll loop (run_execute).
 */
#ifndef ORCHESTRATOR_RUN_H
#define ORCHESTRATOR_RUN_H

#include "orchestrator/history/history.h"
#include "orchestrator/live/children.h"
#include "orchestrator/live/host.h"
#include "orchestrator/live/merge.h"
#include "orchestrator/live/metrics.h"
#include "orchestrator/live/phase_name.h"
#include "orchestrator/live/progress.h"
#include "orchestrator/live/retain.h"
#include "proto/base/clock.h"
#include "worker/worker.h"

/* As good as for ever: until it is interrupted. */
#define RUN_FOREVER_NS (3650 * 86400 * CLOCK_S)

/* What the parent knows of a worker from raw arrivals. */
struct run_worker {
	bool is_load; /* one of the workload's roles */
	bool produces;
	uint32_t index;	  /* which of its role, from 0 */
	uint64_t counter; /* highest counter it invoked */
	uint64_t acking;  /* message whose ack it has open, 0 none */
};

struct run {
	struct run_config config;
	const struct workload_ops *workload;
	char dir[CONFIG_PATH_MAX];
	struct children *children;
	struct merge *merge;
	struct history history;
	struct journal_writer journal;
	struct retain retain;
	struct progress progress;
	struct metrics *metrics;		     /* NULL: not asked for */
	struct run_worker workers[CHILDREN_MAX + 1]; /* by source */
	uint32_t nworkers;
	struct child_slot *chaos, *setup, *audit, *cleaner;
	unsigned audits; /* audit processes tried */
	uint64_t end_ns; /* when all is to be over, by children_time() */
	struct msg_audit_limit limit; /* of the audit, from its beginning */
	uint64_t audit_ns;	      /* which was then, likewise */
	uint64_t published_bytes;     /* of payloads, attempts counted */

	enum run_phase phase;
	uint64_t phase_ns;    /* when it began */
	uint64_t healed_ns;   /* when chaos said that no fault is left */
	uint64_t deadline_ns; /* when it is given up, by children_time() */
	unsigned step;	      /* within the phase */

	struct channel_out own; /* stamps our own events; never written */
	struct host host;
	uint64_t tick_ns, flush_ns, status_ns;
	struct msg_node nodes[CONFIG_NODES_MAX]; /* [0] is node 1 */
	bool is_up, all_healed, settled, is_unsettled, compared, dumped;
	bool interrupted, stopped, doomed, killed, concluding;
	bool is_refused; /* doomed, for a worker may not do something */
	bool has_journal, journal_failed;
	unsigned moments;  /* that chaos waits for, as bits */
	uint64_t aimed_ns; /* since when */
	bool is_deaf;	   /* children can't be heard for good */
	uint64_t deaf_ns;  /* since when; 0: they are heard */
};

/*
 * A whole run whose options are taken: checks them, makes the run folder,
 * runs, reports. Returns natsburn's exit code; errors were said.
 */
int run_configured(struct run *);

/*
 * Run it: everything from the first fork to the judged history. The run
 * folder exists. 0, or -errno when not even the loop could be set up;
 * run->history then holds what is known. run_fini() in either case.
 */
int run_execute(struct run *);
void run_fini(struct run *);

/* Write one of the parent's own events into the history. */
void run_note(struct run *, struct event *);

/* The harness can't go on: note why and go down. */
void run_doom(struct run *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What the loop calls: run is the argument. */
extern const struct children_hooks run_hooks;
void run_on_anomaly(void *run, const struct anomaly *);

/* phases.c: begin a phase; look whether the present one is over. */
void phase_enter(struct run *, enum run_phase);
void phase_poll(struct run *);

/* Something was achieved in this phase: its patience begins anew. */
void phase_prolong(struct run *, enum run_phase);

/* Tell a worker what it needs before START, when it is there for it. */
void run_configure(struct run *, struct child_slot *);
void run_start_worker(struct run *, struct child_slot *);

#endif
