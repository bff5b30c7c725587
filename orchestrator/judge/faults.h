/* SPDX-License-Identifier: ISC */
/*
 * What the history says of faults, of silences of natsburn's own processes,
 * and the availability clock: time in which neither keeps JetStream from
 * serving. The clock stands from a fault that may stop JetStream until
 * FAULTS_ELECTION_NS after it is over (raft elections take 4-9 s, lost
 * quorum is noticed after 10 s: server/raft.go); other faults don't stop it.
 *
 * A fault is over when it was seen healed. One that could not be is over
 * when the cluster is seen whole later, or when its cause is undone for as
 * long as its healing may take, whichever comes first.
 *
 * While a process of natsburn stands still its links carry nothing and its
 * operations do nothing: that is like a fault, from the beginning of the
 * silence to its end. It is told afterwards, FAULTS_LAG_NS late at the most.
 */
#ifndef CHECK_FAULTS_H
#define CHECK_FAULTS_H

#include <stdbool.h>

#include "proto/config.h"
#include "proto/message.h"

#define FAULTS_ELECTION_NS UINT64_C(20000000000)
/* A stream may be out of service so long when its replicas are changed. */
#define FAULTS_CHANGE_NS UINT64_C(30000000000)
#define FAULTS_SLEPT_NS	 UINT64_C(5000000000) /* without a tick */
/* CHILD_SILENT comes after 6 s, with the next tick; the rest is sooner. */
#define FAULTS_LAG_NS	UINT64_C(8000000000)
#define FAULTS_OPEN_MAX 64
#define FAULTS_PAST	256 /* that are remembered when they are over */
#define FAULTS_ENDS	64  /* ends of servers that are remembered */
#define FAULTS_END_NS	UINT64_C(60000000000) /* from its plan to the end */

/*
 * A host is overloaded when so many tasks share each of its processors (in
 * hundredths, on average over some seconds), or when a process that had
 * nothing to do but wake up did so late by so much. A limit of 30 s is then
 * worth less than 2 s of a processor, half of the shortest election: JetStream
 * can't be asked to do in it what it needs on a host that has time.
 */
#define FAULTS_BUSY_TASKS   1600
#define FAULTS_BUSY_LATE_NS UINT64_C(1000000000)

/* A fault that is not over. */
struct fault_open {
	uint32_t fault;
	bool stops_clock, applied;
	bool leaves_service; /* operations may succeed under it */
	bool only_reads;     /* it disturbs nothing: a backup is made */
	bool is_undone;	     /* its cause is */
	bool is_unhealed; /* its deadline is past, and it was not seen healed */
	uint64_t planned_ns;
	uint64_t over_ns; /* if it is undone: is over then at the latest */
};

struct fault_span {
	uint64_t from_ns, to_ns;
};

/* Spans in order, apart; what was before from_ns is not known. */
struct fault_spans {
	struct fault_span at[FAULTS_PAST];
	unsigned n;
	uint64_t from_ns;
};

/* Silences of ours. Those at one time are one, whoever stood still. */
struct fault_silences {
	uint64_t n, total_ns;
	struct fault_span last;
	uint64_t longest_ns, longest_from_ns;
	char longest_who[48];
};

/* Servers that are not ours, of which SERVER_SEEN tells. */
struct fault_servers {
	uint32_t size;	 /* of the cluster; 0: not formed yet */
	bool was_missed; /* the load began, and one had not been seen */
	struct fault_server {
		uint64_t process, first_ns; /* 0: never seen */
		uint64_t seen_ns[2];	    /* the last time, the one before */
	} at[CONFIG_NODES_MAX];
};

struct faults {
	bool strict; /* no fault stops the clock */
	struct fault_open open[FAULTS_OPEN_MAX];
	unsigned nopen;
	uint32_t latest; /* the one planned last; 0: none yet */
	uint64_t planned, applied, failed, healed, unhealed;
	/* Those that left no service: how many, the first and the last. */
	uint64_t applied_idle, idle_from_ns, idle_to_ns;
	/*
	 * No server is taken down from a fault that could not be seen healed
	 * until the cluster is seen whole: since then (0: it may be), and all
	 * of that time before.
	 */
	uint64_t held_since_ns, held_ns;
	uint64_t servers_ended; /* faults that end a server's process */
	/* When each of these was planned, or its server seen last: a ring. */
	uint64_t ends[FAULTS_ENDS];
	struct fault_servers servers;
	uint64_t last_end_ns; /* when the last disturbance ended */
	uint64_t calm_ns;     /* when the cause of one was undone last */
	/* After the load: the cluster was whole then (0: not yet), or was not.
	 */
	uint64_t settled_ns;
	bool is_unsettled;
	struct fault_span past[FAULTS_PAST]; /* a ring of the latest */
	uint64_t npast;
	uint64_t forgotten_ns;	  /* what was before this is not known */
	struct fault_spans stood; /* when the clock did, but for what is open */
	struct fault_spans busy;  /* when the host was overloaded */
	uint64_t busy_ns;	  /* in all */
	uint32_t busy_tasks;	  /* the most that shared a processor then */
	uint64_t tick_ns;	  /* the last tick */
	struct fault_silences silences;
};

void faults_init(struct faults *);

/*
 * Time has passed until this event. Whoever judges by the clock when it comes
 * says so before; faults_event() does it as well.
 */
void faults_pass(struct faults *, const struct event *);

/* Take note of an event (any type). */
void faults_event(struct faults *, const struct event *);

/* True while at least one fault is not over. */
bool faults_active(const struct faults *);

/* True while a fault is in force whose effect was verified. */
bool faults_in_effect(const struct faults *);

/* True when nothing disturbed JetStream in the ns before now. */
bool faults_quiet_for(const struct faults *, uint64_t now_ns, uint64_t ns);

/*
 * True when no fault was in force and nothing of ours stood still at any
 * moment from from_ns to to_ns, which may be long ago. What is no longer
 * remembered was not quiet.
 */
bool faults_quiet_between(
    const struct faults *, uint64_t from_ns, uint64_t to_ns);

/* True when the cluster settled, and nothing has disturbed it since. */
bool faults_quiet_since_settled(const struct faults *, uint64_t now_ns);

/* FAULTS_ELECTION_NS before a moment: what was in force then may still tell. */
uint64_t faults_before(uint64_t ns);

/*
 * Of servers that are not ours: when the one that was seen longest ago was
 * seen last, or, with before, the time before that. 0 unless each has been
 * seen since the load began.
 */
uint64_t faults_servers_seen(const struct faults *, bool before);

/* True when a server is another process than the one that was seen before. */
bool faults_is_restart(const struct faults *, const struct msg_server_seen *);

/*
 * True when a server may have ended since a moment; *at_ns is the earliest such
 * end's time in ends, 0 when that is no longer remembered.
 */
bool faults_ended_since(const struct faults *, uint64_t ns, uint64_t *at_ns);

/*
 * Since when the cause of no fault is in force, whatever JetStream makes of
 * it, and nothing of ours stood still; UINT64_MAX: one is.
 */
uint64_t faults_calm_since(const struct faults *);

/*
 * For how long the clock stood from from_ns to to_ns. What is no longer
 * remembered counts as if it had.
 */
uint64_t faults_stood(const struct faults *, uint64_t from_ns, uint64_t to_ns);

/*
 * For how long from from_ns to to_ns the host was overloaded while the clock
 * ran. What is no longer remembered counts as if it had been. It is told
 * FAULTS_LAG_NS late at the most, as silences are.
 */
uint64_t faults_busy(const struct faults *, uint64_t from_ns, uint64_t to_ns);

/* True when HOST_LOAD tells of an overloaded host. */
bool faults_is_busy(const struct msg_host_load *);

#endif
