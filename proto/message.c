/* SPDX-License-Identifier: ISC */
/* The tables made from messages.def; see message.h. */
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/message.h"

#define ID_MASK ((UINT64_C(1) << MESSAGE_ID_BITS) - 1)

#define M(NAME, name, number, direction, class, text, fields)                  \
	static const struct message_field fields_##name[] = {fields};
#define F(message, type, field, key, text)                                     \
	{#field, FIELD_##type, KEY_##key,                                      \
	    offsetof(struct msg_##message, field),                             \
	    sizeof(((struct msg_##message *)NULL)->field), text},
#define S(message, size, field, text)                                          \
	{#field, FIELD_string, KEY_NONE,                                       \
	    offsetof(struct msg_##message, field), size, text},
#include "proto/messages.def"

const struct message_spec message_specs[MESSAGE_TYPES] = {
#define M(NAME, name, number, direction, class, text, fields)                  \
	[number] = {#NAME, DIRECTION_##direction, text,                        \
	    sizeof(struct msg_##name),                                         \
	    sizeof(fields_##name) / sizeof(struct message_field),              \
	    fields_##name},
#include "proto/messages.def"
};

/*
 * Where a field is, in one number: its offset, size and key. As a sum over
 * the fields of a message, to which only the one that is looked for adds, it
 * is a constant of the compiler.
 */
#define PLACE(message, field, key)                                             \
	(uint32_t)(offsetof(struct msg_##message, field) << 16 |               \
		   sizeof(((struct msg_##message *)NULL)->field) << 8 | (key))
#define PLACE_AT(place)	  ((place) >> 16)
#define PLACE_SIZE(place) ((place) >> 8 & 0xff)
#define PLACE_KEY(place)  ((place)&0xff)
#define SPLITS(key)	  ((key) >= KEY_ATTEMPT && (key) <= KEY_FINAL)

const struct message_trait message_traits[MESSAGE_TYPES] = {
#define M(NAME, name, number, direction, class, text, fields)                  \
	[number].is = IS_##class, [number].id = 0 fields,
#define F(message, type, field, key, text)                                     \
	+(KEY_##key == KEY_ID ? PLACE(message, field, KEY_##key) : 0)
#include "proto/messages.def"
#define M(NAME, name, number, direction, class, text, fields)                  \
	[number].split = 0 fields,
#define F(message, type, field, key, text)                                     \
	+(SPLITS(KEY_##key) ? PLACE(message, field, KEY_##key) : 0)
#include "proto/messages.def"
};

/* At most one field has KEY_ID, and one tells the case. */
#define M(NAME, name, number, direction, class, text, fields)                  \
	_Static_assert(number > 0 && number < MESSAGE_TYPES, #NAME);           \
	_Static_assert(((0 fields) & ~0x11) == 0, #NAME);                      \
	_Static_assert(sizeof(fields_##name) <=                                \
			   MESSAGE_FIELDS_MAX * sizeof(struct message_field),  \
	    #NAME);
#define F(message, type, field, key, text)                                     \
	+(KEY_##key == KEY_ID) + 0x10 * SPLITS(KEY_##key)
#include "proto/messages.def"

int64_t
message_get(const struct event *ev, const struct message_field *f)
{
	const char *at = (const char *)&ev->u + f->offset;
	uint16_t v16;
	uint32_t v32;
	int64_t v64;

	switch (f->type) {
	case FIELD_u8:
		return *(const uint8_t *)at;
	case FIELD_u16:
		memcpy(&v16, at, sizeof(v16));
		return v16;
	case FIELD_u32:
		memcpy(&v32, at, sizeof(v32));
		return v32;
	case FIELD_u64:
	case FIELD_i64:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	case FIELD_string:
		break;
	}
	return 0;
}

/* An unsigned number of an event's, by its place. */
static uint64_t
place_get(const struct event *ev, uint32_t place)
{
	const char *at = (const char *)&ev->u + PLACE_AT(place);
	uint32_t v32;
	uint64_t v64;

	switch (PLACE_SIZE(place)) {
	case sizeof(uint8_t):
		return *(const uint8_t *)at;
	case sizeof(uint32_t):
		memcpy(&v32, at, sizeof(v32));
		return v32;
	case sizeof(uint64_t):
		memcpy(&v64, at, sizeof(v64));
		return v64;
	default:
		return 0;
	}
}

enum message_case
message_case_at(const struct event *ev, uint32_t place)
{
	uint64_t v = place_get(ev, place);

	switch (PLACE_KEY(place)) {
	case KEY_ATTEMPT:
		return v > 1 ? CASE_AGAIN : CASE_FIRST;
	case KEY_OK:
		return v != 0 ? CASE_OK : CASE_FAILED;
	case KEY_FINAL:
		return v != 0 ? CASE_FINAL : CASE_OPEN;
	default: /* KEY_ENDED */
		return v < CASE_COUNT ? (enum message_case)v : CASE_UNKNOWN;
	}
}

uint64_t
message_id_of(const struct event *ev)
{
	uint32_t place = message_traits[ev->type].id;

	return place != 0 ? place_get(ev, place) : 0;
}

const char *
message_word(enum field_key key, uint64_t number)
{
	static const struct {
		enum field_key key;
		uint64_t number;
		const char *word;
	} words[] = {
#define W(KEY, NAME, n, w) {KEY_##KEY, n, w},
#include "proto/messages.def"
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].key == key && words[i].number == number)
			return words[i].word;
	return NULL;
}

static void
print_field(const struct event *ev, const struct message_field *f, char *out,
    size_t size)
{
	const char *text = (const char *)&ev->u + f->offset;
	char shown[MESSAGE_TEXT_MAX];
	uint64_t v;

	if (f->type == FIELD_string) {
		text_printable(shown, sizeof(shown), text);
		text_add(out, size, " %s=\"%s\"", f->name, shown);
		return;
	}
	v = (uint64_t)message_get(ev, f);
	text = message_word(f->key, v);
	if (text != NULL)
		text_add(out, size, " %s=%s", f->name, text);
	else if (f->key == KEY_ID)
		text_add(out, size, " %s=%u:%llu", f->name,
		    message_id_source(v),
		    (unsigned long long)message_id_counter(v));
	else if (f->type == FIELD_i64)
		text_add(out, size, " %s=%lld", f->name, (long long)v);
	else
		text_add(out, size, " %s=%llu", f->name, (unsigned long long)v);
}

int
message_print(const struct event *ev, char *out, size_t size)
{
	const struct message_spec *spec = message_spec(ev->type);
	unsigned i;

	out[0] = '\0';
	text_add(out, size, "%llu.%09llu %u.%u#%llu %s",
	    (unsigned long long)(ev->time_ns / 1000000000u),
	    (unsigned long long)(ev->time_ns % 1000000000u), ev->source,
	    ev->incarnation, (unsigned long long)ev->seq,
	    spec != NULL ? spec->name : "?");
	for (i = 0; spec != NULL && i < spec->nfields; i++)
		if (strcmp(spec->fields[i].name, "reserved") != 0)
			print_field(ev, &spec->fields[i], out, size);
	return (int)strlen(out);
}

bool
message_is_printable(const struct event *ev)
{
	const struct message_spec *spec = message_spec(ev->type);
	unsigned i;

	for (i = 0; spec != NULL && i < spec->nfields; i++)
		if (spec->fields[i].type == FIELD_string &&
		    !text_is_printable(
			(const char *)&ev->u + spec->fields[i].offset))
			return false;
	return true;
}

void
message_make_printable(struct event *ev)
{
	const struct message_spec *spec = message_spec(ev->type);
	char text[MESSAGE_TEXT_MAX], *field;
	unsigned i;

	if (message_is_printable(ev))
		return;
	for (i = 0; i < spec->nfields; i++) {
		if (spec->fields[i].type != FIELD_string)
			continue;
		field = (char *)&ev->u + spec->fields[i].offset;
		text_set(text, sizeof(text), field);
		text_printable(field, spec->fields[i].size, text);
	}
}

uint64_t
message_id(uint32_t source, uint64_t counter)
{
	return (uint64_t)source << MESSAGE_ID_BITS | (counter & ID_MASK);
}

uint32_t
message_id_source(uint64_t id)
{
	return (uint32_t)(id >> MESSAGE_ID_BITS);
}

uint64_t
message_id_counter(uint64_t id)
{
	return id & ID_MASK;
}
