/* SPDX-License-Identifier: ISC */
/*
 * lost: an acknowledged message is gone.
 *
 * Rule (guarantees 1): a publish ack says that a quorum has the message. It
 * convicts when, after all faults were healed and the cluster is quiet, the
 * audit's consumer did not read the sequence AND the stream leader, asked
 * for it by number several times, said each time that there is none.
 *
 * Why no legal behaviour trips it: the streams of a run have no limits, no
 * TTL and no purge, so nothing removes a message lawfully; the faults kill,
 * stop or cut off processes and never touch a data folder; an ack that was
 * not received is UNKNOWN and makes no claim; a slow replica answers one
 * path but not both. Memory storage may lose data when servers restart:
 * that is documented, not a violation. Absence is never concluded from
 * silence: a scan that did not settle a sequence makes the run
 * inconclusive, and when the cluster did not settle before the audit, an
 * absence is a warning only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

struct lost_stream {
	struct seqmap covered; /* sequences that the scan settled */
	struct seqmap removed; /* those that are lawfully gone, if acked */
};

struct lost_state {
	struct lost_stream *streams;
	uint32_t n;
	bool is_unsettled; /* the cluster did not settle before the audit */
};

/* Without heal and quiescence an absence proves nothing. */
static enum anomaly_class
loss_class(const struct check *c)
{
	const struct lost_state *st = c->state;

	return st->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION;
}

static void
on_absent(struct check *c, const struct msg_scan_absent *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_LOST, .stream = m->stream};
	char who[48] = "a message";
	uint64_t id;

	if (s == NULL || !seqmap_find(&s->acked, m->seq, &id))
		return;
	a.class = loss_class(c);
	a.seqs[0] = m->seq;
	if (seqlog_find(&s->known, m->seq, &id)) {
		a.ids[0] = id;
		text_format(who, sizeof(who), "message %u:%llu",
		    message_id_source(id),
		    (unsigned long long)message_id_counter(id));
	}
	check_raise(c, &a,
	    "%s was acknowledged at sequence %llu of %s and is "
	    "gone: the scan did not see it and the leader said %u times that "
	    "there is no such message (%s part of %llu acknowledged)",
	    who, (unsigned long long)m->seq, s->name, m->tries,
	    m->seq == seqmap_last(&s->acked) ? "last" : "middle",
	    (unsigned long long)s->acked.count);
}

/*
 * Another creation time alone proves nothing: when the request to create the
 * stream was sent twice, 2.10.27 may tell the time of the one at first, and
 * of the other after a restart, of one and the same stream. Where the stream
 * goes as far as was acknowledged, its messages are looked at one by one.
 */
static int
on_begin(struct check *c, const struct msg_scan_begin *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_LOST, .stream = m->stream};

	if (s == NULL || s->created == 0 || m->created == 0 ||
	    s->created == m->created || m->last >= seqmap_last(&s->acked))
		return 0;
	a.class = loss_class(c);
	check_raise(c, &a,
	    "stream %s was created anew by the server and ends at sequence "
	    "%llu: %llu acknowledged messages, up to sequence %llu, belonged "
	    "to the one created by this run",
	    s->name, (unsigned long long)m->last,
	    (unsigned long long)s->acked.count,
	    (unsigned long long)seqmap_last(&s->acked));
	return 0;
}

/*
 * A work queue or interest stream drops what every consumer acked. One that
 * has not even received a message can't have acked it: workers tell of a
 * delivery before they ack it.
 */
static void
judge_removed(struct check *c, const struct lost_stream *t, uint32_t stream)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct anomaly a = {
	    .kind = ANOMALY_LOST, .rule = "guarantees 9", .stream = stream};
	const struct ledger_entry *e;
	uint64_t same;
	size_t i = 0;

	a.class = loss_class(c);
	while (t->removed.n > 0 && (e = ledger_next(c->ledger, &i)) != NULL) {
		if (e->stream != stream || !e->is_acked ||
		    (e->required & ~e->delivered) == 0 ||
		    !seqmap_find(&t->removed, e->seq, &same))
			continue;
		a.ids[0] = e->id;
		a.seqs[0] = e->seq;
		check_raise(c, &a,
		    "message %u:%llu was acknowledged at sequence %llu of %s "
		    "and is gone, although a consumer never received it",
		    message_id_source(e->id),
		    (unsigned long long)message_id_counter(e->id),
		    (unsigned long long)e->seq, s->name);
	}
}

static void
on_end(struct check *c, struct lost_stream *t, const struct msg_scan_end *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	uint64_t seq;

	if (s == NULL || !m->complete)
		return;	  /* the judge already says so */
	if (!c->has_hole) /* it may have been received there */
		judge_removed(c, t, m->stream);
	if (seqmap_first_missing(&s->acked, &t->covered, 1, &seq))
		check_doubt(c,
		    "the audit of %s did not settle sequence %llu, which was "
		    "acknowledged",
		    s->name, (unsigned long long)seq);
}

static int
cover(struct lost_stream *t, uint64_t seq)
{
	return seqmap_add(&t->covered, seq, seq) == -ENOMEM ? -ENOMEM : 0;
}

static int
on_removed(
    struct check *c, struct lost_stream *t, const struct msg_scan_removed *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	uint64_t len = m->last - m->first + 1;
	int err;

	/* Of any other stream this says nothing: it stays unsettled. */
	if (s == NULL || s->retention == RETENTION_LIMITS || len == 0)
		return 0;
	err = seqmap_append(&t->covered, m->first, len);
	if (err == 0)
		err = seqmap_append(&t->removed, m->first, len);
	return err == -ENOMEM ? err : 0;
}

static int
lost_event(struct check *c, const struct event *ev)
{
	struct lost_state *st = c->state;
	struct lost_stream *t;

	if (ev->type == MESSAGE_SETTLED) {
		st->is_unsettled = !ev->u.settled.ok;
		return 0;
	}
	/* The stream is the first field of all five messages. */
	t = array_at(&st->streams, &st->n, ev->u.scan_begin.stream, sizeof(*t),
	    CHECK_SLOTS_MAX);
	if (t == NULL)
		return -ENOMEM;
	switch ((unsigned)ev->type) {
	case MESSAGE_SCAN_BEGIN:
		seqmap_fini(&t->removed);
		seqmap_fini(&t->covered); /* another try settles anew */
		return on_begin(c, &ev->u.scan_begin);
	case MESSAGE_SCAN_MESSAGE:
		return cover(t, ev->u.scan_message.seq);
	case MESSAGE_SCAN_REMOVED:
		return on_removed(c, t, &ev->u.scan_removed);
	case MESSAGE_SCAN_ABSENT:
		on_absent(c, &ev->u.scan_absent);
		return cover(t, ev->u.scan_absent.seq);
	default:
		on_end(c, t, &ev->u.scan_end);
		return 0;
	}
}

static void
lost_fini(struct check *c)
{
	struct lost_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		seqmap_fini(&st->streams[i].covered);
		seqmap_fini(&st->streams[i].removed);
	}
	free(st->streams);
}

static const enum message_type types[] = {MESSAGE_SCAN_BEGIN,
    MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_ABSENT, MESSAGE_SCAN_REMOVED,
    MESSAGE_SCAN_END, MESSAGE_SETTLED, 0};

const struct check_ops check_lost = {
    .name = "lost",
    .summary = "every acknowledged message is still stored at the end",
    .rule = "guarantees 1",
    .types = types,
    .stands_alone = true,
    .state_size = sizeof(struct lost_state),
    .event = lost_event,
    .fini = lost_fini,
};
