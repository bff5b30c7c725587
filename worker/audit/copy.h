/* SPDX-License-Identifier: ISC */
/*
 * One server's copy of a stream, as hashes: subject, header, sequence, time
 * and content of every message go into the hash of a block of sequences, so
 * that copies compare in little memory and a difference has a place. The blocks
 * are as wide as the range of sequences needs, for their number is bounded.
 */
#ifndef WORKER_COPY_H
#define WORKER_COPY_H

#include "worker/internal.h"

#define COPY_BLOCK  256	  /* sequences that a hash is for, at least */
#define COPY_BLOCKS 65536 /* hashes of a copy, at most */

/* What a copy is of: block i begins at from + i * width. */
struct copy_range {
	uint64_t from, to; /* sequences, both included */
	uint64_t width;	   /* of a block */
};

struct copy {
	char server[64];
	uint64_t first, last, messages;
	uint64_t *blocks; /* hashes */
	uint32_t nblocks;
	bool is_read;
};

/* The width that blocks have so that these go up to last. */
uint64_t copy_width(uint64_t from, uint64_t last);

/* Forget what was read; copy_fini() also gives its memory back. */
void copy_reset(struct copy *);
void copy_fini(struct copy *);

uint64_t copy_message_hash(natsMsg *, const struct delivery *);

/*
 * Enter a message of the range; they come in order of their sequences. What
 * lies behind the last block goes into that. 0 or -ENOMEM.
 */
int copy_enter(struct copy *, const struct copy_range *, natsMsg *,
    const struct delivery *);

/* The hash of block i, 0 when nothing is in it. */
uint64_t copy_hash_at(const struct copy *, uint32_t i);

/* One hash over all blocks up to the last message. */
uint64_t copy_hash(const struct copy *, const struct copy_range *);

#endif
