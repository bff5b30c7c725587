/* SPDX-License-Identifier: ISC */
/* Frames: how an event travels; see frame.h. */
#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

#define HEAD_BYTES   2
#define STAMP_FIELDS 6 /* version, type, source, incarnation, seq, time */
#define ZONE_BYTES   8192

struct cursor {
	uint8_t *at, *end;
};

static int
cursor_write(void *arg, const char *data, size_t len)
{
	struct cursor *c = arg;

	if ((size_t)(c->end - c->at) < len)
		return -1;
	memcpy(c->at, data, len);
	c->at += len;
	return 0;
}

static int
pack_field(
    msgpack_packer *p, const struct event *ev, const struct message_field *f)
{
	const char *text = (const char *)&ev->u + f->offset;
	size_t len;

	if (f->type == FIELD_string) {
		len = strnlen(text, f->size - 1);
		return msgpack_pack_str(p, len) < 0 ||
			       msgpack_pack_str_body(p, text, len) < 0
			   ? -1
			   : 0;
	}
	if (f->type == FIELD_i64)
		return msgpack_pack_int64(p, message_get(ev, f));
	return msgpack_pack_uint64(p, (uint64_t)message_get(ev, f));
}

int
frame_encode(const struct event *ev, uint8_t out[FRAME_MAX])
{
	const struct message_spec *spec = message_spec(ev->type);
	struct cursor c = {out + HEAD_BYTES, out + FRAME_MAX};
	msgpack_packer p;
	size_t len;
	unsigned i;
	int bad;

	if (spec == NULL)
		return -EINVAL;
	msgpack_packer_init(&p, &c, cursor_write);
	bad = msgpack_pack_array(&p, STAMP_FIELDS + spec->nfields) < 0;
	bad |= msgpack_pack_uint8(&p, MESSAGE_VERSION) < 0;
	bad |= msgpack_pack_uint8(&p, (uint8_t)ev->type) < 0;
	bad |= msgpack_pack_uint32(&p, ev->source) < 0;
	bad |= msgpack_pack_uint32(&p, ev->incarnation) < 0;
	bad |= msgpack_pack_uint64(&p, ev->seq) < 0;
	bad |= msgpack_pack_uint64(&p, ev->time_ns) < 0;
	for (i = 0; i < spec->nfields; i++)
		bad |= pack_field(&p, ev, &spec->fields[i]) < 0;
	if (bad)
		return -EMSGSIZE;
	len = (size_t)(c.at - out);
	out[0] = (uint8_t)((len - HEAD_BYTES) & 0xff);
	out[1] = (uint8_t)((len - HEAD_BYTES) >> 8);
	return (int)len;
}

static int
take_u64(const msgpack_object *o, uint64_t max, uint64_t *out)
{
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > max)
		return -EINVAL;
	*out = o->via.u64;
	return 0;
}

static int
take_i64(const msgpack_object *o, char *at)
{
	int64_t v;

	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
	    o->via.u64 <= INT64_MAX)
		v = (int64_t)o->via.u64;
	else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		v = o->via.i64;
	else
		return -EINVAL;
	memcpy(at, &v, sizeof(v));
	return 0;
}

static int
take_text(const msgpack_object *o, char *at, size_t size)
{
	size_t len = o->type == MSGPACK_OBJECT_STR ? o->via.str.size : size;

	at[0] = '\0';
	if (len == 0)
		return 0; /* msgpack-c gives no pointer then */
	if (len >= size || memchr(o->via.str.ptr, '\0', len) != NULL)
		return -EINVAL;
	memcpy(at, o->via.str.ptr, len);
	at[len] = '\0';
	return 0;
}

static int
take_field(
    const msgpack_object *o, struct event *ev, const struct message_field *f)
{
	static const uint64_t limits[] = {
	    [FIELD_u8] = UINT8_MAX,
	    [FIELD_u16] = UINT16_MAX,
	    [FIELD_u32] = UINT32_MAX,
	    [FIELD_u64] = UINT64_MAX,
	};
	char *at = (char *)&ev->u + f->offset;
	uint64_t v;

	if (f->type == FIELD_string)
		return take_text(o, at, f->size);
	if (f->type == FIELD_i64)
		return take_i64(o, at);
	if (take_u64(o, limits[f->type], &v) < 0)
		return -EINVAL;
	switch (f->size) {
	case 1:
		*(uint8_t *)at = (uint8_t)v;
		break;
	case 2:
		memcpy(at, &(uint16_t){(uint16_t)v}, sizeof(uint16_t));
		break;
	case 4:
		memcpy(at, &(uint32_t){(uint32_t)v}, sizeof(uint32_t));
		break;
	default:
		memcpy(at, &v, sizeof(v));
		break;
	}
	return 0;
}

static int
take_event(const msgpack_object *o, struct event *ev)
{
	const msgpack_object *item = o->via.array.ptr;
	const struct message_spec *spec;
	uint64_t version, type, source, incarnation;
	unsigned i;

	if (o->type != MSGPACK_OBJECT_ARRAY ||
	    o->via.array.size < STAMP_FIELDS ||
	    take_u64(&item[0], UINT8_MAX, &version) < 0 ||
	    version != MESSAGE_VERSION ||
	    take_u64(&item[1], MESSAGE_TYPES - 1, &type) < 0 ||
	    take_u64(&item[2], UINT32_MAX, &source) < 0 ||
	    take_u64(&item[3], UINT32_MAX, &incarnation) < 0 ||
	    take_u64(&item[4], UINT64_MAX, &ev->seq) < 0 ||
	    take_u64(&item[5], UINT64_MAX, &ev->time_ns) < 0)
		return -EINVAL;
	spec = message_spec((unsigned)type);
	if (spec == NULL || o->via.array.size < STAMP_FIELDS + spec->nfields)
		return -EINVAL;
	ev->type = (enum message_type)type;
	ev->source = (uint32_t)source;
	ev->incarnation = (uint32_t)incarnation;
	for (i = 0; i < spec->nfields; i++)
		if (take_field(&item[STAMP_FIELDS + i], ev, &spec->fields[i]) <
		    0)
			return -EINVAL;
	return 0;
}

/* What follows a msgpack marker from 0xc0 to 0xdf. */
static const struct marker {
	uint8_t count; /* bytes of a count */
	uint8_t bytes; /* bytes besides */
	uint8_t items; /* 0: the count is of bytes; else items for each */
} markers[32] = {
    /* bin, ext, float */
    [0x04] = {1, 0, 0},
    [0x05] = {2, 0, 0},
    [0x06] = {4, 0, 0},
    [0x07] = {1, 1, 0},
    [0x08] = {2, 1, 0},
    [0x09] = {4, 1, 0},
    [0x0a] = {0, 4, 0},
    [0x0b] = {0, 8, 0},
    /* integers */
    [0x0c] = {0, 1, 0},
    [0x0d] = {0, 2, 0},
    [0x0e] = {0, 4, 0},
    [0x0f] = {0, 8, 0},
    [0x10] = {0, 1, 0},
    [0x11] = {0, 2, 0},
    [0x12] = {0, 4, 0},
    [0x13] = {0, 8, 0},
    /* fixext, str, array, map */
    [0x14] = {0, 2, 0},
    [0x15] = {0, 3, 0},
    [0x16] = {0, 5, 0},
    [0x17] = {0, 9, 0},
    [0x18] = {0, 17, 0},
    [0x19] = {1, 0, 0},
    [0x1a] = {2, 0, 0},
    [0x1b] = {4, 0, 0},
    [0x1c] = {2, 0, 1},
    [0x1d] = {4, 0, 1},
    [0x1e] = {2, 0, 2},
    [0x1f] = {4, 0, 2},
};

/* The marker at *d: how many bytes and items it stands for. */
static void
measure(const uint8_t *d, size_t len, size_t *bytes, size_t *items)
{
	const struct marker *m;
	size_t count = 0;
	unsigned i;

	*bytes = 1;
	*items = 0;
	if (d[0] >= 0x80 && d[0] <= 0x9f)
		*items = (size_t)(d[0] & 15) * (d[0] < 0x90 ? 2 : 1);
	else if (d[0] >= 0xa0 && d[0] <= 0xbf)
		*bytes += d[0] & 31;
	if (d[0] < 0xc0 || d[0] > 0xdf)
		return;
	m = &markers[d[0] - 0xc0];
	*bytes += (size_t)m->count + m->bytes;
	if (*bytes > len)
		return;
	for (i = 1; i <= m->count; i++)
		count = count << 8 | d[i];
	if (m->items == 0)
		*bytes += count;
	*items = count * m->items;
}

/*
 * No more elements are claimed than there are bytes: msgpack-c asks for the
 * memory of all of them before it looks for the first.
 */
static bool
counts_fit(const uint8_t *d, size_t len)
{
	size_t left = 1, bytes, items;

	while (left > 0) {
		if (len == 0)
			return false;
		measure(d, len, &bytes, &items);
		if (bytes > len || items > len - bytes)
			return false;
		left += items;
		left--;
		d += bytes;
		len -= bytes;
	}
	return true;
}

/* One zone for the life of the process: its memory is reused by each frame. */
static msgpack_zone *decode_zone;

enum frame_state
frame_decode(const uint8_t *data, size_t len, struct event *ev, size_t *used)
{
	msgpack_object object;
	msgpack_unpack_return got;
	size_t body, at = 0;

	if (len < HEAD_BYTES)
		return FRAME_MORE;
	body = (size_t)(data[0] | data[1] << 8);
	if (body == 0 || body > FRAME_MAX - HEAD_BYTES)
		return FRAME_MALFORMED;
	if (len < HEAD_BYTES + body)
		return FRAME_MORE;
	if (!counts_fit(data + HEAD_BYTES, body))
		return FRAME_MALFORMED;
	if (decode_zone == NULL) {
		decode_zone = msgpack_zone_new(ZONE_BYTES);
		if (decode_zone == NULL)
			return FRAME_MALFORMED;
	}
	msgpack_zone_clear(decode_zone);
	got = msgpack_unpack(
	    (const char *)data + HEAD_BYTES, body, &at, decode_zone, &object);
	if (got != MSGPACK_UNPACK_SUCCESS || at != body ||
	    take_event(&object, ev) < 0)
		return FRAME_MALFORMED;
	*used = HEAD_BYTES + body;
	return FRAME_WHOLE;
}

void
frame_cleanup(void)
{
	if (decode_zone != NULL)
		msgpack_zone_free(decode_zone);
	decode_zone = NULL;
}
