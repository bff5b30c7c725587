/* SPDX-License-Identifier: ISC */
/*
 * duplicate: one message id is stored twice inside the dedupe window.
 *
 * Rule (guarantees 3): two stored messages with the same Nats-Msg-Id whose
 * server time stamps are closer than the window less a margin (clocks of
 * two leaders, the window's timer). Both copies were read, at different
 * sequences, and both stamps are known.
 *
 * Why no legal behaviour trips it: a redelivery has the same sequence and
 * is not counted; a second copy stored after the window is lawful and
 * excluded by the stamps; nothing removes messages in a run, so the lawful
 * case "first copy purged, server restarted" can't arise.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

#define MARGIN_NS UINT64_C(1000000000)
#define PAIRS_MAX 4096
#define SOMEWHERE UINT64_MAX /* at a sequence that is not known any more */

struct pair {
	uint32_t stream;
	uint64_t id, seqs[2];
	int64_t stamps[2]; /* 0: not known yet */
	bool decided;
};

struct duplicate_state {
	struct pair *pairs;
	uint32_t n, room;
	int64_t *oldest; /* by stream: the oldest stamp of the scan */
	uint32_t nstreams;
};

struct copy {
	uint32_t stream;
	uint64_t seq, id;
	int64_t stamp_ns;
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

/* Stamps are the servers': any number. */
static uint64_t
apart_ns(int64_t a, int64_t b)
{
	return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static void
pair_decide(struct check *c, struct pair *p)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, p->stream);
	struct anomaly a = {.kind = ANOMALY_DUPLICATE, .stream = p->stream};
	uint64_t apart = apart_ns(p->stamps[0], p->stamps[1]);
	uint64_t window = s != NULL ? s->dedupe_ns : 0;

	if (p->decided || p->stamps[0] == 0 || p->stamps[1] == 0)
		return;
	p->decided = true;
	if (is_lawful(apart, window))
		return; /* stored again after the window: lawful */
	a.ids[0] = p->id;
	a.seqs[0] = p->seqs[0];
	a.seqs[1] = p->seqs[1];
	check_raise(c, &a,
	    "message %u:%llu is stored at sequence %llu and again at %llu, "
	    "%.3f s apart in a dedupe window of %.0f s",
	    message_id_source(p->id),
	    (unsigned long long)message_id_counter(p->id),
	    (unsigned long long)p->seqs[0], (unsigned long long)p->seqs[1],
	    (double)apart / 1e9, (double)window / 1e9);
}

static int
pair_add(struct check *c, const struct copy *m, uint64_t other,
    int64_t other_stamp_ns)
{
	struct duplicate_state *st = c->state;
	struct pair *p;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		p = &st->pairs[i];
		if (p->stream == m->stream && p->id == m->id &&
		    (p->seqs[0] == m->seq || p->seqs[1] == m->seq))
			return 0;
	}
	if (st->n >= PAIRS_MAX)
		return 0; /* thousands were raised or are lawful by then */
	p = array_at(&st->pairs, &st->room, st->n, sizeof(*p), PAIRS_MAX);
	if (p == NULL)
		return -ENOMEM;
	st->n++;
	p->stream = m->stream;
	p->id = m->id;
	p->seqs[0] = other;
	p->seqs[1] = m->seq;
	p->stamps[0] = other_stamp_ns;
	p->stamps[1] = m->stamp_ns;
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

	if (s == NULL || oldest_ns == 0 || m->stamp_ns < oldest_ns ||
	    is_lawful(apart_ns(oldest_ns, m->stamp_ns), s->dedupe_ns))
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

static int
judge_copy(struct check *c, const struct copy *m)
{
	struct duplicate_state *st = c->state;
	struct pair *p;
	int64_t stamp_ns;
	uint64_t other;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		p = &st->pairs[i];
		/* The scan reads the copy whose place was forgotten. */
		if (p->seqs[0] == SOMEWHERE && p->stream == m->stream &&
		    p->id == m->id && p->seqs[1] != m->seq)
			p->seqs[0] = m->seq;
		if (p->decided || p->stream != m->stream || p->id != m->id ||
		    m->stamp_ns == 0)
			continue;
		if (p->seqs[0] == m->seq)
			p->stamps[0] = m->stamp_ns;
		if (p->seqs[1] == m->seq)
			p->stamps[1] = m->stamp_ns;
		pair_decide(c, p);
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

static int
duplicate_event(struct check *c, const struct event *ev)
{
	const struct msg_publish_ok *p = &ev->u.publish_ok;
	const struct msg_deliver *d = &ev->u.deliver;
	const struct msg_scan_message *s = &ev->u.scan_message;
	struct copy m;

	if (ev->type == MESSAGE_PUBLISH_OK)
		m = (struct copy){p->stream, p->seq, p->id, 0};
	else if (ev->type == MESSAGE_DELIVER) {
		if (!check_is_ours(c, d->run, d->intact))
			return 0;
		m = (struct copy){d->stream, d->seq, d->id, d->stamp_ns};
	} else {
		if (!check_is_ours(c, s->run, s->intact))
			return 0;
		m = (struct copy){s->stream, s->seq, s->id, s->stamp_ns};
		if (note_oldest(c, &m) < 0)
			return -ENOMEM;
	}
	return judge_copy(c, &m);
}

/* Pairs whose stamps never became known prove nothing by themselves. */
static void
duplicate_finish(struct check *c)
{
	struct duplicate_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_DUPLICATE, .class = CLASS_WARNING};
	const struct pair *p;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		p = &st->pairs[i];
		if (p->decided)
			continue;
		a.stream = p->stream;
		a.ids[0] = p->id;
		a.seqs[0] = p->seqs[0] != SOMEWHERE ? p->seqs[0] : 0;
		a.seqs[1] = p->seqs[1];
		check_raise(c, &a,
		    "message %u:%llu was named at sequence %llu (0: an older "
		    "one) and at %llu, but the server's time stamps of both "
		    "were never seen",
		    message_id_source(p->id),
		    (unsigned long long)message_id_counter(p->id),
		    (unsigned long long)a.seqs[0],
		    (unsigned long long)p->seqs[1]);
	}
}

static void
duplicate_fini(struct check *c)
{
	struct duplicate_state *st = c->state;

	free(st->pairs);
	free(st->oldest);
}

static const enum message_type types[] = {
    MESSAGE_PUBLISH_OK, MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, 0};

const struct check_ops check_duplicate = {
    .name = "duplicate",
    .summary = "a message id is stored once within the dedupe window",
    .rule = "guarantees 3",
    .types = types,
    .state_size = sizeof(struct duplicate_state),
    .event = duplicate_event,
    .finish = duplicate_finish,
    .fini = duplicate_fini,
};
