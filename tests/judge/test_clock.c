/* SPDX-License-Identifier: ISC */
/*
 * The availability clock through the whole judge: faults that are not seen
 * healed, and silences of natsburn's own processes. Which slow operation
 * convicts, which doesn't, and that nothing blinds the clock for good.
 */
#include "tests/stories/story.h"

#include <string.h>

#include "proto/base/text.h"

#define PATIENCE_NS (120 * CLOCK_S) /* of most modes */

struct tale {
	const char *name;
	void (*tell)(struct story *);
	uint64_t timeouts, stuck; /* violations */
};

/* A publish that takes so long, and is then consumed. */
static void
slow_publish(struct story *s, uint64_t ns)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	story_pass(s, ns);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

static void
slow_delivery(struct story *s, uint64_t ns)
{
	uint64_t seq = story_publish(s);

	story_pass(s, ns);
	story_consume(s, seq);
}

/* A kill that is undone at once and not seen healed in its time. */
static void
unhealed(struct story *s, bool is_undone)
{
	uint32_t fault = story_fault(s, true);

	if (is_undone)
		story_undone(s, fault, PATIENCE_NS);
	story_pass(s, PATIENCE_NS);
	story_healed(s, fault, false);
}

/* P31: ten good minutes, and then slow for minutes without any fault. */
static void
whole_then_slow(struct story *s)
{
	unhealed(s, false);
	story_pass(s, 60 * CLOCK_S);
	story_whole(s);
	story_rounds(s, 20);
	story_pass(s, 600 * CLOCK_S);
	slow_publish(s, 250 * CLOCK_S);
	slow_delivery(s, 300 * CLOCK_S);
}

/* The same, where it never looks whole: churning streams are in the way. */
static void
undone_then_slow(struct story *s)
{
	unhealed(s, true);
	story_pass(s, 600 * CLOCK_S);
	slow_publish(s, 250 * CLOCK_S);
	slow_delivery(s, 300 * CLOCK_S);
}

/* P21: it runs again and never serves. */
static void
never_serves(struct story *s)
{
	uint64_t id = story_new_id(s);

	unhealed(s, true);
	story_invoke(s, id, 1);
	story_pass(s, 3600 * CLOCK_S);
	story_unknown(s, id, 1);
	story_publish_end(s, id, 2);
}

/* Begun under the fault: it has its time when the clock goes on. */
static void
begun_before(struct story *s)
{
	uint64_t id = story_new_id(s), seq;
	uint32_t fault = story_fault(s, true);

	story_invoke(s, id, 1);
	story_undone(s, fault, PATIENCE_NS);
	story_pass(s, PATIENCE_NS);
	story_healed(s, fault, false);
	story_pass(s, FAULTS_ELECTION_NS + 32 * CLOCK_S);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

/* Whole sooner than the bound: the clock goes on then. */
static void
whole_soon(struct story *s)
{
	uint32_t fault = story_fault(s, true);

	story_undone(s, fault, 10 * PATIENCE_NS);
	story_pass(s, PATIENCE_NS);
	story_healed(s, fault, false);
	story_whole(s);
	slow_publish(s, FAULTS_ELECTION_NS + 32 * CLOCK_S);
}

/* After a silence the time is the server's again. */
static void
slow_after_silence(struct story *s)
{
	story_silence(s, 45 * CLOCK_S);
	slow_publish(s, FAULTS_ELECTION_NS + 32 * CLOCK_S);
	story_silence(s, 45 * CLOCK_S);
	slow_delivery(s, FAULTS_ELECTION_NS + 40 * CLOCK_S);
}

/* Too short to be told: it is no excuse. */
static void
short_silence(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	story_silence(s, 2 * CLOCK_S);
	story_pass(s, 29 * CLOCK_S);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

/* A second late, and the history goes on for no longer than it has to. */
static void
late_at_the_end(struct story *s)
{
	slow_publish(s, 31 * CLOCK_S);
}

/* A fault has set a clock ahead for a moment: waits may be 20 s longer. */
static void
wait_by_another_clock(struct story *s, uint64_t ns)
{
	uint32_t fault = story_fault(s, true);
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_CLOCK_SET);
	uint64_t seq;

	ev->u.clock_set.most_ns = 20 * (int64_t)CLOCK_S;
	story_undone(s, fault, 20 * CLOCK_S);
	story_healed(s, fault, true);
	story_pass(s, 60 * CLOCK_S);
	seq = story_publish(s);
	story_pass(s, ns);
	story_consume(s, seq);
}

static void
too_late_by_another_clock(struct story *s)
{
	wait_by_another_clock(s, 51 * CLOCK_S);
}

/* what is legal */

static void
late_by_another_clock(struct story *s)
{
	wait_by_another_clock(s, 49 * CLOCK_S);
}

/* Nothing says that its cause is undone, nor that it is whole. */
static void
never_undone(struct story *s)
{
	unhealed(s, false);
	slow_publish(s, 600 * CLOCK_S);
}

/* As long as a fault may take to heal, and an election. */
static void
slow_while_undone(struct story *s)
{
	uint32_t fault = story_fault(s, true);

	story_undone(s, fault, PATIENCE_NS);
	slow_publish(s, PATIENCE_NS - CLOCK_S);
	story_healed(s, fault, false);
	slow_delivery(s, FAULTS_ELECTION_NS + 29 * CLOCK_S);
}

static void
slow_after_whole(struct story *s)
{
	unhealed(s, false);
	story_pass(s, 300 * CLOCK_S);
	story_whole(s);
	slow_publish(s, FAULTS_ELECTION_NS + 29 * CLOCK_S);
}

/* F2: our own link proxies stand still, and JetStream with them. */
static void
links_stand_still(struct story *s)
{
	uint64_t seq = story_publish(s), id = story_new_id(s);

	story_invoke(s, id, 1);
	story_silence(s, 45 * CLOCK_S);
	story_pass(s, FAULTS_ELECTION_NS + 28 * CLOCK_S);
	story_consume(s, seq);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

/*
 * It is late by a second when it ends, and of the last two we stood still:
 * which nobody knows yet.
 */
static void
late_by_our_silence(struct story *s)
{
	uint64_t id = story_new_id(s), begin_ns, seq;
	struct event *ev;

	story_invoke(s, id, 1);
	story_pass(s, 29 * CLOCK_S);
	begin_ns = s->now_ns;
	story_pass(s, 2 * CLOCK_S);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_pass(s, 2 * CLOCK_S);
	ev = story_add(s, STORY_CHAOS, MESSAGE_OURS_SILENT);
	ev->u.ours_silent.silent_ns = s->now_ns - begin_ns;
	story_consume(s, seq);
}

/* A worker's is told as late as anything is: with the tick after 6 s. */
static void
worker_stands_still(struct story *s)
{
	uint64_t id = story_new_id(s), begin_ns, seq;
	struct event *ev;

	story_invoke(s, id, 1);
	story_pass(s, 24 * CLOCK_S);
	begin_ns = s->now_ns;
	story_pass(s, 7 * CLOCK_S - 1);
	while (s->now_ns < begin_ns + 40 * CLOCK_S) {
		ev = story_add(s, 0, MESSAGE_CHILD_SILENT);
		ev->u.child_silent.child = STORY_CONSUMER;
		ev->u.child_silent.silent_ns = s->now_ns - begin_ns;
		story_pass(s, CLOCK_S);
	}
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

/* No ticks came: natsburn itself or the whole host stood still. */
static void
host_stands_still(struct story *s)
{
	s->tick_ns += 60 * CLOCK_S;
	slow_publish(s, 59 * CLOCK_S);
	s->tick_ns += 60 * CLOCK_S;
	slow_delivery(s, 59 * CLOCK_S);
}

/* The host is as busy for so long as HOST_LOAD says every five seconds. */
static void
busy_for(struct story *s, unsigned seconds, uint32_t tasks, uint64_t late_ns)
{
	struct event *ev;
	unsigned t;

	for (t = 0; t < seconds; t += 5) {
		story_pass(s, 5 * CLOCK_S);
		ev = story_add(s, 0, MESSAGE_HOST_LOAD);
		ev->u.host_load.span_ns = 5 * CLOCK_S;
		ev->u.host_load.tasks = tasks;
		ev->u.host_load.pressure = 1000;
		ev->u.host_load.late_ns = late_ns;
	}
}

/* A publish and a delivery, each on a host as busy for so long. */
static void
busy_operations(
    struct story *s, unsigned seconds, uint32_t tasks, uint64_t late_ns)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	busy_for(s, seconds, tasks, late_ns);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
	seq = story_publish(s);
	busy_for(s, seconds, tasks, late_ns);
	story_consume(s, seq);
	story_rounds(s, 20);
}

/* Whatever the pressure, fewer tasks a processor are no excuse. */
static void
busy_a_little(struct story *s)
{
	busy_operations(s, 60, FAULTS_BUSY_TASKS - 1, 999 * CLOCK_MS);
}

static void
host_overloaded(struct story *s)
{
	busy_operations(s, 60, FAULTS_BUSY_TASKS, 0);
}

static void
host_late(struct story *s)
{
	busy_operations(s, 60, 0, CLOCK_S);
}

/* Nobody ends it: it is late while it is open, too. */
static void
overloaded_then_slow(struct story *s)
{
	busy_for(s, 60, 2000, 0);
	slow_publish(s, 60 * CLOCK_S);
	slow_delivery(s, 60 * CLOCK_S);
}

/* Of 100 s the host had 60: a limit of 30 s is over in them. */
static void
overloaded_in_part(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	busy_for(s, 40, 2000, 0);
	story_pass(s, 60 * CLOCK_S);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
	seq = story_publish(s);
	story_pass(s, 60 * CLOCK_S);
	busy_for(s, 40, 2000, 0);
	story_consume(s, seq);
}

/* Overloaded for long, but not when it was needed: in time all the same. */
static void
overloaded_in_time(struct story *s)
{
	busy_for(s, 300, 2000, 0);
	slow_publish(s, 20 * CLOCK_S);
	slow_delivery(s, 20 * CLOCK_S);
}

/* The clock stands for a fault, and the host is overloaded: once is enough. */
static void
overloaded_under_a_fault(struct story *s)
{
	uint64_t id = story_new_id(s), seq;
	uint32_t fault;

	story_invoke(s, id, 1);
	fault = story_fault(s, true);
	busy_for(s, 30, 2000, 0);
	story_healed(s, fault, true);
	busy_for(s, 10, 2000, 0); /* the clock goes on after 20 s */
	story_pass(s, 60 * CLOCK_S);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

static const struct tale tales[] = {
    {"busy a little", busy_a_little, 1, 1},
    {"overloaded", host_overloaded, 0, 0},
    {"late", host_late, 0, 0},
    {"overloaded, then slow", overloaded_then_slow, 1, 1},
    {"overloaded in part", overloaded_in_part, 1, 1},
    {"overloaded, and in time", overloaded_in_time, 0, 0},
    {"overloaded under a fault", overloaded_under_a_fault, 1, 0},
    {"whole, then slow", whole_then_slow, 1, 1},
    {"undone, then slow", undone_then_slow, 1, 1},
    {"never serves", never_serves, 1, 0},
    {"begun before", begun_before, 1, 0},
    {"whole soon", whole_soon, 1, 0},
    {"slow after silence", slow_after_silence, 1, 1},
    {"short silence", short_silence, 1, 0},
    {"late at the end", late_at_the_end, 1, 0},
    {"too late by another clock", too_late_by_another_clock, 0, 1},
    {"late by another clock", late_by_another_clock, 0, 0},
    {"never undone", never_undone, 0, 0},
    {"slow while undone", slow_while_undone, 0, 0},
    {"slow after whole", slow_after_whole, 0, 0},
    {"links stand still", links_stand_still, 0, 0},
    {"late by our silence", late_by_our_silence, 0, 0},
    {"a worker stands still", worker_stands_still, 0, 0},
    {"the host stands still", host_stands_still, 0, 0},
};

static void
expect(const struct tale *t, const struct story_verdict *v)
{
	uint64_t timeouts = v->counts[ANOMALY_OP_TIMEOUT][CLASS_VIOLATION];
	uint64_t stuck = v->counts[ANOMALY_STUCK][CLASS_VIOLATION];

	if (timeouts != t->timeouts || stuck != t->stuck ||
	    story_other_violations(v, ANOMALY_OP_TIMEOUT) != stuck)
		fail_msg("%s: op_timeout %llu, stuck %llu\n%s", t->name,
		    (unsigned long long)timeouts, (unsigned long long)stuck,
		    v->says);
}

static void
test_tales(void **state)
{
	static const unsigned places[3][2] = {{0, 20}, {10, 10}, {20, 0}};
	struct story_verdict v;
	struct story s;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(tales) / sizeof(tales[0]); i++)
		for (k = 0; k < 3; k++) {
			story_init(&s, support_seed());
			story_open(&s);
			story_rounds(&s, places[k][0]);
			tales[i].tell(&s);
			story_rounds(&s, places[k][1]);
			story_close(&s);
			story_judge(&s, &v);
			expect(&tales[i], &v);
			story_fini(&s);
		}
}

/* The writer was killed before it could be known who stood still. */
static void
test_late_in_a_killed_run(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_rounds(&s, 10);
	slow_publish(&s, 31 * CLOCK_S);
	story_pass(&s, 5 * CLOCK_S);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_OP_TIMEOUT][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_OP_TIMEOUT][CLASS_WARNING], 1);
	assert_non_null(strstr(v.says, "stood still is not known"));
	/* A few seconds more, and it is. */
	story_pass(&s, 4 * CLOCK_S);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_OP_TIMEOUT][CLASS_VIOLATION], 1);
	assert_int_equal(v.counts[ANOMALY_OP_TIMEOUT][CLASS_WARNING], 0);
	story_fini(&s);
}

/* Very many that end late at once: as many as are kept convict. */
static void
test_very_many(void **state)
{
	static uint64_t ids[5000];
	struct story_verdict v;
	struct story s;
	unsigned i;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	for (i = 0; i < 5000; i++) {
		ids[i] = story_new_id(&s);
		story_invoke(&s, ids[i], 1);
	}
	story_pass(&s, 31 * CLOCK_S);
	for (i = 0; i < 5000; i++)
		story_ok(&s, ids[i], story_store(&s, ids[i]), false);
	for (i = 0; i < 5000; i++)
		story_consume(&s, i + 1);
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_OP_TIMEOUT][CLASS_VIOLATION], 4096);
	story_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tales),
	    cmocka_unit_test(test_late_in_a_killed_run),
	    cmocka_unit_test(test_very_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
