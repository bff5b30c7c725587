/* SPDX-License-Identifier: ISC */
/* The table of operations, and which schedule each is about; see schedule.h. */
#include "worker/workloads/schedule/schedule.h"

#define PATTERN_INVALID 10189 /* the servers don't know what comes again */
#define REPEATS_MOST	3     /* of a client at once */
#define PAST_NS		CLOCK_S
#define CLEAR_NS	(3 * CLOCK_S / 2) /* no message is on its way then */
#define FAR_NS		(24 * 3600 * CLOCK_S) /* longer than it matters */

static int64_t
wall_in(uint64_t ns)
{
	return clock_wall_ns() + (int64_t)ns;
}

static uint64_t
draw_ahead(struct worker *w)
{
	const struct schedule_options *o = w->options;

	return operate_below(w, o->ahead_ms * CLOCK_MS);
}

/*
 * Keep a schedule in mind; where there is no room another one goes, but none
 * that comes again: those would pile up.
 */
static void
keep(struct worker *w, const struct plan *p)
{
	struct schedule_state *s = w->state;
	unsigned i;

	if (s->n < SCHEDULE_LIVE) {
		s->live[s->n++] = *p;
		return;
	}
	i = (unsigned)operate_below(w, SCHEDULE_LIVE);
	while (s->live[i].every_ns != 0)
		i = (i + 1) % SCHEDULE_LIVE;
	s->live[i] = *p;
}

static void
forget(struct schedule_state *s, struct plan *p)
{
	*p = s->live[--s->n];
}

/* A schedule that is kept in mind, or NULL. */
static struct plan *
pick(struct worker *w)
{
	struct schedule_state *s = w->state;

	return s->n != 0 ? &s->live[operate_below(w, s->n)] : NULL;
}

static void
send_new(struct worker *w, struct plan *p, uint32_t stream)
{
	struct schedule_state *s = w->state;

	p->stream = stream;
	if (operate_below(w, 4) == 0)
		p->ttl_ns = SCHEDULE_TTL_S * CLOCK_S;
	if (schedule_send(w, p))
		keep(w, p);
	else if (w->session.code == PATTERN_INVALID)
		s->knows_times_only = true;
}

static void
send_at(struct worker *w, struct operation *op)
{
	struct plan p = {.times = TIMES_ONCE, .at_ns = wall_in(draw_ahead(w))};

	send_new(w, &p, op->stream);
}

static void
send_past(struct worker *w, struct operation *op)
{
	struct plan p = {.times = TIMES_ONCE, .at_ns = wall_in(0)};

	p.at_ns -= (int64_t)operate_below(w, PAST_NS);
	send_new(w, &p, op->stream);
}

static void
send_far(struct worker *w, struct operation *op)
{
	struct plan p = {
	    .times = TIMES_ONCE, .at_ns = wall_in(FAR_NS + draw_ahead(w))};

	send_new(w, &p, op->stream);
}

static void
send_every(struct worker *w, struct operation *op)
{
	struct plan p = {.times = TIMES_EVERY,
	    .every_ns = CLOCK_S + operate_below(w, 5) * CLOCK_S / 2};

	send_new(w, &p, op->stream);
}

static void
send_cron(struct worker *w, struct operation *op)
{
	/* These divide a minute. */
	static const uint64_t seconds[] = {1, 2, 3, 4};
	struct plan p = {.times = TIMES_CRON,
	    .every_ns = seconds[operate_below(w, 4)] * CLOCK_S};

	send_new(w, &p, op->stream);
}

/*
 * The same subject gets another schedule of its kind. The message of one whose
 * time has come may be on its way: it removes what it finds at its subject, or
 * puts it off.
 */
static void
send_again(struct worker *w, struct operation *op)
{
	const struct schedule_options *o = w->options;
	struct plan *p = pick(w);

	(void)op; /* the stream is that of the schedule */
	if (!o->races &&
	    (p->times != TIMES_ONCE || p->at_ns < wall_in(CLEAR_NS)))
		return;
	if (p->times == TIMES_ONCE)
		p->at_ns = wall_in(draw_ahead(w));
	p->seq = 0;
	/* One that may still repeat is removed later. */
	if (!schedule_send(w, p) && p->times == TIMES_ONCE)
		forget(w->state, p);
}

static void
cancel(struct worker *w, enum message_word how)
{
	struct plan *p = pick(w);

	if (how == REMOVER_DELETE && p->seq == 0)
		how = REMOVER_PURGE;
	if (schedule_remove(w, p, how) || p->times == TIMES_ONCE)
		forget(w->state, p);
}

static void
send_purge(struct worker *w, struct operation *op)
{
	(void)op;
	cancel(w, REMOVER_PURGE);
}

static void
send_delete(struct worker *w, struct operation *op)
{
	(void)op;
	cancel(w, REMOVER_DELETE);
}

static bool
draw_any(struct worker *w, struct operation *op)
{
	(void)w;
	(void)op;
	return true;
}

static bool
draw_repeat(struct worker *w, struct operation *op)
{
	const struct schedule_state *s = w->state;
	unsigned i, n = 0;

	(void)op;
	for (i = 0; i < s->n; i++)
		n += s->live[i].every_ns != 0;
	return n < REPEATS_MOST && !s->knows_times_only;
}

static bool
draw_live(struct worker *w, struct operation *op)
{
	const struct schedule_state *s = w->state;

	(void)op;
	return s->n != 0;
}

static const struct operate_row rows[] = {
    {"at", 20, 0, draw_any, send_at},
    {"past", 1, 0, draw_any, send_past},
    {"far", 1, 0, draw_any, send_far},
    {"every", 2, 0, draw_repeat, send_every},
    {"cron", 1, 0, draw_repeat, send_cron},
    {"replace", 6, 0, draw_live, send_again},
    {"purge", 3, 0, draw_live, send_purge},
    {"delete", 3, 0, draw_live, send_delete},
};

const struct operate_ops schedule_operate = {
    .option = "schedule.weights",
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
};
