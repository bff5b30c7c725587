/* SPDX-License-Identifier: ISC */
/*
 * Refusals; see kv.h. A wrong last revision is a leader's view, so what was
 * refused may be stored all the same, by another leader.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/check/kv/kv.h"
#include "proto/base/array.h"
#include "proto/base/text.h"
#include "proto/refusal.h"

#define REFUSED_MAX 16384 /* of which each is looked at once a second */
#define STREAK_MIN  10	  /* refusals that are no chance */

static void
drop_oldest(struct kv_state *st, uint64_t id)
{
	struct kv_update *u = kv_update_find(st, id);
	uint64_t *counter;

	if (u == NULL || u->revision != 0)
		return;
	counter = array_at(&st->dropped, &st->ndropped, message_id_source(id),
	    sizeof(*st->dropped), CHECK_SLOTS_MAX);
	if (counter == NULL)
		return; /* it stays */
	if (message_id_counter(id) > *counter)
		*counter = message_id_counter(id);
	hashmap_remove(&st->updates, u);
}

int
kv_refused_keep(struct kv_state *st, const struct kv_update *u)
{
	uint64_t *slot, id = u->id;

	if (st->refused == NULL)
		st->refused = calloc(REFUSED_MAX, sizeof(*st->refused));
	if (st->refused == NULL)
		return -ENOMEM;
	slot = &st->refused[st->nrefused++ % REFUSED_MAX];
	if (*slot != 0)
		drop_oldest(st, *slot);
	*slot = id;
	return 0;
}

bool
kv_refused_dropped(const struct kv_state *st, uint64_t id)
{
	uint32_t source = message_id_source(id);

	return source < st->ndropped &&
	       message_id_counter(id) <= st->dropped[source];
}

void
kv_judge_refused(struct check *c, const struct kv_update *u)
{
	struct anomaly a = {
	    .kind = ANOMALY_MISANSWERED, .class = CLASS_DOCUMENTED};
	const struct kv_state *st = c->state;
	struct check_span span = kv_span(c, u->asked_ns, u->refused_ns);
	char error[40];

	/* An attempt that was not answered may have stored it. */
	if (u->refused_ns == 0 || u->is_unknown || u->revision == 0)
		return;
	if (c->config->strict_answers)
		a.class = CLASS_VIOLATION;
	a.rule = "guarantees 0";
	a.stream = st->stream;
	a.ids[0] = u->id;
	a.seqs[0] = u->revision;
	a.seqs[1] = u->expected;
	text_format(error, sizeof(error),
	    u->code != 0 ? "error %u" : "\"no responders\"", u->code);
	check_raise_steady(c, &a, &span,
	    "update %s of key %u, which expected revision %llu, was refused "
	    "with %s after %.3f s, and yet it is stored at revision "
	    "%llu, as was seen %.3f s after the refusal; attempts: %u",
	    kv_id_text(u->id).s, u->key, (unsigned long long)u->expected, error,
	    (double)(u->refused_ns - u->asked_ns) / 1e9,
	    (unsigned long long)u->revision,
	    (double)(c->now_ns - u->refused_ns) / 1e9, u->attempts);
}

/* Was it refused although nothing can have come between? */
static void
note_streak(struct kv_key *k, const struct kv_update *u)
{
	struct kv_streak *s = &k->streak;

	if (u->expected != k->acked || u->is_unknown || u->revision != 0 ||
	    k->crowded_ns >= u->asked_ns)
		return; /* it says nothing */
	if (s->tries++ == 0) {
		s->from_ns = u->asked_ns;
		s->long_ns = 0;
	}
	s->last_id = u->id;
}

/* May an update that nobody heard of still be what the key waits for? */
static bool
is_awaited(const struct kv_state *st, uint32_t key)
{
	const struct kv_key *k = &st->keys[key];
	const struct kv_update *u;
	size_t i = 0;

	while ((u = hashmap_next(&st->updates, &i)) != NULL)
		if (u->key == key && u->is_unknown && u->revision == 0 &&
		    u->expected >= k->acked)
			return true;
	return false;
}

void
kv_judge_streak(struct check *c, uint32_t key)
{
	const struct kv_state *st = c->state;
	struct kv_key *k = &st->keys[key];
	struct kv_streak *s = &k->streak;
	struct check_time t = {s->from_ns, c->config->op_timeout_ns, false};
	struct check_span span = kv_span(c, s->from_ns, s->long_ns);
	enum steadiness steady;
	struct anomaly a;
	bool proven;

	if (s->told || s->tries < STREAK_MIN || !s->is_shown ||
	    !check_is_late(c, &t))
		return;
	if (s->long_ns == 0)
		span.to_ns = s->long_ns = c->now_ns;
	steady = check_steady(
	    c, span.what, span.name, span.replicas, span.from_ns, span.to_ns);
	if (steady == STEADY_SO_FAR)
		return;
	s->told = true;
	proven = steady == STEADY_YES && !is_awaited(st, key);
	a = kv_anomaly(c, ANOMALY_OP_TIMEOUT, s->last_id, k->acked);
	a.class = proven ? CLASS_VIOLATION : CLASS_WARNING;
	a.rule = "guarantees 15";
	check_raise_late(c, &a, &t,
	    "key %u can't be updated: %u updates that expected its "
	    "acknowledged revision %llu were refused one after the other, up "
	    "to %s, although the leader shows that revision and no other "
	    "update was in flight%s; none was accepted",
	    key, s->tries, (unsigned long long)k->acked,
	    kv_id_text(s->last_id).s,
	    proven ? ""
		   : " (a fault was in force, the leader changed or is not "
		     "known, or an earlier update has no outcome)");
}

int
kv_on_rejected(struct check *c, const struct event *ev)
{
	const struct msg_kv_update_rejected *m = &ev->u.kv_update_rejected;
	struct kv_state *st = c->state;
	struct kv_update *u = kv_update_find(st, m->id);
	struct kv_client *cl = kv_client_at(st, ev->source);
	struct kv_key *k = kv_key_at(st, m->key);

	if (cl == NULL || k == NULL)
		return -ENOMEM;
	if (u != NULL)
		kv_answered(st, u);
	/*
	 * "No responders" is what the client library makes of a 503 without a
	 * code, too: a leader of 2.10 says so that can't compare now.
	 */
	if (u != NULL && (m->code == 0 || refusal_is_wrong_last(m->code))) {
		u->code = m->code;
		u->refused_ns = ev->time_ns;
	}
	if (!refusal_is_wrong_last(m->code))
		return 0; /* no server has compared the revisions */
	if (cl->starved_ns == 0) {
		cl->starved_ns = ev->time_ns;
		cl->told_starved = false;
	}
	if (u == NULL)
		return 0;
	note_streak(k, u);
	kv_judge_refused(c, u);
	return 0;
}
