/* SPDX-License-Identifier: ISC */
/*
 * Frames: how an event travels. Two bytes of length (little endian, of what
 * follows), then one msgpack array: version, type, source, incarnation,
 * sequence, time, fields in the order of messages.def. A frame is never
 * longer than FRAME_MAX, which is PIPE_BUF on Linux: writes of whole frames
 * up to that size are atomic, so a killed writer leaves no half event.
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

#define FRAME_MAX ((size_t)4096)

enum frame_state {
	FRAME_WHOLE,	 /* an event was read */
	FRAME_MORE,	 /* the bytes end before the frame does */
	FRAME_MALFORMED, /* never a frame of ours: length, type or range */
	FRAME_STATES
};

/*
 * Write the frame of an event. Returns its length, or -EINVAL for a type
 * that is not in the list. Strings are cut at their field's size.
 */
int frame_encode(const struct event *, uint8_t out[FRAME_MAX]);

/*
 * Read one frame from len bytes. On FRAME_WHOLE *used is its length and
 * the event is filled in; more fields than known are skipped, fewer, wrong
 * types, numbers out of range and trailing bytes are FRAME_MALFORMED.
 */
enum frame_state frame_decode(
    const uint8_t *data, size_t len, struct event *, size_t *used);

/* Release what the decoder keeps between calls (at process end). */
void frame_cleanup(void);

#endif
