/* SPDX-License-Identifier: ISC */
/*
 * Text that is written piece by piece into memory, by way of stdio. As
 * open_memstream(), but that one forgets that memory ran out: glibc 2.36
 * drops what it had no room for, goes on, and ferror() and fclose() say
 * nothing of it.
 */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include <stdbool.h>
#include <stdio.h>

/* Stays where it is while it is open. */
struct stream {
	char *text;
	size_t len, room;
	bool has_failed;
	FILE *file; /* to write to */
};

/* Begin: what to write to, or NULL without memory. */
FILE *stream_open(struct stream *);

/*
 * No more: 0 and the text, the caller's, with a NUL behind it that len does
 * not count; or -ENOMEM and no text, when not all of it is there.
 */
int stream_close(struct stream *, char **text, size_t *len);

/* Give up what was written; nothing, if it was closed or never opened. */
void stream_drop(struct stream *);

#endif
