/* SPDX-License-Identifier: ISC */
/*
 * unmarked: a message grew old as the last of its subject, and no marker
 * stands in its place.
 *
 * Rule (guarantees 38): a stream that asks for markers gets one when age or
 * lifetime takes the last message of a subject: in place of that message, for
 * the time that was asked for. It convicts when the audit reads neither, or
 * the leader shows neither (stale_read.c), although the marker can't be too
 * old. And only then: a marker of a subject of which nothing can have grown
 * old, or of which a message is there that did not, or with another lifetime,
 * is a phantom; one that is still there long after its own is expired_late;
 * one at the sequence of a message that was acknowledged is seq_reuse.
 *
 * Why no legal behaviour trips it: what else may have taken message or marker
 * away is known (marking.c): removals, limits, publishes whose outcome is
 * open. A server that ends, or has no leader, may drop the message without a
 * marker; so it is a violation only if one leader was steady since the message
 * was sent. A replica that is behind shows the message. The audit reads only
 * up to the sequence that was the last when it began, so the marker must have
 * been there by then; and as many messages as the leader counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define CALM_NS	 (30 * CLOCK_S)
#define LATE_NS	 (2 * CLOCK_S + STOCK_LATE_NS) /* as limits_late_ns() has it */
#define KEYS_MAX 65
#define MAX_AGE	 "MaxAge"

/* What is known of a subject's markers. */
struct seen {
	uint64_t seq, since_ns; /* the one that was read last, and first when */
	uint64_t scanned;	/* the highest that this scan read */
};

struct marked_stream {
	uint64_t begun_ns; /* of the scan; 0: none */
	struct seen of[KEYS_MAX];
};

struct unmarked_state {
	struct marked_stream *streams;
	uint32_t n;
};

/* What is wrong with a marker, whatever is stored; NULL: nothing. */
static const char *
flaw_of(
    const struct check *c, const struct stock *st, const struct msg_marked *m)
{
	uint64_t may_ns = marking_may_ns(st, m->subject);

	if (st->terms.marker_ttl_ns == 0)
		return "its stream asks for none";
	if (m->subject == 0)
		return "its subject is none that was published";
	if (m->ttl_ns != 0 && m->ttl_ns != st->terms.marker_ttl_ns)
		return "its lifetime is not what was asked for";
	if (may_ns == 0 || may_ns > c->now_ns)
		return "no message of its subject can have grown old";
	return NULL;
}

static void
judge_marker(
    struct check *c, const struct stock *st, const struct msg_marked *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_PHANTOM,
	    .rule = "guarantees 38",
	    .stream = m->stream,
	    .seqs = {m->seq},
	    .is_no_loss = true};
	struct contents_query q = {.stream = m->stream,
	    .subject = m->subject,
	    .first = 1,
	    .last = m->seq - 1,
	    .acked_by_ns = c->now_ns,
	    .now_ns = c->now_ns};
	const char *flaw = flaw_of(c, st, m);
	struct seqmap_part there = {0, 0, 0};
	uint64_t same;

	if (strcmp(m->reason, MAX_AGE) != 0)
		a.class = CLASS_WARNING; /* of a version to come */
	else if (flaw == NULL && m->seq > 1)
		there = contents_present(c->contents, &q);
	if (there.count > 0) {
		flaw = "the last message of its subject has not grown old";
		a.seqs[1] = there.high;
	}
	if (seqmap_find(&s->acked, m->seq, &same)) {
		a.kind = ANOMALY_SEQ_REUSE;
		a.class = CLASS_VIOLATION;
		flaw = "a message was acknowledged at its sequence";
	}
	if (flaw == NULL && a.class != CLASS_WARNING)
		return;
	check_raise(c, &a,
	    "a marker (%s, lifetime %llu s, subject %u) stands at sequence "
	    "%llu of stream %s, although %s%s",
	    m->reason, (unsigned long long)(m->ttl_ns / CLOCK_S), m->subject,
	    (unsigned long long)m->seq, s->name,
	    flaw != NULL ? flaw : "no version makes one for that reason",
	    there.count > 0 ? ": see the second sequence" : "");
}

/* It was there so long ago that it should be gone. */
static void
judge_age(struct check *c, const struct stock *st, const struct msg_marked *m,
    const struct seen *seen)
{
	uint64_t calm_ns = faults_calm_since(c->faults);
	uint64_t due_ns = seen->since_ns + st->terms.marker_ttl_ns + LATE_NS;
	struct anomaly a = {.kind = ANOMALY_EXPIRED_LATE,
	    .class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION,
	    .rule = "guarantees 38",
	    .stream = m->stream,
	    .seqs = {m->seq}};

	if (seen->seq != m->seq || st->terms.marker_ttl_ns == 0 ||
	    calm_ns == UINT64_MAX || c->now_ns <= due_ns + st->skew_ns ||
	    c->now_ns < calm_ns + CALM_NS + LATE_NS)
		return;
	check_raise(c, &a,
	    "the marker at sequence %llu of %s is still there %.1f s after it "
	    "was read first, with a lifetime of %llu s",
	    (unsigned long long)m->seq,
	    ledger_stream(c->ledger, m->stream)->name,
	    (double)(c->now_ns - seen->since_ns) / 1e9,
	    (unsigned long long)(st->terms.marker_ttl_ns / CLOCK_S));
}

static void
on_marked(struct check *c, struct marked_stream *t, const struct msg_marked *m)
{
	const struct stock *st = contents_stock(c->contents, m->stream);
	struct seen *seen = &t->of[m->subject < KEYS_MAX ? m->subject : 0];

	if (st == NULL || c->contents->has_hole)
		return;
	check_judged(c, 1);
	judge_marker(c, st, m);
	judge_age(c, st, m, seen);
	if (seen->seq != m->seq)
		seen->since_ns = c->now_ns;
	seen->seq = m->seq;
	if (m->scanned && seen->scanned < m->seq)
		seen->scanned = m->seq;
}

static void
on_scanned(const struct check *c, struct marked_stream *t,
    const struct msg_scan_message *m)
{
	const struct live *e = contents_find(c->contents, m->stream, m->seq);

	if (e != NULL && e->subject < KEYS_MAX &&
	    t->of[e->subject].scanned < m->seq)
		t->of[e->subject].scanned = m->seq;
}

/* Of a subject of which the scan read neither message nor marker. */
static void
judge_subject(struct check *c, const struct marked_stream *t, uint32_t stream,
    uint32_t subject)
{
	const struct stock *st = contents_stock(c->contents, stream);
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	uint64_t until_ns;
	const struct live *e = marking_due(st, subject, &until_ns);
	struct anomaly a = {
	    .kind = ANOMALY_UNMARKED, .class = CLASS_WARNING, .stream = stream};
	struct check_span span = {.what = LEADERS_STREAM,
	    .name = s->name,
	    .replicas = s->replicas,
	    .to_ns = c->now_ns};

	if (e == NULL || until_ns <= c->now_ns ||
	    limits_replaced_ns(st, e) >= t->begun_ns)
		return;
	check_judged(c, 1);
	if (t->of[subject].scanned >= e->seq)
		return;
	a.ids[0] = e->id;
	a.seqs[0] = e->seq;
	span.from_ns = e->invoked_ns;
	check_raise_steady(c, &a, &span,
	    "message %u:%llu at sequence %llu was the last of subject %u of "
	    "stream %s and is gone, as nothing but its age can have removed "
	    "it; the audit read no marker of that subject",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->seq, subject, s->name);
}

/* The stream is read to its end, and all that its leader counts was read. */
static void
on_tally(struct check *c, const struct marked_stream *t,
    const struct msg_scan_tally *m)
{
	const struct stock *st = contents_stock(c->contents, m->stream);
	uint32_t i;

	if (st == NULL || ledger_stream(c->ledger, m->stream) == NULL ||
	    c->contents->has_hole || t->begun_ns == 0 || !m->same ||
	    m->read != m->messages)
		return;
	for (i = 1; i < KEYS_MAX; i++)
		judge_subject(c, t, m->stream, i);
}

static int
unmarked_event(struct check *c, const struct event *ev)
{
	struct unmarked_state *st = c->state;
	/* The stream is the first field of all of them. */
	uint32_t stream = ev->u.marked.stream, i;
	struct marked_stream *t;

	if (!contents_has(c->contents, stream) ||
	    ledger_stream(c->ledger, stream) == NULL)
		return 0;
	t = array_at(&st->streams, &st->n, stream, sizeof(*t), CHECK_SLOTS_MAX);
	if (t == NULL)
		return -ENOMEM;
	if (ev->type == MESSAGE_MARKED) {
		on_marked(c, t, &ev->u.marked);
	} else if (ev->type == MESSAGE_SCAN_TALLY) {
		on_tally(c, t, &ev->u.scan_tally);
	} else if (ev->type == MESSAGE_SCAN_BEGIN) {
		t->begun_ns = c->now_ns;
		for (i = 0; i < KEYS_MAX; i++)
			t->of[i].scanned = 0;
	} else {
		on_scanned(c, t, &ev->u.scan_message);
	}
	return 0;
}

static void
unmarked_fini(struct check *c)
{
	struct unmarked_state *st = c->state;

	free(st->streams);
}

static const enum message_type types[] = {MESSAGE_MARKED, MESSAGE_SCAN_BEGIN,
    MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_TALLY, 0};

const struct check_ops check_unmarked = {
    .name = "unmarked",
    .summary = "markers of servers stand where a last message grew old",
    .rule = "guarantees 38",
    .types = types,
    .unit = "markers, or subjects without",
    .state_size = sizeof(struct unmarked_state),
    .event = unmarked_event,
    .fini = unmarked_fini,
};
