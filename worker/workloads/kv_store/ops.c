/* SPDX-License-Identifier: ISC */
/*
 * The table of operations on a bucket: what a KV client sends for each call
 * (ADR-8). A new operation is a row, as in stream-store.
 */
#include "worker/workloads/kv_store/kv_store.h"

#define LEVEL_2_11 1  /* of the API: lifetimes of keys */
#define TTL_MAX	   20 /* seconds */
#define SMALL	   16 /* most are at most so many times the smallest */
#define BRIEF_NS   (3 * CLOCK_S)
#define WATCH_MAX  20 /* seconds */
#define FLEETING   5  /* seconds, of values that shall grow old */

static const struct bucket_config *
config_of(const struct worker *w, const struct operation *op)
{
	const struct bucket_state *s = w->state;

	return &s->configs[op->stream];
}

static uint32_t
draw_key(struct worker *w)
{
	const struct bucket_options *o = w->options;

	return 1 + (uint32_t)operate_below(w, o->keys);
}

static uint32_t
draw_written(struct worker *w, const struct operation *op)
{
	const struct bucket_options *o = w->options;

	return config_of(w, op)->marker_ns != 0 ? operate_draw_awake(w, o->keys)
						: draw_key(w);
}

static bool
draw_put(struct worker *w, struct operation *op)
{
	const struct bucket_options *o = w->options;
	uint64_t low = o->size[0], high = o->size[1];

	if (config_of(w, op)->bytes != 0 && high > config_of(w, op)->bytes / 16)
		high = config_of(w, op)->bytes / 16;
	if (operate_below(w, 8) != 0 && high > low * SMALL)
		high = low * SMALL;
	if (high < low)
		high = low;
	op->subject = draw_written(w, op);
	op->size = (uint32_t)(low + operate_below(w, high - low + 1));
	return true;
}

/* Only if the key has no message; what a marker stands for is none. */
static bool
draw_create(struct worker *w, struct operation *op)
{
	op->expects_subject = true;
	return draw_put(w, op);
}

static bool
draw_update(struct worker *w, struct operation *op)
{
	draw_put(w, op);
	op->expects_subject = true;
	op->subject_last = op->at->subject_last[op->subject];
	return op->subject_last != 0;
}

static uint64_t
draw_ttl(struct worker *w)
{
	return (1 + operate_below(w, TTL_MAX)) * CLOCK_S;
}

static bool
draw_value(struct worker *w, struct operation *op)
{
	draw_put(w, op);
	if (config_of(w, op)->marker_ns != 0 && operate_below(w, 2) == 0)
		op->ttl_ns = (1 + operate_below(w, FLEETING)) * CLOCK_S;
	return true;
}

/* A key with a lifetime; half of the time it must be new. */
static bool
draw_put_ttl(struct worker *w, struct operation *op)
{
	draw_put(w, op);
	op->expects_subject = operate_below(w, 2) == 0;
	op->ttl_ns = draw_ttl(w);
	return config_of(w, op)->allow_ttl;
}

/* The marker of a deletion; one of four expects a revision. */
static bool
draw_delete(struct worker *w, struct operation *op)
{
	op->subject = draw_written(w, op);
	op->marks = "DEL";
	op->subject_last = op->at->subject_last[op->subject];
	op->expects_subject = op->subject_last != 0 && operate_below(w, 4) == 0;
	return true;
}

static bool
draw_purge(struct worker *w, struct operation *op)
{
	draw_delete(w, op);
	op->marks = "PURGE";
	op->rolls = ROLLS_SUBJECT;
	return true;
}

static bool
draw_purge_ttl(struct worker *w, struct operation *op)
{
	draw_purge(w, op);
	op->ttl_ns = draw_ttl(w);
	return config_of(w, op)->allow_ttl;
}

/* All of a key but its last message, which is a marker most of the time. */
static bool
draw_purge_deletes(struct worker *w, struct operation *op)
{
	op->how = REMOVER_PURGE;
	op->subject = draw_key(w);
	op->remove_first = 1;
	op->keep = 1;
	return config_of(w, op)->is_unbounded;
}

static bool
draw_get(struct worker *w, struct operation *op)
{
	op->look = LOOK_LAST;
	op->subject = draw_key(w);
	op->is_direct = operate_below(w, 2) == 0;
	return true;
}

static bool
draw_get_revision(struct worker *w, struct operation *op)
{
	op->look = LOOK_SEQ;
	op->is_direct = operate_below(w, 2) == 0;
	return operate_draw_seq(w, op->at, &op->seq);
}

static bool
draw_nothing(struct worker *w, struct operation *op)
{
	(void)w; /* it has no choice */
	(void)op;
	return true;
}

/* A key, the keys of a prefix, or all. */
static void
draw_keys(struct worker *w, struct watch *t)
{
	const struct bucket_options *o = w->options;
	uint32_t key = draw_key(w), group = (key - 1) / BUCKET_GROUP;

	t->first = 1;
	t->last = (uint32_t)o->keys;
	switch (operate_below(w, 3)) {
	case 0:
		t->first = t->last = key;
		break;
	case 1:
		t->first = group * BUCKET_GROUP + 1;
		if (t->last > t->first + BUCKET_GROUP - 1)
			t->last = t->first + BUCKET_GROUP - 1;
		break;
	default:
		break;
	}
}

static void
send_watch(struct worker *w, struct operation *op)
{
	static const enum message_word hows[] = {
	    WATCH_LAST, WATCH_ALL, WATCH_NEW, WATCH_FROM};
	struct bucket_state *s = w->state;
	struct watch *t = &s->watches[1];

	while (t < s->watches + WATCHES && t->is_open)
		t++;
	if (t == s->watches + WATCHES)
		return;
	*t = (struct watch){.how = hows[operate_below(w, 4)],
	    .end_ns =
		clock_mono_ns() + (1 + operate_below(w, WATCH_MAX)) * CLOCK_S};
	draw_keys(w, t);
	if (t->how == WATCH_FROM && !operate_draw_seq(w, op->at, &t->from))
		t->how = WATCH_ALL;
	watch_begin(w, t, op->stream);
}

static void
send_brief(struct worker *w, struct operation *op, struct watch *t)
{
	t->is_brief = true;
	t->end_ns = clock_mono_ns() + BRIEF_NS;
	watch_begin(w, t, op->stream);
	watch_await(w, t);
}

/* All revisions of a key. */
static void
send_history(struct worker *w, struct operation *op)
{
	struct watch t = {.how = WATCH_ALL};

	t.first = t.last = draw_key(w);
	send_brief(w, op, &t);
}

/* The keys that there are, without their values. */
static void
send_keys(struct worker *w, struct operation *op)
{
	struct watch t = {.how = WATCH_LAST, .is_bare = true};

	draw_keys(w, &t);
	send_brief(w, op, &t);
}

static const struct operate_row rows[] = {
    {"put", 30, 0, draw_value, operate_put},
    {"create", 5, 0, draw_create, operate_put},
    {"update", 10, 0, draw_update, operate_put},
    {"put-ttl", 2, LEVEL_2_11, draw_put_ttl, operate_put},
    {"delete", 6, 0, draw_delete, operate_put},
    {"purge", 3, 0, draw_purge, operate_put},
    {"purge-ttl", 1, LEVEL_2_11, draw_purge_ttl, operate_put},
    {"purge-deletes", 1, 0, draw_purge_deletes, operate_remove},
    {"get", 20, 0, draw_get, operate_look},
    {"get-revision", 6, 0, draw_get_revision, operate_look},
    {"history", 2, 0, draw_nothing, send_history},
    {"keys", 2, 0, draw_nothing, send_keys},
    {"watch", 1, 0, draw_nothing, send_watch},
    {"status", 2, 0, draw_nothing, operate_look_state},
};

_Static_assert(
    sizeof(rows) / sizeof(rows[0]) <= OPERATE_ROWS_MAX, "a weight each");

static void
config_read(struct worker *w, uint32_t stream, const cJSON *config)
{
	struct bucket_state *s = w->state;

	bucket_config_read(&s->configs[stream], config);
}

const struct operate_ops bucket_operate = {
    .option = "kv-store.weights",
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
    .subject = bucket_key,
    .subject_read = bucket_key_read,
    .config_read = config_read,
};
