/* SPDX-License-Identifier: ISC */
/*
 * The table of operations. A new operation is a row: its name, how often it
 * is done, the level of the API that it needs, how it is drawn, and how it is
 * sent. What its refusals prove is in proto/refusal.c.
 */
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/stream_store/stream_store.h"

#define LEVEL_2_11   1	 /* of the API: batch and multi-last, TTL */
#define EXTRA_MAX    500 /* bytes of a header of no meaning */
#define SMALL	     16	 /* most are at most so many times the smallest */
#define BATCH_MAX    32
#define MULTI_MAX    8
#define TTL_MAX	     20 /* seconds */
#define FLEETING     5
#define HEADERS_ROOM 1024
#define SELDOM	     16 /* one of so many is sure to be refused */

static const struct store_config *
config_of(const struct worker *w, const struct operation *op)
{
	return store_config(w, op->stream);
}

static uint32_t
draw_subject(struct worker *w)
{
	const struct store_options *o = w->options;

	return 1 + (uint32_t)operate_below(w, o->subjects);
}

/* Most are small; every eighth is of any order of size. */
static uint32_t
draw_size(struct worker *w, const struct store_config *c)
{
	const struct store_options *o = w->options;
	uint64_t low = o->size[0], high = o->size[1], least = low;

	/* One message must not be all that a stream can hold. */
	if (c->limits.bytes != 0 && high > c->limits.bytes / 16)
		high = c->limits.bytes / 16;
	if (c->max_size != 0 && operate_below(w, SELDOM) != 0)
		high = c->max_size - HEADERS_ROOM;
	if (high < low)
		high = low;
	if (operate_below(w, 8) != 0 && high > low * SMALL)
		high = low * SMALL;
	else
		while (least * 2 < high && operate_below(w, 3) != 0)
			least *= 2;
	return (uint32_t)(least + operate_below(w, high - least + 1));
}

void
store_draw_publish(struct worker *w, struct operation *op)
{
	const struct store_options *o = w->options;

	op->subject = config_of(w, op)->marker_ns != 0
			  ? operate_draw_awake(w, o->subjects)
			  : draw_subject(w);
	op->size = draw_size(w, config_of(w, op));
	/* One that stays would keep markers from its subject for ever. */
	if (config_of(w, op)->marker_ns != 0)
		op->ttl_ns = (1 + operate_below(w, FLEETING)) * CLOCK_S;
}

static bool
draw_publish(struct worker *w, struct operation *op)
{
	store_draw_publish(w, op);
	return true;
}

static bool
draw_expect(struct worker *w, struct operation *op)
{
	store_draw_publish(w, op);
	op->expects_last = true;
	op->last = op->at->last;
	return op->last != 0;
}

static bool
draw_expect_subject(struct worker *w, struct operation *op)
{
	store_draw_publish(w, op);
	op->expects_subject = true;
	op->subject_last = op->at->subject_last[op->subject];
	return op->subject_last != 0;
}

static bool
draw_rollup(struct worker *w, struct operation *op)
{
	store_draw_publish(w, op);
	op->rolls = ROLLS_SUBJECT;
	return config_of(w, op)->allow_rollup || operate_below(w, SELDOM) == 0;
}

static bool
draw_rollup_all(struct worker *w, struct operation *op)
{
	store_draw_publish(w, op);
	op->rolls = ROLLS_ALL;
	return config_of(w, op)->is_unbounded && operate_below(w, 4) == 0;
}

static bool
draw_ttl(struct worker *w, struct operation *op)
{
	store_draw_publish(w, op);
	op->ttl_ns = (1 + operate_below(w, TTL_MAX)) * CLOCK_S;
	/* Servers that don't know it keep the message for ever. */
	return config_of(w, op)->allow_ttl;
}

static bool
draw_headers(struct worker *w, struct operation *op)
{
	store_draw_publish(w, op);
	op->extra = 1 + (uint32_t)operate_below(w, EXTRA_MAX);
	return true;
}

/* As large as the server lets it be. */
static bool
draw_large(struct worker *w, struct operation *op)
{
	int64_t most = natsConnection_GetMaxPayload(w->session.nc);

	if (most > (int64_t)PAYLOAD_MAX)
		most = (int64_t)PAYLOAD_MAX;
	most -= HEADERS_ROOM;
	if (most < (int64_t)PAYLOAD_MIN || config_of(w, op)->limits.bytes != 0)
		return false;
	op->subject = draw_subject(w);
	op->size =
	    (uint32_t)most - (uint32_t)operate_below(w, (uint64_t)most / 8);
	return op->size >= PAYLOAD_MIN;
}

static bool
draw_delete(struct worker *w, struct operation *op)
{
	uint64_t seq;

	if (!operate_draw_seq(w, op->at, &seq) ||
	    (config_of(w, op)->deny_delete && operate_below(w, SELDOM) != 0))
		return false;
	operate_set_delete(op, seq);
	return true;
}

static bool
draw_erase(struct worker *w, struct operation *op)
{
	op->erases = true;
	return draw_delete(w, op);
}

/* Most of the time what is oldest, so that streams grow nevertheless. */
static bool
draw_purge(struct worker *w, struct operation *op)
{
	uint64_t first = op->at->first, seq;

	if (!operate_draw_seq(w, op->at, &seq) || seq < 2)
		return false;
	if (seq > first && first != 0 && operate_below(w, 4) != 0)
		seq = first + 1 + (seq - first) / 8;
	operate_set_purge(op, seq);
	return !config_of(w, op)->deny_purge || operate_below(w, SELDOM) == 0;
}

static bool
draw_purge_subject(struct worker *w, struct operation *op)
{
	op->subject = draw_subject(w);
	return draw_purge(w, op);
}

static bool
draw_purge_keep(struct worker *w, struct operation *op)
{
	op->how = REMOVER_PURGE;
	op->remove_first = 1;
	op->keep = 1 + operate_below(w, 8);
	if (operate_below(w, 8) != 0)
		op->subject = draw_subject(w);
	return config_of(w, op)->is_unbounded;
}

static bool
draw_purge_all(struct worker *w, struct operation *op)
{
	op->how = REMOVER_PURGE;
	op->remove_first = 1;
	if (operate_below(w, 8) != 0)
		op->subject = draw_subject(w);
	return config_of(w, op)->is_unbounded;
}

static void
send_limits(struct worker *w, struct operation *op)
{
	char text[OPERATE_TEXT_MAX];

	store_config_write(w, op->stream, config_of(w, op), &op->limits, text);
	operate_limit(w, op, text);
}

bool
store_seal(struct worker *w, struct operation *op)
{
	char text[OPERATE_TEXT_MAX];

	store_config_write(
	    w, op->stream, config_of(w, op), &config_of(w, op)->limits, text);
	text[strlen(text) - 1] = '\0'; /* the brace */
	text_add(text, sizeof(text), ",\"sealed\":true}");
	return operate_seal(w, op, text);
}

static bool
draw_limits(struct worker *w, struct operation *op)
{
	const struct operate_limits none = {0};
	struct store_state *s = w->state;

	store_limits_draw(&s->operate.rng, config_of(w, op), &op->limits);
	/* Of one client, so that it is clear which change was the last. */
	return w->index == 0 && config_of(w, op)->changes_limits &&
	       memcmp(&config_of(w, op)->limits, &none, sizeof(none)) != 0;
}

static bool
draw_get(struct worker *w, struct operation *op)
{
	op->look = LOOK_SEQ;
	return operate_draw_seq(w, op->at, &op->seq);
}

static bool
draw_last(struct worker *w, struct operation *op)
{
	op->look = LOOK_LAST;
	op->subject = draw_subject(w);
	return true;
}

static bool
draw_next(struct worker *w, struct operation *op)
{
	op->look = LOOK_NEXT;
	op->subject = draw_subject(w);
	return operate_draw_seq(w, op->at, &op->seq);
}

static bool
draw_direct(struct worker *w, struct operation *op)
{
	bool (*const draws[])(struct worker *, struct operation *) = {
	    draw_get, draw_last, draw_next};

	op->is_direct = true;
	return draws[operate_below(w, 3)](w, op);
}

static bool
draw_batch(struct worker *w, struct operation *op)
{
	op->look = LOOK_BATCH;
	op->is_direct = true;
	op->batch = 1 + (uint32_t)operate_below(w, BATCH_MAX);
	if (operate_below(w, 2) == 0)
		op->subject = draw_subject(w);
	return operate_draw_seq(w, op->at, &op->seq);
}

/* Of some subjects that follow each other; the first is told. */
static bool
draw_multi(struct worker *w, struct operation *op)
{
	const struct store_options *o = w->options;
	uint64_t most = o->subjects < MULTI_MAX ? o->subjects : MULTI_MAX;

	op->look = LOOK_MULTI;
	op->is_direct = true;
	op->batch = 1 + (uint32_t)operate_below(w, most);
	op->subject =
	    1 + (uint32_t)operate_below(w, o->subjects - op->batch + 1);
	if (operate_below(w, 2) == 0 &&
	    !operate_draw_seq(w, op->at, &op->up_to))
		return false;
	return true;
}

static bool
draw_state(struct worker *w, struct operation *op)
{
	(void)w; /* nothing is drawn */
	(void)op;
	return true;
}

static const struct operate_row rows[] = {
    {"publish", 40, 0, draw_publish, operate_put},
    {"repeat", 4, 0, operate_draw_repeat, operate_put},
    {"expect", 3, 0, draw_expect, operate_put},
    {"expect-subject", 3, 0, draw_expect_subject, operate_put},
    {"rollup", 2, 0, draw_rollup, operate_put},
    {"rollup-all", 1, 0, draw_rollup_all, operate_put},
    {"ttl", 3, LEVEL_2_11, draw_ttl, operate_put},
    {"headers", 3, 0, draw_headers, operate_put},
    {"large", 1, 0, draw_large, operate_put},
    {"delete", 8, 0, draw_delete, operate_remove},
    {"erase", 4, 0, draw_erase, operate_remove},
    {"purge", 1, 0, draw_purge, operate_remove},
    {"purge-subject", 2, 0, draw_purge_subject, operate_remove},
    {"purge-keep", 1, 0, draw_purge_keep, operate_remove},
    {"purge-all", 1, 0, draw_purge_all, operate_remove},
    {"limits", 1, 0, draw_limits, send_limits},
    {"get", 6, 0, draw_get, operate_look},
    {"last", 4, 0, draw_last, operate_look},
    {"next", 4, 0, draw_next, operate_look},
    {"direct", 5, 0, draw_direct, operate_look},
    {"batch", 2, LEVEL_2_11, draw_batch, operate_look},
    {"multi", 2, LEVEL_2_11, draw_multi, operate_look},
    {"state", 2, 0, draw_state, operate_look_state},
};

_Static_assert(
    sizeof(rows) / sizeof(rows[0]) <= OPERATE_ROWS_MAX, "a weight each");

static void
config_read(struct worker *w, uint32_t stream, const cJSON *config)
{
	struct store_state *s = w->state;

	store_config_read(&s->configs[stream], config);
}

const struct operate_ops store_operate = {
    .option = "stream-store.weights",
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
    .subject = operate_subject,
    .subject_read = store_subject_read,
    .config_read = config_read,
};
