/* SPDX-License-Identifier: ISC */
/* What is drawn of the messages that a client knows; see operate.h. */
#include "worker/operate/operate.h"

#define NEAR	64 /* sequences at the end, which are chosen often */
#define REST_NS (15 * CLOCK_S)

uint64_t
operate_below(struct worker *w, uint64_t n)
{
	struct operate *s = w->state;

	return rng_below(&s->rng, n);
}

uint32_t
operate_draw_awake(struct worker *w, uint64_t subjects)
{
	uint64_t turn = clock_mono_ns() / REST_NS % 2;

	if (subjects < 2)
		return 1;
	return 1 + (uint32_t)(turn + 2 * operate_below(w, subjects / 2));
}

void
operate_know(struct operate_stream *t, uint32_t subject, uint64_t seq)
{
	if (seq > t->last)
		t->last = seq;
	if (t->first == 0)
		t->first = seq;
	if (seq > t->subject_last[subject])
		t->subject_last[subject] = seq;
}

const struct operate_past *
operate_draw_past(struct worker *w, const struct operate_stream *t)
{
	uint64_t n = t->npast < OPERATE_PAST ? t->npast : OPERATE_PAST;

	return n != 0 ? &t->past[operate_below(w, n)] : NULL;
}

bool
operate_draw_repeat(struct worker *w, struct operation *op)
{
	const struct operate_past *p = operate_draw_past(w, op->at);

	if (p == NULL)
		return false;
	op->id = p->id;
	op->subject = p->subject;
	op->size = p->size;
	op->attempt = p->attempts;
	return true;
}

bool
operate_draw_seq(
    struct worker *w, const struct operate_stream *t, uint64_t *seq)
{
	const struct operate_past *p = operate_draw_past(w, t);
	uint64_t from = t->first;

	if (p != NULL && operate_below(w, 2) == 0) {
		*seq = p->seq;
		return true;
	}
	if (t->last == 0 || from > t->last)
		return false;
	if (operate_below(w, 2) == 0 && t->last - from > NEAR)
		from = t->last - NEAR;
	*seq = from + operate_below(w, t->last - from + 1);
	return *seq != 0;
}

void
operate_set_delete(struct operation *op, uint64_t seq)
{
	op->how = REMOVER_DELETE;
	op->remove_first = op->remove_last = seq;
}

/* All below seq, which is not 1: older servers then purge everything. */
void
operate_set_purge(struct operation *op, uint64_t seq)
{
	op->how = REMOVER_PURGE;
	op->remove_first = 1;
	op->remove_last = seq - 1;
}
