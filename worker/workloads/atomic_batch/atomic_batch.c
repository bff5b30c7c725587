/* SPDX-License-Identifier: ISC */
/*
 * atomic-batch: messages that are stored together or not at all, of several
 * clients on the same streams, with plain publishes beside them:
 *
 *	for i in 1..N { one of { batch, two at once, give up, publish, read } }
 *
 * Nothing is removed, so that what is absent in the end was never stored.
 */
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/atomic_batch/atomic_batch.h"

#define STREAMS_MAX 64
#define DEDUPE_NS   (120 * CLOCK_S)
#define LEVEL_2_12  2 /* of the API */

static const struct option_spec options[] = {
    {"streams", OPTION_U64, OPTION_AT(struct batch_options, streams), "2", 1,
	STREAMS_MAX, NULL, "N", "streams", false},
    {"subjects", OPTION_U64, OPTION_AT(struct batch_options, subjects), "8", 1,
	OPERATE_SUBJECTS_MAX, NULL, "N", "subjects of each stream", false},
    {"size", OPTION_RANGE, OPTION_AT(struct batch_options, size), "40..400",
	PAYLOAD_MIN, BATCH_SIZE_MAX, NULL, "N..N", "bytes of a message", false},
    {"weights", OPTION_STRING, OPTION_AT(struct batch_options, weights), "", 0,
	0, NULL, "LIST",
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
	return operate_weights_read(&batch_operate, o->weights, weights, why);
}

static void
tell_contents(struct worker *w, uint32_t i)
{
	const struct batch_options *o = w->options;
	struct event ev = {.type = MESSAGE_CONTENTS};

	ev.u.contents.stream = i;
	ev.u.contents.subjects = (uint32_t)o->subjects;
	ev.u.contents.first_seq = 1;
	child_emit(&w->child, &ev);
}

static int
setup_one(struct worker *w, uint32_t i)
{
	char name[64], text[OPERATE_TEXT_MAX], subject[OPERATE_SUBJECT_MAX];
	uint64_t created;
	cJSON *answer;
	int err;

	operate_name(w, i, name);
	operate_subject(w, i, 0, subject);
	text_format(text, sizeof(text),
	    "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"%s\","
	    "\"num_replicas\":%llu,\"duplicate_window\":%llu,"
	    "\"allow_direct\":true,\"allow_atomic\":true%s}",
	    name, subject, w->config.storage,
	    (unsigned long long)w->config.replicas,
	    (unsigned long long)DEDUPE_NS,
	    strcmp(w->config.storage_compression, "s2") == 0
		? ",\"compression\":\"s2\""
		: "");
	err = operate_make(w, name, text, &answer, &created);
	if (err < 0)
		return err;
	cJSON_Delete(answer);
	tell_stream(w, i, name, created, DEDUPE_NS);
	tell_contents(w, i);
	child_flush(&w->child);
	return 0;
}

static int
setup(struct worker *w)
{
	const struct batch_options *o = w->options;
	int err = operate_require(
	    w, LEVEL_2_12, "atomic batches came with nats-server 2.12");
	uint32_t i;

	for (i = 0; i < o->streams && err == 0; i++)
		err = setup_one(w, i);
	return err;
}

static int
begin(struct worker *w)
{
	const struct batch_options *o = w->options;
	struct batch_state *s = w->state;
	int err = operate_init(w, &batch_operate, o->weights, o->streams);
	struct operate_stream *t;
	uint32_t i;

	for (i = 0; i < o->streams && err == 0; i++) {
		t = &s->operate.streams[i];
		t->dedupe_ns = DEDUPE_NS;
		t->is_memory = strcmp(w->config.storage, "memory") == 0;
		operate_name(w, i, t->name);
	}
	return err;
}

static int
step(struct worker *w)
{
	const struct batch_options *o = w->options;
	struct batch_state *s = w->state;
	uint32_t i = (uint32_t)operate_below(w, o->streams);
	struct operation op = {.at = &s->operate.streams[i], .stream = i};

	if (op.at->is_known)
		operate_step(w, i);
	else
		operate_look_state(w, &op);
	return 0;
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
    .step = step,
    .command = operate_command,
    .end = operate_fini,
};
