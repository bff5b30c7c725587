/* SPDX-License-Identifier: ISC */
/*
 * Faults. A mayhem mode is one file under chaos/mayhem that ends in one
 * struct mayhem_ops named mayhem_<file name>; the build finds it. Faults
 * speak to the cluster driver only (chaos/cluster.h).
 *
 * The life of a fault, driven by chaos/schedule.c:
 *
 *	plan	the next one of this mode is drawn from the seed
 *	inject	do it; then is_applied is asked until it is true: what was
 *		done is never believed before its effect was observed
 *	hold	hold_ns pass
 *	heal	undo it; then is_healed is asked until it is true
 *
 * heal is called on every path once inject was called, also when the effect
 * could not be verified, and may be called twice.
 */
#ifndef CHAOS_MAYHEM_H
#define CHAOS_MAYHEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/rng.h"

#define FAULT_HOW_MAX 160

struct cluster;
struct run_config;

struct fault {
	const struct mayhem_ops *ops;
	struct cluster *cluster;
	uint32_t number;     /* in the run, from 1 */
	uint32_t round;	     /* of its mode, from 1 */
	unsigned node;	     /* target server, from 1 */
	uint64_t planned_ns; /* offset from the start of mayhem */
	uint64_t hold_ns;
	uint64_t mark;		 /* the mode's own: what inject remembers */
	char before[40];	 /* likewise, as text */
	char how[FAULT_HOW_MAX]; /* what was observed, for the report */
};

/* A mode's generator of faults; the same seed draws the same faults. */
struct mayhem_plan {
	const struct mayhem_ops *ops;
	struct rng rng;
	unsigned nodes;	      /* servers of the cluster */
	uint64_t interval_ns; /* --fault-interval */
	uint64_t next_ns;     /* the mode's own: offset of its next round */
	uint32_t round;
	unsigned left; /* the mode's own: faults left in the round */
};

struct mayhem_ops {
	const char *name;    /* as on the command line */
	const char *summary; /* one sentence for users */
	const char *promise; /* what it does to JetStream's promises */
	unsigned needs;	     /* CLUSTER_CAN_* that the driver must have */
	bool takes_node_down;
	bool is_graceful; /* R3 serves on: the availability clock runs */
	uint64_t apply_ns, heal_ns; /* deadlines */
	/* Draw the next fault: round, node, planned_ns, hold_ns. */
	void (*plan)(struct mayhem_plan *, struct fault *);
	int (*inject)(struct fault *); /* 0 or -errno with f->how */
	bool (*is_applied)(struct fault *);
	int (*heal)(struct fault *);
	bool (*is_healed)(struct fault *);
};

/* All modes, NULL-terminated, in the order of their file names. */
extern const struct mayhem_ops *const mayhem_table[];

/* The mode of that name, or NULL. */
const struct mayhem_ops *mayhem_find(const char *name);

#endif
