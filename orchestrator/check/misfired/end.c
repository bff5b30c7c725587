/* SPDX-License-Identifier: ISC */
/* What is there when the audit has read a stream, and what lacks. */
#include <errno.h>

#include "orchestrator/check/misfired/misfired.h"
#include "proto/base/array.h"

/* The same of what is there, or is not, as the audit's leader says. */
static struct anomaly
anomaly_at_end(const struct check *c, struct misfired_plan *p, uint64_t seq)
{
	struct anomaly a = misfired_anomaly(p, seq);

	a.class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION;
	return a;
}

/* What was sent of one that should send once. */
static void
judge_sent(
    struct check *c, struct misfired_plan *p, const struct misfired_reading *r)
{
	uint64_t span_ns[2] = {p->invoked_ns, r->begun_ns};
	struct anomaly a;

	if (p->fired > 1) {
		if (misfired_is_one_clock(c)) {
			span_ns[0] = misfired_mono(c, p->stamps[0]);
			span_ns[1] = misfired_mono(c, p->stamps[1]);
		}
		if (span_ns[0] > span_ns[1]) /* they were read in that order */
			span_ns[0] = span_ns[1];
		misfired_raise_steady(c, p, p->fired_seq[1], span_ns,
		    ", and had sent its message before");
	} else if (p->is_waiting && r->is_counted && misfired_is_one_clock(c) &&
		   misfired_mono(c, p->stamps[0]) + SLACK_NS < r->begun_ns) {
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
raise_gone(struct check *c, struct misfired_plan *p)
{
	const struct misfired_plan *q = misfired_find(c->state, p->group);
	struct anomaly a = anomaly_at_end(c, p, p->seq);

	while (
	    q != NULL && q != p && (q->fired == 0 || q->fired_seq[0] < p->seq))
		q = misfired_next(c->state, q);
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
judge_absent(
    struct check *c, struct misfired_plan *p, const struct misfired_reading *r)
{
	uint64_t due_ns = misfired_due(c, p), end_ns = r->begun_ns;
	struct anomaly a;

	if (p->touched_ns != 0 && p->touched_ns < end_ns)
		end_ns = p->touched_ns;
	if (misfired_is_late(c, due_ns, end_ns)) {
		a = anomaly_at_end(c, p, p->seq);
		check_raise(c, &a,
		    WHO " was due, and sent nothing%s within %.1f s in which "
			"the cluster could serve",
		    NAME(p), p->fired > 0 ? " more" : "",
		    (double)misfired_used(c, due_ns, end_ns) / 1e9);
	} else if (!p->is_waiting && p->touched_ns == 0 && p->fired == 0)
		raise_gone(c, p);
}

static void
judge_plan(
    struct check *c, struct misfired_plan *p, const struct misfired_reading *r)
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
scan_step(struct check *c, uint32_t stream, const struct misfired_reading *r)
{
	const struct misfired_state *st = c->state;
	struct misfired_plan *p;
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

int
misfired_on_scan(struct check *c, const struct event *ev)
{
	struct misfired_state *st = c->state;
	const struct msg_scan_begin *b = &ev->u.scan_begin;
	const struct msg_scan_end *e = &ev->u.scan_end;
	/* The stream is the first field of all of them. */
	struct misfired_reading *r = array_at(&st->readings, &st->nreadings,
	    b->stream, sizeof(*r), CHECK_SLOTS_MAX);

	if (r == NULL)
		return -ENOMEM;
	if (ev->type == MESSAGE_SCAN_BEGIN) {
		*r = (struct misfired_reading){c->now_ns, b->last, false};
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
