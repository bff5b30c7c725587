/* SPDX-License-Identifier: ISC */
/* Operations of clients on their streams; see streams.h. */
#include <errno.h>

#include "orchestrator/check/streams/streams.h"
#include "proto/refusal.h"

void
streams_judge_op(struct check *c, struct stream *s, bool is_over)
{
	static const char *const names[] = {"", "add", "fill", "delete"};
	struct anomaly a = {
	    .kind = ANOMALY_OP_TIMEOUT, .rule = "guarantees 15"};
	struct check_time t = {s->op_ns, c->config->op_timeout_ns, is_over};

	if (s->op == OP_NONE || s->op_told || !check_is_late(c, &t))
		return;
	s->op_told = true;
	a.ids[0] = s->id;
	check_raise_late(c, &a, &t,
	    "%s of stream %s (%u:%llu) was tried %u times without success",
	    names[s->op], s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id), s->attempts);
}

static void
op_begin(struct check *c, struct stream *s, enum op op)
{
	s->op = op;
	s->op_ns = c->now_ns;
	s->op_told = false;
	s->attempts = 0;
}

int
streams_on_add(struct check *c, const struct event *ev)
{
	const struct msg_stream_add *m = &ev->u.stream_add;
	struct streams_state *st = c->state;
	struct client *k = streams_client_at(c, ev->source);
	struct stream *s, *old;

	if (k == NULL)
		return -ENOMEM;
	s = streams_find(c->state, m->id);
	if (s == NULL) {
		old = streams_newest(st, m->name);
		s = streams_new(st, m->id, m->name);
		if (s == NULL)
			return -ENOMEM;
		for (; old != NULL; old = streams_older(old)) {
			s->is_threatened |= old->removes_open > 0;
			s->unheard_before += old->unheard;
		}
		s->source = ev->source;
		s->variant = m->variant;
	}
	k->current = s;
	if (s->op != OP_ADD)
		op_begin(c, s, OP_ADD);
	s->attempts = m->attempt;
	s->asked_ns = c->now_ns;
	s->adds_open++;
	streams_watch(c->state, s);
	return 0;
}

static void
on_add_ok(struct check *c, struct stream *s, const struct msg_stream_add_ok *m)
{
	streams_judge_op(c, s, true);
	if (s->adds_open > 0)
		s->adds_open--;
	s->added_ns = c->now_ns;
	s->created = m->created;
	op_begin(c, s, OP_FILL);
}

int
streams_on_remove(struct check *c, const struct event *ev)
{
	const struct msg_stream_remove *m = &ev->u.stream_remove;
	struct client *k = streams_client_at(c, ev->source);
	struct stream *s;
	unsigned i;

	if (k == NULL)
		return -ENOMEM;
	s = streams_find(c->state, m->id);
	if (s == NULL)
		return 0;
	k->current = s;
	for (i = 0; i < FLAWS; i++)
		streams_right(c, s, i, "it was then deleted");
	if (s->op != OP_REMOVE)
		op_begin(c, s, OP_REMOVE);
	s->attempts = m->attempt;
	s->asked_ns = c->now_ns;
	s->removes_open++;
	streams_watch(c->state, s);
	return 0;
}

static void
on_remove_ok(struct check *c, struct stream *s)
{
	streams_judge_op(c, s, true);
	if (s->removes_open > 0)
		s->removes_open--;
	s->removed_ns = c->now_ns;
	s->op = OP_NONE;
}

/*
 * No server was there, or the code proves it. Journals of older versions also
 * call certain what a meta leader that was just deposed may say.
 */
static bool
is_certain(const struct msg_stream_op_failed *m)
{
	return m->certain &&
	       (m->code == 0 || refusal_class(m->code) == REFUSAL_CERTAIN);
}

static void
on_failed(
    struct check *c, struct stream *s, const struct msg_stream_op_failed *m)
{
	streams_judge_op(c, s, false);
	if (s->op == OP_FILL) {
		s->attempts++;
		s->unheard += !is_certain(m);
	}
	streams_refused(c, s, m);
	if (!is_certain(m))
		return;
	if (s->op == OP_ADD && s->adds_open > 0)
		s->adds_open--;
	else if (s->op == OP_REMOVE && s->removes_open > 0)
		s->removes_open--;
}

static void
on_filled(struct check *c, struct stream *s, const struct msg_stream_filled *m)
{
	streams_judge_op(c, s, true);
	if (m->seq > s->last_seq) {
		s->last_seq = m->seq;
		s->acked++;
	}
	s->filled_ns = c->now_ns;
	op_begin(c, s, OP_FILL);
}

/* A client asked for its stream's state when it had nothing else open. */
static void
on_counted(
    struct check *c, struct stream *s, const struct msg_stream_counted *m)
{
	struct row r = {.id = m->id, .variant = s->variant};

	r.messages = m->messages;
	r.created = m->created;
	if (m->found)
		streams_judge_there(c, s, &r, c->now_ns);
	else
		streams_judge_gone(c, s, c->now_ns);
}

void
streams_on_op(struct check *c, const struct event *ev)
{
	/* The id is the first field of all these messages. */
	struct stream *s = streams_find(c->state, ev->u.stream_add_ok.id);

	if (s == NULL)
		return;
	switch ((unsigned)ev->type) {
	case MESSAGE_STREAM_ADD_OK:
		on_add_ok(c, s, &ev->u.stream_add_ok);
		break;
	case MESSAGE_STREAM_REMOVE_OK:
		on_remove_ok(c, s);
		break;
	case MESSAGE_STREAM_OP_FAILED:
		on_failed(c, s, &ev->u.stream_op_failed);
		break;
	case MESSAGE_STREAM_FILLED:
		on_filled(c, s, &ev->u.stream_filled);
		break;
	case MESSAGE_STREAM_COUNTED:
		on_counted(c, s, &ev->u.stream_counted);
		break;
	default: /* STREAM_OP_END */
		streams_judge_op(c, s, true);
		s->op = OP_NONE;
		break;
	}
}
