/* SPDX-License-Identifier: ISC */
/*
 * Legal oddities: each is behaviour that docs/guarantees.md allows; see
 * twists.h.
 */
#include "worker/workloads/liar/twists.h"

static void
legal_late_unknown(struct story *st)
{
	uint64_t counter = act_time_out(st);
	struct copy c;
	unsigned i;

	for (i = 0; i < LATE_ROUNDS; i++)
		act_round(st);
	c = act_store(st, counter, ODD_NOT);
	act_consume(st, &c);
}

static void
legal_never_stored(struct story *st)
{
	(void)act_time_out(st); /* and never seen */
	act_round(st);
}

static void
legal_unknown_at_end(struct story *st)
{
	uint64_t counter = act_time_out(st);

	act_round(st);
	(void)act_store(st, counter, ODD_NOT); /* only the scan sees it */
}

static void
legal_failed(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	act_invoke(st, counter, 1);
	act_fail(st, counter, 1);
	act_invoke(st, counter, 2);
	c = act_store(st, counter, ODD_NOT);
	act_ok(st, counter, 2, c.seq);
	act_consume(st, &c);
}

static void
legal_failed_for_good(struct story *st)
{
	uint64_t counter = ++st->counter;

	act_invoke(st, counter, 1);
	act_fail(st, counter, 1);
	act_end(st, counter, OUTCOME_FAIL);
	act_round(st);
}

static void
store_twice(struct story *st, enum odd odd)
{
	uint64_t counter = ++st->counter;
	struct copy a, b;

	act_invoke(st, counter, 1);
	a = act_store(st, counter, ODD_NOT);
	act_unknown(st, counter, 1);
	st->skew_ns += (int64_t)WINDOW_NS;
	act_invoke(st, counter, 2);
	b = act_store(st, counter, odd);
	act_ok(st, counter, 2, b.seq);
	act_consume(st, &a);
	act_deliver(st, &b, 1);
	act_ack_again(st, &b);
}

static void
legal_copy_after_window(struct story *st)
{
	store_twice(st, ODD_NOT);
}

/* The mirror of the stream knows the id by then. */
static void
legal_copied_once(struct story *st)
{
	store_twice(st, ODD_UNCOPIED);
}

/* Consumed before its publisher knows: the retry gets a duplicate's ack. */
static void
legal_dup_ack(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	act_invoke(st, counter, 1);
	c = act_store(st, counter, ODD_NOT);
	act_unknown(st, counter, 1);
	act_consume(st, &c);
	act_invoke(st, counter, 2);
	act_ok(st, counter, 2, c.seq);
	st->acts[st->n - 1].flag = true;
}

static void
legal_sent_again(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_consume(st, &c);
	act_repeat(st, &c, c.seq, true);
}

/* Nobody hears of it, and all of it is stored. */
static void
legal_batch_unknown(struct story *st)
{
	uint64_t first = act_batch(st, 3);

	act_batch_commit(st, first, 3);
	act_batch_store(st, first, 3);
	act_round(st);
}

/* One that is never committed, and one whose commit does nothing. */
static void
legal_batch_absent(struct story *st)
{
	(void)act_batch(st, 3); /* it is given up */
	act_batch_commit(st, act_batch(st, 2), 2);
	act_round(st);
}

/* A fast batch of which nobody hears is stored in part, from its first on. */
static void
legal_fast_part(struct story *st)
{
	uint64_t first = act_fast(st, 3);

	act_batch_commit(st, first, 3);
	act_batch_store(st, first, 2);
	act_round(st);
}

/* One that was never answered counts. */
static void
legal_count_unknown(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT), d;

	act_count(st, &c, COUNTED_ANSWER, 7);
	act_count(st, &c, COUNTED_READ, 7);
	act_consume(st, &c);
	d = act_store(st, act_time_out(st), ODD_NOT);
	act_count(st, &d, COUNTED_READ, 8);
	act_consume(st, &d);
}

static void
legal_scheduled(struct story *st)
{
	act_schedule(st, 0);
	act_round(st);
}

static void
legal_redelivery_before_ack(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_deliver(st, &c, 1);
	act_pause(st, LIAR_ACK_WAIT_NS);
	act_deliver(st, &c, 2);
	act_ack(st, &c);
}

/* Sent before the ack committed, received long after it. */
static void
legal_late_delivery(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);
	uint64_t number;

	act_deliver(st, &c, 1);
	act_ack(st, &c);
	number = ++st->number;
	act_round(st);
	act_deliver_late(st, &c, number);
	act_ack_again(st, &c);
	act_round(st);
}

static void
legal_unknown_ack(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_deliver(st, &c, 1);
	act_ack_part(st, &c, ACT_ACK_INVOKE);
	act_ack_part(st, &c, ACT_ACK_UNKNOWN);
	act_pause(st, LIAR_ACK_WAIT_NS);
	act_deliver(st, &c, 2);
	act_ack(st, &c);
	act_round(st);
}

/* Numbered by a deposed leader: its successor uses that number again. */
static void
legal_deposed_leader(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_consume(st, &c);
	act_round(st);
	act_deliver(st, &c, 2);
	act_ack_again(st, &c);
	st->number--;
	act_round(st);
}

static void
legal_leader_change(struct story *st)
{
	act_inversion(st, "n1", "n2");
}

static void
legal_hole(struct story *st)
{
	(void)act_store(st, 0, ODD_ABSENT); /* nobody was promised it */
	act_round(st);
}

/* Nothing succeeds while a fault may have stopped JetStream. */
static void
legal_outage(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	act_fault(st, true);
	act_invoke(st, counter, 1);
	act_unknown(st, counter, 1);
	act_pause(st, st->op_late_ns);
	act_invoke(st, counter, 2);
	c = act_store(st, counter, ODD_NOT);
	act_ok(st, counter, 2, c.seq);
	act_pause(st, st->consume_late_ns);
	act_heal(st);
	act_consume(st, &c);
}

/* Its cause is undone and it was not seen healed: it has its time. */
static void
legal_unhealed(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	act_fault(st, true);
	act_undo(st);
	act_heal_unseen(st);
	act_invoke(st, counter, 1);
	act_pause(st, st->op_late_ns);
	c = act_store(st, counter, ODD_NOT);
	act_ok(st, counter, 1, c.seq);
	act_consume(st, &c);
}

/* A group that lacks something for a while. */
static void
legal_sick(struct story *st)
{
	act_sick(st, st->recover_late_ns / 2);
	act_round(st);
	act_well(st);
}

/* Most of the run is seen all the same. */
static void
legal_our_silence(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	act_pause(st, 2 * st->op_late_ns);
	act_invoke(st, counter, 1);
	act_pause(st, st->op_late_ns);
	act_silent(st, st->op_late_ns);
	c = act_store(st, counter, ODD_NOT);
	act_ok(st, counter, 1, c.seq);
	act_consume(st, &c);
}

/* Somebody else has told a server to end. */
static void
legal_shut_down(struct story *st)
{
	act_ended(st, CAUSE_SHUTDOWN);
	act_round(st);
}

/* A consumer that comes and goes sends headers alone, as it was asked to. */
static void
legal_bare(struct story *st)
{
	act_bare(st, 0);
	act_round(st);
}

/* Legal with --storage memory only. */
static void
legal_memory_loss(struct story *st)
{
	struct copy c;

	act_fault(st, false);
	act_heal(st);
	c = act_publish(st, ODD_ABSENT);
	act_consume(st, &c);
}

/* X(name, rounds that it tells, teller) */
#define LEGALS(X)                                                              \
	X(none, 0, act_nothing)                                                \
	X(late_unknown, LATE_ROUNDS + 1, legal_late_unknown)                   \
	X(never_stored, 1, legal_never_stored)                                 \
	X(unknown_at_end, 1, legal_unknown_at_end)                             \
	X(failed, 1, legal_failed)                                             \
	X(failed_for_good, 1, legal_failed_for_good)                           \
	X(copy_after_window, 1, legal_copy_after_window)                       \
	X(copied_once, 1, legal_copied_once)                                   \
	X(dup_ack, 1, legal_dup_ack)                                           \
	X(sent_again, 1, legal_sent_again)                                     \
	X(batch_unknown, 1, legal_batch_unknown)                               \
	X(batch_absent, 1, legal_batch_absent)                                 \
	X(fast_part, 1, legal_fast_part)                                       \
	X(count_unknown, 2, legal_count_unknown)                               \
	X(scheduled, 1, legal_scheduled)                                       \
	X(bare, 1, legal_bare)                                                 \
	X(redelivery_before_ack, 1, legal_redelivery_before_ack)               \
	X(late_delivery, 3, legal_late_delivery)                               \
	X(unknown_ack, 3, legal_unknown_ack)                                   \
	X(deposed_leader, 3, legal_deposed_leader)                             \
	X(leader_change, 2, legal_leader_change)                               \
	X(hole, 1, legal_hole)                                                 \
	X(outage, 1, legal_outage)                                             \
	X(unhealed, 1, legal_unhealed)                                         \
	X(sick, 1, legal_sick)                                                 \
	X(our_silence, 1, legal_our_silence)                                   \
	X(shut_down, 1, legal_shut_down)                                       \
	X(memory_loss, 1, legal_memory_loss)

#define ROW(name, rounds, teller)  {#name, rounds, teller},
#define WORD(name, rounds, teller) #name,
const struct twist liar_legals[] = {LEGALS(ROW){NULL, 0, NULL}};
const char *const liar_legal_names[] = {LEGALS(WORD) NULL};
