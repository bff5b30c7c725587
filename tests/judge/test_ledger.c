/* SPDX-License-Identifier: ISC */
/* ledger: what the events establish, and that settled things leave. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/ledger.h"
#include "proto/base/clock.h"

#define PUBLISHER 3

static struct ledger ledger;
static uint64_t now;

static struct event
event_of(enum message_type type)
{
	struct event ev;

	memset(&ev, 0, sizeof(ev));
	ev.type = type;
	ev.time_ns = ++now;
	return ev;
}

static void
enter(const struct event *ev)
{
	ledger_event(&ledger, ev);
}

static void
stream(bool with_consumer)
{
	struct event ev = event_of(MESSAGE_STREAM);

	ev.u.stream.created = 5;
	ev.u.stream.dedupe_ns = 7;
	enter(&ev);
	if (!with_consumer)
		return;
	ev = event_of(MESSAGE_CONSUMER);
	enter(&ev);
}

static void
invoke(uint64_t counter)
{
	struct event ev = event_of(MESSAGE_PUBLISH_INVOKE);

	ev.u.publish_invoke.id = message_id(PUBLISHER, counter);
	ev.u.publish_invoke.sum = counter * 3;
	enter(&ev);
}

static void
ok(uint64_t counter, uint64_t seq, bool duplicate)
{
	struct event ev = event_of(MESSAGE_PUBLISH_OK);

	ev.u.publish_ok.id = message_id(PUBLISHER, counter);
	ev.u.publish_ok.seq = seq;
	ev.u.publish_ok.duplicate = duplicate;
	enter(&ev);
}

static void
confirmed(uint64_t counter)
{
	struct event ev = event_of(MESSAGE_ACK_OK);

	ev.u.ack_ok.id = message_id(PUBLISHER, counter);
	enter(&ev);
}

static void
end(uint64_t counter, uint8_t outcome)
{
	struct event ev = event_of(MESSAGE_PUBLISH_END);

	ev.u.publish_end.id = message_id(PUBLISHER, counter);
	ev.u.publish_end.outcome = outcome;
	enter(&ev);
}

static const struct ledger_entry *
find(uint64_t counter)
{
	return ledger_find(&ledger, message_id(PUBLISHER, counter));
}

static void
test_round(void **state)
{
	uint64_t id;

	(void)state;
	stream(true);
	invoke(1);
	assert_true(find(1)->sum == 3 && find(1)->attempts == 1);
	invoke(1);
	assert_int_equal(find(1)->attempts, 2);
	ok(1, 1, false);
	assert_true(find(1)->is_acked);
	assert_int_equal(find(1)->seq, 1);
	assert_int_equal(ledger_stream(&ledger, 0)->max_acked, 1);
	confirmed(1);
	assert_null(find(1));
	assert_true(seqlog_find(&ledger_stream(&ledger, 0)->known, 1, &id));
	assert_true(id == message_id(PUBLISHER, 1));
	assert_true(ledger_was_invoked(&ledger, id));
	assert_false(ledger_was_invoked(&ledger, id + 1));
	assert_false(ledger_was_invoked(&ledger, 0));
	assert_false(ledger_was_invoked(&ledger, message_id(4, 1)));
	assert_false(ledger_was_invoked(&ledger, message_id(PUBLISHER, 0)));
}

/* The confirmation may come before the publish ack. */
static void
test_confirmed_first(void **state)
{
	(void)state;
	stream(true);
	invoke(1);
	confirmed(1);
	assert_true(find(1)->is_confirmed);
	ok(1, 1, false);
	assert_null(find(1));
}

static void
test_without_consumer(void **state)
{
	(void)state;
	stream(false);
	invoke(1);
	ok(1, 1, false);
	assert_null(find(1));
}

static void
test_outcomes(void **state)
{
	struct event ev;

	(void)state;
	stream(true);
	invoke(1);
	end(1, 1);
	assert_null(find(1)); /* certainly nothing happened */
	invoke(2);
	ev = event_of(MESSAGE_PUBLISH_UNKNOWN);
	ev.u.publish_unknown.id = message_id(PUBLISHER, 2);
	enter(&ev);
	end(2, 1);
	assert_non_null(find(2)); /* one attempt is unknown for ever */
	assert_true(find(2)->is_unknown && find(2)->is_ended);
	invoke(3);
	end(3, 2);
	assert_true(find(3)->is_unknown);
}

static void
test_floor(void **state)
{
	(void)state;
	stream(true);
	invoke(1);
	invoke(2);
	ok(1, 10, false);
	invoke(3);
	ok(2, 4, true); /* a duplicate's older sequence raises nothing */
	invoke(4);
	assert_int_equal(find(2)->floor, 0);
	assert_int_equal(find(3)->floor, 10);
	assert_int_equal(find(4)->floor, 10);
}

static void
test_worker_dies(void **state)
{
	struct event ev;

	(void)state;
	stream(true);
	invoke(1);
	ok(1, 1, false);
	invoke(2);
	ev = event_of(MESSAGE_CHILD_EXIT);
	ev.u.child_exit.child = PUBLISHER + 1;
	enter(&ev);
	assert_false(find(2)->is_unknown);
	ev.u.child_exit.child = PUBLISHER;
	enter(&ev);
	assert_true(find(2)->is_unknown && find(2)->is_ended);
	assert_false(find(1)->is_unknown);
}

static void
acked_unheard(uint64_t counter)
{
	struct event ev = event_of(MESSAGE_ACK_UNKNOWN);

	ev.u.ack_unknown.id = message_id(PUBLISHER, counter);
	ev.u.ack_unknown.gave_up = 1;
	enter(&ev);
}

static void
delivered(uint64_t counter, uint64_t seq)
{
	struct event ev = event_of(MESSAGE_DELIVER);

	ev.u.deliver.id = message_id(PUBLISHER, counter);
	ev.u.deliver.seq = seq;
	ev.u.deliver.sum = counter * 3;
	ev.u.deliver.intact = 1;
	enter(&ev);
}

static void
minute(void)
{
	struct event ev;

	now += 60 * CLOCK_S;
	ev = event_of(MESSAGE_TICK);
	enter(&ev);
}

/* An ack that may have been committed: parked, and back when it comes again. */
static void
test_parked(void **state)
{
	uint64_t confirmed, missing;
	struct event ev;

	(void)state;
	stream(true);
	ev = event_of(MESSAGE_CONSUMER_RULES);
	ev.u.consumer_rules.acks = ACKS_CONFIRMED;
	enter(&ev);
	invoke(1);
	ok(1, 1, false);
	invoke(2);
	ok(2, 2, false);
	delivered(1, 1);
	acked_unheard(1);
	assert_false(ledger_awaits(&ledger, find(1), &missing));
	minute();
	assert_null(find(1));
	assert_non_null(find(2)); /* somebody waits for it */
	assert_true(
	    ledger_is_parked(&ledger, message_id(PUBLISHER, 1), &confirmed));
	assert_int_equal(confirmed, 0);
	assert_false(
	    ledger_was_confirmed(&ledger, 0, message_id(PUBLISHER, 1)));
	delivered(1, 1);
	assert_false(
	    ledger_is_parked(&ledger, message_id(PUBLISHER, 1), &confirmed));
	assert_true(ledger_awaits(&ledger, find(1), &missing) && missing == 1);
	assert_int_equal(find(1)->seq, 1);
	acked_unheard(1);
	minute(); /* a second time */
	assert_null(find(1));
	delivered(1, 1);
	ev = event_of(MESSAGE_ACK_OK);
	ev.u.ack_ok.id = message_id(PUBLISHER, 1);
	enter(&ev);
	assert_null(find(1));
	assert_true(ledger_was_confirmed(&ledger, 0, message_id(PUBLISHER, 1)));
}

/* A publisher of 20,000 a second is beyond 2^32 in two and a half days. */
static void
test_parked_far(void **state)
{
	static const uint64_t counters[] = {
	    7, 7 + (UINT64_C(1) << 32), 7 + (UINT64_C(2) << 32)};
	struct parked p;
	uint64_t i, confirmed;

	(void)state;
	parked_init(&p);
	for (i = 0; i < 3; i++)
		assert_int_equal(
		    parked_put(&p, message_id(PUBLISHER, counters[i]), i), 0);
	for (i = 0; i < 3; i++) {
		assert_true(parked_find(
		    &p, message_id(PUBLISHER, counters[i]), &confirmed));
		assert_int_equal(confirmed, i);
	}
	assert_false(parked_find(
	    &p, message_id(PUBLISHER, 8 + (UINT64_C(1) << 32)), &confirmed));
	assert_true(
	    parked_take(&p, message_id(PUBLISHER, counters[1]), &confirmed));
	assert_int_equal(confirmed, 1);
	assert_false(
	    parked_find(&p, message_id(PUBLISHER, counters[1]), &confirmed));
	assert_int_equal(parked_count(&p, 0), 2);
	parked_fini(&p);
}

/* One whose outcome nobody knows leaves when it was read and confirmed. */
static void
test_recovered(void **state)
{
	(void)state;
	stream(true);
	invoke(1);
	end(1, 2);
	delivered(1, 1);
	assert_true(find(1)->is_unknown && find(1)->seq == 1);
	confirmed(1);
	assert_null(find(1));
	assert_int_equal(ledger.recovered, 1);
	invoke(2);
	delivered(2, 2);
	confirmed(2);
	assert_non_null(find(2)); /* its publisher still tries */
	end(2, 2);
	minute();
	assert_null(find(2));
	assert_int_equal(ledger.recovered, 2);
	invoke(3);
	end(3, 2);
	minute();
	assert_non_null(find(3)); /* it may still turn up */
}

/* What a backlog took is given back. */
static void
test_shrinks(void **state)
{
	uint64_t k, n = 100000;
	int i;

	(void)state;
	stream(true);
	for (k = 1; k <= n; k++)
		invoke(k);
	assert_true(ledger.entries.room >= 2 * n);
	for (k = 1; k <= n; k++) {
		ok(k, k, false);
		if (k % 1000 != 0)
			confirmed(k);
	}
	for (i = 0; i < 6; i++)
		minute();
	assert_true(ledger.entries.room <= 16384);
	assert_int_equal(ledger.entries.n, n / 1000);
	for (k = 1; k <= n; k++)
		assert_int_equal(find(k) != NULL, k % 1000 == 0);
}

/* Open addressing with removal: random against a plain array. */
static void
test_random_table(void **state)
{
	bool open[500] = {false};
	struct rng rng;
	uint64_t k, seq = 0;
	size_t n = 0, i;

	(void)state;
	stream(true);
	rng_init(&rng, support_seed(), "ledger");
	for (i = 0; i < 200000; i++) {
		k = rng_below(&rng, 500);
		if (!open[k]) {
			invoke(k + 1);
			n++;
		} else {
			confirmed(k + 1);
			ok(k + 1, ++seq, false);
			n--;
		}
		open[k] = !open[k];
		assert_int_equal(ledger.entries.n, n);
		k = rng_below(&rng, 500);
		assert_int_equal(find(k + 1) != NULL, open[k]);
	}
	assert_true(ledger.entries.room <= 2048);
}

/* Two streams have a message at sequence 1, both unreadable when acked. */
static void
test_ack_by_sequence(void **state)
{
	struct event ev;
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ev = event_of(MESSAGE_STREAM);
		ev.u.stream.stream = i;
		enter(&ev);
		ev = event_of(MESSAGE_CONSUMER);
		ev.u.consumer.stream = i;
		ev.u.consumer.consumer = 7 - i;
		enter(&ev);
		ev = event_of(MESSAGE_PUBLISH_INVOKE);
		ev.u.publish_invoke.stream = i;
		ev.u.publish_invoke.id = message_id(PUBLISHER, i + 1);
		enter(&ev);
		ev = event_of(MESSAGE_PUBLISH_OK);
		ev.u.publish_ok.stream = i;
		ev.u.publish_ok.id = message_id(PUBLISHER, i + 1);
		ev.u.publish_ok.seq = 1;
		enter(&ev);
	}
	for (i = 2; i-- > 0;) {
		ev = event_of(MESSAGE_ACK_OK);
		ev.u.ack_ok.consumer = 3; /* of no stream */
		ev.u.ack_ok.seq = 1;
		enter(&ev);
		assert_non_null(find(i + 1));
		ev.u.ack_ok.consumer = 7 - i;
		enter(&ev);
		assert_null(find(i + 1));
		assert_int_equal(find(1) != NULL, i == 1);
	}
}

static int
setup(void **state)
{
	(void)state;
	ledger_init(&ledger);
	now = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ledger_fini(&ledger);
	return 0;
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FRESH(test_round),
	    FRESH(test_confirmed_first),
	    FRESH(test_without_consumer),
	    FRESH(test_outcomes),
	    FRESH(test_floor),
	    FRESH(test_worker_dies),
	    FRESH(test_parked),
	    cmocka_unit_test(test_parked_far),
	    FRESH(test_recovered),
	    FRESH(test_shrinks),
	    FRESH(test_ack_by_sequence),
	    FRESH(test_random_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
