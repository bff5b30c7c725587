/* SPDX-License-Identifier: ISC */
/* What the history has established; see ledger.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/ledger.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/ensure.h"
#include "proto/base/text.h"

#define SOURCES_MAX (1u << 20)
#define ENTRIES_MAX (1u << 26)
#define MASK_BITS   64
#define HELD_MAX    (1u << 26)
#define PARK_NS	    (15 * CLOCK_S) /* most have come again by then */
#define PARKING_NS  (5 * CLOCK_S)  /* from one look to the next */
#define STAY_MAX    65536u	   /* messages that have to stay, not parked */

void
ledger_init(struct ledger *l)
{
	memset(l, 0, sizeof(*l));
	hashmap_init(&l->entries, sizeof(struct ledger_entry), ENTRIES_MAX);
	hashmap_init(&l->answers, sizeof(struct ledger_answer), ENTRIES_MAX);
}

void
ledger_fini(struct ledger *l)
{
	uint32_t i;

	for (i = 0; i < l->nstreams; i++) {
		seqmap_fini(&l->streams[i].acked);
		seqlog_fini(&l->streams[i].known);
	}
	free(l->streams);
	free(l->consumers);
	for (i = 0; i < l->nreaders; i++)
		free(l->readers[i].held);
	free(l->readers);
	hashmap_fini(&l->entries);
	hashmap_fini(&l->answers);
	free(l->hint);
	free(l->invoked);
	parked_fini(&l->parked);
	ledger_init(l);
}

struct ledger_entry *
ledger_find(const struct ledger *l, uint64_t id)
{
	if (l->hint == NULL)
		return NULL;
	if (l->hint->id != id)
		*l->hint =
		    (struct ledger_hint){id, hashmap_find(&l->entries, id)};
	return l->hint->entry;
}

struct ledger_entry *
ledger_next(const struct ledger *l, size_t *at)
{
	return hashmap_next(&l->entries, at);
}

/* After entries have moved the hint may point to another. */
static void
hint_drop(struct ledger *l)
{
	*l->hint = (struct ledger_hint){0, NULL};
}

static struct ledger_entry *
entry_add(struct ledger *l, uint64_t id)
{
	struct ledger_entry *e = NULL;

	if (l->hint == NULL)
		l->hint = calloc(1, sizeof(*l->hint));
	if (l->hint != NULL) {
		hint_drop(l);
		e = hashmap_add(&l->entries, id);
	}
	l->no_memory |= e == NULL;
	return e;
}

const struct ledger_answer *
ledger_answer(const struct ledger *l, uint64_t id)
{
	return l->answers.n != 0 ? hashmap_find(&l->answers, id) : NULL;
}

/* To be written to; NULL without memory. */
static struct ledger_answer *
answer_at(struct ledger *l, uint64_t id)
{
	struct ledger_answer *a = hashmap_find(&l->answers, id);

	if (a == NULL)
		a = hashmap_add(&l->answers, id);
	l->no_memory |= a == NULL;
	return a;
}

static void
entry_remove(struct ledger *l, struct ledger_entry *e)
{
	struct ledger_answer *a =
	    l->answers.n != 0 ? hashmap_find(&l->answers, e->id) : NULL;

	if (a != NULL)
		hashmap_remove(&l->answers, a);
	hint_drop(l);
	hashmap_remove(&l->entries, e);
}

static struct ledger_stream *
stream_at(struct ledger *l, uint32_t stream)
{
	struct ledger_stream *s = array_at(
	    &l->streams, &l->nstreams, stream, sizeof(*s), LEDGER_STREAMS_MAX);

	l->no_memory |= s == NULL && stream < LEDGER_STREAMS_MAX;
	return s;
}

const struct ledger_stream *
ledger_stream(const struct ledger *l, uint32_t stream)
{
	if (stream >= l->nstreams || !l->streams[stream].exists)
		return NULL;
	return &l->streams[stream];
}

static struct ledger_consumer *
consumer_at(struct ledger *l, uint32_t consumer)
{
	struct ledger_consumer *c = array_at(
	    &l->consumers, &l->nconsumers, consumer, sizeof(*c), SOURCES_MAX);

	l->no_memory |= c == NULL && consumer < SOURCES_MAX;
	return c;
}

const struct ledger_consumer *
ledger_consumer(const struct ledger *l, uint32_t consumer)
{
	if (consumer >= l->nconsumers || !l->consumers[consumer].exists)
		return NULL;
	return &l->consumers[consumer];
}

uint32_t
ledger_replicas(const struct ledger *l, uint32_t stream)
{
	const struct ledger_stream *s = ledger_stream(l, stream);

	return s != NULL ? scales_most(&s->scales, s->replicas, UINT64_MAX) : 0;
}

uint32_t
ledger_fewest(const struct ledger *l, uint32_t stream, uint64_t since_ns)
{
	const struct ledger_stream *s = ledger_stream(l, stream);

	return s != NULL ? scales_fewest(&s->scales, s->replicas, since_ns) : 0;
}

const struct ledger_stream *
ledger_stream_named(const struct ledger *l, const char *name)
{
	size_t len = strcspn(name, "/");
	const struct ledger_stream *s;
	uint32_t i;

	for (i = 0; i < l->nstreams; i++) {
		s = ledger_stream(l, i);
		if (s != NULL && strncmp(s->name, name, len) == 0 &&
		    s->name[len] == '\0')
			return s;
	}
	return NULL;
}

uint64_t
ledger_limit(const struct ledger *l, uint32_t stream, uint64_t limit_ns)
{
	const struct ledger_consumer *c;
	uint64_t waits_ns = 0;
	uint32_t i;

	for (i = 0; i < l->nconsumers; i++) {
		c = ledger_consumer(l, i);
		if (c != NULL && c->stream == stream &&
		    2 * c->longest_ns > waits_ns)
			waits_ns = 2 * c->longest_ns;
	}
	return waits_ns > limit_ns / 2 ? limit_ns + waits_ns : limit_ns;
}

static uint64_t
bit_of(const struct ledger *l, uint32_t consumer)
{
	const struct ledger_consumer *c = ledger_consumer(l, consumer);

	return c != NULL ? c->bit : 0;
}

uint64_t
ledger_required(const struct ledger *l, uint32_t stream, uint64_t id)
{
	const struct ledger_stream *s = ledger_stream(l, stream);
	const struct ledger_consumer *c;
	uint64_t bits = 0;
	uint32_t i;

	if (s == NULL || s->bits == 0)
		return 0;
	for (i = 0; i < l->nconsumers; i++) {
		c = &l->consumers[i];
		if (c->bit != 0 && c->stream == stream &&
		    (!c->is_filtered || s->subjects == 0 ||
			message_id_counter(id) % s->subjects == c->subject))
			bits |= c->bit;
	}
	return bits;
}

bool
ledger_has_newcomer(
    const struct ledger *l, uint32_t stream, uint64_t from_ns, uint64_t to_ns)
{
	const struct ledger_stream *s = ledger_stream(l, stream);

	return scales_cover(&l->joins, from_ns, to_ns) ||
	       (s != NULL && scales_cover(&s->scales, from_ns, to_ns));
}

bool
ledger_is_kept_for(
    const struct ledger *l, const struct ledger_entry *e, uint64_t bits)
{
	const struct ledger_stream *s = ledger_stream(l, e->stream);
	const struct ledger_consumer *c;
	uint32_t i;

	if (s == NULL || s->retention != RETENTION_INTEREST)
		return bits != 0;
	if (ledger_has_newcomer(l, e->stream, e->invoked_ns,
		e->is_acked ? e->acked_ns : UINT64_MAX))
		return false;
	if (s->replicas == 1)
		return bits != 0;
	for (i = 0; i < l->nconsumers; i++) {
		c = &l->consumers[i];
		if (c->stream == e->stream && (c->bit & bits) != 0 &&
		    c->known_ns != 0 && c->known_ns <= e->invoked_ns)
			return true;
	}
	return false;
}

bool
ledger_awaits(
    const struct ledger *l, const struct ledger_entry *e, uint64_t *missing)
{
	const struct ledger_answer *a = ledger_answer(l, e->id);

	*missing = e->required & ~e->confirmed & ~e->unsure;
	if (a != NULL)
		*missing &= ~a->spent;
	if (!e->is_acked || e->is_confirmed)
		return false;
	return e->required != 0 ? *missing != 0 : !e->ack_unknown;
}

bool
ledger_was_confirmed(const struct ledger *l, uint32_t consumer, uint64_t id)
{
	const struct ledger_consumer *c = ledger_consumer(l, consumer);
	const struct ledger_entry *e = ledger_find(l, id);
	uint64_t confirmed;

	if (c == NULL || (c->has_rules && c->acks != ACKS_CONFIRMED))
		return false;
	if (e != NULL)
		return c->bit != 0 ? (e->confirmed & c->bit) != 0
				   : e->is_confirmed;
	if (ledger_is_parked(l, id, &confirmed))
		return (confirmed & c->bit) != 0;
	/* Settled: whoever had to confirm it did. */
	return ledger_was_invoked(l, id) &&
	       (c->bit == 0 ||
		   (ledger_required(l, c->stream, id) & c->bit) != 0);
}

bool
ledger_is_parked(const struct ledger *l, uint64_t id, uint64_t *confirmed)
{
	return parked_find(&l->parked, id, confirmed);
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
	uint32_t source = message_id_source(id);
	uint64_t *invoked = array_at(
	    &l->invoked, &l->nsources, source, sizeof(*invoked), SOURCES_MAX);

	l->no_memory |= invoked == NULL && source < SOURCES_MAX;
	if (invoked != NULL && message_id_counter(id) > *invoked)
		*invoked = message_id_counter(id);
}

static void
note_known(struct ledger *l, struct ledger_stream *s, uint64_t seq, uint64_t id)
{
	if (id != 0 && seqlog_add(&s->known, seq, id) == -ENOMEM)
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
	text_set(s->name, sizeof(s->name), m->name);
	text_set(s->storage, sizeof(s->storage), m->storage);
}

/* Replicas move from a server that is removed; a wiped one gets them anew. */
static void
enter_fault(struct ledger *l, const struct event *ev)
{
	const struct msg_fault_planned *planned = &ev->u.fault_planned;
	const struct msg_fault_healed *healed = &ev->u.fault_healed;

	if (ev->type == MESSAGE_FAULT_PLANNED) {
		if (strcmp(planned->mode, "peer_remove") != 0 &&
		    strcmp(planned->mode, "wipe_store") != 0)
			return;
		l->joining = planned->fault;
		scales_ask(&l->joins, ev->time_ns, 0, 1);
	} else if (healed->fault == l->joining && healed->ok)
		scales_restore(&l->joins, ev->time_ns, false);
}

/* Of other events nothing. */
static void
enter_scale(struct ledger *l, const struct event *ev)
{
	const struct msg_stream_change *asked = &ev->u.stream_change;
	const struct msg_stream_restored *m = &ev->u.stream_restored;
	bool is_asked = ev->type == MESSAGE_STREAM_CHANGE;
	const struct ledger_stream *s;
	struct scales *scales;

	if (!is_asked && ev->type != MESSAGE_STREAM_RESTORED)
		return;
	s = ledger_stream_named(l, is_asked ? asked->name : m->name);
	if (s == NULL)
		return;
	scales = &l->streams[s - l->streams].scales;
	if (is_asked)
		scales_ask(scales, ev->time_ns, s->replicas, asked->replicas);
	else
		scales_restore(scales, ev->time_ns, m->unsure);
}

static void
enter_invoke(struct ledger *l, const struct event *ev)
{
	const struct msg_publish_invoke *m = &ev->u.publish_invoke;
	struct ledger_stream *s = stream_at(l, m->stream);
	struct ledger_entry *e = ledger_find(l, m->id);

	if (s == NULL || m->id == 0)
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
	e->floor = s->max_acked;
	if (s->bits != 0)
		e->required = ledger_required(l, m->stream, m->id);
}

static void
enter_late(struct ledger *l, const struct msg_publish_late *m)
{
	struct ledger_entry *e = ledger_find(l, m->id);

	if (e != NULL)
		e->late_ns = m->late_ns;
}

/* Nobody will ever hear that it was stored, but it was read. */
static bool
is_recovered(const struct ledger_entry *e)
{
	return e->is_unknown && e->is_ended && !e->is_acked && e->seq != 0;
}

/* A message about which nothing is open any more leaves: true then. */
static bool
entry_settle(struct ledger *l, struct ledger_entry *e)
{
	const struct ledger_stream *s = ledger_stream(l, e->stream);

	ensure(!e->is_confirmed || (e->required & ~e->confirmed) == 0);
	if ((!e->is_acked && !is_recovered(e)) ||
	    (!e->is_confirmed && s != NULL && s->consumers > 0))
		return false;
	l->recovered += is_recovered(e);
	entry_remove(l, e);
	return true;
}

/* A consumer had it confirmed: by its bit, or 0 where anybody will do. */
static void
entry_confirm(struct ledger *l, struct ledger_entry *e, uint64_t bit)
{
	e->confirmed |= bit;
	if ((e->required & ~e->confirmed) == 0)
		e->is_confirmed = true;
	(void)entry_settle(l, e); /* or it stays */
}

static void
enter_ok(struct ledger *l, const struct event *ev)
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
	note_known(l, s, m->seq, m->id);
	if (seqmap_add(&s->acked, m->seq, m->seq) == -ENOMEM)
		l->no_memory = true;
	if (!m->duplicate && m->seq > s->max_acked)
		s->max_acked = m->seq;
	if (e == NULL)
		return;
	e->is_acked = true;
	e->acked_ns = ev->time_ns;
	e->seq = m->seq;
	(void)entry_settle(l, e); /* or it stays */
}

static void
enter_read(struct ledger *l, uint32_t stream, uint64_t seq, uint64_t id,
    int64_t stamp_ns)
{
	struct ledger_stream *s = stream_at(l, stream);
	struct ledger_entry *e = ledger_find(l, id);

	if (s == NULL)
		return;
	note_known(l, s, seq, id);
	if (e != NULL && e->stream == stream && e->seq == 0)
		e->seq = seq;
	if (e != NULL && e->seq == seq)
		e->stamp_ns = stamp_ns;
}

/* A payload that could not be read was acked all the same: by sequence. */
static struct ledger_entry *
find_by_seq(const struct ledger *l, uint32_t consumer, uint64_t seq)
{
	const struct ledger_consumer *c = ledger_consumer(l, consumer);
	struct ledger_entry *e;
	size_t i = 0;

	if (c == NULL)
		return NULL; /* of a stream that nobody named */
	while ((e = ledger_next(l, &i)) != NULL)
		if (e->is_acked && e->seq == seq && e->stream == c->stream)
			return e;
	return NULL;
}

static void
enter_ack(struct ledger *l, const struct event *ev)
{
	/* ACK_OK, and ANSWER_OK, which has these fields at its beginning. */
	const struct msg_ack_ok *m = &ev->u.ack_ok;
	struct ledger_entry *e = m->id != 0
				     ? ledger_find(l, m->id)
				     : find_by_seq(l, m->consumer, m->seq);
	uint64_t bit = bit_of(l, m->consumer);

	if (e == NULL)
		return;
	/* An ack that says nothing new moves nothing. */
	if (bit != 0 && (e->confirmed & bit) == 0)
		l->consumers[m->consumer].moved_ns = ev->time_ns;
	entry_confirm(l, e, bit);
}

/* A message that was parked comes again: it may have to be acked after all. */
static void
entry_unpark(struct ledger *l, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	struct ledger_entry *e;
	uint64_t confirmed;

	if (ledger_find(l, m->id) != NULL ||
	    !parked_take(&l->parked, m->id, &confirmed))
		return;
	e = entry_add(l, m->id);
	if (e == NULL)
		return;
	e->stream = m->stream;
	e->sum = m->sum;
	e->is_acked = e->is_ended = e->ack_unknown = e->was_parked = true;
	e->acked_ns = ev->time_ns;
	e->required = ledger_required(l, m->stream, m->id);
	e->confirmed = confirmed;
	/* Only what all of them had received was parked. */
	e->delivered = e->ackable = e->required;
	e->unsure = e->required & ~confirmed;
}

static bool
is_parkable(
    const struct ledger *l, const struct ledger_entry *e, uint64_t now_ns)
{
	uint64_t missing;

	return e->is_acked && !e->is_confirmed &&
	       now_ns > e->acked_ns + PARK_NS && !ledger_awaits(l, e, &missing);
}

/*
 * It reached MaxDeliver, nobody can have acked it, and it is of a stream that
 * only drops what was acked: it has to be there in the end.
 */
static bool
has_to_stay(const struct ledger *l, const struct ledger_entry *e)
{
	const struct ledger_answer *a = ledger_answer(l, e->id);
	const struct ledger_stream *s = ledger_stream(l, e->stream);

	return a != NULL && s != NULL && s->retention != RETENTION_LIMITS &&
	       (a->spent & e->required & ~e->confirmed & ~e->ackable) != 0;
}

/*
 * Every few seconds: entries are for what somebody waits for, so the others
 * leave, for good or to be parked.
 */
static void
park(struct ledger *l, uint64_t now_ns)
{
	struct ledger_entry *e;
	unsigned nstay = 0;
	size_t i = 0;
	int err = 0;

	if (now_ns < l->park_ns)
		return;
	l->park_ns = now_ns + PARKING_NS;
	while (err != -ENOMEM && (e = ledger_next(l, &i)) != NULL) {
		if (!entry_settle(l, e)) {
			if (!is_parkable(l, e, now_ns) ||
			    (has_to_stay(l, e) && nstay++ < STAY_MAX))
				continue;
			err = parked_put(&l->parked, e->id, e->confirmed);
			if (err < 0)
				continue;
			entry_remove(l, e);
		}
		i--; /* another entry may stand here now */
	}
	if (l->hint != NULL)
		hint_drop(l);
	if (err == 0)
		err = hashmap_shrink(&l->entries);
	if (err == 0)
		err = hashmap_shrink(&l->answers);
	l->no_memory |= err == -ENOMEM;
}

static int
reader_hold(struct ledger_reader *r, uint64_t id)
{
	uint64_t *held =
	    array_at(&r->held, &r->room, r->nheld, sizeof(*held), HELD_MAX);

	if (held == NULL)
		return -ENOMEM;
	*held = id;
	r->nheld++;
	return 0;
}

/* What was received last of this message is not acked. */
static void
reader_drop(struct ledger_reader *r, uint64_t id)
{
	uint32_t i = r->nheld;

	while (i-- > 0)
		if (r->held[i] == id) {
			r->held[i] = r->held[--r->nheld];
			return;
		}
}

/* From now on its acks may be on their way. */
static void
enter_acks_begin(struct ledger *l, uint32_t source)
{
	struct ledger_reader *r;
	struct ledger_entry *e;

	if (source >= l->nreaders)
		return;
	r = &l->readers[source];
	while (r->nheld > 0) {
		e = ledger_find(l, r->held[--r->nheld]);
		if (e != NULL)
			e->ackable |= r->bits & e->delivered;
	}
}

/* It comes again, or for the first time, or for the last. */
static void
enter_delivered(struct ledger *l, struct ledger_entry *e,
    const struct ledger_consumer *c, uint64_t count)
{
	bool is_last = c->max_deliver != 0 && count >= c->max_deliver;
	struct ledger_answer *a = NULL;

	if (is_last || (e->unsure & c->bit) != 0)
		a = answer_at(l, e->id);
	if (a != NULL) {
		a->risked |= e->unsure & c->bit;
		a->spent |= is_last ? c->bit : 0;
	}
	e->delivered |= c->bit;
	e->unsure &= ~c->bit;
}

/* What a delivery tells of its consumer, and of who waits for it. */
static void
enter_deliver(struct ledger *l, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	struct ledger_consumer *c = consumer_at(l, m->consumer);
	struct ledger_entry *e;
	const struct ledger_stream *s;
	struct ledger_reader *r;
	bool is_held;

	if (m->intact) {
		entry_unpark(l, ev);
		enter_read(l, m->stream, m->seq, m->id, m->stamp_ns);
	}
	if (c == NULL || c->bit == 0)
		return;
	if (m->seq > c->frontier) {
		c->frontier = m->seq;
		c->moved_ns = ev->time_ns;
	}
	s = ledger_stream(l, m->stream);
	r = array_at(
	    &l->readers, &l->nreaders, ev->source, sizeof(*r), SOURCES_MAX);
	if (r != NULL)
		r->bits |= c->bit;
	e = m->intact ? ledger_find(l, m->id) : NULL;
	/* When an ack may be sent matters where it removes the message. */
	is_held = e != NULL && s != NULL && s->retention != RETENTION_LIMITS &&
		  c->acks != ACKS_NONE;
	if (r == NULL || (is_held && reader_hold(r, m->id) < 0))
		l->no_memory = true;
	if (e == NULL)
		return;
	enter_delivered(l, e, c, m->delivered);
	/* Whoever acks without confirmation is done as far as one can tell. */
	if (c->acks != ACKS_CONFIRMED)
		entry_confirm(l, e, c->bit);
}

static void
enter_copy(struct ledger *l, const struct msg_copy_terms *m)
{
	struct ledger_stream *s = stream_at(l, m->origin);

	if (s != NULL)
		s->copies++;
}

static void
enter_scan(struct ledger *l, const struct msg_scan_message *m)
{
	struct ledger_stream *s = stream_at(l, m->stream);

	if (s == NULL || !m->intact)
		return;
	enter_read(l, m->stream, m->seq, m->id, m->stamp_ns);
}

static void
enter_shown(struct ledger *l, const struct msg_look_shown *m)
{
	if (m->intact)
		enter_read(l, m->stream, m->seq, m->id, m->stamp_ns);
}

/* What happened to a message's attempts. */
static void
enter_outcome(struct ledger *l, const struct event *ev)
{
	struct ledger_entry *e = ledger_find(l, message_id_of(ev));

	if (e == NULL)
		return;
	if (ev->type == MESSAGE_PUBLISH_UNKNOWN) {
		e->is_unknown = true;
		return;
	}
	e->is_ended = true;
	if (ev->u.publish_end.outcome == ENDED_UNKNOWN)
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
	struct ledger_entry *e = ledger_find(l, message_id_of(ev));

	if (e == NULL)
		return;
	if (ev->type == MESSAGE_ACK_INVOKE) {
		e->ackable |= bit_of(l, ev->u.ack_invoke.consumer);
		e->acking = ev->source;
		e->ack_unknown = false;
		return;
	}
	if (!ev->u.ack_unknown.gave_up)
		return;
	if (e->required != 0) {
		e->unsure |= bit_of(l, ev->u.ack_unknown.consumer);
		return;
	}
	e->acking = 0;
	e->ack_unknown = true;
}

/*
 * A message is not acked now. If an earlier ack of it may have been committed
 * unheard the server owes nothing, though it came again.
 */
static void
enter_answer(struct ledger *l, const struct event *ev)
{
	const struct msg_answer_invoke *m = &ev->u.answer_invoke;
	struct ledger_entry *e = ledger_find(l, m->id);
	uint64_t bit = bit_of(l, m->consumer);
	struct ledger_answer *a;

	/* A term is sent until it is confirmed, like an ack. */
	if (e == NULL || bit == 0 || m->how == ANSWER_TERM)
		return;
	a = answer_at(l, m->id);
	if (a == NULL)
		return;
	if (ev->time_ns + m->delay_ns > a->kept_ns)
		a->kept_ns = ev->time_ns + m->delay_ns;
	if (m->how == ANSWER_NAK)
		a->nakked |= bit;
	e->unsure |= a->risked & bit & ~e->confirmed;
	/* Behind "in progress" follows an ack. */
	if (m->how != ANSWER_PROGRESS && ev->source < l->nreaders)
		reader_drop(&l->readers[ev->source], m->id);
}

/* A term ends a message for its consumer, as an ack does. */
static void
enter_term(struct ledger *l, const struct event *ev)
{
	const struct msg_answer_unknown *m = &ev->u.answer_unknown;
	struct ledger_entry *e;

	if (ev->type == MESSAGE_ANSWER_OK) {
		if (ev->u.answer_ok.how == ANSWER_TERM &&
		    ledger_consumer(l, ev->u.answer_ok.consumer) != NULL)
			enter_ack(l, ev);
		return;
	}
	e = ledger_find(l, m->id);
	if (e != NULL && m->how == ANSWER_TERM)
		e->unsure |= bit_of(l, m->consumer);
}

/* The server gives a message up: its last delivery may have been lost. */
static void
enter_advisory(struct ledger *l, const struct msg_advisory *m)
{
	const struct ledger_consumer *c = ledger_consumer(l, m->consumer);
	const struct ledger_stream *s =
	    c != NULL ? ledger_stream(l, c->stream) : NULL;
	struct ledger_answer *a;
	uint64_t id;

	if (s == NULL || c->max_deliver == 0 ||
	    !seqlog_find(&s->known, m->seq, &id) || ledger_find(l, id) == NULL)
		return;
	a = answer_at(l, id);
	if (a != NULL)
		a->spent |= c->bit;
}

/* What a process had open when it ended stays unknown for ever. */
static void
enter_exit(struct ledger *l, uint32_t source)
{
	struct ledger_entry *e;
	uint64_t bits = source < l->nreaders ? l->readers[source].bits : 0;
	size_t i = 0;

	if (source < l->nreaders)
		l->readers[source].nheld = 0; /* it did not ack these */

	while ((e = ledger_next(l, &i)) != NULL) {
		/* It may have sent the ack of whatever was delivered. */
		e->unsure |= bits & e->delivered & ~e->confirmed;
		if (e->acking == source) {
			e->acking = 0;
			e->ack_unknown = true;
		}
		if (message_id_source(e->id) != source || e->is_acked ||
		    e->is_ended)
			continue;
		e->is_unknown = e->is_ended = true;
	}
}

static void
enter_consumer(struct ledger *l, const struct msg_consumer *m)
{
	struct ledger_stream *s = stream_at(l, m->stream);
	struct ledger_consumer *c = consumer_at(l, m->consumer);

	if (s == NULL || c == NULL)
		return;
	/* An ordered consumer is told anew by each incarnation. */
	if (!c->exists)
		s->consumers++;
	c->exists = true;
	c->stream = m->stream;
	c->frontier = 0;
	c->created = m->created;
	c->ack_wait_ns = c->longest_ns = m->ack_wait_ns;
	text_set(c->name, sizeof(c->name), m->name);
}

static void
enter_consumer_rules(struct ledger *l, const struct msg_consumer_rules *m)
{
	struct ledger_consumer *c = consumer_at(l, m->consumer);
	struct ledger_stream *s;

	if (c == NULL || !c->exists)
		return;
	s = stream_at(l, c->stream);
	if (s == NULL)
		return;
	/* Without a bit a consumer is one of those of whom anybody will do. */
	if (!c->has_rules && s->bits < MASK_BITS)
		c->bit = UINT64_C(1) << s->bits++;
	c->has_rules = true;
	c->kind = (enum message_word)m->kind;
	c->acks = (enum message_word)m->acks;
	c->is_filtered = m->filtered;
	c->subject = m->subject;
	c->max_ack_pending = m->max_ack_pending;
	c->max_deliver = m->max_deliver;
}

static void
enter_consumer_wait(struct ledger *l, const struct msg_consumer_wait *m)
{
	struct ledger_consumer *c = consumer_at(l, m->consumer);

	if (c != NULL && m->wait_ns > c->longest_ns)
		c->longest_ns = m->wait_ns;
}

static void
enter_consumer_known(struct ledger *l, const struct event *ev)
{
	struct ledger_consumer *c =
	    consumer_at(l, ev->u.consumer_known.consumer);

	if (c != NULL)
		c->known_ns = ev->time_ns;
}

static void
enter_stream_rules(struct ledger *l, const struct msg_stream_rules *m)
{
	struct ledger_stream *s = stream_at(l, m->stream);

	if (s == NULL)
		return;
	s->retention = (enum message_word)m->retention;
	s->subjects = m->subjects;
}

/* What is told once, or seldom: streams, consumers, and what they are like. */
static void
enter_frame(struct ledger *l, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_RUN:
		l->run = ev->u.run.run;
		break;
	case MESSAGE_STREAM:
		enter_stream(l, &ev->u.stream);
		break;
	case MESSAGE_STREAM_RULES:
		enter_stream_rules(l, &ev->u.stream_rules);
		break;
	case MESSAGE_COPY_TERMS:
		enter_copy(l, &ev->u.copy_terms);
		break;
	case MESSAGE_CONSUMER:
		enter_consumer(l, &ev->u.consumer);
		break;
	case MESSAGE_CONSUMER_RULES:
		enter_consumer_rules(l, &ev->u.consumer_rules);
		break;
	case MESSAGE_CONSUMER_KNOWN:
		enter_consumer_known(l, ev);
		break;
	case MESSAGE_CONSUMER_WAIT:
		enter_consumer_wait(l, &ev->u.consumer_wait);
		break;
	case MESSAGE_ACKS_BEGIN:
		enter_acks_begin(l, ev->source);
		break;
	case MESSAGE_PUBLISH_LATE:
		enter_late(l, &ev->u.publish_late);
		break;
	case MESSAGE_ADVISORY:
		enter_advisory(l, &ev->u.advisory);
		break;
	case MESSAGE_FAULT_PLANNED:
	case MESSAGE_FAULT_HEALED:
		enter_fault(l, ev);
		break;
	case MESSAGE_SCHEDULE:
		note_invoked(l, ev->u.schedule.id);
		break;
	case MESSAGE_KV_UPDATE:
		note_invoked(l, ev->u.kv_update.id);
		break;
	default:
		enter_scale(l, ev);
	}
}

void
ledger_event(struct ledger *l, const struct event *ev)
{
	if (ev->type == MESSAGE_PUBLISH_INVOKE)
		enter_invoke(l, ev);
	else if (ev->type == MESSAGE_PUBLISH_OK)
		enter_ok(l, ev);
	else if (ev->type == MESSAGE_DELIVER)
		enter_deliver(l, ev);
	else if (ev->type == MESSAGE_ACK_OK)
		enter_ack(l, ev);
	else if (ev->type == MESSAGE_ACK_INVOKE ||
		 ev->type == MESSAGE_ACK_UNKNOWN)
		enter_ack_attempt(l, ev);
	else if (ev->type == MESSAGE_ANSWER_INVOKE)
		enter_answer(l, ev);
	else if (ev->type == MESSAGE_ANSWER_OK ||
		 ev->type == MESSAGE_ANSWER_UNKNOWN)
		enter_term(l, ev);
	else if (ev->type == MESSAGE_SCAN_MESSAGE)
		enter_scan(l, &ev->u.scan_message);
	else if (ev->type == MESSAGE_PUBLISH_UNKNOWN ||
		 ev->type == MESSAGE_PUBLISH_END)
		enter_outcome(l, ev);
	else if (ev->type == MESSAGE_LOOK_SHOWN)
		enter_shown(l, &ev->u.look_shown);
	else if (ev->type == MESSAGE_TICK)
		park(l, ev->time_ns);
	else if (ev->type == MESSAGE_CHILD_EXIT)
		enter_exit(l, ev->u.child_exit.child);
	else
		enter_frame(l, ev);
}
