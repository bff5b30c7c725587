/* SPDX-License-Identifier: ISC */
/* A growable byte buffer; see buf.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"

#define BUF_FIRST ((size_t)512)

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_fini(struct buf *b)
{
	free(b->base);
	b->base = NULL;
	b->head = b->tail = b->room = 0;
}

size_t
buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

uint8_t *
buf_data(const struct buf *b)
{
	return b->base == NULL ? NULL : b->base + b->head;
}

static int
buf_grow(struct buf *b, size_t need)
{
	size_t room = b->room ? b->room : BUF_FIRST;
	uint8_t *base;

	while (room < need)
		room *= 2;
	base = realloc(b->base, room);
	if (base == NULL)
		return -ENOMEM;
	b->base = base;
	b->room = room;
	return 0;
}

uint8_t *
buf_reserve(struct buf *b, size_t len)
{
	size_t held = buf_len(b);

	if (len > b->max || held > b->max - len) {
		errno = ENOBUFS;
		return NULL;
	}
	if (b->base != NULL && b->room - b->tail >= len)
		return b->base + b->tail;
	/* Slide down when half is free, so that the copies stay amortised. */
	if (b->base != NULL && b->head >= held && b->room - held >= len) {
		memmove(b->base, b->base + b->head, held);
		b->head = 0;
		b->tail = held;
		return b->base + b->tail;
	}
	if (buf_grow(b, b->tail + len) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	return b->base + b->tail;
}

void
buf_commit(struct buf *b, size_t len)
{
	assert(len <= b->room - b->tail);
	b->tail += len;
}

int
buf_append(struct buf *b, const void *data, size_t len)
{
	uint8_t *room;

	if (len == 0)
		return 0;
	room = buf_reserve(b, len);
	if (room == NULL)
		return -errno;
	memcpy(room, data, len);
	buf_commit(b, len);
	return 0;
}

void
buf_consume(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->head += len;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}
