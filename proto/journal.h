/* SPDX-License-Identifier: ISC */
/*
 * The journal: the released history on disk, as segments of frames behind
 * an 8-byte magic, each compressed on its way to the disk
 * (journal/000001.nbj.zst, ...). A writer that was killed leaves at most a
 * torn end of the last segment. Plain segments (000001.nbj) are read alike.
 */
#ifndef PROTO_JOURNAL_H
#define PROTO_JOURNAL_H

#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/frame.h"

#define JOURNAL_PATH_MAX    768
#define JOURNAL_SEGMENT_MAX ((uint64_t)64 << 20) /* before compression */
#define JOURNAL_HELD_MAX    ((size_t)2 << 20)	 /* while the disk is full */

struct journal_writer {
	char dir[JOURNAL_PATH_MAX];
	char suffix[8]; /* of a file that is not in its place yet */
	int fd;
	unsigned segment;
	uint64_t segment_max;	/* bytes before compression; may be lowered */
	size_t held_max;	/* bytes held back; may be lowered */
	uint64_t segment_bytes; /* of this segment, before compression */
	uint64_t segment_disk;	/* of this segment, on disk */
	uint64_t bytes, events; /* of all, before compression */
	int error;	/* first -errno; what comes after it is held back */
	bool is_cut;	/* too much was held back: nothing more is taken */
	struct buf buf; /* not compressed yet */
	struct buf out; /* not written yet */
	struct ZSTD_CCtx_s *codec; /* NULL: plain */
};

/*
 * Make dir/journal and its first segment; its events are compressed, or
 * plain for a reader that compresses itself. 0 or -errno.
 */
int journal_create(struct journal_writer *, const char *dir);
int journal_create_plain(struct journal_writer *, const char *dir);

/*
 * Append one frame. 0 or the first -errno that ever happened: the frame is
 * then held back in memory, up to held_max, for journal_retry().
 */
int journal_append(struct journal_writer *, const uint8_t *raw, size_t len);

/* Hand everything to the kernel: it then survives our death. */
int journal_flush(struct journal_writer *);

/* There may be room again: write what was held back. 0 or -errno. */
int journal_retry(struct journal_writer *);

/* Flush and close. */
int journal_close(struct journal_writer *);

/*
 * Write a segment anew: what is appended stands in a file beside it, which
 * journal_rewrite_end() puts in its place, whole and synced, or, when
 * is_wanted is false, removes. 0 or -errno; the old one then stays.
 */
int journal_rewrite_begin(
    struct journal_writer *, const char *dir, unsigned segment);
int journal_rewrite_end(struct journal_writer *, bool is_wanted);

enum journal_state {
	JOURNAL_EVENT,
	JOURNAL_END,	 /* every segment was read */
	JOURNAL_TORN,	 /* the last segment ends where its writer was killed */
	JOURNAL_DAMAGED, /* something that no writer of ours leaves */
	JOURNAL_STATES
};

struct journal_reader {
	char dir[JOURNAL_PATH_MAX];
	int fd;
	unsigned segment, last; /* being read; the last that there is */
	struct buf buf;
	uint64_t events;
	bool is_packed;	    /* this segment is compressed */
	bool in_pack;	    /* and its end was not seen */
	bool has_more;	    /* the codec holds more than it gave */
	size_t wanted;	    /* bytes that it asks for */
	uint8_t *packed;    /* compressed bytes */
	size_t at, npacked; /* of those: used, and all */
	struct ZSTD_DCtx_s *codec;
};

/* Open the journal of a run folder, or one segment of it. 0 or -errno. */
int journal_open(struct journal_reader *, const char *dir);
int journal_open_segment(
    struct journal_reader *, const char *dir, unsigned segment);

/* The next event; raw and raw_len (may be NULL) are its frame. */
enum journal_state journal_next(struct journal_reader *, struct event *,
    const uint8_t **raw, size_t *raw_len);

void journal_reader_fini(struct journal_reader *);

/* Bytes of a segment on disk, or 0 when it can't be told. */
uint64_t journal_segment_size(const char *dir, unsigned segment);

#endif
