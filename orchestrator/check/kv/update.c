/* SPDX-License-Identifier: ISC */
/* Updates that are open or unknown, and their outcomes; see kv.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/kv/kv.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define STARVED_NS (120 * CLOCK_S)

struct kv_update *
kv_update_find(const struct kv_state *st, uint64_t id)
{
	return hashmap_find(&st->updates, id);
}

void
kv_update_settle(struct kv_state *st, struct kv_update *u)
{
	if (u->is_ended &&
	    (u->revision != 0 || (!u->is_unknown && u->refused_ns == 0)))
		hashmap_remove(&st->updates, u);
}

static int
note_invoked(struct kv_state *st, uint64_t id)
{
	uint64_t *counter = array_at(&st->invoked, &st->ninvoked,
	    message_id_source(id), sizeof(*st->invoked), CHECK_SLOTS_MAX);

	if (counter == NULL)
		return -ENOMEM;
	if (message_id_counter(id) > *counter)
		*counter = message_id_counter(id);
	return 0;
}

void
kv_answered(struct kv_state *st, struct kv_update *u)
{
	struct kv_key *k = kv_key_at(st, u->key);

	if (u->is_in_flight && k != NULL && k->in_flight > 0)
		k->in_flight--;
	u->is_in_flight = false;
}

/* An attempt is sent; two at once are in each other's way. */
static void
on_attempt(struct kv_state *st, struct kv_update *u, uint64_t now_ns)
{
	struct kv_key *k = kv_key_at(st, u->key);

	kv_answered(st, u); /* the one before was answered, if all is told */
	u->attempts++;
	u->asked_ns = now_ns;
	u->is_in_flight = true;
	if (k != NULL && ++k->in_flight > 1)
		k->crowded_ns = now_ns;
}

int
kv_on_update(struct check *c, const struct event *ev)
{
	const struct msg_kv_update *m = &ev->u.kv_update;
	struct kv_state *st = c->state;
	struct kv_update *u = kv_update_find(st, m->id);

	st->attempts++;
	st->stream = m->stream;
	if (u != NULL) {
		on_attempt(st, u, ev->time_ns);
		return 0;
	}
	if (note_invoked(st, m->id) < 0 || kv_key_at(st, m->key) == NULL)
		return -ENOMEM;
	u = hashmap_add(&st->updates, m->id);
	if (u == NULL)
		return -ENOMEM;
	u->key = m->key;
	u->expected = m->expected;
	u->sum = m->sum;
	u->floor = st->max_acked;
	u->invoked_ns = ev->time_ns;
	on_attempt(st, u, ev->time_ns);
	return 0;
}

void
kv_judge_time(struct check *c, struct kv_update *u, bool is_over)
{
	struct anomaly a = kv_anomaly(c, ANOMALY_OP_TIMEOUT, u->id, 0);
	struct check_time t = {
	    u->invoked_ns, c->config->op_timeout_ns, is_over};

	if (u->told || u->is_ended || u->revision != 0 || !check_is_late(c, &t))
		return;
	u->told = true;
	a.class = CLASS_VIOLATION;
	a.rule = "guarantees 15";
	check_raise_late(c, &a, &t,
	    "update %s of key %u was tried %u times without success",
	    kv_id_text(u->id).s, u->key, u->attempts);
}

/* An update that was first sent after an ack must come after what was acked. */
static void
judge_floor(struct check *c, const struct kv_update *u,
    const struct msg_kv_update_ok *m)
{
	struct anomaly a =
	    kv_anomaly(c, ANOMALY_CAS_VIOLATED, u->id, m->revision);

	/* A duplicate's ack names the first copy: nothing was stored now. */
	if (m->duplicate || m->revision > u->floor)
		return;
	a.rule = "guarantees 2";
	a.seqs[1] = u->floor;
	check_raise(c, &a,
	    "update %s of key %u was stored at revision %llu, although "
	    "revision %llu of the bucket had been acknowledged before it was "
	    "first sent",
	    kv_id_text(u->id).s, m->key, (unsigned long long)m->revision,
	    (unsigned long long)u->floor);
}

/*
 * Memory storage that went back behind what it had acknowledged: that is
 * told once, and what follows begins anew.
 */
static bool
is_forgotten(struct check *c, const struct kv_update *u,
    const struct msg_kv_update_ok *m)
{
	struct kv_state *st = c->state;
	struct anomaly a =
	    kv_anomaly(c, ANOMALY_LOST_UPDATE, u->id, m->revision);
	uint32_t i;

	if (m->duplicate || m->revision > u->floor ||
	    a.class != CLASS_DOCUMENTED)
		return false;
	check_raise(c, &a,
	    "the bucket, in memory, went back from revision %llu to %llu",
	    (unsigned long long)u->floor, (unsigned long long)m->revision);
	for (i = 0; i < st->nkeys; i++) {
		free(st->keys[i].links);
		free(st->keys[i].held);
		memset(&st->keys[i], 0, sizeof(st->keys[i]));
	}
	free(st->places);
	st->places = NULL;
	st->max_acked = 0;
	return true;
}

int
kv_on_ok(struct check *c, const struct event *ev)
{
	const struct msg_kv_update_ok *m = &ev->u.kv_update_ok;
	struct kv_state *st = c->state;
	struct kv_update *u = kv_update_find(st, m->id);
	struct kv_client *cl = kv_client_at(st, ev->source);
	struct anomaly a;
	struct kv_link l;
	struct kv_key *k;
	int err;

	if (cl == NULL)
		return -ENOMEM;
	cl->starved_ns = 0;
	if (u == NULL)
		return 0; /* an event is missing: that alone spoils the run */
	kv_judge_time(c, u, true);
	kv_answered(st, u);
	if (!is_forgotten(c, u, m))
		judge_floor(c, u, m);
	if (u->revision != 0 && u->revision != m->revision) {
		a = kv_anomaly(c, ANOMALY_CAS_VIOLATED, m->id, m->revision);
		a.seqs[1] = u->revision;
		check_raise(c, &a,
		    "update %s of key %u was acknowledged at revision %llu "
		    "but read at %llu",
		    kv_id_text(m->id).s, m->key,
		    (unsigned long long)m->revision,
		    (unsigned long long)u->revision);
	}
	l = (struct kv_link){m->revision, u->expected, m->id, u->sum, true};
	err = kv_link_enter(c, u->key, &l);
	k = kv_key_at(st, u->key);
	if (err == 0 && m->revision > k->acked) {
		k->acked = m->revision;
		k->acked_id = m->id;
	}
	memset(&k->streak, 0, sizeof(k->streak));
	if (m->revision > st->max_acked)
		st->max_acked = m->revision;
	hashmap_remove(&st->updates, u);
	return err;
}

void
kv_judge_starved(struct check *c, struct kv_client *cl, uint32_t source)
{
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT, .class = CLASS_WARNING};
	const struct kv_state *st = c->state;
	uint64_t waited;

	if (cl->starved_ns == 0 || cl->told_starved)
		return;
	waited = c->now_ns - cl->starved_ns;
	if (waited < STARVED_NS ||
	    !faults_quiet_for(c->faults, c->now_ns, waited))
		return;
	cl->told_starved = true;
	a.stream = st->stream;
	check_raise(c, &a,
	    "each update of client %u was refused for %.0f s without a fault",
	    source, (double)waited / 1e9);
}

int
kv_on_outcome(struct check *c, const struct event *ev)
{
	struct kv_state *st = c->state;
	struct kv_update *u;
	int err = 0;

	if (ev->type == MESSAGE_KV_UPDATE_UNKNOWN) {
		u = kv_update_find(st, ev->u.kv_update_unknown.id);
		if (u == NULL)
			return 0;
		u->is_unknown = true;
		kv_answered(st, u);
		return 0;
	}
	u = kv_update_find(st, ev->u.kv_update_end.id);
	if (u == NULL)
		return 0;
	kv_judge_time(c, u, true);
	u->is_ended = true;
	if (ev->u.kv_update_end.outcome == ENDED_UNKNOWN)
		u->is_unknown = true;
	if (u->refused_ns != 0 && !u->is_unknown && u->revision == 0)
		err = kv_refused_keep(st, u);
	kv_update_settle(st, u);
	return err;
}
