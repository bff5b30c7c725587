/* SPDX-License-Identifier: ISC */
/*
 * Growing arrays: a pointer, and how many elements there is room for. The
 * owner frees the pointer.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Make room for at least n elements of size bytes each. array is the address
 * of the pointer to the first; the pointer may be NULL. Room is doubled, and
 * new room is zeroed. 0, -ENOMEM, or -ENOSPC when n is above max; the array
 * is as it was then.
 */
int array_reserve(
    void *array, uint32_t *room, size_t n, size_t size, uint32_t max);

/*
 * Element i, for arrays where every element that there is room for counts:
 * room is made as needed, and an element is zeroed until it is written to.
 * NULL without memory, or when i is not below max.
 */
static inline void *
array_at(void *array, uint32_t *room, size_t i, size_t size, uint32_t max)
{
	char *base;

	if (i >= *room &&
	    (i >= max || array_reserve(array, room, i + 1, size, max) < 0))
		return NULL;
	memcpy(&base, array, sizeof(base));
	return base + i * size;
}

/*
 * Of n elements of size bytes each, sorted by the uint64_t that each begins
 * with: the index of the first whose number is not below key, or n.
 */
uint32_t array_lower(const void *array, uint32_t n, size_t size, uint64_t key);

#endif
