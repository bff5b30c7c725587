/* SPDX-License-Identifier: ISC */
/*
 * The audit of copies. A server copies when it can, and after it was cut off
 * it tries again at intervals that grow to two minutes. So the audit waits
 * until each copy has the last message that it is to have, or has got nothing
 * for longer than that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/scan.h"
#include "worker/workloads/mirror_source/mirror_source.h"

#define STALL_NS   (150 * CLOCK_S) /* guarantees 27 */
#define REQUEST_MS 2000
#define FIRST_STEP 4 /* of the back-off: 160 ms and more */

/* What a copy takes of one stream, as its leader tells it. */
struct taken {
	const struct worker_target *copy, *origin;
	bool is_mirror, is_renamed;
	uint64_t stall_ns; /* as long as its servers may pause */
	struct msg_copy_lag lag;
	uint64_t moved_ns; /* when it had copied something, or all, last */
};

struct waiting {
	struct worker *w;
	struct taken *list;
	uint32_t n, room;
	uint64_t begun_ns;
	char relay[64]; /* a mirror that is none of the run's; "": there is none
			 */
	bool is_silent; /* somebody did not answer the last time */
};

static const struct worker_target *
target_find(const struct worker *w, const char *name, size_t len)
{
	uint32_t i;

	for (i = 0; i < w->ntargets; i++)
		if (strlen(w->targets[i].name) == len &&
		    strncmp(w->targets[i].name, name, len) == 0)
			return &w->targets[i];
	return NULL;
}

static const struct worker_target *
target_of(const struct worker *w, uint32_t stream)
{
	uint32_t i;

	for (i = 0; i < w->ntargets; i++)
		if (w->targets[i].stream == stream)
			return &w->targets[i];
	return NULL;
}

/* Stream and sequence that a header names; NULL and 0: it names none. */
static const struct worker_target *
source_read(const struct worker *w, natsMsg *msg, uint64_t *seq)
{
	const char *text = request_header(msg, MIRROR_HEADER);
	size_t len = strcspn(text, " ");

	*seq = text[len] != '\0' ? strtoull(text + len, NULL, 10) : 0;
	return target_find(w, text, len);
}

static bool
get_last(struct worker *w, const struct worker_target *of, const char *subject,
    natsMsg **msg)
{
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	*msg = NULL;
	session_options(&jo, REQUEST_MS);
	st = js_GetLastMsg(msg, w->session.js, of->name, subject, &jo, &code);
	child_beat(&w->child);
	session_note(&w->session, st, code);
	return st == NATS_OK || st == NATS_NOT_FOUND ||
	       code == JSNoMessageFoundErr;
}

/* The last message that it is to have, of one filter. */
static bool
ask_due(
    struct worker *w, struct taken *t, const cJSON *part, const char *subject)
{
	uint64_t start = json_count(part, "opt_start_seq"), seq;
	int64_t since = request_time(json_text(part, "opt_start_time"));
	natsMsg *msg;

	if (!get_last(w, t->origin, subject, &msg))
		return false;
	if (msg == NULL)
		return true;
	seq = natsMsg_GetSequence(msg);
	if (seq >= start && natsMsg_GetTime(msg) >= since && seq > t->lag.due)
		t->lag.due = seq;
	natsMsg_Destroy(msg);
	return true;
}

static bool
ask_all_due(struct worker *w, struct taken *t, const cJSON *part)
{
	const cJSON *list = json_get(part, "subject_transforms"), *item;
	const char *filter = json_text(part, "filter_subject");
	bool is_answered = true;

	t->lag.due = 0;
	if (cJSON_GetArraySize(list) == 0)
		return ask_due(w, t, part, filter[0] != '\0' ? filter : ">");
	cJSON_ArrayForEach (item, list)
		is_answered =
		    is_answered && ask_due(w, t, part, json_text(item, "src"));
	return is_answered;
}

/* The last that it has; of sources what comes from this one. */
static bool
ask_reached(struct worker *w, struct taken *t, const cJSON *info)
{
	struct mirror_subject s = {t->origin->stream, 0, t->is_renamed};
	char subject[OPERATE_SUBJECT_MAX];
	uint64_t reached = 0;
	natsMsg *msg;

	if (t->is_mirror)
		reached = json_count(json_get(info, "state"), "last_seq");
	else {
		mirror_subject(w, &s, subject);
		if (!get_last(w, t->copy, subject, &msg))
			return false;
		if (msg != NULL)
			(void)source_read(w, msg, &reached); /* it is known */
		natsMsg_Destroy(msg);
	}
	if (reached != t->lag.reached)
		t->moved_ns = clock_mono_ns();
	t->lag.reached = reached;
	return true;
}

/* What the leader says of itself. */
static void
note_said(struct taken *t, const cJSON *said)
{
	t->lag.lag = json_count(said, "lag");
	t->lag.active_ns = (int64_t)json_number(said, "active");
	text_set(t->lag.why, sizeof(t->lag.why),
	    json_text(json_get(said, "error"), "description"));
}

static struct taken *
taken_at(struct waiting *g, const struct worker_target *copy,
    const struct worker_target *origin)
{
	struct taken *t;
	uint32_t i;

	for (i = 0; i < g->n; i++)
		if (g->list[i].copy == copy && g->list[i].origin == origin)
			return &g->list[i];
	if (g->n == g->room)
		return NULL;
	t = &g->list[g->n++];
	t->copy = copy;
	t->origin = origin;
	t->lag.stream = copy->stream;
	t->lag.origin = origin->stream;
	t->moved_ns = g->begun_ns;
	t->stall_ns = STALL_NS;
	return t;
}

/* True when it has all of this part. */
static bool
look_at_part(struct waiting *g, const struct worker_target *copy,
    const cJSON *info, const cJSON *part)
{
	const char *name = json_text(part, "name");
	bool is_relayed = name[0] != '\0' && strcmp(name, g->relay) == 0;
	const struct worker_target *origin =
	    is_relayed ? target_of(g->w, 0)
		       : target_find(g->w, name, strlen(name));
	struct taken *t = origin != NULL ? taken_at(g, copy, origin) : NULL;
	const cJSON *said;

	if (t == NULL)
		return false;
	if (is_relayed) /* each of the two may make one */
		t->stall_ns = 2 * STALL_NS;
	t->is_mirror = json_get(info, "mirror") != NULL;
	t->is_renamed = json_get(part, "subject_transforms") != NULL;
	if (t->is_mirror)
		note_said(t, json_get(info, "mirror"));
	cJSON_ArrayForEach (said, json_get(info, "sources"))
		if (strcmp(json_text(said, "name"), name) == 0)
			note_said(t, said);
	if (ask_reached(g->w, t, info) && ask_all_due(g->w, t, part)) {
		if (t->lag.reached < t->lag.due)
			return false;
		/* Its origin, a copy itself, may get more only now. */
		t->moved_ns = clock_mono_ns();
		return true;
	}
	text_set(t->lag.why, sizeof(t->lag.why), g->w->session.why);
	g->is_silent = true;
	return false;
}

/* True when a copy has all that it is to have. */
static bool
look_at_copy(struct waiting *g, const struct worker_target *copy)
{
	const cJSON *config, *part;
	cJSON *info = NULL;
	bool has_all = true;

	if (operate_ask(g->w, "STREAM.INFO", copy->name, "", &info) !=
	    OUTCOME_OK) {
		g->is_silent = true;
		return false;
	}
	config = json_get(info, "config");
	part = json_get(config, "mirror");
	if (part != NULL)
		has_all = look_at_part(g, copy, info, part);
	cJSON_ArrayForEach (part, json_get(config, "sources"))
		has_all = look_at_part(g, copy, info, part) && has_all;
	cJSON_Delete(info);
	return has_all;
}

static bool
look_at_all(struct waiting *g)
{
	const struct mirror_options *o = g->w->options;
	bool have_all = true;
	uint32_t i;

	g->is_silent = false;
	for (i = 0; i < g->w->ntargets; i++)
		if (g->w->targets[i].stream >= o->store.streams)
			have_all =
			    look_at_copy(g, &g->w->targets[i]) && have_all;
	return have_all;
}

/* Does something still come, or has it not been missed for long enough? */
static bool
is_hope(const struct waiting *g)
{
	uint64_t now = clock_mono_ns();
	uint32_t i;

	if (limit_is_over(g->w))
		return false;
	for (i = 0; i < g->n; i++)
		if (g->list[i].lag.reached < g->list[i].lag.due &&
		    now < g->list[i].moved_ns + g->list[i].stall_ns)
			return true;
	return g->is_silent && now < g->begun_ns + STALL_NS;
}

static void
tell_lags(struct waiting *g)
{
	struct event ev = {.type = MESSAGE_COPY_LAG};
	uint64_t now = clock_mono_ns();
	uint32_t i;

	for (i = 0; i < g->n; i++) {
		ev.u.copy_lag = g->list[i].lag;
		ev.u.copy_lag.waited_ns = now - g->begun_ns;
		ev.u.copy_lag.stalled_ns = now - g->list[i].moved_ns;
		child_emit(&g->w->child, &ev);
	}
	child_flush(&g->w->child);
}

static int
wait_until_caught_up(struct worker *w)
{
	const struct mirror_options *o = w->options;
	struct waiting g = {.w = w, .begun_ns = clock_mono_ns()};
	struct backoff b = {.step = FIRST_STEP};
	bool is_prolonged = false;

	if (!mirror_relay(w, g.relay))
		g.relay[0] = '\0';
	g.room = (uint32_t)(o->copies * o->store.streams);
	g.list = calloc(g.room, sizeof(*g.list));
	if (g.list == NULL)
		return -ENOMEM;
	while (!look_at_all(&g) && is_hope(&g)) {
		if (!is_prolonged)
			limit_prove(w,
			    g.relay[0] != '\0' ? 2 * STALL_NS : STALL_NS,
			    "a copy lacks messages");
		is_prolonged = true;
		session_backoff(&b, &w->child);
	}
	tell_lags(&g);
	free(g.list);
	return 0;
}

/* Of a copy it is told where its messages come from. */
static bool
tell_copied(struct worker *w, uint32_t stream, const struct scan_seen *seen,
    natsMsg *msg)
{
	const struct mirror_options *o = w->options;
	struct mirror_subject s =
	    mirror_subject_read(w, natsMsg_GetSubject(msg));
	struct event ev = {.type = MESSAGE_COPIED};
	struct msg_copied *m = &ev.u.copied;
	const struct worker_target *source;

	if (stream < o->store.streams)
		return false;
	source = source_read(w, msg, &m->source_seq);
	m->stream = stream;
	m->seq = seen->seq;
	m->stamp_ns = seen->stamp_ns;
	m->source = source != NULL ? source->stream : 0;
	if (source == NULL)
		m->source_seq = 0;
	m->home = s.home;
	m->subject = s.number;
	m->renamed = s.is_renamed;
	m->id = seen->payload.id;
	m->run = seen->payload.run;
	m->sum = seen->payload.sum;
	m->intact = seen->intact;
	child_emit(&w->child, &ev);
	return true;
}

int
mirror_audit(struct worker *w)
{
	int err = wait_until_caught_up(w);

	w->scanned = tell_copied;
	return err < 0 ? err : audit_streams(w);
}
