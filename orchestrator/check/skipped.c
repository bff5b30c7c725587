/* SPDX-License-Identifier: ISC */
/*
 * skipped: a consumer never delivered a message that it had to deliver.
 *
 * Rule (guarantees 4): after the load the consumer says, and keeps saying,
 * that nothing is pending and nothing awaits an ack; yet a message of its
 * subjects that is stored (acknowledged, delivered by another consumer, or
 * read by the audit before the consumer's last delivery) was never received
 * by any of its processes. An ordered consumer
 * (guarantees 8) is judged as it goes: it delivers upwards, so what lies
 * behind it and was not delivered is left out.
 *
 * Why no legal behaviour trips it: a process tells of a delivery before it
 * acks it, so what was acked is known as delivered; what died with a process
 * or on the way is redelivered, and keeps the consumer from saying that
 * nothing is left; what only the audit saw may have been stored after the
 * consumer was asked, unless it lies before what that had delivered;
 * of a consumer with limited deliveries only that is judged of which none can
 * have been lost, for it had one leader since that was published, and nothing
 * was disturbed; and
 * nothing convicts when the cluster did not settle.
 *
 * One that comes and goes (lives.h, guarantees 24) is judged when its client
 * has taken what it had, and it says that nothing is left. Only what it must
 * deliver counts, and what was acknowledged 10 s before it was asked: the
 * server of its leader has that by then. It convicts when the leader was
 * steady. What was delivered, and whose client never acked or ended it, awaits
 * its ack: a consumer that counts none of these will not deliver it again
 * (guarantees 5).
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

/* What is known of a consumer after the load. */
struct slot {
	struct seqmap told; /* ids */
	bool is_drained;    /* it says that nothing is left */
	bool was_asked;	    /* before the event that is judged */
	bool is_counted;
	uint64_t stream_seq; /* of its last delivery; 0 is not known */
	uint64_t life;	     /* whose this is, where consumers come and go */
};

struct skipped_state {
	struct slot *slots; /* by consumer */
	uint32_t n;
	uint64_t cut_ns; /* a worker died, or connected anew */
};

static struct slot *
slot_at(struct check *c, uint32_t consumer)
{
	struct skipped_state *st = c->state;

	return array_at(
	    &st->slots, &st->n, consumer, sizeof(struct slot), CHECK_SLOTS_MAX);
}

static void
raise_skipped(struct check *c, const struct ledger_entry *e,
    const struct ledger_consumer *k, const char *rule)
{
	struct anomaly a = {
	    .kind = ANOMALY_SKIPPED, .rule = rule, .stream = e->stream};
	bool is_kept = k->bit == 0 || ledger_is_kept_for(c->ledger, e, k->bit);

	if (c->faults->is_unsettled || !is_kept)
		a.class = CLASS_WARNING;
	a.ids[0] = e->id;
	a.seqs[0] = e->seq;
	check_raise(c, &a,
	    "message %u:%llu at sequence %llu was never delivered by "
	    "consumer %s, which %s%s",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->seq, k->name,
	    k->kind == KIND_ORDERED ? "went on behind it"
				    : "has nothing left to deliver",
	    is_kept ? "" : CHECK_NOT_KEPT);
}

/* None of its deliveries can have been lost on the way. */
static bool
was_quiet(const struct check *c, const struct ledger_entry *e,
    const struct ledger_consumer *k)
{
	const struct skipped_state *st = c->state;

	return st->cut_ns < e->invoked_ns &&
	       check_drops_none(c, k, e->invoked_ns);
}

static bool
was_skipped(const struct ledger_entry *e, const struct ledger_consumer *k)
{
	return e->seq != 0 && (e->required & k->bit) != 0 &&
	       (e->delivered & k->bit) == 0;
}

/*
 * It was stored before the consumer was asked. What nobody heard of then may
 * have been stored later, also if the audit has read it since from another
 * consumer, unless deliveries went on behind it; or it stands where another
 * message was (which one a digest does not say), which seq_reuse judges.
 */
static bool
was_stored(
    const struct check *c, const struct ledger_entry *e, const struct slot *t)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, e->stream);
	uint64_t id;

	if (e->is_acked || (e->delivered != 0 && !t->was_asked))
		return true;
	if (e->seq > t->stream_seq || s == NULL)
		return false;
	return seqlog_find(&s->known, e->seq, &id)
		   ? id == e->id
		   : !seqlog_has(&s->known, e->seq);
}

/* Tell once that consumer k skipped it. 0 or -ENOMEM. */
static int
tell_skipped(struct check *c, const struct ledger_entry *e,
    const struct ledger_consumer *k, struct slot *t)
{
	int err = seqmap_add(&t->told, e->id, e->id);

	if (err == 0)
		raise_skipped(
		    c, e, k, k->kind == KIND_ORDERED ? "guarantees 8" : NULL);
	return err == -ENOMEM ? err : 0;
}

static int
judge_consumer(struct check *c, const struct ledger_consumer *k, struct slot *t)
{
	const struct ledger_entry *e;
	size_t i = 0;
	int err = 0;

	while (err == 0 && (e = ledger_next(c->ledger, &i)) != NULL)
		if (e->stream == k->stream && was_skipped(e, k) &&
		    was_stored(c, e, t) &&
		    (k->max_deliver == 0 || was_quiet(c, e, k)))
			err = tell_skipped(c, e, k, t);
	return err;
}

static void
count(struct check *c, struct slot *t)
{
	check_judged(c, !t->is_counted);
	t->is_counted = true;
}

/* True when what only the audit read is known to be for this consumer. */
static bool
is_alone(const struct check *c, const struct ledger_consumer *k)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, k->stream);

	return s != NULL && s->bits == 0 && s->consumers == 1;
}

static int
on_state(struct check *c, const struct msg_consumer_state *m)
{
	const struct ledger_consumer *k =
	    ledger_consumer(c->ledger, m->consumer);
	struct slot *t = slot_at(c, m->consumer);
	int err = 0;

	if (t == NULL)
		return -ENOMEM;
	if (k == NULL || k->kind == KIND_ORDERED)
		return 0;
	t->is_drained = m->quiet && m->pending == 0 && m->ack_pending == 0;
	if (t->is_drained && (k->bit != 0 || is_alone(c, k)))
		count(c, t);
	if (k->bit != 0 && !t->is_drained)
		check_doubt(c,
		    "consumer %s was not drained: %llu pending, %llu awaiting "
		    "their ack",
		    k->name, (unsigned long long)m->pending,
		    (unsigned long long)m->ack_pending);
	if (k->bit != 0 && t->is_drained)
		err = judge_consumer(c, k, t);
	t->was_asked = true;
	return err;
}

/* Those of a stream, or all. */
static int
judge_drained(struct check *c, uint32_t stream, bool all)
{
	struct skipped_state *st = c->state;
	const struct ledger_consumer *k;
	uint32_t i;
	int err = 0;

	for (i = 0; i < st->n && err == 0; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k != NULL && k->bit != 0 && st->slots[i].is_drained &&
		    (all || k->stream == stream))
			err = judge_consumer(c, k, &st->slots[i]);
	}
	return err;
}

/*
 * The audit reads what nobody had read before: where a stream has one consumer
 * and no rules say who has to take what, it skipped that.
 */
static int
on_scan(struct check *c, const struct msg_scan_message *m)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	const struct ledger_stream *s = ledger_stream(c->ledger, m->stream);
	struct skipped_state *st = c->state;
	const struct ledger_consumer *k;
	struct ledger_entry skipped;
	uint32_t i;

	if (e == NULL || s == NULL || s->bits != 0 || s->consumers != 1 ||
	    e->stamp_ns != 0 || e->is_confirmed || e->stream != m->stream ||
	    (e->seq != 0 && e->seq != m->seq) ||
	    !check_is_ours(c, m->run, m->intact))
		return 0;
	skipped = *e;
	skipped.seq = m->seq;
	for (i = 0; i < st->n; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k != NULL && k->stream == m->stream &&
		    st->slots[i].is_drained &&
		    was_stored(c, &skipped, &st->slots[i]))
			return tell_skipped(c, &skipped, k, &st->slots[i]);
	}
	return 0;
}

static int
judge_ordered(struct check *c, uint32_t consumer)
{
	const struct ledger_consumer *k = ledger_consumer(c->ledger, consumer);
	struct slot *t = slot_at(c, consumer);
	const struct ledger_entry *e;
	size_t i = 0;
	int err = 0;

	if (t == NULL)
		return -ENOMEM;
	if (k->frontier > 0)
		count(c, t);
	while (err == 0 && (e = ledger_next(c->ledger, &i)) != NULL)
		if (e->stream == k->stream && e->is_acked &&
		    e->seq < k->frontier && was_skipped(e, k))
			err = tell_skipped(c, e, k, t);
	return err;
}

static int
judge_all_ordered(struct check *c)
{
	const struct ledger_consumer *k;
	uint32_t i;
	int err = 0;

	for (i = 0; i < c->ledger->nconsumers && err == 0; i++) {
		k = ledger_consumer(c->ledger, i);
		if (k != NULL && k->bit != 0 && k->kind == KIND_ORDERED)
			err = judge_ordered(c, i);
	}
	return err;
}

/* Tell once that a life has nothing left, and this did not come (again). */
static void
tell_life(struct check *c, const struct life *f, const struct live *e,
    enum life_debt debt, uint64_t asked_ns)
{
	uint64_t same;
	bool is_taken = seqmap_find(&f->taken, e->seq, &same);
	struct anomaly a = {
	    .kind = is_taken ? ANOMALY_NOT_REDELIVERED : ANOMALY_SKIPPED,
	    .rule = is_taken ? "guarantees 5" : NULL,
	    .stream = f->stream,
	    .ids = {e->id, 0},
	    .seqs = {e->seq, 0}};
	enum anomaly_class class = check_life_class(c, f);
	char name[CHECK_CONSUMER_MAX];
	struct check_span span = check_life_span(
	    c, f, debt == DEBT_SURE ? asked_ns : e->invoked_ns, name);

	span.is_no_proof = class != CLASS_VIOLATION;
	a.class = class != CLASS_VIOLATION ? class
		  : debt == DEBT_SURE	   ? CLASS_WARNING
					   : CLASS_COUNT;
	check_raise_steady(c, &a, &span,
	    "message %u:%llu at sequence %llu was %s by consumer %s, which has "
	    "nothing left to deliver",
	    message_id_source(e->id),
	    (unsigned long long)message_id_counter(e->id),
	    (unsigned long long)e->seq,
	    is_taken ? "delivered, not acked, and not delivered again"
		     : "never delivered",
	    f->name);
}

/* Its client has taken all that there is, as it says itself. */
static int
on_seen(struct check *c, const struct msg_consumer_seen *m)
{
	const struct life *f = life_of(c->lives, m->consumer);
	const struct stock *st =
	    f != NULL ? contents_stock(c->contents, f->stream) : NULL;
	struct slot *t = slot_at(c, m->consumer);
	const struct live *e;
	enum life_debt debt;
	uint64_t seq;
	int err = 0;

	if (t == NULL)
		return -ENOMEM;
	if (st == NULL || !m->found || m->listed || !m->drained ||
	    m->pending != 0 || m->ack_pending != 0 || !life_is_certain(f))
		return 0;
	if (t->life != f->number)
		seqmap_fini(&t->told);
	t->life = f->number;
	check_judged(c, 1);
	for (seq = st->lanes.stream.first; seq != 0 && err != -ENOMEM;
	     seq = e->next[LANE_STREAM]) {
		e = lanes_find(&st->lanes, seq);
		debt = life_must(c->lives, c->contents, f, e);
		if (debt == DEBT_NONE ||
		    e->acked_ns + LIVES_SPREAD_NS >= m->asked_ns ||
		    life_has_ended(f, seq) ||
		    !life_finds(c->lives, c->contents, f, e, c->now_ns))
			continue;
		err = seqmap_add(&t->told, e->id, e->id);
		if (err == 0)
			tell_life(c, f, e, debt, m->asked_ns);
	}
	return err == -ENOMEM ? err : 0;
}

static int
skipped_event(struct check *c, const struct event *ev)
{
	struct skipped_state *st = c->state;
	struct slot *t;

	switch ((unsigned)ev->type) {
	case MESSAGE_CHILD_EXIT:
		if (!ev->u.child_exit.expected)
			st->cut_ns = ev->time_ns;
		return 0;
	case MESSAGE_RECONNECTED:
		st->cut_ns = ev->time_ns;
		return 0;
	case MESSAGE_CONSUMER_STATE:
		return on_state(c, &ev->u.consumer_state);
	case MESSAGE_CONSUMER_INFO:
		t = slot_at(c, ev->u.consumer_info.consumer);
		if (t != NULL)
			t->stream_seq = ev->u.consumer_info.stream_seq;
		return t != NULL ? 0 : -ENOMEM;
	case MESSAGE_CONSUMER_SEEN:
		return on_seen(c, &ev->u.consumer_seen);
	case MESSAGE_SCAN_MESSAGE:
		return on_scan(c, &ev->u.scan_message);
	case MESSAGE_SCAN_END:
		return judge_drained(c, ev->u.scan_end.stream, false);
	default:
		return judge_all_ordered(c);
	}
}

/* Also when the scan did not come to its end. */
static void
skipped_finish(struct check *c)
{
	if (judge_drained(c, 0, true) < 0)
		check_doubt(c, "out of memory while judging what was skipped");
}

static void
skipped_fini(struct check *c)
{
	struct skipped_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		seqmap_fini(&st->slots[i].told);
	free(st->slots);
}

static const enum message_type types[] = {MESSAGE_TICK, MESSAGE_CONSUMER_STATE,
    MESSAGE_CONSUMER_INFO, MESSAGE_SCAN_MESSAGE, MESSAGE_SCAN_END,
    MESSAGE_CHILD_EXIT, MESSAGE_RECONNECTED, MESSAGE_CONSUMER_SEEN, 0};

const struct check_ops check_skipped = {
    .name = "skipped",
    .summary = "every consumer delivers every message of its subjects",
    .rule = "guarantees 4",
    .types = types,
    .unit = "consumers",
    .state_size = sizeof(struct skipped_state),
    .event = skipped_event,
    .finish = skipped_finish,
    .fini = skipped_fini,
};
