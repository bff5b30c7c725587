/* SPDX-License-Identifier: ISC */
/*
 * Segments of a journal in memory, to be damaged: taken from a folder,
 * unpacked as zstd -d does it, or built of frames with all checksums right,
 * so that only what the frames say is wrong.
 */
#ifndef TESTS_IMAGE_H
#define TESTS_IMAGE_H

#include "proto/base/buf.h"
#include "proto/journal.h"

/* A piece of an image: a frame, or a block. */
struct image_piece {
	size_t at, len;
};

#define IMAGE_PIECES_MAX 4096

struct image_pieces {
	struct image_piece piece[IMAGE_PIECES_MAX];
	size_t n;
};

/* A segment's file as it stands there. To be buf_fini()ed, as all of these. */
void image_load(struct buf *, const char *dir, unsigned segment, bool packed);

/* What zstd -d makes of it; and what zstd makes of that. */
void image_unpack(struct buf *plain, const struct buf *packed);
void image_pack(struct buf *packed, const struct buf *plain);

/* The blocks of a plain segment; the frames in its blocks of events. */
void image_blocks(const struct buf *plain, struct image_pieces *);
void image_frames(const struct buf *plain, struct image_pieces *);

/*
 * A plain segment 1 of version 2, or of 1, that holds these pieces of data: a
 * block for each `block` of them.
 */
void image_build(struct buf *out, unsigned version, const uint8_t *data,
    const struct image_pieces *, size_t block);

/* How a journal of n segments ends, and how many events are read before. */
enum journal_state image_read(
    const struct journal_bytes *, unsigned n, uint64_t *events);

#endif
