/* SPDX-License-Identifier: ISC */
/* The leader's list of what holds nothing; see listed.h. */
#include "worker/audit/listed.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

#define LIST_MS	   10000 /* of one request: a long answer */
#define FIRST_STEP 4	 /* of the back-off: 160 ms and more apart */

/* An answer: the stream's bounds, and where the next listed number stands. */
struct list {
	uint64_t first, last;
	const char *next; /* digits, or what is no number at the end */
};

static bool
number_of(const char *text, const char *name, uint64_t *out)
{
	const char *at = strstr(text, name);

	if (at == NULL || !isdigit((unsigned char)at[strlen(name)]))
		return false;
	*out = strtoull(at + strlen(name), NULL, 10);
	return true;
}

/* False when it is no answer of that kind. */
static bool
list_open(struct list *l, const char *text)
{
	const char *state = strstr(text, "\"state\":{"), *at;

	if (state == NULL || !number_of(state, "\"first_seq\":", &l->first) ||
	    !number_of(state, "\"last_seq\":", &l->last))
		return false;
	at = strstr(state, "\"deleted\":[");
	l->next = at != NULL ? at + strlen("\"deleted\":[") : "";
	return true;
}

static bool
list_take(struct list *l, uint64_t *seq)
{
	char *end;

	if (!isdigit((unsigned char)*l->next))
		return false;
	*seq = strtoull(l->next, &end, 10);
	l->next = *end == ',' ? end + 1 : end;
	return true;
}

/* How many sequences of a gap lie within the stream's bounds. */
static uint64_t
within(const struct list *l, const struct gap *g)
{
	uint64_t first = g->first > l->first ? g->first : l->first;
	uint64_t last = g->last < l->last ? g->last : l->last;

	return first <= last ? last - first + 1 : 0;
}

bool
listed_count(struct gaps *g, const char *text)
{
	uint64_t seq = 0, before = 0, found;
	struct list l;
	bool is_there;
	uint32_t i;

	if (!list_open(&l, text))
		return false;
	is_there = list_take(&l, &seq);
	/* Both ascend; a number out of order is found in no gap. */
	for (i = 0; i < g->n; i++) {
		found = 0;
		while (is_there && seq <= g->list[i].last) {
			found += seq >= g->list[i].first && seq > before;
			before = seq;
			is_there = list_take(&l, &seq);
		}
		g->list[i].rounds += found == within(&l, &g->list[i]);
	}
	return true;
}

void
listed_ask(struct scan *s, struct gaps *g, unsigned times)
{
	struct session *session = &s->w->session;
	struct backoff b = {.step = FIRST_STEP};
	natsMsg *reply = NULL;
	char api[SESSION_API_MAX];
	natsStatus st;

	session_api(session, api, "STREAM.INFO.%s", s->target->name);
	for (; times > 0; times--) {
		child_beat(&s->w->child);
		st = natsConnection_RequestString(&reply, session->nc, api,
		    "{\"deleted_details\":true}", LIST_MS);
		/* The library ends what it hands over with a NUL. */
		if (st == NATS_OK)
			(void)listed_count(g, natsMsg_GetData(reply));
		natsMsg_Destroy(reply);
		reply = NULL;
		session_backoff(&b, &s->w->child);
	}
}
