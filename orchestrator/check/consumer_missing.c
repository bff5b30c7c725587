/* SPDX-License-Identifier: ISC */
/*
 * consumer_missing, wrong_state, not_redelivered: what a consumer says of
 * itself after the load, against what the history knows.
 *
 * Rules. Guarantees 13: it exists still; the messages that it counts as not
 * delivered are those that the audit reads beyond its last delivery; it waits
 * for no more acks than there are messages without a confirmed ack; with
 * nothing left its ack floor is at the last message. Guarantees 15: while a
 * client waits, what it has to deliver, also again, comes within 60 s and
 * three ack waits.
 *
 * Why no legal behaviour trips it: it convicts by what did not change for
 * 60 s without load, on a cluster that settled and that nothing disturbed
 * meanwhile, from one leader (a replica's floors may differ); unknown and
 * plain acks leave an interval; with one replica a server that ended may have
 * lost acks that it had confirmed; late stores only add messages, so too low a
 * count alone warns; the client is a fresh one and reads all that time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

#define PERSIST_NS UINT64_C(60000000000)
#define GONE_NS	   UINT64_C(30000000000)
#define POLLS	   3
#define WAITS	   3 /* ack waits */
#define NO_STREAM  UINT32_MAX

/* What is known of a consumer after the load. */
struct slot {
	bool was_told; /* it was asked for, and this is what was said: */
	bool is_known; /* its state, which is: */
	struct msg_consumer_info info;
	uint64_t told_ns;
	/* Of what the audit reads, of its subjects: */
	uint64_t beyond; /* messages after its last delivery */
	uint64_t last;	 /* the last sequence */
};

struct consumer_state {
	struct slot *slots; /* by consumer */
	uint32_t n;
	/* Those of the stream whose messages are read; NO_STREAM: look again */
	uint32_t *read, nread, room;
	uint32_t stream;
	bool saw_audit;
	bool asks_all;	 /* the audit asks also those without rules */
	bool is_damaged; /* a message was read whose subject is not known */
};

static struct slot *
slot_at(struct check *c, uint32_t consumer)
{
	struct consumer_state *st = c->state;

	st->stream = NO_STREAM; /* it may be one more */
	st->nread = 0;
	return array_at(
	    &st->slots, &st->n, consumer, sizeof(struct slot), CHECK_SLOTS_MAX);
}

/*
 * True when it is known which messages it takes: by its rules, or because it
 * is the only consumer of its stream.
 */
static bool
has_subject(const struct check *c, const struct ledger_consumer *k)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, k->stream);

	return s != NULL && (k->has_rules || s->consumers == 1);
}

static bool
takes(const struct check *c, const struct ledger_consumer *k, uint64_t id)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, k->stream);

	return !k->is_filtered || s->subjects == 0 ||
	       message_id_counter(id) % s->subjects == k->subject;
}

/* It did not change for long, and nothing disturbed what it was told by. */
static enum anomaly_class
class_of(const struct check *c, const struct slot *t, uint64_t lasted_ns,
    uint64_t least_ns)
{
	if (c->faults->is_unsettled || lasted_ns < least_ns ||
	    t->told_ns < lasted_ns ||
	    !faults_quiet_between(c->faults, t->told_ns - lasted_ns, c->now_ns))
		return CLASS_WARNING;
	return CLASS_VIOLATION;
}

static int
on_info(struct check *c, const struct msg_consumer_info *m)
{
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	struct anomaly a = {
	    .kind = ANOMALY_CONSUMER_MISSING, .class = CLASS_WARNING};
	struct slot *t = slot_at(c, m->consumer);

	if (t == NULL)
		return -ENOMEM;
	*t = (struct slot){.was_told = true,
	    .is_known = m->polls >= POLLS,
	    .info = *m,
	    .told_ns = c->now_ns};
	if (k == NULL)
		return 0;
	if (m->polls < POLLS)
		check_doubt(c,
		    "consumer %s did not say the same %d times, but last: "
		    "%llu pending, %llu awaiting their ack",
		    k->name, POLLS, (unsigned long long)m->pending,
		    (unsigned long long)m->ack_pending);
	a.stream = k->stream;
	if (k->created != 0 && check_is_made_later(c, m->created, k->created))
		check_raise(c, &a,
		    "consumer %s, created at %llu ns, now says that it was "
		    "created at %llu ns: it may be another one",
		    k->name, (unsigned long long)k->created,
		    (unsigned long long)m->created);
	return 0;
}

static int
on_gone(struct check *c, const struct msg_consumer_gone *m)
{
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	struct anomaly a = {.kind = ANOMALY_CONSUMER_MISSING};
	struct slot *t = slot_at(c, m->consumer);

	if (t == NULL)
		return -ENOMEM;
	*t = (struct slot){.was_told = true, .told_ns = c->now_ns};
	if (k == NULL)
		return 0;
	a.stream = k->stream;
	a.class = class_of(c, t, m->lasted_ns, GONE_NS);
	if (a.class == CLASS_WARNING)
		check_doubt(c, "consumer %s was not found", k->name);
	check_raise(c, &a,
	    "consumer %s is gone: %u answers in %.1f s, all of them, say that "
	    "there is none, and nobody deleted it",
	    k->name, m->polls, (double)m->lasted_ns / 1e9);
	return 0;
}

static int
on_silent(struct check *c, const struct msg_consumer_silent *m)
{
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	struct slot *t = slot_at(c, m->consumer);

	if (t == NULL)
		return -ENOMEM;
	*t = (struct slot){.was_told = true};
	if (k != NULL)
		check_doubt(c, "consumer %s did not say its state: %.100s",
		    k->name, m->why);
	return 0;
}

static void
on_begin(struct check *c, uint32_t stream)
{
	struct consumer_state *st = c->state;
	const struct ledger_consumer *k;
	uint32_t i;

	st->is_damaged = false;
	for (i = 0; i < st->n; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k != NULL && k->stream == stream)
			st->slots[i].beyond = st->slots[i].last = 0;
	}
}

/* Look up the consumers of a stream, once: there may be thousands of others. */
static int
find_readers(struct check *c, uint32_t stream)
{
	struct consumer_state *st = c->state;
	const struct ledger_consumer *k;
	uint32_t i;

	st->nread = 0;
	st->stream = stream;
	for (i = 0; i < st->n; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k == NULL || k->stream != stream)
			continue;
		if (array_reserve(&st->read, &st->room, st->nread + 1,
			sizeof(*st->read), CHECK_SLOTS_MAX) < 0)
			return -ENOMEM;
		st->read[st->nread++] = i;
	}
	return 0;
}

static int
on_message(struct check *c, const struct msg_scan_message *m)
{
	struct consumer_state *st = c->state;
	const struct ledger_consumer *k;
	struct slot *t;
	uint32_t i;

	st->is_damaged |= !check_is_ours(c, m->run, m->intact);
	if (m->stream != st->stream && find_readers(c, m->stream) < 0)
		return -ENOMEM;
	for (i = 0; i < st->nread; i++) {
		k = ledger_consumer(c->ledger, st->read[i]);
		t = &st->slots[st->read[i]];
		if (!t->is_known || k == NULL || !takes(c, k, m->id))
			continue;
		if (m->seq > t->last)
			t->last = m->seq;
		t->beyond += m->seq > t->info.stream_seq;
	}
	return 0;
}

/*
 * Messages of the stream for which this consumer's ack was not confirmed, at
 * most; UINT64_MAX when nobody can know.
 */
static uint64_t
unconfirmed(const struct check *c, const struct ledger_consumer *k)
{
	const struct ledger_entry *e;
	uint64_t n;
	size_t i = 0;

	if (k->has_rules && k->acks != ACKS_CONFIRMED)
		return UINT64_MAX;
	n = parked_count(&c->ledger->parked, k->bit);
	while ((e = ledger_next(c->ledger, &i)) != NULL)
		if (e->stream == k->stream &&
		    (k->bit != 0 ? (e->required & ~e->confirmed & k->bit) != 0
				 : !e->is_confirmed))
			n++;
	return n;
}

static void raise_state(struct check *, const struct ledger_consumer *,
    const struct slot *, struct anomaly *, const char *what)
    __attribute__((nonnull));

/* What is wrong, and all that it said. */
static void
raise_state(struct check *c, const struct ledger_consumer *k,
    const struct slot *t, struct anomaly *a, const char *what)
{
	const struct msg_consumer_info *m = &t->info;

	a->stream = k->stream;
	if (a->class == CLASS_VIOLATION)
		a->class = class_of(c, t, m->lasted_ns, PERSIST_NS);
	check_raise(c, a,
	    "consumer %s %s; its leader %s said %u times in %.1f s: %llu "
	    "pending, %llu awaiting their ack, last delivery %llu of sequence "
	    "%llu, ack floor %llu of sequence %llu; of its messages the audit "
	    "read %llu behind that delivery, and the last at sequence %llu",
	    k->name, what, m->server, m->polls, (double)m->lasted_ns / 1e9,
	    (unsigned long long)m->pending, (unsigned long long)m->ack_pending,
	    (unsigned long long)m->consumer_seq,
	    (unsigned long long)m->stream_seq,
	    (unsigned long long)m->floor_consumer,
	    (unsigned long long)m->floor_stream, (unsigned long long)t->beyond,
	    (unsigned long long)t->last);
}

/* A client waited, and nothing came. Waits run by the servers' wall clocks. */
static bool
was_tried(const struct check *c, const struct ledger_consumer *k,
    const struct slot *t)
{
	uint64_t apart_ns = contents_apart_ns(c->contents);

	return t->info.tried_ns >= PERSIST_NS + apart_ns &&
	       t->info.tried_ns >= WAITS * k->longest_ns + apart_ns;
}

static void
judge_pending(
    struct check *c, const struct ledger_consumer *k, const struct slot *t)
{
	const struct consumer_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_WRONG_STATE};
	bool is_sure = has_subject(c, k) && !(k->is_filtered && st->is_damaged);

	if (is_sure && t->info.pending > t->beyond)
		raise_state(c, k, t, &a, "counts more messages than there are");
	else if (is_sure && t->info.pending < t->beyond) {
		/* Perhaps they were stored after it was asked. */
		a.class = CLASS_WARNING;
		raise_state(
		    c, k, t, &a, "counts fewer messages than there are");
	} else if (t->info.pending > 0 && was_tried(c, k, t)) {
		a.kind = ANOMALY_NOT_REDELIVERED;
		a.rule = "guarantees 15";
		raise_state(c, k, t, &a,
		    "does not deliver what it has to a client that waits");
	}
}

static void
judge_acks(
    struct check *c, const struct ledger_consumer *k, const struct slot *t)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, k->stream);
	struct anomaly a = {.kind = ANOMALY_WRONG_STATE};
	bool is_more = t->info.ack_pending > unconfirmed(c, k);

	/* A confirmed ack may not have been written yet. */
	a.class = check_lone_class(c, k->stream, s->replicas == 1, 0);
	/* It may await that of a second copy (guarantees 3), which comes. */
	if (a.class == CLASS_VIOLATION && s->retention != RETENTION_LIMITS &&
	    t->info.lasted_ns < WAITS * k->longest_ns)
		a.class = CLASS_WARNING;
	/* With limited deliveries nothing may be left of one to deliver. */
	if (k->max_deliver == 0 && was_tried(c, k, t) &&
	    (!is_more || a.class != CLASS_VIOLATION)) {
		a.kind = ANOMALY_NOT_REDELIVERED;
		a.class = CLASS_VIOLATION;
		a.rule = "guarantees 15";
		raise_state(c, k, t, &a,
		    "does not redeliver what it has to a client that waits");
	} else if (is_more)
		raise_state(
		    c, k, t, &a, "waits for more acks than were not confirmed");
	else
		check_doubt(c,
		    "consumer %s was not drained: %llu pending, %llu awaiting "
		    "their ack",
		    k->name, (unsigned long long)t->info.pending,
		    (unsigned long long)t->info.ack_pending);
}

static void
judge_consumer(
    struct check *c, const struct ledger_consumer *k, const struct slot *t)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, k->stream);
	const struct consumer_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_WRONG_STATE};

	judge_pending(c, k, t);
	if (t->info.ack_pending > 0)
		judge_acks(c, k, t);
	else if (t->info.pending == 0 && s->retention == RETENTION_LIMITS &&
		 has_subject(c, k) && !st->is_damaged &&
		 t->info.stream_seq >= t->last &&
		 t->info.floor_stream < t->last && unconfirmed(c, k) == 0)
		raise_state(c, k, t, &a,
		    "has nothing left, and its ack floor is before the last "
		    "message");
}

static void
on_end(struct check *c, const struct msg_scan_end *m)
{
	const struct consumer_state *st = c->state;
	const struct ledger_consumer *k;
	uint32_t i;

	for (i = 0; i < st->n && m->complete; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k != NULL && k->stream == m->stream &&
		    st->slots[i].is_known &&
		    ledger_stream(c->ledger, k->stream) != NULL)
			judge_consumer(c, k, &st->slots[i]);
	}
}

static int
consumer_event(struct check *c, const struct event *ev)
{
	struct consumer_state *st = c->state;
	struct slot *t;

	switch ((unsigned)ev->type) {
	case MESSAGE_CONSUMER_INFO:
		return on_info(c, &ev->u.consumer_info);
	case MESSAGE_CONSUMER_GONE:
		return on_gone(c, &ev->u.consumer_gone);
	case MESSAGE_CONSUMER_SILENT:
		return on_silent(c, &ev->u.consumer_silent);
	case MESSAGE_CONSUMER_STATE: /* in older journals this is all */
		t = slot_at(c, ev->u.consumer_state.consumer);
		if (t != NULL)
			t->was_told = true;
		return t != NULL ? 0 : -ENOMEM;
	case MESSAGE_AUDIT_READING:
		st->asks_all = true;
		return 0;
	case MESSAGE_SCAN_BEGIN:
		st->saw_audit = true;
		on_begin(c, ev->u.scan_begin.stream);
		return 0;
	case MESSAGE_SCAN_MESSAGE:
		return on_message(c, &ev->u.scan_message);
	default:
		on_end(c, &ev->u.scan_end);
		return 0;
	}
}

/*
 * A consumer of which the audit said nothing. Older audits asked only those
 * with rules, and did not tell how much they had to read; and without servers
 * there is nobody to ask.
 */
static void
consumer_finish(struct check *c)
{
	const struct consumer_state *st = c->state;
	const struct ledger_consumer *k;
	bool asks_all = st->asks_all && strcmp(c->config->cluster, "null") != 0;
	uint32_t i;

	for (i = 0; i < c->ledger->nconsumers && st->saw_audit; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k == NULL || k->kind == KIND_ORDERED ||
		    (!k->has_rules && !asks_all) ||
		    (i < st->n && st->slots[i].was_told))
			continue;
		check_doubt(
		    c, "the audit says nothing of consumer %s", k->name);
	}
}

static void
consumer_fini(struct check *c)
{
	struct consumer_state *st = c->state;

	free(st->slots);
	free(st->read);
}

static const enum message_type types[] = {MESSAGE_CONSUMER_INFO,
    MESSAGE_CONSUMER_GONE, MESSAGE_CONSUMER_SILENT, MESSAGE_CONSUMER_STATE,
    MESSAGE_AUDIT_READING, MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_MESSAGE,
    MESSAGE_SCAN_END, 0};

static const enum message_type judges[] = {
    MESSAGE_CONSUMER_INFO, MESSAGE_CONSUMER_GONE, 0};

const struct check_ops check_consumer_missing = {
    .name = "consumer_missing",
    .summary = "consumers are there at the end, and their numbers are true",
    .rule = "guarantees 13",
    .types = types,
    .unit = "consumers",
    .judges = judges,
    .state_size = sizeof(struct consumer_state),
    .event = consumer_event,
    .finish = consumer_finish,
    .fini = consumer_fini,
};
