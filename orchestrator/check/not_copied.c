/* SPDX-License-Identifier: ISC */
/*
 * not_copied: a mirror, or a stream with sources, lacks a message of its
 * origin, or has one that it can't have.
 *
 * Rule (guarantees 27): a copy takes every message of its origin that its
 * filter takes, from where it begins, once, and in the origin's order; a mirror
 * with the origin's sequence and time. What the origin must hold the model
 * of its contents says (contents.h). It convicts of a message that the audit's
 * scan did not find in the copy
 *
 * - at once when a later one of the same origin is there, for a server copies
 *   in order and never goes back;
 * - behind the last that was copied only when nothing at all was copied for
 *   150 s of a settled cluster, which is longer than any pause that a server
 *   makes before it tries again; twice that by way of another mirror.
 *
 * Why no legal behaviour trips it: only what nothing can have removed from the
 * origin is asked for, so that what was removed before it was copied is none of
 * it. A copy that is full may have dropped its oldest. A stream with sources
 * drops a second message of the same id: one whose id is in the copy is not
 * missed, nor, where the copy is limited, one that was sent more than once.
 * What a copy holds more than its origin (removals do not travel) is compared
 * with what was acknowledged, which is never forgotten while it is recent.
 *
 * Memory: a time for each message of the origins, a number for each id of a
 * copy, runs of the sequences that it has.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define STALL_NS   (150 * CLOCK_S)
#define PARTS_MAX  64 /* origins of a copy */
#define CHAIN_MAX  8  /* mirrors of mirrors */
#define IDS_MAX	   (1u << 26)
#define STAMPS_MAX (1u << 26)

/* What a copy takes of one origin. */
struct part {
	struct msg_copy_terms terms;
	struct msg_copy_lag lag; /* stream 0 and due 0: not told */
	struct seqmap held;	 /* sequences of the origin */
	uint64_t last;		 /* the one that was read last */
};

struct copy {
	struct part *parts;
	uint32_t n, room;
	struct hashmap ids; /* of what was read, keys alone */
	uint64_t messages;  /* that its leader counts */
	bool is_relayed;    /* by another mirror, which may pause as well */
};

struct stamp {
	uint64_t seq; /* the key */
	uint64_t id;
	int64_t ns;
};

/* What the scan has read of a stream that is copied. */
struct origin {
	struct hashmap stamps;
	uint64_t last; /* its last sequence; 0: not told */
};

struct not_copied_state {
	struct copy *copies; /* by stream; without parts: it is none */
	uint32_t n;
	struct origin *origins; /* by stream */
	uint32_t norigins;
	struct seqmap retried; /* ids that were sent more than once */
};

static struct copy *
copy_find(const struct check *c, uint32_t stream)
{
	const struct not_copied_state *st = c->state;

	return stream < st->n && st->copies[stream].n > 0 ? &st->copies[stream]
							  : NULL;
}

/* The stream that a mirror of mirrors shows in the end; has it other names? */
static uint32_t
root_of(const struct check *c, const struct part *p, bool *is_renamed)
{
	const struct copy *next = copy_find(c, p->terms.origin);
	unsigned depth;

	*is_renamed = p->terms.renames != 0;
	for (depth = 0; next != NULL && depth < CHAIN_MAX; depth++) {
		p = &next->parts[0];
		*is_renamed |= p->terms.renames != 0;
		next = copy_find(c, p->terms.origin);
	}
	return p->terms.origin;
}

static bool
takes_subject(const struct part *p, uint32_t subject)
{
	return p->terms.subjects == 0 ||
	       (subject >= 1 && subject <= 64 &&
		   (p->terms.subjects >> (subject - 1) & 1) != 0);
}

static void
copy_reset(struct copy *k)
{
	uint32_t i;

	hashmap_fini(&k->ids);
	hashmap_init(&k->ids, sizeof(uint64_t), IDS_MAX);
	for (i = 0; i < k->n; i++) {
		seqmap_fini(&k->parts[i].held);
		k->parts[i].last = 0;
	}
}

static int
on_terms(struct check *c, const struct msg_copy_terms *m)
{
	struct not_copied_state *st = c->state;
	struct copy *k = array_at(
	    &st->copies, &st->n, m->stream, sizeof(*k), CHECK_SLOTS_MAX);
	struct part *p = k != NULL ? array_at(&k->parts, &k->room, k->n,
					 sizeof(*p), PARTS_MAX)
				   : NULL;

	if (p == NULL)
		return k != NULL && k->n == PARTS_MAX ? 0 : -ENOMEM;
	k->n++;
	p->terms = *m;
	copy_reset(k);
	return 0;
}

static uint64_t
stall_ns(const struct copy *k)
{
	return k->is_relayed ? 2 * STALL_NS : STALL_NS;
}

static enum anomaly_class
class_of(const struct check *c)
{
	return c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION;
}

/* A message that was read: what is wrong with it */

/* Of which stream and sequence it is. */
struct origin_of {
	struct part *part;
	uint64_t seq;
	uint32_t root;
	bool is_renamed;
};

static bool
find_origin(const struct check *c, struct copy *k, const struct msg_copied *m,
    struct origin_of *o)
{
	uint32_t i;

	o->part = NULL;
	o->seq = k->parts[0].terms.mirrors ? m->seq : m->source_seq;
	for (i = 0; i < k->n && o->part == NULL && o->seq != 0; i++)
		if (k->parts[i].terms.mirrors ||
		    k->parts[i].terms.origin == m->source)
			o->part = &k->parts[i];
	if (o->part == NULL)
		return false;
	o->root = root_of(c, o->part, &o->is_renamed);
	return true;
}

static void
raise_message(struct check *c, const struct msg_copied *m, uint64_t origin_seq,
    enum anomaly_kind kind, const char *what)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = kind,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq, origin_seq != m->seq ? origin_seq : 0}};

	check_raise(c, &a,
	    "message %u:%llu, which is at sequence %llu of the copy %s and at "
	    "%llu of its origin, %s",
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq, s != NULL ? s->name : "?",
	    (unsigned long long)origin_seq, what);
}

/* A publish whose outcome is unknown may be stored after the scan. */
static bool
may_be_stored_late(const struct check *c, uint64_t id)
{
	const struct ledger_entry *e = ledger_find(c->ledger, id);

	return e != NULL && !e->is_acked;
}

/* Is it what the origin has there? */
static void
judge_content(
    struct check *c, const struct msg_copied *m, const struct origin_of *o)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, o->root);
	const struct not_copied_state *st = c->state;
	const struct origin *at =
	    o->root < st->norigins ? &st->origins[o->root] : NULL;
	const struct stamp *stamp =
	    at != NULL ? hashmap_find(&at->stamps, o->seq) : NULL;
	uint64_t id;

	if (s != NULL && seqlog_find(&s->known, o->seq, &id) && id != m->id)
		raise_message(c, m, o->seq, ANOMALY_SEQ_REUSE,
		    "is another one than was acknowledged or read at the "
		    "origin there");
	else if (at != NULL && at->last != 0 && o->seq > at->last &&
		 !may_be_stored_late(c, m->id))
		raise_message(c, m, o->seq, ANOMALY_PHANTOM,
		    "is behind the last sequence that the origin ever had");
	else if (o->part->terms.mirrors && stamp != NULL &&
		 stamp->id == m->id && stamp->ns != m->stamp_ns)
		raise_message(c, m, o->seq, ANOMALY_DIVERGENCE,
		    "has another time stamp there");
}

static void
judge_subject(
    struct check *c, const struct msg_copied *m, const struct origin_of *o)
{
	const struct live *e = contents_find(c->contents, o->root, o->seq);
	const char *what = NULL;

	if (m->subject == 0 || m->home != o->root ||
	    (e != NULL && e->id == m->id && e->subject != 0 &&
		e->subject != m->subject))
		what = "has not the subject that it was published to";
	else if ((m->renamed != 0) != o->is_renamed)
		what = o->is_renamed
			   ? "has its old subject, which should be transformed"
			   : "has a transformed subject, and should have its "
			     "own";
	else if (!takes_subject(o->part, m->subject))
		what = "is of a subject that the copy does not take";
	else if (o->seq < o->part->terms.start)
		what = "is older than where the copy begins";
	if (what != NULL)
		raise_message(c, m, o->seq, ANOMALY_MISDELIVERED, what);
}

/* A copy that drops messages may forget how far it had come. */
static int
judge_place(
    struct check *c, const struct msg_copied *m, const struct origin_of *o)
{
	struct part *p = o->part;
	struct anomaly a = {.stream = m->stream,
	    .class =
		p->terms.max_messages != 0 ? CLASS_DOCUMENTED : CLASS_VIOLATION,
	    .ids = {m->id},
	    .seqs = {m->seq, o->seq}};
	int err = seqmap_add(&p->held, o->seq, o->seq);

	if (err == -ENOMEM)
		return err;
	if (err == -EEXIST) {
		a.kind = ANOMALY_DUPLICATE;
		check_raise(c, &a,
		    "sequence %llu of stream %u is stored at sequence %llu of "
		    "its copy, stream %u, and was there before",
		    (unsigned long long)o->seq, p->terms.origin,
		    (unsigned long long)m->seq, m->stream);
	} else if (o->seq < p->last) {
		a.kind = ANOMALY_REORDER;
		check_raise(c, &a,
		    "sequence %llu of stream %u is stored at sequence %llu of "
		    "its copy, stream %u, behind %llu, which is a later one",
		    (unsigned long long)o->seq, p->terms.origin,
		    (unsigned long long)m->seq, m->stream,
		    (unsigned long long)p->last);
	}
	p->last = o->seq;
	return 0;
}

static int
note_id(struct copy *k, uint64_t id)
{
	if (id == 0 || hashmap_find(&k->ids, id) != NULL)
		return 0;
	return hashmap_add(&k->ids, id) != NULL ? 0 : -ENOMEM;
}

static int
on_copied(struct check *c, const struct msg_copied *m)
{
	struct copy *k = copy_find(c, m->stream);
	struct origin_of o;

	if (k == NULL)
		return 0;
	check_judged(c, 1);
	if (!find_origin(c, k, m, &o)) {
		raise_message(c, m, m->source_seq, ANOMALY_PHANTOM,
		    "does not say of which of its sources it is");
		return 0;
	}
	if (!m->intact)
		raise_message(c, m, o.seq, ANOMALY_CORRUPT,
		    "does not pass the checksum of its payload");
	else if (c->ledger->run != 0 &&
		 (m->run != c->ledger->run ||
		     !ledger_was_invoked(c->ledger, m->id)))
		raise_message(c, m, o.seq, ANOMALY_PHANTOM,
		    "was never published by this run");
	else {
		judge_content(c, m, &o);
		judge_subject(c, m, &o);
		if (note_id(k, m->id) < 0)
			return -ENOMEM;
	}
	return judge_place(c, m, &o);
}

/* The scan is over: what is missing */

/* Does this message, which its root must hold, have to be in the copy? */
static bool
is_due(const struct check *c, const struct part *p, const struct live *e)
{
	const struct copy *next;
	uint64_t same;
	unsigned depth;

	for (depth = 0; depth < CHAIN_MAX; depth++) {
		if (e->seq < p->terms.start || !takes_subject(p, e->subject))
			return false;
		next = copy_find(c, p->terms.origin);
		if (next == NULL)
			return true;
		p = &next->parts[0];
		if (!seqmap_find(&p->held, e->seq, &same))
			return false; /* that mirror lacks it */
	}
	return false;
}

/* A message that must be there and was not read. */
static bool
may_be_left_out(const struct check *c, const struct copy *k,
    const struct part *p, uint64_t seq, uint64_t id)
{
	const struct not_copied_state *st = c->state;
	uint64_t same, limit = p->terms.max_messages;

	if (hashmap_find(&k->ids, id) != NULL)
		return true;
	return limit != 0 &&
	       ((k->messages >= limit &&
		    (p->held.n == 0 || seq < p->held.runs[0].key)) ||
		   seqmap_find(&st->retried, id, &same));
}

static void
raise_missing(struct check *c, const struct part *p, uint64_t seq, uint64_t id)
{
	const struct ledger_stream *copy =
	    ledger_stream(c->ledger, p->terms.stream);
	const struct ledger_stream *origin =
	    ledger_stream(c->ledger, p->terms.origin);
	uint64_t last = seqmap_last(&p->held);
	struct anomaly a = {.kind = ANOMALY_NOT_COPIED,
	    .class = class_of(c),
	    .stream = p->terms.stream,
	    .ids = {id},
	    .seqs = {seq}};
	char why[200];

	if (seq < last)
		text_format(why, sizeof(why), "%llu, which is later, is there",
		    (unsigned long long)last);
	else
		text_format(why, sizeof(why),
		    "nothing behind %llu is, and for %llu s nothing was "
		    "copied; its leader says %llu messages are to come%s%.60s",
		    (unsigned long long)last,
		    (unsigned long long)(p->lag.stalled_ns / CLOCK_S),
		    (unsigned long long)p->lag.lag,
		    p->lag.why[0] != '\0' ? ": " : "", p->lag.why);
	check_raise(c, &a,
	    "message %u:%llu, acknowledged at sequence %llu of %s, where "
	    "nothing has removed it, is not in %s, a copy of that: %s",
	    message_id_source(id), (unsigned long long)message_id_counter(id),
	    (unsigned long long)seq, origin != NULL ? origin->name : "?",
	    copy != NULL ? copy->name : "?", why);
}

/* How many are late, which proves nothing yet: one more, or none. */
static uint64_t
judge_missing(struct check *c, const struct copy *k, const struct part *p,
    uint64_t seq, uint64_t id)
{
	uint64_t same;

	check_judged(c, 1);
	if (seqmap_find(&p->held, seq, &same) ||
	    may_be_left_out(c, k, p, seq, id))
		return 0;
	if (seq >= seqmap_last(&p->held) &&
	    p->lag.stalled_ns < stall_ns(k) + contents_apart_ns(c->contents))
		return 1;
	raise_missing(c, p, seq, id);
	return 0;
}

static uint64_t
judge_followed(
    struct check *c, const struct copy *k, const struct part *p, uint32_t root)
{
	const struct live *e = contents_next(c->contents, root, 0);
	uint64_t late = 0;

	for (; e != NULL; e = contents_next(c->contents, root, e->seq))
		if (is_due(c, p, e) && contents_presence(c->contents, root,
					   e->seq, c->now_ns) == PRESENT)
			late += judge_missing(c, k, p, e->seq, e->id);
	return late;
}

/* Of an origin that nothing leaves: what was acknowledged. */
static uint64_t
judge_lasting(struct check *c, const struct copy *k, const struct part *p)
{
	const struct ledger_stream *s =
	    ledger_stream(c->ledger, p->terms.origin);
	uint64_t seq = 0, id, late = 0;

	if (s == NULL || p->terms.subjects != 0 ||
	    s->retention != RETENTION_LIMITS)
		return 0;
	while (seqmap_first_missing(&s->acked, &p->held, seq + 1, &seq))
		if (seq >= p->terms.start && seqlog_find(&s->known, seq, &id))
			late += judge_missing(c, k, p, seq, id);
	return late;
}

static void
judge_part(struct check *c, const struct copy *k, const struct part *p)
{
	bool is_renamed; /* which does not matter here */
	uint32_t root = root_of(c, p, &is_renamed);
	uint64_t late = contents_has(c->contents, root)
			    ? judge_followed(c, k, p, root)
			    : judge_lasting(c, k, p);

	if (late > 0)
		check_doubt(c,
		    "%llu messages of stream %u were not copied to stream %u "
		    "yet when the audit began to read that, behind %llu; "
		    "for %llu s nothing was (%llu s convict)",
		    (unsigned long long)late, p->terms.origin, p->terms.stream,
		    (unsigned long long)seqmap_last(&p->held),
		    (unsigned long long)(p->lag.stalled_ns / CLOCK_S),
		    (unsigned long long)(stall_ns(k) / CLOCK_S));
}

static void
on_end(struct check *c, const struct msg_scan_end *m)
{
	const struct copy *k = copy_find(c, m->stream);
	uint32_t i;

	/* Of one that is not complete the judge says so. */
	for (i = 0; k != NULL && m->complete && i < k->n; i++)
		judge_part(c, k, &k->parts[i]);
}

static int
on_origin(struct check *c, const struct msg_scan_message *m)
{
	struct not_copied_state *st = c->state;
	struct origin *o;
	struct stamp *s;

	if (st->n == 0)
		return 0; /* nothing is copied */
	o = array_at(&st->origins, &st->norigins, m->stream, sizeof(*o),
	    CHECK_SLOTS_MAX);
	if (o == NULL)
		return -ENOMEM;
	if (o->stamps.size == 0)
		hashmap_init(&o->stamps, sizeof(*s), STAMPS_MAX);
	s = hashmap_find(&o->stamps, m->seq);
	if (s == NULL)
		s = hashmap_add(&o->stamps, m->seq);
	if (s == NULL)
		return m->seq != 0 ? -ENOMEM : 0;
	s->id = m->id;
	s->ns = m->stamp_ns;
	return 0;
}

static int
on_state(struct check *c, const struct msg_scan_state *m)
{
	struct not_copied_state *st = c->state;
	struct copy *k = copy_find(c, m->stream);
	struct origin *o;

	if (st->n == 0)
		return 0;
	if (k != NULL)
		k->messages = m->messages;
	o = array_at(&st->origins, &st->norigins, m->stream, sizeof(*o),
	    CHECK_SLOTS_MAX);
	if (o == NULL)
		return -ENOMEM;
	o->last = m->last;
	return 0;
}

static void
on_lag(struct check *c, const struct msg_copy_lag *m)
{
	struct copy *k = copy_find(c, m->stream);
	uint32_t i;

	for (i = 0; k != NULL && i < k->n; i++)
		if (k->parts[i].terms.origin == m->origin)
			k->parts[i].lag = *m;
}

static int
on_invoke(struct check *c, const struct msg_publish_invoke *m)
{
	struct not_copied_state *st = c->state;

	if (st->n == 0 || m->attempt < 2)
		return 0;
	return seqmap_add(&st->retried, m->id, m->id) == -ENOMEM ? -ENOMEM : 0;
}

static int
not_copied_event(struct check *c, const struct event *ev)
{
	struct copy *k;

	switch ((unsigned)ev->type) {
	case MESSAGE_COPY_TERMS:
		return on_terms(c, &ev->u.copy_terms);
	case MESSAGE_COPY_RELAYED: /* behind its terms */
		k = copy_find(c, ev->u.copy_relayed.stream);
		if (k != NULL)
			k->is_relayed = true;
		return 0;
	case MESSAGE_PUBLISH_INVOKE:
		return on_invoke(c, &ev->u.publish_invoke);
	case MESSAGE_COPY_LAG:
		on_lag(c, &ev->u.copy_lag);
		return 0;
	case MESSAGE_SCAN_BEGIN: /* another try reads anew */
		k = copy_find(c, ev->u.scan_begin.stream);
		if (k != NULL)
			copy_reset(k);
		return 0;
	case MESSAGE_SCAN_STATE:
		return on_state(c, &ev->u.scan_state);
	case MESSAGE_SCAN_MESSAGE:
		return on_origin(c, &ev->u.scan_message);
	case MESSAGE_COPIED:
		return on_copied(c, &ev->u.copied);
	default:
		on_end(c, &ev->u.scan_end);
		return 0;
	}
}

static void
not_copied_fini(struct check *c)
{
	struct not_copied_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		copy_reset(&st->copies[i]);
		free(st->copies[i].parts);
	}
	for (i = 0; i < st->norigins; i++)
		hashmap_fini(&st->origins[i].stamps);
	free(st->copies);
	free(st->origins);
	seqmap_fini(&st->retried);
}

static const enum message_type types[] = {MESSAGE_COPY_TERMS,
    MESSAGE_COPY_RELAYED, MESSAGE_PUBLISH_INVOKE, MESSAGE_COPY_LAG,
    MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_STATE, MESSAGE_SCAN_MESSAGE,
    MESSAGE_COPIED, MESSAGE_SCAN_END, 0};

const struct check_ops check_not_copied = {
    .name = "not_copied",
    .summary = "copies hold what they copy, once, in order, and nothing else",
    .rule = "guarantees 27",
    .types = types,
    .unit = "messages of copies, and those they must have",
    .state_size = sizeof(struct not_copied_state),
    .event = not_copied_event,
    .fini = not_copied_fini,
};
