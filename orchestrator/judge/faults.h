/* SPDX-License-Identifier: ISC */
/*
 * What the history says of faults, and the availability clock: time in
 * which the faults in force leave JetStream able to serve. The clock stands
 * from a fault that may stop JetStream until FAULTS_ELECTION_NS after it
 * was healed (raft elections take 4-9 s, lost quorum is noticed after 10 s:
 * server/raft.go); other faults don't stop it.
 */
#ifndef CHECK_FAULTS_H
#define CHECK_FAULTS_H

#include <stdbool.h>

#include "proto/message.h"

#define FAULTS_ELECTION_NS UINT64_C(20000000000)
#define FAULTS_SLEPT_NS	   UINT64_C(5000000000)
#define FAULTS_OPEN_MAX	   64
#define FAULTS_PAST	   256 /* that are remembered when they are over */

struct fault_open {
	uint32_t fault;
	bool stops_clock, applied;
	uint64_t planned_ns;
};

struct fault_past {
	uint64_t from_ns, to_ns;
};

struct faults {
	bool strict; /* the clock never stands */
	struct fault_open open[FAULTS_OPEN_MAX];
	unsigned nopen, nstopping;
	uint64_t planned, applied, failed, healed, unhealed;
	uint64_t servers_ended; /* faults that end a server's process */
	uint64_t last_end_ns;	/* when the last fault ended */
	struct fault_past past[FAULTS_PAST]; /* a ring of the latest */
	uint64_t npast;
	uint64_t forgotten_ns; /* what was before this is not known */
	bool is_stopped;
	uint64_t stopped_ns; /* since when the clock stands */
	uint64_t resume_ns;  /* when it goes on; 0 not yet known */
	uint64_t tick_ns;    /* the last tick */
	uint64_t total_ns;   /* time it stood before that */
};

void faults_init(struct faults *);

/* Take note of an event (any type). */
void faults_event(struct faults *, const struct event *);

/* True while at least one fault is in force. */
bool faults_active(const struct faults *);

/* True while a fault is in force whose effect was verified. */
bool faults_in_effect(const struct faults *);

/* True when no fault was in force in the ns before now. */
bool faults_quiet_for(const struct faults *, uint64_t now_ns, uint64_t ns);

/*
 * True when no fault was in force at any moment from from_ns to to_ns, which
 * may be long ago. What is no longer remembered was not quiet.
 */
bool faults_quiet_between(
    const struct faults *, uint64_t from_ns, uint64_t to_ns);

/*
 * Time the clock has stood, up to now. An operation takes this at its
 * start; at time t it has used (t - start) - (stood(t) - stood(start)).
 */
uint64_t faults_stood(const struct faults *, uint64_t now_ns);

#endif
