/* SPDX-License-Identifier: ISC */
/*
 * The schedule draws faults from the seed and leads each through its life:
 * planned, injected, applied (verified), held, healed (verified). It keeps
 * the bounds: never two faults on one server, never more servers down than
 * the cluster tolerates. Every step is an event in the history.
 */
#ifndef CHAOS_SCHEDULE_H
#define CHAOS_SCHEDULE_H

#include "chaos/cluster.h"
#include "chaos/mayhem.h"
#include "proto/child.h"

#define SCHEDULE_MODES_MAX 16

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
	uint64_t since_ns; /* when the stage began */
	bool applied;
};

struct schedule {
	struct cluster *cluster;
	struct child *child;
	/* [0, n) are the modes asked for; behind them one for each server,
	   for the case that it ends by itself. */
	struct schedule_mode modes[SCHEDULE_MODES_MAX + CONFIG_NODES_MAX];
	unsigned n;
	uint32_t faults;   /* numbered so far */
	uint64_t start_ns; /* 0: not started */
	bool is_stopping, all_ok;
	uint64_t unhealed_ns; /* a fault could not be undone then; 0 none */
};

/*
 * Take the modes of config's --mayhem. 0, or -ENOTSUP with why
 * (CLUSTER_WHY_MAX bytes) when the driver can't do one of them.
 */
int schedule_init(
    struct schedule *, struct cluster *, struct child *, char *why);

void schedule_start(struct schedule *);

/* No new faults; those in force are healed now. */
void schedule_stop(struct schedule *);

/* Do what is due. */
void schedule_step(struct schedule *);

/* True when no fault is in force and none is being undone. */
bool schedule_is_idle(const struct schedule *);

#endif
