/* SPDX-License-Identifier: ISC */
/*
 * A file that others write is read as it grows, line by line. What is longer
 * than TAIL_LINE_MAX is cut.
 */
#ifndef CHAOS_TAIL_H
#define CHAOS_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_LINE_MAX 512

struct tail {
	uint64_t at;		  /* bytes that were read */
	char line[TAIL_LINE_MAX]; /* what was read of the next line */
	size_t len;
};

/* From now on what is written behind what the file has already. */
void tail_begin(struct tail *, const char *path);

/*
 * Give the lines that were written since then, in about max bytes, without
 * their ends. Returns how many bytes were read, 0 when there are no more now:
 * also without the file.
 */
size_t tail_read(struct tail *, const char *path, size_t max,
    void (*take)(void *arg, const char *line), void *arg);

/* True when all that the file has now was read; false when it can't be told. */
bool tail_is_at_end(const struct tail *, const char *path);

#endif
