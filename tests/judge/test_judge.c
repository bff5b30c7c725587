/* SPDX-License-Identifier: ISC */
/*
 * Must fail: each anomaly kind that has a check, planted at the start, in
 * the middle and at the end of a history, by seed. The check that owns it
 * convicts of exactly that kind; the honest history passes. Warnings are of
 * no account here: they never decide a verdict.
 */
#include "proto/base/text.h"
#include "tests/stories/story.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 200
#define SEEDS  12

struct plant {
	const char *name;
	enum anomaly_kind kind;
	void (*go)(struct story *);
};

static uint64_t
stored_id(const struct story *s, uint64_t seq)
{
	return s->stored[seq].id;
}

/* lost */

static void
plant_lost(struct story *s)
{
	story_mark(s, story_round(s), STORY_GONE);
}

/* Acked as the duplicate of a message that is not there. */
static void
plant_lost_duplicate(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	story_unknown(s, id, 1);
	seq = story_store(s, id);
	s->stored[seq].state = STORY_GONE;
	story_invoke(s, id, 2);
	story_ok(s, id, seq, true);
	story_consume(s, seq);
}

/* phantom */

static void
plant_phantom(struct story *s)
{
	story_consume(s, story_store(s, message_id(STORY_PUBLISHER, 1000000)));
}

static void
plant_phantom_source(struct story *s)
{
	(void)story_store(s, message_id(999, 1)); /* the scan finds it */
}

static void
plant_phantom_run(struct story *s)
{
	uint64_t seq = story_store(s, message_id(STORY_PUBLISHER, 1));

	s->stored[seq].run = STORY_RUN + 1;
	story_consume(s, seq);
}

/* duplicate */

static void
plant_duplicate(struct story *s)
{
	uint64_t first = story_round(s), again;

	story_pass(s, rng_below(&s->rng, 3 * CLOCK_S));
	again = story_store(s, stored_id(s, first));
	story_consume(s, again);
}

/* The retry of an attempt that was stored after all is stored again. */
static void
plant_duplicate_retry(struct story *s)
{
	uint64_t id = story_new_id(s), first, again;

	story_invoke(s, id, 1);
	first = story_store(s, id);
	story_unknown(s, id, 1);
	story_invoke(s, id, 2);
	again = story_store(s, id);
	story_ok(s, id, again, false);
	story_consume(s, first);
	story_consume(s, again);
}

/* The consumer never shows the second copy; the scan alone does. */
static void
plant_duplicate_scan(struct story *s)
{
	uint64_t first = story_round(s);

	(void)story_store(s, stored_id(s, first)); /* only scanned */
}

/* reorder */

static void
plant_reorder_stream(struct story *s)
{
	uint64_t a = story_new_id(s), b = story_new_id(s), low, high;

	story_invoke(s, a, 1);
	low = story_store(s, b);
	high = story_store(s, a);
	story_ok(s, a, high, false);
	story_consume(s, high);
	story_invoke(s, b, 1);
	story_ok(s, b, low, false);
	story_consume(s, low);
}

/* An unknown publish appears below what was acked before it began. */
static void
plant_reorder_unknown(struct story *s)
{
	uint64_t a = story_new_id(s), b = story_new_id(s), low, high;

	story_invoke(s, a, 1);
	low = story_store(s, b);
	high = story_store(s, a);
	story_ok(s, a, high, false);
	story_consume(s, high);
	story_invoke(s, b, 1);
	story_unknown(s, b, 1);
	story_publish_end(s, b, 2);
	story_consume(s, low);
}

/* First deliveries out of order under one steady leader, far from faults. */
static void
plant_reorder_consumer(struct story *s)
{
	uint64_t low, high;

	story_pass(s, 25 * CLOCK_S);
	story_leader(s, s->leader);
	story_rounds(s, 1);
	low = story_publish(s);
	high = story_publish(s);
	story_consume(s, high);
	story_consume(s, low);
	/* Told at once it may have been asked for before: told twice. */
	story_pass(s, 5 * CLOCK_S);
	story_leader(s, s->leader);
	story_pass(s, 5 * CLOCK_S);
	story_leader(s, s->leader);
}

/* corrupt */

static void
plant_corrupt_sum(struct story *s)
{
	uint64_t seq = story_publish(s), number = ++s->number;
	uint32_t source = story_consumer(s);

	story_deliver_event(s, source, seq, number, 1)->u.deliver.sum ^= 1;
	story_ack_ok(s, source, seq, number);
}

static void
plant_corrupt_scan(struct story *s)
{
	story_mark(s, story_round(s), STORY_DAMAGED);
}

static void
corrupt_delivery(struct story *s, uint64_t seq, uint64_t delivered)
{
	struct msg_deliver *m;
	uint64_t number = ++s->number;
	uint32_t source = story_consumer(s);

	m = &story_deliver_event(s, source, seq, number, delivered)->u.deliver;
	m->intact = 0;
	m->id = m->run = 0;
	m->sum = 4711;
	/* The worker can't read the id: it acks with 0. */
	story_ack_ok(s, source, seq, number);
	s->events[s->n - 1].u.ack_ok.id = 0;
}

static void
plant_corrupt_redelivery(struct story *s)
{
	uint64_t seq = story_publish(s), number;
	uint32_t source = story_consumer(s);

	number = story_deliver(s, source, seq, 1);
	corrupt_delivery(s, seq, 2);
	story_ack_ok(s, source, seq, number);
}

/*
 * The only delivery is damaged, and its ack was confirmed under id 0: the
 * message is consumed, so it must not be called stuck as well.
 */
static void
plant_corrupt_delivery(struct story *s)
{
	corrupt_delivery(s, story_publish(s), 1);
	story_pass(s, 35 * CLOCK_S);
}

/* seq_reuse */

static void
plant_seq_reuse_ack(struct story *s)
{
	uint64_t seq = story_round(s), id = story_new_id(s), number;
	uint32_t source = story_consumer(s);

	story_invoke(s, id, 1);
	story_ok(s, id, seq, false);
	s->stored[seq].id = id;
	number = story_deliver(s, source, seq, 1);
	story_ack_ok(s, source, seq, number);
}

/* The scan reads another message than was acked: an unknown one. */
static void
plant_seq_reuse_scan(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	story_unknown(s, id, 1);
	story_publish_end(s, id, 2);
	seq = story_round(s);
	s->stored[seq].id = id;
}

/* Two readers, two unknown messages, one sequence. */
static void
plant_seq_reuse_readers(struct story *s)
{
	uint64_t a = story_new_id(s), b = story_new_id(s), seq;

	story_invoke(s, a, 1);
	story_unknown(s, a, 1);
	story_publish_end(s, a, 2);
	story_invoke(s, b, 1);
	story_unknown(s, b, 1);
	story_publish_end(s, b, 2);
	seq = story_store(s, a);
	story_consume(s, seq);
	s->stored[seq].id = b;
}

/* redelivered_after_ack */

static void
redeliver(struct story *s, uint64_t seq, uint64_t delivered)
{
	uint32_t source = story_consumer(s);
	uint64_t number = story_deliver(s, source, seq, delivered);

	story_ack_invoke(s, source, seq, number);
	story_ack_ok(s, source, seq, number);
}

static void
plant_redelivered(struct story *s)
{
	uint64_t seq = story_round(s);

	story_rounds(s, 1);
	redeliver(s, seq, 2);
	story_rounds(s, 3); /* messages behind it prove its number */
}

static void
plant_redelivered_much_later(struct story *s)
{
	uint64_t seq = story_round(s);

	story_rounds(s, 20);
	story_pass(s, 12 * CLOCK_S);
	redeliver(s, seq, 2);
	story_rounds(s, 3);
}

/* Again and again: each further one must not excuse the one before. */
static void
plant_redelivered_repeatedly(struct story *s)
{
	uint64_t seq = story_round(s);

	story_rounds(s, 1);
	redeliver(s, seq, 2);
	redeliver(s, seq, 3);
	redeliver(s, seq, 4);
	story_rounds(s, 3);
}

/* After more redeliveries than are kept in mind. */
static void
plant_redelivered_after_many(struct story *s)
{
	uint64_t seq, number;
	unsigned i;

	for (i = 0; i < 6000; i++) {
		seq = story_publish(s);
		(void)story_deliver(s, STORY_CONSUMER, seq, 1); /* and no ack */
		number = story_deliver(s, STORY_CONSUMER, seq, 2);
		story_ack_invoke(s, STORY_CONSUMER, seq, number);
		story_ack_ok(s, STORY_CONSUMER, seq, number);
	}
	plant_redelivered(s);
}

/* stuck */

static void
plant_stuck(struct story *s)
{
	uint64_t seq = story_publish(s);

	story_pass(s, 31 * CLOCK_S);
	story_consume(s, seq);
}

static void
plant_stuck_for_ever(struct story *s)
{
	(void)story_publish(s); /* and nobody gets it */
	story_pass(s, 40 * CLOCK_S);
}

/* Delivered all the time, but the server never confirms an ack. */
static void
plant_stuck_unconfirmed(struct story *s)
{
	uint64_t seq = story_publish(s), number, i;
	uint32_t source = story_consumer(s);

	for (i = 1; i <= 7; i++) {
		number = story_deliver(s, source, seq, i);
		story_ack_invoke(s, source, seq, number);
		story_pass(s, 2 * CLOCK_S);
		story_ack_unknown(s, source, seq, number, false);
		story_pass(s, 3 * CLOCK_S);
	}
	story_ack_ok(s, source, seq, number);
}

/* op_timeout */

static void
plant_op_timeout(struct story *s)
{
	uint64_t id = story_new_id(s), seq;
	uint32_t attempt;

	for (attempt = 1; attempt <= 16; attempt++) {
		story_invoke(s, id, attempt);
		story_pass(s, 2 * CLOCK_S);
		story_unknown(s, id, attempt);
	}
	story_invoke(s, id, attempt);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

static void
plant_op_timeout_given_up(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_pass(s, 31 * CLOCK_S);
	story_fail(s, id, 1);
	story_publish_end(s, id, 1);
}

static const struct plant plants[] = {
    {"lost", ANOMALY_LOST, plant_lost},
    {"lost behind a duplicate's ack", ANOMALY_LOST, plant_lost_duplicate},
    {"phantom of a known source", ANOMALY_PHANTOM, plant_phantom},
    {"phantom of nobody", ANOMALY_PHANTOM, plant_phantom_source},
    {"phantom of another run", ANOMALY_PHANTOM, plant_phantom_run},
    {"duplicate", ANOMALY_DUPLICATE, plant_duplicate},
    {"duplicate by a retry", ANOMALY_DUPLICATE, plant_duplicate_retry},
    {"duplicate that the scan alone finds", ANOMALY_DUPLICATE,
	plant_duplicate_scan},
    {"reorder in the stream", ANOMALY_REORDER, plant_reorder_stream},
    {"reorder of an unknown publish", ANOMALY_REORDER, plant_reorder_unknown},
    {"reorder of first deliveries", ANOMALY_REORDER, plant_reorder_consumer},
    {"corrupt by checksum", ANOMALY_CORRUPT, plant_corrupt_sum},
    {"corrupt on disk", ANOMALY_CORRUPT, plant_corrupt_scan},
    {"corrupt redelivery", ANOMALY_CORRUPT, plant_corrupt_redelivery},
    {"corrupt only delivery", ANOMALY_CORRUPT, plant_corrupt_delivery},
    {"seq_reuse in an ack", ANOMALY_SEQ_REUSE, plant_seq_reuse_ack},
    {"seq_reuse seen by the scan", ANOMALY_SEQ_REUSE, plant_seq_reuse_scan},
    {"seq_reuse between readers", ANOMALY_SEQ_REUSE, plant_seq_reuse_readers},
    {"redelivered", ANOMALY_REDELIVERED_AFTER_ACK, plant_redelivered},
    {"redelivered much later", ANOMALY_REDELIVERED_AFTER_ACK,
	plant_redelivered_much_later},
    {"redelivered repeatedly", ANOMALY_REDELIVERED_AFTER_ACK,
	plant_redelivered_repeatedly},
    {"redelivered after many others", ANOMALY_REDELIVERED_AFTER_ACK,
	plant_redelivered_after_many},
    {"stuck", ANOMALY_STUCK, plant_stuck},
    {"stuck for ever", ANOMALY_STUCK, plant_stuck_for_ever},
    {"stuck unconfirmed", ANOMALY_STUCK, plant_stuck_unconfirmed},
    {"op_timeout", ANOMALY_OP_TIMEOUT, plant_op_timeout},
    {"op_timeout given up", ANOMALY_OP_TIMEOUT, plant_op_timeout_given_up},
};

#define PLANTS (sizeof(plants) / sizeof(plants[0]))

/* A history with faults in its middle third; the plant goes in at a round. */
static void
tell(struct story *s, const struct plant *p, unsigned at)
{
	uint32_t fault = 0;
	unsigned i;

	story_open(s);
	for (i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 3) {
			story_phase(s, "mayhem");
			fault = story_fault(s, false);
		}
		if (i == ROUNDS / 2) {
			story_healed(s, fault, true);
			story_leader(s, "n3");
		}
		if (p != NULL && i == at)
			p->go(s);
		story_rounds(s, 1);
	}
	story_close(s);
}

static bool
judge_one(const struct plant *p, uint64_t seed, unsigned at)
{
	struct story_verdict v;
	struct story s;
	bool good;

	story_init(&s, seed);
	tell(&s, p, at);
	story_judge(&s, &v);
	good = v.result.exit_code == EXIT_VIOLATION &&
	       v.result.verdict == VERDICT_FAIL &&
	       v.counts[p->kind][CLASS_VIOLATION] > 0 &&
	       story_other_violations(&v, p->kind) == 0;
	if (!good)
		print_message("planted %s, seed %llu, round %u: exit %d\n%s",
		    p->name, (unsigned long long)seed, at, v.result.exit_code,
		    v.says);
	story_fini(&s);
	return good;
}

/* Start, middle (no fault in force, and one), end: rounds by seed. */
static void
test_plant(void **state)
{
	static const unsigned thirds[] = {
	    0, ROUNDS / 3 + 1, ROUNDS / 2 + 1, ROUNDS - 30};
	const struct plant *p = *state;
	unsigned wrong = 0, third;
	struct rng rng;
	uint64_t seed;

	for (seed = 1; seed <= SEEDS && wrong == 0; seed++) {
		rng_init(&rng, seed, "where");
		for (third = 0; third < 4; third++) {
			unsigned at =
			    thirds[third] + (unsigned)rng_below(&rng, 28);

			/* A steady leader for 20 s is no state under faults. */
			if (p->go == plant_reorder_consumer && third == 1)
				at = ROUNDS / 4;
			if (third == 3 && seed == 1)
				at = ROUNDS - 1;
			wrong += !judge_one(p, seed, at);
		}
	}
	assert_int_equal(wrong, 0);
}

static void
test_honest(void **state)
{
	struct story_verdict v;
	struct story s;
	uint64_t seed;
	unsigned k;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		story_init(&s, seed);
		tell(&s, NULL, 0);
		story_judge(&s, &v);
		assert_string_equal(v.says, "");
		assert_int_equal(v.result.verdict, VERDICT_PASS);
		assert_int_equal(v.result.exit_code, EXIT_PASS);
		for (k = 0; k < ANOMALY_COUNT; k++)
			assert_int_equal(v.counts[k][CLASS_WARNING] +
					     v.counts[k][CLASS_DOCUMENTED],
			    0);
		story_fini(&s);
	}
}

/* What happens to a message long after it was acked. */

static void
again_delivered(struct story *s, uint64_t seq)
{
	redeliver(s, seq, 2);
}

static void
again_stored(struct story *s, uint64_t seq)
{
	story_consume(s, story_store(s, stored_id(s, seq)));
}

static void
again_stored_unread(struct story *s, uint64_t seq)
{
	(void)story_store(s, stored_id(s, seq)); /* only scanned */
}

static void
again_given(struct story *s, uint64_t seq)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_ok(s, id, seq, false);
}

static const struct again {
	enum anomaly_kind kind;
	void (*go)(struct story *, uint64_t seq);
} agains[] = {
    {ANOMALY_REDELIVERED_AFTER_ACK, again_delivered},
    {ANOMALY_DUPLICATE, again_stored},
    {ANOMALY_DUPLICATE, again_stored_unread},
    {ANOMALY_SEQ_REUSE, again_given},
};

/* It happens to n messages in a row, so many rounds after they were acked. */
static bool
caught_later(const struct again *again, unsigned rounds, unsigned n)
{
	struct story_verdict v;
	struct story s;
	unsigned i;
	uint64_t seq, caught;

	story_init(&s, 1);
	story_open(&s);
	seq = story_round(&s);
	story_rounds(&s, n - 1 + rounds);
	for (i = 0; i < n; i++)
		again->go(&s, seq + i);
	story_rounds(&s, 3);
	story_close(&s);
	story_judge(&s, &v);
	caught = v.counts[again->kind][CLASS_VIOLATION];
	if (caught != n)
		print_message("kind %d, %u rounds later: %llu of %u\n%s",
		    (int)again->kind, rounds, (unsigned long long)caught, n,
		    v.says);
	story_fini(&s);
	return caught == n;
}

/* However long ago the ack was, and however many come at once. */
static void
test_any_distance(void **state)
{
	static const unsigned rounds[] = {1, 2, 20, 31, 32, 33, 34, 63, 64, 65,
	    100, 478, 1000, 1023, 1024, 1025, 3000, 4095, 4096, 4097, 6000,
	    20000, 70000};
	unsigned wrong = 0;
	size_t i, k;

	(void)state;
	for (k = 0; k < sizeof(agains) / sizeof(agains[0]); k++) {
		for (i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++)
			wrong += !caught_later(&agains[k], rounds[i], 1);
		wrong += !caught_later(&agains[k], 500, 300);
		wrong += !caught_later(&agains[k], 6000, 300);
	}
	assert_int_equal(wrong, 0);
}

/* The stream was made anew by the server: all that it held is gone. */
static void
test_lost_whole_stream(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	story_init(&s, 1);
	story_open(&s);
	story_rounds(&s, 50);
	story_phase(&s, "mayhem");
	story_healed(&s, story_fault(&s, false), true);
	s.is_anew = true;
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.result.exit_code, EXIT_VIOLATION);
	assert_int_equal(v.counts[ANOMALY_LOST][CLASS_VIOLATION], 1);
	assert_int_equal(story_other_violations(&v, ANOMALY_LOST), 0);
	story_fini(&s);
}

/* Checks that have nothing to judge with one message in flight. */
static bool
is_for_many(const char *check)
{
	return strcmp(check, "skipped") == 0 ||
	       strcmp(check, "limit_exceeded") == 0 ||
	       strcmp(check, "misdelivered") == 0 ||
	       strcmp(check, "not_removed") == 0;
}

/* What it raises is never a violation. */
static bool
only_warns(const char *check)
{
	return strcmp(check, "redelivered_early") == 0;
}

/* Every check has its violations planted, here or in a test of its own. */
static void
test_every_check_is_planted(void **state)
{
	const struct check_ops *const *c;
	char path[256];
	size_t i;

	(void)state;
	for (c = check_table; *c != NULL; c++) {
		for (i = 0; i < PLANTS; i++)
			if (strcmp((*c)->name,
				anomaly_kind_name(plants[i].kind)) == 0)
				break;
		text_format(path, sizeof(path),
		    TESTS_DIR "/judge/test_check_%s.c", (*c)->name);
		if (i == PLANTS && is_for_many((*c)->name))
			continue; /* test_pipeline.c */
		if (only_warns((*c)->name))
			continue; /* test_check_delivered_twice.c */
		if (i == PLANTS && access(path, R_OK) < 0)
			fail_msg("no violation of \"%s\" is planted, and "
				 "there is no %s",
			    (*c)->name, path);
	}
}

/* The things that a check of this name judged in a story. */
static uint64_t
judged(const struct judge *j, const char *check)
{
	const struct check_ops *const *c;

	for (c = check_table; *c != NULL; c++)
		if (strcmp((*c)->name, check) == 0)
			return judge_check_judged(j, *c);
	fail_msg("no check \"%s\"", check);
	return 0;
}

/* Every check says what it judges, and counts only what a run has of it. */
static void
test_counts_judged(void **state)
{
	struct judge *j = judge_create(NULL, NULL);
	const struct check_ops *const *c;
	struct story s;
	size_t i;

	(void)state;
	assert_non_null(j);
	for (c = check_table; *c != NULL; c++)
		if ((*c)->unit == NULL)
			fail_msg("\"%s\" has no unit", (*c)->name);
	story_init(&s, 1);
	story_open(&s);
	for (i = 0; i < s.n; i++)
		assert_int_equal(judge_event(j, &s.events[i]), 0);
	assert_int_equal(judged(j, "corrupt"), 0);
	assert_int_equal(judged(j, "stuck"), 0);
	story_rounds(&s, 10);
	story_close(&s);
	for (; i < s.n; i++)
		assert_int_equal(judge_event(j, &s.events[i]), 0);
	assert_int_equal(judged(j, "corrupt"), 20); /* delivered, scanned */
	assert_int_equal(judged(j, "lost"), 10);
	assert_int_equal(judged(j, "stuck"), 10);
	assert_int_equal(judged(j, "op_timeout"), 20);
	assert_int_equal(judged(j, "redelivered_after_ack"), 10);
	/* Nobody asked the consumer what it has. */
	assert_int_equal(judged(j, "skipped"), 0);
	assert_int_equal(judged(j, "redelivered_early"), 0);
	assert_int_equal(judged(j, "limit_exceeded"), 0);
	assert_int_equal(judged(j, "not_removed"), 0);
	assert_int_equal(judged(j, "not_recovered"), 0);
	assert_int_equal(judged(j, "kv"), 0);
	assert_int_equal(judged(j, "streams"), 0);
	story_fini(&s);
	judge_destroy(j);
}

/* Many of one kind: all are counted, some are kept. */
static void
test_many(void **state)
{
	struct story_verdict v;
	struct story s;
	int i;

	(void)state;
	story_init(&s, 1);
	story_open(&s);
	for (i = 0; i < 100; i++)
		story_mark(&s, story_round(&s), STORY_GONE);
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_LOST][CLASS_VIOLATION], 100);
	story_fini(&s);
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
	    cmocka_unit_test(test_honest),
	    cmocka_unit_test(test_lost_whole_stream),
	    cmocka_unit_test(test_any_distance),
	    cmocka_unit_test(test_every_check_is_planted),
	    cmocka_unit_test(test_counts_judged),
	    cmocka_unit_test(test_many),
	};
	enum {
		OTHERS = sizeof(others) / sizeof(others[0])
	};
	struct CMUnitTest tests[OTHERS + PLANTS];
	size_t i;

	memset(tests, 0, sizeof(tests));
	memcpy(tests, others, sizeof(others));
	for (i = 0; i < PLANTS; i++) {
		tests[OTHERS + i].name = plants[i].name;
		tests[OTHERS + i].test_func = test_plant;
		tests[OTHERS + i].initial_state = (void *)(uintptr_t)&plants[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
