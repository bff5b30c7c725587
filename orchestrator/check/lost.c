/* SPDX-License-Identifier: ISC */
/*
 * lost: an acknowledged message is gone.
 *
 * Rule (guarantees 1): a publish ack says that a quorum has the message. It
 * convicts when, after all faults were healed and the cluster is quiet, the
 * audit's consumer did not read the sequence AND the stream leader said
 * several times that there is none: asked for it by number, or, of a range,
 * for the next message from its beginning and for some of it by number. It
 * convicts as well when the stream begins or ends so that acknowledged
 * sequences are outside (guarantees 2e), and when the stream is gone.
 *
 * Of streams whose messages go away it convicts for those only that nothing
 * can have removed (guarantees 18, contents.h). Of some that is known only when
 * the scan is over. A message that has a lifetime and is gone before its end
 * has expired early.
 *
 * Why no legal behaviour trips it: other streams of a run have no limits, no
 * TTL and no purge, so nothing removes a message lawfully; the faults kill,
 * stop or cut off processes and leave what was stored, but for power_loss,
 * whose losses the judge knows (power.h); an ack that was not received is
 * UNKNOWN and makes no claim; a slow replica answers one path but not both.
 * Memory storage may lose data when servers restart:
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
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define STEADY_NS (10 * CLOCK_S) /* of one meta leader, at least */
#define SEEN_NS	  (20 * CLOCK_S) /* in which a leader is told twice */

struct lost_stream {
	struct seqmap covered; /* sequences that the scan settled */
	struct seqmap removed; /* those that are lawfully gone, if acked */
	struct seqmap absent;  /* likewise, and not told to be lost */
	struct msg_scan_gone gone;
	struct msg_scan_begin begun; /* created: 0 when it is ours, or judged */
	uint64_t gone_ns;  /* when that was told; 0: it was not, or is judged */
	bool is_told_gone; /* it has been raised */
	bool is_counted;
};

struct lost_state {
	struct lost_stream *streams;
	uint32_t n;
};

/* Without heal and quiescence an absence proves nothing. */
static enum anomaly_class
loss_class(const struct check *c)
{
	return c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION;
}

/* Which of the messages acknowledged from first to last have to be there. */
static struct seqmap_part
missing_between(
    const struct check *c, uint32_t stream, uint64_t first, uint64_t last)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct contents_query q = {
	    stream, 0, first, last, UINT64_MAX, c->now_ns, 0};

	return contents_has(c->contents, stream)
		   ? contents_present(c->contents, &q)
		   : seqmap_between(&s->acked, first, last);
}

/* Gone before its time, if it has one. */
static enum anomaly_kind
loss_kind(const struct check *c, uint32_t stream, uint64_t seq)
{
	const struct stock *st = contents_stock(c->contents, stream);
	const struct live *e = contents_find(c->contents, stream, seq);

	return e != NULL && limits_late_ns(st, e) != UINT64_MAX
		   ? ANOMALY_EXPIRED_EARLY
		   : ANOMALY_LOST;
}

static bool
has_to_be_there(const struct check *c, uint32_t stream, uint64_t seq)
{
	return contents_presence(c->contents, stream, seq, c->now_ns) ==
	       PRESENT;
}

/* True when it is lost. */
static bool
on_absent(struct check *c, const struct msg_scan_absent *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_LOST, .stream = m->stream};
	char who[48] = "a message";
	uint64_t id;

	if (s == NULL || !seqmap_find(&s->acked, m->seq, &id) ||
	    !has_to_be_there(c, m->stream, m->seq))
		return false;
	a.kind = loss_kind(c, m->stream, m->seq);
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
	return true;
}

/* "message 3:17 at sequence 5", or the sequence alone. */
static void
name_message(const struct ledger_stream *s, uint64_t seq, char out[64])
{
	uint64_t id;

	out[0] = '\0';
	if (seqlog_find(&s->known, seq, &id))
		text_add(out, 64, "message %u:%llu at ", message_id_source(id),
		    (unsigned long long)message_id_counter(id));
	text_add(out, 64, "sequence %llu", (unsigned long long)seq);
}

/* True when messages are lost. */
static bool
on_range(struct check *c, const struct msg_scan_absent_range *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {.kind = ANOMALY_LOST, .stream = m->stream};
	struct seqmap_part gone;
	char low[64], high[64];

	if (s == NULL)
		return false;
	gone = missing_between(c, m->stream, m->first, m->last);
	if (gone.count == 0)
		return false;
	a.kind = loss_kind(c, m->stream, gone.low);
	a.class = loss_class(c);
	a.seqs[0] = gone.low;
	a.seqs[1] = gone.high;
	name_message(s, gone.low, low);
	name_message(s, gone.high, high);
	check_raise(c, &a,
	    "%llu of the %llu messages acknowledged in %s are gone, from %s to "
	    "%s: the scan saw nothing between sequences %llu and %llu, and "
	    "the leader, asked for the next message and for some of these by "
	    "number, said %u times that there is none",
	    (unsigned long long)gone.count, (unsigned long long)s->acked.count,
	    s->name, low, high, (unsigned long long)m->first,
	    (unsigned long long)m->last, m->tries);
	return true;
}

/*
 * With the last sequence as it is after the scan it is known how many messages
 * may be stored of which nobody heard.
 */
static void
judge_doubtful(struct check *c, struct lost_stream *t, uint32_t stream)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct anomaly a = {.stream = stream, .class = loss_class(c)};
	const struct live *e = contents_next(c->contents, stream, 0);
	char who[64];
	uint64_t same;

	for (; e != NULL; e = contents_next(c->contents, stream, e->seq)) {
		if (!seqmap_find(&t->absent, e->seq, &same) ||
		    !has_to_be_there(c, stream, e->seq))
			continue;
		a.kind = loss_kind(c, stream, e->seq);
		a.ids[0] = e->id;
		a.seqs[0] = e->seq;
		name_message(s, e->seq, who);
		check_raise(c, &a,
		    "%s of %s was acknowledged and is gone: nothing has "
		    "removed it, and no limit can have dropped it, with all "
		    "that may be stored behind it up to %llu, the last "
		    "sequence after the scan",
		    who, s->name,
		    (unsigned long long)contents_stock(c->contents, stream)
			->end);
	}
}

/*
 * What the leader's numbers alone prove: the last sequence never goes down,
 * whatever is removed, and nothing is removed from a stream without limits.
 */
static void
on_state(struct check *c, struct lost_stream *t, const struct msg_scan_state *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct anomaly a = {
	    .kind = ANOMALY_LOST, .rule = "guarantees 2", .stream = m->stream};
	struct seqmap_part head, tail;
	bool is_anew = t->begun.created != 0;

	t->begun.created = 0;
	if (s == NULL || s->acked.count == 0)
		return;
	a.class = loss_class(c);
	tail = seqmap_between(&s->acked, m->last + 1, UINT64_MAX);
	head =
	    missing_between(c, m->stream, 1, m->first > 0 ? m->first - 1 : 0);
	if (m->last < UINT64_MAX && tail.count > 0) {
		a.seqs[0] = tail.high;
		a.lowest = tail.low;
		check_raise(c, &a,
		    "stream %s ends at sequence %llu, as its leader said %u "
		    "times: %llu messages were acknowledged at higher ones, "
		    "up to %llu%s",
		    s->name, (unsigned long long)m->last, m->polls,
		    (unsigned long long)tail.count,
		    (unsigned long long)tail.high,
		    is_anew ? "; the server has created it anew since" : "");
	} else if (s->retention == RETENTION_LIMITS && head.count > 0) {
		a.rule = NULL;
		a.kind = loss_kind(c, m->stream, head.low);
		a.seqs[0] = head.low;
		check_raise(c, &a,
		    "stream %s begins at sequence %llu, as its leader said %u "
		    "times: %llu messages were acknowledged at lower ones, "
		    "from %llu on, and nothing may remove them",
		    s->name, (unsigned long long)m->first, m->polls,
		    (unsigned long long)head.count,
		    (unsigned long long)head.low);
	}
}

/*
 * "No such stream" is the meta leader's word, and one that was just deposed
 * says it, too: it convicts where one meta leader was steady for STEADY_NS of
 * it, so long before the end that it has been told again since.
 */
static void
judge_gone(struct check *c, struct lost_stream *t, bool is_over)
{
	const struct msg_scan_gone *m = &t->gone;
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	uint32_t servers = c->config->servers == 1 ? 1 : UINT32_MAX;
	uint64_t to_ns = t->gone_ns - SEEN_NS;
	struct anomaly a = {.stream = m->stream, .time_ns = t->gone_ns};
	enum steadiness steady;

	if (t->gone_ns == 0 || s == NULL)
		return;
	steady = check_steady(
	    c, LEADERS_META, "", servers, to_ns - STEADY_NS, to_ns);
	if (steady == STEADY_SO_FAR && !is_over)
		return;
	a.kind = s->acked.count > 0 ? ANOMALY_LOST : ANOMALY_STREAM_MISSING;
	a.rule = s->acked.count > 0 ? NULL : "guarantees 12";
	a.class = steady == STEADY_YES ? loss_class(c) : CLASS_WARNING;
	a.seqs[0] = s->max_acked;
	a.lowest = seqmap_between(&s->acked, 1, UINT64_MAX).low;
	check_raise(c, &a,
	    "stream %s is gone, with %llu acknowledged messages, and nobody "
	    "deleted it: for %llu s all %u answers about it were \"stream not "
	    "found\" (10059)%s%s",
	    s->name, (unsigned long long)s->acked.count,
	    (unsigned long long)(m->lasted_ns / CLOCK_S), m->polls,
	    steady == STEADY_YES ? "; the meta leader was "
				 : "; the meta leader was not steady",
	    steady == STEADY_YES ? leaders_now(c->leaders, LEADERS_META, "")
				 : "");
	t->gone_ns = 0;
	t->is_told_gone = true;
}

static void
judge_all_gone(struct check *c, bool is_over)
{
	struct lost_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		judge_gone(c, &st->streams[i], is_over);
}

static void
on_gone(struct check *c, struct lost_stream *t, const struct msg_scan_gone *m)
{
	if (t->is_told_gone || t->gone_ns != 0 ||
	    m->lasted_ns < SEEN_NS + STEADY_NS)
		return;
	t->gone = *m;
	t->gone_ns = c->now_ns;
	judge_gone(c, t, false);
}

/*
 * Another creation time alone proves nothing: when the request to create the
 * stream was sent twice, 2.10.27 may tell the time of the one at first, and
 * of the other after a restart, of one and the same stream. Where the stream
 * goes as far as was acknowledged, its messages are looked at one by one.
 */
static void
on_begin(struct check *c, struct lost_stream *t, const struct msg_scan_begin *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);

	t->begun = *m;
	if (s == NULL || s->created == 0 || s->created == m->created ||
	    m->last >= seqmap_last(&s->acked))
		t->begun.created = 0;
}

/*
 * One answer had another creation time, and the stream did not say the same
 * several times: a replica that is behind, and that nobody leads, says so too.
 */
static void
judge_anew(struct check *c, struct lost_stream *t, uint32_t stream)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	struct anomaly a = {
	    .kind = ANOMALY_LOST, .class = CLASS_WARNING, .stream = stream};

	if (t->begun.created == 0 || s == NULL)
		return;
	t->begun.created = 0;
	check_raise(c, &a,
	    "an answer says that stream %s was created anew by the server and "
	    "ends at sequence %llu: %llu acknowledged messages, up to sequence "
	    "%llu, belonged to the one created by this run",
	    s->name, (unsigned long long)t->begun.last,
	    (unsigned long long)s->acked.count,
	    (unsigned long long)seqmap_last(&s->acked));
}

/*
 * A work queue or interest stream drops what every consumer acked. Workers
 * tell of a delivery, and that they begin to ack, before they ack it: so one
 * can't have acked what it never received, nor what only processes received
 * that died before they began.
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
	bool is_kept;
	const char *why;

	while (t->removed.n > 0 && (e = ledger_next(c->ledger, &i)) != NULL) {
		if (e->stream != stream || !e->is_acked ||
		    (e->required & ~e->ackable) == 0 ||
		    !seqmap_find(&t->removed, e->seq, &same))
			continue;
		is_kept =
		    ledger_is_kept_for(c->ledger, e, e->required & ~e->ackable);
		why = "no process that received it from one of the consumers "
		      "lived to send an ack";
		if ((e->required & ~e->delivered) != 0)
			why = "a consumer never received it";
		else if (ledger_answer(c->ledger, e->id) != NULL)
			why = "nobody who received it from one of the "
			      "consumers sent an ack or a term";
		a.class = is_kept ? loss_class(c) : CLASS_WARNING;
		a.ids[0] = e->id;
		a.seqs[0] = e->seq;
		check_raise(c, &a,
		    "message %u:%llu was acknowledged at sequence %llu of %s "
		    "and is gone, although %s%s",
		    message_id_source(e->id),
		    (unsigned long long)message_id_counter(e->id),
		    (unsigned long long)e->seq, s->name, why,
		    is_kept ? "" : CHECK_NOT_KEPT);
	}
}

/* A message that has to be there, and of which the scan said nothing. */
static bool
first_unsettled(const struct check *c, const struct lost_stream *t,
    uint32_t stream, uint64_t *seq)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	uint64_t from = 1;

	while (seqmap_first_missing(&s->acked, &t->covered, from, seq)) {
		if (contents_presence(c->contents, stream, *seq, c->now_ns) ==
		    PRESENT)
			return true;
		from = *seq + 1;
	}
	return false;
}

static void
on_end(struct check *c, struct lost_stream *t, const struct msg_scan_end *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	uint64_t seq;

	judge_anew(c, t, m->stream);
	if (s != NULL)
		judge_doubtful(c, t, m->stream);
	if (s == NULL || !m->complete)
		return;	  /* the judge already says so */
	if (!c->has_hole) /* it may have been received there */
		judge_removed(c, t, m->stream);
	if (first_unsettled(c, t, m->stream, &seq))
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

/* Sequences begin at 1, and what is behind the last one is none. */
static int
cover_range(struct seqmap *of, uint64_t first, uint64_t last)
{
	return seqmap_cover(
	    of, first > 0 ? first : 1, last < UINT64_MAX ? last : last - 1);
}

static int
on_absences(struct check *c, struct lost_stream *t, const struct event *ev)
{
	const struct msg_scan_absent_range *m = &ev->u.scan_absent_range;
	uint64_t last = m->last;
	bool is_lost;
	int err;

	if (ev->type == MESSAGE_SCAN_ABSENT) {
		is_lost = on_absent(c, &ev->u.scan_absent);
		last = m->first; /* where the sequence stands, too */
	} else
		is_lost = on_range(c, m);
	err = cover_range(&t->covered, m->first, last);
	if (err == 0 && !is_lost && contents_has(c->contents, m->stream))
		err = cover_range(&t->absent, m->first, last);
	return err;
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
	/* The message behind them may have been read before this is told. */
	err = seqmap_cover(&t->covered, m->first, m->last);
	if (err == 0)
		err = seqmap_append(&t->removed, m->first, len);
	return err == -ENOMEM ? err : 0;
}

/* Once a stream, when the audit first looks at it: the load is over then. */
static void
count_acked(struct check *c, struct lost_stream *t, uint32_t stream)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);

	if (s != NULL && !t->is_counted)
		check_judged(c, s->acked.count);
	t->is_counted = true;
}

static int
lost_event(struct check *c, const struct event *ev)
{
	struct lost_state *st = c->state;
	struct lost_stream *t;

	if (ev->type == MESSAGE_TICK || ev->type == MESSAGE_LEADER) {
		judge_all_gone(c, false);
		return 0;
	}
	/* The stream is the first field of all others. */
	t = array_at(&st->streams, &st->n, ev->u.scan_begin.stream, sizeof(*t),
	    CHECK_SLOTS_MAX);
	if (t == NULL)
		return -ENOMEM;
	count_acked(c, t, ev->u.scan_begin.stream);
	switch ((unsigned)ev->type) {
	case MESSAGE_SCAN_BEGIN:
		seqmap_fini(&t->removed);
		seqmap_fini(&t->absent);
		seqmap_fini(&t->covered); /* another try settles anew */
		on_begin(c, t, &ev->u.scan_begin);
		return 0;
	case MESSAGE_SCAN_MESSAGE:
		return cover(t, ev->u.scan_message.seq);
	case MESSAGE_SCAN_REMOVED:
		return on_removed(c, t, &ev->u.scan_removed);
	case MESSAGE_SCAN_ABSENT:
	case MESSAGE_SCAN_ABSENT_RANGE:
		return on_absences(c, t, ev);
	case MESSAGE_SCAN_STATE:
		on_state(c, t, &ev->u.scan_state);
		return 0;
	case MESSAGE_SCAN_GONE:
		on_gone(c, t, &ev->u.scan_gone);
		return 0;
	default:
		on_end(c, t, &ev->u.scan_end);
		return 0;
	}
}

static void
lost_finish(struct check *c)
{
	judge_all_gone(c, true);
}

static void
lost_fini(struct check *c)
{
	struct lost_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++) {
		seqmap_fini(&st->streams[i].covered);
		seqmap_fini(&st->streams[i].removed);
		seqmap_fini(&st->streams[i].absent);
	}
	free(st->streams);
}

static const enum message_type types[] = {MESSAGE_SCAN_BEGIN,
    MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_ABSENT, MESSAGE_SCAN_REMOVED,
    MESSAGE_SCAN_END, MESSAGE_SCAN_ABSENT_RANGE, MESSAGE_SCAN_STATE,
    MESSAGE_SCAN_GONE, MESSAGE_TICK, MESSAGE_LEADER, 0};

const struct check_ops check_lost = {
    .name = "lost",
    .summary = "every acknowledged message is still stored at the end",
    .rule = "guarantees 1",
    .types = types,
    .unit = "acknowledged messages",
    .stands_alone = true,
    .state_size = sizeof(struct lost_state),
    .event = lost_event,
    .finish = lost_finish,
    .fini = lost_fini,
};
