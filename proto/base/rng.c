/* SPDX-License-Identifier: ISC */
/* Seeded random numbers; see rng.h. */
#include <math.h>
#include <sys/random.h>

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"

uint64_t
rng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void
rng_init(struct rng *r, uint64_t seed, const char *stream)
{
	uint64_t h = text_hash(TEXT_HASH, stream);
	int i;

	h ^= rng_mix(seed);
	for (i = 0; i < 4; i++) {
		h += UINT64_C(0x9e3779b97f4a7c15);
		r->s[i] = rng_mix(h);
	}
}

static uint64_t
rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t
rng_next(struct rng *r)
{
	uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t
rng_below(struct rng *r, uint64_t bound)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, x;

	do
		x = rng_next(r);
	while (x >= limit);
	return x % bound;
}

double
rng_exponential(struct rng *r, double mean)
{
	double u = ((double)(rng_next(r) >> 11) + 1.0) / 9007199254740993.0;

	return -mean * log(u);
}

uint64_t
rng_fresh_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = rng_mix(clock_mono_ns() ^ (uint64_t)clock_wall_ns());
	seed &= INT64_MAX >> 16; /* short enough to type, exact in JSON */
	return seed ? seed : 1;
}
