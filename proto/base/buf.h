/* SPDX-License-Identifier: ISC */
/*
 * A growable byte buffer with a named maximum: bytes are appended at the
 * end and consumed from the front. Embedded in its owner; buf_fini()
 * releases what it holds. Pointers into it die with the next append.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *base; /* allocation, or NULL */
	size_t head;   /* first byte not yet consumed */
	size_t tail;   /* end of the bytes held */
	size_t room;   /* size of the allocation */
	size_t max;    /* most bytes that may be held at once */
};

/* An empty buffer that will hold at most max bytes. */
void buf_init(struct buf *, size_t max);
void buf_fini(struct buf *);

/* Bytes held, and the first of them. */
size_t buf_len(const struct buf *);
uint8_t *buf_data(const struct buf *);

/*
 * Room for len more bytes: a pointer to it, or NULL with errno ENOBUFS
 * (more than max) or ENOMEM. buf_commit() then says how many were written.
 */
uint8_t *buf_reserve(struct buf *, size_t len);
void buf_commit(struct buf *, size_t len);

/* Append len bytes: 0, -ENOBUFS or -ENOMEM. */
int buf_append(struct buf *, const void *data, size_t len);

/* Drop len bytes (at most buf_len) from the front. */
void buf_consume(struct buf *, size_t len);

#endif
