/* SPDX-License-Identifier: ISC */
/* Changes of streams' configurations; see change.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/admin.h"
#include "chaos/change.h"
#include "chaos/health.h"
#include "chaos/internal.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "proto/json.h"

#define MESSAGES_MAX 1e12
#define AGE_MAX_NS   (86400 * 10 * CLOCK_S) /* cJSON writes 15 digits */
#define ANSWER_MAX   65536
#define NESTING_MAX  32
#define ANSWER_NS    (5 * CLOCK_S)  /* then it is asked again */
#define LOOK_NS	     (CLOCK_S / 4)  /* between two looks */
#define RESEND_NS    (10 * CLOCK_S) /* of an update whose effect isn't seen */

enum stage {
	STAGE_READ, /* the configuration is not known yet */
	STAGE_SEND,
	STAGE_LOOK
};

struct change {
	struct admin *admin; /* its own: others ask meanwhile */
	uint32_t fault;
	char stream[64];
	struct change_wish wish;
	cJSON *original, *wanted; /* configurations */
	enum stage stage;
	bool is_asked; /* and asked_ns is when */
	bool is_undone, shows, is_whole;
	bool is_unsure; /* an update was never answered */
	uint64_t asked_ns, sent_ns;
	char why[CHANGE_WHY_MAX];
	char answer[ANSWER_MAX];
};

static void
edit_replicas(cJSON *config, const struct change_wish *w)
{
	json_set_number(config, "num_replicas", (double)w->value);
}

static void
edit_subject(cJSON *config, const struct change_wish *w)
{
	char subject[128];

	text_format(subject, sizeof(subject), "unused.%.64s.%llu",
	    json_text(config, "name"), (unsigned long long)w->value);
	json_append_text(json_get(config, "subjects"), subject);
}

static void
edit_description(cJSON *config, const struct change_wish *w)
{
	char text[64];

	text_format(
	    text, sizeof(text), "edit %llu", (unsigned long long)w->value);
	json_set_text(config, "description", text);
}

static void
edit_metadata(cJSON *config, const struct change_wish *w)
{
	cJSON *all = json_get(config, "metadata");
	char text[32];

	if (all == NULL)
		all = json_put_object(config, "metadata");
	text_format(text, sizeof(text), "%llu", (unsigned long long)w->value);
	json_set_text(all, "natsburn", text);
}

static void
edit_limits(cJSON *config, const struct change_wish *w)
{
	(void)w; /* there is but one */
	if (json_number(config, "max_msgs") <= 0)
		json_set_number(config, "max_msgs", MESSAGES_MAX);
	if (json_number(config, "max_age") <= 0)
		json_set_number(config, "max_age", (double)AGE_MAX_NS);
}

static void
edit_compression(cJSON *config, const struct change_wish *w)
{
	bool is_s2 = strcmp(json_text(config, "compression"), "s2") == 0;

	(void)w; /* there are but two */
	json_set_text(config, "compression", is_s2 ? "none" : "s2");
}

static void
edit_placement(cJSON *config, const struct change_wish *w)
{
	cJSON *placement = cJSON_CreateObject();

	cJSON_DeleteItemFromObjectCaseSensitive(config, "placement");
	json_append_text(json_put_array(placement, "tags"), w->tag);
	json_put(config, "placement", placement);
}

/*
 * What is done to a configuration, the members of it that tell whether a
 * server has it, and since which version servers know it (2010 is 2.10).
 */
static const struct edit {
	void (*make)(cJSON *config, const struct change_wish *w);
	const char *members[2];
	unsigned since;
} edits[CHANGE_EDITS] = {
    [CHANGE_REPLICAS] = {edit_replicas, {"num_replicas"}, 0},
    [CHANGE_SUBJECT] = {edit_subject, {"subjects"}, 0},
    [CHANGE_DESCRIPTION] = {edit_description, {"description"}, 0},
    [CHANGE_METADATA] = {edit_metadata, {"metadata/natsburn"}, 2010},
    [CHANGE_LIMITS] = {edit_limits, {"max_msgs", "max_age"}, 0},
    [CHANGE_PLACEMENT] = {edit_placement, {"placement"}, 0},
    [CHANGE_COMPRESSION] = {edit_compression, {"compression"}, 2010},
};

bool
change_is_known(const struct cluster *c, enum change_edit edit)
{
	struct health_varz v;
	unsigned i, major, minor;

	for (i = 1; i <= c->n && edits[edit].since != 0; i++)
		if (health_varz(c->health, i, &v) &&
		    sscanf(v.version, "%3u.%3u", &major, &minor) == 2 &&
		    major * 1000 + minor < edits[edit].since)
			return false;
	return true;
}

static void
forget(struct change *ch)
{
	cJSON_Delete(ch->original);
	cJSON_Delete(ch->wanted);
	ch->original = ch->wanted = NULL;
}

int
change_begin(struct cluster *c, uint32_t fault, const char *stream,
    const struct change_wish *wish)
{
	struct change *ch = c->change;
	struct admin *admin;

	if (ch == NULL) {
		admin = admin_copy(c->admin);
		ch = admin != NULL ? malloc(sizeof(*ch)) : NULL;
		if (ch == NULL) {
			admin_destroy(admin);
			return -ENOMEM;
		}
		c->change = ch;
	} else {
		admin = ch->admin;
		admin_done(admin);
		forget(ch);
	}
	memset(ch, 0, sizeof(*ch));
	ch->admin = admin;
	ch->fault = fault;
	ch->wish = *wish;
	text_set(ch->stream, sizeof(ch->stream), stream);
	text_set(ch->why, sizeof(ch->why), "no answer to STREAM.INFO");
	return 0;
}

void
change_end(struct cluster *c)
{
	if (c->change == NULL)
		return;
	forget(c->change);
	admin_destroy(c->change->admin);
	free(c->change);
	c->change = NULL;
}

/*
 * The judge knows of an update before a server does. A stream that moves has
 * new replicas beside those that it had.
 */
static void
tell_asked(struct cluster *c)
{
	const struct change *ch = c->change;
	struct event ev = {.type = MESSAGE_STREAM_CHANGE};
	struct msg_stream_change *m = &ev.u.stream_change;

	m->fault = ch->fault;
	m->replicas = (uint32_t)json_count(ch->wanted, "num_replicas") +
		      (ch->wish.edit == CHANGE_PLACEMENT);
	text_set(m->name, sizeof(m->name), ch->stream);
	child_emit(chaos_child(c->chaos), &ev);
	child_flush(chaos_child(c->chaos));
}

void
change_tell_restored(struct cluster *c)
{
	const struct change *ch = c->change;
	struct event ev = {.type = MESSAGE_STREAM_RESTORED};
	struct msg_stream_restored *m = &ev.u.stream_restored;

	if (ch->original == NULL)
		return; /* nothing was sent */
	m->fault = ch->fault;
	m->unsure = ch->is_unsure;
	text_set(m->name, sizeof(m->name), ch->stream);
	child_emit(chaos_child(c->chaos), &ev);
}

/* Ask; what can't be asked now is tried again at the next look. */
static void
ask(struct cluster *c, const char *verb, const char *body)
{
	struct change *ch = c->change;
	char subject[CONFIG_PREFIX_MAX + 128], prefix[CONFIG_PREFIX_MAX];

	config_js_prefix(c->config, prefix);
	text_format(
	    subject, sizeof(subject), "%s.%s.%s", prefix, verb, ch->stream);
	ch->asked_ns = clock_mono_ns();
	ch->is_asked =
	    admin_request(ch->admin, ADMIN_USER, 0, subject, body) == 0;
}

static void
send_wanted(struct cluster *c)
{
	struct change *ch = c->change;
	char *text = cJSON_PrintUnformatted(ch->wanted);

	if (text == NULL)
		return; /* tried again */
	tell_asked(c);
	ask(c, "STREAM.UPDATE", text);
	cJSON_free(text);
	ch->sent_ns = ch->asked_ns;
	if (!ch->is_asked)
		ch->stage = STAGE_LOOK;
}

/* A member, or one of an object that is one: "metadata/natsburn". */
static const cJSON *
member_of(const cJSON *config, const char *path)
{
	const char *slash = strchr(path, '/');
	char outer[32];

	if (slash == NULL)
		return json_get(config, path);
	text_format(outer, sizeof(outer), "%.*s", (int)(slash - path), path);
	return json_get(json_get(config, outer), slash + 1);
}

static bool
is_as_wanted(const struct change *ch, const cJSON *config)
{
	const char *const *m = edits[ch->wish.edit].members;
	const cJSON *has, *wants;
	unsigned i;

	for (i = 0; i < 2 && m[i] != NULL; i++) {
		has = member_of(config, m[i]);
		wants = member_of(ch->wanted, m[i]);
		if (has != wants && !cJSON_Compare(has, wants, true))
			return false;
	}
	return true;
}

/* As many replicas as are configured, and all of them current. */
static void
look_at_peers(struct change *ch, const cJSON *info, uint64_t wanted)
{
	const cJSON *rows, *row;
	uint64_t current = 1; /* who answers */
	unsigned peers = 1;

	rows = json_get(json_get(info, "cluster"), "replicas");
	cJSON_ArrayForEach (row, rows) {
		peers++;
		current += json_is_true(row, "current") &&
			   !json_is_true(row, "offline");
	}
	ch->is_whole = peers == wanted && current == wanted;
	if (!ch->is_whole)
		text_format(ch->why, sizeof(ch->why),
		    "%u replicas, %llu of them current, of %llu", peers,
		    (unsigned long long)current, (unsigned long long)wanted);
}

static void
take_info(struct change *ch, const cJSON *info)
{
	cJSON *config = json_get(info, "config");

	if (!cJSON_IsObject(config)) {
		text_format(
		    ch->why, sizeof(ch->why), "INFO: %.150s", ch->answer);
		return;
	}
	if (ch->stage == STAGE_READ) {
		ch->original = cJSON_Duplicate(config, true);
		ch->wanted = cJSON_Duplicate(config, true);
		if (ch->original == NULL || ch->wanted == NULL) {
			forget(ch);
			return;
		}
		edits[ch->wish.edit].make(ch->wanted, &ch->wish);
		ch->stage = STAGE_SEND;
		return;
	}
	ch->shows = is_as_wanted(ch, config);
	ch->is_whole = false;
	if (ch->shows)
		look_at_peers(ch, info, json_count(config, "num_replicas"));
	else if (clock_mono_ns() >= ch->sent_ns + RESEND_NS)
		ch->stage = STAGE_SEND;
}

static void
take_update(struct change *ch, const cJSON *answer)
{
	const cJSON *error = json_get(answer, "error");

	ch->stage = STAGE_LOOK;
	if (error != NULL)
		text_format(ch->why, sizeof(ch->why), "refused: %d %.120s",
		    (int)json_number(error, "err_code"),
		    json_text(error, "description"));
	else
		text_set(ch->why, sizeof(ch->why),
		    "the update was accepted, and INFO does not show it");
}

/* Take an answer in; a request that has none for long is over. */
static void
take_answer(struct change *ch)
{
	int len = admin_poll(ch->admin, ch->answer, sizeof(ch->answer));
	bool is_update = ch->stage == STAGE_SEND;
	cJSON *o;

	if (len == -EAGAIN && clock_mono_ns() < ch->asked_ns + ANSWER_NS)
		return;
	admin_done(ch->admin);
	ch->is_asked = false;
	o = len > 0 ? json_parse(ch->answer, strlen(ch->answer), NESTING_MAX)
		    : NULL;
	if (o == NULL) {
		text_format(ch->why, sizeof(ch->why), "no answer to STREAM.%s",
		    is_update ? "UPDATE" : "INFO");
		ch->is_unsure |= is_update;
		if (is_update)
			ch->stage = STAGE_LOOK;
		return;
	}
	if (is_update)
		take_update(ch, o);
	else
		take_info(ch, o);
	cJSON_Delete(o);
}

bool
change_step(struct cluster *c)
{
	struct change *ch = c->change;

	/* Nothing has to be undone if nothing was read. */
	if (ch->is_undone && ch->original == NULL)
		return true;
	if (ch->is_asked)
		take_answer(ch);
	else if (ch->stage == STAGE_SEND)
		send_wanted(c);
	else if (clock_mono_ns() >= ch->asked_ns + LOOK_NS)
		ask(c, "STREAM.INFO", "");
	return ch->shows;
}

bool
change_is_whole(const struct cluster *c)
{
	const struct change *ch = c->change;

	return ch->original == NULL ? ch->is_undone : ch->is_whole;
}

void
change_undo(struct cluster *c)
{
	struct change *ch = c->change;

	if (ch == NULL || ch->is_undone)
		return;
	ch->is_undone = true;
	/* What was sent and not seen may still be done. */
	ch->is_unsure |= ch->sent_ns != 0 && !ch->shows;
	ch->shows = ch->is_whole = false;
	admin_done(ch->admin);
	ch->is_asked = false;
	if (ch->original == NULL)
		return;
	cJSON_Delete(ch->wanted);
	ch->wanted = ch->original;
	ch->original = cJSON_Duplicate(ch->wanted, true);
	ch->stage = STAGE_SEND;
}

const char *
change_why(const struct cluster *c)
{
	return c->change->why;
}
