/* SPDX-License-Identifier: ISC */
/*
 * streams: what listings of streams may and may not show.
 *
 * Rule (guarantees 12, and 1 for the messages): a wrong answer convicts
 * only when it persists: at least POLLS_MIN listings (or states of the one
 * stream), the last of them asked for at least PERSIST_NS after the first,
 * all of the same opinion, and leadership of the meta group was steady
 * (check_steady) from the first to the last. Wrong answers are: a stream whose
 * add was confirmed before the listing began, and whose delete nobody asked
 * for, is not listed (stream_missing); one whose delete was confirmed
 * before the listing began is listed (stream_resurrected); one that holds
 * fewer messages than were acknowledged before (lost), or more than were put
 * into it (wrong_state); one with another
 * configuration than it was given (corrupt). A message of an earlier stream
 * that the audit reads in a later one is a part of what was deleted. An
 * operation that is retried for longer than --op-timeout is op_timeout, as with
 * every workload. An operation that is refused, and is done, or "not found" for
 * what nobody deleted is misanswered (guarantees 0).
 *
 * Why no legal behaviour trips it: an attempt that was not answered may
 * take effect at any later time, so a stream with an open add may be there
 * or not, one with an open delete likewise, and so may a later stream of
 * the same name. A listing that failed shows nothing. A listing may be out
 * of date for a moment (elections; a follower that answers before it
 * applied the last change): whatever heals is told with its duration and
 * never convicts. Servers that don't answer for the state of their streams
 * leave a row without state, which is judged for presence only. Memory
 * storage may lose its messages when servers restart: documented.
 *
 * Each stream ever added is one entry, by its id. An entry goes away when
 * it is known that nothing of it can come any more; memory is that of the
 * streams alive and of those with an attempt that was never answered.
 */
#include <errno.h>

#include "orchestrator/check/streams/streams.h"

#define NAMES_MAX (1u << 22)

static int
on_tick(struct check *c)
{
	struct streams_state *st = c->state;
	struct streams_walk w = {0};
	struct stream *s;
	uint32_t i;

	while ((s = streams_next(st, &w)) != NULL) {
		streams_judge_op(c, s, false);
		streams_judge_flaws(c, s);
	}
	streams_sweep(st, c->now_ns);
	for (i = 0; i < st->nclients; i++)
		streams_judge_failing(c, &st->clients[i], i, false);
	return 0;
}

/* A client died: nobody goes on with what it was doing. */
static int
on_child_exit(struct check *c, uint32_t source)
{
	struct streams_state *st = c->state;
	struct client *k;

	if (source >= st->nclients)
		return 0;
	k = &st->clients[source];
	if (k->current != NULL) {
		k->current->unheard += k->current->op == OP_FILL;
		k->current->op = OP_NONE;
	}
	k->current = NULL;
	k->is_listing = false;
	k->failing_ns = 0;
	return 0;
}

static int
streams_event(struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_STREAM_ADD:
		return streams_on_add(c, ev);
	case MESSAGE_STREAM_REMOVE:
		return streams_on_remove(c, ev);
	case MESSAGE_STREAM_LIST:
		return streams_on_list(c, ev);
	case MESSAGE_STREAM_LISTED:
		return streams_on_listed(c, ev);
	case MESSAGE_STREAM_LIST_END:
		return streams_on_list_end(c, ev);
	case MESSAGE_TICK:
		return on_tick(c);
	case MESSAGE_STREAM_CONTENT:
		streams_on_content(c, &ev->u.stream_content);
		return 0;
	case MESSAGE_CHILD_EXIT:
		return on_child_exit(c, ev->u.child_exit.child);
	default:
		streams_on_op(c, ev);
		return 0;
	}
}

/* An attempt that was not answered may take effect at any later time. */
static bool
is_open(const struct check *c, uint64_t id)
{
	const struct stream *s = streams_find(c->state, id);

	return s != NULL && (s->adds_open > 0 || s->removes_open > 0);
}

static bool
streams_needs(const struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_STREAM_ADD:
		return is_open(c, ev->u.stream_add.id);
	case MESSAGE_STREAM_REMOVE:
		return is_open(c, ev->u.stream_remove.id);
	case MESSAGE_STREAM_OP_FAILED:
		return is_open(c, ev->u.stream_op_failed.id);
	case MESSAGE_STREAM_OP_END:
		return is_open(c, ev->u.stream_op_end.id);
	default:
		return false;
	}
}

static int
streams_init(struct check *c)
{
	struct streams_state *st = c->state;

	hashmap_init(&st->lists, sizeof(struct stream_list), NAMES_MAX);
	hashmap_init(&st->ids, sizeof(struct stream_id), NAMES_MAX);
	return 0;
}

static void
streams_fini(struct check *c)
{
	streams_free(c->state);
}

static const enum message_type types[] = {MESSAGE_STREAM_ADD,
    MESSAGE_STREAM_ADD_OK, MESSAGE_STREAM_REMOVE, MESSAGE_STREAM_REMOVE_OK,
    MESSAGE_STREAM_OP_FAILED, MESSAGE_STREAM_FILLED, MESSAGE_STREAM_LIST,
    MESSAGE_STREAM_LISTED, MESSAGE_STREAM_LIST_END, MESSAGE_STREAM_COUNTED,
    MESSAGE_STREAM_OP_END, MESSAGE_TICK, MESSAGE_CHILD_EXIT,
    MESSAGE_STREAM_CONTENT, 0};

static const enum message_type judges[] = {
    MESSAGE_STREAM_ADD, MESSAGE_STREAM_REMOVE, MESSAGE_STREAM_LIST, 0};

const struct check_ops check_streams = {
    .name = "streams",
    .summary = "listings show the streams that exist, whole, and no others",
    .rule = "guarantees 12",
    .types = types,
    .unit = "attempts",
    .judges = judges,
    .state_size = sizeof(struct streams_state),
    .init = streams_init,
    .event = streams_event,
    .needs = streams_needs,
    .finish = streams_finish,
    .fini = streams_fini,
};
