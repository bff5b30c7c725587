/* SPDX-License-Identifier: ISC */
/*
 * A map from numbers to numbers that costs memory only where it is uneven:
 * runs in which key and value both go up by one are one entry. Stream
 * sequence to message counter is such a map; so are the sets of sequences
 * (value = key). Embedded in its owner.
 */
#ifndef CHECK_SEQMAP_H
#define CHECK_SEQMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seqmap_run {
	uint64_t key, value, len;
};

struct seqmap {
	struct seqmap_run *runs; /* sorted by key, disjoint */
	size_t n;
	uint32_t room;
	uint64_t count; /* keys held */
};

void seqmap_init(struct seqmap *);
void seqmap_fini(struct seqmap *);

/*
 * Add key -> value. 0; -EEXIST when key is there already (nothing changes,
 * whatever its value); -ENOMEM.
 */
int seqmap_add(struct seqmap *, uint64_t key, uint64_t value);

/*
 * Add len keys, each its own value, behind all that are held. 0; -EINVAL
 * when they don't lie behind; -ENOMEM.
 */
int seqmap_append(struct seqmap *, uint64_t key, uint64_t len);

/*
 * Add all keys from first to last that are not there, each its own value, to
 * a map of such keys. 0 or -ENOMEM.
 */
int seqmap_cover(struct seqmap *, uint64_t first, uint64_t last);

/* How many keys lie from first to last, and which is the lowest and highest. */
struct seqmap_part {
	uint64_t count, low, high;
};
struct seqmap_part seqmap_between(
    const struct seqmap *, uint64_t first, uint64_t last);

bool seqmap_find(const struct seqmap *, uint64_t key, uint64_t *value);

/* The lowest key with this value: linear in the number of runs. */
bool seqmap_find_value(const struct seqmap *, uint64_t value, uint64_t *key);

/* The lowest key >= from of a that b has not; false when there is none. */
bool seqmap_first_missing(const struct seqmap *a, const struct seqmap *b,
    uint64_t from, uint64_t *key);

/*
 * Bound the memory: of more than runs runs the lowest quarter is forgotten.
 * Returns the highest key forgotten, 0 when nothing was.
 */
uint64_t seqmap_trim(struct seqmap *, size_t runs);
/* Forget the first n runs. */
void seqmap_drop(struct seqmap *, size_t n);

/* Highest key held, 0 when empty. */
uint64_t seqmap_last(const struct seqmap *);

#endif
