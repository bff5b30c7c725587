/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as what an API server sends over a WebSocket, head and frames:
 * however they are cut, the same frames are read and nothing behind a bad
 * one; and what a client writes of it has the same bytes below its mask.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_frame.h"

#define SHORT_MAX 125
#define FNV_BASE  UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* All that was read: how many frames, a sum of them, how it ended. */
struct seen {
	uint64_t sum;
	size_t frames, used;
	long end;
	int status;
};

static void
add_sum(struct seen *s, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		s->sum = (s->sum ^ data[i]) * FNV_PRIME;
}

/* A client's frame is a server's but for the mask. */
static void
put_back(const struct kube_frame *f)
{
	struct kube_frame again;
	struct buf out;
	uint8_t *p;
	size_t i;
	int err;

	buf_init(&out, 256);
	err = kube_frame_put(&out, f->opcode, f->data, f->len);
	MUST(err == (f->len > SHORT_MAX ? -EMSGSIZE : 0));
	if (err == 0) {
		MUST(buf_len(&out) == f->len + 6);
		p = buf_data(&out);
		MUST((p[1] & 0x80) != 0);
		MUST(kube_frame_next(&out, &again) == -EPROTO);
		p[1] &= 0x7f;
		for (i = 0; i < f->len; i++)
			p[6 + i] ^= p[2 + i % 4];
		MUST(f->len == 0 || memcmp(p + 6, f->data, f->len) == 0);
		MUST(kube_frame_next(&out, &again) == (long)f->len + 2);
		MUST(again.opcode == f->opcode && again.is_last);
	}
	buf_fini(&out);
}

static void
take_frames(struct seen *s, struct buf *in)
{
	struct kube_frame f;

	while ((s->end = kube_frame_next(in, &f)) > 0) {
		MUST((size_t)s->end <= buf_len(in));
		MUST(f.len <= KUBE_FRAME_MAX);
		MUST(f.data >= buf_data(in) &&
		     f.data + f.len == buf_data(in) + s->end);
		put_back(&f);
		s->sum = (s->sum ^ f.opcode) * FNV_PRIME + f.is_last;
		add_sum(s, f.data, f.len);
		s->frames++;
		s->used += (size_t)s->end;
		buf_consume(in, (size_t)s->end);
	}
	MUST(s->end == 0 || s->end == -EPROTO || s->end == -EMSGSIZE);
}

static struct seen
read_in(const uint8_t *data, size_t size, size_t piece, bool has_head)
{
	struct seen s = {.sum = FNV_BASE, .status = -EPROTO};
	struct buf in;
	size_t at, len;

	buf_init(&in, size + 1);
	for (at = 0; at < size && s.end == 0; at += len) {
		len = size - at < piece ? size - at : piece;
		MUST(buf_append(&in, data + at, len) == 0);
		if (has_head) {
			s.used = kube_frame_head(&in, &s.status);
			MUST(s.used <= buf_len(&in) && s.status <= 999);
			if (s.used == 0)
				continue;
			buf_consume(&in, s.used);
			has_head = false;
		}
		take_frames(&s, &in);
	}
	MUST(s.end < 0 || buf_len(&in) + s.used == size);
	buf_fini(&in);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {1, 2, 7, 100};
	struct seen whole, cut;
	unsigned head;
	size_t i;

	for (head = 0; head < 2; head++) {
		whole = read_in(data, size, size, head == 1);
		for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			cut = read_in(data, size, pieces[i], head == 1);
			MUST(cut.sum == whole.sum && cut.end == whole.end);
			MUST(cut.frames == whole.frames);
			MUST(cut.used == whole.used);
			MUST(cut.status == whole.status);
		}
	}
	return 0;
}
