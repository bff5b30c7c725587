/* SPDX-License-Identifier: ISC */
/*
 * The journal: the released history on disk, as segments of blocks of frames
 * (block.h), each compressed on its way to the disk
 * (journal/000001.nbj.zst, ...). A writer that was killed leaves at most a
 * torn end of the last segment. Plain segments (000001.nbj) are read alike.
 *
 * No event is given out before the checksum of its block was compared. So
 * whatever changed, is missing or stands in another's place is said at the
 * first block that is not what was written. Version 1 had no blocks: its
 * compressed segments are looked through before their events are given out,
 * and of its plain ones nothing can be said.
 */
#ifndef PROTO_JOURNAL_H
#define PROTO_JOURNAL_H

#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/block.h"
#include "proto/frame.h"

#define JOURNAL_PATH_MAX    768
#define JOURNAL_SEGMENT_MAX ((uint64_t)64 << 20) /* before compression */
#define JOURNAL_HELD_MAX    ((size_t)2 << 20)	 /* while the disk is full */

enum journal_state {
	JOURNAL_EVENT,
	JOURNAL_END,	 /* every segment was read */
	JOURNAL_TORN,	 /* the last segment ends where its writer was killed */
	JOURNAL_DAMAGED, /* something that no writer of ours leaves */
	JOURNAL_STATES
};

struct journal_writer {
	char dir[JOURNAL_PATH_MAX];
	char suffix[8]; /* of a file that is not in its place yet */
	int fd;
	unsigned segment;
	uint64_t run, previous; /* of this segment's head */
	bool has_beats;		/* likewise */
	uint64_t chain;		/* checksum of the last block */
	uint64_t segment_max;	/* bytes before compression; may be lowered */
	size_t held_max;	/* bytes held back; may be lowered */
	uint64_t segment_bytes; /* of this segment, before compression */
	uint64_t segment_disk;	/* of this segment, on disk */
	uint64_t bytes, events; /* of all, before compression */
	int error;	 /* first -errno; what comes after it is held back */
	bool is_cut;	 /* too much was held back: nothing more is taken */
	struct buf buf;	 /* the block that is being filled */
	struct buf out;	 /* not written yet */
	size_t old;	 /* of those: bytes of the segment before */
	uint64_t packed; /* bytes of this segment that the codec gave */
	struct XXH3_state_s *sum;  /* of those */
	struct ZSTD_CCtx_s *codec; /* NULL: plain */
};

struct journal_reader;

/*
 * Make dir/journal and its first segment, of this run; or of a copy of what
 * the reader reads, which is plain, for whoever packs it himself. 0 or -errno.
 */
int journal_create(struct journal_writer *, const char *dir, uint64_t run);
int journal_create_copy(
    struct journal_writer *, const char *dir, const struct journal_reader *);

/*
 * Append one frame. 0 or the first -errno that ever happened: the frame is
 * then held back in memory, up to held_max, for journal_retry().
 */
int journal_append(struct journal_writer *, const uint8_t *raw, size_t len);

/* Hand everything to the kernel: it then survives our death. */
int journal_flush(struct journal_writer *);

/* There may be room again: write what was held back. 0 or -errno. */
int journal_retry(struct journal_writer *);

/*
 * Flush, say that the journal ends here, and close. A copy says how the
 * journal ended that it is a copy of: a reader of it then says the same.
 */
int journal_close(struct journal_writer *);
int journal_close_copy(struct journal_writer *, enum journal_state);

/*
 * Write a segment anew, while the reader reads it: what is appended stands in
 * a file beside it. journal_rewrite_end() puts that in its place, whole and
 * synced, when the reader has come to the end of the old one; with NULL it is
 * removed. 0 or -errno; the old one then stays.
 */
int journal_rewrite_begin(
    struct journal_writer *, const struct journal_reader *);
int journal_rewrite_end(struct journal_writer *, const struct journal_reader *);

/* A segment in memory; borrowed. */
struct journal_bytes {
	const uint8_t *data;
	size_t len;
	bool is_packed;
};

struct journal_reader {
	char dir[JOURNAL_PATH_MAX];
	const struct journal_bytes *memory; /* NULL: files of dir */
	int fd;
	unsigned segment, last;	 /* being read; the last that there is */
	bool is_single;		 /* this segment alone */
	unsigned version;	 /* of the format: 1 or 2 */
	bool has_head;		 /* of the segment: it was read */
	uint64_t run, previous;	 /* of it */
	bool has_beats;		 /* sequences have gaps where heartbeats were */
	uint64_t chain;		 /* checksum of the last block */
	struct block_end end;	 /* of the segment, once it was read */
	uint64_t link;		 /* of the end of the segment before */
	enum journal_state over; /* how it ended; JOURNAL_EVENT before that */
	const char *why;	 /* what is damaged, in words */
	struct buf buf;
	size_t block; /* bytes in it that are verified */
	uint64_t events;
	size_t offset;	/* in memory: bytes taken */
	uint64_t size;	/* bytes taken of this segment */
	bool is_packed; /* this segment is compressed */
	bool is_sealed; /* and was written to its end */
	uint8_t seal[BLOCK_SEAL];
	bool in_pack;	    /* and its end was not seen */
	bool has_more;	    /* the codec holds more than it gave */
	size_t wanted;	    /* bytes that it asks for */
	uint64_t left;	    /* bytes before its seal */
	uint8_t *packed;    /* compressed bytes */
	size_t at, npacked; /* of those: used, and all */
	struct XXH3_state_s *sum;
	struct ZSTD_DCtx_s *codec;
};

/*
 * Open the journal of a run folder, or one segment of it. 0 or -errno when
 * there is none that can be opened; what is wrong in it journal_next() says.
 */
int journal_open(struct journal_reader *, const char *dir);
int journal_open_segment(
    struct journal_reader *, const char *dir, unsigned segment);

/* The same of n segments in memory, which live as long as the reader. */
int journal_open_memory(
    struct journal_reader *, const struct journal_bytes *, unsigned n);

/* The next event; raw and raw_len (may be NULL) are its frame. */
enum journal_state journal_next(struct journal_reader *, struct event *,
    const uint8_t **raw, size_t *raw_len);

void journal_reader_fini(struct journal_reader *);

/* Bytes of a segment on disk, or 0 when it can't be told. */
uint64_t journal_segment_size(const char *dir, unsigned segment);

#endif
