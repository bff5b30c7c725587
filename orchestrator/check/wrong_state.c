/* SPDX-License-Identifier: ISC */
/*
 * wrong_state: what the leader of a stream counts is not what is stored. Of
 * consumers, see consumer_missing.c.
 *
 * Rule (guarantees 13): the numbers of a stream that nobody writes to are
 * those of its messages. They must fit each other, and the messages, bytes and
 * subjects that a scan has read: every sequence up to the end was read, or the
 * leader has said that it holds nothing (proto/numbers.h).
 *
 * Why no legal behaviour trips it: it convicts by the same wrong answer over
 * and over for 10 s, from before the scan until after it, of a cluster that
 * settled and that nothing disturbed meanwhile. Whatever is stored or removed
 * late changes the numbers. What a stream was asked to be nobody changes
 * (guarantees 12); what nobody asked for is not compared. What was read may be
 * a replica's that is behind: it still has what was removed, and so much is
 * excused; when it stays so that is divergence. One message with another
 * Nats-Msg-Id than its payload's was damaged, whenever that was read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/contents.h"
#include "proto/base/array.h"
#include "proto/base/text.h"
#include "proto/numbers.h"

#define CONFIG_POLLS 3	/* equal answers */
#define ITEM_MAX     96 /* of a configuration, in a sentence */

/* What a stream was asked to be; empty: not known. */
struct asked {
	char text[512];
	bool has_schedules; /* some may send while it is read */
};

struct wrong_state {
	struct asked *asked; /* by stream */
	uint32_t n;
	uint64_t removed; /* messages of the last scan that may not be there */
};

static enum anomaly_class
class_of(const struct check *c, const struct msg_scan_tally *m)
{
	const struct stock *st = contents_stock(c->contents, m->stream);
	bool is_long =
	    m->lasted_ns >= NUMBERS_LONG_NS && m->polls >= NUMBERS_POLLS;

	/* What was read may be another replica's: see divergence. */
	if (st != NULL && limits_are_unordered(st) &&
	    numbers_own_flaw(m) == NULL)
		return CLASS_WARNING;

	/* Numbers that changed meanwhile are not those of what was read. */
	if (c->faults->settled_ns == 0 || !is_long ||
	    c->now_ns < m->lasted_ns ||
	    (!m->same && numbers_own_flaw(m) == NULL) ||
	    !faults_quiet_between(
		c->faults, c->now_ns - m->lasted_ns, c->now_ns))
		return CLASS_WARNING;
	return CLASS_VIOLATION;
}

static void
judge_labels(struct check *c, const struct ledger_stream *s,
    const struct msg_scan_tally *m)
{
	struct anomaly a = {.kind = ANOMALY_CORRUPT,
	    .rule = "guarantees 2",
	    .stream = m->stream,
	    .seqs = {m->mislabelled_seq}};

	if (m->mislabelled == 0)
		return;
	check_raise(c, &a,
	    "of the %llu messages of stream %s %llu have not the Nats-Msg-Id "
	    "that they were published with, from sequence %llu on; their "
	    "payloads are whole",
	    (unsigned long long)m->read, s->name,
	    (unsigned long long)m->mislabelled,
	    (unsigned long long)m->mislabelled_seq);
}

static void
judge_numbers(struct check *c, const struct ledger_stream *s,
    const struct msg_scan_tally *m)
{
	struct anomaly a = {.kind = ANOMALY_WRONG_STATE, .stream = m->stream};
	const struct wrong_state *st = c->state;
	const char *flaw = numbers_flaw(m);

	if (flaw == NULL)
		return;
	if (numbers_own_flaw(m) == NULL && m->messages < m->read &&
	    m->read - m->messages <= st->removed)
		return; /* a replica that is behind was read: see undeleted */
	/* Messages go away, by their age for one, or come while it is read. */
	if (!m->same && numbers_own_flaw(m) == NULL &&
	    (contents_has(c->contents, m->stream) ||
		(m->stream < st->n && st->asked[m->stream].has_schedules)))
		return;
	a.class = class_of(c, m);
	check_raise(c, &a,
	    "stream %s %s; its leader %s said %u times in %.1f s%s: %llu "
	    "messages, sequences %llu to %llu, %llu of them deleted, %llu "
	    "bytes, %llu subjects; read were %llu messages, %llu to %llu, "
	    "%llu bytes, %llu subjects",
	    s->name, flaw, m->server, m->polls, (double)m->lasted_ns / 1e9,
	    m->same ? "" : ", and otherwise before it was read",
	    (unsigned long long)m->messages, (unsigned long long)m->first,
	    (unsigned long long)m->last, (unsigned long long)m->deleted,
	    (unsigned long long)m->bytes, (unsigned long long)m->subjects,
	    (unsigned long long)m->read, (unsigned long long)m->read_first,
	    (unsigned long long)m->read_last, (unsigned long long)m->read_bytes,
	    (unsigned long long)m->read_subjects);
}

/* The item of a configuration at text: "name=value". */
static void
copy_item(const char *text, char out[ITEM_MAX])
{
	text_format(out, ITEM_MAX, "%.*s", (int)strcspn(text, ";"), text);
}

/* Go on to the next items of both. */
static void
next_item(const char **text)
{
	*text += strcspn(*text, ";");
	*text += strspn(*text, "; ");
}

static void
judge_config(
    struct check *c, const char *asked, const struct msg_stream_config *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_CORRUPT,
	    .rule = "guarantees 12",
	    .stream = m->stream};
	const char *got = m->text;
	char was[ITEM_MAX] = "", is[ITEM_MAX] = "";

	if (s == NULL || asked[0] == '\0' || strcmp(asked, got) == 0)
		return;
	while (*asked != '\0' || *got != '\0') {
		copy_item(asked, was);
		copy_item(got, is);
		if (strcmp(was, is) != 0)
			break;
		next_item(&asked);
		next_item(&got);
	}
	if (m->polls < CONFIG_POLLS ||
	    !faults_quiet_since_settled(c->faults, c->now_ns))
		a.class = CLASS_WARNING;
	check_raise(c, &a,
	    "stream %s was created with %s, and its leader said %u times that "
	    "it has %s; nobody changed it",
	    s->name, was, m->polls, is[0] != '\0' ? is : "nothing of it");
}

static struct asked *
asked_of(struct wrong_state *st, uint32_t stream)
{
	return array_at(
	    &st->asked, &st->n, stream, sizeof(struct asked), CHECK_SLOTS_MAX);
}

static int
on_config(struct check *c, const struct msg_stream_config *m)
{
	struct wrong_state *st = c->state;
	struct asked *t;

	if (!m->asked) {
		judge_config(
		    c, m->stream < st->n ? st->asked[m->stream].text : "", m);
		return 0;
	}
	t = asked_of(st, m->stream);
	if (t == NULL)
		return -ENOMEM;
	text_set(t->text, sizeof(t->text), m->text);
	return 0;
}

/* A purge says how many messages it has removed. */
static void
on_purged(struct check *c, const struct msg_change_ok *m)
{
	const struct removal *r =
	    contents_removal(c->contents, m->stream, m->id, m->attempt);
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 18",
	    .stream = m->stream,
	    .ids = {m->id}};
	struct check_span span = {.what = LEADERS_STREAM, .to_ns = c->now_ns};
	struct contents_bounds b;
	char bounds[64];

	if (r == NULL || s == NULL || !m->counts || r->keep != 0)
		return;
	b = contents_removable(c->contents, m->stream, r, c->now_ns);
	if (m->removed >= b.least && m->removed <= b.most)
		return;
	span.name = s->name;
	span.replicas = s->replicas;
	span.from_ns = r->from_ns;
	text_format(bounds, sizeof(bounds), "%llu at least",
	    (unsigned long long)b.least);
	if (b.most != UINT64_MAX)
		text_add(bounds, sizeof(bounds), " and %llu at most",
		    (unsigned long long)b.most);
	check_raise_steady(c, &a, &span,
	    "a purge of stream %s says that it removed %llu messages, and "
	    "there were %s",
	    s->name, (unsigned long long)m->removed, bounds);
}

static void
on_message(struct check *c, const struct msg_scan_message *m)
{
	struct wrong_state *st = c->state;

	if (contents_has(c->contents, m->stream) &&
	    contents_presence(c->contents, m->stream, m->seq, c->now_ns) !=
		PRESENT)
		st->removed++;
}

static int
wrong_event(struct check *c, const struct event *ev)
{
	struct wrong_state *st = c->state;
	const struct ledger_stream *s;
	struct asked *t;

	if (ev->type == MESSAGE_SCAN_BEGIN) {
		st->removed = 0;
		return 0;
	}
	if (ev->type == MESSAGE_SCAN_MESSAGE) {
		on_message(c, &ev->u.scan_message);
		return 0;
	}
	if (ev->type == MESSAGE_SCHEDULE) {
		t = asked_of(st, ev->u.schedule.stream);
		if (t == NULL)
			return -ENOMEM;
		t->has_schedules = true;
		return 0;
	}
	if (ev->type == MESSAGE_STREAM_CONFIG)
		return on_config(c, &ev->u.stream_config);
	if (ev->type == MESSAGE_CHANGE_OK) {
		on_purged(c, &ev->u.change_ok);
		return 0;
	}
	s = ledger_stream(c->ledger, ev->u.scan_tally.stream);
	if (s != NULL) {
		judge_labels(c, s, &ev->u.scan_tally);
		judge_numbers(c, s, &ev->u.scan_tally);
	}
	return 0;
}

static void
wrong_fini(struct check *c)
{
	struct wrong_state *st = c->state;

	free(st->asked);
}

static const enum message_type types[] = {MESSAGE_SCAN_BEGIN,
    MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_TALLY, MESSAGE_STREAM_CONFIG,
    MESSAGE_CHANGE_OK, MESSAGE_SCHEDULE, 0};

static const enum message_type judges[] = {MESSAGE_SCAN_TALLY, 0};

const struct check_ops check_wrong_state = {
    .name = "wrong_state",
    .summary = "what a stream's leader counts is what is stored",
    .rule = "guarantees 13",
    .types = types,
    .unit = "streams",
    .judges = judges,
    .stands_alone = true,
    .state_size = sizeof(struct wrong_state),
    .event = wrong_event,
    .fini = wrong_fini,
};
