/* SPDX-License-Identifier: ISC */
/*
 * stream-store: streams of many configurations, from which messages go away:
 *
 *	for i in 1..N { one of { publish, delete, purge, read, change limits } }
 *
 * All clients work on all streams. What is asked for goes out as raw requests
 * to the API and as headers of messages, so that it does not depend on what
 * the client library knows. Nothing is judged here: the judge keeps a model
 * of what each stream must hold, may hold and can't hold.
 *
 * A removal whose outcome is unknown may be done at any later time, to
 * messages that are published meanwhile, too. So removals have a bound, the
 * highest sequence that they may remove; those without one are drawn for
 * every fourth stream only.
 */
#include <errno.h>
#include <stdlib.h>

#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/workloads/stream_store/stream_store.h"

#define SIZE_HIGH     65000
#define PROGRAM_EVERY 300 /* operations, on average */

static const struct option_spec options[] = {
    {"streams", OPTION_U64, OPTION_AT(struct store_options, streams), "4", 1,
	STORE_STREAMS_MAX, NULL, "N", "streams", false},
    {"subjects", OPTION_U64, OPTION_AT(struct store_options, subjects), "16", 1,
	OPERATE_SUBJECTS_MAX, NULL, "N", "subjects of each stream", false},
    {"size", OPTION_RANGE, OPTION_AT(struct store_options, size), "40..65000",
	PAYLOAD_MIN, PAYLOAD_MAX - 1024, NULL, "N..N",
	"bytes of a message; most are near the smaller", false},
    {"weights", OPTION_STRING, OPTION_AT(struct store_options, weights), "", 0,
	0, NULL, "LIST",
	"operations and how often: publish:60,delete:8; others are not done",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
validate(const struct run_config *c, const void *values, char *why)
{
	const struct store_options *o = values;
	uint64_t weights[OPERATE_ROWS_MAX];

	(void)c; /* any run will do */
	return operate_weights_read(&store_operate, o->weights, weights, why);
}

static int
setup(struct worker *w)
{
	const struct store_options *o = w->options;
	uint32_t i;
	int err = 0;

	for (i = 0; i < o->streams && err == 0; i++)
		err = store_config_setup(w, i);
	return err;
}

int
store_begin(struct worker *w, const char *weights)
{
	const struct store_options *o = w->options;
	struct store_state *s = w->state;
	struct operate_stream *t;
	uint32_t i;
	int err = operate_init(w, &store_operate, weights, o->streams);

	if (err < 0)
		return err;
	s->configs = calloc(o->streams, sizeof(*s->configs));
	if (s->configs == NULL)
		return -ENOMEM;
	for (i = 0; i < o->streams; i++) {
		t = &s->operate.streams[i];
		store_config_draw(w, i, &s->configs[i]);
		t->dedupe_ns = s->configs[i].dedupe_ns;
		t->is_memory = s->configs[i].is_memory;
		operate_name(w, i, t->name);
	}
	return 0;
}

static int
begin(struct worker *w)
{
	const struct store_options *o = w->options;

	return store_begin(w, o->weights);
}

int
store_step(struct worker *w)
{
	const struct store_options *o = w->options;
	struct store_state *s = w->state;
	struct rng *r = &s->operate.rng;
	uint32_t stream = (uint32_t)rng_below(r, o->streams);
	struct operation op = {
	    .at = &s->operate.streams[stream], .stream = stream};

	if (store_program_step(w))
		return 0;
	if (!op.at->is_known)
		operate_look_state(w, &op);
	else if (o->weights[0] == '\0' && rng_below(r, PROGRAM_EVERY) == 0)
		store_program_begin(w, stream);
	else
		operate_step(w, stream);
	return 0;
}

/* What a sealed stream has to refuse. */
static void
try_sealed(struct worker *w, uint32_t stream)
{
	struct store_state *s = w->state;
	struct operation op = {
	    .at = &s->operate.streams[stream], .stream = stream};

	store_draw_publish(w, &op);
	operate_put(w, &op);
	op = (struct operation){.at = op.at, .stream = stream};
	operate_set_delete(&op, op.at->last);
	if (op.at->last != 0)
		operate_remove(w, &op);
	op = (struct operation){.at = op.at, .stream = stream};
	operate_set_purge(&op, op.at->last + 1);
	if (op.at->last != 0)
		operate_remove(w, &op);
}

/* One client seals streams while others may be at their last operation. */
static int
drain(struct worker *w)
{
	const struct store_options *o = w->options;
	struct store_state *s = w->state;
	uint64_t end = clock_mono_ns() + w->config.op_timeout_ns / 2;
	struct operation op;
	uint32_t i;

	for (i = 0; w->index == 0 && i < o->streams && clock_mono_ns() < end;
	     i++) {
		op = (struct operation){
		    .at = &s->operate.streams[i], .stream = i};
		if (op.at->is_known && s->configs[i].is_sealed &&
		    store_seal(w, &op))
			try_sealed(w, i);
	}
	return 0;
}

/* Markers are told as such. */
static bool
tell_scanned(struct worker *w, uint32_t stream, const struct scan_seen *seen,
    natsMsg *msg)
{
	return operate_show_marker(w, stream,
	    store_subject_read(w, stream, natsMsg_GetSubject(msg)), seen, msg);
}

static int
audit(struct worker *w)
{
	w->scanned = tell_scanned;
	return audit_streams(w);
}

void
store_end(struct worker *w)
{
	struct store_state *s = w->state;

	operate_fini(w);
	free(s->configs);
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_stream_store = {
    .name = "stream-store",
    .summary = "messages are published, removed, limited and read",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct store_options),
    .state_size = sizeof(struct store_state),
    .validate = validate,
    .setup = setup,
    .begin = begin,
    .step = store_step,
    .command = operate_command,
    .drain = drain,
    .end = store_end,
    .audit = audit,
};
