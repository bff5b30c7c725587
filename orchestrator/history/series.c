/* SPDX-License-Identifier: ISC */
/* What happened when; see series.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/series.h"
#include "proto/base/text.h"

#define LOW_BITS  14 /* below 2^14 ns all is one grade */
#define HIGH_BITS 38 /* and from 2^38 ns on */
#define ALIGN	  64

struct series *
series_create(void)
{
	size_t size = (sizeof(struct series) + ALIGN - 1) / ALIGN * ALIGN;
	/* Touch all of it now, so that memory does not grow later. */
	struct series *s = aligned_alloc(ALIGN, size);

	if (s == NULL)
		return NULL;
	memset(s, 0, size);
	s->step_ns = SERIES_STEP_NS;
	s->now = s->buckets;
	return s;
}

void
series_destroy(struct series *s)
{
	free(s);
}

static unsigned
grade_of(uint64_t ns)
{
	unsigned top;

	if (ns >> LOW_BITS == 0)
		return 0;
	top = 63 - (unsigned)__builtin_clzll(ns);
	if (top >= HIGH_BITS)
		return SERIES_GRADES - 1;
	return (top - LOW_BITS) * 4 + (unsigned)((ns >> (top - 2)) & 3) + 1;
}

/* Where grade i begins. */
static uint64_t
grade_begin(unsigned i)
{
	if (i == 0)
		return 0;
	i--;
	return (UINT64_C(4) + (i & 3)) << (LOW_BITS - 2 + i / 4);
}

static void
merge(struct series_bucket *to, const struct series_bucket *a,
    const struct series_bucket *b)
{
	struct series_bucket m = *a;
	unsigned i, k;

	m.rounds += b->rounds;
	m.anomalies += b->anomalies;
	for (i = 0; i < SERIES_LANES; i++) {
		m.faults[i] |= b->faults[i];
		m.faulty_ns[i] += b->faulty_ns[i];
	}
	for (k = 0; k < LEVELS_KINDS; k++)
		for (i = 0; i < CONFIG_NODES_MAX; i++)
			if (b->levels[k][i] > m.levels[k][i])
				m.levels[k][i] = b->levels[k][i];
	for (k = 0; k < SERIES_KINDS; k++) {
		if (b->max[k] > m.max[k])
			m.max[k] = b->max[k];
		for (i = 0; i < SERIES_GRADES; i++)
			m.grades[k][i] += b->grades[k][i];
	}
	*to = m;
}

/* When all buckets are in use, merge them in pairs: each is twice as long. */
static void
halve(struct series *s)
{
	size_t i;

	for (i = 0; i < SERIES_BUCKETS / 2; i++)
		merge(
		    &s->buckets[i], &s->buckets[2 * i], &s->buckets[2 * i + 1]);
	memset(&s->buckets[SERIES_BUCKETS / 2], 0,
	    sizeof(s->buckets[0]) * (SERIES_BUCKETS - SERIES_BUCKETS / 2));
	s->n = SERIES_BUCKETS / 2;
	s->step_ns *= 2;
}

static void
mark_active(struct series *s)
{
	unsigned lane, mode;

	for (lane = 0; lane < SERIES_LANES; lane++)
		for (mode = 0; mode < s->nmodes; mode++)
			if (s->active[lane][mode] > 0)
				s->now->faults[lane] |= 1U << mode;
}

/* Time under faults up to now belongs to the bucket in use. */
static void
count_faulty(struct series *s, uint64_t now_ns)
{
	unsigned lane;

	for (lane = 0; lane < SERIES_LANES; lane++) {
		if (s->nactive[lane] == 0)
			continue;
		if (s->since_ns[lane] >= s->start_ns &&
		    now_ns > s->since_ns[lane])
			s->now->faulty_ns[lane] += now_ns - s->since_ns[lane];
		s->since_ns[lane] = now_ns;
	}
}

static void
advance(struct series *s, uint64_t now_ns)
{
	while (now_ns >= s->end_ns) {
		if (s->n > 0)
			count_faulty(s, s->end_ns);
		if (s->n == SERIES_BUCKETS)
			halve(s);
		s->now = &s->buckets[s->n++];
		s->end_ns = s->start_ns + s->n * s->step_ns;
		mark_active(s);
	}
}

void
series_begin(struct series *s, uint64_t now_ns)
{
	unsigned lane;

	if (s == NULL || s->start_ns != 0)
		return;
	s->start_ns = s->end_ns = now_ns;
	for (lane = 0; lane < SERIES_LANES; lane++)
		s->since_ns[lane] = now_ns;
	advance(s, now_ns);
}

/* The bucket of this time is in use; false when there is none. */
static inline bool
reach(struct series *s, uint64_t now_ns)
{
	if (s == NULL || s->start_ns == 0)
		return false;
	if (now_ns >= s->end_ns)
		advance(s, now_ns);
	return true;
}

void
series_pass(struct series *s, uint64_t now_ns)
{
	(void)reach(s, now_ns); /* nothing is counted in the bucket */
}

void
series_round(struct series *s, uint64_t now_ns)
{
	if (reach(s, now_ns))
		s->now->rounds++;
}

void
series_latency(
    struct series *s, enum series_kind kind, uint64_t now_ns, uint64_t ns)
{
	if (!reach(s, now_ns))
		return;
	s->now->grades[kind][grade_of(ns)]++;
	if (ns > s->now->max[kind])
		s->now->max[kind] = ns;
}

void
series_anomaly(struct series *s, uint64_t now_ns)
{
	if (reach(s, now_ns))
		s->now->anomalies++;
}

void
series_level(
    struct series *s, uint64_t now_ns, const struct msg_server_level *m)
{
	const uint64_t levels[LEVELS_KINDS] = {
	    [LEVELS_MEMORY] = m->memory >> 10,
	    [LEVELS_GOROUTINES] = m->goroutines,
	    [LEVELS_FILES] = m->files,
	    [LEVELS_SUBSCRIPTIONS] = m->subscriptions,
	    [LEVELS_CONNECTIONS] = m->connections};
	uint32_t *to;
	unsigned k;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX || !reach(s, now_ns))
		return;
	for (k = 0; k < LEVELS_KINDS; k++) {
		to = &s->now->levels[k][m->node - 1];
		if (levels[k] >= *to)
			*to = levels[k] < UINT32_MAX ? (uint32_t)levels[k] + 1
						     : UINT32_MAX;
	}
}

void
series_stall(
    struct series *s, uint64_t begin_ns, uint64_t end_ns, bool is_ack_wait)
{
	const struct series_stall stall = {begin_ns, end_ns, is_ack_wait};
	struct series_stall *least;
	size_t i;

	if (s == NULL || end_ns - begin_ns < SERIES_LONG_NS)
		return;
	s->stalls_seen++;
	s->stalled_ns += end_ns - begin_ns;
	if (s->nstalls < SERIES_STALLS) {
		s->stalls[s->nstalls++] = stall;
		return;
	}
	least = &s->stalls[0];
	for (i = 1; i < SERIES_STALLS; i++)
		if (s->stalls[i].end_ns - s->stalls[i].begin_ns <
		    least->end_ns - least->begin_ns)
			least = &s->stalls[i];
	if (end_ns - begin_ns > least->end_ns - least->begin_ns)
		*least = stall;
}

static unsigned
mode_of(struct series *s, const char *mode)
{
	unsigned i;

	for (i = 0; i < s->nmodes; i++)
		if (strcmp(s->modes[i], mode) == 0)
			return i;
	if (s->nmodes == SERIES_MODES)
		return SERIES_MODES - 1;
	text_set(s->modes[i], sizeof(s->modes[i]),
	    i == SERIES_MODES - 1 ? "others" : mode);
	s->nmodes++;
	return i;
}

void
series_fault(struct series *s, uint64_t now_ns, const char *mode, unsigned lane,
    bool begins)
{
	bool has_begun;
	unsigned m;

	if (s == NULL)
		return;
	m = mode_of(s, mode);
	has_begun = reach(s, now_ns);
	if (has_begun)
		count_faulty(s, now_ns);
	if (begins) {
		s->active[lane][m]++;
		if (s->nactive[lane]++ == 0)
			s->since_ns[lane] = now_ns;
	}
	if (has_begun)
		mark_active(s);
	if (!begins && s->active[lane][m] > 0) {
		s->active[lane][m]--;
		s->nactive[lane]--;
	}
}

uint64_t
series_quantile(
    const struct series_bucket *b, enum series_kind kind, double fraction)
{
	const uint32_t *grades = b->grades[kind];
	uint64_t total = 0, seen = 0, low, high;
	double want;
	unsigned i;

	for (i = 0; i < SERIES_GRADES; i++)
		total += grades[i];
	if (total == 0)
		return 0;
	want = fraction * (double)total;
	for (i = 0; i < SERIES_GRADES - 1; i++) {
		if ((double)(seen + grades[i]) >= want && grades[i] > 0)
			break;
		seen += grades[i];
	}
	if (i == SERIES_GRADES - 1)
		return b->max[kind];
	low = grade_begin(i);
	high = grade_begin(i + 1);
	/* Within a grade the samples are taken to lie evenly. */
	low += (uint64_t)((double)(high - low) * (want - (double)seen) /
			  (double)grades[i]);
	return low < b->max[kind] ? low : b->max[kind];
}
