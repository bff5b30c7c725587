/* SPDX-License-Identifier: ISC */
/* The table of operations; see atomic_batch.h. */
#include "worker/workloads/atomic_batch/atomic_batch.h"

#define LEVEL_2_12 2		 /* of the API: atomic batches */
#define LEVEL_2_14 3		 /* fast batches */
#define FAST_NS	   (CLOCK_S / 4) /* between two of a client */
#define FEW	   8
#define MANY	   100
/*
 * A server keeps what was given up for 10 s, and takes 50 batches of a stream
 * at a time: those given up by all clients are 20 of them at most.
 */
#define GIVE_UP_NS (CLOCK_S / 2)

static void
draw_message(struct worker *w, struct operation *op)
{
	const struct batch_options *o = w->options;

	op->subject = 1 + (uint32_t)operate_below(w, o->plain.subjects);
	op->adds = batch_counts(w, op->stream);
	if (!op->adds)
		op->size =
		    (uint32_t)(o->size[0] +
			       operate_below(w, o->size[1] - o->size[0] + 1));
}

static bool
draw_repeat(struct worker *w, struct operation *op)
{
	op->adds = batch_counts(w, op->stream);
	return operate_draw_repeat(w, op);
}

static bool
draw_publish(struct worker *w, struct operation *op)
{
	draw_message(w, op);
	return true;
}

/*
 * What a publish expects, or the first message of a batch; counters can't be
 * asked for it.
 */
static void
draw_expectation(struct worker *w, struct operation *op)
{
	op->last = op->at->last;
	op->subject_last = op->at->subject_last[op->subject];
	if (op->adds)
		return;
	op->expects_last = op->last != 0 && operate_below(w, 2) == 0;
	op->expects_subject = !op->expects_last && op->subject_last != 0;
}

static bool
draw_expect(struct worker *w, struct operation *op)
{
	draw_message(w, op);
	draw_expectation(w, op);
	return op->expects_last || op->expects_subject;
}

/* Most have a few messages. */
static bool
draw_batch(struct worker *w, struct operation *op)
{
	uint64_t most = FEW;

	if (operate_below(w, 16) == 0)
		most = operate_below(w, 8) == 0 ? BATCH_MOST : MANY;
	draw_message(w, op);
	op->batch = 1 + (uint32_t)operate_below(w, most);
	if (operate_below(w, 4) == 0)
		draw_expectation(w, op);
	return true;
}

static bool
draw_two(struct worker *w, struct operation *op)
{
	draw_message(w, op);
	op->batch = 1 + (uint32_t)operate_below(w, FEW);
	return true;
}

static bool
draw_give_up(struct worker *w, struct operation *op)
{
	struct batch_state *s = w->state;
	uint64_t now = clock_mono_ns();

	/* One message alone would be a commit. */
	if (now < s->given_up_ns + GIVE_UP_NS * w->config.clients ||
	    !draw_batch(w, op) || op->batch == 1)
		return false;
	s->given_up_ns = now;
	return true;
}

static bool
draw_too_many(struct worker *w, struct operation *op)
{
	draw_message(w, op);
	op->batch = BATCH_MOST + 1 + (uint32_t)operate_below(w, 2);
	return operate_below(w, 16) == 0;
}

static bool
draw_fast(struct worker *w, struct operation *op)
{
	struct batch_state *s = w->state;
	uint64_t now = clock_mono_ns();

	if (batch_counts(w, op->stream) || now < s->fast_ns + FAST_NS ||
	    !draw_batch(w, op))
		return false;
	s->fast_ns = now;
	return true;
}

static bool
draw_last(struct worker *w, struct operation *op)
{
	op->look = LOOK_LAST;
	draw_message(w, op);
	return true;
}

static const struct operate_row rows[] = {
    {"publish", 20, 0, draw_publish, operate_put},
    {"repeat", 2, 0, draw_repeat, operate_put},
    {"expect", 3, 0, draw_expect, operate_put},
    {"batch", 20, LEVEL_2_12, draw_batch, batch_send},
    {"two", 4, LEVEL_2_12, draw_two, batch_send_two},
    {"give-up", 3, LEVEL_2_12, draw_give_up, batch_give_up},
    {"fast", 8, LEVEL_2_14, draw_fast, batch_send_fast},
    {"too-many", 1, LEVEL_2_12, draw_too_many, batch_send},
    {"get", 6, 0, plain_draw_get, operate_look},
    {"last", 4, 0, draw_last, operate_look},
    {"state", 2, 0, plain_draw_state, operate_look_state},
};

const struct operate_ops batch_operate = {
    .option = "atomic-batch.weights",
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
    .subject = operate_subject,
    .subject_read = plain_subject_read,
    .config_read = plain_config_read,
};
