/* SPDX-License-Identifier: ISC */
/* Frames: how an event travels; see frame.h. */
#include <endian.h>
#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

#define HEAD_BYTES   2
#define STAMP_FIELDS 6 /* version, type, source, incarnation, seq, time */
#define ZONE_BYTES   8192
/* Length, array, and the stamp's numbers. */
#define STAMP_BYTES_MAX (HEAD_BYTES + 3 + 9 * (size_t)STAMP_FIELDS)

/*
 * The writer and the first of two readers are written by hand, because every
 * event passes through them. What that reader does not expect (fields of a
 * later version, numbers below zero, damage) is read by msgpack-c.
 */
static uint8_t *
put_be(uint8_t *at, uint64_t v, unsigned bytes)
{
	while (bytes > 0)
		*at++ = (uint8_t)(v >> (8 * --bytes));
	return at;
}

static uint8_t *
put_u64(uint8_t *at, uint64_t v)
{
	if (v < 0x80) {
		*at++ = (uint8_t)v;
		return at;
	}
	if (v <= UINT8_MAX) {
		*at++ = 0xcc;
		return put_be(at, v, 1);
	}
	if (v <= UINT16_MAX) {
		*at++ = 0xcd;
		return put_be(at, v, 2);
	}
	if (v <= UINT32_MAX) {
		*at++ = 0xce;
		return put_be(at, v, 4);
	}
	*at++ = 0xcf;
	return put_be(at, v, 8);
}

static uint8_t *
put_i64(uint8_t *at, int64_t v)
{
	if (v >= 0)
		return put_u64(at, (uint64_t)v);
	if (v >= -32) {
		*at++ = (uint8_t)v;
		return at;
	}
	if (v >= INT8_MIN) {
		*at++ = 0xd0;
		return put_be(at, (uint64_t)v, 1);
	}
	if (v >= INT16_MIN) {
		*at++ = 0xd1;
		return put_be(at, (uint64_t)v, 2);
	}
	if (v >= INT32_MIN) {
		*at++ = 0xd2;
		return put_be(at, (uint64_t)v, 4);
	}
	*at++ = 0xd3;
	return put_be(at, (uint64_t)v, 8);
}

static uint8_t *
put_text(uint8_t *at, const char *text, size_t size)
{
	size_t len = strnlen(text, size - 1);

	if (len < 32)
		*at++ = (uint8_t)(0xa0 | len);
	else if (len <= UINT8_MAX) {
		*at++ = 0xd9;
		at = put_be(at, len, 1);
	} else {
		*at++ = 0xda;
		at = put_be(at, len, 2);
	}
	memcpy(at, text, len);
	return at + len;
}

static uint8_t *
put_field(uint8_t *at, const struct event *ev, const struct message_field *f)
{
	if (f->type == FIELD_string)
		return put_text(at, (const char *)&ev->u + f->offset, f->size);
	if (f->type == FIELD_i64)
		return put_i64(at, message_get(ev, f));
	return put_u64(at, (uint64_t)message_get(ev, f));
}

int
frame_encode(const struct event *ev, uint8_t out[FRAME_MAX])
{
	const struct message_spec *spec = message_spec(ev->type);
	uint8_t *at = out + HEAD_BYTES;
	size_t len;
	unsigned i;

	if (spec == NULL)
		return -EINVAL;
	/* Each field takes its bytes in memory and a marker of at most 5. */
	if (STAMP_BYTES_MAX + spec->size + 5 * (size_t)spec->nfields >
	    FRAME_MAX)
		return -EMSGSIZE;
	if (STAMP_FIELDS + spec->nfields < 16)
		*at++ = (uint8_t)(0x90 | (STAMP_FIELDS + spec->nfields));
	else {
		*at++ = 0xdc;
		at = put_be(at, STAMP_FIELDS + spec->nfields, 2);
	}
	at = put_u64(at, MESSAGE_VERSION);
	at = put_u64(at, ev->type);
	at = put_u64(at, ev->source);
	at = put_u64(at, ev->incarnation);
	at = put_u64(at, ev->seq);
	at = put_u64(at, ev->time_ns);
	for (i = 0; i < spec->nfields; i++)
		at = put_field(at, ev, &spec->fields[i]);
	len = (size_t)(at - out);
	out[0] = (uint8_t)((len - HEAD_BYTES) & 0xff);
	out[1] = (uint8_t)((len - HEAD_BYTES) >> 8);
	return (int)len;
}

/* The rest of a frame; bad is set when it can't be read further. */
struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static uint64_t
get_be(struct reader *r, unsigned bytes)
{
	size_t left = (size_t)(r->end - r->at);
	uint64_t v = 0;

	if (left < bytes) {
		r->bad = true;
		return 0;
	}
	if (left >= sizeof(v)) { /* the usual case: one load */
		memcpy(&v, r->at, sizeof(v));
		r->at += bytes;
		return be64toh(v) >> (64 - 8 * bytes);
	}
	while (bytes-- > 0)
		v = v << 8 | *r->at++;
	return v;
}

static uint64_t
get_u64(struct reader *r, uint64_t max)
{
	uint64_t v = get_be(r, 1);

	if (v >= 0x80) {
		if (v < 0xcc || v > 0xcf) {
			r->bad = true;
			return 0;
		}
		v = get_be(r, 1u << (v - 0xcc));
	}
	r->bad |= v > max;
	return v;
}

/* A string of less than size bytes, and a NUL behind it. */
static void
get_text(struct reader *r, char *out, size_t size)
{
	size_t len = (size_t)get_be(r, 1);

	if (len >= 0xa0 && len <= 0xbf)
		len &= 31;
	else if (len == 0xd9 || len == 0xda)
		len = (size_t)get_be(r, len == 0xd9 ? 1 : 2);
	else
		r->bad = true;
	if (r->bad || len >= size || (size_t)(r->end - r->at) < len ||
	    memchr(r->at, '\0', len) != NULL) {
		r->bad = true;
		return;
	}
	memcpy(out, r->at, len);
	out[len] = '\0';
	r->at += len;
}

static void
get_field(struct reader *r, struct event *ev, const struct message_field *f)
{
	char *at = (char *)&ev->u + f->offset;
	uint32_t v32;
	uint64_t v64;

	switch (f->type) {
	case FIELD_u8:
		*(uint8_t *)at = (uint8_t)get_u64(r, UINT8_MAX);
		break;
	case FIELD_u16:
		memcpy(at, &(uint16_t){(uint16_t)get_u64(r, UINT16_MAX)},
		    sizeof(uint16_t));
		break;
	case FIELD_u32:
		v32 = (uint32_t)get_u64(r, UINT32_MAX);
		memcpy(at, &v32, sizeof(v32));
		break;
	case FIELD_u64:
	case FIELD_i64:
		v64 = get_u64(r, f->type == FIELD_i64 ? INT64_MAX : UINT64_MAX);
		memcpy(at, &v64, sizeof(v64));
		break;
	case FIELD_string:
		get_text(r, at, f->size);
		break;
	}
}

/* True when the body is what a writer of this version makes. */
static bool
read_plain(const uint8_t *data, size_t len, struct event *ev)
{
	struct reader r = {data, data + len, false};
	const struct message_spec *spec;
	uint64_t count = get_be(&r, 1);
	unsigned i;

	if (count == 0xdc)
		count = get_be(&r, 2);
	else if (count >= 0x90 && count <= 0x9f)
		count &= 15;
	else
		return false;
	r.bad |= get_u64(&r, UINT8_MAX) != MESSAGE_VERSION;
	ev->type = (enum message_type)get_u64(&r, MESSAGE_TYPES - 1);
	ev->source = (uint32_t)get_u64(&r, UINT32_MAX);
	ev->incarnation = (uint32_t)get_u64(&r, UINT32_MAX);
	ev->seq = get_u64(&r, UINT64_MAX);
	ev->time_ns = get_u64(&r, UINT64_MAX);
	spec = r.bad ? NULL : message_spec(ev->type);
	if (spec == NULL || count != STAMP_FIELDS + spec->nfields)
		return false;
	for (i = 0; i < spec->nfields; i++)
		get_field(&r, ev, &spec->fields[i]);
	return !r.bad && r.at == r.end;
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
 * False when a count claims more elements than there are bytes. msgpack-c
 * would ask for the memory of all of them before it reads the first.
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
	if (read_plain(data + HEAD_BYTES, body, ev)) {
		*used = HEAD_BYTES + body;
		return FRAME_WHOLE;
	}
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
