/* SPDX-License-Identifier: ISC */
/*
 * The time of a loop: a clock that goes on with each of its turns, by what
 * the turn took but at most by PACE_TURN_NS. Whoever waits by it for another
 * process does not blame that one for time in which he himself stood still
 * (was stopped, starved, swapped out) and could not have heard it.
 */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include <stdint.h>

#include "proto/base/clock.h"

#define PACE_TURN_NS                                                           \
	(100 * CLOCK_MS) /* a turn longer than this stood still                \
			  */

struct pace {
	uint64_t turn_ns; /* CLOCK_MONOTONIC at the last turn */
	uint64_t ns;	  /* the loop's own time */
};

/* Its time begins at now_ns, so that it can be mistaken for no other's 0. */
void pace_begin(struct pace *, uint64_t now_ns);

/* A turn of the loop, at now_ns: returns the loop's own time. */
uint64_t pace_turn(struct pace *, uint64_t now_ns);

#endif
