/* SPDX-License-Identifier: ISC */
/* Schedules that send early, late, twice, never, or although cancelled. */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

#define CLIENT 5
#define VOWED  CLASS_VIOLATION
#define MANY   9
#define LATE   (40 * CLOCK_S) /* --op-timeout is 30 s */

static const uint64_t places[] = {1, (MANY + 1) / 2, MANY};

/* What becomes of a schedule; times are from when it was stored. */
struct tale {
	uint64_t due, came; /* of ONCE; came 0: it sends nothing */
	uint64_t every;	    /* 0: once */
	bool waits;	    /* the audit reads it still */
};

static const struct tale honest = {
    .due = 2 * CLOCK_S, .came = 2 * CLOCK_S + CLOCK_MS};

struct told {
	uint64_t id, group, stored, seq;
	struct tale tale;
	uint64_t fired[4]; /* when */
	unsigned nfired;
	uint64_t
	    period; /* it says that the next comes so much later; 0: every */
};

/* The schedules of the story, which the audit shows. */
static struct told plans[64];
static unsigned nplans;
/* Something was stored while the audit read, or behind its reading. */
static bool is_uncounted, has_grown, grew_meanwhile;

static void
begin_on(struct store_story *s, const char *cluster)
{
	static const struct msg_contents plain = {.allow_rollup = 1};

	nplans = 0;
	is_uncounted = has_grown = grew_meanwhile = false;
	store_begin_on(s, &plain, cluster);
}

static void
begin(struct store_story *s)
{
	begin_on(s, "local");
}

static void
attempt(struct store_story *s, const struct told *p, uint32_t number)
{
	struct event ev = {.type = MESSAGE_SCHEDULE};
	struct msg_schedule *m = &ev.u.schedule;
	const struct tale *tale = &p->tale;

	m->stream = STORE_STREAM;
	m->id = p->id;
	m->attempt = number;
	m->group = p->group;
	m->times = tale->every != 0 ? TIMES_EVERY : TIMES_ONCE;
	m->every_ns = tale->every;
	m->at_ns = tale->every != 0 ? 0 : (int64_t)(p->stored + tale->due);
	m->sum = p->id * 31;
	store_feed(s, &ev);
}

/* It is sent: to a subject of its own, or (of) the same as another. */
static struct told *
sent(struct store_story *s, const struct tale *tale, const struct told *of)
{
	struct told *p = &plans[nplans++];

	*p = (struct told){.id = message_id(CLIENT, ++s->counter),
	    .stored = s->now,
	    .tale = *tale};
	p->group = of != NULL ? of->id : p->id;
	attempt(s, p, 1);
	if (tale->every == 0 && tale->came != 0)
		p->fired[p->nfired++] = p->stored + tale->came;
	return p;
}

static void
over(struct store_story *s, uint64_t id, uint8_t outcome)
{
	struct event ev = {.type = MESSAGE_CHANGE_END};

	ev.u.change_end = (struct msg_change_end){STORE_STREAM, id, outcome};
	store_feed(s, &ev);
}

static void
confirm(struct store_story *s, struct told *p)
{
	struct event ev = {.type = MESSAGE_SCHEDULE_OK};

	p->seq = ++s->last;
	ev.u.schedule_ok =
	    (struct msg_schedule_ok){STORE_STREAM, p->id, 1, p->seq, 0};
	store_feed(s, &ev);
	over(s, p->id, ENDED_OK);
}

static struct told *
put(struct store_story *s, const struct tale *tale, const struct told *of)
{
	struct told *p = sent(s, tale, of);

	confirm(s, p);
	return p;
}

/* So many attempts of a removal: confirmed, or (unknown) not answered. */
static void
cancel_by(struct store_story *s, const struct told *of, bool by_seq,
    bool unknown, uint32_t attempts)
{
	struct event ev;
	uint64_t id = message_id(CLIENT, ++s->counter);
	uint32_t i;

	for (i = 1; i <= attempts; i++) {
		ev = (struct event){.type = MESSAGE_UNSCHEDULE};
		ev.u.unschedule = (struct msg_unschedule){STORE_STREAM, id, i,
		    by_seq ? REMOVER_DELETE : REMOVER_PURGE,
		    of != NULL ? of->id : 0, by_seq ? of->seq : 0};
		store_feed(s, &ev);
	}
	ev = (struct event){.type = MESSAGE_CHANGE_OK};
	ev.u.change_ok.id = id;
	if (!unknown)
		store_feed(s, &ev);
	over(s, id, unknown ? ENDED_UNKNOWN : ENDED_OK);
}

/* A removal is sent. */
static void
cancel(struct store_story *s, const struct told *of, bool by_seq, bool unknown)
{
	cancel_by(s, of, by_seq, unknown, 1);
}

static void
show(struct store_story *s, const struct told *p, uint64_t at)
{
	struct event ev = {.type = MESSAGE_FIRED};
	struct msg_fired *m = &ev.u.fired;

	m->seq = ++s->last;
	m->stamp_ns = (int64_t)at;
	m->id = p->id;
	m->sum = p->id * 31;
	m->group = p->group;
	m->fits = 1;
	if (p->tale.every != 0)
		m->next_ns = (int64_t)(at + (p->period != 0 ? p->period
							    : p->tale.every));
	store_feed(s, &ev);
}

/* The audit: what was sent, what waits, and how the stream is then. */
static void
scan(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};
	unsigned i, k;

	store_pass(s, 20 * CLOCK_S);
	ev.u.scan_begin.last = s->last - grew_meanwhile;
	for (i = 0; i < nplans; i++)
		ev.u.scan_begin.last += plans[i].nfired;
	store_feed(s, &ev);
	for (i = 0; i < nplans; i++) {
		ev = (struct event){.type = MESSAGE_SCHEDULED};
		ev.u.scheduled.seq = plans[i].seq;
		ev.u.scheduled.id = plans[i].id;
		if (plans[i].tale.waits)
			store_feed(s, &ev);
		for (k = 0; k < plans[i].nfired; k++)
			show(s, &plans[i], plans[i].fired[k]);
	}
	ev = (struct event){.type = MESSAGE_SCAN_TALLY};
	ev.u.scan_tally.read = is_uncounted;
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_SCAN_END};
	ev.u.scan_end.complete = 1;
	ev.u.scan_end.last = s->last;
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_SCHEDULES_READ};
	ev.u.schedules_read.last = s->last + has_grown;
	store_feed(s, &ev);
}

static void
end(struct store_story *s)
{
	s->more = scan;
	store_end(s);
}

static void
end_with(struct store_story *s, enum anomaly_class class)
{
	s->more = scan;
	store_end_with(s, ANOMALY_MISFIRED, class);
}

/* Honest ones, with one at a place that is told otherwise. */
static void
told_at(struct store_story *s, uint64_t place, const struct tale *tale)
{
	uint64_t i;

	begin(s);
	for (i = 1; i <= MANY; i++)
		put(s, i == place ? tale : &honest, NULL);
	store_pass(s, LATE + 20 * CLOCK_S);
}

static void
broken_alone(void **state)
{
	static const struct tale tales[] = {
	    {.due = 3 * CLOCK_S, .came = 2 * CLOCK_S},
	    {.due = CLOCK_S, .came = CLOCK_S + LATE},
	    {.due = CLOCK_S, .came = 2 * CLOCK_S, .waits = true},
	    {.due = CLOCK_S},
	    {.due = 3600 * CLOCK_S},
	    {.due = CLOCK_S, .waits = true},
	};
	struct store_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < sizeof(tales) / sizeof(tales[0]); i++)
		for (k = 0; k < 3; k++) {
			told_at(&s, places[k], &tales[i]);
			end_with(&s, VOWED);
		}
}

/* Twice; and after a removal, or another schedule, that was confirmed. */
static void
broken_while_steady(void **state)
{
	static const struct tale later = {
	    .due = 10 * CLOCK_S, .came = 10 * CLOCK_S};
	struct store_story s;
	struct told *p;
	unsigned how, is_disturbed;

	(void)state;
	for (is_disturbed = 0; is_disturbed < 2; is_disturbed++)
		for (how = 0; how < 4; how++) {
			begin(&s);
			p = put(&s, &later, NULL);
			if (how == 0)
				p->fired[p->nfired++] = p->fired[0] + CLOCK_S;
			else if (how == 1)
				put(&s, &honest, p);
			else
				cancel(&s, p, how == 2, false);
			store_pass(&s, 9 * CLOCK_S);
			if (is_disturbed)
				store_fault(&s);
			store_pass(&s, 20 * CLOCK_S);
			end_with(&s, is_disturbed ? CLASS_WARNING : VOWED);
		}
}

/*
 * A second copy, which a new leader sent very late: that is no lateness of the
 * schedule.
 */
static void
second_is_late(void **state)
{
	struct store_story s;
	struct told *p;

	(void)state;
	begin(&s);
	p = put(&s, &honest, NULL);
	p->fired[p->nfired++] = p->fired[0] + LATE;
	store_pass(&s, 9 * CLOCK_S);
	store_fault(&s);
	store_pass(&s, LATE + 20 * CLOCK_S);
	end_with(&s, CLASS_WARNING);
}

/*
 * A first attempt that was not answered may come when its id is forgotten, and
 * so may a removal: it is there in place of the one that replaced it.
 */
static void
tried_twice(void **state)
{
	static const struct tale far = {.due = 3600 * CLOCK_S};
	struct store_story s;
	struct told *p;
	unsigned how;

	(void)state;
	for (how = 0; how < 2; how++) {
		begin(&s);
		p = sent(&s, &far, NULL);
		if (how == 0)
			attempt(&s, p, 2);
		confirm(&s, p);
		if (how == 1)
			cancel_by(&s, p, false, false, 2);
		store_fault(&s);
		store_pass(&s, 5 * CLOCK_S);
		put(&s, &far, p);
		store_pass(&s, 60 * CLOCK_S);
		p->tale.waits = how == 0;
		end(&s);
	}
}

/* Of a cluster that did not settle the leader may be one that is behind. */
static void
not_settled(void **state)
{
	static const struct tale tales[] = {
	    {.due = CLOCK_S, .came = 2 * CLOCK_S, .waits = true},
	    {.due = 3600 * CLOCK_S},
	    {.due = CLOCK_S, .waits = true},
	    {.due = 3600 * CLOCK_S, .waits = true},
	};
	struct event ev = {.type = MESSAGE_SETTLED};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(tales) / sizeof(tales[0]); i++) {
		begin(&s);
		put(&s, &tales[i], NULL);
		store_pass(&s, LATE + 20 * CLOCK_S);
		if (i == 3)
			cancel(&s, &plans[0], false, false);
		store_feed(&s, &ev);
		end_with(&s, CLASS_WARNING);
	}
}

/* It was removed, and is still there. */
static void
removed_and_waits(void **state)
{
	static const struct tale far = {.due = 3600 * CLOCK_S, .waits = true};
	struct store_story s;
	struct told *p;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		p = put(&s, &far, NULL);
		cancel(&s, p, i == 0, false);
		is_uncounted = i == 2; /* a replica that is behind shows it */
		if (i == 2)
			end(&s);
		else
			end_with(&s, VOWED);
	}
}

/* The message of the one before, still on its way, takes the new one along. */
static void
taken_along(void **state)
{
	static const struct tale gone = {.due = 5 * CLOCK_S};
	struct store_story s;
	struct told *p;

	(void)state;
	begin(&s);
	p = put(&s, &honest, NULL);
	store_pass(&s, 2 * CLOCK_S);
	put(&s, &gone, p);
	store_pass(&s, 8 * CLOCK_S);
	end_with(&s, VOWED);
}

/* A period of 3 s: at 3, 6, 9; of the last one the next may not have come. */
static struct told *
repeating(struct store_story *s)
{
	static const struct tale again = {.every = 3 * CLOCK_S};
	struct told *p = put(s, &again, NULL);

	for (; p->nfired < 3; p->nfired++)
		p->fired[p->nfired] =
		    p->stored + (p->nfired + 1) * p->tale.every;
	return p;
}

static void
repeats(void **state)
{
	struct store_story s;
	struct told *p;
	unsigned how;

	(void)state;
	for (how = 0; how < 7; how++) {
		begin(&s);
		p = repeating(&s);
		if (how == 1) /* too early at first, and ... */
			p->fired[0] -= CLOCK_S;
		else if (how == 2) /* ... again */
			p->fired[1] = p->fired[0] + CLOCK_S;
		else if (how == 3) /* or very late */
			p->fired[2] += LATE;
		else if (how == 4)
			p->period = 5 * CLOCK_S;
		else if (how == 6) /* it began between two seconds */
			p->fired[0] -= CLOCK_S / 2;
		store_pass(&s, how == 5 ? LATE + 20 * CLOCK_S : 10 * CLOCK_S);
		cancel(&s, NULL, false, false);
		store_pass(&s, LATE);
		if (how == 0 || how == 6)
			end(&s);
		else
			end_with(&s, VOWED);
	}
}

/* What was sent is not what was asked for, or by nobody. */
static void
other_contents(void **state)
{
	struct store_story s;
	struct event ev;
	struct told *p;
	unsigned how;

	(void)state;
	for (how = 0; how < 5; how++) {
		begin(&s);
		p = put(&s, &honest, NULL);
		p->nfired = 0;
		p->tale.waits = true;
		store_pass(&s, 5 * CLOCK_S);
		ev = (struct event){.type = MESSAGE_FIRED};
		ev.u.fired = (struct msg_fired){.seq = 9,
		    .stamp_ns = (int64_t)(p->stored + honest.came),
		    .id = how == 0 ? p->id + 7 : p->id,
		    .sum = p->id * 31 + (how == 1),
		    .group = p->id + (how == 2),
		    .fits = how != 3,
		    .ttl_ns = how == 4};
		store_feed(&s, &ev);
		end_with(&s, VOWED);
	}
}

/* Nobody knows what became of them. */
static void
unknown(void **state)
{
	static const struct tale gone = {.due = 5 * CLOCK_S};
	static const struct tale later = {
	    .due = 5 * CLOCK_S, .came = 6 * CLOCK_S};
	struct store_story s;
	struct told *p;
	unsigned how;

	(void)state;
	for (how = 0; how < 8; how++) {
		begin(&s);
		if (how == 0) { /* a schedule: it may be stored, or not */
			p = sent(&s, &gone, NULL);
			over(&s, p->id, ENDED_UNKNOWN);
			p = sent(&s, &later, NULL);
			over(&s, p->id, ENDED_UNKNOWN);
		} else if (how < 3) { /* a removal, likewise */
			p = put(&s, how == 1 ? &gone : &later, NULL);
			cancel(&s, p, false, true);
		} else if (how == 3) { /* before, and done later */
			p = sent(&s, &gone, NULL);
			over(&s, p->id, ENDED_UNKNOWN);
			put(&s, &gone, p);
		} else if (how == 4) { /* confirmed, and in vain */
			p = put(&s, &later, NULL);
			store_pass(&s, 7 * CLOCK_S);
			cancel(&s, p, false, false);
		} else if (how == 5) { /* it took what was there in time */
			p = put(&s, &gone, NULL);
			cancel(&s, p, true, false);
			put(&s, &honest, NULL);
		} else { /* something came while it was read */
			put(&s, &gone, NULL);
			has_grown = how == 6;
			grew_meanwhile = how == 7;
		}
		store_pass(&s, 60 * CLOCK_S);
		end(&s);
	}
}

/* A fault explains what came late; its clock stands for 20 s more. */
static void
late_by_fault(void **state)
{
	static const struct tale late = {
	    .due = 2 * CLOCK_S, .came = LATE + CLOCK_S};
	struct store_story s;
	unsigned is_fault;

	(void)state;
	for (is_fault = 0; is_fault < 2; is_fault++) {
		begin(&s);
		put(&s, &late, NULL);
		if (is_fault) {
			struct event ev = {.type = MESSAGE_FAULT_PLANNED};

			ev.u.fault_planned.fault = 1;
			ev.u.fault_planned.stops_clock = 1;
			store_feed(&s, &ev);
			ev = (struct event){.type = MESSAGE_FAULT_APPLIED};
			ev.u.fault_applied.fault = 1;
			ev.u.fault_applied.ok = 1;
			store_feed(&s, &ev);
			store_pass(&s, 10 * CLOCK_S);
			ev = (struct event){.type = MESSAGE_FAULT_HEALED};
			ev.u.fault_healed.fault = 1;
			ev.u.fault_healed.ok = 1;
			store_feed(&s, &ev);
		}
		store_pass(&s, 60 * CLOCK_S);
		if (is_fault)
			end(&s);
		else
			end_with(&s, VOWED);
	}
}

/* Where clocks differ only the leader's own convicts. */
static void
other_clocks(void **state)
{
	static const struct {
		struct tale tale;
		bool convicts;
	} rows[] = {
	    {{.due = 3 * CLOCK_S, .came = 2 * CLOCK_S}, true},
	    {{.due = CLOCK_S, .came = CLOCK_S + LATE}, false},
	    {{.due = CLOCK_S, .waits = true}, false},
	    {{.due = CLOCK_S}, true},
	};
	struct store_story s;
	struct event ev;
	unsigned i, how;

	(void)state;
	for (how = 0; how < 3; how++)
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			begin_on(&s, how == 0 ? "external" : "local");
			ev = (struct event){.type = MESSAGE_HELLO};
			ev.u.hello.wall_ns = (int64_t)(s.now + 5 * CLOCK_S);
			if (how == 1) /* the clock of the host was set */
				store_feed(&s, &ev);
			put(&s, &rows[i].tale, NULL);
			ev = (struct event){.type = MESSAGE_FAULT_PLANNED};
			ev.u.fault_planned.fault = 1;
			text_set(ev.u.fault_planned.mode,
			    sizeof(ev.u.fault_planned.mode), "clock_skew");
			if (how == 2)
				store_feed(&s, &ev);
			store_pass(&s, LATE + 30 * CLOCK_S);
			if (rows[i].convicts)
				end_with(&s, VOWED);
			else
				end(&s);
		}
}

/* A fault may set the leader's clock back by 3 s while it sends one. */
static void
early_by_a_step(void **state)
{
	static const struct tale tales[] = {
	    {.due = 5 * CLOCK_S, .came = 3 * CLOCK_S},
	    {.due = 5 * CLOCK_S, .came = CLOCK_S}};
	struct event ev = {.type = MESSAGE_CLOCK_SET};
	struct store_story s;
	unsigned i;

	(void)state;
	ev.u.clock_set.least_ns = -3 * (int64_t)CLOCK_S;
	for (i = 0; i < 2; i++) {
		begin(&s);
		store_feed(&s, &ev);
		put(&s, &tales[i], NULL);
		store_pass(&s, LATE + 30 * CLOCK_S);
		if (i == 0)
			end(&s);
		else
			end_with(&s, VOWED);
	}
}

/* One schedule after the other on a subject, and another try of the scan. */
static void
true_schedules(void **state)
{
	static const struct tale replaced = {.due = 5 * CLOCK_S};
	static const struct tale far = {.due = 3600 * CLOCK_S, .waits = true};
	struct store_story s;
	struct told *p;
	unsigned scans;

	(void)state;
	for (scans = 1; scans <= 2; scans++) {
		begin(&s);
		p = put(&s, &replaced, NULL);
		put(&s, &far, p);
		put(&s, &far, NULL);
		p = put(&s, &replaced, NULL);
		cancel(&s, p, false, false);
		put(&s, &honest, NULL);
		store_pass(&s, LATE);
		plans[1].tale.waits = plans[2].tale.waits = true;
		if (scans == 2)
			scan(&s);
		end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(true_schedules),
	    cmocka_unit_test(broken_alone),
	    cmocka_unit_test(broken_while_steady),
	    cmocka_unit_test(not_settled),
	    cmocka_unit_test(second_is_late),
	    cmocka_unit_test(tried_twice),
	    cmocka_unit_test(removed_and_waits),
	    cmocka_unit_test(taken_along),
	    cmocka_unit_test(repeats),
	    cmocka_unit_test(other_contents),
	    cmocka_unit_test(unknown),
	    cmocka_unit_test(late_by_fault),
	    cmocka_unit_test(other_clocks),
	    cmocka_unit_test(early_by_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
