/* SPDX-License-Identifier: ISC */
/*
 * seq_reuse: one stream sequence was given to two messages.
 *
 * Rule (guarantees 2a and 2c): two acknowledged publishes of different
 * messages name one sequence, or a reader finds at a sequence another
 * message than was acknowledged or read there before.
 *
 * What is long settled is kept as digests of blocks only: at the end of the
 * audit those of what it read are compared with those of what was known.
 *
 * Why no legal behaviour trips it: the stream is never deleted in a run
 * (one incarnation), sequences are not handed out again after a removal,
 * and an ack that says duplicate names the first copy of the same id, which
 * is the same message.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/ensure.h"

/* What the scan read of a stream's folded sequences. */
struct reread {
	struct seqlog_digest digest;
	struct seqmap read; /* sequences: each counts once */
};

struct seq_reuse_state {
	struct reread *rereads; /* by stream */
	uint32_t n;
};

static void
judge_claim(struct check *c, uint32_t stream, uint64_t seq, uint64_t id,
    const char *what)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct anomaly a = {.kind = ANOMALY_SEQ_REUSE, .stream = stream};
	uint64_t other, same;

	if (s == NULL || !seqlog_find(&s->known, seq, &other) || other == id)
		return;
	a.ids[0] = other;
	a.ids[1] = id;
	a.seqs[0] = seq;
	check_raise(c, &a,
	    "sequence %llu of %s was %s as message %u:%llu and is now %s as "
	    "message %u:%llu",
	    (unsigned long long)seq, s->name,
	    seqmap_find(&s->acked, seq, &same) ? "acknowledged" : "read",
	    message_id_source(other),
	    (unsigned long long)message_id_counter(other), what,
	    message_id_source(id), (unsigned long long)message_id_counter(id));
}

/* A sequence whose message is no longer kept: its block is summed up. */
static int
scan_folded(struct check *c, const struct msg_scan_message *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct seq_reuse_state *st = c->state;
	struct reread *r;
	uint64_t id;
	int err;

	if (s == NULL || m->seq >= s->known.folded ||
	    !seqlog_has(&s->known, m->seq) ||
	    seqlog_find(&s->known, m->seq, &id))
		return 0;
	r = array_at(
	    &st->rereads, &st->n, m->stream, sizeof(*r), CHECK_SLOTS_MAX);
	if (r == NULL)
		return -ENOMEM;
	err = seqmap_add(&r->read, m->seq, m->seq);
	if (err == 0)
		err = seqlog_digest_add(&r->digest, m->seq, m->id);
	return err == -ENOMEM ? err : 0;
}

static void
raise_block(struct check *c, uint32_t stream, uint64_t first, uint64_t place)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct anomaly a = {.kind = ANOMALY_SEQ_REUSE, .stream = stream};
	uint64_t width = seqlog_digest_width(&s->known.digest);

	a.seqs[0] = place < width ? first + place : 0;
	if (place < width)
		check_raise(c, &a,
		    "sequence %llu of %s holds another message than was "
		    "acknowledged or read there before",
		    (unsigned long long)a.seqs[0], s->name);
	else
		check_raise(c, &a,
		    "several of the sequences %llu to %llu of %s hold other "
		    "messages than were acknowledged or read there before",
		    (unsigned long long)first,
		    (unsigned long long)(first + width - 1), s->name);
}

/* Compare the blocks that were read whole with what they held. */
static void
on_scan_end(struct check *c, const struct msg_scan_end *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct seq_reuse_state *st = c->state;
	const struct seqlog_block *was, *is;
	struct reread *r;
	uint64_t width;
	size_t i;

	if (s == NULL || m->stream >= st->n)
		return;
	r = &st->rereads[m->stream];
	width = seqlog_digest_width(&s->known.digest);
	seqlog_digest_widen(&r->digest, width);
	/* All that is in it is in the other. */
	ensure(seqlog_digest_width(&r->digest) == width);
	for (i = 0; i < r->digest.n && i < s->known.digest.n; i++) {
		was = &s->known.digest.blocks[i];
		is = &r->digest.blocks[i];
		/* One that is not there is the business of "lost". */
		if (is->count == was->count && is->hash != was->hash)
			raise_block(c, m->stream, i * width,
			    seqlog_digest_place(was, is, width));
	}
}

static void
reread_fini(struct reread *r)
{
	seqlog_digest_fini(&r->digest);
	seqmap_fini(&r->read);
}

static void
on_scan_begin(struct check *c, uint32_t stream)
{
	struct seq_reuse_state *st = c->state;

	if (stream < st->n)
		reread_fini(&st->rereads[stream]);
}

static int
on_scan(struct check *c, const struct event *ev)
{
	const struct msg_scan_message *s = &ev->u.scan_message;

	if (ev->type == MESSAGE_SCAN_BEGIN)
		on_scan_begin(c, ev->u.scan_begin.stream);
	else if (ev->type == MESSAGE_SCAN_END)
		on_scan_end(c, &ev->u.scan_end);
	else if (check_is_ours(c, s->run, s->intact)) {
		judge_claim(c, s->stream, s->seq, s->id, "stored");
		return scan_folded(c, s);
	}
	return 0;
}

static int
seq_reuse_event(struct check *c, const struct event *ev)
{
	const struct msg_publish_ok *p = &ev->u.publish_ok;
	const struct msg_deliver *d = &ev->u.deliver;
	const struct msg_look_shown *l = &ev->u.look_shown;
	const struct msg_watch_key *k = &ev->u.watch_key;

	if (ev->type == MESSAGE_PUBLISH_OK)
		judge_claim(c, p->stream, p->seq, p->id, "acknowledged");
	else if (ev->type == MESSAGE_DELIVER) {
		if (check_is_ours(c, d->run, d->intact))
			judge_claim(c, d->stream, d->seq, d->id, "delivered");
	} else if (ev->type == MESSAGE_LOOK_SHOWN) {
		if (check_is_ours(c, l->run, l->intact))
			judge_claim(c, l->stream, l->seq, l->id, "shown");
	} else if (ev->type == MESSAGE_WATCH_KEY) {
		if (check_is_ours(c, k->run, k->id != 0))
			judge_claim(c, k->stream, k->seq, k->id, "shown");
	} else
		return on_scan(c, ev);
	return 0;
}

static void
seq_reuse_fini(struct check *c)
{
	struct seq_reuse_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		reread_fini(&st->rereads[i]);
	free(st->rereads);
}

static const enum message_type types[] = {MESSAGE_PUBLISH_OK, MESSAGE_DELIVER,
    MESSAGE_LOOK_SHOWN, MESSAGE_WATCH_KEY, MESSAGE_SCAN_BEGIN,
    MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_END, 0};

static const enum message_type judges[] = {
    MESSAGE_PUBLISH_OK, MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, 0};

const struct check_ops check_seq_reuse = {
    .name = "seq_reuse",
    .summary = "a stream sequence belongs to one message for ever",
    .rule = "guarantees 2",
    .types = types,
    .unit = "sequences told",
    .judges = judges,
    .stands_alone = true,
    .state_size = sizeof(struct seq_reuse_state),
    .event = seq_reuse_event,
    .fini = seq_reuse_fini,
};
