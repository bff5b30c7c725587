/* SPDX-License-Identifier: ISC */
/*
 * duplicate: one message id is stored twice inside the dedupe window.
 *
 * Rule (guarantees 3): two stored messages with the same Nats-Msg-Id whose
 * server time stamps are closer than the window less a margin (clocks of
 * two leaders, the window's timer), and less what faults have set clocks of
 * servers apart, for each forgets ids by its own. Both copies were read, at
 * different sequences, and both stamps are known.
 *
 * Why no legal behaviour trips it: a redelivery has the same sequence and
 * is not counted; a second copy stored after the window is lawful and
 * excluded by the stamps. On work queues and interest streams, where the
 * first copy leaves when it is acked and a server that starts forgets its id,
 * it convicts only if the first was certainly still there, or the leader has
 * been the same since; so it does where messages may be removed (contents.h).
 *
 * What was acknowledged is sent again on purpose (REPEAT_OK). The answer says
 * "duplicate" and names the sequence of the first acknowledgement as long as
 * the window, and the first copy, as above, are there. The window is counted
 * from before the first attempt until after the answer, which is longer than
 * the server's.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

#define MARGIN_NS UINT64_C(1000000000)
#define PAIRS_MAX 4096
#define NEAR	  16384	     /* slots in which pairs are counted by id */
#define SOMEWHERE UINT64_MAX /* at a sequence that is not known any more */

enum pair_state {
	PAIR_OPEN,   /* something is not known yet */
	PAIR_WARNED, /* the audit may still find both of them */
	PAIR_DECIDED
};

struct pair {
	uint32_t stream;
	enum pair_state state;
	uint64_t id, seqs[2];
	int64_t stamps[2];	   /* 0: not known yet */
	uint64_t from_ns, seen_ns; /* first attempt (0: unknown); second copy */
	bool was_stored;	   /* the first copy, when there was a second */
	bool scanned[2];	   /* the audit read it */
};

struct duplicate_state {
	struct pair *pairs;
	uint32_t n, room, oldest_pair;
	uint16_t near[NEAR]; /* pairs of such an id: most have none */
	uint64_t forgotten;  /* pairs for which there was no room */
	int64_t *oldest;     /* by stream: the oldest stamp of the scan */
	uint32_t nstreams;
};

struct copy {
	uint32_t stream;
	uint64_t seq, id;
	int64_t stamp_ns;
	bool is_scanned;
};

static uint64_t
margin_of(uint64_t window_ns)
{
	return window_ns / 10 > MARGIN_NS ? window_ns / 10 : MARGIN_NS;
}

/* Whether copies so far apart may both be stored. */
static bool
is_lawful(uint64_t apart_ns, uint64_t window_ns)
{
	return apart_ns >= window_ns ||
	       window_ns - apart_ns <= margin_of(window_ns);
}

/* The window of a stream, less what faults have set clocks apart. */
static uint64_t
window_of(const struct check *c, const struct ledger_stream *s)
{
	uint64_t apart = contents_apart_ns(c->contents);

	return s != NULL && s->dedupe_ns > apart ? s->dedupe_ns - apart : 0;
}

/* Stamps are the servers': any number. */
static uint64_t
apart_ns(int64_t a, int64_t b)
{
	return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static uint16_t *
near_of(struct duplicate_state *st, uint64_t id)
{
	return &st->near[id * UINT64_C(0x9e3779b97f4a7c15) >> 50];
}

/* Whether the first copy was certainly there when the second one came. */
static bool
was_there(
    const struct check *c, const struct ledger_stream *s, const struct pair *p)
{
	return p->was_stored || (p->scanned[0] && p->scanned[1]) ||
	       (s->retention == RETENTION_LIMITS &&
		   contents_presence(c->contents, p->stream, p->seqs[0],
		       c->now_ns) == PRESENT);
}

/*
 * Where messages leave when they are acked, a server that starts, or that
 * catches up, knows the ids of what it holds and no others. So the window
 * is owed only if the first copy was still there, or the same leader has been
 * in office since before it, and nothing disturbed the cluster.
 */
static enum steadiness
window_is_owed(const struct check *c, const struct pair *p)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, p->stream);

	if (s == NULL)
		return STEADY_NO;
	if (was_there(c, s, p))
		return STEADY_YES;
	return check_steady(
	    c, LEADERS_STREAM, s->name, s->replicas, p->from_ns, p->seen_ns);
}

static void
pair_raise(struct check *c, const struct pair *p, enum anomaly_class class)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, p->stream);
	struct anomaly a = {
	    .kind = ANOMALY_DUPLICATE, .class = class, .stream = p->stream};

	a.ids[0] = p->id;
	a.seqs[0] = p->seqs[0];
	a.seqs[1] = p->seqs[1];
	check_raise(c, &a,
	    "message %u:%llu is stored at sequence %llu and again at %llu, "
	    "%.3f s apart in a dedupe window of %.0f s%s",
	    message_id_source(p->id),
	    (unsigned long long)message_id_counter(p->id),
	    (unsigned long long)p->seqs[0], (unsigned long long)p->seqs[1],
	    (double)apart_ns(p->stamps[0], p->stamps[1]) / 1e9,
	    (double)(s != NULL ? s->dedupe_ns : 0) / 1e9,
	    class == CLASS_VIOLATION
		? ""
		: ": the first may have been acked and removed before a "
		  "server started or caught up, which forgets its id");
}

static void
pair_decide(struct check *c, struct pair *p)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, p->stream);
	enum steadiness owed;

	if (p->state == PAIR_DECIDED || p->stamps[0] == 0 || p->stamps[1] == 0)
		return;
	if (is_lawful(apart_ns(p->stamps[0], p->stamps[1]), window_of(c, s))) {
		p->state = PAIR_DECIDED; /* stored again after the window */
		return;
	}
	owed = window_is_owed(c, p);
	if (owed == STEADY_YES) {
		p->state = PAIR_DECIDED;
		pair_raise(c, p, CLASS_VIOLATION);
	} else if (owed == STEADY_NO && p->state == PAIR_OPEN) {
		p->state = PAIR_WARNED;
		pair_raise(c, p, CLASS_WARNING);
	}
}

/* A stamp never became known, which proves nothing by itself. */
static void
raise_unseen(struct check *c, const struct pair *p)
{
	struct anomaly a = {.kind = ANOMALY_DUPLICATE,
	    .class = CLASS_WARNING,
	    .stream = p->stream,
	    .ids = {p->id},
	    .seqs = {p->seqs[0] != SOMEWHERE ? p->seqs[0] : 0, p->seqs[1]}};

	check_raise(c, &a,
	    "message %u:%llu was named at sequence %llu (0: an older one) and "
	    "at %llu, but the server's time stamps of both were never seen",
	    message_id_source(p->id),
	    (unsigned long long)message_id_counter(p->id),
	    (unsigned long long)a.seqs[0], (unsigned long long)p->seqs[1]);
}

/*
 * True when the audit alone could still tell more: the first copy may have
 * been acked and removed, as happens to all that is sent again after a restart.
 */
static bool
may_be_dropped(const struct check *c, const struct pair *p)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, p->stream);

	return s != NULL && s->retention != RETENTION_LIMITS &&
	       !p->was_stored && p->stamps[0] == 0;
}

/* Room for one more, if need be that of one about which enough is said. */
static struct pair *
pair_room(struct check *c)
{
	struct duplicate_state *st = c->state;
	struct pair *p;
	uint32_t i;

	if (st->n < PAIRS_MAX) {
		p = array_at(
		    &st->pairs, &st->room, st->n, sizeof(*p), PAIRS_MAX);
		st->n += p != NULL;
		return p;
	}
	for (i = 0; i < PAIRS_MAX; i++) {
		p = &st->pairs[st->oldest_pair++ % PAIRS_MAX];
		if (p->state == PAIR_OPEN) {
			if (!may_be_dropped(c, p))
				continue;
			raise_unseen(c, p);
		}
		--*near_of(st, p->id);
		return p;
	}
	return NULL;
}

/*
 * True when somebody who has to take it has not received it: then it was not
 * acked by all, and is stored.
 */
static bool
is_untaken(const struct check *c, const struct ledger_entry *e)
{
	return e != NULL &&
	       ledger_is_kept_for(c->ledger, e, e->required & ~e->delivered);
}

static int
pair_add(struct check *c, const struct copy *m, uint64_t other,
    int64_t other_stamp_ns)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	struct duplicate_state *st = c->state;
	struct pair *p;
	uint32_t i;

	for (i = 0; i<st->n && * near_of(st, m->id)> 0; i++) {
		p = &st->pairs[i];
		if (p->stream == m->stream && p->id == m->id &&
		    (p->seqs[0] == m->seq || p->seqs[1] == m->seq))
			return 0;
	}
	p = pair_room(c);
	if (p == NULL && st->n < PAIRS_MAX)
		return -ENOMEM;
	if (p == NULL) {
		st->forgotten++;
		return 0;
	}
	++*near_of(st, m->id);
	*p = (struct pair){.stream = m->stream,
	    .id = m->id,
	    .seqs = {other, m->seq},
	    .stamps = {other_stamp_ns, m->stamp_ns},
	    .from_ns = e != NULL ? e->invoked_ns : 0,
	    .seen_ns = c->now_ns,
	    .was_stored = is_untaken(c, e),
	    .scanned = {false, m->is_scanned}};
	pair_decide(c, p);
	return 0;
}

/* Another sequence that is known to hold this id, or 0. */
static uint64_t
other_copy(const struct check *c, const struct copy *m, int64_t *stamp_ns)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	uint64_t found;

	*stamp_ns = 0;
	if (e != NULL) {
		*stamp_ns = e->stamp_ns;
		return e->seq != m->seq ? e->seq : 0;
	}
	if (s == NULL || !ledger_was_invoked(c->ledger, m->id))
		return 0;
	if (seqlog_find(&s->known, m->seq, &found)) {
		if (found == m->id)
			return 0; /* known there: the usual case, and cheap */
	} else if (seqlog_has(&s->known, m->seq))
		return 0; /* folded: the digests tell whether it is the same */
	if (seqlog_find_id(&s->known, m->id, &found))
		return found != m->seq ? found : 0;
	/* It was settled, so it stands at a sequence that was forgotten. */
	return s->known.folded > 0 ? SOMEWHERE : 0;
}

/*
 * The oldest stamp of the stream, when even a copy that old would be within
 * the window of m: the first copy then is, too. 0 when that is not known.
 */
static int64_t
within_window(const struct check *c, const struct copy *m, int64_t oldest_ns)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);

	/* Of a stream that drops what was acked the audit sees remains. */
	if (s == NULL || s->retention != RETENTION_LIMITS ||
	    contents_has(c->contents, m->stream) || oldest_ns == 0 ||
	    m->stamp_ns < oldest_ns ||
	    is_lawful(apart_ns(oldest_ns, m->stamp_ns), window_of(c, s)))
		return 0;
	return oldest_ns;
}

static int
note_oldest(struct check *c, const struct copy *m)
{
	struct duplicate_state *st = c->state;
	int64_t *oldest = array_at(&st->oldest, &st->nstreams, m->stream,
	    sizeof(*oldest), CHECK_SLOTS_MAX);

	if (oldest == NULL)
		return -ENOMEM;
	if (*oldest == 0 || m->stamp_ns < *oldest)
		*oldest = m->stamp_ns;
	return 0;
}

/* What a copy of its message tells of a pair. */
static void
pair_note(struct check *c, struct pair *p, const struct copy *m)
{
	unsigned i;

	/* The scan reads the copy whose place was forgotten. */
	if (p->seqs[0] == SOMEWHERE && p->seqs[1] != m->seq)
		p->seqs[0] = m->seq;
	for (i = 0; i < 2; i++) {
		if (p->seqs[i] != m->seq)
			continue;
		if (m->stamp_ns != 0)
			p->stamps[i] = m->stamp_ns;
		p->scanned[i] |= m->is_scanned;
	}
	pair_decide(c, p);
}

static int
judge_copy(struct check *c, const struct copy *m)
{
	struct duplicate_state *st = c->state;
	struct pair *p;
	int64_t stamp_ns;
	uint64_t other;
	uint32_t i;

	for (i = 0; i<st->n && * near_of(st, m->id)> 0; i++) {
		p = &st->pairs[i];
		if (p->stream == m->stream && p->id == m->id)
			pair_note(c, p, m);
	}
	other = other_copy(c, m, &stamp_ns);
	/*
	 * The first copy's stamp is forgotten, but no message of the stream
	 * is older than the oldest: that bounds how far apart they are.
	 */
	if (other != 0 && stamp_ns == 0 && m->stream < st->nstreams)
		stamp_ns = within_window(c, m, st->oldest[m->stream]);
	return other != 0 ? pair_add(c, m, other, stamp_ns) : 0;
}

/* What is stored again beside that is a pair when it is read. */
static void
judge_repeat(struct check *c, const struct msg_repeat_ok *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct pair p = {.stream = m->stream,
	    .seqs = {m->first, m->seq},
	    .was_stored = is_untaken(c, ledger_find(c->ledger, m->id))};
	struct anomaly a = {.kind = ANOMALY_DUPLICATE,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->first, m->seq}};
	struct check_span span;
	char says[320];

	if (s == NULL || (m->duplicate && m->seq == m->first) ||
	    is_lawful(c->now_ns - m->first_ns, window_of(c, s)))
		return;
	text_format(says, sizeof(says),
	    "message %u:%llu, acknowledged at sequence %llu, was sent again "
	    "%.3f s after its first attempt, in a dedupe window of %.0f s, and "
	    "is acknowledged at %llu, %s",
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->first,
	    (double)(c->now_ns - m->first_ns) / 1e9, (double)s->dedupe_ns / 1e9,
	    (unsigned long long)m->seq,
	    m->duplicate ? "as a duplicate" : "not as a duplicate");
	if (was_there(c, s, &p)) {
		check_raise(c, &a, "%s", says);
		return;
	}
	a.class = CLASS_COUNT; /* it may have been acked and removed */
	span = (struct check_span){.what = LEADERS_STREAM,
	    .name = s->name,
	    .replicas = s->replicas,
	    .from_ns = m->first_ns,
	    .to_ns = c->now_ns};
	check_raise_steady(c, &a, &span, "%s", says);
}

static int
duplicate_event(struct check *c, const struct event *ev)
{
	const struct msg_publish_ok *p = &ev->u.publish_ok;
	const struct msg_deliver *d = &ev->u.deliver;
	const struct msg_scan_message *s = &ev->u.scan_message;
	struct duplicate_state *st = c->state;
	struct copy m;
	uint32_t i;

	if (ev->type == MESSAGE_TICK) {
		for (i = 0; i < st->n; i++)
			if (st->pairs[i].state == PAIR_OPEN)
				pair_decide(c, &st->pairs[i]);
		return 0;
	}
	if (ev->type == MESSAGE_REPEAT_OK) {
		judge_repeat(c, &ev->u.repeat_ok);
		return 0;
	}
	if (ev->type == MESSAGE_PUBLISH_OK)
		m = (struct copy){p->stream, p->seq, p->id, 0, false};
	else if (ev->type == MESSAGE_DELIVER) {
		if (!check_is_ours(c, d->run, d->intact))
			return 0;
		m = (struct copy){d->stream, d->seq, d->id, d->stamp_ns, false};
	} else {
		if (!check_is_ours(c, s->run, s->intact))
			return 0;
		m = (struct copy){s->stream, s->seq, s->id, s->stamp_ns, true};
		if (note_oldest(c, &m) < 0)
			return -ENOMEM;
	}
	return judge_copy(c, &m);
}

static void
duplicate_finish(struct check *c)
{
	struct duplicate_state *st = c->state;
	const struct pair *p;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		p = &st->pairs[i];
		if (p->state != PAIR_OPEN)
			continue;
		/* Whether the leader stayed was not seen any more. */
		if (p->stamps[0] != 0 && p->stamps[1] != 0)
			pair_raise(c, p, CLASS_WARNING);
		else
			raise_unseen(c, p);
	}
	if (st->forgotten > 0)
		check_doubt(c,
		    "%llu messages were stored twice and not judged: more "
		    "than %d waited for what the servers say of them",
		    (unsigned long long)st->forgotten, PAIRS_MAX);
}

static void
duplicate_fini(struct check *c)
{
	struct duplicate_state *st = c->state;

	free(st->pairs);
	free(st->oldest);
}

static const enum message_type types[] = {MESSAGE_PUBLISH_OK, MESSAGE_DELIVER,
    MESSAGE_SCAN_MESSAGE, MESSAGE_REPEAT_OK, MESSAGE_TICK, 0};

static const enum message_type judges[] = {
    MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, 0};

const struct check_ops check_duplicate = {
    .name = "duplicate",
    .summary = "a message id is stored once within the dedupe window",
    .rule = "guarantees 3",
    .types = types,
    .unit = "messages read",
    .judges = judges,
    .state_size = sizeof(struct duplicate_state),
    .event = duplicate_event,
    .finish = duplicate_finish,
    .fini = duplicate_fini,
};
