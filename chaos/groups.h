/* SPDX-License-Identifier: ISC */
/*
 * The raft groups of the run (the meta group, streams, consumers): which of
 * them lacks a leader, a current replica, or a replica altogether, and since
 * when; and which servers answer at all. It is told upwards, again and again
 * while it lasts; whether that convicts is the orchestrator's to say. It lasts
 * since the replica that lags longest has not moved: one that catches up has
 * all the time that it takes, and hides no other that is stuck. Another stream
 * or consumer of the name makes it last anew.
 *
 * Nothing is said of a group's health while a server does not answer: it may
 * be the leader. Nor of the meta group before it was whole once: what somebody
 * else's cluster lacked before is not the run's.
 */
#ifndef CHAOS_GROUPS_H
#define CHAOS_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/clock.h"
#include "proto/config.h"

#define GROUPS_MAX	256	       /* sick at once; further ones wait */
#define GROUPS_SICK_NS	(10 * CLOCK_S) /* shorter is not told; then so often */
#define GROUPS_NAME_MAX 128
#define GROUPS_SAYS_MAX 320

struct child;
struct cluster;

struct groups_row {
	uint8_t what;		    /* as in GROUP_SICK */
	unsigned group;		    /* which meta group, as of cluster_node */
	bool is_sick;		    /* by the look that goes on */
	uint64_t since_ns, told_ns; /* 0: not told */
	unsigned lagging; /* nodes that its leader does not see current */
	/* By node: what it had, and since when it has not moved from there. */
	uint64_t has[CONFIG_NODES_MAX], stuck_ns[CONFIG_NODES_MAX];
	uint64_t made; /* as in health_group; of the leader, if there is one */
	char name[GROUPS_NAME_MAX];
};

/* Zeroed: nothing is known. groups_fini() at the end. */
struct groups {
	struct groups_row rows[GROUPS_MAX];
	unsigned n;
	uint64_t heard_ns[CONFIG_NODES_MAX]; /* by node: answered then last */
	bool is_told[CONFIG_NODES_MAX];	     /* whether it answers */
	bool answers[CONFIG_NODES_MAX];	     /* as it was told */
	bool was_whole;			     /* the meta group, once */
	uint64_t looked_ns;
	struct groups_found *found; /* of one look: one row a group and node */
	uint32_t nfound, room;
};

void groups_fini(struct groups *);

/* Look at what the monitor knows, at most once a second, and tell. */
void groups_step(struct groups *, const struct cluster *, struct child *);

/*
 * True when a group is sick, and all of so many servers answer: it may turn
 * out that it does not recover.
 */
bool groups_are_sick(const struct groups *, unsigned servers);

/*
 * True when a group has been sick for longer than limit_ns, counted from
 * calm_ns on, and that was told: it is not worth while to wait any more.
 */
bool groups_are_hopeless(
    const struct groups *, uint64_t calm_ns, uint64_t limit_ns);

#endif
