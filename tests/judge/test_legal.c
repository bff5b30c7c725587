/* SPDX-License-Identifier: ISC */
/*
 * Must not fail: the legal oddities of docs/guarantees.md that bear on the
 * present messages, one planted in each history. None may raise a
 * violation; the ones marked so are reported as documented or as a warning.
 */
#include "tests/stories/story.h"

#include <string.h>

#define ROUNDS 40
#define SEEDS  8

struct oddity {
	const char *name; /* begins with the paragraph */
	void (*go)(struct story *);
	/* what is reported all the same; CLASS_COUNT: nothing at all */
	enum anomaly_class class;
	enum anomaly_kind kind;
};

static void
ack(struct story *s, uint32_t source, uint64_t seq, uint64_t number)
{
	story_ack_invoke(s, source, seq, number);
	story_ack_ok(s, source, seq, number);
}

/* 0: outcomes */

static void
unknown_appears_late(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_unknown(s, id, 1);
	story_publish_end(s, id, 2);
	story_rounds(s, 10);
	story_consume(s, story_store(s, id));
}

static void
unknown_never_appears(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_unknown(s, id, 1);
	story_publish_end(s, id, 2);
	story_pass(s, 60 * CLOCK_S);
}

static void
unknown_in_scan_only(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_unknown(s, id, 1);
	story_publish_end(s, id, 2);
	(void)story_store(s, id); /* only the scan sees it */
}

static void
failed_then_stored(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	story_fail(s, id, 1);
	story_invoke(s, id, 2);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

static void
failed_for_certain(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_fail(s, id, 1);
	story_publish_end(s, id, 1);
}

/* An earlier attempt's UNKNOWN outweighs the last one's certain failure. */
static void
unknown_then_failed(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_unknown(s, id, 1);
	story_invoke(s, id, 2);
	story_fail(s, id, 2);
	story_publish_end(s, id, 2);
	story_consume(s, story_store(s, id));
}

static void
publisher_killed(struct story *s)
{
	uint64_t id = story_new_id(s);

	story_invoke(s, id, 1);
	story_kill(s, STORY_PUBLISHER);
	story_restart(s, STORY_PUBLISHER);
	story_rounds(s, 3);
	story_consume(s, story_store(s, id));
}

static void
publisher_killed_for_nothing(struct story *s)
{
	story_invoke(s, story_new_id(s), 1);
	story_kill(s, STORY_PUBLISHER);
	story_pass(s, 60 * CLOCK_S);
	story_restart(s, STORY_PUBLISHER);
}

/* 1: durability */

static void
memory_storage_lost(struct story *s)
{
	uint64_t seq = story_round(s);

	story_healed(s, story_fault(s, false), true);
	s->stored[seq].state = STORY_GONE;
}

static void
memory_stream_made_anew(struct story *s)
{
	story_healed(s, story_fault(s, true), true);
	s->is_anew = true;
}

/* The request to create it was sent twice: its time may be either's. */
static void
another_creation_time(struct story *s)
{
	story_rounds(s, 1);
	s->created++;
}

static void
sequence_holes(struct story *s)
{
	s->outage_seqs = 3;
	story_rounds(s, 1);
}

/* 2: order */

static void
concurrent_in_any_order(struct story *s)
{
	uint64_t a = story_new_id(s), b = story_new_id(s), low, high;

	story_invoke(s, a, 1);
	story_invoke(s, b, 1);
	low = story_store(s, b);
	high = story_store(s, a);
	story_ok(s, a, high, false);
	story_ok(s, b, low, false);
	story_consume(s, low);
	story_consume(s, high);
}

static void
duplicate_ack_is_older(struct story *s)
{
	uint64_t a = story_new_id(s), b = story_new_id(s), low, high;

	story_invoke(s, a, 1);
	low = story_store(s, a);
	story_unknown(s, a, 1);
	story_invoke(s, b, 1);
	high = story_store(s, b);
	story_ok(s, b, high, false);
	story_invoke(s, a, 2);
	story_ok(s, a, low, true);
	story_consume(s, low);
	story_consume(s, high);
}

/* 3: dedupe */

static void
copy_after_the_window(struct story *s)
{
	uint64_t first = story_round(s), again;

	again = story_store(s, s->stored[first].id);
	s->stored[again].stamp_ns =
	    s->stored[first].stamp_ns + (int64_t)STORY_DEDUPE_NS;
	story_consume(s, again);
}

/* Within the margin that clocks and timers of leaders are given. */
static void
copy_at_the_window(struct story *s)
{
	uint64_t first = story_round(s), again;

	again = story_store(s, s->stored[first].id);
	s->stored[again].stamp_ns = s->stored[first].stamp_ns +
				    (int64_t)(STORY_DEDUPE_NS - CLOCK_S / 2);
	story_consume(s, again);
}

static void
retry_after_long_outage(struct story *s)
{
	uint64_t id = story_new_id(s), first, again;

	story_invoke(s, id, 1);
	first = story_store(s, id);
	story_unknown(s, id, 1);
	story_invoke(s, id, 2);
	again = story_store(s, id);
	s->stored[again].stamp_ns += (int64_t)(2 * STORY_DEDUPE_NS);
	story_ok(s, id, again, false);
	story_consume(s, first);
	story_consume(s, again);
}

/* 4 and 5: delivery */

static void
delivered_before_the_ack(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	seq = story_store(s, id);
	story_consume(s, seq);
	story_ok(s, id, seq, false);
}

static void
redelivered_before_ack(struct story *s)
{
	uint64_t seq = story_publish(s), first, second;

	first = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_pass(s, STORY_WAIT_NS);
	second = story_deliver(s, STORY_CONSUMER + 1, seq, 2);
	ack(s, STORY_CONSUMER, seq, first);
	ack(s, STORY_CONSUMER + 1, seq, second);
}

static void
redelivered_early(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	(void)story_deliver(s, STORY_CONSUMER, seq, 1); /* and no ack */
	number = story_deliver(s, STORY_CONSUMER, seq, 2);
	ack(s, STORY_CONSUMER, seq, number);
}

static void
delivery_lost_on_the_way(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	s->number++;
	story_pass(s, STORY_WAIT_NS);
	number = story_deliver(s, STORY_CONSUMER, seq, 2);
	ack(s, STORY_CONSUMER, seq, number);
}

static void
killed_between_deliver_and_ack(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	(void)story_deliver(s, STORY_CONSUMER, seq, 1); /* and no ack */
	story_kill(s, STORY_CONSUMER);
	story_restart(s, STORY_CONSUMER);
	story_pass(s, STORY_WAIT_NS);
	number = story_deliver(s, STORY_CONSUMER + 1, seq, 2);
	ack(s, STORY_CONSUMER + 1, seq, number);
}

/*
 * The ack was committed, but the worker died before it could tell: the
 * server owes no further delivery, and nobody will ever confirm.
 */
static void
killed_between_ack_and_word(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_ack_invoke(s, STORY_CONSUMER, seq, number);
	story_kill(s, STORY_CONSUMER);
	story_restart(s, STORY_CONSUMER);
	story_pass(s, 60 * CLOCK_S);
}

/* Its confirmation was lost, and the worker's patience ended under faults. */
static void
ack_given_up_under_fault(struct story *s)
{
	uint64_t seq = story_publish(s), number;
	uint32_t fault;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_ack_invoke(s, STORY_CONSUMER, seq, number);
	fault = story_fault(s, true);
	story_pass(s, 30 * CLOCK_S);
	story_ack_unknown(s, STORY_CONSUMER, seq, number, true);
	story_healed(s, fault, true);
	story_pass(s, 60 * CLOCK_S);
}

/* 6: acks */

/*
 * Sent before the ack (a lower number), received long after it, by a process
 * that received nothing else meanwhile.
 */
static void
late_delivery(struct story *s)
{
	uint64_t seq = story_publish(s), number, late, next;
	int i;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	late = ++s->number;
	ack(s, STORY_CONSUMER, seq, number);
	for (i = 0; i < 5; i++) {
		next = story_publish(s);
		ack(s, STORY_CONSUMER, next,
		    story_deliver(s, STORY_CONSUMER, next, 1));
	}
	story_pass(s, 20 * CLOCK_S);
	story_deliver_as(s, STORY_CONSUMER + 1, seq, late, 2);
	ack(s, STORY_CONSUMER + 1, seq, late);
	story_rounds(s, 5);
}

/* The same, with the bar known only after it arrived. */
static void
late_delivery_at_once(struct story *s)
{
	uint64_t seq = story_publish(s), number, late;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	late = ++s->number;
	ack(s, STORY_CONSUMER, seq, number);
	story_deliver_as(s, STORY_CONSUMER + 1, seq, late, 2);
	ack(s, STORY_CONSUMER + 1, seq, late);
	story_rounds(s, 3);
}

static void
ack_unknown_then_redelivered(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_ack_invoke(s, STORY_CONSUMER, seq, number);
	story_ack_unknown(s, STORY_CONSUMER, seq, number, false);
	story_pass(s, STORY_WAIT_NS);
	number = story_deliver(s, STORY_CONSUMER + 1, seq, 2);
	ack(s, STORY_CONSUMER + 1, seq, number);
}

/*
 * A deposed leader had numbered ahead: its delivery of what was then acked
 * elsewhere arrives late, and the next leader uses the number again.
 */
static void
deposed_number_collides(struct story *s)
{
	uint64_t seq = story_publish(s), number;
	uint32_t fault = story_fault(s, false);

	number = s->number + 1;
	s->number = number; /* numbers above were never replicated */
	story_deliver_as(s, STORY_CONSUMER, seq, number, 1);
	ack(s, STORY_CONSUMER, seq, number);
	story_rounds(s, 1); /* number + 1 */
	story_deliver_as(s, STORY_CONSUMER + 1, seq, number + 3, 4);
	ack(s, STORY_CONSUMER + 1, seq, number + 3);
	story_rounds(s, 4); /* number + 2, + 3: the collision, + 4, + 5 */
	story_healed(s, fault, true);
	story_leader(s, "n2");
}

/* The collision comes first, the old leader's delivery later. */
static void
deposed_number_comes_last(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	ack(s, STORY_CONSUMER, seq, number);
	story_rounds(s, 4);
	story_leader(s, "n2");
	story_deliver_as(s, STORY_CONSUMER + 1, seq, number + 2, 3);
	ack(s, STORY_CONSUMER + 1, seq, number + 2);
	story_rounds(s, 3);
}

/*
 * As above, but the living leader's delivery of that number was itself lost
 * with a connection and came again as the next number: nothing else has the
 * number, and yet the redelivery was sent before the ack.
 */
static void
deposed_number_lost_twin(struct story *s)
{
	uint64_t seq = story_publish(s), number, next;
	uint32_t fault = story_fault(s, false);

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	ack(s, STORY_CONSUMER, seq, number);
	story_rounds(s, 1);
	story_deliver_as(s, STORY_CONSUMER + 1, seq, number + 2, 3);
	ack(s, STORY_CONSUMER + 1, seq, number + 2);
	next = story_publish(s);
	s->number++; /* number + 2: lost on the way */
	story_pass(s, STORY_WAIT_NS);
	number = story_deliver(s, STORY_CONSUMER, next, 2);
	ack(s, STORY_CONSUMER, next, number);
	story_rounds(s, 3);
	story_healed(s, fault, true);
	story_leader(s, "n2");
}

/* The collision was so long ago that it is no longer kept. */
static void
deposed_number_long_ago(struct story *s)
{
	uint64_t seq = story_publish(s), next, number, first;
	unsigned i;

	first = story_deliver(s, STORY_CONSUMER, seq, 1);
	ack(s, STORY_CONSUMER, seq, first);
	story_rounds(s, 4);
	/* Three numbers for each message: uneven. */
	for (i = 0; i < 3000; i++) {
		next = story_publish(s);
		s->number += 2; /* lost on the way */
		number = story_deliver(s, STORY_CONSUMER, next, 1);
		ack(s, STORY_CONSUMER, next, number);
	}
	story_deliver_as(s, STORY_CONSUMER + 1, seq, first + 2, 3);
	ack(s, STORY_CONSUMER + 1, seq, first + 2);
	story_rounds(s, 4);
}

/* Later than the ack wait, but without proof. */
static void
unproven_redelivery(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	ack(s, STORY_CONSUMER, seq, number);
	story_pass(s, 2 * STORY_WAIT_NS);
	number = story_deliver(s, STORY_CONSUMER + 1, seq, 2);
	ack(s, STORY_CONSUMER + 1, seq, number);
	/* Nothing is published afterwards: the load ends here. */
}

/* 7: order within a consumer */

static void
reorder_across_leaders(struct story *s)
{
	uint64_t low, high;
	uint32_t fault = story_fault(s, false);

	low = story_publish(s);
	high = story_publish(s);
	story_consume(s, high);
	story_leader(s, "n3");
	story_consume(s, low);
	story_healed(s, fault, true);
}

/* Far from faults, but the leader was another one afterwards. */
static void
reorder_with_new_leader(struct story *s)
{
	uint64_t low, high;

	story_pass(s, 25 * CLOCK_S);
	story_leader(s, s->leader);
	low = story_publish(s);
	high = story_publish(s);
	story_consume(s, high);
	story_consume(s, low);
	story_leader(s, "n7");
}

static void
redelivery_goes_back(struct story *s)
{
	uint64_t low = story_publish(s), high = story_publish(s), number;

	s->number++; /* low was sent first and lost */
	story_consume(s, high);
	story_pass(s, STORY_WAIT_NS);
	number = story_deliver(s, STORY_CONSUMER, low, 2);
	ack(s, STORY_CONSUMER, low, number);
}

/* Two workers' arrivals interleave by the wall clock as they like. */
static void
workers_interleave(struct story *s)
{
	uint64_t low = story_publish(s), high = story_publish(s);
	uint64_t number = s->number + 1;

	s->number += 2;
	story_deliver_as(s, STORY_CONSUMER, high, number + 1, 1);
	ack(s, STORY_CONSUMER, high, number + 1);
	story_deliver_as(s, STORY_CONSUMER + 1, low, number, 1);
	ack(s, STORY_CONSUMER + 1, low, number);
}

/* 13 to 15: liveness */

static void
slow_under_graceful_fault(struct story *s)
{
	uint64_t id = story_new_id(s), seq;
	uint32_t fault = story_fault(s, false), attempt;

	for (attempt = 1; attempt <= 12; attempt++) {
		story_invoke(s, id, attempt);
		story_pass(s, 2 * CLOCK_S);
		story_unknown(s, id, attempt);
	}
	story_invoke(s, id, attempt);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_pass(s, 25 * CLOCK_S);
	story_consume(s, seq);
	story_healed(s, fault, true);
}

static void
outage_stops_the_clock(struct story *s)
{
	uint64_t id = story_new_id(s), seq;
	uint32_t fault;

	story_invoke(s, id, 1);
	story_pass(s, 15 * CLOCK_S);
	fault = story_fault(s, true);
	story_pass(s, 120 * CLOCK_S);
	story_healed(s, fault, true);
	story_pass(s, 30 * CLOCK_S); /* 20 of them for elections */
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

static void
outage_delays_consumption(struct story *s)
{
	uint64_t seq = story_publish(s);
	uint32_t fault = story_fault(s, true);

	story_pass(s, 120 * CLOCK_S);
	story_healed(s, fault, true);
	story_pass(s, 45 * CLOCK_S);
	story_consume(s, seq);
}

static void
dead_consumers_delay(struct story *s)
{
	uint64_t seq = story_publish(s);
	uint32_t i;

	story_pass(s, 20 * CLOCK_S);
	for (i = 0; i < STORY_CONSUMERS; i++)
		story_kill(s, STORY_CONSUMER + i);
	story_pass(s, 25 * CLOCK_S);
	for (i = 0; i < STORY_CONSUMERS; i++)
		story_restart(s, STORY_CONSUMER + i);
	story_pass(s, 25 * CLOCK_S);
	story_consume(s, seq);
}

/* Started again, they take longer to connect than a message may wait. */
static void
slow_consumers_delay(struct story *s)
{
	uint64_t seq = story_publish(s);
	uint32_t i;

	for (i = 0; i < STORY_CONSUMERS; i++)
		story_kill(s, STORY_CONSUMER + i);
	for (i = 0; i < STORY_CONSUMERS; i++)
		story_restart_slowly(s, STORY_CONSUMER + i, 40 * CLOCK_S);
	story_consume(s, seq);
}

/*
 * The whole host stood still (virtual machine paused, no CPU): no process
 * said anything, not even a tick of our own, for a minute.
 */
static void
host_stood_still(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	s->now_ns += 60 * CLOCK_S;
	s->tick_ns += 60 * CLOCK_S;
	story_pass(s, CLOCK_S);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	s->now_ns += 60 * CLOCK_S;
	s->tick_ns += 60 * CLOCK_S;
	story_pass(s, CLOCK_S);
	story_consume(s, seq);
	story_pass(s, 130 * CLOCK_S); /* most of the load is seen */
}

static void
fault_failed_to_heal(struct story *s)
{
	story_healed(s, story_fault(s, false), false);
}

#define QUIETLY CLASS_COUNT, ANOMALY_COUNT

static const struct oddity oddities[] = {
    {"0 unknown appears late", unknown_appears_late, QUIETLY},
    {"0 unknown never appears", unknown_never_appears, QUIETLY},
    {"0 unknown in the scan only", unknown_in_scan_only, QUIETLY},
    {"0 failed, then stored", failed_then_stored, QUIETLY},
    {"0 failed for certain", failed_for_certain, QUIETLY},
    {"0 unknown, then failed", unknown_then_failed, QUIETLY},
    {"0 publisher killed, message comes", publisher_killed, QUIETLY},
    {"0 publisher killed, nothing comes", publisher_killed_for_nothing,
	QUIETLY},
    {"1 sequence holes", sequence_holes, QUIETLY},
    {"1 another creation time", another_creation_time, QUIETLY},
    {"2 concurrent in any order", concurrent_in_any_order, QUIETLY},
    {"2 a duplicate's ack is older", duplicate_ack_is_older, QUIETLY},
    {"3 second copy after the window", copy_after_the_window, QUIETLY},
    {"3 second copy at the window's end", copy_at_the_window, QUIETLY},
    {"3 retry after a long outage", retry_after_long_outage, QUIETLY},
    {"4 delivered before the publish ack", delivered_before_the_ack, QUIETLY},
    {"4 killed between deliver and ack", killed_between_deliver_and_ack,
	QUIETLY},
    {"4 killed between ack and word of it", killed_between_ack_and_word,
	QUIETLY},
    {"4 ack given up under a fault", ack_given_up_under_fault, QUIETLY},
    {"5 redelivered before the ack", redelivered_before_ack, QUIETLY},
    {"5 redelivered early", redelivered_early, CLASS_WARNING,
	ANOMALY_REDELIVERED_EARLY},
    {"5 delivery lost on the way", delivery_lost_on_the_way, QUIETLY},
    {"5 ack unknown, redelivered", ack_unknown_then_redelivered, QUIETLY},
    {"6 sent before the ack, received later", late_delivery, CLASS_WARNING,
	ANOMALY_REDELIVERED_AFTER_ACK},
    {"6 the same, received at once", late_delivery_at_once, QUIETLY},
    {"6 deposed leader's number collides", deposed_number_collides,
	CLASS_WARNING, ANOMALY_DELIVERED_TWICE},
    {"6 deposed leader's number comes last", deposed_number_comes_last,
	CLASS_WARNING, ANOMALY_DELIVERED_TWICE},
    {"6 deposed leader's number, long ago", deposed_number_long_ago,
	CLASS_WARNING, ANOMALY_DELIVERED_TWICE},
    {"6 deposed leader's number, twin lost", deposed_number_lost_twin,
	CLASS_WARNING, ANOMALY_REDELIVERED_AFTER_ACK},
    {"7 reorder across leaders", reorder_across_leaders, CLASS_WARNING,
	ANOMALY_REORDER},
    {"7 reorder, then a new leader", reorder_with_new_leader, CLASS_WARNING,
	ANOMALY_REORDER},
    {"7 redelivery goes back", redelivery_goes_back, QUIETLY},
    {"7 workers interleave", workers_interleave, QUIETLY},
    {"15 slow under a graceful fault", slow_under_graceful_fault, QUIETLY},
    {"15 outage stops the clock", outage_stops_the_clock, QUIETLY},
    {"15 outage delays consumption", outage_delays_consumption, QUIETLY},
    {"15 dead consumers of ours delay", dead_consumers_delay, QUIETLY},
    {"15 slow consumers of ours delay", slow_consumers_delay, QUIETLY},
    {"15 the host stood still", host_stood_still, QUIETLY},
    {"15 a fault failed to heal", fault_failed_to_heal, CLASS_WARNING,
	ANOMALY_STUCK},
};

#define ODDITIES (sizeof(oddities) / sizeof(oddities[0]))

static void
tell(struct story *s, void (*go)(struct story *), unsigned at)
{
	unsigned i;

	story_open(s);
	for (i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 4) {
			story_phase(s, "mayhem");
			(void)story_fault(s, false); /* number 1 */
		}
		if (i == ROUNDS / 2)
			story_healed(s, 1, true);
		if (i == at)
			go(s);
		story_rounds(s, 1);
	}
	story_close(s);
}

static bool
judged_well(const struct oddity *o, const struct story_verdict *v)
{
	uint64_t others = 0, wanted = 0;
	unsigned k, c;

	for (k = 0; k < ANOMALY_COUNT; k++)
		for (c = 0; c < CLASS_COUNT; c++)
			if (k == o->kind && c == o->class)
				wanted += v->counts[k][c];
			else
				others += v->counts[k][c];
	/* What is owed as a warning at least must not be a violation. */
	if (o->class == CLASS_WARNING)
		return others == 0 && v->result.exit_code == EXIT_PASS;
	return others == 0 && v->result.exit_code == EXIT_PASS &&
	       (wanted > 0) == (o->class != CLASS_COUNT);
}

static bool
judge_one(const struct oddity *o, uint64_t seed, unsigned at)
{
	struct story_verdict v;
	struct story s;
	bool good;

	story_init(&s, seed);
	tell(&s, o->go, at);
	story_judge(&s, &v);
	good = judged_well(o, &v);
	if (!good)
		print_message("legal: %s, seed %llu, round %u: exit %d\n%s",
		    o->name, (unsigned long long)seed, at, v.result.exit_code,
		    v.says);
	story_fini(&s);
	return good;
}

static void
test_oddity(void **state)
{
	const struct oddity *o = *state;
	unsigned wrong = 0;
	struct rng rng;
	uint64_t seed;

	for (seed = 1; seed <= SEEDS && wrong == 0; seed++) {
		rng_init(&rng, seed, "where");
		wrong += !judge_one(o, seed, 1); /* before any fault */
		wrong += !judge_one(o, seed, ROUNDS - 2);
		/* One that stands among faults anyway has its own. */
		wrong += !judge_one(
		    o, seed, ROUNDS / 2 + (unsigned)rng_below(&rng, 18));
	}
	assert_int_equal(wrong, 0);
}

/* Memory storage: documented, reported, and no violation. */
static void
judge_memory(const char *cluster, uint64_t process, void (*go)(struct story *),
    enum anomaly_class class)
{
	struct story_verdict v;
	struct story s;

	story_init(&s, 1);
	s.storage = "memory";
	s.options[0][0] = "cluster";
	s.options[0][1] = cluster;
	s.process = process;
	if (process != 0)
		s.mayhem = "none";
	story_open(&s);
	story_rounds(&s, 5);
	go(&s);
	story_phase(&s, "mayhem");
	if (class == CLASS_DOCUMENTED && process == 0) {
		uint32_t fault = story_fault(&s, false);

		story_rounds(&s, 5);
		story_healed(&s, fault, true);
	}
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_LOST][class], 1);
	if (class == CLASS_DOCUMENTED) {
		assert_int_equal(story_other_violations(&v, ANOMALY_COUNT), 0);
		assert_int_equal(v.result.exit_code,
		    s.is_anew ? EXIT_INCONCLUSIVE : EXIT_PASS);
	}
	story_fini(&s);
}

/* That a server lost what it held in memory explains no wrong content. */
static void
test_memory_damaged(void **state)
{
	struct story_verdict v;
	struct story s;
	uint64_t seq;

	(void)state;
	story_init(&s, 1);
	s.storage = "memory";
	story_open(&s);
	seq = story_round(&s);
	story_healed(&s, story_fault(&s, false), true);
	s.stored[seq].state = STORY_DAMAGED;
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_CORRUPT][CLASS_VIOLATION], 1);
	story_fini(&s);
}

static void
lose_by_their_restart(struct story *s)
{
	uint64_t seq = story_round(s);

	s->process++;
	story_pass(s, 10 * CLOCK_S);
	s->stored[seq].state = STORY_GONE;
}

static void
lose_without_fault(struct story *s)
{
	story_mark(s, story_round(s), STORY_GONE);
}

static void
test_memory_storage(void **state)
{
	(void)state;
	judge_memory("local", 0, memory_storage_lost, CLASS_DOCUMENTED);
	judge_memory("local", 0, memory_stream_made_anew, CLASS_DOCUMENTED);
	/* Without any fault nothing excuses it. */
	judge_memory("local", 0, lose_without_fault, CLASS_VIOLATION);
	/* But its owner may have restarted somebody else's cluster. */
	judge_memory("external", 0, lose_without_fault, CLASS_WARNING);
	/* Unless monitoring shows which processes they are. */
	judge_memory("external", 1, lose_without_fault, CLASS_VIOLATION);
	judge_memory("external", 1, lose_by_their_restart, CLASS_DOCUMENTED);
}

/* Not proven, so a warning, when it came later than the ack wait. */
static void
test_unproven_redelivery(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	story_init(&s, 1);
	s.mayhem = "none";
	story_open(&s);
	story_rounds(&s, 10);
	unproven_redelivery(&s);
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.result.exit_code, EXIT_PASS);
	assert_int_equal(
	    v.counts[ANOMALY_REDELIVERED_AFTER_ACK][CLASS_WARNING], 1);
	story_fini(&s);
}

/* R1, its one server down: the clock stands, unless strict. */
static void
test_one_replica_outage(void **state)
{
	struct story_verdict v;
	struct story s;
	int strict;

	(void)state;
	for (strict = 0; strict < 2; strict++) {
		story_init(&s, 1);
		s.replicas = 1;
		s.strict = strict == 1;
		story_open(&s);
		story_rounds(&s, 10);
		story_phase(&s, "mayhem");
		outage_stops_the_clock(&s);
		outage_delays_consumption(&s);
		story_rounds(&s, 10);
		story_close(&s);
		story_judge(&s, &v);
		assert_int_equal(
		    v.counts[ANOMALY_OP_TIMEOUT][CLASS_VIOLATION], strict);
		assert_int_equal(
		    v.counts[ANOMALY_STUCK][CLASS_VIOLATION], strict);
		assert_int_equal(v.result.exit_code,
		    strict ? EXIT_VIOLATION : EXIT_INCONCLUSIVE);
		story_fini(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
	    cmocka_unit_test(test_memory_storage),
	    cmocka_unit_test(test_memory_damaged),
	    cmocka_unit_test(test_unproven_redelivery),
	    cmocka_unit_test(test_one_replica_outage),
	};
	enum {
		OTHERS = sizeof(others) / sizeof(others[0])
	};
	struct CMUnitTest tests[OTHERS + ODDITIES];
	size_t i;

	memset(tests, 0, sizeof(tests));
	memcpy(tests, others, sizeof(others));
	for (i = 0; i < ODDITIES; i++) {
		tests[OTHERS + i].name = oddities[i].name;
		tests[OTHERS + i].test_func = test_oddity;
		tests[OTHERS + i].initial_state =
		    (void *)(uintptr_t)&oddities[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
