/* SPDX-License-Identifier: ISC */
/*
 * Figures of a history: counts, latencies, stalls, faults, servers. Fed
 * with the same events as the judge, just before it, so a recorded run has
 * the same figures as the live one. Judges nothing.
 */
#ifndef ORCHESTRATOR_STATS_H
#define ORCHESTRATOR_STATS_H

#include <stdbool.h>

#include "orchestrator/history/logs.h"
#include "orchestrator/history/prices.h"
#include "orchestrator/history/series.h"
#include "orchestrator/judge/ledger.h"
#include "orchestrator/judge/levels.h"
#include "proto/base/hist.h"
#include "proto/config.h"
#include "proto/message.h"

#define STATS_FAULTS_MAX  10000 /* rows kept for the report */
#define STATS_OPEN_MAX	  64	/* faults in force at once */
#define STATS_PHASES_MAX  16
#define STATS_MODES_MAX	  SERIES_MODES
#define STATS_WORKERS_MAX 8192
#define STATS_MOMENTS_MAX 32

struct stats_fault {
	uint32_t fault;
	char mode[32], target[96];
	uint64_t planned_ns;			/* offset in the schedule */
	uint64_t due_ns, applied_ns, healed_ns; /* times, 0: not yet */
	bool applied, healed;
	char moment[32];	/* that it was aimed at; empty: at none */
	uint64_t distance_ns;	/* behind it; 0: it did not come */
	struct price_row price; /* zero as long as it is not over */
	char applied_how[160], healed_how[160];
};

/* A fault whose end is not known yet. */
struct stats_open {
	uint32_t fault; /* 0: free */
	bool in_force, ends_server;
	uint64_t since_ns;
	char mode[32], target[32];
};

/* Faults of a mode. */
struct stats_mode {
	char name[32];
	uint64_t planned, applied, failed, healed, unhealed;
};

/* What faults were aimed at. */
struct stats_moment {
	char name[32];
	uint64_t came, missed;		 /* faults, by whether it came */
	uint64_t modes[STATS_MODES_MAX]; /* of those: of each mode */
	struct hist distance;		 /* of faults behind it, nanoseconds */
};

#define STATS_VERSIONS_MAX 32 /* of a server: the first and the latest 31 */

struct stats_version {
	uint64_t since_ns;
	char version[32];
};

struct stats_server {
	char name[32], version[32];
	struct stats_version versions[STATS_VERSIONS_MAX];
	unsigned nversions;
	uint64_t sync_interval_ns, max_memory, max_storage; /* 0: not told */
	bool sync_always;
	char first[32];	 /* the name it had first: "n2" may become "n2-2" */
	uint64_t faults; /* that took effect on it */
	uint64_t faulty_ns, ended;
	uint64_t leads[LEADS_CONSUMER + 1]; /* times it came to lead */
};

/* A child process, by its source. */
struct stats_worker {
	char role[32]; /* empty: never started */
	uint32_t incarnations, died;
	bool alive;
	uint64_t events, ok, unknown, deliver, redeliver;
	uint64_t last_ns;
	uint64_t asked_ns; /* when its open round began */
};

struct stats_phase {
	char name[16];
	uint64_t begin_ns;
};

/* Faults of all modes, also those that have no row in the report. */
struct stats_totals {
	uint64_t planned, applied, healed;
};

/* What HOST_LOAD told. */
struct stats_host {
	uint64_t span_ns;     /* of all that was told */
	uint64_t pressure_ns; /* of it, in which a task waited (PSI) */
	uint64_t known_ns;    /* of it, in which PSI is known */
	uint64_t busy_ns;     /* of it, on an overloaded host */
	uint32_t tasks, most; /* for each processor, x100: last, highest */
	uint32_t pressure;    /* last, in thousandths; above: not known */
	uint64_t late_ns;     /* the longest */
};

struct stats {
	struct stats_host host;
	uint64_t first_ns, last_ns;    /* of the history */
	uint64_t load_ns, load_end_ns; /* phases quiet and drain begin */
	uint64_t mayhem_ns;	       /* phase mayhem begins */
	int64_t wall_ns;
	uint64_t events;
	uint64_t behind; /* most messages that a publisher's rate lacked */
	uint64_t seen[MESSAGE_TYPES][CASE_COUNT]; /* events by message, case */
	uint64_t rounds;
	uint64_t anomalies;
	bool no_load; /* the test is "none": nothing can stall */
	bool ran_out; /* of memory: the figures lack something */
	uint64_t last_round_ns, longest_stall_ns;
	struct hist publish, consume, round; /* nanoseconds */
	struct hist other;		     /* rounds of one operation */
	struct series *series;		     /* NULL without memory */
	struct prices *prices;		     /* NULL without memory */
	/* The longest of those that an AckWait made, and of the others. */
	uint64_t ack_wait_stall_ns, other_stall_ns;
	struct stats_worker *workers;
	uint32_t nworkers;
	struct stats_phase phases[STATS_PHASES_MAX];
	size_t nphases;
	struct stats_open open[STATS_OPEN_MAX];
	struct stats_mode modes[STATS_MODES_MAX];
	unsigned nmodes;
	struct stats_moment moments[STATS_MOMENTS_MAX];
	unsigned nmoments;
	uint64_t in_force;
	struct stats_fault *faults;
	size_t nfaults;
	uint32_t faults_room;
	uint64_t faults_omitted;
	struct stats_server servers[CONFIG_NODES_MAX];
	struct levels levels;
	struct logs logs;
	char library[32];
	uint64_t workers_died;
	char phase[16];
	char fault_now[136]; /* for the progress line */
};

void stats_init(struct stats *);
void stats_fini(struct stats *);

/* An anomaly was raised. */
void stats_anomaly(struct stats *);

/* True when the target of a fault names server i (from 0). */
bool stats_hits(const struct stats *, unsigned i, const char *target);

/* Seconds since the load began; negative before it, 0 without one. */
double stats_since_load(const struct stats *, uint64_t ns);

struct stats_totals stats_faults(const struct stats *);

/* How many events of a message there were, in all its cases. */
uint64_t stats_seen(const struct stats *, enum message_type);

/* Count an event that the ledger has not entered yet. */
void stats_event(struct stats *, const struct ledger *, const struct event *);

#endif
