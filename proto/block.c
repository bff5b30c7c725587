/* SPDX-License-Identifier: ISC */
/* What a segment of the journal is made of; see block.h. */
#include <endian.h>
#include <string.h>
#include <xxhash.h>

#include "proto/block.h"

#define KIND_SHIFT 24
/* One of the magics of frames that are skipped, and how long its rest is. */
#define SEAL_MAGIC UINT32_C(0x184d2a5e)
#define SEAL_REST  (BLOCK_SEAL - 8)

static void
put_u32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static void
put_u64(uint8_t *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof(v));
}

static uint32_t
get_u32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint64_t
get_u64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

void
block_close(uint8_t *block, size_t body, enum block_kind kind, uint64_t *chain)
{
	uint64_t head;

	put_u32(block, (uint32_t)kind << KIND_SHIFT | (uint32_t)body);
	head = XXH3_64bits_withSeed(block, 4, *chain);
	put_u32(block + 4, (uint32_t)head);
	*chain = XXH3_64bits_withSeed(block + BLOCK_HEAD, body, head);
	put_u64(block + 8, *chain);
}

enum block_state
block_look(const uint8_t *data, size_t len, uint64_t *chain, struct block *b)
{
	uint64_t head, sum;
	uint32_t word;

	if (len < BLOCK_HEAD)
		return BLOCK_MORE;
	word = get_u32(data);
	head = XXH3_64bits_withSeed(data, 4, *chain);
	b->kind = (enum block_kind)(word >> KIND_SHIFT);
	b->body = word & ((UINT32_C(1) << KIND_SHIFT) - 1);
	if (get_u32(data + 4) != (uint32_t)head || b->kind < BLOCK_SEGMENT ||
	    b->kind >= BLOCK_KINDS || b->body == 0 || b->body > BLOCK_BODY_MAX)
		return BLOCK_DAMAGED;
	if (len - BLOCK_HEAD < b->body)
		return BLOCK_MORE;
	sum = XXH3_64bits_withSeed(data + BLOCK_HEAD, b->body, head);
	if (get_u64(data + 8) != sum)
		return BLOCK_DAMAGED;
	*chain = sum;
	return BLOCK_WHOLE;
}

void
block_put_segment(
    uint8_t out[BLOCK_SEGMENT_BODY], const struct block_segment *s)
{
	put_u32(out, s->number);
	put_u64(out + 4, s->run);
	put_u64(out + 12, s->previous);
	out[20] = s->has_beats;
}

bool
block_get_segment(const uint8_t *body, size_t len, struct block_segment *s)
{
	if (len != BLOCK_SEGMENT_BODY || body[20] > 1)
		return false;
	s->number = get_u32(body);
	s->run = get_u64(body + 4);
	s->previous = get_u64(body + 12);
	s->has_beats = body[20] != 0;
	return true;
}

void
block_put_end(uint8_t out[BLOCK_END_BODY], const struct block_end *e)
{
	out[0] = (uint8_t)e->how;
	put_u64(out + 1, e->link);
}

bool
block_get_end(const uint8_t *body, size_t len, struct block_end *e)
{
	if (len != BLOCK_END_BODY || body[0] < BLOCK_GOES_ON ||
	    body[0] > BLOCK_OVER_DAMAGED)
		return false;
	e->how = (enum block_how)body[0];
	e->link = get_u64(body + 1);
	return true;
}

bool
block_may_be_end(const uint8_t head[BLOCK_HEAD])
{
	return get_u32(head) ==
	       ((uint32_t)BLOCK_END << KIND_SHIFT | BLOCK_END_BODY);
}

void
block_put_seal(uint8_t out[BLOCK_SEAL], uint64_t bytes, uint64_t sum)
{
	put_u32(out, SEAL_MAGIC);
	put_u32(out + 4, SEAL_REST);
	put_u64(out + 8, bytes);
	put_u64(out + 16, sum);
}

bool
block_is_seal(
    const uint8_t *data, size_t len, uint64_t bytes, const uint64_t *sum)
{
	uint8_t want[BLOCK_SEAL];
	size_t known = sum != NULL ? BLOCK_SEAL : BLOCK_SEAL - sizeof(*sum);

	block_put_seal(want, bytes, sum != NULL ? *sum : 0);
	return len <= BLOCK_SEAL &&
	       memcmp(data, want, len < known ? len : known) == 0;
}
