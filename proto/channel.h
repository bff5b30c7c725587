/* SPDX-License-Identifier: ISC */
/*
 * One direction of a pipe. channel_out stamps events with its source,
 * incarnation, the next sequence and the time, and gathers them until a
 * flush; channel_in takes bytes in and hands events out. The caller owns
 * the descriptors.
 */
#ifndef PROTO_CHANNEL_H
#define PROTO_CHANNEL_H

#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/frame.h"

#define CHANNEL_OUT_MAX                                                        \
	((size_t)1 << 20)		   /* bytes waiting for a slow reader  \
					    */
#define CHANNEL_FILL_BYTES ((size_t)32768) /* of one read */
#define CHANNEL_IN_MAX	   ((size_t)1 << 17)

struct channel_out {
	int fd;
	uint32_t source, incarnation;
	uint64_t seq;	  /* of the last event */
	uint64_t last_ns; /* its time: stamps never go back */
	struct buf buf;
};

void channel_out_init(
    struct channel_out *, int fd, uint32_t source, uint32_t incarnation);
void channel_out_fini(struct channel_out *);

/*
 * Stamp an event (its stamp is filled in; a heartbeat gets the number of the
 * event before it) and queue it. What is queued is
 * written before it grows beyond one atomic write; where fd does not block
 * and the pipe is full, it stays queued. 0; -EPIPE when the reader is gone;
 * -ENOBUFS when CHANNEL_OUT_MAX bytes wait for it.
 */
int channel_send(struct channel_out *, struct event *);

/* Write what is queued: 0, -EAGAIN (non-blocking, full) or -errno. */
int channel_flush(struct channel_out *);

struct channel_in {
	int fd;
	bool at_end; /* end of file was seen */
	struct buf buf;
};

void channel_in_init(struct channel_in *, int fd);
void channel_in_fini(struct channel_in *);

/* Take in what one read gives: bytes > 0, 0 at end of file, or -errno. */
int channel_fill(struct channel_in *);

/*
 * The next event. On FRAME_WHOLE *raw and *raw_len are its frame, valid
 * until the next fill. FRAME_MORE with at_end and bytes left is a torn end.
 */
enum frame_state channel_next(
    struct channel_in *, struct event *, const uint8_t **raw, size_t *raw_len);

/* True when half a frame stands behind the last event at end of file. */
bool channel_is_torn(const struct channel_in *);

#endif
