/* SPDX-License-Identifier: ISC */
/*
 * stale_read: a read of a stream by its leader lacks what is stored.
 *
 * Rule (guarantees 21): the leader answers from a store that has all that was
 * acknowledged. It convicts when the leader shows an older message, or none,
 * although one that was acknowledged before the read began is still there
 * after it; and (undeleted) when it shows one that was gone before. An answer
 * to another question (another subject, beyond the bounds, not ascending) is
 * misanswered, whoever gave it. So is "no message found" in answer to a
 * removal of one that is there (guarantees 0).
 *
 * Why no legal behaviour trips it: only what nothing can have removed counts
 * as being there. A leader that was deposed and does not know it reads
 * from its old store: so it is a violation only if one leader was steady. A
 * direct get may be stale; only its bounds are judged.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/text.h"
#include "proto/refusal.h"

/* The read that a source has open. */
struct look {
	struct msg_look asked;
	uint64_t asked_ns, shown; /* the last sequence that it shows */
	uint64_t subjects;	  /* bits of those that one of several showed */
	bool is_open;
};

struct stale_state {
	struct look *looks; /* by source */
	uint32_t n;
};

static struct check_span
span_of(const struct check *c, const struct look *l)
{
	const struct ledger_stream *s =
	    ledger_stream(c->ledger, l->asked.stream);

	return (struct check_span){.what = LEADERS_STREAM,
	    .name = s->name,
	    .replicas = s->replicas,
	    .from_ns = l->asked_ns,
	    .to_ns = c->now_ns};
}

/* The bit of a subject, of several that were asked for; 0: of no such one. */
static uint64_t
bit_of(const struct msg_look *q, uint32_t subject)
{
	uint32_t at = subject - q->subject;

	return subject >= q->subject && at < q->batch && at < 64
		   ? UINT64_C(1) << at
		   : 0;
}

/* What is wrong with an answer, whatever is stored; NULL: nothing. */
static const char *
flaw_of(const struct look *l, const struct msg_look_shown *m)
{
	const struct msg_look *q = &l->asked;

	if (q->subject != 0 && m->subject != 0 && m->subject != q->subject &&
	    q->how != LOOK_MULTI)
		return "another subject's";
	if (q->how == LOOK_MULTI && m->subject != 0 && q->batch <= 64) {
		if (bit_of(q, m->subject) == 0)
			return "of a subject that was not asked for";
		if ((l->subjects & bit_of(q, m->subject)) != 0)
			return "of a subject of which it showed another";
	}
	if (q->how == LOOK_SEQ ? m->seq != q->seq : m->seq < q->seq)
		return "at a sequence that was not asked for";
	if (q->up_to != 0 && m->seq > q->up_to)
		return "beyond the sequence up to which it was asked";
	if (q->how == LOOK_BATCH && m->seq <= l->shown)
		return "not behind the one shown before it";
	return NULL;
}

static void
judge_shown(
    struct check *c, const struct look *l, const struct msg_look_shown *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq}};
	struct check_span span = span_of(c, l);
	const char *flaw = flaw_of(l, m);
	uint64_t same;

	if (flaw != NULL)
		check_raise(c, &a,
		    "a read %s of stream %s (subject %u, sequence %llu) shows "
		    "sequence %llu, which is %s",
		    message_word(KEY_LOOK, l->asked.how), s->name,
		    l->asked.subject, (unsigned long long)l->asked.seq,
		    (unsigned long long)m->seq, flaw);
	if (l->asked.direct || !check_is_ours(c, m->run, m->intact) ||
	    !seqmap_find(&s->acked, m->seq, &same) ||
	    contents_presence(c->contents, m->stream, m->seq, c->now_ns) !=
		GONE ||
	    !contents_gone_by(c->contents, m->stream, m->seq, l->asked_ns))
		return;
	a.kind = ANOMALY_UNDELETED;
	a.class = CLASS_WARNING;
	check_raise_steady(c, &a, &span,
	    "a read by the leader of stream %s shows message %u:%llu at "
	    "sequence %llu, which had been removed before it was asked",
	    s->name, message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id),
	    (unsigned long long)m->seq);
}

/* Where there must be nothing, if the answer is true. */
static struct contents_query
passed_over(const struct check *c, const struct look *l, bool is_shown)
{
	struct contents_query q = {l->asked.stream, l->asked.subject,
	    l->asked.seq, UINT64_MAX, l->asked_ns, c->now_ns, 0};

	if (l->asked.how == LOOK_LAST)
		q.first = is_shown ? l->shown + 1 : 1;
	else if (is_shown)
		q.last = l->shown - 1;
	else if (l->asked.how == LOOK_SEQ)
		q.last = q.first;
	return q;
}

static void
judge_end(struct check *c, const struct look *l, const struct msg_look_end *m)
{
	struct anomaly a = {.kind = ANOMALY_STALE_READ,
	    .class = CLASS_WARNING,
	    .stream = m->stream};
	struct check_span span = span_of(c, l);
	bool is_shown = m->shown > 0;
	struct contents_query q;
	struct seqmap_part there;
	char shown[48] = "nothing";

	if (!m->ok || l->asked.direct || l->asked.how > LOOK_NEXT ||
	    is_shown != (l->shown > 0) ||
	    (is_shown && l->asked.how == LOOK_SEQ))
		return;
	q = passed_over(c, l, is_shown);
	there = contents_present(c->contents, &q);
	if (there.count == 0)
		return;
	if (is_shown)
		text_format(shown, sizeof(shown), "sequence %llu",
		    (unsigned long long)l->shown);
	a.seqs[0] = l->asked.how == LOOK_LAST ? there.high : there.low;
	a.seqs[1] = l->shown;
	check_raise_steady(c, &a, &span,
	    "a read %s by the leader of stream %s (subject %u, sequence %llu) "
	    "shows %s, although the message at sequence %llu had been "
	    "acknowledged before it was asked and nothing has removed it",
	    message_word(KEY_LOOK, l->asked.how), span.name, l->asked.subject,
	    (unsigned long long)l->asked.seq, shown,
	    (unsigned long long)a.seqs[0]);
}

/*
 * The last message of a subject grew old, and the leader shows neither it nor
 * the marker that stands in its place (unmarked.c).
 */
static void
judge_unmarked(
    struct check *c, const struct look *l, const struct msg_look_end *m)
{
	const struct stock *st = contents_stock(c->contents, l->asked.stream);
	uint64_t until_ns;
	const struct live *e;
	struct anomaly a = {.kind = ANOMALY_UNMARKED,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 38",
	    .stream = m->stream};
	struct check_span span = span_of(c, l);

	if (!m->ok || m->shown > 0 || l->asked.direct || st == NULL ||
	    l->asked.how != LOOK_LAST || c->contents->has_hole)
		return;
	e = marking_due(st, l->asked.subject, &until_ns);
	if (e == NULL || e->acked_ns >= l->asked_ns || until_ns <= c->now_ns)
		return;
	a.ids[0] = e->id;
	a.seqs[0] = e->seq;
	span.from_ns = e->invoked_ns;
	check_raise_steady(c, &a, &span,
	    "a read by the leader of stream %s shows nothing of subject %u, "
	    "whose last message, at sequence %llu, nothing but its age can "
	    "have removed: there is no marker in its place",
	    span.name, l->asked.subject, (unsigned long long)e->seq);
}

/*
 * "No message found", although it is there and nothing else can have removed
 * it.
 */
static void
judge_refused(struct check *c, const struct msg_change_fail *m)
{
	const struct removal *r =
	    contents_removal(c->contents, m->stream, m->id, m->attempt);
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .class = CLASS_DOCUMENTED,
	    .rule = "guarantees 0",
	    .stream = m->stream,
	    .ids = {m->id}};
	struct check_span span = {.what = LEADERS_STREAM, .to_ns = c->now_ns};

	if (r == NULL || s == NULL || !refusal_is_not_there(m->code, m->why) ||
	    contents_removable(c->contents, m->stream, r, c->now_ns).least == 0)
		return;
	a.seqs[0] = r->scope.first;
	span.name = s->name;
	span.replicas = s->replicas;
	span.from_ns = r->from_ns;
	if (c->config->strict_answers)
		a.class = CLASS_VIOLATION;
	check_raise_steady(c, &a, &span,
	    "the removal of sequence %llu of stream %s was refused (\"%s\"), "
	    "although its message had been acknowledged before and nothing "
	    "has removed it",
	    (unsigned long long)r->scope.first, s->name, m->why);
}

static int
stale_event(struct check *c, const struct event *ev)
{
	struct stale_state *st = c->state;
	struct look *l = array_at(
	    &st->looks, &st->n, ev->source, sizeof(*l), CHECK_SLOTS_MAX);

	if (l == NULL)
		return -ENOMEM;
	if (ev->type == MESSAGE_CHANGE_FAIL) {
		judge_refused(c, &ev->u.change_fail);
		return 0;
	}
	/* The stream is the first field of all of them. */
	if (ledger_stream(c->ledger, ev->u.look.stream) == NULL)
		return 0;
	if (ev->type == MESSAGE_LOOK) {
		*l = (struct look){.asked = ev->u.look,
		    .asked_ns = c->now_ns,
		    .is_open = true};
		return 0;
	}
	/* An event is missing: that alone spoils the run. */
	if (!l->is_open || l->asked.look != ev->u.look.look)
		return 0;
	if (ev->type == MESSAGE_LOOK_SHOWN) {
		judge_shown(c, l, &ev->u.look_shown);
		l->shown = ev->u.look_shown.seq;
		l->subjects |= bit_of(&l->asked, ev->u.look_shown.subject);
		return 0;
	}
	judge_end(c, l, &ev->u.look_end);
	judge_unmarked(c, l, &ev->u.look_end);
	l->is_open = false;
	return 0;
}

static void
stale_fini(struct check *c)
{
	struct stale_state *st = c->state;

	free(st->looks);
}

static const enum message_type types[] = {
    MESSAGE_LOOK, MESSAGE_LOOK_SHOWN, MESSAGE_LOOK_END, MESSAGE_CHANGE_FAIL, 0};

static const enum message_type judges[] = {MESSAGE_LOOK_END, 0};

const struct check_ops check_stale_read = {
    .name = "stale_read",
    .summary = "reads of a stream by its leader show what it holds",
    .rule = "guarantees 21",
    .types = types,
    .unit = "reads",
    .judges = judges,
    .state_size = sizeof(struct stale_state),
    .event = stale_event,
    .fini = stale_fini,
};
