/* SPDX-License-Identifier: ISC */
/*
 * What a segment of the journal is made of: a magic, then blocks. A block is
 * BLOCK_HEAD bytes, which tell its kind, its length and its checksums, and a
 * body: the segment's head, whole frames of events, or the segment's end.
 *
 * Each checksum is seeded with that of the block before it, so a block that
 * changed, moved or is missing does not fit. The head's own checksum makes
 * the length certain: bytes that lack at the end of a file are then told from
 * bytes that changed. All of it is plain data; nothing owns anything.
 *
 * A segment that was written to its end has the block of its end as its last
 * bytes. Behind a compressed one stands a seal, a zstd frame that decoders
 * skip: how many bytes are before it, and their checksum. Who wants more bytes
 * of a segment that ends so met damage; otherwise they were never written.
 */
#ifndef PROTO_BLOCK_H
#define PROTO_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_MAGIC	 "NBJRNL2\n"
#define BLOCK_MAGIC_OLD	 "NBJRNL1\n" /* version 1: frames and no blocks */
#define BLOCK_MAGIC_SIZE ((size_t)8)
#define BLOCK_HEAD	 ((size_t)16)
#define BLOCK_BODY_MAX	 ((size_t)128 << 10)
#define BLOCK_SEAL	 ((size_t)24)

enum block_kind {
	BLOCK_SEGMENT = 1, /* the first one: struct block_segment */
	BLOCK_EVENTS,
	BLOCK_END, /* the last one: struct block_end */
	BLOCK_KINDS
};

enum block_state {
	BLOCK_WHOLE,
	BLOCK_MORE,    /* the bytes end before the block does */
	BLOCK_DAMAGED, /* it is not as it was written, or in another's place */
	BLOCK_STATES
};

/* The head of a segment: which it is, of which journal. */
struct block_segment {
	uint32_t number;   /* from 1 */
	uint64_t run;	   /* run id */
	uint64_t previous; /* link of the segment before; 0 of the first */
	/*
	 * In version 1 a heartbeat took a sequence number, and heartbeats are
	 * in no journal: a copy of such a one has gaps where they were.
	 */
	bool has_beats;
};

/* How a segment ends. */
enum block_how {
	BLOCK_GOES_ON = 1, /* another segment follows */
	BLOCK_OVER,	   /* it is the last */
	BLOCK_OVER_TORN,   /* a copy of a journal that was torn here */
	BLOCK_OVER_DAMAGED /* or damaged */
};

struct block_end {
	enum block_how how;
	/*
	 * The last checksum of the segment as it was first written: the next
	 * one knows it by this, also when it is written anew.
	 */
	uint64_t link;
};

#define BLOCK_SEGMENT_BODY ((size_t)21)
#define BLOCK_END_BODY	   ((size_t)9)

/* A block that was found whole; its body stands BLOCK_HEAD bytes further. */
struct block {
	enum block_kind kind;
	size_t body; /* bytes of its body */
};

/*
 * Fill in the first BLOCK_HEAD bytes of a block whose body stands behind
 * them, 1 to BLOCK_BODY_MAX bytes. *chain is the checksum of the block before
 * (0 for the first of a segment) and then of this one.
 */
void block_close(
    uint8_t *block, size_t body, enum block_kind kind, uint64_t *chain);

/* The first block of len bytes; *chain moves on when it is whole. */
enum block_state block_look(
    const uint8_t *data, size_t len, uint64_t *chain, struct block *);

/* Bodies of heads and ends; false when these bytes are none. */
void block_put_segment(
    uint8_t out[BLOCK_SEGMENT_BODY], const struct block_segment *);
bool block_get_segment(const uint8_t *body, size_t len, struct block_segment *);
void block_put_end(uint8_t out[BLOCK_END_BODY], const struct block_end *);
bool block_get_end(const uint8_t *body, size_t len, struct block_end *);

/* Whether a block that begins so could be an end, whatever is before it. */
bool block_may_be_end(const uint8_t head[BLOCK_HEAD]);

/*
 * The seal behind a compressed segment of so many bytes and this checksum;
 * and whether these are its first len bytes (without sum: of any checksum).
 */
void block_put_seal(uint8_t out[BLOCK_SEAL], uint64_t bytes, uint64_t sum);
bool block_is_seal(
    const uint8_t *data, size_t len, uint64_t bytes, const uint64_t *sum);

#endif
