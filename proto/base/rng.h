/* SPDX-License-Identifier: ISC */
/*
 * Seeded random numbers (xoshiro256** seeded by splitmix64, after Blackman
 * and Vigna): the same seed gives the same numbers on every machine. Not
 * for secrets.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* Mix a word: a bijection whose output bits all depend on all input bits. */
uint64_t rng_mix(uint64_t);

/* A generator for seed and stream: two streams of one seed are unrelated. */
void rng_init(struct rng *, uint64_t seed, const char *stream);

uint64_t rng_next(struct rng *);

/* Uniform in [0, bound); bound must not be 0. */
uint64_t rng_below(struct rng *, uint64_t bound);

/* Exponentially distributed with the given mean (any unit). */
double rng_exponential(struct rng *, double mean);

/* A seed from the kernel, never 0. */
uint64_t rng_fresh_seed(void);

#endif
