/* SPDX-License-Identifier: ISC */
/*
 * limit_broken: a stream holds more than its limits allow.
 *
 * Rule (guarantees 19): limits are applied where a message is stored, so no
 * answer may show more messages or bytes than the loosest limit that may have
 * been in force since the question was asked, nor more messages than that of
 * a subject times the subjects. Under load there may be more bytes, by those of
 * one message: for a large one a server drops several small ones, and lets
 * others see its store after each of them (filestore.go, removeMsg()).
 *
 * Why no legal behaviour trips it: a server that comes back shows for a moment
 * what a limit had dropped before its end, so that what is asked under load
 * convicts only if the leader was steady. Limits whose change is open or
 * unknown count as far as they are looser; a question that was asked before the
 * last change was confirmed is not judged. Where a limit was ever changed it
 * convicts only if the leader was steady. A full stream of several replicas
 * refuses by what its leader holds and has on its way, and replicas store what
 * a leader told them to (2.14): a new leader that does not know what is on its
 * way lets in too much, which stays. So there one leader has to have been in
 * office ever since the stream was made.
 */
#include <stddef.h>

#include "orchestrator/judge/check.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define FOUNDED_NS (5 * CLOCK_S) /* as check_steady() has it */

/* A stream's numbers, and since when they may be so. */
struct numbers {
	uint32_t stream;
	uint64_t asked_ns, messages, bytes, subjects;
	bool is_loaded; /* messages may just be stored */
};

/*
 * What they are above, in words; "" when they are within the limits, but for
 * so many bytes.
 */
static void
name_excess(const struct limits *l, const struct numbers *n, uint64_t but,
    char out[128])
{
	out[0] = '\0';
	if (n->messages > l->messages)
		text_format(out, 128, "%llu messages, with a limit of %llu",
		    (unsigned long long)n->messages,
		    (unsigned long long)l->messages);
	else if (n->bytes > l->bytes && n->bytes - l->bytes > but)
		text_format(out, 128, "%llu bytes, with a limit of %llu",
		    (unsigned long long)n->bytes, (unsigned long long)l->bytes);
	else if (l->per_subject != LANE_NO_LIMIT && n->subjects > 0 &&
		 (n->messages - 1) / n->subjects >= l->per_subject &&
		 n->messages > 0)
		text_format(out, 128,
		    "%llu messages of %llu subjects, with a limit of %llu "
		    "each",
		    (unsigned long long)n->messages,
		    (unsigned long long)n->subjects,
		    (unsigned long long)l->per_subject);
}

/* What there is too much may have been let in since the first leader. */
static uint64_t
let_in_since(
    const struct check *c, const struct ledger_stream *s, uint64_t asked_ns)
{
	uint64_t first_ns = leaders_first(c->leaders, LEADERS_STREAM, s->name);

	return first_ns < asked_ns && first_ns + FOUNDED_NS < asked_ns
		   ? first_ns + FOUNDED_NS
		   : asked_ns;
}

static void
judge_numbers(struct check *c, const struct numbers *n)
{
	const struct stock *st = contents_stock(c->contents, n->stream);
	const struct ledger_stream *s = ledger_stream(c->ledger, n->stream);
	struct anomaly a = {.kind = ANOMALY_LIMIT_BROKEN, .stream = n->stream};
	struct check_span span = {
	    .what = LEADERS_STREAM, .from_ns = n->asked_ns, .to_ns = c->now_ns};
	struct limits loose;
	char excess[128];

	if (st == NULL || s == NULL || n->asked_ns <= st->tightened_ns)
		return;
	check_judged(c, 1);
	/* One that refuses keeps what it has when a limit is lowered. */
	loose =
	    st->terms.discard == DISCARD_NEW ? st->widest : limits_loose(st);
	name_excess(&loose, n, n->is_loaded ? st->largest : 0, excess);
	if (excess[0] == '\0')
		return;
	if (st->tightened_ns == 0 && st->terms.discard == DISCARD_OLD &&
	    !n->is_loaded) {
		check_raise(c, &a, "stream %s holds %s", s->name, excess);
		return;
	}
	span.name = s->name;
	span.replicas = s->replicas;
	if (st->terms.discard == DISCARD_NEW &&
	    (s->replicas > 1 || s->scales.n > 0))
		span.from_ns = let_in_since(c, s, n->asked_ns);
	a.class = CLASS_WARNING;
	check_raise_steady(c, &a, &span, "stream %s holds %s", s->name, excess);
}

static int
limit_broken_event(struct check *c, const struct event *ev)
{
	const struct msg_look_state *l = &ev->u.look_state;
	const struct msg_scan_state *s = &ev->u.scan_state;
	struct numbers n;

	if (ev->type == MESSAGE_LOOK_STATE)
		n = (struct numbers){l->stream, l->asked_ns, l->messages,
		    l->bytes, l->subjects, true};
	else
		n = (struct numbers){s->stream, c->now_ns - s->lasted_ns,
		    s->messages, s->bytes, s->subjects, false};
	judge_numbers(c, &n);
	return 0;
}

static const enum message_type types[] = {
    MESSAGE_LOOK_STATE, MESSAGE_SCAN_STATE, 0};

const struct check_ops check_limit_broken = {
    .name = "limit_broken",
    .summary = "no stream holds more than its limits allow",
    .rule = "guarantees 19",
    .types = types,
    .unit = "states of streams",
    .event = limit_broken_event,
};
