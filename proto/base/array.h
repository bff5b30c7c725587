/* SPDX-License-Identifier: ISC */
/*
 * Growing arrays: a pointer, how many elements there is room for, and this
 * one function. The owner frees the pointer.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Make room for at least n elements of size bytes each. array is the address
 * of the pointer to the first; the pointer may be NULL. Room is doubled, and
 * new room is zeroed. 0, -ENOMEM, or -ENOSPC when n is above max; the array
 * is as it was then.
 */
int array_reserve(
    void *array, uint32_t *room, size_t n, size_t size, uint32_t max);

#endif
