/* SPDX-License-Identifier: ISC */
/*
 * Faults that wait for their moment (--aim). Each fault of the schedule draws
 * a moment (proto/moment.h) and a delay of 0 to 20 ms behind it. When it is
 * due and has room it waits until its moment comes, and then for its delay. One
 * whose moment does not come in 5 s happens without it.
 */
#ifndef CHAOS_AIM_H
#define CHAOS_AIM_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/admin.h"
#include "proto/base/rng.h"
#include "proto/child.h"

#define AIM_ACCOUNTS 2 /* ADMIN_SYSTEM, ADMIN_USER */

/* What one fault waits for. */
struct aim_shot {
	bool is_aimed;
	unsigned moment; /* its place in the table */
	uint64_t delay_ns;
	uint64_t asked_ns; /* since when it waits; 0: it does not */
	uint64_t came_ns;  /* when its moment came; 0: not yet */
};

struct aim {
	struct child *child;
	unsigned bits;	 /* moments of --aim; 0: nothing is aimed */
	bool is_all;	 /* they are all that there are */
	unsigned missed; /* of these, those that a fault waited for in vain */
	unsigned told;	 /* that the orchestrator was asked for */
	/* Hear advisories where no logs are read; NULL: not yet. */
	struct admin *admins[AIM_ACCOUNTS];
	uint64_t again_ns[AIM_ACCOUNTS]; /* not before this they try to */
};

/* Take the value of --aim, which is valid. */
void aim_init(struct aim *, struct child *, const char *list);

/* Draw the moment and the delay of the next fault. */
void aim_draw(const struct aim *, struct rng *, struct aim_shot *);

/*
 * Has the moment of a fault come that is due now? The fault waits from the
 * first call on. True also for what is not aimed, and after 5 s in vain.
 */
bool aim_is_due(struct aim *, struct aim_shot *, uint64_t now_ns);

/* These moments (bits) came at at_ns: does the shot wait for one of them? */
void aim_take(struct aim_shot *, unsigned moments, uint64_t at_ns);

/* Which moments this shot waits for, as bits: one, or none. */
unsigned aim_waits_for(const struct aim_shot *);

/* Ask the orchestrator for what is waited for, if that has changed. */
void aim_ask(struct aim *, unsigned moments);

/*
 * On servers of somebody else's, whose logs nobody reads: which moments they
 * have told of by advisories since the last call.
 */
unsigned aim_listen(struct aim *, struct cluster *, uint64_t now_ns);

void aim_fini(struct aim *);

/* How long the loop may wait at most for this shot, in milliseconds. */
int aim_wait_ms(const struct aim_shot *, uint64_t now_ns, int most_ms);

/* The fault has just been injected: tell how far behind its moment. */
void aim_tell(struct aim *, struct aim_shot *, uint32_t fault);

#endif
