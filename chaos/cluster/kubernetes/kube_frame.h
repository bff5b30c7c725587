/* SPDX-License-Identifier: ISC */
/*
 * The frames of a WebSocket (RFC 6455) as the client of an exec sees them.
 * Pure: bytes in, frames out, in whatever pieces they come.
 */
#ifndef CHAOS_KUBE_FRAME_H
#define CHAOS_KUBE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"

#define KUBE_FRAME_MAX	    ((size_t)1 << 20)
#define KUBE_FRAME_HEAD_MAX 14

enum kube_opcode {
	KUBE_FRAME_MORE = 0, /* goes on with the message before */
	KUBE_FRAME_TEXT = 1,
	KUBE_FRAME_BINARY = 2,
	KUBE_FRAME_CLOSE = 8,
	KUBE_FRAME_PING = 9,
	KUBE_FRAME_PONG = 10,
};

struct kube_frame {
	enum kube_opcode opcode;
	bool is_last; /* of its message */
	const uint8_t *data;
	size_t len;
};

/*
 * The first frame in the buffer: its length there (to be consumed when the
 * frame was used), 0 when it is not whole yet, -EPROTO when it is none that
 * a server may send, -EMSGSIZE when it is longer than KUBE_FRAME_MAX.
 */
long kube_frame_next(const struct buf *, struct kube_frame *);

/*
 * Append a frame of a client, whose bytes must be masked. 0 or -errno (data
 * of up to 125 bytes: -EMSGSIZE).
 */
int kube_frame_put(
    struct buf *, enum kube_opcode, const void *data, size_t len);

/*
 * Length of the answer's head in the buffer, 0 when it is not whole yet.
 * *status is its HTTP status, -EPROTO if it has none.
 */
size_t kube_frame_head(const struct buf *, int *status);

#endif
