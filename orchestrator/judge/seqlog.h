/* SPDX-License-Identifier: ISC */
/*
 * What is known of the sequences of a stream: which message each holds.
 * New ones stand in a ring, one step away. What leaves the ring becomes
 * runs (see seqmap.h), which is exact, and next to nothing as long as one
 * publisher's messages follow each other. Where publishers interleave the
 * runs are short: then the oldest are folded into digests of blocks, which
 * can no longer say what a sequence holds but still tell whether a full
 * scan reads the same. There are SEQLOG_BLOCKS of these at most: the longer
 * the stream, the wider they are. Embedded in its owner.
 */
#ifndef CHECK_SEQLOG_H
#define CHECK_SEQLOG_H

#include "orchestrator/judge/seqmap.h"

#define SEQLOG_BLOCK	UINT64_C(4096) /* sequences of a digest, at least */
#define SEQLOG_BLOCKS	(UINT64_C(1) << 18)
#define SEQLOG_RUNS_MAX ((size_t)65536) /* then half are folded */
#define SEQLOG_RING_MAX ((size_t)65536) /* entries */
#define SEQLOG_PRIME	((UINT64_C(1) << 61) - 1)

/*
 * Sums over the pairs of a block, in any order. The hashes convict; the two
 * weighted sums (modulo a prime) find the place when one pair is wrong.
 */
struct seqlog_block {
	uint64_t count, hash, ids, weighted;
};

struct seqlog_digest {
	struct seqlog_block *blocks;
	uint32_t n;
	uint64_t width; /* sequences of a block; 0: SEQLOG_BLOCK */
};

void seqlog_digest_fini(struct seqlog_digest *);

/* Add a pair: 0 or -ENOMEM. */
int seqlog_digest_add(struct seqlog_digest *, uint64_t seq, uint64_t id);

/* Sequences of a block; and make them at least so wide as another's. */
uint64_t seqlog_digest_width(const struct seqlog_digest *);
void seqlog_digest_widen(struct seqlog_digest *, uint64_t width);

/*
 * The place, from 0, of the one wrong pair of two blocks of such a width with
 * equal counts, or the width when more than one is wrong.
 */
uint64_t seqlog_digest_place(
    const struct seqlog_block *a, const struct seqlog_block *b, uint64_t width);

struct seqlog {
	uint64_t *ring; /* ids, 0 for none, by sequence */
	size_t room;
	uint64_t base; /* lowest sequence of the ring */
	size_t behind; /* additions that came when the ring had moved on */
	struct seqmap runs, late; /* sequence -> id, exact */
	struct seqmap set;	  /* every sequence that is known */
	uint64_t folded;	  /* below this only digests, and late */
	struct seqlog_digest digest;
};

void seqlog_init(struct seqlog *);
void seqlog_fini(struct seqlog *);

/*
 * Note that seq holds id (not 0). 0; -EEXIST when something is known of seq
 * already, whatever it is; -ENOMEM.
 */
int seqlog_add(struct seqlog *, uint64_t seq, uint64_t id);

/* Something is known of seq. */
bool seqlog_has(const struct seqlog *, uint64_t seq);

/* What seq holds: true and *id; false when nothing is known or it is folded. */
bool seqlog_find(const struct seqlog *, uint64_t seq, uint64_t *id);

/* A sequence that holds id, where that is known exactly: slow. */
bool seqlog_find_id(const struct seqlog *, uint64_t id, uint64_t *seq);

#endif
