/* SPDX-License-Identifier: ISC */
/* Segments of a journal in memory; see image.h. */
#include "tests/image.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "proto/base/file.h"
#include "proto/base/text.h"

#define IMAGE_MAX ((size_t)64 << 20)
#define RUN	  UINT64_C(4711)

static void
add(struct buf *b, const void *data, size_t len)
{
	assert_int_equal(buf_append(b, data, len), 0);
}

void
image_load(struct buf *b, const char *dir, unsigned segment, bool packed)
{
	char path[SUPPORT_PATH_MAX + 32];
	size_t len;
	char *data;

	text_format(path, sizeof(path), "%s/journal/%06u.nbj%s", dir, segment,
	    packed ? ".zst" : "");
	data = file_read(path, IMAGE_MAX, &len);
	assert_non_null(data);
	buf_init(b, IMAGE_MAX);
	add(b, data, len);
	free(data);
}

void
image_unpack(struct buf *plain, const struct buf *packed)
{
	ZSTD_inBuffer in = {buf_data(packed), buf_len(packed), 0};
	ZSTD_DCtx *codec = ZSTD_createDCtx();
	ZSTD_outBuffer out;
	size_t left = 1;

	assert_non_null(codec);
	buf_init(plain, IMAGE_MAX);
	while (in.pos < in.size || left != 0) {
		out = (ZSTD_outBuffer){buf_reserve(plain, 65536), 65536, 0};
		assert_non_null(out.dst);
		left = ZSTD_decompressStream(codec, &out, &in);
		assert_false(ZSTD_isError(left));
		buf_commit(plain, out.pos);
	}
	(void)ZSTD_freeDCtx(codec); /* can't fail */
}

void
image_pack(struct buf *packed, const struct buf *plain)
{
	size_t room = ZSTD_compressBound(buf_len(plain)), len;
	ZSTD_CCtx *codec = ZSTD_createCCtx();

	assert_non_null(codec);
	len = ZSTD_CCtx_setParameter(codec, ZSTD_c_checksumFlag, 1);
	assert_false(ZSTD_isError(len));
	buf_init(packed, IMAGE_MAX);
	assert_non_null(buf_reserve(packed, room));
	len = ZSTD_compress2(codec, buf_reserve(packed, room), room,
	    buf_data(plain), buf_len(plain));
	assert_false(ZSTD_isError(len));
	buf_commit(packed, len);
	(void)ZSTD_freeCCtx(codec); /* can't fail */
}

static void
piece(struct image_pieces *p, size_t at, size_t len)
{
	assert_true(p->n < IMAGE_PIECES_MAX);
	p->piece[p->n++] = (struct image_piece){at, len};
}

/* Blocks, or the frames in them. */
static void
take_apart(const struct buf *plain, struct image_pieces *p, bool frames)
{
	const uint8_t *data = buf_data(plain);
	size_t at = BLOCK_MAGIC_SIZE, end, used;
	uint64_t chain = 0;
	struct block b;
	struct event ev;

	p->n = 0;
	for (; at < buf_len(plain); at = end) {
		assert_int_equal(
		    block_look(data + at, buf_len(plain) - at, &chain, &b),
		    BLOCK_WHOLE);
		end = at + BLOCK_HEAD + b.body;
		if (!frames)
			piece(p, at, end - at);
		if (!frames || b.kind != BLOCK_EVENTS)
			continue;
		for (at += BLOCK_HEAD; at < end; at += used) {
			assert_int_equal(
			    frame_decode(data + at, end - at, &ev, &used),
			    FRAME_WHOLE);
			piece(p, at, used);
		}
	}
}

void
image_blocks(const struct buf *plain, struct image_pieces *p)
{
	take_apart(plain, p, false);
}

void
image_frames(const struct buf *plain, struct image_pieces *p)
{
	take_apart(plain, p, true);
}

/* The body of a block stands from there to the end: give it its head. */
static void
close_block(struct buf *out, size_t at, enum block_kind kind, uint64_t *chain)
{
	block_close(
	    buf_data(out) + at, buf_len(out) - at - BLOCK_HEAD, kind, chain);
}

static size_t
open_block(struct buf *out)
{
	static const uint8_t head[BLOCK_HEAD];

	add(out, head, sizeof(head));
	return buf_len(out) - BLOCK_HEAD;
}

void
image_build(struct buf *out, unsigned version, const uint8_t *data,
    const struct image_pieces *p, size_t block)
{
	const struct block_segment segment = {1, RUN, 0, false};
	uint8_t body[BLOCK_SEGMENT_BODY];
	struct block_end end = {BLOCK_OVER, 0};
	uint64_t chain = 0;
	size_t i, at;

	buf_init(out, IMAGE_MAX);
	add(out, version == 1 ? BLOCK_MAGIC_OLD : BLOCK_MAGIC,
	    BLOCK_MAGIC_SIZE);
	block_put_segment(body, &segment);
	at = version == 1 ? 0 : open_block(out);
	if (version != 1) {
		add(out, body, BLOCK_SEGMENT_BODY);
		close_block(out, at, BLOCK_SEGMENT, &chain);
	}
	for (i = 0; i < p->n; i++) {
		if (version != 1 && i % block == 0)
			at = open_block(out);
		add(out, data + p->piece[i].at, p->piece[i].len);
		if (version != 1 && (i % block == block - 1 || i == p->n - 1))
			close_block(out, at, BLOCK_EVENTS, &chain);
	}
	if (version == 1)
		return;
	at = open_block(out);
	end.link = chain;
	block_put_end(body, &end);
	add(out, body, BLOCK_END_BODY);
	close_block(out, at, BLOCK_END, &chain);
}

enum journal_state
image_read(const struct journal_bytes *segments, unsigned n, uint64_t *events)
{
	struct journal_reader r;
	enum journal_state state;
	const uint8_t *raw;
	struct event ev;
	size_t len;

	assert_int_equal(journal_open_memory(&r, segments, n), 0);
	while ((state = journal_next(&r, &ev, &raw, &len)) == JOURNAL_EVENT)
		;
	*events = r.events;
	/* What is over stays over. */
	assert_int_equal(journal_next(&r, &ev, &raw, &len), state);
	journal_reader_fini(&r);
	return state;
}
