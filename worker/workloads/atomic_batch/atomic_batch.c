/* SPDX-License-Identifier: ISC */
/*
 * atomic-batch: messages that are stored together or not at all, of several
 * clients on the same streams, with plain publishes beside them:
 *
 *	for i in 1..N { one of { batch, two at once, give up, fast batch,
 *	    publish, read } }
 *
 * Nothing is removed, so that what is absent in the end was never stored.
 */
#include "worker/workloads/atomic_batch/atomic_batch.h"

#define STREAMS_MAX 64
#define LEVEL_2_12  2 /* of the API */
#define LEVEL_2_14  3 /* fast batches */

static const struct option_spec options[] = {
    {"streams", OPTION_U64, OPTION_AT(struct batch_options, plain.streams), "2",
	1, STREAMS_MAX, NULL, "N", "streams", false},
    {"subjects", OPTION_U64, OPTION_AT(struct batch_options, plain.subjects),
	"8", 1, OPERATE_SUBJECTS_MAX, NULL, "N", "subjects of each stream",
	false},
    {"counters", OPTION_U64, OPTION_AT(struct batch_options, counters), "1", 0,
	STREAMS_MAX, NULL, "N", "of the streams, whose messages are counted",
	false},
    {"size", OPTION_RANGE, OPTION_AT(struct batch_options, size), "40..400",
	PAYLOAD_MIN, BATCH_SIZE_MAX, NULL, "N..N", "bytes of a message", false},
    {"weights", OPTION_STRING, OPTION_AT(struct batch_options, plain.weights),
	"", 0, 0, NULL, "LIST",
	"operations and how often: batch:20,publish:5; others are not done",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
validate(const struct run_config *c, const void *values, char *why)
{
	const struct batch_options *o = values;
	uint64_t weights[OPERATE_ROWS_MAX];

	(void)c; /* any run will do */
	return operate_weights_read(
	    &batch_operate, o->plain.weights, weights, why);
}

static int
setup(struct worker *w)
{
	const struct batch_options *o = w->options;
	uint64_t n = o->plain.streams, plain = n;
	int err = operate_require(
	    w, LEVEL_2_12, "atomic batches came with nats-server 2.12");
	bool are_fast = err == 0 && operate_require(w, LEVEL_2_14, "") == 0;

	plain -= o->counters < n ? o->counters : n;
	if (err == 0)
		err = plain_setup(w, 0, plain,
		    are_fast ? "\"allow_atomic\":true,\"allow_batched\":true"
			     : "\"allow_atomic\":true");
	return err < 0 ? err
		       : plain_setup(w, plain, n,
			     "\"allow_atomic\":true,"
			     "\"allow_msg_counter\":true");
}

static int
begin(struct worker *w)
{
	return plain_begin(w, &batch_operate);
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_atomic_batch = {
    .name = "atomic-batch",
    .summary = "batches of messages are stored as a whole or not at all",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct batch_options),
    .state_size = sizeof(struct batch_state),
    .clients = 3,
    .validate = validate,
    .setup = setup,
    .begin = begin,
    .step = plain_step,
    .command = operate_command,
    .end = operate_fini,
};
