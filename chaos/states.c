/* SPDX-License-Identifier: ISC */
/* What the servers tell of the streams, compared; see states.h. */
#include <stdio.h>
#include <string.h>

#include "chaos/health.h"
#include "chaos/states.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"

static bool
is_same(const struct state_row *a, const struct state_row *b)
{
	return a->has_it && b->has_it && a->first == b->first &&
	       a->last == b->last && a->messages == b->messages &&
	       a->bytes == b->bytes && a->subjects == b->subjects &&
	       a->delivered == b->delivered && a->floor == b->floor &&
	       a->ack_pending == b->ack_pending;
}

bool
states_differ(const struct state_row *rows, unsigned n, unsigned peers)
{
	const struct state_row *leader = NULL;
	bool differ = false;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (!rows[i].leads)
			continue;
		differ |= leader != NULL;
		leader = &rows[i];
	}
	for (i = 0; leader != NULL && i < n; i++)
		if ((peers & (1U << i)) != 0 && !is_same(leader, &rows[i]))
			differ = true;
	return differ;
}

void
states_begin(struct states *s, uint64_t patience_ns)
{
	memset(s, 0, sizeof(*s));
	s->begin_ns = s->asked_ns = clock_mono_ns();
	s->patient_ns = s->begin_ns + patience_ns;
}

/*
 * The rows of one stream at all servers. Returns its replicas as its leader
 * names them, as bits, without those that can't be asked.
 */
static unsigned
gather(const struct cluster *c, const struct health_stream *led,
    struct state_row *rows)
{
	struct health_stream at;
	unsigned i, told = 0;

	for (i = 0; i < c->n; i++) {
		memset(&rows[i], 0, sizeof(rows[i]));
		if (c->nodes[i].monitor[0] == '\0')
			continue;
		told |= 1U << i;
		if (!health_stream_of(c->health, i + 1, led->name, &at))
			continue;
		rows[i].has_it = true;
		rows[i].leads = at.is_led;
		rows[i].first = at.first;
		rows[i].last = at.last;
		rows[i].messages = at.messages;
		rows[i].bytes = at.bytes;
		rows[i].subjects = at.subjects;
		rows[i].delivered = at.delivered;
		rows[i].floor = at.floor;
		rows[i].ack_pending = at.ack_pending;
	}
	return led->peers & told;
}

/* The audit still reads from this consumer: its replicas may lag. */
static bool
has_moved(const struct states *s, unsigned i, const struct health_stream *led)
{
	return s->open[i].delivered != led->delivered ||
	       s->open[i].floor != led->floor ||
	       s->open[i].ack_pending != led->ack_pending;
}

/* This one differs: note since when, which is kept from round to round. */
static void
note_open(struct states *s, const struct health_stream *led)
{
	const char *name = led->name;
	unsigned i;

	s->differ += !led->is_consumer;
	for (i = 0; i < s->nopen; i++)
		if (strcmp(s->open[i].name, name) == 0)
			break;
	if (i == STATES_MAX)
		return;
	if (i == s->nopen) {
		s->nopen++;
		text_set(s->open[i].name, sizeof(s->open[i].name), name);
		s->open[i].since_ns = clock_mono_ns();
	} else if (has_moved(s, i, led))
		s->open[i].since_ns = clock_mono_ns();
	s->open[i].delivered = led->delivered;
	s->open[i].floor = led->floor;
	s->open[i].ack_pending = led->ack_pending;
	s->open[i].seen_ns = s->asked_ns;
	s->open[i].is_seen = true;
}

static void
drop_closed(struct states *s)
{
	unsigned i, kept = 0;

	for (i = 0; i < s->nopen; i++)
		if (s->open[i].is_seen)
			s->open[kept++] = s->open[i];
	s->nopen = kept;
}

static bool
is_led(const struct cluster *c, const char *name)
{
	struct health_stream at;
	unsigned node;

	for (node = 1; node <= c->n; node++)
		if (health_stream_of(c->health, node, name, &at) && at.is_led)
			return true;
	return false;
}

/* Compare all streams by what the servers said last. */
static void
compare(struct states *s, const struct cluster *c)
{
	struct state_row rows[CONFIG_NODES_MAX];
	struct health_stream at;
	unsigned node, i, peers;

	s->streams = s->differ = s->leaderless = 0;
	for (i = 0; i < s->nopen; i++)
		s->open[i].is_seen = false;
	for (node = 1; node <= c->n; node++) {
		i = 0;
		while (health_stream(c->health, node, &i, &at)) {
			/* Consumers without one are not_recovered's. */
			s->leaderless += !at.is_consumer && !is_led(c, at.name);
			if (!at.is_led)
				continue;
			s->streams += !at.is_consumer;
			peers = gather(c, &at, rows);
			if (states_differ(rows, c->n, peers))
				note_open(s, &at);
		}
	}
	drop_closed(s);
}

/* What a server tells of a stream, or of a consumer. */
static void
tell_row(const struct state_row *r, const char *server, const char *name,
    bool is_replica, struct child *child)
{
	struct event ev = {.type = MESSAGE_STATE};
	struct msg_consumer_at *at = &ev.u.consumer_at;

	if (strchr(name, '/') != NULL) {
		ev.type = MESSAGE_CONSUMER_AT;
		at->delivered = r->delivered;
		at->floor = r->floor;
		at->ack_pending = r->ack_pending;
		at->has_it = r->has_it;
		at->is_replica = is_replica;
		at->leads = r->leads;
		text_set(at->server, sizeof(at->server), server);
		text_set(at->name, sizeof(at->name), name);
		child_emit(child, &ev);
		return;
	}
	ev.u.state.first = r->first;
	ev.u.state.last = r->last;
	ev.u.state.messages = r->messages;
	ev.u.state.has_it = r->has_it;
	ev.u.state.leads = r->leads;
	ev.u.state.is_replica = is_replica;
	text_set(ev.u.state.server, sizeof(ev.u.state.server), server);
	text_set(ev.u.state.stream, sizeof(ev.u.state.stream), name);
	child_emit(child, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_STATE_SIZE;
	ev.u.state_size.bytes = r->bytes;
	ev.u.state_size.subjects = r->subjects;
	child_emit(child, &ev);
}

static void
tell_stream(const struct states *s, unsigned open, const struct cluster *c,
    struct child *child)
{
	struct event ev = {.type = MESSAGE_STATES_DIFFER};
	const char *name = s->open[open].name;
	struct state_row rows[CONFIG_NODES_MAX];
	uint64_t since_ns = s->open[open].since_ns;
	uint64_t seen_ns = s->open[open].seen_ns;
	struct health_stream at;
	unsigned node, peers = 0;

	for (node = 1; node <= c->n && peers == 0; node++)
		if (health_stream_of(c->health, node, name, &at) && at.is_led)
			peers = gather(c, &at, rows);
	for (node = 1; node <= c->n && peers != 0; node++) {
		if (c->nodes[node - 1].monitor[0] == '\0')
			continue;
		tell_row(&rows[node - 1], c->nodes[node - 1].name, name,
		    (peers & (1U << (node - 1))) != 0, child);
	}
	ev.u.states_differ.differed_ns =
	    seen_ns > since_ns ? seen_ns - since_ns : 0;
	text_set(
	    ev.u.states_differ.stream, sizeof(ev.u.states_differ.stream), name);
	child_emit(child, &ev);
}

static void
answer(struct states *s, const struct cluster *c, unsigned servers,
    struct child *child, const char *why)
{
	struct event ev = {.type = MESSAGE_COMPARED};
	unsigned i;

	for (i = 0; i < s->nopen; i++)
		tell_stream(s, i, c, child);
	ev.u.compared.servers = servers;
	ev.u.compared.streams = s->streams;
	ev.u.compared.differ = s->differ;
	text_set(ev.u.compared.why, sizeof(ev.u.compared.why), why);
	child_emit(child, &ev);
	child_flush(child);
	s->begin_ns = 0;
}

/*
 * True when there is nothing to wait for: each stream has a leader, and each
 * that differs has done so for STATES_PERSIST_NS.
 */
static bool
is_plain(const struct states *s)
{
	unsigned i;

	for (i = 0; i < s->nopen; i++)
		if (s->open[i].seen_ns <
		    s->open[i].since_ns + STATES_PERSIST_NS)
			return false;
	return s->leaderless == 0;
}

void
states_step(struct states *s, const struct cluster *c, struct child *child)
{
	unsigned servers = 0, silent = 0;
	uint64_t now = clock_mono_ns();
	char why[128] = "";

	if (s->begin_ns == 0)
		return;
	if (c->health != NULL)
		servers = health_tells_streams(c->health, s->asked_ns, &silent);
	if (servers == 0) {
		answer(s, c, 0, child, "");
		return;
	}
	if (silent == 0) {
		compare(s, c);
		if (is_plain(s)) {
			answer(s, c, servers, child, "");
			return;
		}
		s->asked_ns = now;
	}
	/* Whoever was asked just now is not silent. */
	if (silent != 0 && now < s->asked_ns + STATES_SILENT_NS)
		return;
	if (now < s->patient_ns || (silent == 0 && s->nopen > 0 &&
				       now < s->begin_ns + STATES_GIVE_UP_NS))
		return;
	if (silent != 0)
		text_add(why, sizeof(why),
		    "%.60s does not tell its JetStream state",
		    c->nodes[silent - 1].name);
	else if (s->leaderless > 0)
		text_set(
		    why, sizeof(why), "there are streams that nobody leads");
	answer(s, c, servers, child, why);
}
