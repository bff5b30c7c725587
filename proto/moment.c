/* SPDX-License-Identifier: ISC */
/* The table of moments; see moment.h. */
#include <string.h>

#include "proto/base/text.h"
#include "proto/moment.h"

#define NAME_MAX 32

const struct moment moments[] = {
    {"publish", "a publish or an update of a key is on its way",
	MOMENT_OF_WORKER,
	{MESSAGE_PUBLISH_INVOKE, MESSAGE_KV_UPDATE, MESSAGE_REPEAT_INVOKE},
	{NULL}},
    {"published", "a publish or an update of a key was just acknowledged",
	MOMENT_OF_WORKER, {MESSAGE_PUBLISH_OK, MESSAGE_KV_UPDATE_OK}, {NULL}},
    {"delivered", "a message just arrived at a consumer", MOMENT_OF_WORKER,
	{MESSAGE_DELIVER}, {NULL}},
    {"acked", "a consumer's ack was just confirmed", MOMENT_OF_WORKER,
	{MESSAGE_ACK_OK, MESSAGE_ANSWER_OK}, {NULL}},
    {"removing", "a delete or a purge, of messages or a stream, was sent",
	MOMENT_OF_WORKER, {MESSAGE_REMOVE_INVOKE, MESSAGE_STREAM_REMOVE},
	{NULL}},
    {"changing", "a change of a stream's limits or of a consumer was sent",
	MOMENT_OF_WORKER, {MESSAGE_LIMITS_INVOKE, MESSAGE_CONSUMER_EDIT},
	{NULL}},
    {"changed", "a removal or a change of limits was just confirmed",
	MOMENT_OF_WORKER, {MESSAGE_CHANGE_OK, MESSAGE_STREAM_REMOVE_OK},
	{NULL}},
    {"created", "a stream or a consumer was just made", MOMENT_OF_WORKER,
	{MESSAGE_STREAM_ADD_OK, MESSAGE_CONSUMER_MADE}, {NULL}},
    {"elected", "a server logs that a stream or the meta group has a leader",
	MOMENT_OF_SERVER, {0},
	{"JetStream cluster new stream leader for",
	    "JetStream cluster new metadata leader:",
	    "Self is new JetStream cluster metadata leader",
	    "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.",
	    "$JS.EVENT.ADVISORY.DOMAIN.LEADER_ELECTED"}},
    {"catchup", "a server logs that a stream catches up", MOMENT_OF_SERVER, {0},
	{"Catchup for stream"}},
    {"healing", "another fault is being healed", MOMENT_OF_HEAL, {0}, {NULL}},
    {NULL, NULL, MOMENT_OF_HEAL, {0}, {NULL}},
};

unsigned
moment_count(void)
{
	unsigned n = 0;

	while (moments[n].name != NULL)
		n++;
	return n;
}

unsigned
moment_bits_of(enum moment_source source)
{
	unsigned i, bits = 0;

	for (i = 0; moments[i].name != NULL; i++)
		if (moments[i].source == source)
			bits |= 1U << i;
	return bits;
}

unsigned
moment_bits(const char *list, char *unknown, size_t size)
{
	unsigned i, bits = 0, n = moment_count();
	char name[NAME_MAX];

	if (strcmp(list, "all") == 0)
		return (1U << n) - 1;
	while (text_next_item(&list, name, sizeof(name))) {
		for (i = 0; i < n && strcmp(moments[i].name, name) != 0; i++)
			;
		if (i == n) {
			text_set(unknown, size, name);
			return 0;
		}
		bits |= 1U << i;
	}
	return bits;
}

unsigned
moment_of_event(unsigned bits, enum message_type type)
{
	unsigned i, j, found = 0;

	for (i = 0; moments[i].name != NULL; i++)
		for (j = 0; (bits & (1U << i)) != 0 && j < MOMENT_TYPES; j++)
			if (moments[i].types[j] == type)
				found |= 1U << i;
	return found;
}

unsigned
moment_of_line(unsigned bits, const char *line)
{
	unsigned i, j, found = 0;

	for (i = 0; moments[i].name != NULL; i++)
		for (j = 0; (bits & (1U << i)) != 0 && j < MOMENT_LINES; j++)
			if (moments[i].lines[j] != NULL &&
			    strstr(line, moments[i].lines[j]) != NULL)
				found |= 1U << i;
	return found;
}
