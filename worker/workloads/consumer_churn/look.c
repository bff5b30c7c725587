/* SPDX-License-Identifier: ISC */
/* What the API says of consumers; see consumer_churn.h. */
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/consumer_churn/consumer_churn.h"

#define NOT_FOUND  10014
#define PAGE_MAX   1024 /* names of an answer */
#define HOLD_TIMES 6

static void
read_info(
    const struct churn_life *l, const cJSON *info, struct msg_consumer_seen *m)
{
	const cJSON *delivered = json_get(info, "delivered"),
		    *floor = json_get(info, "ack_floor");

	m->found = 1;
	m->paused = json_is_true(info, "paused");
	m->created = (uint64_t)request_time(json_text(info, "created"));
	m->delivered = json_count(delivered, "consumer_seq");
	m->delivered_seq = json_count(delivered, "stream_seq");
	m->floor = json_count(floor, "consumer_seq");
	m->floor_seq = json_count(floor, "stream_seq");
	m->pending = json_count(info, "num_pending");
	m->ack_pending = json_count(info, "num_ack_pending");
	m->redelivered = json_count(info, "num_redelivered");
	text_set(m->server, sizeof(m->server),
	    json_text(json_get(info, "cluster"), "leader"));
	if (l->state == LIFE_SURE)
		(void)churn_terms_differ(/* differs says it */
		    l->config, json_get(info, "config"), m->differs);
}

bool
churn_see(struct worker *w, struct churn_place *p, bool is_drained,
    struct churn_seen *seen)
{
	struct event ev = {.type = MESSAGE_CONSUMER_SEEN};
	struct msg_consumer_seen *m = &ev.u.consumer_seen;
	const struct churn *s = w->state;
	const struct churn_life *l = &p->life;
	char where[132];
	struct request r = {"CONSUMER.INFO", where, "", CHURN_ATTEMPT_MS};
	cJSON *tree;

	text_format(where, sizeof(where), "%s.%s",
	    s->streams[l->terms.stream].name, l->name);
	m->asked_ns = clock_mono_ns();
	if (request_send(&w->session, &r, &tree) == OUTCOME_OK)
		read_info(l, tree, m);
	else if (w->session.code != NOT_FOUND)
		return false;
	m->stream = l->terms.stream;
	m->consumer = p->consumer;
	m->drained =
	    is_drained && m->found && m->pending == 0 && m->ack_pending == 0;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	cJSON_Delete(tree);
	*seen = (struct churn_seen){
	    m->found, m->paused, m->pending, m->ack_pending};
	return true;
}

/* Where there is one replica nothing tells of others. */
static bool
is_everywhere(const cJSON *info, uint64_t replicas)
{
	const cJSON *cluster = json_get(info, "cluster"), *one;
	uint64_t n = 1;

	cJSON_ArrayForEach (one, json_get(cluster, "replicas"))
		n += json_is_true(one, "current");
	return n >= replicas &&
	       (replicas == 1 || json_text(cluster, "leader")[0] != '\0');
}

void
churn_hold(struct worker *w, const struct churn_place *p)
{
	const struct churn *s = w->state;
	struct event ev = {.type = MESSAGE_CONSUMER_HELD};
	char where[132];
	struct request r = {"CONSUMER.INFO", where, "", CHURN_ATTEMPT_MS};
	struct backoff b = {.step = 2};
	bool is_held = false;
	unsigned n;
	cJSON *tree;

	text_format(where, sizeof(where), "%s.%s",
	    s->streams[p->life.terms.stream].name, p->life.name);
	for (n = 0; n < HOLD_TIMES && !is_held; n++) {
		if (request_send(&w->session, &r, &tree) == OUTCOME_OK)
			is_held = is_everywhere(tree, w->config.replicas);
		cJSON_Delete(tree);
		if (!is_held)
			session_backoff(&b, &w->child);
	}
	if (!is_held)
		return;
	ev.u.consumer_held.stream = p->life.terms.stream;
	ev.u.consumer_held.consumer = p->consumer;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* A page of names from one on, the caller's to delete, or NULL. */
static cJSON *
ask_names(struct worker *w, uint32_t stream, uint64_t from)
{
	const struct churn *s = w->state;
	char text[48];
	struct request r = {
	    "CONSUMER.NAMES", s->streams[stream].name, text, CHURN_ATTEMPT_MS};
	cJSON *tree;

	text_format(
	    text, sizeof(text), "{\"offset\":%llu}", (unsigned long long)from);
	return request_send(&w->session, &r, &tree) == OUTCOME_OK ? tree : NULL;
}

/* Mark whose name is in a page. */
static void
mark_names(struct worker *w, uint32_t stream, const cJSON *names,
    bool found[CHURN_PLACES_MAX])
{
	const struct churn_options *o = w->options;
	const struct churn *s = w->state;
	const struct churn_life *l;
	const cJSON *name;
	uint32_t i;

	cJSON_ArrayForEach (name, names)
		for (i = 0; i < o->places; i++) {
			l = &s->places[i].life;
			if (l->state != LIFE_NONE &&
			    l->terms.stream == stream && cJSON_IsString(name) &&
			    strcmp(l->name, name->valuestring) == 0)
				found[i] = true;
		}
}

void
churn_list(struct worker *w, uint32_t stream)
{
	const struct churn_options *o = w->options;
	const struct churn *s = w->state;
	bool found[CHURN_PLACES_MAX] = {false};
	struct event ev = {.type = MESSAGE_CONSUMER_SEEN};
	struct msg_consumer_seen *m = &ev.u.consumer_seen;
	uint64_t from = 0, total;
	enum churn_state state;
	cJSON *tree;
	uint32_t i;

	m->asked_ns = clock_mono_ns();
	do {
		tree = ask_names(w, stream, from);
		if (tree == NULL)
			return;
		mark_names(w, stream, json_get(tree, "consumers"), found);
		total = json_count(tree, "total");
		cJSON_Delete(tree);
		from += PAGE_MAX;
	} while (from < total);
	/* Others may have moved a name from a page to the one before it. */
	for (i = 0; i < o->places; i++) {
		state = s->places[i].life.state;
		if ((state != LIFE_SURE && state != LIFE_ENDED) ||
		    s->places[i].life.terms.stream != stream ||
		    (!found[i] && total > PAGE_MAX))
			continue;
		m->stream = stream;
		m->consumer = s->places[i].consumer;
		m->listed = 1;
		m->found = found[i];
		child_emit(&w->child, &ev);
	}
	child_flush(&w->child);
}

void
churn_sweep(struct worker *w)
{
	const struct churn_options *o = w->options;
	const struct churn *s = w->state;
	const cJSON *name;
	char prefix[24];
	cJSON *tree;
	uint32_t i;

	text_format(prefix, sizeof(prefix), "c%u_", w->source);
	for (i = 0; i < o->streams; i++) {
		tree = ask_names(w, i, 0);
		cJSON_ArrayForEach (name, json_get(tree, "consumers")) {
			const struct session_consumer c = {
			    s->streams[i].name, name->valuestring};

			if (!cJSON_IsString(name) ||
			    strncmp(c.name, prefix, strlen(prefix)) != 0)
				continue;
			session_drop_consumer(
			    &w->session, &c, CHURN_ATTEMPT_MS);
			worker_commands(w, 0);
		}
		cJSON_Delete(tree);
	}
}
