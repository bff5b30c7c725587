/* SPDX-License-Identifier: ISC */
/*
 * What consumers say of themselves after the load: wrong numbers, missing
 * ones and consumers that are gone convict when they last; and each of these
 * with one thing changed, so that it doesn't.
 */
#include "tests/stories/pipe_story.h"
#include "tests/stories/story.h"

#include <string.h>

#include "proto/base/text.h"

#define LONG_NS (61 * CLOCK_S)

/* A consumer that waits so long with nothing new, and a client with it. */
static void
lasts(struct msg_consumer_info *m)
{
	m->polls = 60;
	m->lasted_ns = m->tried_ns = LONG_NS;
}

static void
twist_pending(uint32_t k, struct msg_consumer_info *m)
{
	lasts(m);
	m->pending = k == 0 ? 7 : 0;
}

static void
twist_pending_brief(uint32_t k, struct msg_consumer_info *m)
{
	m->pending = k == 0 ? 7 : 0;
}

static void
twist_ack_pending(uint32_t k, struct msg_consumer_info *m)
{
	lasts(m);
	m->ack_pending = k == 0 ? 3 : 0;
}

static void
twist_floor(uint32_t k, struct msg_consumer_info *m)
{
	lasts(m);
	if (k == 0)
		m->floor_stream -= 10;
}

/* It says that it delivered less than it has, and all of it counts. */
static void
twist_undelivered(uint32_t k, struct msg_consumer_info *m)
{
	lasts(m);
	if (k != 0)
		return;
	m->stream_seq -= 5;
	m->floor_stream -= 5;
	m->pending = 5;
}

static void
twist_too_few(uint32_t k, struct msg_consumer_info *m)
{
	if (k != 0)
		return;
	m->stream_seq -= 5;
	m->floor_stream -= 5;
}

static void
twist_created(uint32_t k, struct msg_consumer_info *m)
{
	m->created += k * 6 * CLOCK_S;
}

/* Replicas of older servers differ by some milliseconds. */
static void
twist_created_at_replica(uint32_t k, struct msg_consumer_info *m)
{
	m->created += k * 20 * CLOCK_MS;
}

static void
twist_unsteady(uint32_t k, struct msg_consumer_info *m)
{
	m->polls = 1 + k;
}

/* An ack that nobody heard is awaited, until a client is there. */
static void
plant_unheard(struct pipe_story *s)
{
	struct pipe_parcel p = {.delivered = 1};
	uint64_t id = pipe_new_id(s, 0);

	pipe_catch_up(s);
	pipe_invoke(s, id, 1);
	p.seq = pipe_store(s, id);
	pipe_ok(s, id, 1, p.seq, false);
	p.number = ++s->durable[0].number;
	s->durable[0].cursor++;
	pipe_deliver(s, 0, 0, &p);
	pipe_acks_begin(s, 0, 0, 1);
	pipe_ack_unknown(s, 0, 0, &p);
}

static void
twist_one_open(uint32_t k, struct msg_consumer_info *m)
{
	lasts(m);
	m->ack_pending = k == 0 ? 1 : 0;
	m->floor_stream -= k == 0;
}

/* A fault had set a clock 10 s ahead. */
static void
plant_clock(struct pipe_story *s)
{
	struct event ev;

	pipe_event(1, MESSAGE_CLOCK_SET, &ev);
	ev.u.clock_set.node = 1;
	ev.u.clock_set.most_ns = 10 * (int64_t)CLOCK_S;
	pipe_emit(s, &ev);
}

static void
plant_unheard_by_a_clock(struct pipe_story *s)
{
	plant_clock(s);
	plant_unheard(s);
}

/* So long it may wait then, and no longer. */
static void
twist_one_open_longer(uint32_t k, struct msg_consumer_info *m)
{
	twist_one_open(k, m);
	m->tried_ns += 10 * CLOCK_S;
}

/* The audit's client was not there for three ack waits, or not at all. */
static void
twist_one_open_alone(uint32_t k, struct msg_consumer_info *m)
{
	twist_one_open(k, m);
	m->tried_ns = 0;
}

/* Of an UNKNOWN publish; stored while the second durable is asked. */
static struct pipe_story *late_story;
static uint64_t late_id;

static void
plant_late(struct pipe_story *s)
{
	pipe_catch_up(s);
	late_story = s;
	late_id = pipe_new_id(s, 0);
	pipe_invoke(s, late_id, 1);
	pipe_unknown(s, late_id, 1);
	pipe_end(s, late_id);
}

static void
twist_late(uint32_t k, struct msg_consumer_info *m)
{
	struct pipe_parcel p = {.delivered = 1};

	if (k == 0)
		return;
	p.seq = pipe_store(late_story, late_id);
	p.number = ++m->consumer_seq;
	pipe_deliver(late_story, k, 0, &p);
	pipe_acks_begin(late_story, k, 0, 1);
	pipe_ack_ok(late_story, k, 0, &p);
	m->floor_consumer = m->consumer_seq;
	m->stream_seq = m->floor_stream = p.seq;
}

/* It was stored and delivered by the second durable before either was asked. */
static void
plant_not_late(struct pipe_story *s)
{
	struct pipe_parcel p = {.delivered = 1};

	plant_late(s);
	p.seq = pipe_store(s, late_id);
	p.number = ++s->durable[1].number;
	pipe_deliver(s, 1, 0, &p);
	pipe_acks_begin(s, 1, 0, 1);
	pipe_ack_ok(s, 1, 0, &p);
	s->durable[0].cursor++;
	s->durable[1].cursor++;
}

static void
twist_not_late(uint32_t k, struct msg_consumer_info *m)
{
	m->stream_seq -= k == 0;
	m->floor_stream -= k == 0;
}

static const struct said {
	const char *name;
	void (*twist)(uint32_t, struct msg_consumer_info *);
	void (*plant)(struct pipe_story *);
	enum anomaly_kind kind;
	uint64_t violations, warnings; /* of that kind */
	int exit_code;
	uint8_t retention;
} said[] = {
    {"honest", NULL, NULL, ANOMALY_WRONG_STATE, 0, 0, EXIT_PASS, 0},
    {"honest work queue", NULL, NULL, ANOMALY_WRONG_STATE, 0, 0, EXIT_PASS, 1},
    {"counts too many", twist_pending, NULL, ANOMALY_WRONG_STATE, 1, 0,
	EXIT_VIOLATION, 0},
    {"counts too many of interest", twist_pending, NULL, ANOMALY_WRONG_STATE, 1,
	0, EXIT_VIOLATION, 2},
    {"counts too many for a moment", twist_pending_brief, NULL,
	ANOMALY_WRONG_STATE, 0, 1, EXIT_INCONCLUSIVE, 0},
    {"awaits acks that were confirmed", twist_ack_pending, NULL,
	ANOMALY_WRONG_STATE, 1, 0, EXIT_VIOLATION, 0},
    {"floor too low", twist_floor, NULL, ANOMALY_WRONG_STATE, 1, 0,
	EXIT_VIOLATION, 0},
    {"delivers nothing", twist_undelivered, NULL, ANOMALY_NOT_REDELIVERED, 1, 0,
	EXIT_VIOLATION, 0},
    {"counts too few", twist_too_few, NULL, ANOMALY_WRONG_STATE, 0, 1,
	EXIT_PASS, 0},
    {"created at a replica", twist_created_at_replica, NULL,
	ANOMALY_CONSUMER_MISSING, 0, 0, EXIT_PASS, 0},
    {"created anew", twist_created, NULL, ANOMALY_CONSUMER_MISSING, 0, 1,
	EXIT_PASS, 0},
    {"created by another clock", twist_created, plant_clock,
	ANOMALY_CONSUMER_MISSING, 0, 0, EXIT_PASS, 0},
    {"says something else each time", twist_unsteady, NULL, ANOMALY_WRONG_STATE,
	0, 0, EXIT_INCONCLUSIVE, 0},
    {"stored while another is asked", twist_late, plant_late, ANOMALY_SKIPPED,
	0, 0, EXIT_PASS, 0},
    {"skipped at its end", twist_not_late, plant_not_late, ANOMALY_SKIPPED, 1,
	0, EXIT_VIOLATION, 0},
    {"never redelivered", twist_one_open, plant_unheard,
	ANOMALY_NOT_REDELIVERED, 1, 0, EXIT_VIOLATION, 0},
    {"not redelivered yet by another clock", twist_one_open,
	plant_unheard_by_a_clock, ANOMALY_NOT_REDELIVERED, 0, 0,
	EXIT_INCONCLUSIVE, 0},
    {"never redelivered by another clock", twist_one_open_longer,
	plant_unheard_by_a_clock, ANOMALY_NOT_REDELIVERED, 1, 0, EXIT_VIOLATION,
	0},
    {"not redelivered to nobody", twist_one_open_alone, plant_unheard,
	ANOMALY_NOT_REDELIVERED, 0, 0, EXIT_INCONCLUSIVE, 0},
};

#define SAID (sizeof(said) / sizeof(said[0]))

static void
sink(void *arg, struct event *ev)
{
	assert_int_equal(judge_event(arg, ev), 0);
}

static void
test_said(void **state)
{
	const struct said *t = *state;
	struct judge *j = judge_create(NULL, NULL);
	struct judge_result r;
	struct pipe_story s;
	const struct anomaly *a;
	uint64_t others = 0;
	unsigned k;

	assert_non_null(j);
	pipe_story_init(&s, 1);
	s.messages = 500;
	s.retention = t->retention;
	s.twist = t->twist;
	s.plant = t->plant;
	s.nplants = t->plant != NULL;
	s.plant_at[0] = UINT64_MAX;
	s.sink = sink;
	s.arg = j;
	pipe_story_tell(&s);
	judge_finish(j, &r);
	for (k = 0; k < ANOMALY_COUNT; k++)
		if (k != t->kind)
			others += judge_count(j, k, CLASS_VIOLATION);
	a = judge_anomaly(j, 0);
	if (judge_count(j, t->kind, CLASS_VIOLATION) != t->violations ||
	    judge_count(j, t->kind, CLASS_WARNING) != t->warnings ||
	    others != 0 || (int)r.exit_code != t->exit_code)
		fail_msg("%s: exit %d: %s\n%s", t->name, r.exit_code,
		    r.reasons[0], a != NULL ? a->says : "nothing was raised");
	pipe_story_fini(&s);
	judge_destroy(j);
}

/* Nobody asked a consumer that has rules. */
static void
test_not_asked(void **state)
{
	struct judge *j = judge_create(NULL, NULL);
	struct judge_result r;
	struct pipe_story s;

	(void)state;
	assert_non_null(j);
	pipe_story_init(&s, 1);
	s.messages = 100;
	s.no_states = true;
	s.sink = sink;
	s.arg = j;
	pipe_story_tell(&s);
	judge_finish(j, &r);
	assert_int_equal(r.exit_code, EXIT_INCONCLUSIVE);
	assert_non_null(strstr(r.reasons[0], "says nothing of consumer"));
	pipe_story_fini(&s);
	judge_destroy(j);
}

/* One message in flight: a consumer without rules */

static void
gone(struct story *s, uint64_t lasted_ns)
{
	struct event *ev;

	story_pass(s, lasted_ns);
	ev = story_add(s, STORY_AUDIT, MESSAGE_CONSUMER_GONE);
	ev->u.consumer_gone.polls = 60;
	ev->u.consumer_gone.lasted_ns = lasted_ns;
}

static void
gone_for_good(struct story *s)
{
	gone(s, 30 * CLOCK_S);
}

static void
gone_for_a_moment(struct story *s)
{
	gone(s, 29 * CLOCK_S);
}

/* A server dies while it is looked for. */
static void
gone_in_a_crash(struct story *s)
{
	story_pass(s, 10 * CLOCK_S);
	story_healed(s, story_fault(s, true), true);
	gone(s, 20 * CLOCK_S);
	s->events[s->n - 1].u.consumer_gone.lasted_ns = 30 * CLOCK_S;
}

static void
silent(struct story *s)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_CONSUMER_SILENT);

	text_set(ev->u.consumer_silent.why, sizeof(ev->u.consumer_silent.why),
	    "Timeout");
}

/* Nothing is left, says the consumer, and it delivered up to the end. */
static void
drained(struct story *s)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_CONSUMER_INFO);

	ev->u.consumer_info.polls = 3;
	ev->u.consumer_info.created = s->created + 1;
	ev->u.consumer_info.consumer_seq = s->number;
	ev->u.consumer_info.stream_seq = s->last;
	ev->u.consumer_info.floor_consumer = s->number;
	ev->u.consumer_info.floor_stream = s->last;
	ev = story_add(s, STORY_AUDIT, MESSAGE_CONSUMER_STATE);
	ev->u.consumer_state.quiet = 1;
	ev->u.consumer_state.consumer_seq = s->number;
}

/* What the audit finds at the end was stored after it was asked. */
static void
drained_before(struct story *s)
{
	drained(s);
	s->events[s->n - 2].u.consumer_info.stream_seq--;
	s->events[s->n - 2].u.consumer_info.floor_stream--;
}

/* Stored, and nobody heard of it but the scan. */
static void
skip_unknown(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_unknown(s, id, 1);
	(void)story_store(s, id); /* where does not matter */
	story_publish_end(s, id, ENDED_UNKNOWN);
}

static void
skip_unknown_early(struct story *s)
{
	skip_unknown(s);
	story_rounds(s, 20);
}

/* Awaits an ack that was confirmed; its client did not wait long enough. */
static void
awaits_one(struct story *s)
{
	struct event *ev;

	story_pass(s, LONG_NS);
	drained(s);
	s->events[s->n - 1].u.consumer_state.ack_pending = 1;
	ev = &s->events[s->n - 2];
	ev->u.consumer_info.ack_pending = 1;
	ev->u.consumer_info.floor_stream--;
	ev->u.consumer_info.floor_consumer--;
	lasts(&ev->u.consumer_info);
}

/* One replica: the last ack was confirmed and not written. */
static void
server_ends(struct story *s)
{
	story_healed(s, story_fault(s, true), true);
}

/* There a second copy of a message may be stored, and await its ack. */
static void
drops_acked(struct story *s)
{
	struct event *ev = story_add(s, STORY_SETUP, MESSAGE_STREAM_RULES);

	ev->u.stream_rules.retention = RETENTION_WORKQUEUE;
}

/*
 * Its ack is unheard, and it never comes again; the client waits (review,
 * P30), and others are served meanwhile.
 */
static void
unheard(struct story *s)
{
	uint64_t seq = story_publish(s);
	uint64_t number = story_deliver(s, STORY_CONSUMER, seq, 1);

	story_ack_invoke(s, STORY_CONSUMER, seq, number);
	story_ack_unknown(s, STORY_CONSUMER, seq, number, true);
	story_rounds(s, 20);
}

static void
awaits_unheard(struct story *s, uint64_t tried_ns)
{
	struct msg_consumer_info *m;

	story_pass(s, LONG_NS);
	drained(s);
	s->events[s->n - 1].u.consumer_state.ack_pending = 1;
	m = &s->events[s->n - 2].u.consumer_info;
	lasts(m);
	m->tried_ns = tried_ns;
	m->ack_pending = 1;
	m->floor_stream -= 21;
	m->floor_consumer -= 21;
}

static void
unheard_for_long(struct story *s)
{
	awaits_unheard(s, LONG_NS);
}

/* A client waited, but not for a minute. */
static void
unheard_briefly(struct story *s)
{
	awaits_unheard(s, 59 * CLOCK_S);
}

/* It was acked, or came again to the audit, and nothing is left. */
static void
unheard_and_acked(struct story *s)
{
	story_pass(s, LONG_NS);
	drained(s);
}

static const struct lone {
	const char *name;
	void (*load)(struct story *);
	void (*before_scan)(struct story *);
	enum anomaly_kind kind;
	uint64_t violations;
	int exit_code;
	uint32_t replicas; /* 0: as usual */
} lones[] = {
    {"drained", NULL, drained, ANOMALY_SKIPPED, 0, EXIT_PASS, 0},
    {"gone", NULL, gone_for_good, ANOMALY_CONSUMER_MISSING, 1, EXIT_VIOLATION,
	0},
    {"gone for a moment", NULL, gone_for_a_moment, ANOMALY_CONSUMER_MISSING, 0,
	EXIT_INCONCLUSIVE, 0},
    {"gone in a crash", NULL, gone_in_a_crash, ANOMALY_CONSUMER_MISSING, 0,
	EXIT_INCONCLUSIVE, 0},
    {"silent", NULL, silent, ANOMALY_CONSUMER_MISSING, 0, EXIT_INCONCLUSIVE, 0},
    {"skipped", skip_unknown_early, drained, ANOMALY_SKIPPED, 1, EXIT_VIOLATION,
	0},
    {"skipped at the end", skip_unknown, drained, ANOMALY_SKIPPED, 1,
	EXIT_VIOLATION, 0},
    {"stored late", skip_unknown, drained_before, ANOMALY_SKIPPED, 0, EXIT_PASS,
	0},
    {"acks pending, one replica", NULL, awaits_one, ANOMALY_WRONG_STATE, 1,
	EXIT_VIOLATION, 1},
    {"acks pending, one replica that ended", server_ends, awaits_one,
	ANOMALY_WRONG_STATE, 0, EXIT_PASS, 1},
    {"acks pending after a kill", server_ends, awaits_one, ANOMALY_WRONG_STATE,
	1, EXIT_VIOLATION, 3},
    {"acks pending of a work queue, for one wait", drops_acked, awaits_one,
	ANOMALY_WRONG_STATE, 0, EXIT_PASS, 3},
    {"ack unheard, never redelivered", unheard, unheard_for_long,
	ANOMALY_NOT_REDELIVERED, 1, EXIT_VIOLATION, 0},
    {"ack unheard, not redelivered yet", unheard, unheard_briefly,
	ANOMALY_NOT_REDELIVERED, 0, EXIT_INCONCLUSIVE, 0},
    {"ack unheard, and acked", unheard, unheard_and_acked,
	ANOMALY_NOT_REDELIVERED, 0, EXIT_PASS, 0},
};

#define LONES (sizeof(lones) / sizeof(lones[0]))

static void
test_lone(void **state)
{
	const struct lone *t = *state;
	struct story_verdict v;
	struct story s;

	story_init(&s, 1);
	s.mayhem = "none";
	s.before_scan = t->before_scan;
	s.ack_wait_ns = t->replicas != 0 ? 60 * CLOCK_S : s.ack_wait_ns;
	s.replicas = t->replicas != 0 ? t->replicas : s.replicas;
	story_open(&s);
	story_rounds(&s, 20);
	if (t->load != NULL)
		t->load(&s);
	story_close(&s);
	story_judge(&s, &v);
	if (v.counts[t->kind][CLASS_VIOLATION] != t->violations ||
	    story_other_violations(&v, t->kind) != 0 ||
	    (int)v.result.exit_code != t->exit_code)
		fail_msg(
		    "%s: exit %d\n%s", t->name, v.result.exit_code, v.says);
	story_fini(&s);
}

/*
 * An ack wait of a minute: a delivery that is lost comes again after one, an
 * ack that is ignored is repeated for two. Longer than that convicts.
 */
static void
test_long_ack_wait(void **state)
{
	static const struct {
		uint64_t pass_ns;
		bool is_acking;
		int exit_code;
	} cases[] = {
	    {61 * CLOCK_S, false, EXIT_PASS},
	    {121 * CLOCK_S, true, EXIT_PASS},
	    {151 * CLOCK_S + FAULTS_LAG_NS, false, EXIT_VIOLATION},
	    {151 * CLOCK_S + FAULTS_LAG_NS, true, EXIT_VIOLATION},
	};
	struct story_verdict v;
	struct story s;
	uint64_t seq, number = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		story_init(&s, 1);
		s.mayhem = "none";
		s.ack_wait_ns = 60 * CLOCK_S;
		story_open(&s);
		story_rounds(&s, 20);
		seq = story_publish(&s);
		if (cases[i].is_acking) {
			number = story_deliver(&s, STORY_CONSUMER, seq, 1);
			story_ack_invoke(&s, STORY_CONSUMER, seq, number);
		}
		story_pass(&s, cases[i].pass_ns);
		if (!cases[i].is_acking)
			number = story_deliver(&s, STORY_CONSUMER, seq, 2);
		story_ack_ok(&s, STORY_CONSUMER, seq, number);
		story_rounds(&s, 20);
		story_pass(&s, 10 * CLOCK_S);
		story_close(&s);
		story_judge(&s, &v);
		if ((int)v.result.exit_code != cases[i].exit_code)
			fail_msg("case %u: exit %d\n%s", i, v.result.exit_code,
			    v.says);
		story_fini(&s);
	}
}

int
main(void)
{
	struct CMUnitTest tests[SAID + LONES + 2];
	size_t i;

	memset(tests, 0, sizeof(tests));
	for (i = 0; i < SAID; i++)
		tests[i] = (struct CMUnitTest){said[i].name, test_said, NULL,
		    NULL, (void *)(uintptr_t)&said[i]};
	for (i = 0; i < LONES; i++)
		tests[SAID + i] = (struct CMUnitTest){lones[i].name, test_lone,
		    NULL, NULL, (void *)(uintptr_t)&lones[i]};
	tests[SAID + LONES] =
	    (struct CMUnitTest)cmocka_unit_test(test_not_asked);
	tests[SAID + LONES + 1] =
	    (struct CMUnitTest)cmocka_unit_test(test_long_ack_wait);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
