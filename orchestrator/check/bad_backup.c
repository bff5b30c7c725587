/* SPDX-License-Identifier: ISC */
/*
 * bad_backup: a backup of a stream, restored, lacks a message, or holds one
 * that it can't hold.
 *
 * Rule (guarantees 32): a snapshot holds what the stream held when it was
 * answered, and a restored stream what the snapshot holds. So a message that
 * was acknowledged before the snapshot was asked for, and that nothing can have
 * removed until it was whole, is in it; one that was certainly removed before
 * it was asked for is not; and what is in it was published by this run, is
 * whole and stands at its sequence; what was acknowledged before has the
 * subject, the headers and the time that it has in the stream.
 *
 * Why no legal behaviour trips it: what was published, removed or ran into a
 * limit meanwhile may be there or not; one with a time to live of its own may
 * have expired when it is restored. A deposed leader, and a new one that has
 * not applied all yet, may answer with an older state, so what is missing, or
 * still there, convicts only where the stream had one leader and nothing
 * disturbed it (check_raise_steady). A snapshot or a restore that is refused is
 * no anomaly: a client may ask again, and has lost nothing. What was not
 * acknowledged may be lost, sent again and stored at its old place anew.
 *
 * Memory: runs of the sequences of the latest BACKUP_KEPT backups, and a time
 * and a hash of up to LABELS_MAX messages of the streams that they are of.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

#define KEPT	   4 /* backups that there are at a time (proto/backup.h) */
#define LABELS_MAX (1u << 18) /* of a stream */

struct backup {
	uint32_t fault, stream; /* fault 0: there is none */
	uint64_t from_ns, to_ns;
	struct seqmap due, held;
};

/* What a message of a stream has beside its payload. */
struct label {
	uint64_t seq; /* the key */
	uint64_t id, hash;
	int64_t stamp_ns;
};

struct bad_backup_state {
	struct backup open; /* the one that is being made */
	struct backup kept[KEPT];
	uint64_t whole;		/* that were made */
	struct hashmap *labels; /* by stream: struct label */
	uint32_t n;
};

static void
forget(struct backup *b)
{
	seqmap_fini(&b->due);
	seqmap_fini(&b->held);
	*b = (struct backup){0};
}

/* What was acknowledged up to now, and may be there. */
static int
note_due(struct check *c, struct backup *b, const struct ledger_stream *s)
{
	const struct live *e;
	size_t i;
	int err = 0;

	if (contents_has(c->contents, b->stream)) {
		for (e = contents_next(c->contents, b->stream, 0);
		     e != NULL && err == 0;
		     e = contents_next(c->contents, b->stream, e->seq))
			if (e->ttl_ns == 0 || e->ttl_ns == UINT64_MAX)
				err = seqmap_add(&b->due, e->seq, e->seq);
		return err;
	}
	if (s->retention != RETENTION_LIMITS)
		return 0; /* whoever acks removes */
	for (i = 0; i < s->acked.n && err == 0; i++)
		err = seqmap_append(
		    &b->due, s->acked.runs[i].key, s->acked.runs[i].len);
	return err;
}

static int
on_begin(struct check *c, const struct msg_backup_begin *m)
{
	struct bad_backup_state *st = c->state;
	struct backup *b = &st->open;
	const struct ledger_stream *s = ledger_stream_named(c->ledger, m->name);
	uint32_t i;

	forget(b);
	if (s == NULL)
		return 0;
	for (i = 0; ledger_stream(c->ledger, i) != s; i++)
		;
	b->fault = m->fault;
	b->stream = i;
	b->from_ns = c->now_ns;
	return note_due(c, b, s);
}

/* Of what was there, what nothing can have removed by now. */
static int
keep_present(struct check *c, struct backup *b)
{
	struct seqmap present = {0};
	uint64_t seq = 0;
	int err = 0;

	if (!contents_has(c->contents, b->stream))
		return 0;
	while (
	    err == 0 && seqmap_first_missing(&b->due, &present, seq + 1, &seq))
		if (contents_presence(c->contents, b->stream, seq, c->now_ns) ==
		    PRESENT)
			err = seqmap_append(&present, seq, 1);
	seqmap_fini(&b->due);
	b->due = present;
	return err;
}

static int
on_end(struct check *c, const struct msg_backup_end *m)
{
	struct bad_backup_state *st = c->state;
	struct backup *at;

	if (st->open.fault != m->fault || !m->ok)
		return 0;
	at = &st->kept[st->whole++ % KEPT];
	forget(at);
	*at = st->open;
	st->open = (struct backup){0};
	at->to_ns = c->now_ns;
	return keep_present(c, at);
}

static struct backup *
find(struct check *c, uint32_t fault)
{
	struct bad_backup_state *st = c->state;
	unsigned i;

	for (i = 0; i < KEPT; i++)
		if (st->kept[i].fault == fault && fault != 0)
			return &st->kept[i];
	return NULL;
}

static struct check_span
span_of(const struct check *c, const struct backup *b)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, b->stream);

	return (struct check_span){.what = LEADERS_STREAM,
	    .name = s != NULL ? s->name : "?",
	    .replicas = ledger_replicas(c->ledger, b->stream),
	    .from_ns = b->from_ns,
	    .to_ns = b->to_ns};
}

/* There, although it was removed before the snapshot was asked for. */
static void
raise_removed(struct check *c, const struct backup *b, uint64_t seq)
{
	struct anomaly a = {.kind = ANOMALY_BAD_BACKUP,
	    .class = CLASS_WARNING,
	    .stream = b->stream,
	    .fault = b->fault,
	    .seqs = {seq}};
	struct check_span span = span_of(c, b);

	check_raise_steady(c, &a, &span,
	    "sequence %llu of %s is in backup %u, although it was certainly "
	    "removed before that was asked for",
	    (unsigned long long)seq, span.name, b->fault);
}

static bool
is_removed(const struct check *c, const struct backup *b, uint64_t seq)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, b->stream);
	uint64_t same;

	return s != NULL && seqmap_find(&s->acked, seq, &same) &&
	       contents_presence(c->contents, b->stream, seq, c->now_ns) ==
		   GONE &&
	       contents_gone_by(c->contents, b->stream, seq, b->from_ns);
}

static const char *
flaw_of(const struct check *c, const struct msg_restored_message *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	uint64_t id;

	if (!m->intact)
		return "does not pass the checksum of its payload";
	if (c->ledger->run != 0 &&
	    (m->run != c->ledger->run || !ledger_was_invoked(c->ledger, m->id)))
		return "was never published by this run";
	if (s != NULL && seqlog_find(&s->known, m->seq, &id) && id != m->id)
		return "is another one than was acknowledged or read there";
	return NULL;
}

static int
on_message(struct check *c, const struct msg_restored_message *m)
{
	struct backup *b = find(c, m->backup);
	struct anomaly a = {.kind = ANOMALY_BAD_BACKUP,
	    .stream = m->stream,
	    .fault = m->backup,
	    .ids = {m->id},
	    .seqs = {m->seq}};
	const char *flaw;
	int err;

	if (b == NULL)
		return 0;
	check_judged(c, 1);
	flaw = flaw_of(c, m);
	if (flaw != NULL)
		check_raise(c, &a,
		    "message %u:%llu at sequence %llu of backup %u of stream "
		    "%u, restored, %s",
		    message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id),
		    (unsigned long long)m->seq, m->backup, m->stream, flaw);
	else if (is_removed(c, b, m->seq))
		raise_removed(c, b, m->seq);
	err = seqmap_add(&b->held, m->seq, m->seq);
	return err == -ENOMEM ? err : 0; /* it is read twice at times */
}

static struct hashmap *
labels_of(struct check *c, uint32_t stream)
{
	struct bad_backup_state *st = c->state;
	struct hashmap *labels = array_at(
	    &st->labels, &st->n, stream, sizeof(*labels), CHECK_SLOTS_MAX);

	if (labels != NULL && labels->size == 0)
		hashmap_init(labels, sizeof(struct label), LABELS_MAX);
	return labels;
}

/* As the audit has read it in the stream; the last reading counts. */
static int
note_label(struct hashmap *labels, const struct msg_labelled *m)
{
	struct label *label = hashmap_find(labels, m->seq);

	if (label == NULL && labels->n < LABELS_MAX && m->seq != 0) {
		label = hashmap_add(labels, m->seq);
		if (label == NULL)
			return -ENOMEM;
	}
	if (label != NULL)
		*label = (struct label){m->seq, m->id, m->hash, m->stamp_ns};
	return 0;
}

static int
on_labelled(struct check *c, const struct msg_labelled *m)
{
	struct hashmap *labels = labels_of(c, m->stream);
	const struct backup *b = find(c, m->backup);
	const struct label *label;
	struct anomaly a = {.kind = ANOMALY_BAD_BACKUP,
	    .stream = m->stream,
	    .fault = m->backup,
	    .ids = {m->id},
	    .seqs = {m->seq}};
	uint64_t same;

	if (labels == NULL)
		return -ENOMEM;
	if (m->backup == 0)
		return note_label(labels, m);
	label = hashmap_find(labels, m->seq);
	if (label == NULL || label->id != m->id || b == NULL ||
	    !seqmap_find(&b->due, m->seq, &same))
		return 0;
	check_judged(c, 1);
	if (label->hash != m->hash || label->stamp_ns != m->stamp_ns)
		check_raise(c, &a,
		    "message %u:%llu at sequence %llu of backup %u of stream "
		    "%u, restored, has not the %s that it has in the stream",
		    message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id),
		    (unsigned long long)m->seq, m->backup, m->stream,
		    label->hash != m->hash ? "subject or the headers" : "time");
	return 0;
}

static void
raise_missing(struct check *c, const struct backup *b, uint64_t seq)
{
	struct check_span span = span_of(c, b);
	struct anomaly a = {.kind = ANOMALY_BAD_BACKUP,
	    .class = CLASS_WARNING,
	    .stream = b->stream,
	    .fault = b->fault,
	    .seqs = {seq}};

	check_raise_steady(c, &a, &span,
	    "sequence %llu of %s, acknowledged before backup %u was asked for, "
	    "and removed by nothing until that was whole, is not in it",
	    (unsigned long long)seq, span.name, b->fault);
}

static void
on_read(struct check *c, const struct msg_restored_end *m)
{
	struct backup *b = find(c, m->backup);
	uint64_t seq = 0;

	if (b == NULL || !m->complete)
		return;
	check_judged(c, b->due.count);
	while (seqmap_first_missing(&b->due, &b->held, seq + 1, &seq))
		raise_missing(c, b, seq);
}

static int
bad_backup_event(struct check *c, const struct event *ev)
{
	struct backup *b;

	switch ((unsigned)ev->type) {
	case MESSAGE_BACKUP_BEGIN:
		return on_begin(c, &ev->u.backup_begin);
	case MESSAGE_BACKUP_END:
		return on_end(c, &ev->u.backup_end);
	case MESSAGE_RESTORED: /* it is read anew */
		b = find(c, ev->u.restored.backup);
		if (b != NULL)
			seqmap_fini(&b->held);
		return 0;
	case MESSAGE_RESTORED_MESSAGE:
		return on_message(c, &ev->u.restored_message);
	case MESSAGE_LABELLED:
		return on_labelled(c, &ev->u.labelled);
	default:
		on_read(c, &ev->u.restored_end);
		return 0;
	}
}

static void
bad_backup_fini(struct check *c)
{
	struct bad_backup_state *st = c->state;
	unsigned i;

	forget(&st->open);
	for (i = 0; i < KEPT; i++)
		forget(&st->kept[i]);
	while (st->n > 0)
		hashmap_fini(&st->labels[--st->n]);
	free(st->labels);
}

static const enum message_type types[] = {MESSAGE_BACKUP_BEGIN,
    MESSAGE_BACKUP_END, MESSAGE_RESTORED, MESSAGE_RESTORED_MESSAGE,
    MESSAGE_RESTORED_END, MESSAGE_LABELLED, 0};

const struct check_ops check_bad_backup = {
    .name = "bad_backup",
    .summary = "backups hold what their stream held, and nothing else",
    .rule = "guarantees 32",
    .types = types,
    .unit = "messages of backups, and those they must have",
    .state_size = sizeof(struct bad_backup_state),
    .event = bad_backup_event,
    .fini = bad_backup_fini,
};
