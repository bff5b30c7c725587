/* SPDX-License-Identifier: ISC */
/* What a schedule has sent, one by one; see misfired.h. */
#include "orchestrator/check/misfired/misfired.h"

struct anomaly
misfired_anomaly(struct misfired_plan *p, uint64_t seq)
{
	p->is_told = true;
	return (struct anomaly){.kind = ANOMALY_MISFIRED,
	    .stream = p->stream,
	    .ids = {p->id},
	    .seqs = {seq, p->seq}};
}

void
misfired_raise_steady(struct check *c, struct misfired_plan *p, uint64_t seq,
    const uint64_t span_ns[2], const char *what)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, p->stream);
	struct anomaly a = misfired_anomaly(p, seq);
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

/* Was it confirmed to be removed before the time of what came? */
static bool
was_gone(struct check *c, struct misfired_plan *p, const struct msg_fired *m)
{
	uint64_t span_ns[2] = {p->gone_ns, misfired_mono(c, m->stamp_ns)};

	if (p->gone_ns == 0 || !misfired_is_one_clock(c) ||
	    misfired_earliest(c, p) <= p->gone_ns + SLACK_NS)
		return false;
	misfired_raise_steady(c, p, m->seq, span_ns,
	    ", whose time came after its removal was confirmed");
	return true;
}

static void
raise_early(struct check *c, struct misfired_plan *p, const struct msg_fired *m,
    int64_t bound_ns)
{
	struct anomaly a = misfired_anomaly(p, m->seq);

	check_raise(c, &a,
	    WHO " sent sequence %llu %.3f s before its time, by the clock of "
		"the server that sent it",
	    NAME(p), (unsigned long long)m->seq,
	    (double)(bound_ns - m->stamp_ns) / 1e9);
}

static void
raise_late(
    struct check *c, struct misfired_plan *p, uint64_t seq, uint64_t used_ns)
{
	struct anomaly a = misfired_anomaly(p, seq);

	check_raise(c, &a,
	    WHO " sent sequence %llu late: it did not within %.1f s in which "
		"the cluster could serve",
	    NAME(p), (unsigned long long)seq, (double)used_ns / 1e9);
}

/* One that comes again and again: each by the one before it. */
static void
judge_repeat(
    struct check *c, struct misfired_plan *p, const struct msg_fired *m)
{
	int64_t bound = misfired_bound(c, p);
	uint64_t due_ns = misfired_due(c, p), span_ns[2];

	span_ns[0] = misfired_mono(c, p->stamps[1]);
	span_ns[1] = misfired_mono(c, m->stamp_ns);
	if (bound != 0 && misfired_is_before(c, m->stamp_ns, bound)) {
		if (p->fired == 0)
			raise_early(c, p, m, bound);
		else if (misfired_is_one_clock(c))
			misfired_raise_steady(c, p, m->seq, span_ns,
			    " before it was due again: it came twice");
	} else if (m->next_ns == 0 ||
		   m->next_ns > m->stamp_ns + (int64_t)p->every_ns +
				    (int64_t)SLACK_NS +
				    (int64_t)contents_apart_ns(c->contents)) {
		struct anomaly a = misfired_anomaly(p, m->seq);

		check_raise(c, &a,
		    WHO " sent sequence %llu, which says that the next comes "
			"%.3f s later: its period is %.3f s",
		    NAME(p), (unsigned long long)m->seq,
		    (double)(m->next_ns - m->stamp_ns) / 1e9,
		    (double)p->every_ns / 1e9);
	} else if (!was_gone(c, p, m) &&
		   misfired_is_late(c, due_ns, span_ns[1]))
		raise_late(c, p, m->seq, misfired_used(c, due_ns, span_ns[1]));
}

static void
judge_once(struct check *c, struct misfired_plan *p, const struct msg_fired *m)
{
	uint64_t due_ns = misfired_due(c, p),
		 came_ns = misfired_mono(c, m->stamp_ns);

	if (misfired_is_before(c, m->stamp_ns, p->at_ns))
		raise_early(c, p, m, p->at_ns);
	else if (!was_gone(c, p, m) && p->ok_ns != 0 && p->fired == 0 &&
		 misfired_is_late(c, due_ns, came_ns))
		raise_late(c, p, m->seq, misfired_used(c, due_ns, came_ns));
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

void
misfired_on_fired(struct check *c, const struct msg_fired *m)
{
	struct misfired_plan *p = misfired_find(c->state, m->id);
	struct anomaly a;

	if (p == NULL) {
		raise_unknown(c, m);
		return;
	}
	p->is_mixed |= p->fired > 0 && m->seq < p->fired_seq[1];
	if (!p->is_told &&
	    (m->sum != p->sum || !m->fits || m->group != p->group ||
		m->ttl_ns != p->ttl_ns)) {
		a = misfired_anomaly(p, m->seq);
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
