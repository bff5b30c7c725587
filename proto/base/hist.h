/* SPDX-License-Identifier: ISC */
/*
 * A log-linear histogram of durations: fixed memory, about 3 % error, any
 * value of 64 bits (after Tene's HdrHistogram).
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 5 /* 32 linear steps an octave */
#define HIST_BUCKETS  ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t count, max, sum;
	uint32_t buckets[HIST_BUCKETS];
};

void hist_add(struct hist *, uint64_t value);

/* The value that fraction (0..1) of the samples do not exceed; 0 if none. */
uint64_t hist_quantile(const struct hist *, double fraction);

/* The largest value that falls into bucket i. */
uint64_t hist_upper(unsigned i);

/* How many samples are at most value; exact at ends of steps. */
uint64_t hist_count_to(const struct hist *, uint64_t value);

#endif
