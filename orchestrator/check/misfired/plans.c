/* SPDX-License-Identifier: ISC */
/* The model of schedules: what was asked for, and what may remove it. */
#include <errno.h>

#include "orchestrator/check/misfired/misfired.h"
#include "proto/base/array.h"

#define PLANS_MAX (1u << 18) /* that are judged */

struct misfired_plan *
misfired_find(const struct misfired_state *st, uint64_t id)
{
	uint32_t source = message_id_source(id), i;
	const struct misfired_source *s;

	if (source >= st->n)
		return NULL;
	s = &st->sources[source];
	i = array_lower(s->plans, s->n, sizeof(*s->plans), id);
	return i < s->n && s->plans[i].id == id ? &s->plans[i] : NULL;
}

struct misfired_plan *
misfired_next(const struct misfired_state *st, const struct misfired_plan *p)
{
	const struct misfired_source *s =
	    &st->sources[message_id_source(p->id)];
	struct misfired_plan *q = &s->plans[p - s->plans];

	while (++q < s->plans + s->n)
		if (q->group == p->group)
			return q;
	return NULL;
}

static void
touch(struct misfired_plan *p, uint64_t now_ns)
{
	if (p->touched_ns == 0)
		p->touched_ns = now_ns;
}

static int
on_schedule(struct check *c, const struct msg_schedule *m)
{
	struct misfired_state *st = c->state;
	struct misfired_source *s = array_at(&st->sources, &st->n,
	    message_id_source(m->id), sizeof(*s), CHECK_SLOTS_MAX);
	struct misfired_plan *p = misfired_find(st, m->id), *first;

	if (s == NULL)
		return -ENOMEM;
	if (p != NULL)
		p->is_again = true;
	/* Ids only grow. */
	if (m->attempt != 1 || s->beyond != 0 ||
	    (s->n > 0 && s->plans[s->n - 1].id >= m->id))
		return 0;
	if (st->nplans == PLANS_MAX) {
		s->beyond = m->id;
		return 0;
	}
	if (array_reserve(
		&s->plans, &s->room, s->n + 1, sizeof(*p), PLANS_MAX) < 0)
		return -ENOMEM;
	st->nplans++;
	p = &s->plans[s->n++];
	*p = (struct misfired_plan){.id = m->id,
	    .group = m->group,
	    .sum = m->sum,
	    .every_ns = m->every_ns,
	    .ttl_ns = m->ttl_ns,
	    .at_ns = m->at_ns,
	    .invoked_ns = c->now_ns,
	    .stream = m->stream,
	    .times = m->times};
	first = misfired_find(st, m->group);
	if (first == NULL)
		return 0;
	if (first->open > 0)
		touch(p, c->now_ns);
	first->open++;
	for (; first != NULL && first != p; first = misfired_next(st, first))
		touch(first, c->now_ns);
	return 0;
}

/* Those of a group that were there before something that removes them. */
static void
confirm_gone(struct check *c, uint64_t group, uint64_t seq, uint64_t sent_ns)
{
	struct misfired_plan *p = misfired_find(c->state, group);

	for (; p != NULL; p = misfired_next(c->state, p))
		if (p->ok_ns != 0 && p->ok_ns <= sent_ns && p->gone_ns == 0 &&
		    (seq == 0 || p->seq == seq))
			p->gone_ns = c->now_ns;
}

static void
on_schedule_ok(struct check *c, const struct msg_schedule_ok *m)
{
	struct misfired_plan *p = misfired_find(c->state, m->id);

	if (p == NULL || p->ok_ns != 0)
		return;
	p->ok_ns = c->now_ns;
	p->seq = m->seq;
	confirm_gone(c, p->group, 0, p->invoked_ns);
}

/* All of a stream that repeat are removed: the time, or (0) it is sent. */
static void
remove_repeats(struct check *c, uint32_t stream, uint64_t sent_ns)
{
	const struct misfired_state *st = c->state;
	struct misfired_plan *p;
	uint32_t i, j;

	for (i = 0; i < st->n; i++)
		for (j = 0; j < st->sources[i].n; j++) {
			p = &st->sources[i].plans[j];
			if (p->stream != stream || p->every_ns == 0)
				continue;
			touch(p, c->now_ns);
			if (p->ok_ns != 0 && p->ok_ns <= sent_ns &&
			    p->gone_ns == 0)
				p->gone_ns = c->now_ns;
		}
}

static int
on_unschedule(struct check *c, const struct msg_unschedule *m)
{
	struct misfired_state *st = c->state;
	struct misfired_source *s = array_at(&st->sources, &st->n,
	    message_id_source(m->id), sizeof(*s), CHECK_SLOTS_MAX);
	struct misfired_plan *p = misfired_find(st, m->group);

	if (s == NULL)
		return -ENOMEM;
	if (m->attempt != 1) {
		s->removal.is_again = true;
		return 0;
	}
	s->removal = (struct misfired_removal){
	    m->id, m->group, m->seq, c->now_ns, m->stream, false};
	if (m->group == 0)
		remove_repeats(c, m->stream, 0);
	if (p != NULL)
		p->open++;
	for (; p != NULL; p = misfired_next(st, p))
		if (m->seq == 0 || p->seq == m->seq)
			touch(p, c->now_ns);
	return 0;
}

static void
on_changed(struct check *c, uint64_t id)
{
	const struct misfired_state *st = c->state;
	uint32_t source = message_id_source(id);
	const struct misfired_removal *r =
	    source < st->n ? &st->sources[source].removal : NULL;

	if (r == NULL || r->id != id)
		return;
	if (r->group == 0)
		remove_repeats(c, r->stream, r->sent_ns);
	else
		confirm_gone(c, r->group, r->seq, r->sent_ns);
}

/*
 * Nothing more can become of it, if its outcome is certain. One attempt that
 * was not answered may be done behind another: a removal, or a schedule whose
 * id was forgotten, for that is known by what is stored.
 */
static void
on_over(struct check *c, const struct msg_change_end *m)
{
	const struct misfired_state *st = c->state;
	uint32_t source = message_id_source(m->id);
	const struct misfired_plan *p = misfired_find(st, m->id);
	const struct misfired_removal *r =
	    source < st->n ? &st->sources[source].removal : NULL;
	bool is_again = p != NULL && p->is_again;
	uint64_t group = p != NULL ? p->group : 0;
	struct misfired_plan *first;

	if (p == NULL && r != NULL && r->id == m->id) {
		group = r->group;
		is_again = r->is_again;
	}
	first = misfired_find(st, group);
	if (first != NULL && first->open > 0 && !is_again &&
	    m->outcome != ENDED_UNKNOWN)
		first->open--;
}

int
misfired_on_client(struct check *c, const struct event *ev)
{
	if (ev->type == MESSAGE_SCHEDULE)
		return on_schedule(c, &ev->u.schedule);
	if (ev->type == MESSAGE_UNSCHEDULE)
		return on_unschedule(c, &ev->u.unschedule);
	if (ev->type == MESSAGE_SCHEDULE_OK)
		on_schedule_ok(c, &ev->u.schedule_ok);
	else if (ev->type == MESSAGE_CHANGE_OK)
		on_changed(c, ev->u.change_ok.id);
	else
		on_over(c, &ev->u.change_end);
	return 0;
}
