/* SPDX-License-Identifier: ISC */
/* faults: which are in force, and what the availability clock says. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/faults.h"

#define S	 UINT64_C(1000000000)
#define ELECTION (FAULTS_ELECTION_NS / S)

static void
planned(struct faults *f, uint64_t t, uint32_t fault, bool stops)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED, .time_ns = t * S};

	ev.u.fault_planned.fault = fault;
	ev.u.fault_planned.stops_clock = stops;
	faults_event(f, &ev);
}

static void
applied(struct faults *f, uint64_t t, uint32_t fault, bool ok)
{
	struct event ev = {.type = MESSAGE_FAULT_APPLIED, .time_ns = t * S};

	ev.u.fault_applied.fault = fault;
	ev.u.fault_applied.ok = ok;
	faults_event(f, &ev);
}

static void
healed(struct faults *f, uint64_t t, uint32_t fault, bool ok)
{
	struct event ev = {.type = MESSAGE_FAULT_HEALED, .time_ns = t * S};

	ev.u.fault_healed.fault = fault;
	ev.u.fault_healed.ok = ok;
	faults_event(f, &ev);
}

/* Time passes until an event that is not taken note of. */
static void
pass(struct faults *f, uint64_t t)
{
	struct event ev = {.type = MESSAGE_PHASE, .time_ns = t * S};

	faults_pass(f, &ev);
}

/* Any event at all: it lets the clock settle. */
static void
something(struct faults *f, uint64_t t)
{
	struct event ev = {.type = MESSAGE_PHASE, .time_ns = t * S};

	faults_event(f, &ev);
}

static void
test_graceful_runs_on(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	assert_false(faults_active(&f));
	planned(&f, 10, 1, false);
	applied(&f, 11, 1, true);
	assert_true(faults_active(&f));
	assert_int_equal(faults_stood(&f, 0, 100 * S), 0);
	healed(&f, 20, 1, true);
	assert_false(faults_active(&f));
	assert_int_equal(faults_stood(&f, 0, 100 * S), 0);
	assert_int_equal(f.planned, 1);
	assert_int_equal(f.applied, 1);
	assert_int_equal(f.healed, 1);
	assert_false(faults_quiet_for(&f, 39 * S, 20 * S));
	assert_true(faults_quiet_for(&f, 40 * S, 20 * S));
}

static void
test_stopping(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	assert_int_equal(faults_stood(&f, 0, 10 * S), 0);
	assert_int_equal(faults_stood(&f, 0, 15 * S), 5 * S);
	healed(&f, 20, 1, true);
	assert_int_equal(faults_stood(&f, 0, 25 * S), 15 * S);
	assert_int_equal(
	    faults_stood(&f, 0, (20 + ELECTION) * S), (10 + ELECTION) * S);
	/* Asked before an event settles it, and after. */
	assert_int_equal(faults_stood(&f, 0, 1000 * S), (10 + ELECTION) * S);
	something(&f, 900);
	assert_int_equal(faults_stood(&f, 0, 1000 * S), (10 + ELECTION) * S);
}

static void
test_overlapping(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	planned(&f, 12, 2, true);
	planned(&f, 13, 3, false);
	healed(&f, 15, 1, true);
	assert_int_equal(faults_stood(&f, 0, 100 * S), 90 * S);
	healed(&f, 30, 2, true);
	/* A new one before the elections are over: it never went on. */
	planned(&f, 35, 4, true);
	assert_int_equal(faults_stood(&f, 0, 100 * S), 90 * S);
	healed(&f, 40, 4, true);
	assert_int_equal(faults_stood(&f, 0, 200 * S), (30 + ELECTION) * S);
	assert_true(faults_active(&f));
	healed(&f, 41, 3, true);
	assert_false(faults_active(&f));
	/* And again much later: the two times add up. */
	planned(&f, 100, 5, true);
	healed(&f, 110, 5, true);
	assert_int_equal(
	    faults_stood(&f, 0, 200 * S), (30 + ELECTION + 10 + ELECTION) * S);
}

static void
test_strict(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	f.strict = true;
	planned(&f, 10, 1, true);
	assert_true(faults_active(&f));
	assert_int_equal(faults_stood(&f, 0, 100 * S), 0);
	healed(&f, 20, 1, true);
	assert_int_equal(faults_stood(&f, 0, 100 * S), 0);
}

static void
test_failures(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	applied(&f, 11, 1, false);
	healed(&f, 12, 1, false);
	healed(&f, 13, 1, true); /* called twice: says nothing new */
	healed(&f, 14, 99, true);
	assert_int_equal(f.applied, 0);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.healed, 0);
	assert_int_equal(f.unhealed, 1);
	assert_true(faults_active(&f));
	/* What could not be undone may hinder JetStream for ever. */
	assert_int_equal(faults_stood(&f, 0, 100 * S), 90 * S);
}

static void
test_more_than_fit(void **state)
{
	struct faults f;
	uint32_t i;

	(void)state;
	faults_init(&f);
	for (i = 1; i <= FAULTS_OPEN_MAX + 10; i++)
		planned(&f, 10, i, true);
	for (i = 1; i <= FAULTS_OPEN_MAX + 10; i++)
		healed(&f, 20, i, true);
	assert_false(faults_active(&f));
	assert_int_equal(faults_stood(&f, 0, 500 * S), (10 + ELECTION) * S);
}

static void
undone(struct faults *f, uint64_t t, uint32_t fault, uint64_t patience)
{
	struct event ev = {.type = MESSAGE_FAULT_UNDONE, .time_ns = t * S};

	ev.u.fault_undone.fault = fault;
	ev.u.fault_undone.patience_ns = patience * S;
	faults_event(f, &ev);
}

static void
whole(struct faults *f, uint64_t t)
{
	struct event ev = {.type = MESSAGE_CLUSTER_WHOLE, .time_ns = t * S};

	faults_event(f, &ev);
}

/* A process of ours has stood still since then, or did until now. */
static void
silent(struct faults *f, uint64_t t, uint64_t since)
{
	struct event ev = {.type = MESSAGE_OURS_SILENT, .time_ns = t * S};

	ev.u.ours_silent.silent_ns = (t - since) * S;
	faults_event(f, &ev);
}

/* What was not seen healed is over when it is seen whole, and not before. */
static void
test_whole_later(void **state)
{
	struct event ev = {.type = MESSAGE_SETTLED, .time_ns = 500 * S};
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	applied(&f, 11, 1, true);
	healed(&f, 140, 1, false);
	assert_true(faults_active(&f));
	assert_false(faults_in_effect(&f));
	assert_false(faults_quiet_for(&f, 300 * S, S));
	assert_false(faults_quiet_between(&f, 200 * S, 201 * S));
	assert_int_equal(faults_stood(&f, 0, 300 * S), 290 * S);
	whole(&f, 300);
	assert_false(faults_active(&f));
	assert_int_equal(faults_stood(&f, 0, 999 * S), (290 + ELECTION) * S);
	assert_false(faults_quiet_between(&f, 200 * S, 201 * S));
	assert_true(faults_quiet_between(&f, 301 * S, 302 * S));
	assert_true(faults_quiet_for(&f, 301 * S, S));
	/* The audit's own look at the cluster says it, too. */
	planned(&f, 400, 2, true);
	healed(&f, 410, 2, false);
	faults_event(&f, &ev); /* it did not settle */
	assert_true(faults_active(&f));
	ev.time_ns = 510 * S;
	ev.u.settled.ok = 1;
	faults_event(&f, &ev);
	assert_false(faults_active(&f));
	assert_int_equal(
	    faults_stood(&f, 400 * S, 999 * S), (110 + ELECTION) * S);
	/* A fault that is in force has not healed by that. */
	planned(&f, 600, 3, true);
	whole(&f, 601);
	assert_true(faults_active(&f));
	assert_int_equal(faults_stood(&f, 600 * S, 700 * S), 100 * S);
}

/* Nor does it stand for ever when its cause is undone. */
static void
test_undone(void **state)
{
	struct faults f;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, true);
	undone(&f, 20, 1, 120);
	undone(&f, 20, 99, 120);
	assert_int_equal(faults_stood(&f, 0, 130 * S), 120 * S);
	healed(&f, 139, 1, false);
	assert_true(faults_active(&f));
	/* Known before any event settles it, and after. */
	assert_int_equal(faults_stood(&f, 0, 999 * S), (130 + ELECTION) * S);
	something(&f, 140);
	assert_false(faults_active(&f));
	assert_int_equal(faults_stood(&f, 0, 999 * S), (130 + ELECTION) * S);
	assert_false(faults_quiet_between(&f, 139 * S, 300 * S));
	assert_true(faults_quiet_between(&f, 141 * S, 300 * S));
	/* Whole before that: it is over then. */
	planned(&f, 400, 2, true);
	undone(&f, 401, 2, 120);
	healed(&f, 520, 2, false);
	whole(&f, 520);
	assert_int_equal(
	    faults_stood(&f, 400 * S, 999 * S), (120 + ELECTION) * S);
	/* Healed in time: what was undone when does not matter. */
	planned(&f, 600, 3, true);
	undone(&f, 601, 3, 120);
	healed(&f, 610, 3, true);
	assert_int_equal(
	    faults_stood(&f, 600 * S, 999 * S), (10 + ELECTION) * S);
	/* Never undone: nobody knows what it does. */
	planned(&f, 700, 4, true);
	healed(&f, 800, 4, false);
	something(&f, 5000);
	assert_int_equal(faults_stood(&f, 700 * S, 5000 * S), 4300 * S);
}

/* Told afterwards, again and again: it counts from its beginning, once. */
static void
test_silence(void **state)
{
	struct event ev = {.type = MESSAGE_CHILD_SILENT, .time_ns = 107 * S};
	struct faults f;
	uint64_t t;

	(void)state;
	faults_init(&f);
	f.strict = true; /* it is our fault, whatever the user wants judged */
	for (t = 13; t <= 55; t++)
		silent(&f, t, 10);
	assert_int_equal(faults_stood(&f, 0, 999 * S), (45 + ELECTION) * S);
	assert_int_equal(faults_stood(&f, 0, 20 * S), 10 * S);
	assert_int_equal(faults_stood(&f, 20 * S, 30 * S), 10 * S);
	assert_int_equal(f.npast, 1);
	assert_false(faults_active(&f));
	assert_false(faults_quiet_for(&f, 60 * S, 10 * S));
	assert_true(faults_quiet_for(&f, 65 * S, 10 * S));
	assert_false(faults_quiet_between(&f, 0, 10 * S));
	assert_true(faults_quiet_between(&f, 0, 9 * S));
	ev.u.child_silent.silent_ns = 7 * S;
	faults_event(&f, &ev);
	assert_int_equal(faults_stood(&f, 90 * S, 999 * S), (7 + ELECTION) * S);
	/* Before a span, over two, and inside of one. */
	silent(&f, 200, 90);
	assert_int_equal(f.stood.n, 2);
	silent(&f, 300, 20);
	assert_int_equal(f.stood.n, 1);
	silent(&f, 120, 110);
	assert_int_equal(faults_stood(&f, 0, 999 * S), (290 + ELECTION) * S);
}

/* What is forgotten counts as if the clock had stood. */
static void
test_forgotten(void **state)
{
	struct faults f;
	uint64_t i;

	(void)state;
	faults_init(&f);
	for (i = 0; i < FAULTS_PAST + 2; i++)
		silent(&f, 101 + 100 * i, 100 + 100 * i);
	/* The first two of them are, and all before their ends. */
	assert_int_equal(faults_stood(&f, 0, 300 * S), 221 * S);
	assert_int_equal(
	    faults_stood(&f, 300 * S, 500 * S), 2 * (1 + ELECTION) * S);
	/* One that is older than all that are known changes nothing. */
	silent(&f, 12, 10);
	assert_int_equal(faults_stood(&f, 0, 300 * S), 300 * S);
}

static void
tick(struct faults *f, uint64_t t)
{
	struct event ev = {.type = MESSAGE_TICK, .time_ns = t * S};

	faults_event(f, &ev);
}

/* No ticks, no host: that time is nobody's, whatever ends the silence. */
static void
test_host_stood_still(void **state)
{
	struct event ev = {.type = MESSAGE_DROPPED, .time_ns = 500 * S};
	struct faults f;

	(void)state;
	faults_init(&f);
	tick(&f, 1);
	tick(&f, 2);
	something(&f, 6);
	assert_int_equal(faults_stood(&f, 0, 60 * S), 0);
	assert_true(faults_quiet_between(&f, 0, 60 * S));
	pass(&f, 62);
	assert_int_equal(faults_stood(&f, 0, 62 * S), 60 * S);
	assert_false(faults_quiet_between(&f, 30 * S, 31 * S));
	tick(&f, 62);
	tick(&f, 63);
	assert_int_equal(faults_stood(&f, 0, 300 * S), (60 + ELECTION) * S);
	/* A fault that ends the silence does not hide it. */
	planned(&f, 122, 1, false);
	assert_int_equal(faults_stood(&f, 63 * S, 123 * S), 60 * S);
	assert_false(faults_quiet_between(&f, 100 * S, 101 * S));
	healed(&f, 124, 1, true);
	tick(&f, 125);
	/* What a bounded journal has dropped did not stand still. */
	faults_event(&f, &ev);
	assert_int_equal(faults_stood(&f, 200 * S, 999 * S), 0);
}

static void
test_quiet_between(void **state)
{
	struct faults f;
	uint64_t i;

	(void)state;
	faults_init(&f);
	planned(&f, 10, 1, false);
	assert_true(faults_quiet_between(&f, 0, 9 * S));
	assert_false(faults_quiet_between(&f, 5 * S, 10 * S));
	assert_false(faults_quiet_between(&f, 50 * S, 60 * S));
	healed(&f, 20, 1, true);
	assert_false(faults_quiet_between(&f, 15 * S, 16 * S));
	assert_false(faults_quiet_between(&f, 5 * S, 30 * S));
	assert_false(faults_quiet_between(&f, 20 * S, 30 * S));
	assert_true(faults_quiet_between(&f, 21 * S, 30 * S));
	/* What is forgotten is not quiet. */
	for (i = 0; i < FAULTS_PAST; i++) {
		planned(&f, 100 + 2 * i, 2, true);
		healed(&f, 101 + 2 * i, 2, true);
	}
	assert_false(faults_quiet_between(&f, 0, 9 * S));
	assert_false(faults_quiet_between(&f, 19 * S, 30 * S));
	assert_true(faults_quiet_between(&f, 21 * S, 30 * S));
}

#define SECONDS 600
#define MODEL	8

/* Second by second against plain arrays. */
struct model {
	struct faults f;
	struct model_fault {
		bool is_open, stops, is_unhealed;
		uint64_t planned, over; /* 0: not known */
	} faults[MODEL];
	bool stood[2 * SECONDS], loud[2 * SECONDS];
};

static void
mark(bool *a, uint64_t from, uint64_t to)
{
	for (; from < to && from < 2 * SECONDS; from++)
		a[from] = true;
}

static void
model_close(struct model *m, unsigned k, uint64_t over)
{
	struct model_fault *o = &m->faults[k];

	mark(m->loud, o->planned, over + 1);
	if (o->stops)
		mark(m->stood, o->planned, over + ELECTION);
	o->is_open = false;
}

static void
model_act(struct model *m, struct rng *rng, uint64_t t)
{
	unsigned k = (unsigned)rng_below(rng, MODEL), i;
	struct model_fault *o = &m->faults[k];
	bool ok = rng_below(rng, 2) == 0;
	uint64_t n = rng_below(rng, 40);

	switch (rng_below(rng, 24)) {
	case 0:
		if (o->is_open)
			break;
		*o = (struct model_fault){true, k < 5, false, t, 0};
		planned(&m->f, t, k, k < 5);
		break;
	case 1:
		undone(&m->f, t, k, n);
		if (o->is_open && !o->is_unhealed)
			o->over = t + n;
		break;
	case 2:
		healed(&m->f, t, k, ok);
		if (!o->is_open || o->is_unhealed)
			break;
		o->is_unhealed = !ok;
		if (ok)
			model_close(m, k, t);
		break;
	case 3:
		whole(&m->f, t);
		for (i = 0; i < MODEL; i++)
			if (m->faults[i].is_open && m->faults[i].is_unhealed)
				model_close(m, i, t);
		break;
	case 4:
		n = n < t ? n : t - 1;
		silent(&m->f, t, t - n);
		mark(m->loud, t - n, t + 1);
		mark(m->stood, t - n, t + ELECTION);
		break;
	default:
		something(&m->f, t);
		break;
	}
}

static void
model_pass(struct model *m, uint64_t t)
{
	struct model_fault *o;
	unsigned i;

	for (i = 0; i < MODEL; i++) {
		o = &m->faults[i];
		if (o->is_open && o->is_unhealed && o->over != 0 &&
		    o->over <= t)
			model_close(m, i, o->over);
	}
	pass(&m->f, t);
}

static bool
model_is(const struct model *m, const bool *a, uint64_t at, bool clock)
{
	unsigned i;

	for (i = 0; i < MODEL; i++)
		if (m->faults[i].is_open && at >= m->faults[i].planned &&
		    (!clock || m->faults[i].stops))
			return true;
	return a[at];
}

static void
model_compare(const struct model *m, struct rng *rng, uint64_t t)
{
	uint64_t from = rng_below(rng, t + 1), stood = 0, at;
	bool quiet = true;

	for (at = from; at < t; at++)
		stood += model_is(m, m->stood, at, true);
	for (at = from; at <= t; at++)
		quiet &= !model_is(m, m->loud, at, false);
	assert_int_equal(faults_stood(&m->f, from * S, t * S), stood * S);
	assert_int_equal(faults_quiet_between(&m->f, from * S, t * S), quiet);
}

static void
test_random(void **state)
{
	static struct model m;
	struct rng rng;
	uint64_t t;
	int round;

	(void)state;
	rng_init(&rng, support_seed(), "faults");
	for (round = 0; round < 300; round++) {
		memset(&m, 0, sizeof(m));
		for (t = 1; t < SECONDS; t++) {
			model_pass(&m, t);
			model_act(&m, &rng, t);
			model_pass(&m, t);
			model_compare(&m, &rng, t);
		}
	}
}

/* Overloaded for the second before t. */
static void
busy(struct faults *f, uint64_t t, uint32_t tasks)
{
	struct event ev = {.type = MESSAGE_HOST_LOAD, .time_ns = t * S};

	ev.u.host_load.span_ns = S;
	ev.u.host_load.tasks = tasks;
	faults_event(f, &ev);
}

/*
 * Only what the clock ran counts, only an overloaded host, and what is no
 * longer remembered counts as if it had been.
 */
static void
test_busy(void **state)
{
	struct faults f;
	uint64_t t;

	(void)state;
	faults_init(&f);
	busy(&f, 10, FAULTS_BUSY_TASKS);
	busy(&f, 11, FAULTS_BUSY_TASKS - 1);
	busy(&f, 12, FAULTS_BUSY_TASKS);
	busy(&f, 13, FAULTS_BUSY_TASKS);
	assert_int_equal(f.busy.n, 2);
	assert_int_equal(faults_busy(&f, 0, 100 * S), 3 * S);
	assert_int_equal(faults_busy(&f, 12 * S, 100 * S), S);
	assert_int_equal(faults_busy(&f, 10 * S, 11 * S), 0);
	assert_true(faults_quiet_between(&f, 0, 100 * S));
	silent(&f, 15, 12);
	assert_int_equal(faults_busy(&f, 0, 100 * S), 2 * S);
	for (t = 0; t < FAULTS_PAST; t++)
		busy(&f, 1000 + 2 * t, FAULTS_BUSY_TASKS);
	assert_int_equal(f.busy.n, FAULTS_PAST);
	assert_int_equal(faults_busy(&f, 500 * S, 5000 * S), FAULTS_PAST * S);
	assert_int_equal(f.busy.from_ns, 13 * S);
	assert_int_equal(faults_busy(&f, 5 * S, 100 * S), 7 * S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_graceful_runs_on),
	    cmocka_unit_test(test_stopping),
	    cmocka_unit_test(test_overlapping),
	    cmocka_unit_test(test_strict),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_more_than_fit),
	    cmocka_unit_test(test_host_stood_still),
	    cmocka_unit_test(test_whole_later),
	    cmocka_unit_test(test_undone),
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_forgotten),
	    cmocka_unit_test(test_quiet_between),
	    cmocka_unit_test(test_busy),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
