/* SPDX-License-Identifier: ISC */
/* Plants: each breaks one promise, or the harness itself; see twists.h. */
#include "worker/workloads/liar/breaks.h"
#include "worker/workloads/liar/twists.h"

#define NEVER_CALLED (UINT64_C(1) << 39) /* counters that nobody uses */

static void
plant_lost(struct story *st)
{
	struct copy c = act_publish(st, ODD_ABSENT);

	act_consume(st, &c);
}

/* Its cause is undone, and the stream does not become whole. */
static void
plant_not_recovered(struct story *st)
{
	act_fault(st, false);
	act_undo(st);
	act_pause(st, st->recover_late_ns);
	act_sick(st, 2 * st->recover_late_ns);
	act_heal(st);
	act_round(st);
}

static void
plant_crashed(struct story *st)
{
	act_ended(st, CAUSE_PANIC);
	act_round(st);
}

/* Of these the audit tells what a mirror of the stream holds. */
static void
plant_not_copied(struct story *st)
{
	struct copy c = act_publish(st, ODD_UNCOPIED);

	act_consume(st, &c);
}

static void
plant_miscopied(struct story *st)
{
	struct copy c = act_publish(st, ODD_MISCOPIED);

	act_consume(st, &c);
}

static void
plant_unsettled(struct story *st)
{
	struct copy c = act_publish(st, ODD_SILENT);

	act_consume(st, &c);
}

static void
plant_phantom(struct story *st)
{
	struct copy c = act_store(st, NEVER_CALLED, ODD_NOT);

	act_deliver(st, &c, 1);
	act_ack_again(st, &c);
}

static void
plant_foreign(struct story *st)
{
	struct copy c = act_store(st, 1, ODD_FOREIGN);

	act_deliver_odd(st, &c, ODD_FOREIGN);
}

static void
plant_duplicate(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy a, b;

	act_invoke(st, counter, 1);
	a = act_store(st, counter, ODD_NOT);
	act_unknown(st, counter, 1);
	act_invoke(st, counter, 2);
	b = act_store(st, counter, ODD_NOT);
	act_ok(st, counter, 2, b.seq);
	act_consume(st, &a);
	act_deliver(st, &b, 1);
	act_ack_again(st, &b);
}

static void
plant_forgotten_id(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_consume(st, &c);
	act_repeat(st, &c, c.seq, false);
}

static void
plant_reorder(struct story *st)
{
	uint64_t first = ++st->counter, second = ++st->counter;
	struct copy low = act_store(st, second, ODD_NOT);
	struct copy high = act_store(st, first, ODD_NOT);

	act_invoke(st, first, 1);
	act_ok(st, first, 1, high.seq);
	act_invoke(st, second, 1);
	act_ok(st, second, 1, low.seq);
	act_consume(st, &low);
	act_consume(st, &high);
}

static void
plant_consumer_reorder(struct story *st)
{
	act_inversion(st, "n1", "n1");
}

static void
publish_read_oddly(struct story *st, enum odd odd)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_deliver_odd(st, &c, odd);
	act_ack(st, &c);
}

static void
plant_corrupt(struct story *st)
{
	publish_read_oddly(st, ODD_BROKEN);
}

static void
plant_changed(struct story *st)
{
	publish_read_oddly(st, ODD_CHANGED);
}

static void
plant_corrupt_stored(struct story *st)
{
	struct copy c = act_publish(st, ODD_BROKEN);

	act_consume(st, &c);
}

static void
plant_seq_reuse(struct story *st)
{
	struct copy a = act_publish(st, ODD_NOT), b = a;

	b.counter = ++st->counter;
	act_invoke(st, b.counter, 1);
	act_ok(st, b.counter, 1, b.seq);
	/* Both before the first ack: a redelivery is another plant. */
	act_deliver(st, &a, 1);
	act_deliver(st, &b, 1);
	act_ack(st, &a);
	act_ack(st, &b);
}

/* An unknown message stands where another was acknowledged and read. */
static void
plant_overwritten(struct story *st)
{
	uint64_t other = act_time_out(st), counter = ++st->counter;
	struct copy c;

	act_invoke(st, counter, 1);
	c = act_store(st, other, ODD_NOT);
	c.counter = counter;
	act_ok(st, counter, 1, c.seq);
	act_consume(st, &c);
}

static void
plant_redelivered_after_ack(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);
	unsigned i;

	act_consume(st, &c);
	act_round(st);
	act_deliver(st, &c, 2);
	act_ack_again(st, &c);
	for (i = 0; i < PROOF_ROUNDS; i++)
		act_round(st);
}

static void
plant_stuck(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_pause(st, st->consume_late_ns);
	act_consume(st, &c);
}

static void
plant_op_timeout(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	act_invoke(st, counter, 1);
	act_unknown(st, counter, 1);
	act_pause(st, st->op_late_ns);
	act_invoke(st, counter, 2);
	c = act_store(st, counter, ODD_NOT);
	act_ok(st, counter, 2, c.seq);
	act_consume(st, &c);
}

/* Its commit is not answered, and the last message is not stored. */
static void
plant_torn_batch(struct story *st)
{
	uint64_t first = act_batch(st, 3);

	act_batch_commit(st, first, 3);
	act_batch_store(st, first, 2);
	act_round(st);
}

/* It was given up. */
static void
plant_uncommitted(struct story *st)
{
	uint64_t first = act_batch(st, 3);

	act_batch_store(st, first, 3);
	act_round(st);
}

/* A fast batch goes on behind a message that is not stored. */
static void
plant_torn_fast(struct story *st)
{
	uint64_t first = act_fast(st, 3);

	act_batch_commit(st, first, 3);
	act_batch_store(st, first, 1);
	act_batch_store(st, first + 2, 1);
	act_round(st);
}

/* Who reads it sees another value than its publisher was told. */
static void
plant_wrong_count(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_count(st, &c, COUNTED_ANSWER, 7);
	act_count(st, &c, COUNTED_READ, 8);
	act_consume(st, &c);
}

/* It comes a second before its time. */
static void
plant_misfired(struct story *st)
{
	act_schedule(st, CLOCK_S);
	act_round(st);
}

/* Break the harness in the middle of a publish. */
static void
publish_and_break(struct story *st, void (*how)(struct worker *))
{
	act_invoke(st, ++st->counter, 1);
	act_break(st, how);
}

static void
plant_gap(struct story *st)
{
	act_break(st, break_gap);
}

static void
plant_diag(struct story *st)
{
	act_break(st, break_diag);
}

static void
plant_exit(struct story *st)
{
	publish_and_break(st, break_exit);
}

static void
plant_abort(struct story *st)
{
	publish_and_break(st, break_abort);
}

static void
plant_torn(struct story *st)
{
	publish_and_break(st, break_torn);
}

static void
plant_garbage(struct story *st)
{
	publish_and_break(st, break_garbage);
}

/* Died after it was delivered to: the server delivers again. */
static void
plant_exit_delivered(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_deliver(st, &c, 1);
	act_break(st, break_exit);
	act_round(st);
	act_deliver(st, &c, 2);
	act_ack(st, &c);
}

/* Died before the confirmation came: the server may well have the ack. */
static void
plant_exit_acking(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_deliver(st, &c, 1);
	act_ack_part(st, &c, ACT_ACK_INVOKE);
	act_break(st, break_exit);
	act_round(st);
}

static void
plant_bare(struct story *st)
{
	act_bare(st, 1);
	act_round(st);
}

/* X(name, rounds that it tells, teller) */
#define PLANTS(X)                                                              \
	X(none, 0, act_nothing)                                                \
	X(lost, 1, plant_lost)                                                 \
	X(recreated, 0, act_nothing)                                           \
	X(phantom, 0, plant_phantom)                                           \
	X(foreign, 0, plant_foreign)                                           \
	X(duplicate, 1, plant_duplicate)                                       \
	X(forgotten_id, 1, plant_forgotten_id)                                 \
	X(reorder, 2, plant_reorder)                                           \
	X(consumer_reorder, 2, plant_consumer_reorder)                         \
	X(corrupt, 1, plant_corrupt)                                           \
	X(changed, 1, plant_changed)                                           \
	X(corrupt_stored, 1, plant_corrupt_stored)                             \
	X(seq_reuse, 2, plant_seq_reuse)                                       \
	X(overwritten, 1, plant_overwritten)                                   \
	X(redelivered_after_ack, PROOF_ROUNDS + 2,                             \
	    plant_redelivered_after_ack)                                       \
	X(torn_batch, 1, plant_torn_batch)                                     \
	X(uncommitted, 1, plant_uncommitted)                                   \
	X(torn_fast, 1, plant_torn_fast)                                       \
	X(wrong_count, 1, plant_wrong_count)                                   \
	X(misfired, 1, plant_misfired)                                         \
	X(bare, 1, plant_bare)                                                 \
	X(stuck, 1, plant_stuck)                                               \
	X(op_timeout, 1, plant_op_timeout)                                     \
	X(not_recovered, 1, plant_not_recovered)                               \
	X(crashed, 1, plant_crashed)                                           \
	X(miscounted, 0, act_nothing)                                          \
	X(mislabelled, 0, act_nothing)                                         \
	X(reconfigured, 0, act_nothing)                                        \
	X(not_copied, 1, plant_not_copied)                                     \
	X(miscopied, 1, plant_miscopied)                                       \
	X(unsettled, 1, plant_unsettled)                                       \
	X(incomplete, 0, act_nothing)                                          \
	X(unaudited, 0, act_nothing)                                           \
	X(gap, 0, plant_gap)                                                   \
	X(garbage, 0, plant_garbage)                                           \
	X(diag, 0, plant_diag)                                                 \
	X(exit, 0, plant_exit)                                                 \
	X(exit_delivered, 2, plant_exit_delivered)                             \
	X(exit_acking, 1, plant_exit_acking)                                   \
	X(abort, 0, plant_abort)                                               \
	X(torn, 0, plant_torn)

#define ROW(name, rounds, teller)  {#name, rounds, teller},
#define WORD(name, rounds, teller) #name,
const struct twist liar_plants[] = {PLANTS(ROW){NULL, 0, NULL}};
const char *const liar_plant_names[] = {PLANTS(WORD) NULL};
