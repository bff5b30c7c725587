/* SPDX-License-Identifier: ISC */
/*
 * What a client does many times in a row, so that what seldom comes about by
 * chance comes often: every second message gone, a long run of holes, whole
 * blocks, a stream that is full, or empty and begins again; see
 * stream_store.h.
 */
#include "worker/workloads/stream_store/stream_store.h"

#define HOLES  200 /* sequences of which every second is deleted */
#define RUN    100 /* that are deleted one after the other */
#define NEWEST 10
#define FIRST  20
#define FILL   300

/* Where it begins, and what one step does; false: not now. */
struct program {
	uint32_t steps;
	uint64_t (*begin)(const struct operate_stream *);
	bool (*step)(struct worker *, struct store_program *);
};

static bool
act(struct worker *w, struct operation *op,
    void (*send)(struct worker *, struct operation *))
{
	send(w, op);
	return true;
}

static void
op_init(struct worker *w, const struct store_program *p, struct operation *op)
{
	struct store_state *s = w->state;

	*op = (struct operation){
	    .at = &s->operate.streams[p->stream], .stream = p->stream};
}

static uint64_t
begin_before(const struct operate_stream *t, uint64_t n)
{
	return t->last > t->first + n ? t->last - n : t->first;
}

static uint64_t
begin_holes(const struct operate_stream *t)
{
	return begin_before(t, HOLES);
}

static uint64_t
begin_run(const struct operate_stream *t)
{
	return begin_before(t, 2 * RUN);
}

static uint64_t
begin_first(const struct operate_stream *t)
{
	return t->first;
}

static bool
delete_at(struct worker *w, struct store_program *p, uint64_t seq)
{
	struct operation op;

	op_init(w, p, &op);
	if (seq == 0 || seq > op.at->last ||
	    store_config(w, p->stream)->deny_delete)
		return false;
	operate_set_delete(&op, seq);
	op.erases = p->stream % 2 == 0;
	return act(w, &op, operate_remove);
}

static bool
step_holes(struct worker *w, struct store_program *p)
{
	p->seq += 2;
	return delete_at(w, p, p->seq - 2);
}

static bool
step_each(struct worker *w, struct store_program *p)
{
	p->seq++;
	return delete_at(w, p, p->seq - 1);
}

static bool
step_publish(struct worker *w, struct store_program *p)
{
	struct operation op;

	op_init(w, p, &op);
	store_draw_publish(w, &op);
	return act(w, &op, operate_put) && !op.at->is_full;
}

/* One is stored, and goes at once. */
static bool
step_newest(struct worker *w, struct store_program *p)
{
	const struct store_state *s = w->state;

	return step_publish(w, p) &&
	       delete_at(w, p, s->operate.streams[p->stream].last);
}

/* All that was there, of which nobody else adds at the moment. */
static bool
step_empty(struct worker *w, struct store_program *p)
{
	struct operation op;

	op_init(w, p, &op);
	if (op.at->last == 0 || store_config(w, p->stream)->deny_purge)
		return false;
	operate_set_purge(&op, op.at->last + 1);
	return act(w, &op, operate_remove);
}

static const struct program programs[] = {
    {HOLES / 2, begin_holes, step_holes},
    {RUN, begin_run, step_each},
    {FIRST, begin_first, step_each},
    {NEWEST, begin_first, step_newest},
    {FILL, begin_first, step_publish},
    {1, begin_first, step_empty},
};

void
store_program_begin(struct worker *w, uint32_t stream)
{
	struct store_state *s = w->state;
	const struct operate_stream *t = &s->operate.streams[stream];
	uint32_t kind = (uint32_t)rng_below(
	    &s->operate.rng, sizeof(programs) / sizeof(programs[0]));

	s->program = (struct store_program){.kind = kind,
	    .stream = stream,
	    .left = programs[kind].steps,
	    .seq = programs[kind].begin(t)};
}

bool
store_program_step(struct worker *w)
{
	struct store_state *s = w->state;
	struct store_program *p = &s->program;

	if (p->left == 0)
		return false;
	p->left--;
	if (!programs[p->kind].step(w, p))
		p->left = 0;
	return true;
}
