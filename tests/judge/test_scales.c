/* SPDX-License-Identifier: ISC */
/*
 * Streams whose replicas a fault changes: which number counts when. Must fail:
 * what no number excuses, and what comes before or after the number that
 * would. Legal: what that number, or an update that may be done, excuses.
 */
#include "orchestrator/judge/scales.h"
#include "proto/base/text.h"
#include "tests/stories/story.h"

#include <stdio.h>
#include <string.h>

static void
ask(struct story *s, uint32_t replicas)
{
	struct msg_stream_change *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_STREAM_CHANGE)->u.stream_change;

	m->fault = s->faults;
	m->replicas = replicas;
	text_set(m->name, sizeof(m->name), "NB_b0b_queue");
}

static void
restored(struct story *s, bool unsure)
{
	struct msg_stream_restored *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_STREAM_RESTORED)
		 ->u.stream_restored;

	m->fault = s->faults;
	m->unsure = unsure;
	text_set(m->name, sizeof(m->name), "NB_b0b_queue");
}

/* A server ends, and comes back. */
static void
end_server(struct story *s)
{
	uint32_t fault = story_fault(s, true);

	story_pass(s, CLOCK_S);
	story_healed(s, fault, true);
}

/* What was confirmed comes again, and its number proves that it was sent. */
static void
redeliver(struct story *s, uint64_t seq)
{
	uint32_t source = story_consumer(s);
	uint64_t number;

	story_rounds(s, 2);
	number = story_deliver(s, source, seq, 2);
	story_ack_invoke(s, source, seq, number);
	story_ack_ok(s, source, seq, number);
	story_rounds(s, 3);
}

/* A confirmed ack is forgotten, of a stream that was scaled before. */
struct scaled {
	const char *name;
	uint32_t replicas, asked;
	bool is_over; /* it had its replicas again when the ack was confirmed */
	bool unsure;  /* but a request was never answered */
	bool ends;    /* a server does, as soon as it is confirmed */
	enum anomaly_class class;
};

static void
test_forgotten_ack(void **state)
{
	const struct scaled *t = *state;
	struct story_verdict v;
	struct story s;
	uint64_t seq;

	story_init(&s, 1);
	s.mayhem = "scale_stream";
	s.replicas = t->replicas;
	story_open(&s);
	story_rounds(&s, 10);
	story_phase(&s, "mayhem");
	ask(&s, t->asked);
	story_pass(&s, 5 * CLOCK_S);
	if (t->is_over) {
		ask(&s, t->replicas);
		story_pass(&s, CLOCK_S);
		restored(&s, t->unsure);
		story_pass(&s, 5 * CLOCK_S);
	}
	seq = story_round(&s);
	if (t->ends)
		end_server(&s);
	if (!t->is_over) {
		ask(&s, t->replicas);
		story_pass(&s, CLOCK_S);
		restored(&s, t->unsure);
	}
	story_pass(&s, 10 * CLOCK_S);
	redeliver(&s, seq);
	story_close(&s);
	story_judge(&s, &v);
	if (v.counts[ANOMALY_REDELIVERED_AFTER_ACK][t->class] != 1)
		fail_msg("%s: %s", t->name, v.says);
	assert_int_equal(
	    story_other_violations(&v, ANOMALY_REDELIVERED_AFTER_ACK), 0);
	story_fini(&s);
}

/*
 * A publish takes this long. Of what follows a request to change a stream 30 s
 * are excused, and not more, whatever the fault does.
 */
static void
test_slow_publish(void **state)
{
	static const struct {
		uint64_t takes_s;
		bool is_asked, strict, convicts;
	} rows[] = {{55, true, false, false}, {70, true, false, true},
	    {55, false, false, true}, {55, true, true, true}};
	struct story_verdict v;
	struct story s;
	uint64_t id, seq;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		story_init(&s, 1);
		s.mayhem = "scale_stream";
		s.strict = rows[i].strict;
		story_open(&s);
		story_rounds(&s, 10);
		story_phase(&s, "mayhem");
		id = story_new_id(&s);
		story_invoke(&s, id, 1);
		if (rows[i].is_asked)
			ask(&s, 1);
		story_pass(&s, rows[i].takes_s * CLOCK_S);
		seq = story_store(&s, id);
		story_ok(&s, id, seq, false);
		story_consume(&s, seq);
		story_close(&s);
		story_judge(&s, &v);
		assert_int_equal(v.counts[ANOMALY_OP_TIMEOUT][CLASS_VIOLATION],
		    rows[i].convicts);
		story_fini(&s);
	}
}

/* One server loses its power: it may have been the only replica. */
static void
test_power(void **state)
{
	struct story_verdict v;
	struct msg_power_lost *m;
	struct story s;
	uint32_t fault;
	uint64_t seq;
	int over;

	(void)state;
	for (over = 0; over < 2; over++) {
		story_init(&s, 1);
		s.mayhem = "power_loss";
		story_open(&s);
		story_rounds(&s, 10);
		story_phase(&s, "mayhem");
		ask(&s, 1);
		seq = story_round(&s);
		if (over) {
			ask(&s, 3);
			restored(&s, false);
		}
		story_pass(&s, 8 * CLOCK_S);
		fault = story_fault(&s, true);
		m = &story_add(&s, STORY_CHAOS, MESSAGE_POWER_LOST)
			 ->u.power_lost;
		m->node = 1;
		m->bytes = 1;
		m->whole_ns = s.now_ns - 2 * CLOCK_S;
		story_pass(&s, CLOCK_S);
		story_healed(&s, fault, true);
		story_pass(&s, 30 * CLOCK_S);
		story_mark(&s, seq, STORY_GONE);
		story_close(&s);
		story_judge(&s, &v);
		assert_int_equal(v.counts[ANOMALY_LOST][CLASS_VIOLATION], over);
		assert_int_equal(
		    v.counts[ANOMALY_LOST][CLASS_DOCUMENTED], !over);
		story_fini(&s);
	}
}

static void
test_spans(void **state)
{
	struct scales s = {0};
	uint64_t i;

	(void)state;
	assert_int_equal(scales_fewest(&s, 3, 0), 3);
	assert_false(scales_cover(&s, 5, 5));
	scales_ask(&s, 8, 3, 3); /* another field is changed */
	assert_int_equal(s.n, 0);
	scales_ask(&s, 10, 3, 5);
	scales_ask(&s, 12, 3, 1);
	assert_int_equal(scales_fewest(&s, 3, 100), 1);
	assert_int_equal(scales_most(&s, 3, 100), 5);
	assert_false(scales_cover(&s, 9, 9));
	assert_true(scales_cover(&s, 9, 10));
	assert_true(scales_cover(&s, 10, 10) && scales_cover(&s, 1000, 1000));
	scales_restore(&s, 21, false);
	assert_int_equal(scales_fewest(&s, 3, 21), 1);
	assert_int_equal(scales_fewest(&s, 3, 22), 3);
	assert_int_equal(scales_most(&s, 3, 22), 3);
	scales_restore(&s, 30, false); /* once is enough */
	assert_false(scales_cover(&s, 25, 25));
	/* The oldest become one, and say less: never more. */
	for (i = 0; i < 40; i++) {
		scales_ask(&s, 100 + 10 * i, 3, 2);
		scales_restore(&s, 105 + 10 * i, false);
	}
	assert_int_equal(s.n, SCALES_MAX);
	assert_true(scales_cover(&s, 15, 15) && scales_cover(&s, 492, 492));
	assert_false(scales_cover(&s, 488, 488));
	assert_int_equal(scales_fewest(&s, 3, 0), 1);
	assert_int_equal(scales_fewest(&s, 3, 480), 2);
	assert_int_equal(scales_fewest(&s, 3, 496), 3);
	/* What was never answered may come at any time, whatever follows. */
	scales_ask(&s, 500, 3, 1);
	scales_restore(&s, 501, true);
	for (i = 0; i < 40; i++) {
		assert_int_equal(scales_fewest(&s, 3, UINT64_MAX), 1);
		assert_true(scales_cover(&s, 1000, 1000));
		scales_ask(&s, 600 + 10 * i, 3, 5);
		scales_restore(&s, 605 + 10 * i, false);
	}
	assert_int_equal(scales_most(&s, 3, 1005), 5);
}

static const struct scaled scaled[] = {
    {"to one and back", 3, 1, false, false, false, CLASS_VIOLATION},
    {"its server ends while there is one", 3, 1, false, false, true,
	CLASS_DOCUMENTED},
    {"a server ends while there may be five", 3, 5, false, false, true,
	CLASS_VIOLATION},
    {"a server ends when there are three again", 3, 1, true, false, true,
	CLASS_VIOLATION},
    {"a server ends, and nobody knows whether there are", 3, 1, true, true,
	true, CLASS_DOCUMENTED},
    {"one of one, on its way to three", 1, 3, false, false, true,
	CLASS_DOCUMENTED},
    {"one of one, to three and back", 1, 3, true, false, false,
	CLASS_VIOLATION},
};

int
main(void)
{
	enum {
		ROWS = sizeof(scaled) / sizeof(scaled[0])
	};
	struct CMUnitTest tests[ROWS + 3] = {
	    {"spans", test_spans, NULL, NULL, NULL},
	    {"slow publish", test_slow_publish, NULL, NULL, NULL},
	    {"power", test_power, NULL, NULL, NULL}};
	unsigned i;

	for (i = 0; i < ROWS; i++)
		tests[3 + i] =
		    (struct CMUnitTest){scaled[i].name, test_forgotten_ack,
			NULL, NULL, (void *)(uintptr_t)&scaled[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
