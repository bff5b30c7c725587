/* SPDX-License-Identifier: ISC */
/* Growing arrays; see array.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define ROOM_FIRST 8

int
array_reserve(void *array, uint32_t *room, size_t n, size_t size, uint32_t max)
{
	uint64_t wanted = *room;
	char *base, *grown;

	if (n <= *room)
		return 0;
	if (n > max)
		return -ENOSPC;
	while (wanted < n)
		wanted = wanted ? wanted * 2 : ROOM_FIRST;
	if (wanted > max)
		wanted = max;
	if (wanted > SIZE_MAX / size)
		return -ENOMEM;
	/* Whatever the type of the pointer is, its bytes are a pointer's. */
	memcpy(&base, array, sizeof(base));
	grown = realloc(base, wanted * size);
	if (grown == NULL)
		return -ENOMEM;
	memset(grown + *room * size, 0, (wanted - *room) * size);
	memcpy(array, &grown, sizeof(grown));
	*room = (uint32_t)wanted;
	return 0;
}

uint32_t
array_lower(const void *array, uint32_t n, size_t size, uint64_t key)
{
	uint32_t low = 0, high = n, mid;
	uint64_t number;

	while (low < high) {
		mid = low + (high - low) / 2;
		memcpy(
		    &number, (const char *)array + mid * size, sizeof(number));
		if (number < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}
