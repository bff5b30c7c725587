/* SPDX-License-Identifier: ISC */
/* Listings, row by row, and as a whole; see streams.h. */
#include <errno.h>
#include <string.h>

#include "orchestrator/check/streams/streams.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

/* Without an id a row stands for every stream of its name that may be. */
static bool
row_is_of(const struct row *r, const struct stream *s, uint64_t begin_ns)
{
	return r->id != 0 ? r->id == s->id : streams_may_be_there(s, begin_ns);
}

static int
judge_row(struct check *c, const struct row *r, uint64_t begin_ns)
{
	struct streams_state *st = c->state;
	struct stream *s, *newest = streams_newest(st, r->name);
	bool found = false;

	for (s = newest; s != NULL; s = streams_older(s)) {
		if (!row_is_of(r, s, begin_ns))
			continue;
		found = true;
		s->listing = st->listings;
		streams_judge_there(c, s, r, begin_ns);
	}
	if (found)
		return 0;
	/* No stream of that name may be there: it is the last of them, or new.
	 */
	s = r->id == 0 ? newest : NULL;
	if (s == NULL)
		s = streams_new(st, r->id, r->name);
	if (s == NULL)
		return -ENOMEM;
	s->listing = st->listings;
	streams_judge_there(c, s, r, begin_ns);
	return 0;
}

static int
judge_listing(struct check *c, const struct client *k)
{
	struct streams_state *st = c->state;
	size_t prefix_len = strlen(k->prefix);
	struct stream *s;
	uint32_t i;
	int err = 0;

	st->listings++;
	for (i = 0; i < k->nrows && err == 0; i++)
		err = judge_row(c, &k->rows[i], k->begin_ns);
	for (s = st->watched; s != NULL; s = s->watched_next)
		if (s->listing != st->listings &&
		    strncmp(s->name, k->prefix, prefix_len) == 0)
			streams_judge_gone(c, s, k->begin_ns);
	return err;
}

int
streams_on_list(struct check *c, const struct event *ev)
{
	struct client *k = streams_client_at(c, ev->source);

	if (k == NULL)
		return -ENOMEM;
	k->is_listing = true;
	k->list = ev->u.stream_list.list;
	k->begin_ns = ev->time_ns;
	k->nrows = 0;
	text_set(k->prefix, sizeof(k->prefix), ev->u.stream_list.prefix);
	return 0;
}

int
streams_on_listed(struct check *c, const struct event *ev)
{
	const struct msg_stream_listed *m = &ev->u.stream_listed;
	struct client *k = streams_client_at(c, ev->source);
	struct row *r;

	if (k == NULL)
		return -ENOMEM;
	if (!k->is_listing || k->list != m->list)
		return 0;
	r = array_at(&k->rows, &k->room, k->nrows, sizeof(*r), UINT32_MAX);
	if (r == NULL)
		return -ENOMEM;
	k->nrows++;
	*r = (struct row){m->id, m->messages, m->created, m->variant, ""};
	text_set(r->name, sizeof(r->name), m->name);
	return 0;
}

void
streams_judge_failing(
    struct check *c, struct client *k, uint32_t source, bool is_over)
{
	struct anomaly a = {
	    .kind = ANOMALY_OP_TIMEOUT, .rule = "guarantees 15"};
	struct check_time t = {
	    k->failing_ns, c->config->op_timeout_ns, is_over};

	if (k->failing_ns == 0 || k->told || !check_is_late(c, &t))
		return;
	k->told = true;
	check_raise_late(
	    c, &a, &t, "no listing of streams by client %u succeeded", source);
}

int
streams_on_list_end(struct check *c, const struct event *ev)
{
	const struct msg_stream_list_end *m = &ev->u.stream_list_end;
	struct client *k = streams_client_at(c, ev->source);

	if (k == NULL)
		return -ENOMEM;
	if (!k->is_listing || k->list != m->list)
		return 0;
	k->is_listing = false;
	if (!m->ok) {
		if (k->failing_ns == 0)
			k->failing_ns = k->begin_ns;
		streams_judge_failing(c, k, ev->source, false);
		return 0;
	}
	streams_judge_failing(c, k, ev->source, true);
	k->failing_ns = 0;
	k->told = false;
	if (m->count != k->nrows)
		return 0; /* an event is missing: that alone spoils the run */
	return judge_listing(c, k);
}
