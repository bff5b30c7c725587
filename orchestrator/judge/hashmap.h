/* SPDX-License-Identifier: ISC */
/*
 * A map from numbers to values of one size. A value begins with its key, a
 * uint64_t that is never 0, and stands in the table itself: pointers to
 * values are valid until the next value is added or removed. The owner says
 * how many there may be.
 */
#ifndef JUDGE_HASHMAP_H
#define JUDGE_HASHMAP_H

#include <stddef.h>
#include <stdint.h>

struct hashmap {
	char *slots;  /* open addressing; a key of 0 is a free slot */
	size_t n;     /* values */
	size_t room;  /* slots, a power of two, or 0 */
	size_t size;  /* of a value, in bytes */
	uint32_t max; /* values */
};

void hashmap_init(struct hashmap *, size_t size, uint32_t max);
void hashmap_fini(struct hashmap *);

/* The value of key, or NULL. */
void *hashmap_find(const struct hashmap *, uint64_t key);

/*
 * A new value, zeroed behind its key, which must not be in the map. NULL
 * without memory, for a key of 0, or when there are max values.
 */
void *hashmap_add(struct hashmap *, uint64_t key);

/* Remove a value, which stands in this map. Others may move. */
void hashmap_remove(struct hashmap *, void *value);

/*
 * The first value in slot *at or later, NULL when there is none; *at becomes
 * the slot behind it. Begin with 0. Who removes the value that was found
 * steps *at back by one, for another may stand there now; values that moved
 * are seen once or twice then, never missed.
 */
void *hashmap_next(const struct hashmap *, size_t *at);

/* Halve the table when it is nearly empty. 0 or -ENOMEM. */
int hashmap_shrink(struct hashmap *);

#endif
