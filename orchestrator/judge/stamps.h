/* SPDX-License-Identifier: ISC */
/*
 * When something was noted last, by stream sequence. Sequences share a time,
 * which is the latest of theirs: few of them share it lately, and the more
 * the longer the stream is, for memory is bounded. Embedded in its owner,
 * zeroed at first.
 */
#ifndef CHECK_STAMPS_H
#define CHECK_STAMPS_H

#include <stdint.h>

#define STAMPS_BLOCK 1024  /* sequences that share a time lately */
#define STAMPS_RING  512   /* such blocks: lately */
#define STAMPS_MAX   65536 /* blocks of what is older, of any width */

struct stamps {
	uint64_t *ring; /* by block; NULL: nothing was noted */
	uint64_t top;	/* highest block of the ring */
	uint64_t *wide; /* what has left it */
	uint32_t nwide;
	uint64_t width; /* sequences of such a block; 0: STAMPS_BLOCK */
};

void stamps_fini(struct stamps *);

/* Note seq at now_ns, which is not 0. 0 or -ENOMEM. */
int stamps_note(struct stamps *, uint64_t seq, uint64_t now_ns);

/* When it was noted, or another one near it later; 0 for never. */
uint64_t stamps_at(const struct stamps *, uint64_t seq);

#endif
