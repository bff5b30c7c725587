/* SPDX-License-Identifier: ISC */
/*
 * misanswered: a stream does what its configuration forbids, or says that it
 * forbids what it allows, or that it is full when it is not.
 *
 * Rule (guarantees 39): a stream that denies deletes or purges refuses each of
 * them, and one that does not allow rollups refuses a publish that asks for
 * one; others never say so. It convicts by one answer.
 *
 * Why no legal behaviour trips it: the stream has been made with that, as the
 * server's own answer said, and nobody can take deny_delete or deny_purge back;
 * nobody changes these in a run. A publish that is a duplicate replaces nothing
 * and is not judged. A refusal counts by its text alone: with others the same
 * codes say something else. A replica that is behind has the stream as it was
 * made, too.
 *
 * A stream that refuses by a number of messages (10077, guarantees 19) is full
 * if that many may ever have been there since the request was sent: what may be
 * there, what left meanwhile, all that is under way, and all that may be
 * stored, unheard. It is a violation only if one leader was steady.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

#define NOT_PERMITTED "not permitted"
#define FULL	      10077
#define FULL_ALL      "maximum messages exceeded"
#define FULL_SUBJECT  "maximum messages per subject exceeded"

/* A stream that somebody asked to seal. */
struct seal {
	uint64_t id, from_ns;
	uint32_t attempt;
	bool is_asked;
	uint64_t since_ns; /* it certainly is; 0: not */
};

struct misanswered_state {
	struct seal *seals; /* by stream */
	uint32_t n;
};

static bool
is_refused_so(const char *why)
{
	return strstr(why, NOT_PERMITTED) != NULL;
}

/* One that is sealed denies everything; it may be so at any time from then. */
static bool
may_be_sealed(const struct check *c, uint32_t stream)
{
	const struct misanswered_state *st = c->state;

	return stream < st->n && st->seals[stream].is_asked;
}

/* What the answer means for something that is forbidden, or is not. */
static void
judge_answer(struct check *c, const struct event *ev, bool is_forbidden,
    const char *what)
{
	bool is_done =
	    ev->type == MESSAGE_CHANGE_OK || ev->type == MESSAGE_PUBLISH_OK;
	/* The stream and the id are the first fields of all of them. */
	const struct msg_change_ok *m = &ev->u.change_ok;
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .stream = m->stream,
	    .ids = {m->id},
	    .is_no_loss = true};

	check_judged(c, is_forbidden);
	if (is_done != is_forbidden ||
	    (!is_done && may_be_sealed(c, m->stream)))
		return;
	check_raise(c, &a, "%s of stream %s %s", what,
	    ledger_stream(c->ledger, m->stream)->name,
	    is_done ? "was confirmed, and its configuration forbids it"
		    : "was refused as not permitted, and its configuration "
		      "allows it");
}

static void
on_change(struct check *c, const struct event *ev)
{
	const struct msg_change_ok *m = &ev->u.change_ok;
	const struct stock *st = contents_stock(c->contents, m->stream);
	const struct removal *r =
	    contents_removal(c->contents, m->stream, m->id, m->attempt);
	bool is_forbidden;

	if (r == NULL || (ev->type == MESSAGE_CHANGE_FAIL &&
			     !is_refused_so(ev->u.change_fail.why)))
		return;
	is_forbidden =
	    r->deletes ? st->terms.deny_delete : st->terms.deny_purge;
	judge_answer(c, ev, is_forbidden, r->deletes ? "a delete" : "a purge");
}

static void
on_publish(struct check *c, const struct event *ev)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	const struct stock *st = contents_stock(c->contents, m->stream);
	const struct publishing *p = contents_publishing(c->contents, m->id);

	if (st == NULL || p == NULL || p->stream != m->stream ||
	    p->terms.rolls == ROLLS_NOTHING)
		return;
	if (ev->type == MESSAGE_PUBLISH_OK
		? m->duplicate
		: !is_refused_so(ev->u.publish_fail.why))
		return;
	judge_answer(
	    c, ev, !st->terms.allow_rollup, "a publish that replaces others");
}

static int
on_seal(struct check *c, const struct msg_seal_invoke *m)
{
	struct misanswered_state *st = c->state;
	struct seal *s = array_at(
	    &st->seals, &st->n, m->stream, sizeof(*s), CHECK_SLOTS_MAX);

	if (s == NULL)
		return -ENOMEM;
	*s = (struct seal){m->id, c->now_ns, m->attempt, true, s->since_ns};
	return 0;
}

/* When what the answer is about was asked for first; 0: not known. */
static uint64_t
asked_ns(const struct check *c, const struct event *ev)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	const struct publishing *p;
	const struct removal *r;

	if (ev->type == MESSAGE_PUBLISH_OK) {
		p = contents_publishing(c->contents, m->id);
		return p == NULL || m->duplicate ? 0 : p->invoked_ns;
	}
	r = contents_removal(
	    c->contents, m->stream, m->id, ev->u.change_ok.attempt);
	return r == NULL ? 0 : r->from_ns;
}

/* It was done, and the stream had been sealed before it was asked for. */
static void
judge_sealed(struct check *c, const struct event *ev)
{
	struct misanswered_state *st = c->state;
	const struct msg_change_ok *m = &ev->u.change_ok;
	const struct ledger_stream *l = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .class = CLASS_WARNING,
	    .stream = m->stream,
	    .ids = {m->id},
	    .is_no_loss = true};
	struct check_span span = {.what = LEADERS_STREAM,
	    .name = l->name,
	    .replicas = l->replicas,
	    .to_ns = c->now_ns};
	struct seal *s = m->stream < st->n ? &st->seals[m->stream] : NULL;

	if (s == NULL || !s->is_asked)
		return;
	if (ev->type == MESSAGE_CHANGE_OK && m->id == s->id &&
	    m->attempt == s->attempt)
		s->since_ns = c->now_ns;
	if (s->since_ns == 0)
		return;
	check_judged(c, 1);
	if (asked_ns(c, ev) <= s->since_ns)
		return;
	span.from_ns = s->from_ns;
	check_raise_steady(c, &a, &span,
	    "%s of stream %s was confirmed, and the stream had been sealed "
	    "%.1f s before it was sent",
	    ev->type == MESSAGE_PUBLISH_OK ? "a publish" : "a removal", l->name,
	    (double)(asked_ns(c, ev) - s->since_ns) / 1e9);
}

/* A publish was refused, or not certainly, since the stream is full. */
static void
judge_full(struct check *c, const struct msg_publish_fail *m)
{
	const struct stock *st = contents_stock(c->contents, m->stream);
	const struct publishing *p = contents_publishing(c->contents, m->id);
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	bool is_of_all = strstr(m->why, FULL_ALL) != NULL;
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 19",
	    .stream = m->stream,
	    .ids = {m->id}};
	struct check_span span = {.what = LEADERS_STREAM,
	    .name = s->name,
	    .replicas = s->replicas,
	    .to_ns = c->now_ns};
	uint64_t most, limit;

	if (st == NULL || p == NULL || p->stream != m->stream ||
	    st->terms.discard != DISCARD_NEW || m->code != FULL ||
	    (!is_of_all && strstr(m->why, FULL_SUBJECT) == NULL))
		return;
	/* A limit refused it that was in force when it was sent, perhaps. */
	if (st->confirmed_ns >= p->sent_ns)
		return;
	most = contents_most(c->contents, m->stream,
	    is_of_all ? 0 : p->terms.subject, p->sent_ns);
	limit = is_of_all ? limits_tight(st).messages
			  : limits_tight(st).per_subject;
	check_judged(c, most != UINT64_MAX);
	/* It is one of these itself. */
	if (most > limit)
		return;
	span.from_ns = p->sent_ns;
	check_raise_steady(c, &a, &span,
	    "a publish to subject %u of stream %s was refused (\"%s\"), "
	    "although at most %llu messages can have been there, and %llu may",
	    p->terms.subject, s->name, m->why, (unsigned long long)most - 1,
	    (unsigned long long)limit);
}

static int
misanswered_event(struct check *c, const struct event *ev)
{
	if (ledger_stream(c->ledger, ev->u.change_ok.stream) == NULL)
		return 0;
	if (ev->type == MESSAGE_SEAL_INVOKE)
		return on_seal(c, &ev->u.seal_invoke);
	if (ev->type == MESSAGE_PUBLISH_OK || ev->type == MESSAGE_CHANGE_OK)
		judge_sealed(c, ev);
	/* FAIL and UNKNOWN have the same fields. */
	if (ev->type == MESSAGE_PUBLISH_FAIL ||
	    ev->type == MESSAGE_PUBLISH_UNKNOWN)
		judge_full(c, &ev->u.publish_fail);
	if (ev->type == MESSAGE_CHANGE_OK || ev->type == MESSAGE_CHANGE_FAIL)
		on_change(c, ev);
	else if (ev->type != MESSAGE_PUBLISH_UNKNOWN)
		on_publish(c, ev);
	return 0;
}

static void
misanswered_fini(struct check *c)
{
	struct misanswered_state *st = c->state;

	free(st->seals);
}

static const enum message_type types[] = {MESSAGE_CHANGE_OK,
    MESSAGE_CHANGE_FAIL, MESSAGE_PUBLISH_OK, MESSAGE_PUBLISH_FAIL,
    MESSAGE_PUBLISH_UNKNOWN, MESSAGE_SEAL_INVOKE, 0};

const struct check_ops check_misanswered = {
    .name = "misanswered",
    .summary = "streams refuse what they forbid, or what is too much, alone",
    .rule = "guarantees 39",
    .types = types,
    .unit = "answers about what is forbidden, or too much",
    .state_size = sizeof(struct misanswered_state),
    .event = misanswered_event,
    .fini = misanswered_fini,
};
