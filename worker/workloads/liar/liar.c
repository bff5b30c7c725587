/* SPDX-License-Identifier: ISC */
/*
 * liar: tests the tester. It speaks for a publisher, a consumer and a
 * perfect server that does not exist, emits what they would have seen, and
 * plants what it is asked to: one broken promise (-o liar.plant), which the
 * checks must find, or one legal oddity (-o liar.legal), which they must
 * not. It never connects to anything.
 *
 * The story is a pure function of the options and the seed, told round by
 * round as a list of acts, so that the audit, another process, tells the
 * same story and reads the same pretended stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define SUFFIX	 "liar"
#define CONSUMER "burn"
/* Children are numbered as they are started: chaos, setup, the liar. */
#define LIAR_SOURCE  3
#define CREATED_NS   (INT64_C(1700000000) * (int64_t)CLOCK_S)
#define WINDOW_NS    (120 * CLOCK_S) /* pretended dedupe window */
#define ACK_WAIT_NS  (5 * CLOCK_S)
#define APART_NS     ((int64_t)CLOCK_MS) /* between two stored messages */
#define LATE_NS	     (CLOCK_S / 2)	 /* a pause is that much too long */
#define PROOF_ROUNDS 3	 /* behind a redelivery, until it is proven */
#define LATE_ROUNDS  20U /* until an unknown one turns up */
#define NEVER_CALLED (UINT64_C(1) << 39) /* counters that nobody uses */
#define ACTS_MAX     256

enum act_type {
	ACT_INVOKE,
	ACT_OK,
	ACT_FAIL,
	ACT_UNKNOWN,
	ACT_END,
	ACT_STORE, /* the pretended server stores: for the audit */
	ACT_DELIVER,
	ACT_ACK_INVOKE,
	ACT_ACK_OK,
	ACT_ACK_UNKNOWN,
	ACT_LEADER,
	ACT_PLANNED,
	ACT_APPLIED,
	ACT_UNDONE,
	ACT_HEALED,
	ACT_SICK,
	ACT_WELL,
	ACT_SILENT,
	ACT_PAUSE,
	ACT_BREAK,
	ACT_TYPES
};

/* What is odd about a message as it is read. */
enum odd {
	ODD_NOT,
	ODD_ABSENT,  /* it is gone */
	ODD_SILENT,  /* the scan does not say */
	ODD_BROKEN,  /* does not pass its checksum */
	ODD_CHANGED, /* passes, but is not what was published */
	ODD_FOREIGN  /* of another run */
};

struct act {
	enum act_type type;
	enum odd odd;
	uint64_t counter, seq;
	uint64_t number; /* consumer sequence; or how long it takes, ns */
	uint32_t count;	 /* attempt, delivery count, outcome */
	bool flag; /* duplicate; the fault stops the clock; was not healed */
	int64_t stamp_ns;
	const char *text;
	void (*how)(struct worker *); /* ACT_BREAK */
};

struct story;

struct twist {
	const char *name;
	uint64_t rounds; /* that it tells */
	void (*tell)(struct story *);
};

struct story {
	struct act acts[ACTS_MAX]; /* of the present round or twist */
	unsigned n;
	uint64_t messages, rounds, twist_at;
	uint64_t counter, seq, number; /* the last that were used */
	int64_t skew_ns;	       /* of the pretended server's clock */
	uint64_t op_late_ns, consume_late_ns, recover_late_ns;
	const struct twist *plant, *legal;
	bool is_twisted;
};

/* A message at a place in the stream. */
struct copy {
	uint64_t counter, seq;
	int64_t stamp_ns;
};

struct liar_options {
	char plant[32], legal[32], at[16];
	uint64_t messages, rate;
};

struct liar_state {
	struct story story;
	uint64_t begin_ns;
	bool is_behind; /* an earlier incarnation told the beginning */
};

/* Telling: acts by which everything else is told */

static struct act *
tell(struct story *st, enum act_type type, uint64_t counter)
{
	struct act *a = &st->acts[st->n];

	if (st->n + 1 < ACTS_MAX)
		st->n++; /* no twist is longer; see the tests */
	memset(a, 0, sizeof(*a));
	a->type = type;
	a->counter = counter;
	return a;
}

static void
tell_invoke(struct story *st, uint64_t counter, uint32_t attempt)
{
	tell(st, ACT_INVOKE, counter)->count = attempt;
}

static void
tell_unknown(struct story *st, uint64_t counter, uint32_t attempt)
{
	tell(st, ACT_UNKNOWN, counter)->count = attempt;
}

static struct copy
tell_store(struct story *st, uint64_t counter, enum odd odd)
{
	struct act *a = tell(st, ACT_STORE, counter);

	a->odd = odd;
	a->seq = ++st->seq;
	a->stamp_ns = CREATED_NS + (int64_t)a->seq * APART_NS + st->skew_ns;
	return (struct copy){counter, a->seq, a->stamp_ns};
}

static void
tell_ok(struct story *st, uint64_t counter, uint32_t attempt, uint64_t seq)
{
	struct act *a = tell(st, ACT_OK, counter);

	a->count = attempt;
	a->seq = seq;
}

static struct act *
tell_delivery(struct story *st, const struct copy *c, uint32_t delivered)
{
	struct act *a = tell(st, ACT_DELIVER, c->counter);

	a->seq = c->seq;
	a->stamp_ns = c->stamp_ns;
	a->count = delivered;
	a->number = ++st->number;
	return a;
}

static void
tell_ack_act(struct story *st, const struct copy *c, enum act_type type)
{
	struct act *a = tell(st, type, c->counter);

	a->seq = c->seq;
	a->number = st->number;
	a->count = 1;
}

/* A confirmed ack of a message that was confirmed before. */
static void
tell_ack_again(struct story *st, const struct copy *c)
{
	tell_ack_act(st, c, ACT_ACK_INVOKE);
	tell_ack_act(st, c, ACT_ACK_OK);
}

static void
tell_ack(struct story *st, const struct copy *c)
{
	tell_ack_again(st, c);
	st->rounds++;
}

static void
tell_consumed(struct story *st, const struct copy *c)
{
	(void)tell_delivery(st, c, 1); /* nothing to add to it */
	tell_ack(st, c);
}

static struct copy
tell_published(struct story *st, enum odd odd)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	tell_invoke(st, counter, 1);
	c = tell_store(st, counter, odd);
	tell_ok(st, counter, 1, c.seq);
	return c;
}

static void
tell_round(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);

	tell_consumed(st, &c);
}

static void
tell_pause(struct story *st, uint64_t ns)
{
	tell(st, ACT_PAUSE, 0)->number = ns;
}

static void
tell_leader(struct story *st, const char *leader)
{
	tell(st, ACT_LEADER, 0)->text = leader;
}

static void
tell_fault(struct story *st, bool stops_clock)
{
	tell(st, ACT_PLANNED, 0)->flag = stops_clock;
	(void)tell(st, ACT_APPLIED, 0); /* has no fields */
}

/* A message whose only attempt timed out. */
static uint64_t
tell_timed_out(struct story *st)
{
	uint64_t counter = ++st->counter;

	tell_invoke(st, counter, 1);
	tell_unknown(st, counter, 1);
	tell(st, ACT_END, counter)->count = 2;
	return counter;
}

/* Nothing happens, or it is the audit that lies. */
static void
tell_nothing(struct story *st)
{
	(void)st;
}

/* Plants: each breaks one promise, or the harness itself */

static void
plant_lost(struct story *st)
{
	struct copy c = tell_published(st, ODD_ABSENT);

	tell_consumed(st, &c);
}

/* Its cause is undone, and the stream does not become whole. */
static void
plant_not_recovered(struct story *st)
{
	tell_fault(st, false);
	(void)tell(st, ACT_UNDONE, 0); /* has no fields */
	tell_pause(st, st->recover_late_ns);
	tell(st, ACT_SICK, 0)->number = 2 * st->recover_late_ns;
	(void)tell(st, ACT_HEALED, 0); /* likewise */
	tell_round(st);
}

static void
plant_unsettled(struct story *st)
{
	struct copy c = tell_published(st, ODD_SILENT);

	tell_consumed(st, &c);
}

static void
plant_phantom(struct story *st)
{
	struct copy c = tell_store(st, NEVER_CALLED, ODD_NOT);

	(void)tell_delivery(st, &c, 1); /* nothing to add to it */
	tell_ack_again(st, &c);
}

static void
plant_foreign(struct story *st)
{
	struct copy c = tell_store(st, 1, ODD_FOREIGN);

	tell_delivery(st, &c, 1)->odd = ODD_FOREIGN;
}

static void
plant_duplicate(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy a, b;

	tell_invoke(st, counter, 1);
	a = tell_store(st, counter, ODD_NOT);
	tell_unknown(st, counter, 1);
	tell_invoke(st, counter, 2);
	b = tell_store(st, counter, ODD_NOT);
	tell_ok(st, counter, 2, b.seq);
	tell_consumed(st, &a);
	(void)tell_delivery(st, &b, 1); /* nothing to add to it */
	tell_ack_again(st, &b);
}

static void
plant_reorder(struct story *st)
{
	uint64_t first = ++st->counter, second = ++st->counter;
	struct copy low = tell_store(st, second, ODD_NOT);
	struct copy high = tell_store(st, first, ODD_NOT);

	tell_invoke(st, first, 1);
	tell_ok(st, first, 1, high.seq);
	tell_invoke(st, second, 1);
	tell_ok(st, second, 1, low.seq);
	tell_consumed(st, &low);
	tell_consumed(st, &high);
}

static void
tell_inversion(struct story *st, const char *before, const char *after)
{
	struct copy a = tell_published(st, ODD_NOT);
	struct copy b = tell_published(st, ODD_NOT);

	tell_leader(st, before);
	tell_consumed(st, &b);
	tell_consumed(st, &a);
	/* Asked for again: the first answer may be from before. */
	tell_leader(st, after);
	tell_leader(st, after);
}

static void
plant_consumer_reorder(struct story *st)
{
	tell_inversion(st, "n1", "n1");
}

static void
tell_read_oddly(struct story *st, enum odd odd)
{
	struct copy c = tell_published(st, ODD_NOT);

	tell_delivery(st, &c, 1)->odd = odd;
	tell_ack(st, &c);
}

static void
plant_corrupt(struct story *st)
{
	tell_read_oddly(st, ODD_BROKEN);
}

static void
plant_changed(struct story *st)
{
	tell_read_oddly(st, ODD_CHANGED);
}

static void
plant_corrupt_stored(struct story *st)
{
	struct copy c = tell_published(st, ODD_BROKEN);

	tell_consumed(st, &c);
}

static void
plant_seq_reuse(struct story *st)
{
	struct copy a = tell_published(st, ODD_NOT), b = a;

	b.counter = ++st->counter;
	tell_invoke(st, b.counter, 1);
	tell_ok(st, b.counter, 1, b.seq);
	/* Both before the first ack: a redelivery is another plant. */
	(void)tell_delivery(st, &a, 1); /* nothing to add to it */
	(void)tell_delivery(st, &b, 1); /* likewise */
	tell_ack(st, &a);
	tell_ack(st, &b);
}

/* An unknown message stands where another was acknowledged and read. */
static void
plant_overwritten(struct story *st)
{
	uint64_t other = tell_timed_out(st), counter = ++st->counter;
	struct copy c;

	tell_invoke(st, counter, 1);
	c = tell_store(st, other, ODD_NOT);
	c.counter = counter;
	tell_ok(st, counter, 1, c.seq);
	tell_consumed(st, &c);
}

static void
plant_redelivered_after_ack(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);
	unsigned i;

	tell_consumed(st, &c);
	tell_round(st);
	(void)tell_delivery(st, &c, 2); /* nothing to add to it */
	tell_ack_again(st, &c);
	for (i = 0; i < PROOF_ROUNDS; i++)
		tell_round(st);
}

static void
plant_stuck(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);

	tell_pause(st, st->consume_late_ns);
	tell_consumed(st, &c);
}

static void
plant_op_timeout(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	tell_invoke(st, counter, 1);
	tell_unknown(st, counter, 1);
	tell_pause(st, st->op_late_ns);
	tell_invoke(st, counter, 2);
	c = tell_store(st, counter, ODD_NOT);
	tell_ok(st, counter, 2, c.seq);
	tell_consumed(st, &c);
}

/* Break the harness in the middle of a publish. */
static void
tell_break(struct story *st, void (*how)(struct worker *))
{
	tell_invoke(st, ++st->counter, 1);
	tell(st, ACT_BREAK, 0)->how = how;
}

static void
break_gap(struct worker *w)
{
	w->child.up.seq++;
}

static void
break_diag(struct worker *w)
{
	child_diag(&w->child, 0, "the liar pretends that it is broken");
}

static void
break_exit(struct worker *w)
{
	(void)w;
	_exit(3);
}

static void
break_abort(struct worker *w)
{
	static const struct rlimit none = {0, 0};

	(void)w;
	(void)setrlimit(RLIMIT_CORE, &none); /* a core file is no use */
	abort();
}

/* Leave with the last frame half written, as a kill may do. */
static void
break_torn(struct worker *w)
{
	struct event ev = {.type = MESSAGE_HEARTBEAT,
	    .source = w->source,
	    .incarnation = w->incarnation,
	    .seq = w->child.up.seq + 1,
	    .time_ns = clock_mono_ns()};
	uint8_t frame[FRAME_MAX];
	int len = frame_encode(&ev, frame);

	(void)!write(CHILD_UP, frame, (size_t)len / 2); /* torn anyway */
	_exit(3);
}

static void
break_garbage(struct worker *w)
{
	static const char noise[] = "\x08\0nonsense";

	(void)!write(CHILD_UP, noise, sizeof(noise)); /* noise anyway */
	/* The parent kills us now: it can't trust this pipe any more. */
	for (;;)
		(void)worker_commands(w, 100);
}

static void
plant_gap(struct story *st)
{
	tell(st, ACT_BREAK, 0)->how = break_gap;
}

static void
plant_diag(struct story *st)
{
	tell(st, ACT_BREAK, 0)->how = break_diag;
}

static void
plant_exit(struct story *st)
{
	tell_break(st, break_exit);
}

static void
plant_abort(struct story *st)
{
	tell_break(st, break_abort);
}

static void
plant_torn(struct story *st)
{
	tell_break(st, break_torn);
}

static void
plant_garbage(struct story *st)
{
	tell_break(st, break_garbage);
}

/* Died after it was delivered to: the server delivers again. */
static void
plant_exit_delivered(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);

	(void)tell_delivery(st, &c, 1); /* nothing to add to it */
	tell(st, ACT_BREAK, 0)->how = break_exit;
	tell_round(st);
	(void)tell_delivery(st, &c, 2); /* nothing to add to it */
	tell_ack(st, &c);
}

/* Died before the confirmation came: the server may well have the ack. */
static void
plant_exit_acking(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);

	(void)tell_delivery(st, &c, 1); /* nothing to add to it */
	tell_ack_act(st, &c, ACT_ACK_INVOKE);
	tell(st, ACT_BREAK, 0)->how = break_exit;
	tell_round(st);
}

/* Legal oddities: each is behaviour that docs/guarantees.md allows */

static void
legal_late_unknown(struct story *st)
{
	uint64_t counter = tell_timed_out(st);
	struct copy c;
	unsigned i;

	for (i = 0; i < LATE_ROUNDS; i++)
		tell_round(st);
	c = tell_store(st, counter, ODD_NOT);
	tell_consumed(st, &c);
}

static void
legal_never_stored(struct story *st)
{
	(void)tell_timed_out(st); /* and never seen */
	tell_round(st);
}

static void
legal_unknown_at_end(struct story *st)
{
	uint64_t counter = tell_timed_out(st);

	tell_round(st);
	(void)tell_store(st, counter, ODD_NOT); /* only the scan sees it */
}

static void
legal_failed(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	tell_invoke(st, counter, 1);
	tell(st, ACT_FAIL, counter)->count = 1;
	tell_invoke(st, counter, 2);
	c = tell_store(st, counter, ODD_NOT);
	tell_ok(st, counter, 2, c.seq);
	tell_consumed(st, &c);
}

static void
legal_failed_for_good(struct story *st)
{
	uint64_t counter = ++st->counter;

	tell_invoke(st, counter, 1);
	tell(st, ACT_FAIL, counter)->count = 1;
	tell(st, ACT_END, counter)->count = 1;
	tell_round(st);
}

static void
legal_copy_after_window(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy a, b;

	tell_invoke(st, counter, 1);
	a = tell_store(st, counter, ODD_NOT);
	tell_unknown(st, counter, 1);
	st->skew_ns += (int64_t)WINDOW_NS;
	tell_invoke(st, counter, 2);
	b = tell_store(st, counter, ODD_NOT);
	tell_ok(st, counter, 2, b.seq);
	tell_consumed(st, &a);
	(void)tell_delivery(st, &b, 1); /* nothing to add to it */
	tell_ack_again(st, &b);
}

/* Consumed before its publisher knows; the retry is told so. */
static void
legal_dup_ack(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	tell_invoke(st, counter, 1);
	c = tell_store(st, counter, ODD_NOT);
	tell_unknown(st, counter, 1);
	tell_consumed(st, &c);
	tell_invoke(st, counter, 2);
	tell_ok(st, counter, 2, c.seq);
	st->acts[st->n - 1].flag = true;
}

static void
legal_redelivery_before_ack(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);

	(void)tell_delivery(st, &c, 1); /* nothing to add to it */
	(void)tell_delivery(st, &c, 2); /* likewise */
	tell_ack(st, &c);
}

/* Sent before the ack committed, received long after it. */
static void
legal_late_delivery(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);
	uint64_t number;

	(void)tell_delivery(st, &c, 1); /* nothing to add to it */
	tell_ack(st, &c);
	number = ++st->number;
	tell_round(st);
	tell_delivery(st, &c, 2)->number = number;
	st->number--;
	tell_ack_again(st, &c);
	tell_round(st);
}

static void
legal_unknown_ack(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);

	(void)tell_delivery(st, &c, 1); /* nothing to add to it */
	tell_ack_act(st, &c, ACT_ACK_INVOKE);
	tell_ack_act(st, &c, ACT_ACK_UNKNOWN);
	tell_round(st);
	(void)tell_delivery(st, &c, 2); /* nothing to add to it */
	tell_ack(st, &c);
	tell_round(st);
}

/* Numbered by a deposed leader: its successor uses that number again. */
static void
legal_deposed_leader(struct story *st)
{
	struct copy c = tell_published(st, ODD_NOT);

	tell_consumed(st, &c);
	tell_round(st);
	(void)tell_delivery(st, &c, 2); /* nothing to add to it */
	tell_ack_again(st, &c);
	st->number--;
	tell_round(st);
}

static void
legal_leader_change(struct story *st)
{
	tell_inversion(st, "n1", "n2");
}

static void
legal_hole(struct story *st)
{
	(void)tell_store(st, 0, ODD_ABSENT); /* nobody was promised it */
	tell_round(st);
}

/* Nothing succeeds while a fault may have stopped JetStream. */
static void
legal_outage(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	tell_fault(st, true);
	tell_invoke(st, counter, 1);
	tell_unknown(st, counter, 1);
	tell_pause(st, st->op_late_ns);
	tell_invoke(st, counter, 2);
	c = tell_store(st, counter, ODD_NOT);
	tell_ok(st, counter, 2, c.seq);
	tell_pause(st, st->consume_late_ns);
	(void)tell(st, ACT_HEALED, 0); /* has no fields */
	tell_consumed(st, &c);
}

/* Its cause is undone and it was not seen healed: it has its time. */
static void
legal_unhealed(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	tell_fault(st, true);
	(void)tell(st, ACT_UNDONE, 0); /* has no fields */
	tell(st, ACT_HEALED, 0)->flag = true;
	tell_invoke(st, counter, 1);
	tell_pause(st, st->op_late_ns);
	c = tell_store(st, counter, ODD_NOT);
	tell_ok(st, counter, 1, c.seq);
	tell_consumed(st, &c);
}

static void
legal_sick(struct story *st)
{
	tell(st, ACT_SICK, 0)->number = st->recover_late_ns / 2;
	tell_round(st);
	(void)tell(st, ACT_WELL, 0); /* has no fields */
}

/* Most of the run is seen all the same. */
static void
legal_our_silence(struct story *st)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	tell_pause(st, 2 * st->op_late_ns);
	tell_invoke(st, counter, 1);
	tell_pause(st, st->op_late_ns);
	tell(st, ACT_SILENT, 0)->number = st->op_late_ns;
	c = tell_store(st, counter, ODD_NOT);
	tell_ok(st, counter, 1, c.seq);
	tell_consumed(st, &c);
}

/* Legal with --storage memory only. */
static void
legal_memory_loss(struct story *st)
{
	tell_fault(st, false);
	(void)tell(st, ACT_HEALED, 0); /* has no fields */
	plant_lost(st);
}

/* X(name, rounds that it tells, teller) */
#define PLANTS(X)                                                              \
	X(none, 0, tell_nothing)                                               \
	X(lost, 1, plant_lost)                                                 \
	X(recreated, 0, tell_nothing)                                          \
	X(phantom, 0, plant_phantom)                                           \
	X(foreign, 0, plant_foreign)                                           \
	X(duplicate, 1, plant_duplicate)                                       \
	X(reorder, 2, plant_reorder)                                           \
	X(consumer_reorder, 2, plant_consumer_reorder)                         \
	X(corrupt, 1, plant_corrupt)                                           \
	X(changed, 1, plant_changed)                                           \
	X(corrupt_stored, 1, plant_corrupt_stored)                             \
	X(seq_reuse, 2, plant_seq_reuse)                                       \
	X(overwritten, 1, plant_overwritten)                                   \
	X(redelivered_after_ack, PROOF_ROUNDS + 2,                             \
	    plant_redelivered_after_ack)                                       \
	X(stuck, 1, plant_stuck)                                               \
	X(op_timeout, 1, plant_op_timeout)                                     \
	X(not_recovered, 1, plant_not_recovered)                               \
	X(unsettled, 1, plant_unsettled)                                       \
	X(incomplete, 0, tell_nothing)                                         \
	X(unaudited, 0, tell_nothing)                                          \
	X(gap, 0, plant_gap)                                                   \
	X(garbage, 0, plant_garbage)                                           \
	X(diag, 0, plant_diag)                                                 \
	X(exit, 0, plant_exit)                                                 \
	X(exit_delivered, 2, plant_exit_delivered)                             \
	X(exit_acking, 1, plant_exit_acking)                                   \
	X(abort, 0, plant_abort)                                               \
	X(torn, 0, plant_torn)

#define LEGALS(X)                                                              \
	X(none, 0, tell_nothing)                                               \
	X(late_unknown, LATE_ROUNDS + 1, legal_late_unknown)                   \
	X(never_stored, 1, legal_never_stored)                                 \
	X(unknown_at_end, 1, legal_unknown_at_end)                             \
	X(failed, 1, legal_failed)                                             \
	X(failed_for_good, 1, legal_failed_for_good)                           \
	X(copy_after_window, 1, legal_copy_after_window)                       \
	X(dup_ack, 1, legal_dup_ack)                                           \
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
	X(memory_loss, 1, legal_memory_loss)

#define ROW(name, rounds, teller)  {#name, rounds, teller},
#define WORD(name, rounds, teller) #name,
static const struct twist plants[] = {PLANTS(ROW){NULL, 0, NULL}};
static const struct twist legals[] = {LEGALS(ROW){NULL, 0, NULL}};
static const char *const plant_names[] = {PLANTS(WORD) NULL};
static const char *const legal_names[] = {LEGALS(WORD) NULL};
static const char *const places[] = {"start", "middle", "end", "seed", NULL};

static const struct option_spec options[] = {
    {"plant", OPTION_CHOICE, offsetof(struct liar_options, plant), 32, "none",
	0, 0, plant_names, "NAME", "a broken promise, or a broken harness",
	false},
    {"legal", OPTION_CHOICE, offsetof(struct liar_options, legal), 32, "none",
	0, 0, legal_names, "NAME", "a legal oddity", false},
    {"at", OPTION_CHOICE, offsetof(struct liar_options, at), 16, "middle", 0, 0,
	places, "WHERE", "start, middle, end, or drawn from the seed", false},
    {"messages", OPTION_U64, offsetof(struct liar_options, messages), 8, "200",
	UINT64_C(2) * LATE_ROUNDS, UINT32_MAX, NULL, "N",
	"rounds of the whole story", false},
    {"rate", OPTION_U64, offsetof(struct liar_options, rate), 8, "1000", 0,
	1000000, NULL, "N", "rounds a second; 0 is as fast as it can", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

/* The story */

static const struct twist *
twist_find(const struct twist *rows, const char *name)
{
	while (strcmp(rows->name, name) != 0)
		rows++; /* the options allow no other name */
	return rows;
}

static void
story_begin(struct story *st, const struct worker *w)
{
	const struct liar_options *o = w->options;
	uint64_t room, twist;
	struct rng rng;

	memset(st, 0, sizeof(*st));
	st->plant = twist_find(plants, o->plant);
	st->legal = twist_find(legals, o->legal);
	st->messages = o->messages;
	st->op_late_ns = w->config.op_timeout_ns + LATE_NS;
	st->consume_late_ns = w->config.consume_timeout_ns + LATE_NS;
	st->recover_late_ns = w->config.recover_timeout_ns + LATE_NS;
	/* A run may end with the last round: no twist comes after it. */
	twist = st->plant->rounds + st->legal->rounds;
	room = st->messages - (twist > 0 ? twist : 1);
	if (strcmp(o->at, "middle") == 0)
		st->twist_at = room / 2;
	else if (strcmp(o->at, "end") == 0)
		st->twist_at = room;
	else if (strcmp(o->at, "seed") == 0) {
		rng_init(&rng, w->config.seed, SUFFIX);
		st->twist_at = rng_below(&rng, room + 1);
	}
}

/* The acts of the next round, or of the twists; false at the end. */
static bool
story_next(struct story *st)
{
	st->n = 0;
	if (!st->is_twisted && st->rounds >= st->twist_at) {
		st->is_twisted = true;
		st->legal->tell(st);
		st->plant->tell(st);
		return true;
	}
	if (st->rounds >= st->messages)
		return false;
	tell_round(st);
	return true;
}

/* Playing: what the pretended client would have seen, as events */

static uint64_t
id_of(uint64_t counter)
{
	return message_id(LIAR_SOURCE, counter);
}

static uint64_t
sum_of(const struct worker *w, uint64_t counter)
{
	return rng_mix(w->config.run ^ rng_mix(counter));
}

static void
play_invoke(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_PUBLISH_INVOKE};

	ev.u.publish_invoke.id = id_of(a->counter);
	ev.u.publish_invoke.attempt = a->count;
	ev.u.publish_invoke.sum = sum_of(w, a->counter);
	ev.u.publish_invoke.size = PAYLOAD_MIN;
	child_emit(&w->child, &ev);
}

static void
play_ok(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_PUBLISH_OK};

	ev.u.publish_ok.id = id_of(a->counter);
	ev.u.publish_ok.attempt = a->count;
	ev.u.publish_ok.seq = a->seq;
	ev.u.publish_ok.duplicate = a->flag;
	child_emit(&w->child, &ev);
}

/* FAIL and UNKNOWN have the same fields. */
static void
play_failure(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_PUBLISH_UNKNOWN};
	struct msg_publish_unknown *m = &ev.u.publish_unknown;

	if (a->type == ACT_FAIL)
		ev.type = MESSAGE_PUBLISH_FAIL;
	m->id = id_of(a->counter);
	m->attempt = a->count;
	text_set(m->why, sizeof(m->why), "pretended");
	child_emit(&w->child, &ev);
}

static void
play_end(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_PUBLISH_END};

	ev.u.publish_end.id = id_of(a->counter);
	ev.u.publish_end.outcome = (uint8_t)a->count;
	child_emit(&w->child, &ev);
}

/* What a reader makes of a message and its oddity. */
static struct payload
read_oddly(const struct worker *w, const struct act *a)
{
	struct payload p = {.run = w->config.run,
	    .id = id_of(a->counter),
	    .sum = sum_of(w, a->counter)};

	if (a->odd == ODD_BROKEN)
		p = (struct payload){.sum = 1}; /* as payload_read does */
	else if (a->odd == ODD_CHANGED)
		p.sum++;
	else if (a->odd == ODD_FOREIGN)
		p.run++;
	return p;
}

static void
play_deliver(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_DELIVER};
	struct msg_deliver *m = &ev.u.deliver;
	struct payload p = read_oddly(w, a);

	m->seq = a->seq;
	m->consumer_seq = a->number;
	m->delivered = a->count;
	m->stamp_ns = a->stamp_ns;
	m->id = p.id;
	m->run = p.run;
	m->sum = p.sum;
	m->intact = a->odd != ODD_BROKEN;
	child_emit(&w->child, &ev);
}

static void
play_ack(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_ACK_OK};

	/* The first four fields of the ack messages are the same. */
	ev.u.ack_ok.seq = a->seq;
	ev.u.ack_ok.consumer_seq = a->number;
	ev.u.ack_ok.id = id_of(a->counter);
	if (a->type == ACT_ACK_INVOKE) {
		ev.type = MESSAGE_ACK_INVOKE;
		ev.u.ack_invoke.attempt = a->count;
	} else if (a->type == ACT_ACK_UNKNOWN) {
		ev.type = MESSAGE_ACK_UNKNOWN;
		text_set(ev.u.ack_unknown.why, sizeof(ev.u.ack_unknown.why),
		    "pretended");
	}
	child_emit(&w->child, &ev);
}

static void
play_leader(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_LEADER};
	struct msg_leader *m = &ev.u.leader;

	m->what = 3;
	worker_stream_name(w, SUFFIX, m->name, sizeof(m->name));
	text_add(m->name, sizeof(m->name), "/%s", CONSUMER);
	text_set(m->leader, sizeof(m->leader), a->text);
	child_emit(&w->child, &ev);
}

static void
play_fault(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = 1; /* the first field of all of these */
	if (a->type == ACT_PLANNED) {
		ev.u.fault_planned.round = 1;
		ev.u.fault_planned.stops_clock = a->flag;
		ev.u.fault_planned.ends_server = 1;
		text_set(ev.u.fault_planned.mode,
		    sizeof(ev.u.fault_planned.mode), "pretended");
		text_set(ev.u.fault_planned.target,
		    sizeof(ev.u.fault_planned.target), "n1");
	} else if (a->type == ACT_APPLIED) {
		ev.type = MESSAGE_FAULT_APPLIED;
		ev.u.fault_applied.ok = 1;
	} else if (a->type == ACT_UNDONE) {
		ev.type = MESSAGE_FAULT_UNDONE;
		ev.u.fault_undone.patience_ns = 120 * CLOCK_S;
	} else {
		ev.type = MESSAGE_FAULT_HEALED;
		ev.u.fault_healed.ok = !a->flag;
	}
	child_emit(&w->child, &ev);
}

static void
play_health(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_GROUP_SICK};
	struct msg_group_sick *m = &ev.u.group_sick;

	if (a->type == ACT_SICK) {
		m->what = 2;
		m->sick_ns = a->number;
		worker_stream_name(w, SUFFIX, m->name, sizeof(m->name));
		text_set(m->says, sizeof(m->says), "nobody leads it");
	} else if (a->type == ACT_WELL) {
		ev.type = MESSAGE_GROUP_WELL;
		ev.u.group_well.what = 2;
		worker_stream_name(w, SUFFIX, ev.u.group_well.name,
		    sizeof(ev.u.group_well.name));
	} else {
		ev.type = MESSAGE_OURS_SILENT;
		ev.u.ours_silent.silent_ns = a->number;
		text_set(ev.u.ours_silent.who, sizeof(ev.u.ours_silent.who),
		    "pretended");
	}
	child_emit(&w->child, &ev);
}

static void
play_pause(struct worker *w, const struct act *a)
{
	uint64_t end = clock_mono_ns() + a->number, now;

	child_flush(&w->child);
	while ((now = clock_mono_ns()) < end)
		(void)worker_commands(w, clock_poll_ms(now, end, 100));
}

static void
play_break(struct worker *w, const struct act *a)
{
	child_flush(&w->child);
	a->how(w);
}

static void (*const plays[ACT_TYPES])(struct worker *, const struct act *) = {
    [ACT_INVOKE] = play_invoke,
    [ACT_OK] = play_ok,
    [ACT_FAIL] = play_failure,
    [ACT_UNKNOWN] = play_failure,
    [ACT_END] = play_end,
    [ACT_DELIVER] = play_deliver,
    [ACT_ACK_INVOKE] = play_ack,
    [ACT_ACK_OK] = play_ack,
    [ACT_ACK_UNKNOWN] = play_ack,
    [ACT_LEADER] = play_leader,
    [ACT_PLANNED] = play_fault,
    [ACT_APPLIED] = play_fault,
    [ACT_UNDONE] = play_fault,
    [ACT_HEALED] = play_fault,
    [ACT_SICK] = play_health,
    [ACT_WELL] = play_health,
    [ACT_SILENT] = play_health,
    [ACT_PAUSE] = play_pause,
    [ACT_BREAK] = play_break,
};

static void
play_round(struct worker *w)
{
	struct liar_state *l = w->state;
	const struct act *a;
	unsigned i;

	for (i = 0; i < l->story.n; i++) {
		a = &l->story.acts[i];
		if (a->type == ACT_INVOKE && a->counter >= w->counter)
			l->is_behind = false;
		if (!l->is_behind && plays[a->type] != NULL)
			plays[a->type](w, a);
	}
}

/* Wait until the next round is due. */
static void
keep_pace(struct worker *w)
{
	const struct liar_options *o = w->options;
	struct liar_state *l = w->state;
	uint64_t due, now = clock_mono_ns();

	if (l->begin_ns == 0)
		l->begin_ns = now;
	if (o->rate == 0 || l->is_behind)
		return;
	due = l->begin_ns + l->story.rounds * CLOCK_S / o->rate;
	if (due > now)
		(void)worker_commands(w, clock_poll_ms(now, due, 100));
}

/* The hooks */

static int
liar_setup(struct worker *w)
{
	struct event ev = {.type = MESSAGE_STREAM};
	struct msg_stream *s = &ev.u.stream;
	struct msg_consumer *c = &ev.u.consumer;

	s->created = (uint64_t)CREATED_NS;
	s->dedupe_ns = WINDOW_NS;
	s->replicas = (uint32_t)w->config.replicas;
	worker_stream_name(w, SUFFIX, s->name, sizeof(s->name));
	text_set(s->storage, sizeof(s->storage), w->config.storage);
	child_emit(&w->child, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_CONSUMER;
	c->created = (uint64_t)CREATED_NS;
	c->ack_wait_ns = ACK_WAIT_NS;
	text_set(c->name, sizeof(c->name), CONSUMER);
	child_emit(&w->child, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_SERVER_ANSWERS; /* the one that isn't there */
	ev.u.server_answers.node = ev.u.server_answers.ok = 1;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	return 0;
}

static int
liar_begin(struct worker *w)
{
	struct liar_state *l = w->state;

	if (w->source != LIAR_SOURCE) {
		log_error("the liar is process %u instead of %d", w->source,
		    LIAR_SOURCE);
		return -EINVAL; /* its message ids would name another */
	}
	story_begin(&l->story, w);
	l->is_behind = w->incarnation > 1;
	return 0;
}

static int
liar_step(struct worker *w)
{
	struct liar_state *l = w->state;

	if (!story_next(&l->story)) {
		(void)worker_commands(w, 100);
		return 0;
	}
	play_round(w);
	keep_pace(w);
	return 0;
}

static void
scan_stored(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_SCAN_MESSAGE};
	struct msg_scan_message *m = &ev.u.scan_message;
	struct payload p = read_oddly(w, a);

	if (a->odd == ODD_SILENT)
		return;
	if (a->odd == ODD_ABSENT) {
		ev.type = MESSAGE_SCAN_ABSENT;
		ev.u.scan_absent.seq = a->seq;
		ev.u.scan_absent.tries = 5;
	} else {
		m->path = 1;
		m->seq = a->seq;
		m->stamp_ns = a->stamp_ns;
		m->id = p.id;
		m->run = p.run;
		m->sum = p.sum;
		m->intact = a->odd != ODD_BROKEN;
	}
	child_emit(&w->child, &ev);
}

/* Tell the story again, as far as it was told, and read its stream. */
static void
scan_story(struct worker *w, uint64_t last)
{
	struct liar_state *l = w->state;
	unsigned i;

	story_begin(&l->story, w);
	while (l->story.seq < last && story_next(&l->story))
		for (i = 0; i < l->story.n; i++)
			if (l->story.acts[i].type == ACT_STORE)
				scan_stored(w, &l->story.acts[i]);
}

static int
liar_audit(struct worker *w)
{
	const struct liar_options *o = w->options;
	bool is_anew = strcmp(o->plant, "recreated") == 0; /* and empty */
	uint64_t last =
	    w->ntargets > 0 && !is_anew ? w->targets[0].last_acked : 0;
	struct event begin = {.type = MESSAGE_SCAN_BEGIN};
	struct event end = {.type = MESSAGE_SCAN_END};

	if (strcmp(o->plant, "unaudited") == 0)
		return 0;
	begin.u.scan_begin.first = 1;
	begin.u.scan_begin.last = last;
	begin.u.scan_begin.messages = last;
	begin.u.scan_begin.created = (uint64_t)CREATED_NS + is_anew;
	child_emit(&w->child, &begin);
	scan_story(w, last);
	end.u.scan_end.complete = strcmp(o->plant, "incomplete") != 0;
	end.u.scan_end.messages = last;
	end.u.scan_end.last = last;
	if (!end.u.scan_end.complete)
		text_set(end.u.scan_end.why, sizeof(end.u.scan_end.why),
		    "the liar pretends that it can't go on");
	child_emit(&w->child, &end);
	child_flush(&w->child);
	return 0;
}

static const struct workload_role roles[] = {
    {"liar", WORKLOAD_ONE, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_liar = {
    .name = "liar",
    .summary = "no servers: plants broken promises and legal oddities, to "
	       "test the checks",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct liar_options),
    .state_size = sizeof(struct liar_state),
    .needs_no_cluster = true,
    .setup = liar_setup,
    .audit = liar_audit,
    .begin = liar_begin,
    .step = liar_step,
};
