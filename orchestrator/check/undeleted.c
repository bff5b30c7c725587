/* SPDX-License-Identifier: ISC */
/*
 * undeleted: a stream still holds what was removed.
 *
 * Rule (guarantees 18): a removal that was confirmed has removed what was
 * acknowledged before it was asked for; a message that replaces others those
 * before it; a limit the oldest. It convicts when, after heal and quiet, the
 * audit reads such a message. One that its age should have removed is
 * expired_late (guarantees 20).
 *
 * Why no legal behaviour trips it: only removals that were confirmed count,
 * and only messages that were acknowledged before; what else may have kept it
 * (an order of two operations that is not known, a limit that may be looser)
 * leaves either state open. An age is judged when nothing has disturbed the
 * cluster for 30 s, and 10 s late: whoever reads may have stood still for 6 s
 * of these without notice.
 *
 * The consumer that the audit reads by may live on a replica that is behind
 * (with a slow disk it was, for 5 s after all said that they were current).
 * So nothing is raised before the leader has told how many messages there are,
 * and nothing when it counts fewer than were read, by as many as are in
 * question. That a replica stays so is for divergence to tell.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define CALM_NS	 (30 * CLOCK_S)
#define HELD_MAX 4096 /* that are told one by one */

/* A message that should not be there, until the leader has been asked. */
struct held {
	enum anomaly_kind kind;
	enum anomaly_class class;
	uint64_t id, seq;
	uint64_t by_ns; /* too late by that; 0: only that it is too old */
};

struct undeleted_state {
	struct held *held; /* of the stream that is being read */
	uint32_t n, room;
	uint32_t stream;
	uint64_t all; /* those beyond HELD_MAX, too */
};

/* Since when nothing has disturbed the cluster for long enough; false: it has.
 */
static bool
is_calm(const struct check *c, uint64_t *since_ns)
{
	uint64_t calm_ns = faults_calm_since(c->faults);

	*since_ns = calm_ns + CALM_NS;
	return calm_ns != UINT64_MAX && c->now_ns >= *since_ns;
}

/* For so long it should have been gone on a server that works; 0: it not. */
static uint64_t
late_ns(const struct check *c, uint32_t stream, uint64_t seq)
{
	const struct stock *st = contents_stock(c->contents, stream);
	const struct live *e = contents_find(c->contents, stream, seq);
	uint64_t calm_ns, due_ns;

	if (e == NULL || c->contents->has_hole || !is_calm(c, &calm_ns))
		return 0;
	due_ns = limits_late_ns(st, e);
	if (due_ns < calm_ns)
		due_ns = calm_ns;
	return c->now_ns > due_ns ? c->now_ns - due_ns : 0;
}

static void
forget(struct undeleted_state *st)
{
	st->n = 0;
	st->all = 0;
}

static int
hold(struct check *c, const struct msg_scan_message *m, struct held h)
{
	struct undeleted_state *st = c->state;
	struct held *at;

	if (st->stream != m->stream)
		forget(st); /* it was not read to its end */
	st->stream = m->stream;
	st->all++;
	if (st->n == HELD_MAX)
		return 0;
	at = array_at(&st->held, &st->room, st->n, sizeof(*st->held), HELD_MAX);
	if (at == NULL)
		return -ENOMEM;
	st->n++;
	h.class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION;
	h.id = m->id;
	h.seq = m->seq;
	*at = h;
	return 0;
}

static int
on_scan(struct check *c, const struct msg_scan_message *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct held h = {.kind = ANOMALY_EXPIRED_LATE};
	enum presence presence;
	uint64_t same, since_ns;

	if (s == NULL || !contents_has(c->contents, m->stream) ||
	    !check_is_ours(c, m->run, m->intact) ||
	    !seqmap_find(&s->acked, m->seq, &same))
		return 0;
	check_judged(c, 1);
	presence = contents_presence(c->contents, m->stream, m->seq, c->now_ns);
	h.by_ns = late_ns(c, m->stream, m->seq);
	if (presence == GONE)
		h.kind = ANOMALY_UNDELETED;
	else if ((presence != AGED || !is_calm(c, &since_ns)) && h.by_ns == 0)
		return 0;
	return hold(c, m, h);
}

static void
say_why(const struct held *h, char out[160])
{
	if (h->kind == ANOMALY_UNDELETED)
		text_set(out, 160,
		    "although it was removed: by a request that was "
		    "confirmed, by a message that replaces it, or by a limit");
	else if (h->by_ns == 0)
		text_set(out, 160, "more than 30 s after its age was over");
	else
		text_format(out, 160,
		    "%.1f s after its age, and 10 s more, were over",
		    (double)h->by_ns / 1e9);
}

/* All that are held are raised; beyond HELD_MAX the last one tells of more. */
static void
raise_held(struct check *c, bool is_proven)
{
	struct undeleted_state *st = c->state;
	struct anomaly a;
	char why[160];
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		a = (struct anomaly){.kind = st->held[i].kind,
		    .class = is_proven ? st->held[i].class : CLASS_WARNING,
		    .stream = st->stream,
		    .ids = {st->held[i].id},
		    .seqs = {st->held[i].seq},
		    .more = i + 1 == st->n ? st->all - st->n : 0};
		if (a.kind == ANOMALY_EXPIRED_LATE)
			a.rule = "guarantees 20";
		say_why(&st->held[i], why);
		check_raise(c, &a,
		    "message %u:%llu is still stored at sequence %llu of %s, "
		    "%s%s",
		    message_id_source(a.ids[0]),
		    (unsigned long long)message_id_counter(a.ids[0]),
		    (unsigned long long)a.seqs[0],
		    ledger_stream(c->ledger, a.stream)->name, why,
		    is_proven ? ""
			      : "; how many its leader counts did not become "
				"known");
	}
	forget(st);
}

/* What the leader does not count was read from a replica that is behind. */
static void
on_tally(struct check *c, const struct msg_scan_tally *m)
{
	struct undeleted_state *st = c->state;

	if (st->n == 0 || m->stream != st->stream)
		return;
	if (m->messages + st->all <= m->read)
		forget(st);
	raise_held(c, true);
}

static int
undeleted_event(struct check *c, const struct event *ev)
{
	if (ev->type == MESSAGE_SCAN_MESSAGE)
		return on_scan(c, &ev->u.scan_message);
	on_tally(c, &ev->u.scan_tally);
	return 0;
}

static void
undeleted_finish(struct check *c)
{
	raise_held(c, false);
}

static void
undeleted_fini(struct check *c)
{
	struct undeleted_state *st = c->state;

	free(st->held);
}

static const enum message_type types[] = {
    MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_TALLY, 0};

const struct check_ops check_undeleted = {
    .name = "undeleted",
    .summary = "what was removed, or is too old, is not stored any more",
    .rule = "guarantees 18",
    .types = types,
    .unit = "messages read",
    .state_size = sizeof(struct undeleted_state),
    .event = undeleted_event,
    .finish = undeleted_finish,
    .fini = undeleted_fini,
};
