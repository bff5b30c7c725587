/* SPDX-License-Identifier: ISC */
/*
 * The schedule draws faults from the seed and leads each through its life:
 * planned, injected, applied (verified), held, healed (verified). It keeps
 * the bounds: never two faults on the same part of a server, never more
 * servers out of service than --tolerate. Every step is an event in the
 * history.
 *
 * Few modes run all together from beginning to end. Of many, a mix of some
 * is drawn and runs for --mix-time; when its last fault is healed and
 * --quiet-time has passed, the next mix begins. Planned offsets count as if
 * healing took no time, so that the same seed means the same schedule.
 */
#ifndef CHAOS_SCHEDULE_H
#define CHAOS_SCHEDULE_H

#include "chaos/aim.h"
#include "chaos/cluster/cluster.h"
#include "chaos/deck.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/child.h"
#include "proto/recorded.h"

#define SCHEDULE_MODES_MAX DECK_MAX

enum fault_stage {
	STAGE_NONE,
	STAGE_APPLYING,
	STAGE_HOLDING,
	STAGE_HEALING
};

struct schedule_mode {
	struct mayhem_plan plan;
	struct fault fault; /* due next, or in force */
	enum fault_stage stage;
	uint64_t since_ns;    /* when the stage began */
	uint64_t due_ns;      /* offset in the mix at which it is due */
	struct aim_shot shot; /* the moment that the fault waits for */
	struct rng aim_rng;
	bool applied, undone;
	bool in_mix;
	void *options;
};

struct schedule {
	struct cluster *cluster;
	struct child *child;
	/* [0, n) are the modes asked for; behind them one for each server,
	   for the case that it ends by itself. */
	struct schedule_mode modes[SCHEDULE_MODES_MAX + CONFIG_NODES_MAX];
	unsigned n;
	unsigned at_once;	  /* modes of a mix */
	uint32_t mix;		  /* number of the present one, from 0 */
	uint64_t first_ns;	  /* of the first mix */
	struct recorded recorded; /* --schedule; none: what is drawn */
	struct deck deck;	  /* of the modes */
	struct aim aim;
	uint32_t faults;   /* numbered so far */
	uint64_t start_ns; /* of the present mix; 0: not started */
	/* since when the mix is over and healed; 0: it is not */
	uint64_t idle_ns;
	unsigned tolerated; /* servers that may be out at once */
	bool is_stopping, all_ok;
	/* when a fault could not be undone; 0: all were */
	uint64_t unhealed_ns;
	uint64_t calm_ns; /* when the last one was undone, or healed */
};

/*
 * Take the modes of config's --mayhem. 0, or -ENOTSUP with why
 * (CLUSTER_WHY_MAX bytes) when the driver can't do one of them. Sets
 * cluster->needs. schedule_fini() in either case.
 */
int schedule_init(
    struct schedule *, struct cluster *, struct child *, char *why);
void schedule_fini(struct schedule *);

/*
 * To be asked when cluster->n is known: are there enough servers for the modes?
 * 0, or -ENOTSUP with why.
 */
int schedule_fits(const struct schedule *, char *why);

void schedule_start(struct schedule *);

/* No new faults; those in force are healed now. */
void schedule_stop(struct schedule *);

/* Do what is due. */
void schedule_step(struct schedule *);

/*
 * How long the loop may wait before the next step: at most most_ms, less while
 * a fault waits for its moment.
 */
int schedule_wait_ms(const struct schedule *, int most_ms);

/* The orchestrator says that these moments (bits) have come, at at_ns. */
void schedule_moment(struct schedule *, unsigned moments, uint64_t at_ns);

/* A server has logged this line. */
void schedule_line(struct schedule *, const char *line);

/* True when no fault is in force and none is being undone. */
bool schedule_is_idle(const struct schedule *);

#endif
