/* SPDX-License-Identifier: ISC */
/*
 * The journal: the released history on disk, as segments of frames
 * (journal/000001.nbj, ...), each behind an 8-byte magic. A writer that was
 * killed leaves at most one torn frame at the end of the last segment.
 */
#ifndef PROTO_JOURNAL_H
#define PROTO_JOURNAL_H

#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/frame.h"

#define JOURNAL_PATH_MAX    768
#define JOURNAL_SEGMENT_MAX ((uint64_t)64 << 20)

struct journal_writer {
	char dir[JOURNAL_PATH_MAX];
	int fd;
	unsigned segment;
	uint64_t segment_bytes, bytes, events;
	int error; /* first -errno; nothing is written after it */
	struct buf buf;
};

/* Make dir/journal and its first segment. 0 or -errno. */
int journal_create(struct journal_writer *, const char *dir);

/* Append one frame. 0 or the first -errno that ever happened. */
int journal_append(struct journal_writer *, const uint8_t *raw, size_t len);

/* Hand everything to the kernel: it then survives our death. */
int journal_flush(struct journal_writer *);

/* Flush and close. */
int journal_close(struct journal_writer *);

enum journal_state {
	JOURNAL_EVENT,
	JOURNAL_END,	 /* every segment was read */
	JOURNAL_TORN,	 /* the last segment ends inside a frame */
	JOURNAL_DAMAGED, /* something that no writer of ours leaves */
	JOURNAL_STATES
};

struct journal_reader {
	char dir[JOURNAL_PATH_MAX];
	int fd;
	unsigned segment;
	struct buf buf;
	uint64_t events;
};

/* Open the journal of a run folder. 0 or -errno. */
int journal_open(struct journal_reader *, const char *dir);

/* The next event; raw and raw_len (may be NULL) are its frame. */
enum journal_state journal_next(struct journal_reader *, struct event *,
    const uint8_t **raw, size_t *raw_len);

void journal_reader_fini(struct journal_reader *);

#endif
