/* SPDX-License-Identifier: ISC */
/*
 * consumer_resurrected, consumer_missing, wrong_state, limit_exceeded,
 * misanswered, not_redelivered: what is said of consumers that come, change
 * and go.
 *
 * Rule (guarantees 24): one whose creation was confirmed is there until its
 * end is asked for, and one whose deletion was confirmed is not, nor is it
 * given back to whoever makes one of its name; it is as it was confirmed to be,
 * and counts no messages that are not there.
 *
 * Why no legal behaviour trips it: attempts without an answer may take effect
 * at any time, so what they can explain is not judged; consumers that go when
 * nobody uses them, or whose owner died, are not missed; what was asked shortly
 * after an answer may come from a server that has not heard of it. Whether a
 * consumer exists the meta leader says, and what it is its own leader: each
 * convicts when it was steady. With one replica, or in memory, what a server
 * has kept ends with it.
 *
 * Rule (guarantees 24): one that goes when nobody uses it is there for so long
 * behind a request for messages, and not for long behind its last use. That a
 * request was heard its messages, or its end (408), prove, and that no deposed
 * leader heard it a steady one of the consumer. It has to be a while since it
 * may have been about to go. By when it is gone nobody promises, so that is a
 * warning, after a quiet time that is long enough for a timer that looks at it
 * once in each such time.
 *
 * Rule (guarantees 15): one that says that it has something to deliver gives
 * it to a client that waits, within 60 s and three of its longest waits. That
 * is after the load, of a consumer that is not paused; with MaxDeliver what
 * awaits its ack may have been sent as often as it may. It convicts by a
 * steady leader, unless the client connected anew, whose interest a server may
 * not know, or the host was overloaded.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/refusal.h"

#define HEARD_NS (2 * CLOCK_S)	/* all servers have heard of a consumer */
#define LASTS_NS (20 * CLOCK_S) /* numbers that are not repaired */
#define STILL_NS (10 * CLOCK_S) /* nothing of its client is on its way */
#define POLLS	 3
#define STUCK_NS (60 * CLOCK_S) /* in which something has to come */
#define EARLY_NS (CLOCK_S / 2)	/* that it may go */
#define GONE_NS	 (30 * CLOCK_S) /* when it was found to be unused */
#define GOING_NS (60 * CLOCK_S) /* likewise, where that is tried again */
#define TIMER_NS CLOCK_S	/* servers add so much to its time */
#define KNOWN_NS (10 * CLOCK_S) /* who led then was told again */
#define COUNT_NS (5 * CLOCK_S)	/* so often what was redelivered is counted */
#define WAITS	 9 /* ack waits: three, of a back-off that ends with 3 */

/* What was raised of a life, once each, and what it said last. */
struct slot {
	uint64_t life;
	bool told_missing, told_back, told_anew, told_more;
	bool told_forgot, told_limit, told_stays, told_again, told_floor;
	struct msg_consumer_seen said; /* for so often, and first: */
	unsigned polls;
	uint64_t pull, pulled_ns; /* the latest request, and when it went out */
	uint64_t heard_ns;	  /* the latest that was heard went out ... */
	uint64_t end_ns;	  /* ... and was over */
	uint64_t counted_ns;	  /* what it has redelivered was, last */
	uint64_t left_ns;	  /* nobody uses it since; 0: somebody may */
	uint64_t going_ns; /* it may have been about to go then; 0: never */
};

struct resurrected_state {
	struct slot *slots; /* by consumer */
	uint32_t n;
	uint64_t reconnected_ns; /* a client did, last */
};

/* Raise what convicts by a span, unless one replica explains it. */
static void
raise(struct check *c, const struct life *f, enum anomaly_kind kind,
    const struct check_span *span, const char *says)
{
	struct anomaly a = {
	    .kind = kind, .class = CLASS_WARNING, .stream = f->stream};
	struct check_span s = *span;
	enum anomaly_class class = check_life_class(c, f);

	if (class != CLASS_VIOLATION && kind == ANOMALY_CONSUMER_MISSING) {
		a.class = class;
		s.is_no_proof = true;
	}
	check_raise_steady(c, &a, &s, "consumer %s %s", f->name, says);
}

static void
judge_missing(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	struct check_span span = check_meta_span(c, m->asked_ns);

	if (t->told_missing || !life_is_certain(f) || f->range.may_go ||
	    m->asked_ns < f->made_ns + HEARD_NS)
		return;
	t->told_missing = true;
	raise(c, f, ANOMALY_CONSUMER_MISSING, &span,
	    m->listed ? "is not listed, and nobody deleted it"
		      : "is gone: the answer is that there is none, and nobody "
			"deleted it");
}

/* Did one server lead it from the one moment to the other, for sure? */
static bool
was_led_steadily(
    struct check *c, const struct life *f, uint64_t from_ns, uint64_t to_ns)
{
	char name[CHECK_CONSUMER_MAX];

	check_consumer_name(c, f->stream, f->name, name);
	return check_steady(c, LEADERS_CONSUMER, name,
		   life_replicas(f, c->ledger), from_ns, to_ns) == STEADY_YES;
}

/* It is gone although it was asked for messages shortly before. */
static void
judge_unused(struct check *c, const struct life *f, struct slot *t)
{
	const struct life_range *r = &f->range;
	struct check_span span = check_meta_span(c, t->heard_ns);

	if (t->told_missing || !life_is_certain(f) || f->open.id != 0 ||
	    f->lost_changes > 0 || r->kinds != 1u << KIND_PULL ||
	    t->heard_ns < f->made_ns + HEARD_NS ||
	    (t->going_ns != 0 && c->now_ns < t->going_ns + GOING_NS) ||
	    c->now_ns + EARLY_NS >= t->heard_ns + r->idle_low)
		return;
	t->told_missing = true;
	span.is_no_proof = !was_led_steadily(c, f, t->heard_ns, t->end_ns);
	raise(c, f, ANOMALY_CONSUMER_MISSING, &span,
	    "is gone, it was asked for messages a shorter time before than it "
	    "stays unused, and nobody deleted it");
}

/* Is it there for much longer than nobody has used it, in quiet? */
static void
judge_stays(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 24",
	    .stream = f->stream};
	uint64_t longest_ns = 2 * (f->range.idle_high + TIMER_NS) + GONE_NS;
	uint64_t to_ns = c->now_ns > KNOWN_NS ? c->now_ns - KNOWN_NS : 0;

	if (t->told_stays || t->left_ns == 0 || f->range.idle_low == 0 ||
	    !life_is_certain(f) || m->asked_ns < t->left_ns + longest_ns ||
	    !was_led_steadily(c, f, t->left_ns, to_ns))
		return;
	t->told_stays = true;
	check_raise(c, &a,
	    "consumer %s goes when nobody uses it for %.1f s at most, and is "
	    "there %.1f s after its client left it, as its leader %s said",
	    f->name, (double)f->range.idle_high / 1e9,
	    (double)(m->asked_ns - t->left_ns) / 1e9, m->server);
}

static void
judge_back(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	struct check_span span = check_meta_span(c, f->ended_ns);
	bool is_same = !m->listed && f->created != 0 &&
		       m->created == f->created && f->ended_ns != LIVES_NEVER &&
		       !f->is_vague;

	/* Its time says which it is, where another one may have been made. */
	if (t->told_back || !(is_same || life_is_over_for_good(f)) ||
	    m->asked_ns < f->ended_ns + LIVES_SPREAD_NS)
		return;
	t->told_back = true;
	raise(c, f, ANOMALY_CONSUMER_RESURRECTED, &span,
	    m->listed ? "is listed 10 s and more after its deletion was "
			"confirmed, and nobody made it again"
		      : "is there 10 s and more after its deletion was "
			"confirmed, and nobody made it again");
}

/* A creation time alone proves nothing: a request may be sent twice. */
static void
judge_anew(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_CONSUMER_MISSING,
	    .class = CLASS_WARNING,
	    .stream = f->stream};

	if (t->told_anew || !life_is_certain(f) || f->range.may_go ||
	    f->lost_makes > 0 || f->created == 0 || m->created == 0 ||
	    !check_is_made_later(c, m->created, f->created))
		return;
	t->told_anew = true;
	check_raise(c, &a,
	    "consumer %s, created at %llu ns, says that it was created at %llu "
	    "ns: it may be another one",
	    f->name, (unsigned long long)f->created,
	    (unsigned long long)m->created);
}

/*
 * What differs is how many replicas it has, and its stream had other numbers:
 * a consumer loses its replicas with those of its stream, and one that has a
 * number of its own does not get them back.
 */
static bool
is_scaled(const struct check *c, const struct life *f, const char *differs)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, f->stream);

	return s != NULL && s->scales.n > 0 &&
	       strcmp(differs, "num_replicas") == 0;
}

/* It is not as it was confirmed to be. */
static void
judge_terms(
    struct check *c, const struct life *f, const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .stream = f->stream};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span = check_life_span(c, f, m->asked_ns, name);

	if (m->differs[0] == '\0' || !life_is_certain(f) || f->open.id != 0 ||
	    f->lost_changes > 0 || m->asked_ns <= f->changed_ns ||
	    is_scaled(c, f, m->differs))
		return;
	check_raise_steady(c, &a, &span,
	    "consumer %s is not as it was confirmed to be %.3f s before, in: "
	    "%s; its leader %s said so",
	    f->name, (double)(m->asked_ns - f->changed_ns) / 1e9, m->differs,
	    m->server);
}

/* How many messages it may have left to deliver, at most. */
static uint64_t
most_pending(const struct check *c, const struct life *f, uint64_t delivered)
{
	const struct stock *st = contents_stock(c->contents, f->stream);
	const struct lane *all = &st->lanes.stream;
	uint64_t n = all->stray.messages + all->pending.messages, seq;
	const struct live *e;

	for (seq = all->last; seq > delivered; seq = e->prev[LANE_STREAM]) {
		e = lanes_find(&st->lanes, seq);
		n += life_ever_takes(f, e->subject);
	}
	return n;
}

/*
 * It counts more than there are, and goes on so. Under load its count may be
 * wrong for a while: it is repaired when it is asked for.
 */
static void
judge_pending(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .stream = f->stream};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span = check_life_span(c, f, t->said.asked_ns, name);
	uint64_t most;

	if (t->told_more || m->asked_ns < t->said.asked_ns + LASTS_NS)
		return;
	most = most_pending(c, f, m->delivered_seq);
	if (m->pending <= most)
		return;
	t->told_more = true;
	check_raise_steady(c, &a, &span,
	    "consumer %s counts %llu messages that it has not delivered, and "
	    "there are %llu at most behind sequence %llu, its last delivery; "
	    "its leader %s said so %u times in %.1f s",
	    f->name, (unsigned long long)m->pending, (unsigned long long)most,
	    (unsigned long long)m->delivered_seq, m->server, t->polls,
	    (double)(m->asked_ns - t->said.asked_ns) / 1e9);
}

/*
 * It has forgotten what it delivered and nobody ended: its floor is behind
 * that, or it awaits fewer acks, and has not so many to deliver that these are
 * among them, as with another leader that has not heard of their delivery.
 */
static void
judge_forgotten(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 37",
	    .stream = f->stream};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span = check_life_span(c, f, t->said.asked_ns, name);
	struct life_owed owed;

	if (t->told_forgot || m->asked_ns < t->said.asked_ns + STILL_NS ||
	    check_life_class(c, f) != CLASS_VIOLATION)
		return;
	owed = life_owes(c->lives, c->contents, f, t->said.asked_ns, c->now_ns);
	if (owed.taken == 0 || (m->floor_seq < owed.lowest &&
				   (m->ack_pending >= owed.taken ||
				       m->ack_pending + m->pending >= owed.n)))
		return;
	t->told_forgot = true;
	if (owed.since_ns < span.from_ns)
		span.from_ns = owed.since_ns;
	check_raise_steady(c, &a, &span,
	    "consumer %s awaits %llu acks, has %llu messages to deliver, and "
	    "its ack floor is %llu; of what it must deliver %llu messages are "
	    "not ended, of which it has delivered %llu, the lowest at sequence "
	    "%llu; its leader %s said so %u times in %.1f s",
	    f->name, (unsigned long long)m->ack_pending,
	    (unsigned long long)m->pending, (unsigned long long)m->floor_seq,
	    (unsigned long long)owed.n, (unsigned long long)owed.taken,
	    (unsigned long long)owed.lowest, m->server, t->polls,
	    (double)(m->asked_ns - t->said.asked_ns) / 1e9);
}

/* It waits for more acks than it may. */
static void
judge_limit(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_LIMIT_EXCEEDED,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 14",
	    .stream = f->stream};
	uint64_t most = life_max_ack_pending(f);
	char name[CHECK_CONSUMER_MAX];
	struct check_span span = check_life_span(c, f, m->asked_ns, name);

	if (t->told_limit || most == 0 || m->ack_pending <= most)
		return;
	t->told_limit = true;
	check_raise_steady(c, &a, &span,
	    "consumer %s awaits %llu acks, as its leader %s says, and its "
	    "MaxAckPending was never above %llu",
	    f->name, (unsigned long long)m->ack_pending, m->server,
	    (unsigned long long)most);
}

/*
 * It counts fewer messages as delivered again than its client got more than
 * once and has not ended: its leader counts before it sends.
 */
static void
judge_again(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 37",
	    .stream = f->stream};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span;
	struct life_owed owed;

	if (t->told_again || f->again.n == 0 ||
	    c->now_ns < t->counted_ns + COUNT_NS || !life_is_certain(f) ||
	    !contents_has(c->contents, f->stream) ||
	    check_life_class(c, f) != CLASS_VIOLATION)
		return;
	t->counted_ns = c->now_ns;
	owed = life_owes(c->lives, c->contents, f, m->asked_ns, c->now_ns);
	if (m->redelivered >= owed.again)
		return;
	t->told_again = true;
	span = check_life_span(c, f,
	    owed.again_ns < owed.since_ns ? owed.again_ns : owed.since_ns,
	    name);
	check_raise_steady(c, &a, &span,
	    "consumer %s says that it has redelivered %llu of the messages "
	    "that are not acked; its client got %llu of these more than once, "
	    "and has not ended them; its leader %s said so",
	    f->name, (unsigned long long)m->redelivered,
	    (unsigned long long)owed.again, m->server);
}

/*
 * Its ack floor is beyond what it has delivered. An ack that stands for all
 * before it may be of a delivery that its leader has not heard of.
 */
static void
judge_floor(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	const struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 37",
	    .stream = f->stream};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span = check_life_span(c, f, m->asked_ns, name);

	if (t->told_floor || m->floor <= m->delivered ||
	    !life_acks(f, ACK_POLICY_EXPLICIT) ||
	    check_life_class(c, f) != CLASS_VIOLATION)
		return;
	t->told_floor = true;
	check_raise_steady(c, &a, &span,
	    "consumer %s has delivered %llu times, and its ack floor is at "
	    "number %llu; its leader %s said so",
	    f->name, (unsigned long long)m->delivered,
	    (unsigned long long)m->floor, m->server);
}

static bool
is_same(const struct msg_consumer_seen *a, const struct msg_consumer_seen *b)
{
	return a->delivered == b->delivered &&
	       a->delivered_seq == b->delivered_seq && a->floor == b->floor &&
	       a->floor_seq == b->floor_seq && a->pending == b->pending &&
	       a->ack_pending == b->ack_pending;
}

/* What it says over and over again. */
static void
judge_numbers(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	judge_limit(c, f, t, m);
	judge_floor(c, f, t, m);
	judge_again(c, f, t, m);
	if (t->polls == 0 || !is_same(m, &t->said)) {
		t->said = *m;
		t->polls = 0;
	}
	if (++t->polls < POLLS || !life_is_certain(f) ||
	    !contents_has(c->contents, f->stream))
		return;
	judge_pending(c, f, t, m);
	judge_forgotten(c, f, t, m);
}

static void
on_seen(struct check *c, const struct life *f, struct slot *t,
    const struct msg_consumer_seen *m)
{
	if (!m->found) {
		judge_missing(c, f, t, m);
		judge_unused(c, f, t);
		return;
	}
	judge_back(c, f, t, m);
	if (m->listed)
		return;
	judge_stays(c, f, t, m);
	judge_anew(c, f, t, m);
	judge_terms(c, f, m);
	judge_numbers(c, f, t, m);
}

/* The answer that makes or changes it shows which consumer that is. */
static void
on_made(
    struct check *c, const struct life *f, const struct msg_consumer_made *m)
{
	const struct life_former *was = &f->former;
	struct check_span span = check_meta_span(c, f->changed_ns);
	const struct anomaly a = {.kind = ANOMALY_WRONG_STATE,
	    .class = CLASS_WARNING,
	    .stream = f->stream};

	if (m->is_other && !f->is_vague && f->lost_changes == 0 &&
	    !is_scaled(c, f, m->differs))
		check_raise_steady(c, &a, &span,
		    "consumer %s was confirmed, but not as it was asked for, "
		    "in: %s",
		    f->name, m->differs);
	if (was->ended_ns == 0 || was->ended_ns == LIVES_NEVER ||
	    was->created == 0 || m->created != was->created)
		return;
	span.from_ns = was->ended_ns;
	raise(c, f, ANOMALY_CONSUMER_RESURRECTED, &span,
	    "was made, and has the creation time of the one of its name whose "
	    "deletion had been confirmed");
}

/* "There is none", in answer to who would change or end one that is there. */
static void
judge_refused(struct check *c, const struct msg_change_unknown *m)
{
	const struct life *f = life_changing(c->lives, m->id);
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .class = CLASS_DOCUMENTED,
	    .rule = "guarantees 0",
	    .stream = m->stream,
	    .ids = {m->id}};
	struct check_span span;

	if (f == NULL || c->lives->has_hole ||
	    !refusal_is_no_consumer(m->code) || !life_was_there(f) ||
	    f->range.may_go || f->open.asked_ns < f->made_ns + HEARD_NS)
		return;
	span = check_meta_span(c, f->open.asked_ns);
	span.is_no_proof = check_life_class(c, f) != CLASS_VIOLATION;
	if (c->config->strict_answers && !span.is_no_proof)
		a.class = CLASS_VIOLATION;
	check_raise_steady(c, &a, &span,
	    "consumer %s was to be changed or ended, and the answer was that "
	    "there is none (\"%s\"): it was made %.3f s before, and nobody "
	    "had asked for its end",
	    f->name, m->why, (double)(f->open.asked_ns - f->made_ns) / 1e9);
}

/* It has something to deliver, and nothing comes. */
static void
on_waited(struct check *c, const struct msg_consumer_waited *m)
{
	const struct resurrected_state *st = c->state;
	const struct life *f = life_of(c->lives, m->consumer);
	/* Waits run by the servers' wall clocks. */
	uint64_t apart_ns = contents_apart_ns(c->contents);
	const struct anomaly a = {.kind = ANOMALY_NOT_REDELIVERED,
	    .class = CLASS_WARNING,
	    .rule = "guarantees 15",
	    .stream = m->stream};
	char name[CHECK_CONSUMER_MAX];
	struct check_span span;

	if (f == NULL || c->lives->has_hole || !life_is_certain(f) ||
	    f->lost_pauses > 0 || m->tried_ns < STUCK_NS + apart_ns ||
	    m->tried_ns < WAITS * f->range.ack_wait_ns + apart_ns ||
	    m->looks < POLLS)
		return;
	if (f->range.is_bounded && m->ack_pending > 0)
		return;
	span = check_life_span(c, f, m->since_ns, name);
	span.is_no_proof = st->reconnected_ns >= m->since_ns ||
			   faults_busy(c->faults, m->since_ns, c->now_ns) > 0;
	check_raise_steady(c, &a, &span,
	    "consumer %s has given nothing for %.1f s, %.1f s of them to a "
	    "client that waited; it said %u times that it has something, and "
	    "last: %llu messages pending, %llu awaiting their ack",
	    f->name, (double)(c->now_ns - m->since_ns) / 1e9,
	    (double)m->tried_ns / 1e9, m->looks, (unsigned long long)m->pending,
	    (unsigned long long)m->ack_pending);
}

/*
 * A request was heard that brought messages, or waited until its end. One that
 * is turned away since others wait is no use to servers up to 2.9. Behind its
 * time a server may have asked for its end already, and goes on with that.
 */
static void
on_pulled(const struct check *c, const struct life *f, struct slot *t,
    const struct msg_pull_end *m)
{
	uint64_t used_ns = t->heard_ns != 0 ? t->heard_ns : f->asked_ns;
	bool has_waited =
	    m->status == 408 && strcmp(m->why, "Requests Pending") != 0;

	if (m->pull != t->pull || (m->messages == 0 && !has_waited))
		return;
	if (c->now_ns >= used_ns + f->range.idle_low)
		t->going_ns = c->now_ns;
	t->heard_ns = t->pulled_ns;
	t->end_ns = c->now_ns;
}

static uint32_t
consumer_of(const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_CONSUMER_SEEN:
		return ev->u.consumer_seen.consumer;
	case MESSAGE_CONSUMER_LEFT:
		return ev->u.consumer_left.consumer;
	case MESSAGE_PULL:
		return ev->u.pull.consumer;
	case MESSAGE_PULL_END:
		return ev->u.pull_end.consumer;
	default:
		return ev->u.consumer_made.consumer;
	}
}

/* Something happens to a life, which has a slot. */
static void
on_life(struct check *c, const struct life *f, struct slot *t,
    const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_CONSUMER_SEEN:
		on_seen(c, f, t, &ev->u.consumer_seen);
		break;
	case MESSAGE_CONSUMER_LEFT:
		t->left_ns = ev->time_ns;
		break;
	case MESSAGE_PULL:
		t->pull = ev->u.pull.pull;
		t->pulled_ns = ev->time_ns;
		t->left_ns = 0;
		break;
	case MESSAGE_PULL_END:
		on_pulled(c, f, t, &ev->u.pull_end);
		break;
	default:
		t->left_ns = 0;
		on_made(c, f, &ev->u.consumer_made);
		break;
	}
}

static int
resurrected_event(struct check *c, const struct event *ev)
{
	struct resurrected_state *st = c->state;
	uint32_t consumer = consumer_of(ev);
	const struct life *f;
	struct slot *t;

	switch ((unsigned)ev->type) {
	case MESSAGE_RECONNECTED:
		st->reconnected_ns = ev->time_ns;
		return 0;
	case MESSAGE_CONSUMER_WAITED:
		on_waited(c, &ev->u.consumer_waited);
		return 0;
	case MESSAGE_CHANGE_FAIL:
	case MESSAGE_CHANGE_UNKNOWN: /* they are alike */
		judge_refused(c, &ev->u.change_unknown);
		return 0;
	default:
		break;
	}
	f = life_of(c->lives, consumer);
	t = array_at(&st->slots, &st->n, consumer, sizeof(*t), CHECK_SLOTS_MAX);
	if (t == NULL)
		return -ENOMEM;
	if (f == NULL || c->lives->has_hole)
		return 0;
	if (t->life != f->number)
		*t = (struct slot){.life = f->number};
	on_life(c, f, t, ev);
	return 0;
}

static void
resurrected_fini(struct check *c)
{
	struct resurrected_state *st = c->state;

	free(st->slots);
}

static const enum message_type types[] = {MESSAGE_CONSUMER_SEEN,
    MESSAGE_CONSUMER_MADE, MESSAGE_CHANGE_FAIL, MESSAGE_CHANGE_UNKNOWN,
    MESSAGE_CONSUMER_WAITED, MESSAGE_CONSUMER_LEFT, MESSAGE_PULL,
    MESSAGE_PULL_END, MESSAGE_RECONNECTED, 0};

static const enum message_type judges[] = {
    MESSAGE_CONSUMER_SEEN, MESSAGE_CONSUMER_MADE, 0};

const struct check_ops check_consumer_resurrected = {
    .name = "consumer_resurrected",
    .summary = "consumers are there from their creation to their deletion",
    .rule = "guarantees 24",
    .types = types,
    .unit = "answers about consumers",
    .judges = judges,
    .state_size = sizeof(struct resurrected_state),
    .event = resurrected_event,
    .fini = resurrected_fini,
};
