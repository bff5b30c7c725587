/* SPDX-License-Identifier: ISC */
/*
 * The parts of the check misfired, whose rule stands in misfired.c:
 *
 *	plans.c  the model: schedules, and what may have removed them
 *	times.c  clocks, and when a schedule is due
 *	sent.c	 what it has sent
 *	end.c	 what waits, or is gone, when the audit has read a stream
 *
 * Times are CLOCK_MONOTONIC in ns; those of servers (stamp, at, next, int64_t)
 * are ns of their wall clocks.
 */
#ifndef CHECK_MISFIRED_H
#define CHECK_MISFIRED_H

#include "orchestrator/judge/check.h"

#define SLACK_NS UINT64_C(1000000000) /* between two clocks of one host */

/* A schedule in a sentence, and its arguments. */
#define WHO "schedule %u:%llu"
#define NAME(p)                                                                \
	message_id_source((p)->id),                                            \
	    (unsigned long long)message_id_counter((p)->id)

/* A message that is to be sent later. */
struct misfired_plan {
	uint64_t id; /* first, as array_lower() has it */
	uint64_t group, sum, every_ns, ttl_ns;
	int64_t at_ns;
	uint64_t invoked_ns, ok_ns, seq;
	uint64_t touched_ns; /* when what may remove it was sent; 0: nothing */
	uint64_t gone_ns;    /* it was confirmed to be removed; 0: not */
	uint32_t stream;
	uint32_t open; /* of a group's first: what may still happen to it */
	uint8_t times;
	bool is_told;
	bool is_again; /* tried again: what was not answered may come yet */
	/* Of this scan. */
	bool is_waiting, is_mixed;
	uint32_t fired;
	uint64_t fired_seq[2];	 /* the first, and the latest */
	int64_t stamps[2], next; /* next: when it said that it comes again */
};

/* The removal that a client is doing, or did last. */
struct misfired_removal {
	uint64_t id, group, seq, sent_ns;
	uint32_t stream;
	bool is_again;
};

/* Those of one process, by their ids. */
struct misfired_source {
	struct misfired_plan *plans;
	uint32_t n, room;
	uint64_t beyond; /* the first that is not judged; 0: all are */
	struct misfired_removal removal;
};

struct misfired_reading {
	uint64_t begun_ns, last;
	/* The leader has no fewer: what was read is there. */
	bool is_counted;
};

struct misfired_state {
	struct misfired_source *sources;
	uint32_t n, nplans;
	struct misfired_reading *readings; /* by stream */
	uint32_t nreadings;
	int64_t wall_ns; /* wall clock less CLOCK_MONOTONIC */
	bool knows_wall, was_set;
};

/*
 * plans.c: the schedule of an id, or NULL; the next one of its group behind
 * p, which is the group's first at first.
 */
struct misfired_plan *misfired_find(const struct misfired_state *, uint64_t id);
struct misfired_plan *misfired_next(
    const struct misfired_state *, const struct misfired_plan *);

/* Enter what clients do, and its outcomes: 0 or -ENOMEM. */
int misfired_on_client(struct check *, const struct event *);

/* times.c: who knows the time of day says it at its beginning. */
void misfired_on_wall(struct check *, int64_t wall_ns);

/* A time of a server that has the clock of this host. */
uint64_t misfired_mono(const struct check *, int64_t wall_ns);

/* Have the servers the clock of this host, and was it never set? */
bool misfired_is_one_clock(const struct check *);

/* Is it before a time, whatever faults have done to clocks? */
bool misfired_is_before(const struct check *, int64_t stamp_ns, int64_t at_ns);

/*
 * The longest time of the availability clock that is certain between the two,
 * and whether it is more than what is due may take.
 */
uint64_t misfired_used(const struct check *, uint64_t from_ns, uint64_t to_ns);
bool misfired_is_late(const struct check *, uint64_t from_ns, uint64_t to_ns);

/* When what comes next was due at the earliest; when it was due (0: ?). */
uint64_t misfired_earliest(const struct check *, const struct misfired_plan *);
uint64_t misfired_due(const struct check *, const struct misfired_plan *);

/* Before when one that comes again must not come, for the leader; 0: ? */
int64_t misfired_bound(const struct check *, const struct misfired_plan *);

/* sent.c: something that a schedule has sent. */
void misfired_on_fired(struct check *, const struct msg_fired *);

/* Each is told once, whatever else is wrong with it. */
struct anomaly misfired_anomaly(struct misfired_plan *, uint64_t seq);

/* Raise what nobody promises while leaders change. */
void misfired_raise_steady(struct check *, struct misfired_plan *, uint64_t seq,
    const uint64_t span_ns[2], const char *what);

/* end.c: the audit reads a stream. 0 or -ENOMEM. */
int misfired_on_scan(struct check *, const struct event *);

#endif
