/* SPDX-License-Identifier: ISC */
/* A log-linear histogram; see hist.h. */
#include <math.h>

#include "proto/base/hist.h"

#define SUB (UINT64_C(1) << HIST_SUB_BITS)

static unsigned
hist_index(uint64_t v)
{
	unsigned shift;

	if (v < SUB)
		return (unsigned)v;
	shift = 63 - (unsigned)__builtin_clzll(v) - HIST_SUB_BITS;
	return (unsigned)(((shift + 1) << HIST_SUB_BITS) +
			  (unsigned)((v >> shift) - SUB));
}

uint64_t
hist_upper(unsigned i)
{
	unsigned shift;
	uint64_t low;

	if (i < SUB)
		return i;
	shift = (i >> HIST_SUB_BITS) - 1;
	low = (SUB + (i & (SUB - 1))) << shift;
	return low + ((UINT64_C(1) << shift) - 1);
}

void
hist_add(struct hist *h, uint64_t value)
{
	h->buckets[hist_index(value)]++;
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
}

uint64_t
hist_quantile(const struct hist *h, double fraction)
{
	uint64_t seen = 0, want = (uint64_t)ceil(fraction * (double)h->count);
	unsigned i;

	if (h->count == 0)
		return 0;
	if (want < 1)
		want = 1;
	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= want)
			break;
	}
	if (i >= HIST_BUCKETS || hist_upper(i) > h->max)
		return h->max;
	return hist_upper(i);
}

uint64_t
hist_count_to(const struct hist *h, uint64_t value)
{
	unsigned i, last = hist_index(value);
	uint64_t n = 0;

	for (i = 0; i <= last; i++)
		n += h->buckets[i];
	return n;
}
