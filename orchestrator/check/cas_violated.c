/* SPDX-License-Identifier: ISC */
/*
 * cas_violated, misanswered: a message was stored although what it expected
 * was not so, or although the answer was that it was not; or it was refused
 * although what it expected was so.
 *
 * Rule (guarantees 10): a publish that expects a last sequence, of the stream
 * or of its subject, is stored only if that is the last one. Sequences are
 * the order of storing, so one that was acknowledged, or of the subject is
 * present, between the expected one and the one that it got stood there then.
 *
 * Why no legal behaviour trips it: only publishes count whose
 * acknowledgement does not say "duplicate"; of a subject only what nothing
 * can have removed. Of a stream a removed message counts as well, for its last
 * sequence never goes down. Of a refused one it counts that every attempt was
 * refused; a leader that was deposed refuses what its successor stores, so that
 * convicts if one leader was steady (guarantees 0). That a refusal was wrong is
 * said where nothing else was under way that it may have been for.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"

#define REFUSED_MAX 16384 /* publishes, the latest */

/* A publish each of whose attempts was refused, between these moments. */
struct refused {
	uint64_t id; /* the key */
	uint64_t from_ns, to_ns;
	uint32_t stream;
};

struct cas_state {
	struct hashmap refused; /* struct refused */
	uint64_t *latest;	/* their ids, a ring */
	uint64_t n;
};

static void
raise(struct check *c, const struct msg_publish_ok *m, uint64_t expected,
    uint64_t found)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_CAS_VIOLATED,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq, found}};

	check_raise(c, &a,
	    "message %u:%llu was stored at sequence %llu of %s although it "
	    "expected %llu as the last one, and there was %llu",
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq, s->name, (unsigned long long)expected,
	    (unsigned long long)found);
}

static void
forget(struct cas_state *st, uint64_t id)
{
	struct refused *r = hashmap_find(&st->refused, id);

	if (r != NULL)
		hashmap_remove(&st->refused, r);
}

/* It ended, and nobody said anything else than that it can't be stored. */
static int
on_end(struct check *c, const struct msg_publish_end *m)
{
	const struct publishing *p = contents_publishing(c->contents, m->id);
	struct cas_state *st = c->state;
	struct refused *r;
	uint64_t *slot;

	if (p == NULL || m->outcome != ENDED_FAILED || p->unknowns > 0 ||
	    p->was_unknown || !publishing_is_refused(p, 0))
		return 0;
	if (st->latest == NULL)
		st->latest = calloc(REFUSED_MAX, sizeof(*st->latest));
	if (st->latest == NULL)
		return -ENOMEM;
	slot = &st->latest[st->n++ % REFUSED_MAX];
	forget(st, *slot);
	forget(st, m->id);
	*slot = m->id;
	r = hashmap_add(&st->refused, m->id);
	if (r == NULL)
		return -ENOMEM;
	r->from_ns = p->invoked_ns;
	r->to_ns = c->now_ns;
	r->stream = m->stream;
	return 0;
}

/* What it expects is so: it may not be refused for that. */
static void
on_fail(struct check *c, const struct msg_publish_fail *m)
{
	const struct publishing *p = contents_publishing(c->contents, m->id);
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .class = CLASS_COUNT,
	    .rule = "guarantees 0",
	    .stream = m->stream,
	    .ids = {m->id}};
	struct check_span span = {.what = LEADERS_STREAM, .to_ns = c->now_ns};

	if (p == NULL || s == NULL || m->code == 0 ||
	    !publishing_is_refused(p, m->code) ||
	    !contents_meet(c->contents, p, c->now_ns))
		return;
	a.seqs[0] =
	    p->terms.expects_subject ? p->terms.subject_last : p->terms.last;
	span.name = s->name;
	span.replicas = s->replicas;
	span.from_ns = p->invoked_ns;
	check_raise_steady(c, &a, &span,
	    "message %u:%llu was refused (%u), for it expected %llu as the "
	    "last sequence of %s%s, and it was: acknowledged before, nothing "
	    "has removed it, and nobody published anything else there",
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id), m->code,
	    (unsigned long long)a.seqs[0],
	    p->terms.expects_subject ? "its subject in " : "", s->name);
}

/* A message is there. */
static void
on_shown(struct check *c, uint64_t run, uint64_t id, uint64_t seq)
{
	struct cas_state *st = c->state;
	const struct refused *r = hashmap_find(&st->refused, id);
	const struct ledger_stream *s;
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .class =
		c->config->strict_answers ? CLASS_VIOLATION : CLASS_DOCUMENTED,
	    .rule = "guarantees 0",
	    .ids = {id},
	    .seqs = {seq}};
	struct check_span span = {.what = LEADERS_STREAM};

	s = r != NULL ? ledger_stream(c->ledger, r->stream) : NULL;
	if (s == NULL || run != c->ledger->run)
		return;
	a.stream = r->stream;
	span.name = s->name;
	span.replicas = s->replicas;
	span.from_ns = r->from_ns;
	span.to_ns = r->to_ns;
	check_raise_steady(c, &a, &span,
	    "message %u:%llu is stored at sequence %llu of %s, although each "
	    "attempt to publish it was refused, for it expected another last "
	    "sequence",
	    message_id_source(id), (unsigned long long)message_id_counter(id),
	    (unsigned long long)seq, s->name);
	forget(st, id);
}

static int
on_ok(struct check *c, const struct msg_publish_ok *m)
{
	const struct publishing *p = contents_publishing(c->contents, m->id);
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	const struct msg_publish_terms *t;
	struct seqmap_part between;
	struct contents_query q;

	if (p == NULL || s == NULL || m->duplicate)
		return 0;
	t = &p->terms;
	if (t->expects_last || t->expects_subject)
		check_judged(c, 1);
	if (t->expects_last) {
		between = seqmap_between(&s->acked, t->last + 1, m->seq - 1);
		if (t->last >= m->seq)
			raise(c, m, t->last, m->seq - 1);
		else if (between.count > 0)
			raise(c, m, t->last, between.high);
	}
	if (!t->expects_subject)
		return 0;
	q = (struct contents_query){m->stream, t->subject, t->subject_last + 1,
	    m->seq - 1, UINT64_MAX, c->now_ns, 0};
	between = contents_present(c->contents, &q);
	if (t->subject_last >= m->seq)
		raise(c, m, t->subject_last, m->seq - 1);
	else if (between.count > 0)
		raise(c, m, t->subject_last, between.high);
	return 0;
}

static int
cas_event(struct check *c, const struct event *ev)
{
	const struct msg_look_shown *l = &ev->u.look_shown;
	const struct msg_scan_message *m = &ev->u.scan_message;
	const struct msg_watch_key *k = &ev->u.watch_key;

	switch ((unsigned)ev->type) {
	case MESSAGE_PUBLISH_OK:
		return on_ok(c, &ev->u.publish_ok);
	case MESSAGE_PUBLISH_FAIL:
		on_fail(c, &ev->u.publish_fail);
		return 0;
	case MESSAGE_PUBLISH_END:
		return on_end(c, &ev->u.publish_end);
	case MESSAGE_PUBLISH_INVOKE: /* it is tried once more */
		forget(c->state, ev->u.publish_invoke.id);
		return 0;
	case MESSAGE_LOOK_SHOWN:
		on_shown(c, l->intact ? l->run : 0, l->id, l->seq);
		return 0;
	case MESSAGE_SCAN_MESSAGE:
		on_shown(c, m->intact ? m->run : 0, m->id, m->seq);
		return 0;
	default:
		on_shown(c, k->run, k->id, k->seq);
		return 0;
	}
}

static int
cas_init(struct check *c)
{
	struct cas_state *st = c->state;

	hashmap_init(&st->refused, sizeof(struct refused), REFUSED_MAX);
	return 0;
}

static void
cas_fini(struct check *c)
{
	struct cas_state *st = c->state;

	hashmap_fini(&st->refused);
	free(st->latest);
}

static const enum message_type types[] = {MESSAGE_PUBLISH_OK,
    MESSAGE_PUBLISH_FAIL, MESSAGE_PUBLISH_END, MESSAGE_PUBLISH_INVOKE,
    MESSAGE_LOOK_SHOWN, MESSAGE_SCAN_MESSAGE, MESSAGE_WATCH_KEY, 0};

const struct check_ops check_cas_violated = {
    .name = "cas_violated",
    .summary = "what expects a last sequence is stored only behind it",
    .rule = "guarantees 10",
    .types = types,
    .unit = "publishes that expect a sequence",
    .state_size = sizeof(struct cas_state),
    .init = cas_init,
    .event = cas_event,
    .fini = cas_fini,
};
