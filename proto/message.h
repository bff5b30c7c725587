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
#define MESSAGE_TYPES	   512 /* numbers are below this */
#define MESSAGE_FIELDS_MAX 24
#define MESSAGE_TEXT_MAX   4096 /* bytes of any text of an event's */

typedef uint8_t message_u8;
typedef uint16_t message_u16;
typedef uint32_t message_u32;
typedef uint64_t message_u64;
typedef int64_t message_i64;

enum message_type {
#define M(NAME, name, number, direction, class, text, fields)                  \
	MESSAGE_##NAME = number,
#include "proto/messages.def"
};

#define M(NAME, name, number, direction, class, text, fields)                  \
	struct msg_##name {                                                    \
		fields                                                         \
	};
#define F(message, type, field, key, text) message_##type field;
#define S(message, size, field, text)	   char field[size];
#include "proto/messages.def"

/* One message with its stamp: what a pipe carries and a history holds. */
struct event {
	uint64_t time_ns; /* CLOCK_MONOTONIC of the sender */
	/* 1, 2, 3... for each source and incarnation; see channel_send(). */
	uint64_t seq;
	uint32_t source;      /* 0 the parent, 1 chaos, then the workers */
	uint32_t incarnation; /* 1 for the first process of this source */
	enum message_type type;
	union {
#define M(NAME, name, number, direction, class, text, fields)                  \
	struct msg_##name name;
#include "proto/messages.def"
	} u;
};

/*
 * What a message is about, as bits. Operations are told by INVOKE, then OK,
 * READ, FAIL or UNKNOWN for each attempt, and END where several attempts
 * make one operation. Where an operation is what the rounds of a test are
 * (--rounds, the rate, the stalls), its INVOKE and its OK or READ say ROUND,
 * too. What is always kept is not dropped by --journal-keep.
 */
enum message_class {
	IS_NOTE = 0,	     /* none of these */
	IS_INVOKE = 1 << 0,  /* an attempt begins */
	IS_OK = 1 << 1,	     /* a write or an ack was confirmed */
	IS_READ = 1 << 2,    /* a read gave an answer */
	IS_FAIL = 1 << 3,    /* an attempt did not succeed */
	IS_UNKNOWN = 1 << 4, /* nobody knows what an attempt did */
	IS_END = 1 << 5,     /* no further attempt */
	IS_ROUND = 1 << 6,   /* of the operation that is a round */
	IS_FRAME = 1 << 7, /* how the run went: always kept, and in each dump */
	IS_FACT = 1 << 8,  /* always kept: verdicts and figures rest on it */
	IS_ROUND_INVOKE = IS_INVOKE | IS_ROUND,
	IS_ROUND_OK = IS_OK | IS_ROUND,
	IS_ROUND_READ = IS_READ | IS_ROUND,
	IS_OPERATION =
	    IS_INVOKE | IS_OK | IS_READ | IS_FAIL | IS_UNKNOWN | IS_END
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
	KEY_CHILD,
	/* Of these the case of a message is made: see message_case(). */
	KEY_ATTEMPT, /* 1 for the first */
	KEY_ENDED,   /* an enum message_word */
	KEY_OK,	     /* 0 when it did not succeed after all */
	KEY_FINAL,   /* 1 when no further attempt follows */
	/* These have words. */
	KEY_LEVEL,
	KEY_RETENTION,
	KEY_KIND,
	KEY_ACKS,
	KEY_SCAN_PATH,
	KEY_KV_PATH,
	KEY_LEADS,
	KEY_CAUSE,
	KEY_REMOVER,
	KEY_LOOK,
	KEY_ROLLS,
	KEY_DISCARD,
	KEY_EDIT,
	KEY_POLICY,
	KEY_ACK_POLICY,
	KEY_ANSWER,
	KEY_WATCH,
	KEY_COUNTED,
	KEY_CUT,
	KEY_TIMES
};

/* Numbers that have words: KEY_ENDED has ENDED_OK, ENDED_FAILED and so on. */
enum message_word {
#define W(KEY, NAME, number, word) KEY##_##NAME = number,
#include "proto/messages.def"
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

extern const struct message_spec message_specs[MESSAGE_TYPES];

/* What is asked about each event, so that one look at a table tells it. */
struct message_trait {
	uint32_t is;	/* bits of enum message_class */
	uint32_t id;	/* where the field with KEY_ID is; 0: nowhere */
	uint32_t split; /* where the field is that tells the case */
};

extern const struct message_trait message_traits[MESSAGE_TYPES];

/* The class of a type, below MESSAGE_TYPES; 0 when there is no such message. */
static inline unsigned
message_class(enum message_type type)
{
	return message_traits[type].is;
}

/*
 * The cases of a message that has a field with one of these keys:
 *
 *	ATTEMPT	CASE_FIRST the first attempt, CASE_AGAIN a later one
 *	ENDED	CASE_OK, CASE_FAILED, CASE_UNKNOWN
 *	OK	CASE_OK, CASE_FAILED
 *	FINAL	CASE_OPEN a further attempt may follow, CASE_FINAL none will
 *
 * All others have one case, 0.
 */
enum message_case {
	CASE_FIRST = 0,
	CASE_AGAIN = 1,
	CASE_OK = 0,
	CASE_FAILED = 1,
	CASE_UNKNOWN = 2,
	CASE_OPEN = 0,
	CASE_FINAL = 1,
	CASE_COUNT = 3
};

/* The case by the field at a place, as struct message_trait has it. */
enum message_case message_case_at(const struct event *, uint32_t place);

/* Which case of its message an event is. */
static inline enum message_case
message_case(const struct event *ev)
{
	uint32_t place = message_traits[ev->type].split;

	return place != 0 ? message_case_at(ev, place) : CASE_FIRST;
}

/* The id of the message or operation that an event is about; 0: of none. */
uint64_t message_id_of(const struct event *);

/* The description of a type, or NULL when there is no such message. */
static inline const struct message_spec *
message_spec(unsigned type)
{
	return type < MESSAGE_TYPES && message_specs[type].name != NULL
		   ? &message_specs[type]
		   : NULL;
}

/* The value of an integer field. */
int64_t message_get(const struct event *, const struct message_field *);

/* The word for a number of a field with this key, or NULL: it has none. */
const char *message_word(enum field_key, uint64_t number);

/*
 * Make all texts of an event printable as text_printable() does: what servers
 * say may be anything. Events that are printable stay as they are.
 */
void message_make_printable(struct event *);
bool message_is_printable(const struct event *);

/*
 * One line of text: time, source, name, fields; words for numbers that have
 * them. Returns the length of the line, which is cut to size - 1.
 */
int message_print(const struct event *, char *out, size_t size);

/* Message ids: the publishing source and its counter in one number. */
#define MESSAGE_ID_BITS 40
uint64_t message_id(uint32_t source, uint64_t counter);
uint32_t message_id_source(uint64_t id);
uint64_t message_id_counter(uint64_t id);

#endif
