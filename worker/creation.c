/* SPDX-License-Identifier: ISC */
/* A stream as it is asked for; see creation.h. */
#include "worker/creation.h"

#include <string.h>

#include "proto/base/text.h"

/* Members of a configuration that natsburn's streams may have. */
static const struct member {
	const char *name;
	size_t offset, size;
	const char *const *words; /* of an enumeration, in its order */
} members[] = {
#define AT(m) offsetof(jsStreamConfig, m), sizeof(((jsStreamConfig *)NULL)->m)
#define WORDS(...)                                                             \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__, NULL                                              \
	}
    {"retention", AT(Retention), WORDS("limits", "interest", "workqueue")},
    {"storage", AT(Storage), WORDS("file", "memory")},
    {"discard", AT(Discard), WORDS("old", "new")},
    {"num_replicas", AT(Replicas), NULL},
    {"max_consumers", AT(MaxConsumers), NULL},
    {"max_msgs", AT(MaxMsgs), NULL},
    {"max_bytes", AT(MaxBytes), NULL},
    {"max_age", AT(MaxAge), NULL},
    {"max_msgs_per_subject", AT(MaxMsgsPerSubject), NULL},
    {"max_msg_size", AT(MaxMsgSize), NULL},
    {"duplicate_window", AT(Duplicates), NULL},
    {"no_ack", AT(NoAck), NULL},
    {"sealed", AT(Sealed), NULL},
    {"deny_delete", AT(DenyDelete), NULL},
    {"deny_purge", AT(DenyPurge), NULL},
    {"allow_rollup_hdrs", AT(AllowRollup), NULL},
    {"allow_direct", AT(AllowDirect), NULL},
#undef WORDS
#undef AT
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* A member is a bool, or a number of 4 or 8 bytes. */
static int64_t
get(const jsStreamConfig *sc, const struct member *m)
{
	const char *at = (const char *)sc + m->offset;
	int64_t value;
	int32_t small;
	bool flag;

	if (m->size == sizeof(flag)) {
		memcpy(&flag, at, sizeof(flag));
		return flag;
	}
	if (m->size == sizeof(small)) {
		memcpy(&small, at, sizeof(small));
		return small;
	}
	memcpy(&value, at, sizeof(value));
	return value;
}

static void
set(jsStreamConfig *sc, const struct member *m, int64_t value)
{
	char *at = (char *)sc + m->offset;
	int32_t small = (int32_t)value;
	bool flag = value != 0;

	if (m->size == sizeof(flag))
		memcpy(at, &flag, sizeof(flag));
	else if (m->size == sizeof(small))
		memcpy(at, &small, sizeof(small));
	else
		memcpy(at, &value, sizeof(value));
}

static int64_t
member_read(const struct member *m, const cJSON *config)
{
	const char *word = json_text(config, m->name);
	int64_t i;

	if (m->size == sizeof(bool))
		return json_is_true(config, m->name);
	if (m->words == NULL)
		return (int64_t)json_number(config, m->name);
	for (i = 0; m->words[i] != NULL; i++)
		if (strcmp(m->words[i], word) == 0)
			return i;
	return -1; /* which no stream of ours asks for */
}

void
creation_write(const jsStreamConfig *sc, const char *compression,
    char out[CREATION_TEXT_MAX])
{
	const struct member *m;
	int64_t value;
	int i;

	text_set(out, CREATION_TEXT_MAX, "{\"subjects\":[");
	for (i = 0; i < sc->SubjectsLen; i++)
		text_add(out, CREATION_TEXT_MAX, "%s\"%s\"", i > 0 ? "," : "",
		    sc->Subjects[i]);
	text_add(out, CREATION_TEXT_MAX, "],\"name\":\"%s\"", sc->Name);
	if (sc->Description != NULL)
		text_add(out, CREATION_TEXT_MAX, ",\"description\":\"%s\"",
		    sc->Description);
	for (m = members; m < members + MEMBERS; m++) {
		value = get(sc, m);
		text_add(out, CREATION_TEXT_MAX, ",\"%s\":", m->name);
		if (m->words != NULL)
			text_add(
			    out, CREATION_TEXT_MAX, "\"%s\"", m->words[value]);
		else if (m->size == sizeof(bool))
			text_add(out, CREATION_TEXT_MAX, "%s",
			    value != 0 ? "true" : "false");
		else
			text_add(
			    out, CREATION_TEXT_MAX, "%lld", (long long)value);
	}
	text_add(
	    out, CREATION_TEXT_MAX, ",\"compression\":\"%s\"}", compression);
}

void
creation_read(const cJSON *config, jsStreamConfig *sc,
    const char *subjects[CREATION_SUBJECTS_MAX])
{
	const cJSON *list = json_get(config, "subjects"), *item;
	const struct member *m;

	memset(sc, 0, sizeof(*sc));
	sc->Name = json_text(config, "name");
	sc->Description = json_text(config, "description");
	sc->Subjects = subjects;
	cJSON_ArrayForEach (item, list)
		if (cJSON_IsString(item) &&
		    sc->SubjectsLen < CREATION_SUBJECTS_MAX)
			subjects[sc->SubjectsLen++] = item->valuestring;
	for (m = members; m < members + MEMBERS; m++)
		set(sc, m, member_read(m, config));
}

static enum outcome
make_compressed(struct worker *w, const jsStreamConfig *sc, int64_t wait_ms,
    struct creation *made)
{
	char text[CREATION_TEXT_MAX];
	struct request r = {"STREAM.CREATE", sc->Name, text, wait_ms};
	enum outcome outcome;
	const cJSON *config;

	creation_write(sc, w->config.storage_compression, text);
	outcome = request_send(&w->session, &r, &made->tree);
	if (outcome != OUTCOME_OK)
		return outcome;
	config = json_get(made->tree, "config");
	creation_read(config, &made->read, made->subjects);
	made->config = &made->read;
	made->created =
	    (uint64_t)request_time(json_text(made->tree, "created"));
	made->is_as_asked = strcmp(json_text(config, "compression"),
				w->config.storage_compression) == 0;
	return OUTCOME_OK;
}

enum outcome
creation_ask(struct worker *w, jsStreamConfig *sc, int64_t wait_ms,
    struct creation *made)
{
	jsErrCode code = 0;
	enum outcome outcome;
	natsStatus st;
	jsOptions jo;

	memset(made, 0, sizeof(*made));
	if (strcmp(w->config.storage_compression, "none") != 0)
		return make_compressed(w, sc, wait_ms, made);
	session_options(&jo, wait_ms);
	st = js_AddStream(&made->info, w->session.js, sc, &jo, &code);
	outcome = session_outcome(&w->session, st, code);
	if (outcome != OUTCOME_OK)
		return outcome;
	made->created = (uint64_t)made->info->Created;
	made->config = made->info->Config;
	made->is_as_asked = true;
	return OUTCOME_OK;
}

void
creation_fini(struct creation *made)
{
	jsStreamInfo_Destroy(made->info);
	cJSON_Delete(made->tree);
}
