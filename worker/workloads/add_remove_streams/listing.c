/* SPDX-License-Identifier: ISC */
/* One listing, with its events; see add_remove_streams.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/workloads/add_remove_streams/add_remove_streams.h"

#define LIST_MS 3000
/*
 * A server that gathers states waits 4 s for streams without a leader: too
 * long in an election, when the names are answer enough.
 */
#define STATES_MS      1500
#define STATES_LAST_MS 8000
#define NAMES_ONLY_NS  (5 * CLOCK_S) /* after that took too long */

void
ar_view_clear(struct ar_view *v)
{
	free(v->rows);
	v->rows = NULL;
	v->n = 0;
	v->has_states = false;
}

static int
info_order(const void *a, const void *b)
{
	const jsStreamInfo *const *x = a, *const *y = b;

	return strcmp((*x)->Config->Name, (*y)->Config->Name);
}

static int
info_match(const void *name, const void *b)
{
	const jsStreamInfo *const *y = b;

	return strcmp(name, (*y)->Config->Name);
}

int
ar_row_order(const void *a, const void *b)
{
	const struct ar_row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
row_state(const struct worker *w, struct ar_row *r, const jsStreamInfo *si)
{
	r->id = ar_id(si->Config);
	r->variant = ar_variant(w, si->Config);
	r->messages = si->State.Msgs;
	r->created = (uint64_t)si->Created;
}

/* What the listing of states knows of the streams named. */
static void
view_states(struct worker *w, struct ar_view *v, jsStreamInfoList *infos)
{
	jsStreamInfo **si;
	size_t i, n = infos != NULL ? (size_t)infos->Count : 0;

	if (n == 0)
		return;
	qsort(infos->List, n, sizeof(infos->List[0]), info_order);
	for (i = 0; i < v->n; i++) {
		si = bsearch(v->rows[i].name, infos->List, n,
		    sizeof(infos->List[0]), info_match);
		if (si != NULL)
			row_state(w, &v->rows[i], *si);
	}
}

/*
 * Ask for states that the listing lacked, one by one. A leader need not
 * take part in listings to be there: on 2.9.10 one of a stream that was
 * deleted and added again did not for minutes.
 */
static void
view_ask(struct worker *w, struct ar_view *v)
{
	jsStreamInfo *si;
	size_t i;

	v->has_states = true;
	for (i = 0; i < v->n; i++) {
		if (v->rows[i].created != 0)
			continue;
		si = NULL;
		if (v->is_thorough &&
		    session_stream_info(&w->session, v->rows[i].name, STATE_MS,
			&si) == OUTCOME_OK) {
			row_state(w, &v->rows[i], si);
			jsStreamInfo_Destroy(si);
			child_beat(&w->child);
			continue;
		}
		v->has_states = false;
		text_set(v->stateless, sizeof(v->stateless), v->rows[i].name);
		if (v->is_thorough)
			return; /* each may take seconds: the next listing asks
				   again */
	}
}

static int
view_names(
    struct ar_view *v, const jsStreamNamesList *names, const char *prefix)
{
	size_t i, n = names != NULL ? (size_t)names->Count : 0;

	if (n == 0)
		return 0;
	v->rows = calloc(n, sizeof(*v->rows));
	if (v->rows == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		if (strncmp(names->List[i], prefix, strlen(prefix)) == 0)
			text_set(v->rows[v->n++].name, sizeof(v->rows[0].name),
			    names->List[i]);
	/* The library hands them out in no order. */
	qsort(v->rows, v->n, sizeof(*v->rows), ar_row_order);
	return 0;
}

static void
tell_view(struct worker *w, const struct ar_view *v, uint64_t list)
{
	struct event ev;
	struct msg_stream_listed *m;
	size_t i;

	for (i = 0; i < v->n; i++) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_LISTED;
		m = &ev.u.stream_listed;
		m->list = list;
		m->id = v->rows[i].id;
		m->variant = v->rows[i].variant;
		m->messages = v->rows[i].messages;
		m->created = v->rows[i].created;
		text_set(m->name, sizeof(m->name), v->rows[i].name);
		child_emit(&w->child, &ev);
	}
}

/*
 * Names and then states, by both requests that there are. The names decide
 * what is there. 0, or -errno when the names could not be had: that says
 * nothing of what is there.
 */
static int
view_fetch(
    struct worker *w, struct ar_view *v, const char *prefix, bool is_whole)
{
	jsStreamNamesList *names = NULL;
	jsStreamInfoList *infos = NULL;
	jsErrCode code = 0;
	char filter[96];
	jsOptions jo;
	natsStatus st;
	int err;

	/* More clients, more pages. */
	session_options(&jo, LIST_MS + (int64_t)w->config.clients);
	/* A cluster of our own has no other streams: all of it is listed. */
	if (!is_whole || !w->config.servers_are_ours) {
		ar_filter(w, is_whole, filter, sizeof(filter));
		jo.Stream.Info.SubjectsFilter = filter;
	}
	st = js_StreamNames(&names, w->session.js, &jo, &code);
	/* Without an error code "not found" is how it says "none". */
	if (st != NATS_OK && !(st == NATS_NOT_FOUND && code == 0)) {
		session_note(&w->session, st, code);
		return -EIO;
	}
	child_beat(&w->child);
	err = view_names(v, names, prefix);
	jsStreamNamesList_Destroy(names);
	if (err < 0 || v->n == 0) {
		v->has_states = true;
		return err;
	}
	if (!v->is_thorough && clock_mono_ns() < v->names_only_ns)
		return 0;
	jo.Wait = (v->is_thorough ? STATES_LAST_MS : STATES_MS) +
		  (int64_t)w->config.clients * 2;
	if (js_Streams(&infos, w->session.js, &jo, &code) != NATS_OK)
		v->names_only_ns = clock_mono_ns() + NAMES_ONLY_NS;
	else
		view_states(w, v, infos);
	jsStreamInfoList_Destroy(infos);
	view_ask(w, v);
	return 0;
}

int
ar_list(struct worker *w, struct ar_view *v, uint64_t list, bool is_whole)
{
	struct event begin = {.type = MESSAGE_STREAM_LIST};
	struct event end = {.type = MESSAGE_STREAM_LIST_END};
	char *prefix = begin.u.stream_list.prefix;
	int err;

	ar_view_clear(v);
	begin.u.stream_list.list = list;
	if (is_whole)
		ar_prefix_whole(w, prefix, sizeof(begin.u.stream_list.prefix));
	else
		ar_prefix_own(w, prefix, sizeof(begin.u.stream_list.prefix));
	child_emit(&w->child, &begin);
	child_flush(&w->child);
	err = view_fetch(w, v, prefix, is_whole);
	end.u.stream_list_end.list = list;
	end.u.stream_list_end.ok = err == 0;
	if (err == 0) {
		tell_view(w, v, list);
		end.u.stream_list_end.count = (uint32_t)v->n;
	} else
		text_set(end.u.stream_list_end.why,
		    sizeof(end.u.stream_list_end.why), w->session.why);
	child_emit(&w->child, &end);
	child_flush(&w->child);
	return err;
}
