/* SPDX-License-Identifier: ISC */
/*
 * How many replicas a stream may have had, and when. Faults change it
 * (STREAM_CHANGE), also where it moves to other servers, and has one less or
 * more meanwhile: from the request on, until the stream was seen whole as it
 * was before (STREAM_RESTORED), either number may be in force, for an update
 * that is not answered may be done or not. Where a number excuses or decides
 * something the one counts that convicts less.
 */
#ifndef JUDGE_SCALES_H
#define JUDGE_SCALES_H

#include <stdbool.h>
#include <stdint.h>

#define SCALES_MAX 16 /* that are kept apart; the oldest become one */

struct scale_span {
	uint64_t from_ns, to_ns; /* to_ns is UINT64_MAX until it is over */
	uint32_t fewest, most;
};

/* Zeroed: it has had the same number all the time. */
struct scales {
	struct scale_span at[SCALES_MAX]; /* in order; the last may be open */
	uint32_t n;
};

/* A server is asked for so many replicas, of a stream that has base, or still
 * has: then nothing changes. */
void scales_ask(
    struct scales *, uint64_t now_ns, uint32_t base, uint32_t replicas);

/* It has base again; unsure: a request may still be done, at any time. */
void scales_restore(struct scales *, uint64_t now_ns, bool unsure);

/* The fewest and the most that it may have had since a moment. */
uint32_t scales_fewest(const struct scales *, uint32_t base, uint64_t since_ns);
uint32_t scales_most(const struct scales *, uint32_t base, uint64_t since_ns);

/*
 * Was another number than base asked for, and not taken back, at a moment of
 * this span?
 */
bool scales_cover(const struct scales *, uint64_t from_ns, uint64_t to_ns);

#endif
