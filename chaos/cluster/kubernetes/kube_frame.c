/* SPDX-License-Identifier: ISC */
/* Frames of a WebSocket; see kube_frame.h. */
#include <errno.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_frame.h"
#include "proto/base/rng.h"

#define SHORT_MAX 125 /* lengths beyond it have bytes of their own */

static bool
is_control(enum kube_opcode op)
{
	return op >= KUBE_FRAME_CLOSE;
}

static bool
is_known(unsigned op)
{
	return op <= KUBE_FRAME_BINARY ||
	       (op >= KUBE_FRAME_CLOSE && op <= KUBE_FRAME_PONG);
}

long
kube_frame_next(const struct buf *in, struct kube_frame *f)
{
	const uint8_t *p = buf_data(in);
	size_t have = buf_len(in), head = 2, i;
	uint64_t len;

	if (have < head)
		return 0;
	/* Reserved bits mean extensions, and servers don't mask. */
	if ((p[0] & 0x70) != 0 || (p[1] & 0x80) != 0 || !is_known(p[0] & 0x0f))
		return -EPROTO;
	f->opcode = (enum kube_opcode)(p[0] & 0x0f);
	f->is_last = (p[0] & 0x80) != 0;
	len = p[1];
	if (is_control(f->opcode) && (len > SHORT_MAX || !f->is_last))
		return -EPROTO;
	if (len > SHORT_MAX)
		head += len == 126 ? 2 : 8;
	if (have < head)
		return 0;
	if (head > 2)
		for (i = 2, len = 0; i < head; i++)
			len = len << 8 | p[i];
	if (len > KUBE_FRAME_MAX)
		return -EMSGSIZE;
	if (have < head + len)
		return 0;
	f->data = p + head;
	f->len = (size_t)len;
	return (long)(head + len);
}

int
kube_frame_put(
    struct buf *out, enum kube_opcode opcode, const void *data, size_t len)
{
	uint64_t mask = rng_fresh_seed();
	uint8_t bytes[6 + SHORT_MAX];
	const uint8_t *from = data;
	size_t i;

	if (len > SHORT_MAX)
		return -EMSGSIZE;
	bytes[0] = (uint8_t)(0x80U | (unsigned)opcode);
	bytes[1] = (uint8_t)(0x80U | len);
	for (i = 0; i < 4; i++)
		bytes[2 + i] = (uint8_t)(mask >> (8 * i));
	for (i = 0; i < len; i++)
		bytes[6 + i] = from[i] ^ bytes[2 + i % 4];
	return buf_append(out, bytes, 6 + len);
}

size_t
kube_frame_head(const struct buf *in, int *status)
{
	const char *p = (const char *)buf_data(in), *end;
	size_t have = buf_len(in);
	unsigned i;

	*status = -EPROTO;
	end = have > 0 ? memmem(p, have, "\r\n\r\n", 4) : NULL;
	if (end == NULL)
		return 0;
	/* "HTTP/1.1 101 ..." */
	if (end - p >= 12 && memcmp(p, "HTTP/1.", 7) == 0 && p[8] == ' ') {
		*status = 0;
		for (i = 9; i < 12 && *status >= 0; i++)
			*status = p[i] >= '0' && p[i] <= '9'
				      ? *status * 10 + (p[i] - '0')
				      : -EPROTO;
	}
	return (size_t)(end - p) + 4;
}
