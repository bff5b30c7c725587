/* SPDX-License-Identifier: ISC */
/* The streams and clients that are known; see streams.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/streams/streams.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define KEEP_NS (60 * CLOCK_S) /* a deleted stream is remembered */

/* Never 0. */
static uint64_t
hash_of(const char *name)
{
	uint64_t hash = text_hash(TEXT_HASH, name);

	return hash != 0 ? hash : 1;
}

void
streams_watch(struct streams_state *st, struct stream *s)
{
	if (s->is_watched)
		return;
	s->is_watched = true;
	s->watched_next = st->watched;
	st->watched = s;
}

struct stream *
streams_new(struct streams_state *st, uint64_t id, const char *name)
{
	struct stream_list *list = hashmap_find(&st->lists, hash_of(name));
	struct stream_id *at = hashmap_find(&st->ids, id);
	struct stream *s = calloc(1, sizeof(*s));
	/* 0 is nobody's; two streams of one id: the first one is meant. */
	bool has_id = id == 0 || at != NULL;

	if (list == NULL && s != NULL)
		list = hashmap_add(&st->lists, hash_of(name));
	if (list != NULL && s != NULL && !has_id) {
		at = hashmap_add(&st->ids, id);
		has_id = at != NULL;
		if (has_id)
			at->stream = s;
	}
	if (list == NULL || s == NULL || !has_id) {
		free(s);
		return NULL;
	}
	s->id = id;
	text_set(s->name, sizeof(s->name), name);
	s->next = list->first;
	list->first = s;
	streams_watch(st, s);
	return s;
}

static struct stream *
of_name(struct stream *s, const char *name)
{
	while (s != NULL && strcmp(s->name, name) != 0)
		s = s->next;
	return s;
}

struct stream *
streams_newest(const struct streams_state *st, const char *name)
{
	struct stream_list *list = hashmap_find(&st->lists, hash_of(name));

	return list != NULL ? of_name(list->first, name) : NULL;
}

struct stream *
streams_older(const struct stream *s)
{
	return of_name(s->next, s->name);
}

struct stream *
streams_next(const struct streams_state *st, struct streams_walk *w)
{
	struct stream *s = w->next;
	struct stream_list *list;

	if (s == NULL) {
		list = hashmap_next(&st->lists, &w->at);
		s = list != NULL ? list->first : NULL;
	}
	w->next = s != NULL ? s->next : NULL;
	return s;
}

struct client *
streams_client_at(struct check *c, uint32_t source)
{
	struct streams_state *st = c->state;

	return array_at(&st->clients, &st->nclients, source,
	    sizeof(struct client), CHECK_SLOTS_MAX);
}

struct stream *
streams_find(const struct streams_state *st, uint64_t id)
{
	struct stream_id *at = hashmap_find(&st->ids, id);

	return at != NULL ? at->stream : NULL;
}

uint32_t
streams_meta_replicas(const struct check *c)
{
	if (strcmp(c->config->cluster, "local") == 0)
		return (uint32_t)c->config->servers;
	return 0; /* not known */
}

/* Nothing of it is there any more, and nothing of it can come. */
static bool
is_over(const struct stream *s)
{
	return s->adds_open == 0 && s->removes_open == 0 && s->op == OP_NONE &&
	       (s->removed_ns != 0 || s->added_ns == 0);
}

static bool
is_flawed(const struct stream *s)
{
	unsigned i;

	for (i = 0; i < FLAWS; i++)
		if (s->flaws[i].first_ns != 0)
			return true;
	return false;
}

/* A listing that lacks what is over is right, and says nothing. */
static void
unwatch_over(struct streams_state *st)
{
	struct stream **p = &st->watched, *s;

	while ((s = *p) != NULL) {
		if (!is_over(s) || is_flawed(s)) {
			p = &s->watched_next;
			continue;
		}
		*p = s->watched_next;
		s->is_watched = false;
	}
}

static bool
is_current(const struct streams_state *st, const struct stream *s)
{
	uint32_t i;

	for (i = 0; i < st->nclients; i++)
		if (st->clients[i].current == s)
			return true;
	return false;
}

static bool
is_forgettable(
    const struct streams_state *st, const struct stream *s, uint64_t now_ns)
{
	return !s->is_watched && !is_current(st, s) &&
	       now_ns >= s->removed_ns + KEEP_NS;
}

static void
id_forget(struct streams_state *st, const struct stream *s)
{
	struct stream_id *at = hashmap_find(&st->ids, s->id);

	if (at != NULL && at->stream == s)
		hashmap_remove(&st->ids, at);
}

void
streams_sweep(struct streams_state *st, uint64_t now_ns)
{
	struct stream_list *list;
	struct stream **p, *s;
	size_t at = 0;

	unwatch_over(st);
	while ((list = hashmap_next(&st->lists, &at)) != NULL) {
		for (p = &list->first; (s = *p) != NULL;) {
			if (!is_forgettable(st, s, now_ns)) {
				p = &s->next;
				continue;
			}
			*p = s->next;
			id_forget(st, s);
			free(s);
		}
		if (list->first == NULL) {
			hashmap_remove(&st->lists, list);
			at--; /* another one may stand there now */
		}
	}
}

void
streams_free(struct streams_state *st)
{
	struct streams_walk w = {0};
	struct stream *s;
	uint32_t i;

	while ((s = streams_next(st, &w)) != NULL)
		free(s);
	hashmap_fini(&st->lists);
	hashmap_fini(&st->ids);
	for (i = 0; i < st->nclients; i++)
		free(st->clients[i].rows);
	free(st->clients);
}
