/* SPDX-License-Identifier: ISC */
/* The tables made from messages.def; see message.h. */
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/message.h"

#define ID_MASK ((UINT64_C(1) << MESSAGE_ID_BITS) - 1)

#define M(NAME, name, number, direction, text, fields)                         \
	static const struct message_field fields_##name[] = {fields};
#define F(message, type, field, key, text)                                     \
	{#field, FIELD_##type, KEY_##key,                                      \
	    offsetof(struct msg_##message, field),                             \
	    sizeof(((struct msg_##message *)NULL)->field), text},
#define S(message, size, field, text)                                          \
	{#field, FIELD_string, KEY_NONE,                                       \
	    offsetof(struct msg_##message, field), size, text},
#include "proto/messages.def"
#undef M
#undef F
#undef S

static const struct message_spec specs[MESSAGE_TYPES] = {
#define M(NAME, name, number, direction, text, fields)                         \
	[number] = {#NAME, DIRECTION_##direction, text,                        \
	    sizeof(struct msg_##name),                                         \
	    sizeof(fields_##name) / sizeof(struct message_field),              \
	    fields_##name},
#define F(message, type, field, key, text)
#define S(message, size, field, text)
#include "proto/messages.def"
#undef M
#undef F
#undef S
};

#define M(NAME, name, number, direction, text, fields)                         \
	_Static_assert(number > 0 && number < MESSAGE_TYPES, #NAME);           \
	_Static_assert(sizeof(fields_##name) <=                                \
			   MESSAGE_FIELDS_MAX * sizeof(struct message_field),  \
	    #NAME);
#define F(message, type, field, key, text)
#define S(message, size, field, text)
#include "proto/messages.def"
#undef M
#undef F
#undef S

const struct message_spec *
message_spec(unsigned type)
{
	if (type >= MESSAGE_TYPES || specs[type].name == NULL)
		return NULL;
	return &specs[type];
}

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

static void
print_field(const struct event *ev, const struct message_field *f, char *out,
    size_t size)
{
	const char *text = (const char *)&ev->u + f->offset;
	uint64_t v;

	if (f->type == FIELD_string) {
		text_add(out, size, " %s=\"%s\"", f->name, text);
		return;
	}
	v = (uint64_t)message_get(ev, f);
	if (f->key == KEY_ID)
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
