/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as the only segment of a journal, as they are and compressed:
 * reading ends, with an answer that fits, and no more is read than is there.
 * What events there are, in blocks whose checksums are right, is all read.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <zstd.h>

#include "proto/journal.h"

#define BLOCK_EVENTS_MAX 7 /* of a block that is made here */

/* Read to the end: the bytes of all events. */
static size_t
read_all(
    const uint8_t *data, size_t len, bool is_packed, enum journal_state *state)
{
	const struct journal_bytes bytes = {data, len, is_packed};
	struct journal_reader r;
	const uint8_t *raw;
	struct event ev;
	size_t raw_len, total = 0;

	MUST(journal_open_memory(&r, &bytes, 1) == 0);
	while (
	    (*state = journal_next(&r, &ev, &raw, &raw_len)) == JOURNAL_EVENT)
		total += raw_len;
	MUST((*state == JOURNAL_DAMAGED) == (r.why != NULL));
	journal_reader_fini(&r);
	return total;
}

/* The same compressed, whole and cut: as much of it, or less. */
static void
try_packed(const uint8_t *data, size_t size, enum journal_state was, size_t all)
{
	size_t room = ZSTD_compressBound(size), len, total;
	uint8_t *out = malloc(room);
	enum journal_state state;

	MUST(out != NULL);
	len = ZSTD_compress(out, room, data, size, 1);
	MUST(!ZSTD_isError(len));
	total = read_all(out, len, true, &state);
	MUST(total == all);
	/* Whoever ends a frame has written all that he had. */
	MUST(state == was || (was == JOURNAL_TORN && state == JOURNAL_DAMAGED));
	total = read_all(out, size % len, true, &state);
	MUST(total <= all && state != JOURNAL_END);
	free(out);
}

static void
add(struct buf *b, const void *data, size_t len)
{
	MUST(buf_append(b, data, len) == 0);
}

/* A block of this body behind what is in out. */
static void
add_block(struct buf *out, enum block_kind kind, const uint8_t *body,
    size_t len, uint64_t *chain)
{
	static const uint8_t head[BLOCK_HEAD];
	size_t at = buf_len(out);

	add(out, head, BLOCK_HEAD);
	add(out, body, len);
	block_close(buf_data(out) + at, len, kind, chain);
}

/* The frames that the bytes begin with, as a writer would have them. */
static void
try_blocks(const uint8_t *data, size_t size)
{
	const struct block_segment segment = {1, 1, 0, false};
	const struct block_end end = {BLOCK_OVER, 0};
	uint8_t body[BLOCK_SEGMENT_BODY];
	size_t used, at = 0, from = 0, n = 0;
	enum journal_state state;
	uint64_t chain = 0;
	struct event ev;
	struct buf out;

	buf_init(&out, 4 * size + 4096);
	add(&out, BLOCK_MAGIC, BLOCK_MAGIC_SIZE);
	block_put_segment(body, &segment);
	add_block(&out, BLOCK_SEGMENT, body, sizeof(body), &chain);
	while (frame_decode(data + at, size - at, &ev, &used) == FRAME_WHOLE) {
		at += used;
		if (++n % BLOCK_EVENTS_MAX != 0)
			continue;
		add_block(&out, BLOCK_EVENTS, data + from, at - from, &chain);
		from = at;
	}
	if (at > from)
		add_block(&out, BLOCK_EVENTS, data + from, at - from, &chain);
	block_put_end(body, &end);
	add_block(&out, BLOCK_END, body, BLOCK_END_BODY, &chain);
	MUST(read_all(buf_data(&out), buf_len(&out), false, &state) == at);
	MUST(state == JOURNAL_END);
	/* One byte changed, anywhere: never a whole one, never more. */
	buf_data(&out)[(size * 31 + at) % buf_len(&out)] ^= (uint8_t)(size | 1);
	MUST(read_all(buf_data(&out), buf_len(&out), false, &state) <= at);
	MUST(state == JOURNAL_DAMAGED);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum journal_state state;
	size_t total;

	total = read_all(data, size, false, &state);
	MUST(total <= size);
	try_packed(data, size, state, total);
	(void)read_all(data, size, true, &state);
	if (size > BLOCK_MAGIC_SIZE)
		try_blocks(data + BLOCK_MAGIC_SIZE, size - BLOCK_MAGIC_SIZE);
	return 0;
}
