/* SPDX-License-Identifier: ISC */
/*
 * Must fail: what is gone after a loss of power although it was on every
 * replica, or on every disk. And what may be gone: documented (power.h).
 */
#include "proto/base/text.h"
#include "tests/stories/bucket_story.h"
#include "tests/stories/lists_story.h"
#include "tests/stories/story.h"

#include <stdio.h>

/* What happens in a story; times count from when all is published. */
struct outage {
	const char *name;
	unsigned servers; /* that lose their power */
	uint32_t replicas;
	bool is_whole;		      /* known 2 s before */
	bool is_always;		      /* they sync every write */
	uint64_t interval_ns, age_ns; /* of syncs; of what is gone */
	enum anomaly_kind kind;	      /* LOST, SEQ_REUSE, CORRUPT, OP_TIMEOUT */
	enum anomaly_class class;
	bool is_wiped; /* all that they have stored is gone */
};

static void
settings(struct story *s, const struct outage *o)
{
	struct msg_node_settings *m;
	uint32_t i;

	for (i = 1; i <= 3; i++) {
		m = &story_add(s, STORY_CHAOS, MESSAGE_NODE_SETTINGS)
			 ->u.node_settings;
		m->node = i;
		m->sync_always = o->is_always;
		m->sync_interval_ns = o->interval_ns;
	}
}

static void
cut(struct story *s, const struct outage *o)
{
	uint64_t whole_ns = o->is_whole ? s->now_ns - 2 * CLOCK_S : 0;
	uint32_t fault = story_fault(s, true);
	struct msg_power_lost *m;
	struct msg_store_wiped *wiped;
	unsigned i;

	for (i = 1; i <= o->servers && o->is_wiped; i++) {
		wiped = &story_add(s, STORY_CHAOS, MESSAGE_STORE_WIPED)
			     ->u.store_wiped;
		wiped->node = i;
		wiped->whole_ns = whole_ns;
	}
	for (i = 1; i <= o->servers && !o->is_wiped; i++) {
		m = &story_add(s, STORY_CHAOS, MESSAGE_POWER_LOST)
			 ->u.power_lost;
		m->node = i;
		m->whole_ns = whole_ns;
		m->bytes = 1;
	}
	story_pass(s, CLOCK_S);
	story_healed(s, fault, true);
}

/* A message is acknowledged where another one was. */
static void
reuse(struct story *s, uint64_t seq)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_ok(s, id, seq, false);
	s->stored[seq].id = id;
	story_consume(s, seq);
}

/* Nothing can be stored any more. */
static void
never_stored(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_pass(s, 60 * CLOCK_S);
	story_unknown(s, id, 1);
	story_publish_end(s, id, 2);
}

static void
test_outage(void **state)
{
	const struct outage *o = *state;
	struct story_verdict v;
	struct story s;
	uint64_t seq;

	story_init(&s, 1);
	s.mayhem = o->is_wiped ? "wipe_store" : "power_loss";
	s.replicas = o->replicas;
	story_open(&s);
	settings(&s, o);
	story_rounds(&s, 10);
	story_phase(&s, "mayhem");
	seq = story_round(&s);
	story_pass(&s, o->age_ns);
	story_rounds(&s, 3);
	cut(&s, o);
	story_rounds(&s, 3);
	story_pass(&s, 30 * CLOCK_S);
	if (o->kind == ANOMALY_OP_TIMEOUT)
		never_stored(&s);
	else if (o->kind == ANOMALY_SEQ_REUSE)
		reuse(&s, seq);
	else if (o->kind == ANOMALY_PHANTOM)
		story_consume(
		    &s, story_store(&s, message_id(STORY_PUBLISHER, 9999)));
	else
		story_mark(&s, seq,
		    o->kind == ANOMALY_LOST ? STORY_GONE : STORY_DAMAGED);
	story_close(&s);
	story_judge(&s, &v);
	if (v.counts[o->kind][o->class] == 0)
		print_error("%s\n", v.says);
	assert_true(v.counts[o->kind][o->class] > 0);
	if (o->class == CLASS_DOCUMENTED)
		assert_int_equal(story_other_violations(&v, ANOMALY_COUNT), 0);
	else
		assert_int_equal(v.result.exit_code, EXIT_VIOLATION);
	story_fini(&s);
}

/*
 * It is stored, but the ack is read when the power is gone already. What takes
 * its sequence then is no reuse that convicts. A second ack so late is lost.
 */
static void
test_late_ack(void **state)
{
	static const struct outage one = {.servers = 1, .is_whole = true};
	struct story_verdict v;
	struct story s;
	uint64_t id, seq;
	int late;

	(void)state;
	for (late = 0; late < 2; late++) {
		story_init(&s, 1);
		s.mayhem = "power_loss";
		story_open(&s);
		settings(&s, &one);
		story_rounds(&s, 10);
		story_phase(&s, "mayhem");
		story_pass(&s, 5 * CLOCK_S);
		id = story_new_id(&s);
		story_invoke(&s, id, 1);
		seq = story_store(&s, id);
		cut(&s, &one);
		story_pass(&s, late ? 15 * CLOCK_S : 0);
		story_ok(&s, id, seq, false);
		reuse(&s, seq);
		story_pass(&s, 30 * CLOCK_S);
		story_close(&s);
		story_judge(&s, &v);
		assert_true(
		    v.counts[ANOMALY_SEQ_REUSE]
			    [late ? CLASS_VIOLATION : CLASS_DOCUMENTED] > 0);
		assert_int_equal(
		    v.counts[ANOMALY_SEQ_REUSE]
			    [late ? CLASS_DOCUMENTED : CLASS_VIOLATION],
		    0);
		story_fini(&s);
	}
}

/* What a doomed server loses, and when. */
struct doom {
	const char *name;
	bool is_spared, is_told; /* refused; its end was told */
	bool is_young;		 /* acknowledged after the doom, not before */
	uint64_t after_ns;	 /* so long after its end, or refusal */
	enum anomaly_class class;
};

static void
doom(struct story *s, uint64_t whole_ns, bool is_spared)
{
	struct msg_store_doomed *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_STORE_DOOMED)->u.store_doomed;

	m->node = 1;
	m->whole_ns = whole_ns;
	m->spared = is_spared;
}

/* Its pod takes 40 s to end: what was current before is as safe as ever. */
static void
test_doom(void **state)
{
	const struct doom *d = *state;
	struct msg_store_wiped *wiped;
	struct story_verdict v;
	uint64_t seq, whole_ns;
	uint32_t fault;
	struct story s;

	story_init(&s, 1);
	s.mayhem = "wipe_store";
	story_open(&s);
	story_rounds(&s, 10);
	story_phase(&s, "mayhem");
	seq = story_round(&s);
	story_pass(&s, 6 * CLOCK_S);
	whole_ns = s.now_ns - 2 * CLOCK_S;
	fault = story_fault(&s, true);
	doom(&s, whole_ns, false);
	story_pass(&s, 20 * CLOCK_S);
	if (d->is_young && d->after_ns == 0)
		seq = story_round(&s);
	story_pass(&s, 20 * CLOCK_S);
	if (d->is_spared)
		doom(&s, whole_ns, true);
	else if (d->is_told) {
		wiped = &story_add(&s, STORY_CHAOS, MESSAGE_STORE_WIPED)
			     ->u.store_wiped;
		wiped->node = 1;
		wiped->whole_ns = whole_ns;
	}
	story_pass(&s, 1 + d->after_ns);
	if (d->is_young && d->after_ns != 0)
		seq = story_round(&s);
	story_healed(&s, fault, true);
	story_rounds(&s, 3);
	story_pass(&s, 30 * CLOCK_S);
	story_mark(&s, seq, STORY_GONE);
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_LOST][d->class], 1);
	assert_int_equal(
	    v.result.exit_code == EXIT_VIOLATION, d->class == CLASS_VIOLATION);
	story_fini(&s);
}

/* What a server lost, when that is not known by sequences. */
static struct event
lost_power(void)
{
	struct event ev = {.type = MESSAGE_POWER_LOST};

	ev.u.power_lost.node = 1;
	ev.u.power_lost.bytes = 1;
	return ev;
}

/* One revision for two keys, and a stream that lacks messages. */
static void
test_without_sequences(void **state)
{
	struct lists_row r = lists_row_of(ID1, NAME);
	struct event ev = lost_power();
	struct bucket_story b = bucket_begin();
	struct lists_story t;

	(void)state;
	bucket_option(&b, "mayhem", "power_loss");
	bucket_put(&b, A, 1, 0, 0, 1);
	bucket_feed(&b, 1, &ev);
	bucket_update(&b, B, 1, 1, 0);
	bucket_accept(&b, B, 1, 1, 1);
	b.expected[ANOMALY_CAS_VIOLATED][CLASS_DOCUMENTED] = 1;
	bucket_end_with(&b, ANOMALY_SEQ_REUSE, CLASS_DOCUMENTED);

	lists_begin(&t);
	lists_have(&t, ID1, NAME);
	ev = lost_power();
	lists_feed(&t, 1, &ev);
	r.messages = 2;
	lists_list_for(&t, 32, &r, 1);
	lists_expect_legal(&t, 0, 1);
}

#define S CLOCK_S
static const struct outage outages[] = {
    {"wiped: old, a minority", 1, 3, true, false, 0, 6 * S, ANOMALY_LOST,
	CLASS_VIOLATION, true},
    {"wiped: an old sequence taken again", 1, 3, true, false, 0, 6 * S,
	ANOMALY_SEQ_REUSE, CLASS_VIOLATION, true},
    {"wiped: young", 1, 3, true, false, 0, 0, ANOMALY_LOST, CLASS_DOCUMENTED,
	true},
    {"wiped: young, whoever syncs", 1, 3, true, true, 0, 0, ANOMALY_LOST,
	CLASS_DOCUMENTED, true},
    {"wiped: old, of two", 1, 2, true, false, 10 * S, 40 * S, ANOMALY_LOST,
	CLASS_DOCUMENTED, true},
    {"wiped: the one replica, however old", 1, 1, true, true, 10 * S, 100 * S,
	ANOMALY_LOST, CLASS_DOCUMENTED, true},
    {"old, a minority", 1, 3, true, false, 0, 6 * S, ANOMALY_LOST,
	CLASS_VIOLATION, false},
    {"young, a minority", 1, 3, true, false, 0, 0, ANOMALY_LOST,
	CLASS_DOCUMENTED, false},
    {"young, a minority that syncs always", 1, 3, true, true, 0, 0,
	ANOMALY_LOST, CLASS_VIOLATION, false},
    {"old, but nobody knows who had it", 1, 3, false, false, 0, 6 * S,
	ANOMALY_LOST, CLASS_DOCUMENTED, false},
    {"old, a minority of five", 2, 5, true, false, 0, 6 * S, ANOMALY_LOST,
	CLASS_VIOLATION, false},
    {"old, a majority", 2, 3, true, false, 0, 6 * S, ANOMALY_LOST,
	CLASS_DOCUMENTED, false},
    {"old, all", 3, 3, true, false, 0, 100 * S, ANOMALY_LOST, CLASS_DOCUMENTED,
	false},
    {"older than two intervals, all", 3, 3, true, false, 10 * S, 40 * S,
	ANOMALY_LOST, CLASS_VIOLATION, false},
    {"as old as one interval, all", 3, 3, true, false, 10 * S, 10 * S,
	ANOMALY_LOST, CLASS_DOCUMENTED, false},
    {"all, that sync always", 3, 3, true, true, 0, 0, ANOMALY_LOST,
	CLASS_VIOLATION, false},
    {"one replica", 1, 1, true, false, 0, 6 * S, ANOMALY_LOST, CLASS_DOCUMENTED,
	false},
    {"one replica, older than two intervals", 1, 1, true, false, 10 * S, 40 * S,
	ANOMALY_LOST, CLASS_VIOLATION, false},
    {"one replica that syncs always", 1, 1, true, true, 0, 0, ANOMALY_LOST,
	CLASS_VIOLATION, false},
    {"an old sequence taken again, a minority", 1, 3, true, false, 0, 6 * S,
	ANOMALY_SEQ_REUSE, CLASS_VIOLATION, false},
    {"a young sequence taken again", 1, 3, true, false, 0, 0, ANOMALY_SEQ_REUSE,
	CLASS_DOCUMENTED, false},
    {"a young sequence taken again, always", 1, 3, true, true, 0, 0,
	ANOMALY_SEQ_REUSE, CLASS_VIOLATION, false},
    {"no service, a minority", 1, 3, true, false, 0, 0, ANOMALY_OP_TIMEOUT,
	CLASS_VIOLATION, false},
    {"no service, all: the stream may be gone", 3, 3, true, false, 0, 0,
	ANOMALY_OP_TIMEOUT, CLASS_DOCUMENTED, false},
    {"no service, all, that sync always", 3, 3, true, true, 0, 0,
	ANOMALY_OP_TIMEOUT, CLASS_VIOLATION, false},
    {"never published", 3, 3, true, false, 0, 0, ANOMALY_PHANTOM,
	CLASS_VIOLATION, false},
    {"damaged", 3, 3, true, false, 0, 0, ANOMALY_CORRUPT, CLASS_VIOLATION,
	false},
};

static const struct doom dooms[] = {
    {"doomed: old, though it took long", false, true, false, 0,
	CLASS_VIOLATION},
    {"doomed: before it ended", false, true, true, 0, CLASS_DOCUMENTED},
    {"doomed: late", false, true, true, 5 * S, CLASS_DOCUMENTED},
    {"doomed: long after its end", false, true, true, 15 * S, CLASS_VIOLATION},
    {"doomed: its end was never seen", false, false, true, 60 * S,
	CLASS_DOCUMENTED},
    {"spared: long after that", true, false, true, 15 * S, CLASS_VIOLATION},
};

#define OUTAGES (sizeof(outages) / sizeof(outages[0]))
#define DOOMS	(sizeof(dooms) / sizeof(dooms[0]))

int
main(void)
{
	struct CMUnitTest tests[2 + OUTAGES + DOOMS] = {
	    cmocka_unit_test(test_late_ack),
	    cmocka_unit_test(test_without_sequences)};
	size_t i;

	for (i = 0; i < OUTAGES; i++)
		tests[i + 2] = (struct CMUnitTest){.name = outages[i].name,
		    .test_func = test_outage,
		    .initial_state = (void *)(uintptr_t)&outages[i]};
	for (i = 0; i < DOOMS; i++)
		tests[2 + OUTAGES + i] =
		    (struct CMUnitTest){.name = dooms[i].name,
			.test_func = test_doom,
			.initial_state = (void *)(uintptr_t)&dooms[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
