/* SPDX-License-Identifier: ISC */
/* What the history has established; see ledger.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/ledger.h"
#include "proto/base/text.h"

#define ROOM_FIRST  64
#define SOURCES_MAX (1u << 20)
#define NO_STREAM   UINT32_MAX

void
ledger_init(struct ledger *l)
{
	memset(l, 0, sizeof(*l));
}

void
ledger_fini(struct ledger *l)
{
	uint32_t i;

	for (i = 0; i < l->nstreams; i++) {
		seqmap_fini(&l->streams[i].acked);
		seqmap_fini(&l->streams[i].seen);
		seqmap_fini(&l->streams[i].scanned);
	}
	free(l->streams);
	free(l->entries);
	free(l->invoked);
	free(l->consumer_streams);
	ledger_init(l);
}

static size_t
slot_of(const struct ledger *l, uint64_t id)
{
	uint64_t h = id * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 20) & (l->room - 1);
}

struct ledger_entry *
ledger_find(const struct ledger *l, uint64_t id)
{
	size_t i;

	if (l->room == 0)
		return NULL;
	for (i = slot_of(l, id); l->entries[i].id != 0;
	     i = (i + 1) & (l->room - 1))
		if (l->entries[i].id == id)
			return &l->entries[i];
	return NULL;
}

struct ledger_entry *
ledger_slot(const struct ledger *l, size_t i)
{
	return l->entries[i].id != 0 ? &l->entries[i] : NULL;
}

static int
entries_grow(struct ledger *l)
{
	size_t room = l->room ? l->room * 2 : ROOM_FIRST, i, old = l->room, at;
	struct ledger_entry *entries = calloc(room, sizeof(*entries));
	struct ledger_entry *from = l->entries;

	if (entries == NULL)
		return -ENOMEM;
	l->entries = entries;
	l->room = room;
	for (i = 0; i < old; i++) {
		if (from[i].id == 0)
			continue;
		for (at = slot_of(l, from[i].id); entries[at].id != 0;
		     at = (at + 1) & (room - 1))
			;
		entries[at] = from[i];
	}
	free(from);
	return 0;
}

static struct ledger_entry *
entry_add(struct ledger *l, uint64_t id)
{
	size_t i;

	if ((l->nentries + 1) * 2 > l->room && entries_grow(l) < 0) {
		l->no_memory = true;
		return NULL;
	}
	for (i = slot_of(l, id); l->entries[i].id != 0;
	     i = (i + 1) & (l->room - 1))
		;
	l->entries[i].id = id;
	l->nentries++;
	return &l->entries[i];
}

/* Remove by shifting back what would otherwise not be found any more. */
static void
entry_remove(struct ledger *l, struct ledger_entry *e)
{
	size_t mask = l->room - 1, hole = (size_t)(e - l->entries), i, home;

	for (i = (hole + 1) & mask; l->entries[i].id != 0; i = (i + 1) & mask) {
		home = slot_of(l, l->entries[i].id);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			l->entries[hole] = l->entries[i];
			hole = i;
		}
	}
	memset(&l->entries[hole], 0, sizeof(l->entries[hole]));
	l->nentries--;
}

static struct ledger_stream *
stream_at(struct ledger *l, uint32_t stream)
{
	struct ledger_stream *streams;
	uint32_t n = l->nstreams;

	if (stream < n)
		return &l->streams[stream];
	if (stream >= LEDGER_STREAMS_MAX)
		return NULL;
	streams = realloc(l->streams, (stream + 1) * sizeof(*streams));
	if (streams == NULL) {
		l->no_memory = true;
		return NULL;
	}
	memset(streams + n, 0, (stream + 1 - n) * sizeof(*streams));
	l->streams = streams;
	l->nstreams = stream + 1;
	return &streams[stream];
}

const struct ledger_stream *
ledger_stream(const struct ledger *l, uint32_t stream)
{
	if (stream >= l->nstreams || !l->streams[stream].exists)
		return NULL;
	return &l->streams[stream];
}

bool
ledger_was_invoked(const struct ledger *l, uint64_t id)
{
	uint32_t source = message_id_source(id);

	return source < l->nsources && message_id_counter(id) != 0 &&
	       message_id_counter(id) <= l->invoked[source];
}

static void
note_invoked(struct ledger *l, uint64_t id)
{
	uint32_t source = message_id_source(id), n;
	uint64_t *invoked;

	if (source >= SOURCES_MAX)
		return;
	if (source >= l->nsources) {
		n = source + 1;
		invoked = realloc(l->invoked, n * sizeof(*invoked));
		if (invoked == NULL) {
			l->no_memory = true;
			return;
		}
		memset(invoked + l->nsources, 0,
		    (n - l->nsources) * sizeof(*invoked));
		l->invoked = invoked;
		l->nsources = n;
	}
	if (message_id_counter(id) > l->invoked[source])
		l->invoked[source] = message_id_counter(id);
}

static void
map_add(struct ledger *l, struct seqmap *m, uint64_t seq, uint64_t id)
{
	if (seqmap_add(m, seq, id) == -ENOMEM)
		l->no_memory = true;
}

static void
enter_stream(struct ledger *l, const struct msg_stream *m)
{
	struct ledger_stream *s = stream_at(l, m->stream);

	if (s == NULL)
		return;
	s->exists = true;
	s->created = m->created;
	s->dedupe_ns = m->dedupe_ns;
	s->replicas = m->replicas;
	(void)text_copy(s->name, sizeof(s->name), m->name);
	(void)text_copy(s->storage, sizeof(s->storage), m->storage);
}

static void
enter_invoke(struct ledger *l, const struct faults *f, const struct event *ev)
{
	const struct msg_publish_invoke *m = &ev->u.publish_invoke;
	struct ledger_stream *s = stream_at(l, m->stream);
	struct ledger_entry *e = ledger_find(l, m->id);

	if (s == NULL)
		return;
	if (e != NULL) {
		e->attempts++;
		return;
	}
	note_invoked(l, m->id);
	e = entry_add(l, m->id);
	if (e == NULL)
		return;
	e->stream = m->stream;
	e->attempts = 1;
	e->sum = m->sum;
	e->invoked_ns = ev->time_ns;
	e->invoked_stood = faults_stood(f, ev->time_ns);
	e->floor = s->max_acked;
}

/* A message leaves when nothing about it is open any more. */
static void
entry_settle(struct ledger *l, struct ledger_entry *e)
{
	const struct ledger_stream *s = ledger_stream(l, e->stream);

	if (e->is_acked && (e->is_confirmed || s == NULL || s->consumers == 0))
		entry_remove(l, e);
}

static void
enter_ok(struct ledger *l, const struct faults *f, const struct event *ev)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	struct ledger_stream *s = stream_at(l, m->stream);
	struct ledger_entry *e = ledger_find(l, m->id);

	if (s == NULL)
		return;
	/*
	 * A duplicate's ack names the first copy, which is ours as well (ids
	 * are unique): both count as "stored there, promised to stay".
	 */
	map_add(l, &s->acked, m->seq, m->id);
	if (!m->duplicate && m->seq > s->max_acked)
		s->max_acked = m->seq;
	if (e == NULL)
		return;
	e->is_acked = true;
	e->acked_ns = ev->time_ns;
	e->acked_stood = faults_stood(f, ev->time_ns);
	e->seq = m->seq;
	entry_settle(l, e);
}

static void
enter_read(struct ledger *l, uint32_t stream, uint64_t seq, uint64_t id,
    int64_t stamp_ns)
{
	struct ledger_stream *s = stream_at(l, stream);
	struct ledger_entry *e = ledger_find(l, id);

	if (s == NULL)
		return;
	map_add(l, &s->seen, seq, id);
	if (e != NULL && e->stream == stream && e->seq == 0)
		e->seq = seq;
	if (e != NULL && e->seq == seq)
		e->stamp_ns = stamp_ns;
}

static void
enter_consumer(struct ledger *l, const struct msg_consumer *m)
{
	struct ledger_stream *s = stream_at(l, m->stream);
	uint32_t n = l->nconsumers, *streams;

	if (s == NULL || m->consumer >= SOURCES_MAX)
		return;
	s->consumers++;
	if (m->consumer >= n) {
		streams = realloc(
		    l->consumer_streams, (m->consumer + 1) * sizeof(*streams));
		if (streams == NULL) {
			l->no_memory = true;
			return;
		}
		for (; n <= m->consumer; n++)
			streams[n] = NO_STREAM;
		l->consumer_streams = streams;
		l->nconsumers = n;
	}
	l->consumer_streams[m->consumer] = m->stream;
}

/* A payload that could not be read was acked all the same: by sequence. */
static struct ledger_entry *
find_by_seq(const struct ledger *l, uint32_t consumer, uint64_t seq)
{
	struct ledger_entry *e;
	size_t i;

	if (consumer >= l->nconsumers)
		return NULL;
	for (i = 0; i < l->room; i++) {
		e = ledger_slot(l, i);
		if (e != NULL && e->is_acked && e->seq == seq &&
		    e->stream == l->consumer_streams[consumer])
			return e;
	}
	return NULL;
}

static void
enter_ack(struct ledger *l, const struct msg_ack_ok *m)
{
	struct ledger_entry *e = m->id != 0
				     ? ledger_find(l, m->id)
				     : find_by_seq(l, m->consumer, m->seq);

	if (e == NULL)
		return;
	e->is_confirmed = true;
	entry_settle(l, e);
}

static void
enter_scan(struct ledger *l, const struct msg_scan_message *m)
{
	struct ledger_stream *s = stream_at(l, m->stream);

	if (s == NULL || !m->intact)
		return;
	enter_read(l, m->stream, m->seq, m->id, m->stamp_ns);
	map_add(l, &s->scanned, m->seq, m->id);
}

/* What happened to a message's attempts. */
static void
enter_outcome(struct ledger *l, const struct event *ev)
{
	struct ledger_entry *e;

	if (ev->type == MESSAGE_PUBLISH_UNKNOWN) {
		e = ledger_find(l, ev->u.publish_unknown.id);
		if (e != NULL)
			e->is_unknown = true;
		return;
	}
	e = ledger_find(l, ev->u.publish_end.id);
	if (e == NULL)
		return;
	e->is_ended = true;
	if (ev->u.publish_end.outcome == 2)
		e->is_unknown = true;
	else if (!e->is_unknown)
		entry_remove(l, e); /* every attempt certainly failed */
}

/*
 * An ack whose answer nobody heard may have been committed: the server then
 * owes no further delivery. A new attempt by somebody begins anew.
 */
static void
enter_ack_attempt(struct ledger *l, const struct event *ev)
{
	struct ledger_entry *e;

	/* Type after type the id has its own place. */
	if (ev->type == MESSAGE_ACK_INVOKE) {
		e = ledger_find(l, ev->u.ack_invoke.id);
		if (e != NULL) {
			e->acking = ev->source;
			e->ack_unknown = false;
		}
		return;
	}
	e = ledger_find(l, ev->u.ack_unknown.id);
	if (e == NULL || !ev->u.ack_unknown.gave_up)
		return;
	e->acking = 0;
	e->ack_unknown = true;
}

/* What a process had open when it ended stays unknown for ever. */
static void
enter_exit(struct ledger *l, uint32_t source)
{
	struct ledger_entry *e;
	size_t i;

	for (i = 0; i < l->room; i++) {
		e = ledger_slot(l, i);
		if (e != NULL && e->acking == source) {
			e->acking = 0;
			e->ack_unknown = true;
		}
		if (e == NULL || message_id_source(e->id) != source ||
		    e->is_acked || e->is_ended)
			continue;
		e->is_unknown = e->is_ended = true;
	}
}

void
ledger_event(struct ledger *l, const struct faults *f, const struct event *ev)
{
	const struct msg_deliver *d = &ev->u.deliver;

	if (ev->type == MESSAGE_PUBLISH_INVOKE)
		enter_invoke(l, f, ev);
	else if (ev->type == MESSAGE_PUBLISH_OK)
		enter_ok(l, f, ev);
	else if (ev->type == MESSAGE_DELIVER) {
		if (d->intact)
			enter_read(l, d->stream, d->seq, d->id, d->stamp_ns);
	} else if (ev->type == MESSAGE_ACK_OK)
		enter_ack(l, &ev->u.ack_ok);
	else if (ev->type == MESSAGE_ACK_INVOKE ||
		 ev->type == MESSAGE_ACK_UNKNOWN)
		enter_ack_attempt(l, ev);
	else if (ev->type == MESSAGE_SCAN_MESSAGE)
		enter_scan(l, &ev->u.scan_message);
	else if (ev->type == MESSAGE_PUBLISH_UNKNOWN ||
		 ev->type == MESSAGE_PUBLISH_END)
		enter_outcome(l, ev);
	else if (ev->type == MESSAGE_CHILD_EXIT)
		enter_exit(l, ev->u.child_exit.child);
	else if (ev->type == MESSAGE_RUN)
		l->run = ev->u.run.run;
	else if (ev->type == MESSAGE_STREAM)
		enter_stream(l, &ev->u.stream);
	else if (ev->type == MESSAGE_CONSUMER)
		enter_consumer(l, &ev->u.consumer);
}
