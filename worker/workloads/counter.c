/* SPDX-License-Identifier: ISC */
/*
 * counter: clients add to the same counters, and subtract:
 *
 *	for i in 1..N { one of { add, add the same again, reset, read } }
 *
 * What a message adds follows from its id (payload.h), so that the audit knows
 * it. Some add more than fits into 64 bits.
 */
#include "worker/operate/operate.h"

#define STREAMS_MAX 64
#define LEVEL_2_12  2 /* of the API: counters */

static const struct option_spec options[] = {
    {"streams", OPTION_U64, OPTION_AT(struct plain_options, streams), "2", 1,
	STREAMS_MAX, NULL, "N", "streams", false},
    {"subjects", OPTION_U64, OPTION_AT(struct plain_options, subjects), "4", 1,
	OPERATE_SUBJECTS_MAX, NULL, "N", "counters of each stream", false},
    {"weights", OPTION_STRING, OPTION_AT(struct plain_options, weights), "", 0,
	0, NULL, "LIST",
	"operations and how often: add:20,last:5; others are not done", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static bool
draw_add(struct worker *w, struct operation *op)
{
	const struct plain_options *o = w->options;

	op->subject = 1 + (uint32_t)operate_below(w, o->subjects);
	op->adds = true;
	return true;
}

static bool
draw_repeat(struct worker *w, struct operation *op)
{
	op->adds = true;
	return operate_draw_repeat(w, op);
}

static bool
draw_last(struct worker *w, struct operation *op)
{
	const struct plain_options *o = w->options;

	op->look = LOOK_LAST;
	op->is_direct = operate_below(w, 4) == 0;
	op->subject = 1 + (uint32_t)operate_below(w, o->subjects);
	return true;
}

/* Behind the shared ones, what this client alone adds to; 0: nothing. */
static uint32_t
own_counter(const struct worker *w)
{
	const struct plain_options *o = w->options;
	uint64_t n = o->subjects + 1 + w->index;

	return n <= OPERATE_SUBJECTS_MAX ? (uint32_t)n : 0;
}

static bool
draw_own(struct worker *w, struct operation *op)
{
	op->subject = own_counter(w);
	op->adds = true;
	return op->subject != 0;
}

static bool
draw_reset(struct worker *w, struct operation *op)
{
	op->how = REMOVER_PURGE;
	op->subject = own_counter(w);
	return op->subject != 0;
}

/* The next addition begins with nothing. */
static void
send_reset(struct worker *w, struct operation *op)
{
	struct operation add = {.at = op->at,
	    .stream = op->stream,
	    .subject = op->subject,
	    .adds = true};

	operate_remove(w, op);
	operate_put(w, &add);
}

static uint32_t
subject_read(const struct worker *w, uint32_t stream, const char *subject)
{
	return operate_subject_read(w, stream, OPERATE_SUBJECTS_MAX, subject);
}

static const struct operate_row rows[] = {
    {"add", 40, LEVEL_2_12, draw_add, operate_put},
    {"own", 6, LEVEL_2_12, draw_own, operate_put},
    {"reset", 2, LEVEL_2_12, draw_reset, send_reset},
    {"repeat", 3, LEVEL_2_12, draw_repeat, operate_put},
    {"get", 4, 0, plain_draw_get, operate_look},
    {"last", 6, 0, draw_last, operate_look},
    {"state", 1, 0, plain_draw_state, operate_look_state},
};

static const struct operate_ops counter_operate = {
    .option = "counter.weights",
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
    .subject = operate_subject,
    .subject_read = subject_read,
    .config_read = plain_config_read,
};

static int
validate(const struct run_config *c, const void *values, char *why)
{
	const struct plain_options *o = values;
	uint64_t weights[OPERATE_ROWS_MAX];

	(void)c; /* any run will do */
	return operate_weights_read(&counter_operate, o->weights, weights, why);
}

static int
setup(struct worker *w)
{
	const struct plain_options *o = w->options;
	int err = operate_require(
	    w, LEVEL_2_12, "counters came with nats-server 2.12");

	return err < 0 ? err
		       : plain_setup(
			     w, 0, o->streams, "\"allow_msg_counter\":true");
}

static int
begin(struct worker *w)
{
	return plain_begin(w, &counter_operate);
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_counter = {
    .name = "counter",
    .summary = "clients add to shared counters, and read them",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct plain_options),
    .state_size = sizeof(struct operate),
    .clients = 4,
    .validate = validate,
    .setup = setup,
    .begin = begin,
    .step = plain_step,
    .command = operate_command,
    .end = operate_fini,
};
