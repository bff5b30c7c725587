/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload schedule, which operates as
 * worker/operate/operate.h has it:
 *
 *	schedule.c  the streams, options and the load
 *	ops.c	    the table of operations, and which schedule each is about
 *	send.c	    a schedule is sent or removed, until its outcome stands
 *	names.c	    subjects, and what stands in headers
 *	audit.c	    what was sent in time, and what still waits
 */
#ifndef WORKER_SCHEDULE_H
#define WORKER_SCHEDULE_H

#include "worker/operate/operate.h"

#define SCHEDULE_LIVE	  12 /* schedules of a client that it may change */
#define SCHEDULE_TEXT_MAX 96
/* What is sent lives for a year: longer than any run. */
#define SCHEDULE_TTL_S UINT64_C(31536000)

struct schedule_options {
	uint64_t streams;
	uint64_t ahead_ms; /* a schedule's time is so far away at most */
	bool races;	   /* it may be replaced when its time has come */
	char weights[OPERATE_WEIGHTS_MAX];
};

/* A message that waits for its time. */
struct plan {
	uint32_t stream;
	uint64_t id, group; /* group: id of the first one of its subject */
	uint64_t seq;	    /* 0: not known */
	enum message_word times;
	int64_t at_ns; /* on the wall clock; 0: again and again */
	uint64_t every_ns, ttl_ns;
};

struct schedule_state {
	struct operate operate; /* first, as operate.h has it */
	struct plan live[SCHEDULE_LIVE];
	unsigned n;
	bool knows_times_only; /* the servers refuse what comes again */
};

/* ops.c: the table. */
extern const struct operate_ops schedule_operate;

/*
 * send.c: send it with a new id, which is told to be its group if that is 0,
 * or remove it (REMOVER_...), with all events. True when that was confirmed.
 */
bool schedule_send(struct worker *, struct plan *);
bool schedule_remove(
    struct worker *, const struct plan *, enum message_word how);

/* Remove all of a stream that come again and again; likewise. */
bool schedule_remove_repeats(struct worker *, uint32_t stream);

/* names.c: where a schedule waits, and where it sends to. */
void schedule_subject(
    const struct worker *, const struct plan *, char out[OPERATE_SUBJECT_MAX]);
void schedule_target(const struct worker *, uint32_t stream, uint64_t group,
    char out[OPERATE_SUBJECT_MAX]);

/* All subjects of a stream where those wait that come again and again. */
void schedule_repeats(
    const struct worker *, uint32_t stream, char out[OPERATE_SUBJECT_MAX]);

/* The group of such a subject; 0 when it is none. */
uint64_t schedule_group(const char *subject);

/* The header that says when. */
void schedule_when(const struct plan *, char out[SCHEDULE_TEXT_MAX]);

/* audit.c: the hook. */
int schedule_audit(struct worker *);

#endif
