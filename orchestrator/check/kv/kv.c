/* SPDX-License-Identifier: ISC */
/*
 * kv: the keys of a bucket under compare-and-set, over all clients.
 *
 * Rule (guarantees 10 and 11): a revision is a stream sequence, and an
 * update is stored only when the revision it expects is the key's last one.
 * So each stored revision of a key is a link (expected -> revision), and the
 * links of a key are one chain. A link is known from an ack, or from a read
 * that shows the update, whose expectation stands in the history since
 * before it was sent. No link may begin at or lie across a known revision
 * within another link: that is two updates on one expected revision, or an
 * update that overlooked one. On the one host clock an update's revision is
 * also above each that was acknowledged, for any key, before it was first
 * sent. What a read or the audit shows must be a link of an update that was
 * sent for that key.
 *
 * Why no legal behaviour trips it: a refused update makes no claim, with or
 * without a reason, and neither does one whose outcome is unknown; either
 * may turn up at any later time and only then becomes a link. One that was
 * refused by a leader's view and turns up is misanswered (guarantees 0). An
 * old value convicts only the one known leader that was in office all the
 * time, or a single replica: direct gets may be old (documented), and a
 * leader that was just deposed may answer (warning). Each refusal of a key's
 * updates convicts as op_timeout only when nothing else can have come between
 * the revision that the leader shows and the update that expects it. A
 * committed value is lost only when the leader said so for longer than
 * kv-cas.confirm without fault or leader change, or when after heal the audit
 * saw it neither by the leader nor by a consumer. Memory storage may forget
 * when servers restart: documented. A client of ours that stood still was not
 * refused by anybody meanwhile.
 *
 * Memory: the latest LINKS_MAX links of each key, the latest updates that
 * were refused, and every update that is open or unknown. Evidence about older
 * revisions is not judged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/kv/kv.h"

#define UPDATES_MAX (1u << 24)

static void
on_tick(struct check *c)
{
	struct kv_state *st = c->state;
	struct kv_update *u;
	uint32_t source, key;
	size_t i = 0;

	while ((u = hashmap_next(&st->updates, &i)) != NULL)
		kv_judge_time(c, u, false);
	for (key = 0; key < st->nkeys; key++)
		kv_judge_streak(c, key);
	for (source = 0; source < st->nclients; source++) {
		kv_judge_reading(c, &st->clients[source], source);
		kv_judge_starved(c, &st->clients[source], source);
	}
}

/* What a process had open when it ended stays unknown for ever. */
static void
on_child_exit(struct kv_state *st, uint32_t source)
{
	struct kv_update *u;
	size_t i = 0;

	if (source < st->nclients)
		memset(&st->clients[source], 0, sizeof(st->clients[source]));
	while ((u = hashmap_next(&st->updates, &i)) != NULL) {
		if (message_id_source(u->id) != source || u->is_ended)
			continue;
		kv_answered(st, u);
		u->is_unknown = u->is_ended = true;
	}
}

static int
on_rare(struct check *c, const struct event *ev)
{
	struct kv_state *st = c->state;

	switch ((unsigned)ev->type) {
	case MESSAGE_KV_FINAL:
		return kv_on_final(c, &ev->u.kv_final);
	case MESSAGE_SCAN_BEGIN:
		kv_on_scan_begin(c, &ev->u.scan_begin);
		break;
	case MESSAGE_SCAN_END:
		kv_on_scan_end(c, &ev->u.scan_end);
		break;
	case MESSAGE_CHILD_EXIT:
		on_child_exit(st, ev->u.child_exit.child);
		break;
	case MESSAGE_TICK:
		on_tick(c);
		break;
	default:
		break;
	}
	return 0;
}

static int
kv_event(struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_KV_READ:
		return kv_on_read(c, ev);
	case MESSAGE_KV_VALUE:
		return kv_on_value(c, ev);
	case MESSAGE_KV_UPDATE:
		return kv_on_update(c, ev);
	case MESSAGE_KV_UPDATE_OK:
		return kv_on_ok(c, ev);
	case MESSAGE_KV_UPDATE_REJECTED:
		return kv_on_rejected(c, ev);
	case MESSAGE_KV_UPDATE_UNKNOWN:
	case MESSAGE_KV_UPDATE_END:
		return kv_on_outcome(c, ev);
	default:
		return on_rare(c, ev);
	}
}

/* An update that is open or unknown may turn up at any later time. */
static bool
kv_needs(const struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_KV_UPDATE:
		return kv_update_find(c->state, ev->u.kv_update.id) != NULL;
	case MESSAGE_KV_UPDATE_UNKNOWN:
		return kv_update_find(c->state, ev->u.kv_update_unknown.id) !=
		       NULL;
	case MESSAGE_KV_UPDATE_END:
		return kv_update_find(c->state, ev->u.kv_update_end.id) != NULL;
	default:
		return false;
	}
}

static int
kv_init(struct check *c)
{
	struct kv_state *st = c->state;

	hashmap_init(&st->updates, sizeof(struct kv_update), UPDATES_MAX);
	return 0;
}

static void
kv_fini(struct check *c)
{
	struct kv_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->nkeys; i++) {
		free(st->keys[i].links);
		free(st->keys[i].held);
	}
	free(st->keys);
	free(st->places);
	free(st->refused);
	free(st->dropped);
	free(st->clients);
	free(st->invoked);
	hashmap_fini(&st->updates);
}

static const enum message_type types[] = {MESSAGE_KV_READ, MESSAGE_KV_VALUE,
    MESSAGE_KV_UPDATE, MESSAGE_KV_UPDATE_OK, MESSAGE_KV_UPDATE_REJECTED,
    MESSAGE_KV_UPDATE_UNKNOWN, MESSAGE_KV_UPDATE_END, MESSAGE_KV_FINAL,
    MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_END, MESSAGE_CHILD_EXIT, MESSAGE_TICK, 0};

static const enum message_type judges[] = {
    MESSAGE_KV_READ, MESSAGE_KV_UPDATE, MESSAGE_KV_FINAL, 0};

const struct check_ops check_kv = {
    .name = "kv",
    .summary = "the revisions of a key are one chain of compare-and-set",
    .rule = "guarantees 10",
    .types = types,
    .unit = "reads and updates",
    .judges = judges,
    .state_size = sizeof(struct kv_state),
    .init = kv_init,
    .event = kv_event,
    .needs = kv_needs,
    .fini = kv_fini,
};
