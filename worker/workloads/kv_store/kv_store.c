/* SPDX-License-Identifier: ISC */
/*
 * kv-store: buckets as applications use them:
 *
 *	for i in 1..N { one of { put, create, update, delete, purge, get,
 *	    history, keys, watch, ... } }
 *
 * All clients work on all buckets, which are streams made as ADR-8 says, by
 * the requests that a KV client sends. Each client has a watch of all keys of
 * one bucket from its first step on, and others now and then. When the load
 * ends each puts a last value and waits until its watch shows it. Nothing is
 * judged here: the judge keeps a model of what each bucket must hold, may hold
 * and can't hold.
 */
#include <errno.h>
#include <stdlib.h>

#include "worker/audit/audit.h"
#include "worker/workloads/kv_store/kv_store.h"

#define AWAIT_MS 20
#define MORE_NS	 (10 * CLOCK_S) /* longer than it may take */

static const struct option_spec options[] = {
    {"buckets", OPTION_U64, OPTION_AT(struct bucket_options, buckets), "4", 1,
	BUCKETS_MAX, NULL, "N", "buckets", false},
    {"keys", OPTION_U64, OPTION_AT(struct bucket_options, keys), "16", 1,
	OPERATE_SUBJECTS_MAX, NULL, "N", "keys of each bucket", false},
    {"size", OPTION_RANGE, OPTION_AT(struct bucket_options, size), "40..16000",
	PAYLOAD_MIN, PAYLOAD_MAX - 1024, NULL, "N..N",
	"bytes of a value; most are near the smaller", false},
    {"weights", OPTION_STRING, OPTION_AT(struct bucket_options, weights), "", 0,
	0, NULL, "LIST",
	"operations and how often: put:60,delete:8; others are not done",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
validate(const struct run_config *c, const void *values, char *why)
{
	const struct bucket_options *o = values;
	uint64_t weights[OPERATE_ROWS_MAX];

	(void)c; /* any run will do */
	return operate_weights_read(&bucket_operate, o->weights, weights, why);
}

static int
setup(struct worker *w)
{
	const struct bucket_options *o = w->options;
	uint32_t i;
	int err = 0;

	for (i = 0; i < o->buckets && err == 0; i++)
		err = bucket_setup(w, i);
	return err;
}

static int
begin(struct worker *w)
{
	const struct bucket_options *o = w->options;
	struct bucket_state *s = w->state;
	struct operate_stream *t;
	uint32_t i;
	int err = operate_init(w, &bucket_operate, o->weights, o->buckets);

	if (err < 0)
		return err;
	s->configs = calloc(o->buckets, sizeof(*s->configs));
	if (s->configs == NULL)
		return -ENOMEM;
	for (i = 0; i < o->buckets; i++) {
		t = &s->operate.streams[i];
		bucket_config_draw(w, i, &s->configs[i]);
		t->dedupe_ns = s->configs[i].dedupe_ns;
		t->is_memory = s->configs[i].is_memory;
		bucket_name(w, i, t->name);
	}
	return 0;
}

/* The watch that lasts as long as the load. */
static struct watch *
own_watch(struct worker *w)
{
	const struct bucket_options *o = w->options;
	struct bucket_state *s = w->state;
	struct watch *t = &s->watches[0];

	if (!t->is_open) {
		*t = (struct watch){.how = WATCH_LAST,
		    .first = 1,
		    .last = (uint32_t)o->keys,
		    .end_ns = BUCKET_FOREVER};
		watch_begin(w, t, (uint32_t)(w->index % o->buckets));
	}
	return t;
}

static void
take_all(struct worker *w)
{
	struct bucket_state *s = w->state;
	unsigned i;

	tell_reconnects(w); /* a watch has to know of them */
	for (i = 0; i < WATCHES; i++)
		if (s->watches[i].is_open)
			watch_take(w, &s->watches[i]);
}

static int
step(struct worker *w)
{
	const struct bucket_options *o = w->options;
	uint32_t bucket = (uint32_t)operate_below(w, o->buckets);
	struct bucket_state *s = w->state;
	struct operation op = {
	    .at = &s->operate.streams[bucket], .stream = bucket};

	(void)own_watch(w); /* it is begun, which is all */
	take_all(w);
	if (!op.at->is_known)
		operate_look_state(w, &op);
	else
		operate_step(w, bucket);
	return 0;
}

/* A last value for a watch to show: its sequence, or 0 without an ack. */
static uint64_t
put_last(struct worker *w, const struct watch *t)
{
	const struct bucket_options *o = w->options;
	struct bucket_state *s = w->state;
	struct operation op = {.at = &s->operate.streams[t->shown.stream],
	    .stream = t->shown.stream,
	    .subject = t->first,
	    .size = (uint32_t)o->size[0]};
	uint64_t before = op.at->npast;

	operate_put(w, &op);
	return op.at->npast != before ? op.at->past[before % OPERATE_PAST].seq
				      : 0;
}

static int
drain(struct worker *w)
{
	struct bucket_state *s = w->state;
	struct watch *t = own_watch(w);
	uint64_t last = put_last(w, t), since = clock_mono_ns(),
		 end = since + w->config.consume_timeout_ns + MORE_NS,
		 most = since + w->config.op_timeout_ns + CLOCK_S * 60;
	unsigned i;

	if (end > most)
		end = most;
	while (t->highest < last && clock_mono_ns() < end) {
		take_all(w);
		worker_commands(w, AWAIT_MS);
	}
	for (i = 0; i < WATCHES; i++)
		if (s->watches[i].is_open)
			watch_end(w, &s->watches[i], i == 0 ? last : 0, since);
	return 0;
}

/* Markers are told as such. */
static bool
tell_scanned(struct worker *w, uint32_t stream, const struct scan_seen *seen,
    natsMsg *msg)
{
	return operate_show_marker(w, stream,
	    bucket_key_read(w, stream, natsMsg_GetSubject(msg)), seen, msg);
}

static int
audit(struct worker *w)
{
	w->scanned = tell_scanned;
	return audit_streams(w);
}

static void
end(struct worker *w)
{
	struct bucket_state *s = w->state;
	unsigned i;

	for (i = 0; i < WATCHES; i++)
		natsSubscription_Destroy(s->watches[i].sub);
	operate_fini(w);
	free(s->configs);
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_kv_store = {
    .name = "kv-store",
    .summary = "keys are put, updated, deleted, read and watched",
    .roles = roles,
    .clients = 4, /* one alone contends with nobody */
    .options = options,
    .options_size = sizeof(struct bucket_options),
    .state_size = sizeof(struct bucket_state),
    .validate = validate,
    .setup = setup,
    .begin = begin,
    .step = step,
    .command = operate_command,
    .drain = drain,
    .end = end,
    .audit = audit,
};
