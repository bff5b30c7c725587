/* SPDX-License-Identifier: ISC */
/*
 * misanswered: a stream does what its configuration forbids, or says that it
 * forbids what it allows.
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
 */
#include <string.h>

#include "orchestrator/judge/check.h"

#define NOT_PERMITTED "not permitted"

static bool
is_refused_so(const char *why)
{
	return strstr(why, NOT_PERMITTED) != NULL;
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
	if (is_done != is_forbidden)
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
misanswered_event(struct check *c, const struct event *ev)
{
	if (ledger_stream(c->ledger, ev->u.change_ok.stream) == NULL)
		return 0;
	if (ev->type == MESSAGE_CHANGE_OK || ev->type == MESSAGE_CHANGE_FAIL)
		on_change(c, ev);
	else
		on_publish(c, ev);
	return 0;
}

static const enum message_type types[] = {MESSAGE_CHANGE_OK,
    MESSAGE_CHANGE_FAIL, MESSAGE_PUBLISH_OK, MESSAGE_PUBLISH_FAIL, 0};

const struct check_ops check_misanswered = {
    .name = "misanswered",
    .summary = "streams refuse what they forbid, and say so of nothing else",
    .rule = "guarantees 39",
    .types = types,
    .unit = "requests for what is forbidden",
    .event = misanswered_event,
};
