/* SPDX-License-Identifier: ISC */
/* The liar's story as a list of acts; see acts.h. */
#include <string.h>

#include "worker/workloads/liar/acts.h"

#define APART_NS ((int64_t)CLOCK_MS) /* between two stored messages */
#define LEADS_NS (6 * CLOCK_S)	     /* then the first leader counts */

static struct act *
act_add(struct story *st, enum act_type type, uint64_t counter)
{
	struct act *a = &st->acts[st->n];

	if (st->n + 1 < ACTS_MAX)
		st->n++; /* no twist is longer; see the tests */
	memset(a, 0, sizeof(*a));
	a->type = type;
	a->counter = counter;
	return a;
}

void
act_invoke(struct story *st, uint64_t counter, uint32_t attempt)
{
	act_add(st, ACT_INVOKE, counter)->count = attempt;
}

void
act_unknown(struct story *st, uint64_t counter, uint32_t attempt)
{
	act_add(st, ACT_UNKNOWN, counter)->count = attempt;
}

struct copy
act_store(struct story *st, uint64_t counter, enum odd odd)
{
	struct act *a = act_add(st, ACT_STORE, counter);

	a->odd = odd;
	a->seq = ++st->seq;
	a->stamp_ns = CREATED_NS + (int64_t)a->seq * APART_NS + st->skew_ns;
	return (struct copy){counter, a->seq, a->stamp_ns};
}

void
act_ok(struct story *st, uint64_t counter, uint32_t attempt, uint64_t seq)
{
	struct act *a = act_add(st, ACT_OK, counter);

	a->count = attempt;
	a->seq = seq;
}

uint64_t
act_batch(struct story *st, uint32_t n)
{
	st->counter += n;
	act_add(st, ACT_BATCH, st->counter)->count = n;
	return st->counter - n + 1;
}

uint64_t
act_fast(struct story *st, uint32_t n)
{
	uint64_t first = act_batch(st, n);

	st->acts[st->n - 1].flag = true;
	return first;
}

void
act_repeat(struct story *st, const struct copy *c, uint64_t seq, bool duplicate)
{
	struct act *a = act_add(st, ACT_REPEAT, c->counter);

	a->seq = seq;
	a->number = c->seq;
	a->flag = duplicate;
}

void
act_count(struct story *st, const struct copy *c, enum message_word how,
    uint64_t value)
{
	struct act *a = act_add(st, ACT_COUNT, c->counter);

	a->seq = c->seq;
	a->count = (uint32_t)how;
	a->number = value;
}

void
act_schedule(struct story *st, uint64_t early_ns)
{
	act_add(st, ACT_SCHEDULE, ++st->counter)->number = early_ns;
}

void
act_bare(struct story *st, uint64_t payload)
{
	act_add(st, ACT_BARE, ++st->counter)->number = payload;
}

static struct act *
add_delivery(struct story *st, const struct copy *c, uint32_t delivered)
{
	struct act *a = act_add(st, ACT_DELIVER, c->counter);

	a->seq = c->seq;
	a->stamp_ns = c->stamp_ns;
	a->count = delivered;
	a->number = ++st->number;
	return a;
}

void
act_deliver(struct story *st, const struct copy *c, uint32_t delivered)
{
	(void)add_delivery(st, c, delivered); /* nothing odd about it */
}

void
act_deliver_odd(struct story *st, const struct copy *c, enum odd odd)
{
	add_delivery(st, c, 1)->odd = odd;
}

void
act_deliver_late(struct story *st, const struct copy *c, uint64_t number)
{
	add_delivery(st, c, 2)->number = number;
	st->number--;
}

void
act_ack_part(struct story *st, const struct copy *c, enum act_type type)
{
	struct act *a = act_add(st, type, c->counter);

	a->seq = c->seq;
	a->number = st->number;
	a->count = 1;
}

void
act_ack_again(struct story *st, const struct copy *c)
{
	act_ack_part(st, c, ACT_ACK_INVOKE);
	act_ack_part(st, c, ACT_ACK_OK);
}

void
act_ack(struct story *st, const struct copy *c)
{
	act_ack_again(st, c);
	st->rounds++;
}

void
act_consume(struct story *st, const struct copy *c)
{
	act_deliver(st, c, 1);
	act_ack(st, c);
}

struct copy
act_publish(struct story *st, enum odd odd)
{
	uint64_t counter = ++st->counter;
	struct copy c;

	act_invoke(st, counter, 1);
	c = act_store(st, counter, odd);
	act_ok(st, counter, 1, c.seq);
	return c;
}

void
act_round(struct story *st)
{
	struct copy c = act_publish(st, ODD_NOT);

	act_consume(st, &c);
}

void
act_pause(struct story *st, uint64_t ns)
{
	act_add(st, ACT_PAUSE, 0)->number = ns;
}

void
act_leader(struct story *st, const char *leader)
{
	act_add(st, ACT_LEADER, 0)->text = leader;
}

void
act_fault(struct story *st, bool stops_clock)
{
	act_add(st, ACT_PLANNED, 0)->flag = stops_clock;
	(void)act_add(st, ACT_APPLIED, 0); /* has no fields */
}

void
act_heal(struct story *st)
{
	(void)act_add(st, ACT_HEALED, 0); /* has no fields */
}

void
act_undo(struct story *st)
{
	(void)act_add(st, ACT_UNDONE, 0); /* has no fields */
}

void
act_heal_unseen(struct story *st)
{
	act_add(st, ACT_HEALED, 0)->flag = true;
}

void
act_sick(struct story *st, uint64_t ns)
{
	act_add(st, ACT_SICK, 0)->number = ns;
}

void
act_well(struct story *st)
{
	(void)act_add(st, ACT_WELL, 0); /* has no fields */
}

void
act_silent(struct story *st, uint64_t ns)
{
	act_add(st, ACT_SILENT, 0)->number = ns;
}

void
act_ended(struct story *st, uint64_t cause)
{
	act_add(st, ACT_ENDED, 0)->number = cause;
}

void
act_fail(struct story *st, uint64_t counter, uint32_t attempt)
{
	act_add(st, ACT_FAIL, counter)->count = attempt;
}

void
act_end(struct story *st, uint64_t counter, enum outcome outcome)
{
	act_add(st, ACT_END, counter)->count = (uint32_t)outcome;
}

void
act_break(struct story *st, void (*how)(struct worker *))
{
	act_add(st, ACT_BREAK, 0)->how = how;
}

uint64_t
act_time_out(struct story *st)
{
	uint64_t counter = ++st->counter;

	act_invoke(st, counter, 1);
	act_unknown(st, counter, 1);
	act_end(st, counter, OUTCOME_UNKNOWN);
	return counter;
}

void
act_batch_commit(struct story *st, uint64_t first, uint32_t n)
{
	for (; n > 0; n--, first++) {
		act_invoke(st, first, 1);
		act_unknown(st, first, 1);
		act_end(st, first, OUTCOME_UNKNOWN);
	}
}

void
act_batch_store(struct story *st, uint64_t first, uint32_t n)
{
	for (; n > 0; n--)
		(void)act_store(st, first++, ODD_NOT); /* the audit reads it */
}

void
act_nothing(struct story *st)
{
	(void)st;
}

void
act_inversion(struct story *st, const char *before, const char *after)
{
	struct copy a, b;

	act_leader(st, before);
	act_pause(st, LEADS_NS);
	a = act_publish(st, ODD_NOT);
	b = act_publish(st, ODD_NOT);
	act_consume(st, &b);
	act_consume(st, &a);
	/* Told twice: the first answer may be older than the deliveries. */
	act_leader(st, after);
	act_leader(st, after);
}

bool
story_tell_next(struct story *st)
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
	act_round(st);
	return true;
}
