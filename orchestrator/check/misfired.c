/* SPDX-License-Identifier: ISC */
/*
 * misfired: a schedule did not send its message as it should.
 *
 * Rule (guarantees 30): a schedule that was acknowledged sends its message at
 * its time, not before, once or once a period, and goes away with the last
 * one; one that was removed or replaced sends nothing more. The audit reads
 * what was sent and what still waits.
 *
 * Why no legal behaviour trips it: that a message came before its time is said
 * by the clock of the leader alone, which decided it and stamped it; a fault
 * may set that between the two. What compares times of servers with those of
 * clients convicts on one host only, and where no clock was set meanwhile. Late
 * is what took longer than --op-timeout of the availability clock. Whatever may
 * have removed a schedule counts from when it was sent, for ever if it was not
 * answered. What came twice, or after a confirmed removal, is a warning unless
 * one leader was steady. Nothing that is not there is concluded when the stream
 * changed during the scan; what is there or not is a warning if the cluster did
 * not settle.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

#define PLANS_MAX  (1u << 18)		 /* that are judged */
#define EARLY_NS   UINT64_C(250000000)	 /* of a clock that is set back a bit */
#define ROUND_NS   UINT64_C(500000000)	 /* periods begin at whole seconds */
#define SLACK_NS   UINT64_C(1000000000)	 /* between two clocks of one host */
#define LEAST_NS   UINT64_C(10000000000) /* with a short --op-timeout */
#define STEPPED_NS INT64_C(500000000)	 /* a clock was set */

/* A message that is to be sent later. */
struct plan {
	uint64_t id, group, sum, every_ns, ttl_ns;
	int64_t at_ns;
	uint64_t invoked_ns, ok_ns, seq;
	uint64_t touched_ns; /* when what may remove it was sent; 0: nothing */
	uint64_t gone_ns;    /* it was confirmed to be removed; 0: not */
	uint32_t stream;
	uint32_t open; /* of a group's first: what may still happen to it */
	uint8_t times;
	bool is_told;
	bool is_again; /* tried again: what was not answered may come yet */
	/* Of this scan. */
	bool is_waiting, is_mixed;
	uint32_t fired;
	uint64_t fired_seq[2];	 /* the first, and the latest */
	int64_t stamps[2], next; /* next: when it said that it comes again */
};

/* The removal that a client is doing, or did last. */
struct cancelling {
	uint64_t id, group, seq, sent_ns;
	uint32_t stream;
	bool is_again;
};

/* Those of one process, by their ids. */
struct source {
	struct plan *plans;
	uint32_t n, room;
	uint64_t beyond; /* the first that is not judged; 0: all are */
	struct cancelling removal;
};

struct reading {
	uint64_t begun_ns, last;
	/* The leader has no fewer: what was read is there. */
	bool is_counted;
};

struct misfired_state {
	struct source *sources;
	uint32_t n, nplans;
	struct reading *readings; /* by stream */
	uint32_t nreadings;
	int64_t wall_ns; /* wall clock less CLOCK_MONOTONIC */
	bool knows_wall, was_set;
};

static struct plan *
plan_find(const struct misfired_state *st, uint64_t id)
{
	uint32_t source = message_id_source(id), low = 0, high, mid;
	struct plan *p;

	if (source >= st->n)
		return NULL;
	p = st->sources[source].plans;
	high = st->sources[source].n;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (p[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < st->sources[source].n && p[low].id == id ? &p[low] : NULL;
}

/* The next one of the group behind p; p is its first at first. */
static struct plan *
plan_next(const struct misfired_state *st, const struct plan *p)
{
	const struct source *s = &st->sources[message_id_source(p->id)];
	struct plan *q = &s->plans[p - s->plans];

	while (++q < s->plans + s->n)
		if (q->group == p->group)
			return q;
	return NULL;
}

static void
touch(struct plan *p, uint64_t now_ns)
{
	if (p->touched_ns == 0)
		p->touched_ns = now_ns;
}

static int
on_schedule(struct check *c, const struct msg_schedule *m)
{
	struct misfired_state *st = c->state;
	struct source *s = array_at(&st->sources, &st->n,
	    message_id_source(m->id), sizeof(*s), CHECK_SLOTS_MAX);
	struct plan *p = plan_find(st, m->id), *first;

	if (s == NULL)
		return -ENOMEM;
	if (p != NULL)
		p->is_again = true;
	/* Ids only grow. */
	if (m->attempt != 1 || s->beyond != 0 ||
	    (s->n > 0 && s->plans[s->n - 1].id >= m->id))
		return 0;
	if (st->nplans == PLANS_MAX) {
		s->beyond = m->id;
		return 0;
	}
	if (array_reserve(
		&s->plans, &s->room, s->n + 1, sizeof(*p), PLANS_MAX) < 0)
		return -ENOMEM;
	st->nplans++;
	p = &s->plans[s->n++];
	*p = (struct plan){.id = m->id,
	    .group = m->group,
	    .sum = m->sum,
	    .every_ns = m->every_ns,
	    .ttl_ns = m->ttl_ns,
	    .at_ns = m->at_ns,
	    .invoked_ns = c->now_ns,
	    .stream = m->stream,
	    .times = m->times};
	first = plan_find(st, m->group);
	if (first == NULL)
		return 0;
	if (first->open > 0)
		touch(p, c->now_ns);
	first->open++;
	for (; first != NULL && first != p; first = plan_next(st, first))
		touch(first, c->now_ns);
	return 0;
}

/* Those of a group that were there before something that removes them. */
static void
confirm_gone(struct check *c, uint64_t group, uint64_t seq, uint64_t sent_ns)
{
	struct plan *p = plan_find(c->state, group);

	for (; p != NULL; p = plan_next(c->state, p))
		if (p->ok_ns != 0 && p->ok_ns <= sent_ns && p->gone_ns == 0 &&
		    (seq == 0 || p->seq == seq))
			p->gone_ns = c->now_ns;
}

static void
on_schedule_ok(struct check *c, const struct msg_schedule_ok *m)
{
	struct plan *p = plan_find(c->state, m->id);

	if (p == NULL || p->ok_ns != 0)
		return;
	p->ok_ns = c->now_ns;
	p->seq = m->seq;
	confirm_gone(c, p->group, 0, p->invoked_ns);
}

/* All of a stream that repeat are removed: the time, or (0) it is sent. */
static void
remove_repeats(struct check *c, uint32_t stream, uint64_t sent_ns)
{
	const struct misfired_state *st = c->state;
	struct plan *p;
	uint32_t i, j;

	for (i = 0; i < st->n; i++)
		for (j = 0; j < st->sources[i].n; j++) {
			p = &st->sources[i].plans[j];
			if (p->stream != stream || p->every_ns == 0)
				continue;
			touch(p, c->now_ns);
			if (p->ok_ns != 0 && p->ok_ns <= sent_ns &&
			    p->gone_ns == 0)
				p->gone_ns = c->now_ns;
		}
}

static int
on_unschedule(struct check *c, const struct msg_unschedule *m)
{
	struct misfired_state *st = c->state;
	struct source *s = array_at(&st->sources, &st->n,
	    message_id_source(m->id), sizeof(*s), CHECK_SLOTS_MAX);
	struct plan *p = plan_find(st, m->group);

	if (s == NULL)
		return -ENOMEM;
	if (m->attempt != 1) {
		s->removal.is_again = true;
		return 0;
	}
	s->removal = (struct cancelling){
	    m->id, m->group, m->seq, c->now_ns, m->stream, false};
	if (m->group == 0)
		remove_repeats(c, m->stream, 0);
	if (p != NULL)
		p->open++;
	for (; p != NULL; p = plan_next(st, p))
		if (m->seq == 0 || p->seq == m->seq)
			touch(p, c->now_ns);
	return 0;
}

static void
on_changed(struct check *c, uint64_t id)
{
	const struct misfired_state *st = c->state;
	uint32_t source = message_id_source(id);
	const struct cancelling *r =
	    source < st->n ? &st->sources[source].removal : NULL;

	if (r == NULL || r->id != id)
		return;
	if (r->group == 0)
		remove_repeats(c, r->stream, r->sent_ns);
	else
		confirm_gone(c, r->group, r->seq, r->sent_ns);
}

/*
 * Nothing more can become of it, if its outcome is certain. One attempt that
 * was not answered may be done behind another: a removal, or a schedule whose
 * id was forgotten, for that is known by what is stored.
 */
static void
on_over(struct check *c, const struct msg_change_end *m)
{
	const struct misfired_state *st = c->state;
	uint32_t source = message_id_source(m->id);
	const struct plan *p = plan_find(st, m->id);
	const struct cancelling *r =
	    source < st->n ? &st->sources[source].removal : NULL;
	bool is_again = p != NULL && p->is_again;
	uint64_t group = p != NULL ? p->group : 0;
	struct plan *first;

	if (p == NULL && r != NULL && r->id == m->id) {
		group = r->group;
		is_again = r->is_again;
	}
	first = plan_find(st, group);
	if (first != NULL && first->open > 0 && !is_again &&
	    m->outcome != ENDED_UNKNOWN)
		first->open--;
}

/* A time of a server that has the clock of this host. */
static uint64_t
mono_of(const struct check *c, int64_t wall_ns)
{
	const struct misfired_state *st = c->state;

	return wall_ns > st->wall_ns ? (uint64_t)(wall_ns - st->wall_ns) : 0;
}

/* Have the servers the clock of this host, and was it never set? */
static bool
is_one_clock(const struct check *c)
{
	const struct misfired_state *st = c->state;

	return st->knows_wall && !st->was_set &&
	       strcmp(c->config->cluster, "local") == 0;
}

/* Is it before a time, whatever faults have done to clocks? */
static bool
is_before(const struct check *c, int64_t stamp_ns, int64_t at_ns)
{
	return stamp_ns < at_ns &&
	       (uint64_t)at_ns - (uint64_t)stamp_ns >
		   EARLY_NS + contents_apart_ns(c->contents);
}

/* So long what is due may take. */
static uint64_t
late_ns(const struct check *c)
{
	return c->config->op_timeout_ns > LEAST_NS ? c->config->op_timeout_ns
						   : LEAST_NS;
}

/* The longest time of the availability clock that is certain from here on. */
static uint64_t
time_used(const struct check *c, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t used, known_ns = c->now_ns > FAULTS_LAG_NS
				      ? c->now_ns - FAULTS_LAG_NS
				      : 0;

	if (to_ns > known_ns)
		to_ns = known_ns;
	if (!is_one_clock(c) || from_ns == 0 || to_ns <= from_ns)
		return 0;
	used = to_ns - from_ns - faults_stood(c->faults, from_ns, to_ns);
	if (used > late_ns(c))
		used -= faults_busy(c->faults, from_ns, to_ns);
	return used;
}

static bool
is_late(const struct check *c, uint64_t from_ns, uint64_t to_ns)
{
	return time_used(c, from_ns, to_ns) > late_ns(c);
}

/* Each is told once, whatever else is wrong with it. */
static struct anomaly
anomaly_of(struct plan *p, uint64_t seq)
{
	p->is_told = true;
	return (struct anomaly){.kind = ANOMALY_MISFIRED,
	    .stream = p->stream,
	    .ids = {p->id},
	    .seqs = {seq, p->seq}};
}

/* The same of what is there, or is not, as the audit's leader says. */
static struct anomaly
anomaly_at_end(const struct check *c, struct plan *p, uint64_t seq)
{
	struct anomaly a = anomaly_of(p, seq);

	a.class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION;
	return a;
}

#define WHO "schedule %u:%llu"
#define NAME(p)                                                                \
	message_id_source((p)->id),                                            \
	    (unsigned long long)message_id_counter((p)->id)

/* What nobody promises while leaders change. */
static void
raise_steady(struct check *c, struct plan *p, uint64_t seq,
    const uint64_t span_ns[2], const char *what)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, p->stream);
	struct anomaly a = anomaly_of(p, seq);
	struct check_span span = {
	    .what = LEADERS_STREAM, .from_ns = span_ns[0], .to_ns = span_ns[1]};

	a.class = CLASS_WARNING;
	if (s == NULL)
		return;
	span.name = s->name;
	span.replicas = s->replicas;
	check_raise_steady(c, &a, &span, WHO " sent sequence %llu%s", NAME(p),
	    (unsigned long long)seq, what);
}

/*
 * When what comes next was due at the earliest, CLOCK_MONOTONIC; it was
 * stored after it was sent.
 */
static uint64_t
earliest(const struct check *c, const struct plan *p)
{
	if (p->times == TIMES_ONCE)
		return mono_of(c, p->at_ns);
	if (p->fired > 0)
		return mono_of(c, p->next);
	return p->invoked_ns +
	       (p->times == TIMES_EVERY ? p->every_ns - ROUND_NS : 0);
}

/* Was it confirmed to be removed before the time of what came? */
static bool
was_gone(struct check *c, struct plan *p, const struct msg_fired *m)
{
	uint64_t span_ns[2] = {p->gone_ns, mono_of(c, m->stamp_ns)};

	if (p->gone_ns == 0 || !is_one_clock(c) ||
	    earliest(c, p) <= p->gone_ns + SLACK_NS)
		return false;
	raise_steady(c, p, m->seq, span_ns,
	    ", whose time came after its removal was confirmed");
	return true;
}

/* Before when one that comes again must not come, for the leader; 0: ? */
static int64_t
bound_of(const struct check *c, const struct plan *p)
{
	const struct misfired_state *st = c->state;

	if (p->fired > 0)
		return p->next;
	return p->times == TIMES_EVERY && is_one_clock(c)
		   ? (int64_t)earliest(c, p) + st->wall_ns
		   : 0;
}

/* When it was due next, CLOCK_MONOTONIC; 0: not known. */
static uint64_t
due_of(const struct check *c, const struct plan *p)
{
	if (p->times == TIMES_ONCE) /* not before it was stored */
		return p->ok_ns > mono_of(c, p->at_ns) ? p->ok_ns
						       : mono_of(c, p->at_ns);
	if (p->fired > 0)
		return mono_of(c, p->next);
	return p->ok_ns != 0 ? p->ok_ns + p->every_ns + SLACK_NS : 0;
}

static void
raise_early(struct check *c, struct plan *p, const struct msg_fired *m,
    int64_t bound_ns)
{
	struct anomaly a = anomaly_of(p, m->seq);

	check_raise(c, &a,
	    WHO " sent sequence %llu %.3f s before its time, by the clock of "
		"the server that sent it",
	    NAME(p), (unsigned long long)m->seq,
	    (double)(bound_ns - m->stamp_ns) / 1e9);
}

static void
raise_late(struct check *c, struct plan *p, uint64_t seq, uint64_t used_ns)
{
	struct anomaly a = anomaly_of(p, seq);

	check_raise(c, &a,
	    WHO " sent sequence %llu late: it did not within %.1f s in which "
		"the cluster could serve",
	    NAME(p), (unsigned long long)seq, (double)used_ns / 1e9);
}

/* One that comes again and again: each by the one before it. */
static void
judge_repeat(struct check *c, struct plan *p, const struct msg_fired *m)
{
	int64_t bound = bound_of(c, p);
	uint64_t due_ns = due_of(c, p), span_ns[2];

	span_ns[0] = mono_of(c, p->stamps[1]);
	span_ns[1] = mono_of(c, m->stamp_ns);
	if (bound != 0 && is_before(c, m->stamp_ns, bound)) {
		if (p->fired == 0)
			raise_early(c, p, m, bound);
		else if (is_one_clock(c))
			raise_steady(c, p, m->seq, span_ns,
			    " before it was due again: it came twice");
	} else if (m->next_ns == 0 ||
		   m->next_ns > m->stamp_ns + (int64_t)p->every_ns +
				    (int64_t)SLACK_NS +
				    (int64_t)contents_apart_ns(c->contents)) {
		struct anomaly a = anomaly_of(p, m->seq);

		check_raise(c, &a,
		    WHO " sent sequence %llu, which says that the next comes "
			"%.3f s later: its period is %.3f s",
		    NAME(p), (unsigned long long)m->seq,
		    (double)(m->next_ns - m->stamp_ns) / 1e9,
		    (double)p->every_ns / 1e9);
	} else if (!was_gone(c, p, m) && is_late(c, due_ns, span_ns[1]))
		raise_late(c, p, m->seq, time_used(c, due_ns, span_ns[1]));
}

static void
judge_once(struct check *c, struct plan *p, const struct msg_fired *m)
{
	uint64_t due_ns = due_of(c, p), came_ns = mono_of(c, m->stamp_ns);

	if (is_before(c, m->stamp_ns, p->at_ns))
		raise_early(c, p, m, p->at_ns);
	else if (!was_gone(c, p, m) && p->ok_ns != 0 && p->fired == 0 &&
		 is_late(c, due_ns, came_ns))
		raise_late(c, p, m->seq, time_used(c, due_ns, came_ns));
}

/* Something that nobody asked to be sent: of no schedule of the run. */
static void
raise_unknown(struct check *c, const struct msg_fired *m)
{
	const struct misfired_state *st = c->state;
	uint32_t source = message_id_source(m->id);
	struct anomaly a = {.kind = ANOMALY_MISFIRED,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq}};

	if (source < st->n && st->sources[source].beyond != 0 &&
	    m->id >= st->sources[source].beyond)
		return;
	check_raise(c, &a,
	    "sequence %llu was sent by " WHO ", which nobody has asked for",
	    (unsigned long long)m->seq, NAME(m));
}

static void
on_fired(struct check *c, const struct msg_fired *m)
{
	struct plan *p = plan_find(c->state, m->id);
	struct anomaly a;

	if (p == NULL) {
		raise_unknown(c, m);
		return;
	}
	p->is_mixed |= p->fired > 0 && m->seq < p->fired_seq[1];
	if (!p->is_told &&
	    (m->sum != p->sum || !m->fits || m->group != p->group ||
		m->ttl_ns != p->ttl_ns)) {
		a = anomaly_of(p, m->seq);
		check_raise(c, &a,
		    WHO " sent sequence %llu, which is not what was asked for: "
			"its %s differs",
		    NAME(p), (unsigned long long)m->seq,
		    m->sum != p->sum	     ? "payload"
		    : m->ttl_ns != p->ttl_ns ? "lifetime"
					     : "subject");
	} else if (!p->is_told && p->times == TIMES_ONCE)
		judge_once(c, p, m);
	else if (!p->is_told && !p->is_mixed)
		judge_repeat(c, p, m);
	p->fired_seq[p->fired > 0] = m->seq;
	p->stamps[p->fired > 0] = m->stamp_ns;
	if (p->fired++ == 0) {
		p->fired_seq[1] = m->seq;
		p->stamps[1] = m->stamp_ns;
	}
	p->next = m->next_ns;
}

/* What was sent of one that should send once. */
static void
judge_sent(struct check *c, struct plan *p, const struct reading *r)
{
	uint64_t span_ns[2] = {p->invoked_ns, r->begun_ns};
	struct anomaly a;

	if (p->fired > 1) {
		if (is_one_clock(c)) {
			span_ns[0] = mono_of(c, p->stamps[0]);
			span_ns[1] = mono_of(c, p->stamps[1]);
		}
		if (span_ns[0] > span_ns[1]) /* they were read in that order */
			span_ns[0] = span_ns[1];
		raise_steady(c, p, p->fired_seq[1], span_ns,
		    ", and had sent its message before");
	} else if (p->is_waiting && r->is_counted && is_one_clock(c) &&
		   mono_of(c, p->stamps[0]) + SLACK_NS < r->begun_ns) {
		a = anomaly_at_end(c, p, p->fired_seq[0]);
		check_raise(c, &a,
		    WHO " sent sequence %llu, and waits all the same at "
			"sequence %llu",
		    NAME(p), (unsigned long long)p->fired_seq[0],
		    (unsigned long long)p->seq);
	}
}

/* Nothing was sent of it, and nothing asked for its removal. */
static void
raise_gone(struct check *c, struct plan *p)
{
	const struct plan *q = plan_find(c->state, p->group);
	struct anomaly a = anomaly_at_end(c, p, p->seq);

	while (
	    q != NULL && q != p && (q->fired == 0 || q->fired_seq[0] < p->seq))
		q = plan_next(c->state, q);
	if (q == NULL || q == p) {
		check_raise(c, &a,
		    WHO " was acknowledged at sequence %llu; it is gone, and "
			"it sent nothing",
		    NAME(p), (unsigned long long)p->seq);
		return;
	}
	a.ids[1] = q->id;
	a.seqs[0] = q->fired_seq[0];
	check_raise(c, &a,
	    WHO " was acknowledged at sequence %llu, in place of " WHO
		", whose message came behind it, at sequence %llu; it is gone, "
		"and it sent nothing",
	    NAME(p), (unsigned long long)p->seq, NAME(q),
	    (unsigned long long)q->fired_seq[0]);
}

/* One that is neither read nor sent, or waits: since when should it have? */
static void
judge_absent(struct check *c, struct plan *p, const struct reading *r)
{
	uint64_t due_ns = due_of(c, p), end_ns = r->begun_ns;
	struct anomaly a;

	if (p->touched_ns != 0 && p->touched_ns < end_ns)
		end_ns = p->touched_ns;
	if (is_late(c, due_ns, end_ns)) {
		a = anomaly_at_end(c, p, p->seq);
		check_raise(c, &a,
		    WHO " was due, and sent nothing%s within %.1f s in which "
			"the cluster could serve",
		    NAME(p), p->fired > 0 ? " more" : "",
		    (double)time_used(c, due_ns, end_ns) / 1e9);
	} else if (!p->is_waiting && p->touched_ns == 0 && p->fired == 0)
		raise_gone(c, p);
}

static void
judge_plan(struct check *c, struct plan *p, const struct reading *r)
{
	struct anomaly a;

	check_judged(c, 1);
	if (p->is_told)
		return;
	if (p->is_waiting && !p->is_again && r->is_counted && p->gone_ns != 0 &&
	    p->gone_ns < r->begun_ns) {
		a = anomaly_at_end(c, p, p->seq);
		check_raise(c, &a,
		    WHO " waits at sequence %llu, and its removal was "
			"confirmed",
		    NAME(p), (unsigned long long)p->seq);
	} else if (p->times == TIMES_ONCE && p->fired > 0)
		judge_sent(c, p, r);
	else if (p->ok_ns != 0 && !p->is_mixed)
		judge_absent(c, p, r);
}

/* A scan begins, or (r) it is over, and showed the stream as it is. */
static void
scan_step(struct check *c, uint32_t stream, const struct reading *r)
{
	const struct misfired_state *st = c->state;
	struct plan *p;
	uint32_t i, j;

	for (i = 0; i < st->n; i++)
		for (j = 0; j < st->sources[i].n; j++) {
			p = &st->sources[i].plans[j];
			if (p->stream != stream)
				continue;
			if (r != NULL) {
				judge_plan(c, p, r);
				continue;
			}
			p->is_waiting = p->is_mixed = false;
			p->fired = 0;
			p->next = 0;
		}
}

static int
on_scan(struct check *c, const struct event *ev)
{
	struct misfired_state *st = c->state;
	const struct msg_scan_begin *b = &ev->u.scan_begin;
	const struct msg_scan_end *e = &ev->u.scan_end;
	/* The stream is the first field of all of them. */
	struct reading *r = array_at(&st->readings, &st->nreadings, b->stream,
	    sizeof(*r), CHECK_SLOTS_MAX);

	if (r == NULL)
		return -ENOMEM;
	if (ev->type == MESSAGE_SCAN_BEGIN) {
		*r = (struct reading){c->now_ns, b->last, false};
		scan_step(c, b->stream, NULL);
	} else if (ev->type == MESSAGE_SCAN_TALLY)
		r->is_counted =
		    ev->u.scan_tally.read <= ev->u.scan_tally.messages;
	else if (ev->type == MESSAGE_SCAN_END)
		/* It read what there was at its beginning, and no more. */
		r->last = e->complete && e->last == r->last ? e->last : 0;
	else if (r->last != 0 && r->last == ev->u.schedules_read.last)
		scan_step(c, b->stream, r);
	return 0;
}

/* Who knows the time of day says it at its beginning. */
static void
on_wall(struct check *c, int64_t wall_ns)
{
	struct misfired_state *st = c->state;
	int64_t is_ns = wall_ns - (int64_t)c->now_ns;

	if (!st->knows_wall)
		st->wall_ns = is_ns;
	st->knows_wall = true;
	st->was_set |= is_ns > st->wall_ns + STEPPED_NS ||
		       is_ns < st->wall_ns - STEPPED_NS;
}

static int
misfired_event(struct check *c, const struct event *ev)
{
	struct misfired_state *st = c->state;
	struct plan *p;

	switch ((unsigned)ev->type) {
	case MESSAGE_RUN:
		on_wall(c, ev->u.run.wall_ns);
		return 0;
	case MESSAGE_HELLO:
		on_wall(c, ev->u.hello.wall_ns);
		return 0;
	case MESSAGE_FAULT_PLANNED:
		st->was_set |=
		    strcmp(ev->u.fault_planned.mode, "clock_skew") == 0;
		return 0;
	case MESSAGE_SCHEDULE:
		return on_schedule(c, &ev->u.schedule);
	case MESSAGE_SCHEDULE_OK:
		on_schedule_ok(c, &ev->u.schedule_ok);
		return 0;
	case MESSAGE_UNSCHEDULE:
		return on_unschedule(c, &ev->u.unschedule);
	case MESSAGE_CHANGE_OK:
		on_changed(c, ev->u.change_ok.id);
		return 0;
	case MESSAGE_CHANGE_END:
		on_over(c, &ev->u.change_end);
		return 0;
	case MESSAGE_FIRED:
		on_fired(c, &ev->u.fired);
		return 0;
	case MESSAGE_SCHEDULED:
		p = plan_find(st, ev->u.scheduled.id);
		if (p != NULL)
			p->is_waiting = true;
		return 0;
	default:
		return on_scan(c, ev);
	}
}

static void
misfired_fini(struct check *c)
{
	struct misfired_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		free(st->sources[i].plans);
	free(st->sources);
	free(st->readings);
}

static const enum message_type types[] = {MESSAGE_RUN, MESSAGE_HELLO,
    MESSAGE_FAULT_PLANNED, MESSAGE_SCHEDULE, MESSAGE_SCHEDULE_OK,
    MESSAGE_UNSCHEDULE, MESSAGE_CHANGE_OK, MESSAGE_CHANGE_END, MESSAGE_FIRED,
    MESSAGE_SCHEDULED, MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_TALLY, MESSAGE_SCAN_END,
    MESSAGE_SCHEDULES_READ, 0};

const struct check_ops check_misfired = {
    .name = "misfired",
    .summary = "what is scheduled comes at its time, once, unless cancelled",
    .rule = "guarantees 30",
    .types = types,
    .unit = "schedules",
    .state_size = sizeof(struct misfired_state),
    .event = misfired_event,
    .fini = misfired_fini,
};
