/* SPDX-License-Identifier: ISC */
/* What the sequences of a stream hold; see seqlog.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/seqlog.h"
#include "proto/base/array.h"

#define RING_FIRST ((size_t)64)

/* A bijection whose output bits depend on all input bits (splitmix64). */
static uint64_t
mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t
times(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;
	uint64_t r = ((uint64_t)p & SEQLOG_PRIME) + (uint64_t)(p >> 61);

	return r >= SEQLOG_PRIME ? r - SEQLOG_PRIME : r;
}

static uint64_t
plus(uint64_t a, uint64_t b)
{
	uint64_t r = a + b;

	return r >= SEQLOG_PRIME ? r - SEQLOG_PRIME : r;
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a >= b ? a - b : a + SEQLOG_PRIME - b;
}

/* 1/a, by Fermat: a to the power of p - 2. */
static uint64_t
inverse(uint64_t a)
{
	uint64_t e = SEQLOG_PRIME - 2, r = 1;

	for (; e != 0; e >>= 1) {
		if (e & 1)
			r = times(r, a);
		a = times(a, a);
	}
	return r;
}

void
seqlog_digest_fini(struct seqlog_digest *d)
{
	free(d->blocks);
	memset(d, 0, sizeof(*d));
}

uint64_t
seqlog_digest_width(const struct seqlog_digest *d)
{
	return d->width != 0 ? d->width : SEQLOG_BLOCK;
}

/* Two blocks become one; the places in the second are then further on. */
static void
merge_pairs(struct seqlog_digest *d)
{
	uint64_t width = seqlog_digest_width(d);
	struct seqlog_block *to, b;
	uint32_t i;

	for (i = 0; i < d->n; i++) {
		b = d->blocks[i];
		memset(&d->blocks[i], 0, sizeof(b));
		to = &d->blocks[i / 2];
		to->count += b.count;
		to->hash += b.hash;
		to->ids = plus(to->ids, b.ids);
		to->weighted = plus(to->weighted, b.weighted);
		if (i % 2 != 0)
			to->weighted = plus(to->weighted, times(width, b.ids));
	}
	d->width = 2 * width;
}

void
seqlog_digest_widen(struct seqlog_digest *d, uint64_t width)
{
	while (seqlog_digest_width(d) < width)
		merge_pairs(d);
}

int
seqlog_digest_add(struct seqlog_digest *d, uint64_t seq, uint64_t id)
{
	uint64_t small = id % SEQLOG_PRIME, width;
	struct seqlog_block *b;

	while (seq / seqlog_digest_width(d) >= SEQLOG_BLOCKS)
		merge_pairs(d);
	width = seqlog_digest_width(d);
	b = array_at(&d->blocks, &d->n, seq / width, sizeof(*b), SEQLOG_BLOCKS);
	if (b == NULL)
		return -ENOMEM;
	b->count++;
	b->hash += mix(seq + UINT64_C(0x9e3779b97f4a7c15) * mix(id));
	b->ids = plus(b->ids, small);
	b->weighted = plus(b->weighted, times(seq % width + 1, small));
	return 0;
}

uint64_t
seqlog_digest_place(
    const struct seqlog_block *a, const struct seqlog_block *b, uint64_t width)
{
	uint64_t ids = minus(a->ids, b->ids), place;

	if (ids == 0)
		return width;
	place = times(minus(a->weighted, b->weighted), inverse(ids));
	return place == 0 || place > width ? width : place - 1;
}

void
seqlog_init(struct seqlog *l)
{
	memset(l, 0, sizeof(*l));
}

void
seqlog_fini(struct seqlog *l)
{
	free(l->ring);
	seqmap_fini(&l->runs);
	seqmap_fini(&l->late);
	seqmap_fini(&l->set);
	seqlog_digest_fini(&l->digest);
	seqlog_init(l);
}

/* Fold the older half of the runs into digests. */
static int
fold(struct seqlog *l)
{
	size_t n = l->runs.n / 2, i;
	const struct seqmap_run *r;
	uint64_t k;
	int err = 0;

	for (i = 0; i < n && err == 0; i++) {
		r = &l->runs.runs[i];
		for (k = 0; k < r->len && err == 0; k++)
			err = seqlog_digest_add(
			    &l->digest, r->key + k, r->value + k);
	}
	if (err < 0)
		return err;
	r = &l->runs.runs[n - 1];
	l->folded = r->key + r->len;
	seqmap_drop(&l->runs, n);
	return 0;
}

static int
runs_add(struct seqlog *l, uint64_t seq, uint64_t id)
{
	int err = seqmap_add(&l->runs, seq, id);

	if (err == 0 && l->runs.n > SEQLOG_RUNS_MAX)
		err = fold(l);
	return err;
}

static uint64_t *
ring_at(const struct seqlog *l, uint64_t seq)
{
	return &l->ring[seq & (l->room - 1)];
}

/* The ring moves on until it has room for seq. */
static int
ring_advance(struct seqlog *l, uint64_t seq)
{
	uint64_t base = seq - l->room + 1, end, at;
	int err = 0;

	end = base - l->base > l->room ? l->base + l->room : base;
	for (at = l->base; at != end && err == 0; at++) {
		if (*ring_at(l, at) == 0)
			continue;
		err = runs_add(l, at, *ring_at(l, at));
		*ring_at(l, at) = 0;
	}
	l->base = base;
	return err;
}

static int
ring_resize(struct seqlog *l, size_t room)
{
	uint64_t *old = l->ring, *ring = calloc(room, sizeof(*ring)), at;
	size_t before = l->room;

	if (ring == NULL)
		return -ENOMEM;
	for (at = l->base; before > 0 && at != l->base + before; at++)
		ring[at & (room - 1)] = old[at & (before - 1)];
	free(old);
	l->ring = ring;
	l->room = room;
	l->behind = 0;
	return 0;
}

/* Below the ring: many of those tell that it is too small. */
static int
add_behind(struct seqlog *l, uint64_t seq, uint64_t id)
{
	int err;

	if (seq < l->folded)
		return seqmap_add(&l->late, seq, id);
	err = runs_add(l, seq, id);
	if (err == 0 && ++l->behind > l->room / 4 && l->room < SEQLOG_RING_MAX)
		err = ring_resize(l, l->room * 2);
	return err;
}

int
seqlog_add(struct seqlog *l, uint64_t seq, uint64_t id)
{
	int err = 0;

	if (l->room == 0) {
		err = ring_resize(l, RING_FIRST);
		l->base = seq;
	}
	if (err == 0)
		err = seqmap_add(&l->set, seq, seq);
	if (err < 0)
		return err;
	if (seq < l->base)
		return add_behind(l, seq, id);
	if (seq - l->base >= l->room)
		err = ring_advance(l, seq);
	if (err == 0)
		*ring_at(l, seq) = id;
	return err;
}

bool
seqlog_has(const struct seqlog *l, uint64_t seq)
{
	uint64_t same;

	return seqmap_find(&l->set, seq, &same);
}

bool
seqlog_find(const struct seqlog *l, uint64_t seq, uint64_t *id)
{
	if (l->room != 0 && seq >= l->base) {
		if (seq - l->base >= l->room)
			return false;
		*id = *ring_at(l, seq);
		return *id != 0;
	}
	if (seq < l->folded)
		return seqmap_find(&l->late, seq, id);
	return seqmap_find(&l->runs, seq, id);
}

bool
seqlog_find_id(const struct seqlog *l, uint64_t id, uint64_t *seq)
{
	size_t i;

	if (seqmap_find_value(&l->runs, id, seq) ||
	    seqmap_find_value(&l->late, id, seq))
		return true;
	for (i = 0; i < l->room; i++) {
		*seq = l->base + i;
		if (*ring_at(l, *seq) == id)
			return true;
	}
	return false;
}
