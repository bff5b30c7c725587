/* SPDX-License-Identifier: ISC */
/* A map from numbers to values; see hashmap.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/hashmap.h"
#include "proto/base/ensure.h"

#define ROOM_FIRST 64
#define ROOM_KEPT  16384 /* slots that are not given back */
#define NEIGHBOURS UINT64_C(16)

void
hashmap_init(struct hashmap *m, size_t size, uint32_t max)
{
	*m = (struct hashmap){.size = size, .max = max};
}

void
hashmap_fini(struct hashmap *m)
{
	free(m->slots);
	hashmap_init(m, m->size, m->max);
}

static char *
slot_at(const struct hashmap *m, size_t i)
{
	return m->slots + i * m->size;
}

static uint64_t
key_at(const struct hashmap *m, size_t i)
{
	uint64_t key;

	memcpy(&key, slot_at(m, i), sizeof(key));
	return key;
}

static size_t
home_of(const struct hashmap *m, uint64_t key)
{
	/* Ids of one time are looked up together, so they lie together. */
	uint64_t h = (key / NEIGHBOURS) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)((h >> 20) * NEIGHBOURS + key % NEIGHBOURS) &
	       (m->room - 1);
}

/* The slot that has the key, or the free one where it would stand. */
static size_t
place_of(const struct hashmap *m, uint64_t key)
{
	size_t i = home_of(m, key);
	uint64_t there = key_at(m, i);

	while (there != 0 && there != key) {
		i = (i + 1) & (m->room - 1);
		there = key_at(m, i);
	}
	return i;
}

void *
hashmap_find(const struct hashmap *m, uint64_t key)
{
	size_t i;

	if (m->room == 0 || key == 0)
		return NULL;
	i = place_of(m, key);
	return key_at(m, i) != 0 ? slot_at(m, i) : NULL;
}

/* Give the table another size, a power of two. */
static int
resize(struct hashmap *m, size_t room)
{
	struct hashmap to = *m;
	size_t i;

	to.room = room;
	to.slots = calloc(room, m->size);
	if (to.slots == NULL)
		return -ENOMEM;
	for (i = 0; i < m->room; i++)
		if (key_at(m, i) != 0)
			memcpy(slot_at(&to, place_of(&to, key_at(m, i))),
			    slot_at(m, i), m->size);
	free(m->slots);
	*m = to;
	return 0;
}

void *
hashmap_add(struct hashmap *m, uint64_t key)
{
	char *value;

	if (m->n >= m->max || key == 0)
		return NULL;
	if ((m->n + 1) * 2 > m->room &&
	    resize(m, m->room != 0 ? m->room * 2 : ROOM_FIRST) < 0)
		return NULL;
	value = slot_at(m, place_of(m, key));
	memcpy(value, &key, sizeof(key));
	m->n++;
	return value;
}

/*
 * A search ends at a free slot, so values behind the hole that would stand
 * before it are moved into it.
 */
void
hashmap_remove(struct hashmap *m, void *value)
{
	size_t mask = m->room - 1, i, home;
	size_t hole = (size_t)((char *)value - m->slots) / m->size;

	ensure(hole < m->room && key_at(m, hole) != 0 && m->n > 0);
	for (i = (hole + 1) & mask; key_at(m, i) != 0; i = (i + 1) & mask) {
		home = home_of(m, key_at(m, i));
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			memcpy(slot_at(m, hole), slot_at(m, i), m->size);
			hole = i;
		}
	}
	memset(slot_at(m, hole), 0, m->size);
	m->n--;
}

void *
hashmap_next(const struct hashmap *m, size_t *at)
{
	size_t i;

	for (i = *at; i < m->room; i++)
		if (key_at(m, i) != 0) {
			*at = i + 1;
			return slot_at(m, i);
		}
	*at = i;
	return NULL;
}

int
hashmap_shrink(struct hashmap *m)
{
	if (m->room <= ROOM_KEPT || m->n * 8 >= m->room)
		return 0;
	return resize(m, m->room / 2);
}
