/* SPDX-License-Identifier: ISC */
/*
 * Messages in memory: a flat structure a message, all made from
 * messages.def, and struct event, which is one message with its stamp.
 * Everything here is plain data; nothing owns anything.
 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_VERSION	   1
#define MESSAGE_TYPES	   128 /* numbers are below this */
#define MESSAGE_FIELDS_MAX 24

typedef uint8_t message_u8;
typedef uint16_t message_u16;
typedef uint32_t message_u32;
typedef uint64_t message_u64;
typedef int64_t message_i64;

enum message_type {
#define M(NAME, name, number, direction, text, fields) MESSAGE_##NAME = number,
#define F(message, type, field, key, text)
#define S(message, size, field, text)
#include "proto/messages.def"
#undef M
#undef F
#undef S
};

#define M(NAME, name, number, direction, text, fields)                         \
	struct msg_##name {                                                    \
		fields                                                         \
	};
#define F(message, type, field, key, text) message_##type field;
#define S(message, size, field, text)	   char field[size];
#include "proto/messages.def"
#undef M
#undef F
#undef S

/* One message with its stamp: what a pipe carries and a history holds. */
struct event {
	uint64_t time_ns; /* CLOCK_MONOTONIC of the sender */
	/* 1, 2, 3... for each source and incarnation; see channel_send(). */
	uint64_t seq;
	uint32_t source;      /* 0 the parent, 1 chaos, then the workers */
	uint32_t incarnation; /* 1 for the first process of this source */
	enum message_type type;
	union {
#define M(NAME, name, number, direction, text, fields) struct msg_##name name;
#define F(message, type, field, key, text)
#define S(message, size, field, text)
#include "proto/messages.def"
#undef M
#undef F
#undef S
	} u;
};

enum field_type {
	FIELD_u8,
	FIELD_u16,
	FIELD_u32,
	FIELD_u64,
	FIELD_i64,
	FIELD_string
};

/* What a number means. */
enum field_key {
	KEY_NONE,
	KEY_STREAM,
	KEY_CONSUMER,
	KEY_ID,
	KEY_SEQ,
	KEY_FAULT,
	KEY_CHILD
};

enum message_direction {
	DIRECTION_UP,
	DIRECTION_DOWN,
	DIRECTION_OWN
};

struct message_field {
	const char *name;
	enum field_type type;
	enum field_key key;
	size_t offset; /* in the message's structure */
	size_t size;
	const char *text;
};

struct message_spec {
	const char *name; /* NULL for a number that is not used */
	enum message_direction direction;
	const char *text;
	size_t size; /* of the structure */
	unsigned nfields;
	const struct message_field *fields;
};

/* The description of a type, or NULL when there is no such message. */
const struct message_spec *message_spec(unsigned type);

/* The value of an integer field. */
int64_t message_get(const struct event *, const struct message_field *);

/*
 * One line of text: time, source, name, fields. Returns the length it
 * would like, as snprintf does.
 */
int message_print(const struct event *, char *out, size_t size);

/* Message ids: the publishing source and its counter in one number. */
#define MESSAGE_ID_BITS 40
uint64_t message_id(uint32_t source, uint64_t counter);
uint32_t message_id_source(uint64_t id);
uint64_t message_id_counter(uint64_t id);

#endif
