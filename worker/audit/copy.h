/* SPDX-License-Identifier: ISC */
/*
 * One server's copy of a stream, as hashes: subject, header, sequence, time
 * and content of every message go into the hash of a block of sequences, so
 * that copies compare in little memory and a difference has a place.
 */
#ifndef WORKER_COPY_H
#define WORKER_COPY_H

#include "worker/internal.h"

#define COPY_BLOCK 256 /* sequences that a hash is for */

struct copy {
	char server[64];
	uint64_t first, last, messages;
	uint64_t *blocks; /* hashes; block i begins at i * COPY_BLOCK */
	uint32_t nblocks;
	bool is_read;
};

/* Forget what was read; copy_fini() also gives its memory back. */
void copy_reset(struct copy *);
void copy_fini(struct copy *);

uint64_t copy_message_hash(natsMsg *, const struct delivery *);

/* Enter a message; they come in order of their sequences. 0 or -ENOMEM. */
int copy_enter(struct copy *, natsMsg *, const struct delivery *);

/* The hash of block i, 0 when nothing is in it. */
uint64_t copy_hash_at(const struct copy *, uint32_t i);

/* One hash over all blocks up to the last message. */
uint64_t copy_hash(const struct copy *);

#endif
