/* SPDX-License-Identifier: ISC */
/*
 * Messages that are sent again after they were acknowledged: what the server
 * says to that, wrongly and rightly. Second copies that are read have their
 * stories in test_judge.c, test_legal.c and test_pipeline.c.
 */
#include "tests/stories/pipe_story.h"

#include <string.h>

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "tests/stories/story.h"
#include "tests/support.h"

#define WINDOW_NS (600 * CLOCK_S)
#define MARGIN_NS (60 * CLOCK_S) /* a tenth of it */

/* A message that was acknowledged, and what it takes to send it again. */
struct message {
	uint64_t id, seq, first_ns;
};

static struct message
publish(struct pipe_story *s)
{
	struct message m = {pipe_new_id(s, 0), 0, s->now_ns};

	pipe_invoke(s, m.id, 1);
	m.seq = pipe_store(s, m.id);
	pipe_ok(s, m.id, 1, m.seq, false);
	return m;
}

static void
send_again(struct pipe_story *s, const struct message *m)
{
	struct event ev;

	pipe_event(message_id_source(m->id), MESSAGE_REPEAT_INVOKE, &ev);
	ev.u.repeat_invoke.id = m->id;
	ev.u.repeat_invoke.attempt = 1;
	ev.u.repeat_invoke.seq = m->seq;
	pipe_emit(s, &ev);
}

static void
answer(
    struct pipe_story *s, const struct message *m, uint64_t seq, bool duplicate)
{
	struct event ev;

	send_again(s, m);
	pipe_event(message_id_source(m->id), MESSAGE_REPEAT_OK, &ev);
	ev.u.repeat_ok.id = m->id;
	ev.u.repeat_ok.seq = seq;
	ev.u.repeat_ok.duplicate = duplicate;
	ev.u.repeat_ok.first = m->seq;
	ev.u.repeat_ok.first_ns = m->first_ns;
	pipe_emit(s, &ev);
}

static void
answer_nothing(struct pipe_story *s, const struct message *m)
{
	struct event ev;

	send_again(s, m);
	pipe_event(message_id_source(m->id), MESSAGE_REPEAT_UNKNOWN, &ev);
	ev.u.repeat_unknown.id = m->id;
	ev.u.repeat_unknown.attempt = 1;
	pipe_emit(s, &ev);
}

/* A server ends and comes back, and all is well. */
static void
restart(struct pipe_story *s)
{
	struct event ev;

	pipe_event(1, MESSAGE_FAULT_PLANNED, &ev);
	ev.u.fault_planned.fault = ++s->fault;
	ev.u.fault_planned.ends_server = 1;
	pipe_emit(s, &ev);
	pipe_event(1, MESSAGE_FAULT_HEALED, &ev);
	ev.u.fault_healed.fault = s->fault;
	ev.u.fault_healed.ok = 1;
	pipe_emit(s, &ev);
}

static void
led_by(struct pipe_story *s, const char *leader)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		pipe_leaders(s, leader);
		pipe_pass(s, 3 * CLOCK_S);
	}
}

/* Everybody has it, and after a restart. */
static struct message
publish_long_ago(struct pipe_story *s)
{
	struct message m = publish(s);

	pipe_catch_up(s);
	restart(s);
	return m;
}

static void
say_right(struct pipe_story *s)
{
	struct message m = publish_long_ago(s);

	answer(s, &m, m.seq, true);
}

static void
say_elsewhere(struct pipe_story *s)
{
	struct message m = publish_long_ago(s);

	answer(s, &m, m.seq - 1, true);
}

static void
say_new(struct pipe_story *s)
{
	struct message m = publish_long_ago(s);

	answer(s, &m, m.seq, false);
}

static void
store_again(struct pipe_story *s)
{
	struct message m = publish_long_ago(s);

	answer(s, &m, pipe_store(s, m.id), false);
	pipe_catch_up(s);
}

/* More often than the check remembers pairs. */
static void
store_again_often(struct pipe_story *s)
{
	unsigned i;

	for (i = 0; i < 5000; i++)
		store_again(s);
}

static void
store_again_unheard(struct pipe_story *s)
{
	struct message m = publish_long_ago(s);

	answer_nothing(s, &m);
	(void)pipe_store(s, m.id); /* nobody hears where */
	pipe_catch_up(s);
}

static void
say_nothing(struct pipe_story *s)
{
	struct message m = publish_long_ago(s);

	answer_nothing(s, &m);
}

static void
say_new_after(struct pipe_story *s, uint64_t ns)
{
	struct message m = publish(s);

	pipe_catch_up(s);
	pipe_pass(s, m.first_ns + ns - s->now_ns);
	answer(s, &m, m.seq + 1, false);
}

static void
say_new_in_time(struct pipe_story *s)
{
	say_new_after(s, WINDOW_NS - MARGIN_NS - CLOCK_S);
}

static void
say_new_late(struct pipe_story *s)
{
	say_new_after(s, WINDOW_NS - MARGIN_NS);
}

/* A clock was 100 s ahead: that is how much earlier ids are forgotten. */
static void
say_new_apart(struct pipe_story *s, uint64_t ns)
{
	struct event ev;

	pipe_event(1, MESSAGE_CLOCK_SET, &ev);
	ev.u.clock_set.node = 1;
	ev.u.clock_set.most_ns = 100 * (int64_t)CLOCK_S;
	pipe_emit(s, &ev);
	say_new_after(s, ns);
}

static void
say_new_apart_in_time(struct pipe_story *s)
{
	say_new_apart(s, 449 * CLOCK_S);
}

static void
say_new_apart_late(struct pipe_story *s)
{
	say_new_apart(s, 450 * CLOCK_S);
}

/* Nobody has received it: it is stored, whoever leads. */
static void
say_new_untaken(struct pipe_story *s)
{
	struct message m;

	pipe_catch_up(s);
	m = publish(s);
	restart(s);
	answer(s, &m, m.seq + 1, false);
	pipe_catch_up(s);
}

/* A replica is taken away and another is new: it may not know who takes it. */
static void
say_new_untaken_moved(struct pipe_story *s)
{
	struct event ev;

	pipe_event(1, MESSAGE_STREAM_CHANGE, &ev);
	ev.u.stream_change.replicas = 2;
	text_set(ev.u.stream_change.name, sizeof(ev.u.stream_change.name),
	    PIPE_NAME);
	pipe_emit(s, &ev);
	say_new_untaken(s);
}

static void
say_elsewhere_led_by(struct pipe_story *s, const char *leader)
{
	struct message m;

	pipe_catch_up(s);
	pipe_pass(s, 25 * CLOCK_S);
	pipe_leaders(s, "n1");
	m = publish(s);
	pipe_catch_up(s);
	pipe_leaders(s, leader);
	answer(s, &m, m.seq - 1, true);
	led_by(s, leader);
}

static void
say_elsewhere_quiet(struct pipe_story *s)
{
	say_elsewhere_led_by(s, "n1");
}

static void
say_elsewhere_led_anew(struct pipe_story *s)
{
	say_elsewhere_led_by(s, "n2");
}

static const struct row {
	const char *name;
	uint8_t retention;
	void (*go)(struct pipe_story *);
	uint64_t violations, documented, warnings;
	bool in_memory;
	bool is_unknown; /* whether each replica has the consumers */
} rows[] = {
    {"stored again: the answer, and the copy", RETENTION_LIMITS, store_again, 2,
	0, 0, false, false},
    {"another sequence", RETENTION_LIMITS, say_elsewhere, 1, 0, 0, false,
	false},
    {"not a duplicate", RETENTION_LIMITS, say_new, 1, 0, 0, false, false},
    {"at the end of the window", RETENTION_LIMITS, say_new_in_time, 1, 0, 0,
	false, false},
    {"at its end by another clock", RETENTION_LIMITS, say_new_apart_in_time, 1,
	0, 0, false, false},
    {"one leader, work queue", RETENTION_WORKQUEUE, say_elsewhere_quiet, 1, 0,
	0, false, false},
    {"one leader, interest", RETENTION_INTEREST, say_elsewhere_quiet, 1, 0, 0,
	false, false},
    {"not taken, work queue", RETENTION_WORKQUEUE, say_new_untaken, 1, 0, 0,
	false, false},
    {"not taken, interest", RETENTION_INTEREST, say_new_untaken, 1, 0, 0, false,
	false},
    {"in memory, never restarted", RETENTION_LIMITS, say_elsewhere_quiet, 1, 0,
	0, true, false},
    {"legal: right", RETENTION_LIMITS, say_right, 0, 0, 0, false, false},
    {"legal: no answer", RETENTION_LIMITS, say_nothing, 0, 0, 0, false, false},
    {"legal: behind the window", RETENTION_LIMITS, say_new_late, 0, 0, 0, false,
	false},
    {"legal: behind it by another clock", RETENTION_LIMITS, say_new_apart_late,
	0, 0, 0, false, false},
    {"legal: in memory, restarted", RETENTION_LIMITS, say_elsewhere, 0, 1, 0,
	true, false},
    {"legal: removed and stored again", RETENTION_WORKQUEUE, store_again, 0, 0,
	1, false, false},
    {"legal: the same with interest", RETENTION_INTEREST, store_again, 0, 0, 1,
	false, false},
    {"legal: the same, 5000 times", RETENTION_WORKQUEUE, store_again_often, 0,
	0, 5000, false, false},
    {"legal: the same, no answer", RETENTION_WORKQUEUE, store_again_unheard, 0,
	0, 1, false, false},
    {"legal: removed, another leader", RETENTION_WORKQUEUE,
	say_elsewhere_led_anew, 0, 0, 0, false, false},
    {"legal: not taken, and a replica is new", RETENTION_INTEREST,
	say_new_untaken_moved, 0, 0, 0, false, false},
    {"legal: unknown to a replica", RETENTION_INTEREST, say_new_untaken, 0, 0,
	0, false, true},
};

struct told {
	struct judge *judge;
	bool in_memory;
};

static void
sink(void *arg, struct event *ev)
{
	const struct told *t = arg;

	if (ev->type == MESSAGE_STREAM && t->in_memory)
		text_set(ev->u.stream.storage, sizeof(ev->u.stream.storage),
		    "memory");
	assert_int_equal(judge_event(t->judge, ev), 0);
}

static void
test_row(void **state)
{
	const struct row *r = *state;
	struct told t = {judge_create(NULL, NULL), r->in_memory};
	struct judge_result result;
	const struct anomaly *a;
	struct pipe_story s;
	unsigned k;
	size_t i;

	assert_non_null(t.judge);
	pipe_story_init(&s, support_seed());
	s.messages = 1000;
	s.retention = r->retention;
	s.is_unknown = r->is_unknown;
	s.plant = r->go;
	s.nplants = 1;
	s.plant_at[0] = 500;
	s.sink = sink;
	s.arg = &t;
	pipe_story_tell(&s);
	judge_finish(t.judge, &result);
	for (i = 0; (a = judge_anomaly(t.judge, i)) != NULL; i++)
		print_message("%s (%s): %s\n", anomaly_kind_name(a->kind),
		    anomaly_class_name(a->class), a->says);
	assert_int_equal(
	    result.exit_code, r->violations > 0 ? EXIT_VIOLATION : EXIT_PASS);
	for (k = 0; k < ANOMALY_COUNT; k++)
		assert_int_equal(judge_count(t.judge, k, CLASS_VIOLATION),
		    k == ANOMALY_DUPLICATE ? r->violations : 0);
	assert_int_equal(
	    judge_count(t.judge, ANOMALY_DUPLICATE, CLASS_DOCUMENTED),
	    r->documented);
	assert_int_equal(judge_count(t.judge, ANOMALY_DUPLICATE, CLASS_WARNING),
	    r->warnings);
	pipe_story_fini(&s);
	judge_destroy(t.judge);
}

int
main(void)
{
	enum {
		ROWS = sizeof(rows) / sizeof(rows[0])
	};
	struct CMUnitTest tests[ROWS];
	size_t i;

	memset(tests, 0, sizeof(tests));
	for (i = 0; i < ROWS; i++) {
		tests[i].name = rows[i].name;
		tests[i].test_func = test_row;
		tests[i].initial_state = (void *)(uintptr_t)&rows[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
