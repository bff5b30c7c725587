/* SPDX-License-Identifier: ISC */
/*
 * The table of operations. A new operation is a row: its name, how often it
 * is done, the level of the API that it needs, how it is drawn, and how it is
 * sent. What its refusals prove is in proto/refusal.c.
 */
#include <string.h>

#include "worker/workloads/stream_store/stream_store.h"

#define LEVEL_2_11   1	 /* of the API: batch and multi-last, TTL */
#define EXTRA_MAX    500 /* bytes of a header of no meaning */
#define SMALL	     16	 /* most are at most so many times the smallest */
#define NEAR	     64	 /* sequences at the end, which are chosen often */
#define BATCH_MAX    32
#define MULTI_MAX    8
#define TTL_MAX	     20 /* seconds */
#define HEADERS_ROOM 1024
#define SELDOM	     16 /* one of so many is sure to be refused */

static struct rng *
rng_of(struct worker *w)
{
	struct store_state *s = w->state;

	return &s->rng;
}

static uint64_t
below(struct worker *w, uint64_t n)
{
	return rng_below(rng_of(w), n);
}

static uint32_t
draw_subject(struct worker *w)
{
	const struct store_options *o = w->options;

	return 1 + (uint32_t)below(w, o->subjects);
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
	if (c->max_size != 0 && below(w, SELDOM) != 0)
		high = c->max_size - HEADERS_ROOM;
	if (high < low)
		high = low;
	if (below(w, 8) != 0 && high > low * SMALL)
		high = low * SMALL;
	else
		while (least * 2 < high && below(w, 3) != 0)
			least *= 2;
	return (uint32_t)(least + below(w, high - least + 1));
}

void
store_draw_publish(struct worker *w, struct store_op *op)
{
	op->subject = draw_subject(w);
	op->size = draw_size(w, &op->at->config);
}

/* A publish of this client, of which it keeps the latest. */
static const struct store_past *
draw_past(struct worker *w, const struct store_stream *t)
{
	uint64_t n = t->npast < STORE_PAST ? t->npast : STORE_PAST;

	return n != 0 ? &t->past[below(w, n)] : NULL;
}

/* A sequence that is or was used: its own, near the end, or anywhere. */
static bool
draw_seq(struct worker *w, const struct store_stream *t, uint64_t *seq)
{
	const struct store_past *p = draw_past(w, t);
	uint64_t from = t->first;

	if (p != NULL && below(w, 2) == 0) {
		*seq = p->seq;
		return true;
	}
	if (t->last == 0 || from > t->last)
		return false;
	if (below(w, 2) == 0 && t->last - from > NEAR)
		from = t->last - NEAR;
	*seq = from + below(w, t->last - from + 1);
	return *seq != 0;
}

void
store_set_delete(struct store_op *op, uint64_t seq)
{
	op->how = REMOVER_DELETE;
	op->remove_first = op->remove_last = seq;
}

/* All below seq, which is not 1: older servers then purge everything. */
void
store_set_purge(struct store_op *op, uint64_t seq)
{
	op->how = REMOVER_PURGE;
	op->remove_first = 1;
	op->remove_last = seq - 1;
}

static bool
draw_publish(struct worker *w, struct store_op *op)
{
	store_draw_publish(w, op);
	return true;
}

static bool
draw_repeat(struct worker *w, struct store_op *op)
{
	const struct store_past *p = draw_past(w, op->at);

	if (p == NULL)
		return false;
	op->id = p->id;
	op->subject = p->subject;
	op->size = p->size;
	op->attempt = p->attempts;
	return true;
}

static bool
draw_expect(struct worker *w, struct store_op *op)
{
	store_draw_publish(w, op);
	op->expects_last = true;
	op->last = op->at->last;
	return op->last != 0;
}

static bool
draw_expect_subject(struct worker *w, struct store_op *op)
{
	store_draw_publish(w, op);
	op->expects_subject = true;
	op->subject_last = op->at->subject_last[op->subject];
	return op->subject_last != 0;
}

static bool
draw_rollup(struct worker *w, struct store_op *op)
{
	store_draw_publish(w, op);
	op->rolls = ROLLS_SUBJECT;
	return op->at->config.allow_rollup || below(w, SELDOM) == 0;
}

static bool
draw_rollup_all(struct worker *w, struct store_op *op)
{
	store_draw_publish(w, op);
	op->rolls = ROLLS_ALL;
	return op->at->config.is_unbounded && below(w, 4) == 0;
}

static bool
draw_ttl(struct worker *w, struct store_op *op)
{
	store_draw_publish(w, op);
	op->ttl_ns = (1 + below(w, TTL_MAX)) * CLOCK_S;
	/* Servers that don't know it keep the message for ever. */
	return op->at->config.allow_ttl;
}

static bool
draw_headers(struct worker *w, struct store_op *op)
{
	store_draw_publish(w, op);
	op->extra = 1 + (uint32_t)below(w, EXTRA_MAX);
	return true;
}

/* As large as the server lets it be. */
static bool
draw_large(struct worker *w, struct store_op *op)
{
	int64_t most = natsConnection_GetMaxPayload(w->session.nc);

	if (most > (int64_t)PAYLOAD_MAX)
		most = (int64_t)PAYLOAD_MAX;
	most -= HEADERS_ROOM;
	if (most < (int64_t)PAYLOAD_MIN || op->at->config.limits.bytes != 0)
		return false;
	op->subject = draw_subject(w);
	op->size = (uint32_t)most - (uint32_t)below(w, (uint64_t)most / 8);
	return op->size >= PAYLOAD_MIN;
}

static bool
draw_delete(struct worker *w, struct store_op *op)
{
	uint64_t seq;

	if (!draw_seq(w, op->at, &seq) ||
	    (op->at->config.deny_delete && below(w, SELDOM) != 0))
		return false;
	store_set_delete(op, seq);
	return true;
}

static bool
draw_erase(struct worker *w, struct store_op *op)
{
	op->erases = true;
	return draw_delete(w, op);
}

/* Most of the time what is oldest, so that streams grow nevertheless. */
static bool
draw_purge(struct worker *w, struct store_op *op)
{
	uint64_t first = op->at->first, seq;

	if (!draw_seq(w, op->at, &seq) || seq < 2)
		return false;
	if (seq > first && first != 0 && below(w, 4) != 0)
		seq = first + 1 + (seq - first) / 8;
	store_set_purge(op, seq);
	return !op->at->config.deny_purge || below(w, SELDOM) == 0;
}

static bool
draw_purge_subject(struct worker *w, struct store_op *op)
{
	op->subject = draw_subject(w);
	return draw_purge(w, op);
}

static bool
draw_purge_keep(struct worker *w, struct store_op *op)
{
	op->how = REMOVER_PURGE;
	op->remove_first = 1;
	op->keep = 1 + below(w, 8);
	if (below(w, 8) != 0)
		op->subject = draw_subject(w);
	return op->at->config.is_unbounded;
}

static bool
draw_purge_all(struct worker *w, struct store_op *op)
{
	op->how = REMOVER_PURGE;
	op->remove_first = 1;
	if (below(w, 8) != 0)
		op->subject = draw_subject(w);
	return op->at->config.is_unbounded;
}

static bool
draw_limits(struct worker *w, struct store_op *op)
{
	const struct store_limits none = {0};

	store_limits_draw(rng_of(w), &op->at->config, &op->limits);
	/* Of one client, so that it is clear which change was the last. */
	return w->index == 0 && op->at->config.changes_limits &&
	       memcmp(&op->at->config.limits, &none, sizeof(none)) != 0;
}

static bool
draw_get(struct worker *w, struct store_op *op)
{
	op->look = LOOK_SEQ;
	return draw_seq(w, op->at, &op->seq);
}

static bool
draw_last(struct worker *w, struct store_op *op)
{
	op->look = LOOK_LAST;
	op->subject = draw_subject(w);
	return true;
}

static bool
draw_next(struct worker *w, struct store_op *op)
{
	op->look = LOOK_NEXT;
	op->subject = draw_subject(w);
	return draw_seq(w, op->at, &op->seq);
}

static bool
draw_direct(struct worker *w, struct store_op *op)
{
	bool (*const draws[])(struct worker *, struct store_op *) = {
	    draw_get, draw_last, draw_next};

	op->is_direct = true;
	return draws[below(w, 3)](w, op);
}

static bool
draw_batch(struct worker *w, struct store_op *op)
{
	op->look = LOOK_BATCH;
	op->is_direct = true;
	op->batch = 1 + (uint32_t)below(w, BATCH_MAX);
	if (below(w, 2) == 0)
		op->subject = draw_subject(w);
	return draw_seq(w, op->at, &op->seq);
}

/* Of some subjects that follow each other; the first is told. */
static bool
draw_multi(struct worker *w, struct store_op *op)
{
	const struct store_options *o = w->options;
	uint64_t most = o->subjects < MULTI_MAX ? o->subjects : MULTI_MAX;

	op->look = LOOK_MULTI;
	op->is_direct = true;
	op->batch = 1 + (uint32_t)below(w, most);
	op->subject = 1 + (uint32_t)below(w, o->subjects - op->batch + 1);
	if (below(w, 2) == 0 && !draw_seq(w, op->at, &op->up_to))
		return false;
	return true;
}

static bool
draw_state(struct worker *w, struct store_op *op)
{
	(void)w; /* nothing is drawn */
	(void)op;
	return true;
}

const struct store_row store_rows[] = {
    {"publish", 40, 0, draw_publish, store_put},
    {"repeat", 4, 0, draw_repeat, store_put},
    {"expect", 3, 0, draw_expect, store_put},
    {"expect-subject", 3, 0, draw_expect_subject, store_put},
    {"rollup", 2, 0, draw_rollup, store_put},
    {"rollup-all", 1, 0, draw_rollup_all, store_put},
    {"ttl", 3, LEVEL_2_11, draw_ttl, store_put},
    {"headers", 3, 0, draw_headers, store_put},
    {"large", 1, 0, draw_large, store_put},
    {"delete", 8, 0, draw_delete, store_remove},
    {"erase", 4, 0, draw_erase, store_remove},
    {"purge", 1, 0, draw_purge, store_remove},
    {"purge-subject", 2, 0, draw_purge_subject, store_remove},
    {"purge-keep", 1, 0, draw_purge_keep, store_remove},
    {"purge-all", 1, 0, draw_purge_all, store_remove},
    {"limits", 1, 0, draw_limits, store_limit},
    {"get", 6, 0, draw_get, store_look},
    {"last", 4, 0, draw_last, store_look},
    {"next", 4, 0, draw_next, store_look},
    {"direct", 5, 0, draw_direct, store_look},
    {"batch", 2, LEVEL_2_11, draw_batch, store_look},
    {"multi", 2, LEVEL_2_11, draw_multi, store_look},
    {"state", 2, 0, draw_state, store_look_state},
};
const size_t store_rows_count = sizeof(store_rows) / sizeof(store_rows[0]);

_Static_assert(sizeof(store_rows) / sizeof(store_rows[0]) <= STORE_OPS_MAX,
    "a weight for every row");

bool
store_draw(struct worker *w, const struct store_row *row, uint32_t stream,
    struct store_op *op)
{
	struct store_state *s = w->state;

	memset(op, 0, sizeof(*op));
	op->at = &s->streams[stream];
	op->stream = stream;
	return row->level <= op->at->level && row->draw(w, op);
}
