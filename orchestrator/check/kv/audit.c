/* SPDX-License-Identifier: ISC */
/* What is there in the end; see kv.h. */
#include <errno.h>
#include <string.h>

#include "orchestrator/check/kv/kv.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

#define HELD_MAX 1024

/* What differs in a cluster that did not become whole again proves nothing. */
static enum anomaly_class
final_class(const struct check *c)
{
	return c->faults->is_unsettled ? CLASS_WARNING : kv_loss_class(c);
}

void
kv_on_scan_begin(struct check *c, const struct msg_scan_begin *m)
{
	struct kv_state *st = c->state;
	uint32_t i;

	st->begun = *m;
	for (i = 0; i < st->nkeys; i++) {
		memset(st->keys[i].finals, 0, sizeof(st->keys[i].finals));
		st->keys[i].nheld = 0;
	}
}

/*
 * Another creation time alone proves nothing: see lost.c. And one answer may
 * be of a replica that is behind, and that nobody leads: an audit that is
 * complete asked several times.
 */
static void
judge_anew(struct check *c, bool is_complete)
{
	const struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);
	const struct msg_scan_begin *m = &st->begun;
	struct anomaly a = kv_anomaly(c, ANOMALY_LOST_UPDATE, 0, 0);

	if (s == NULL || s->created == 0 || m->created == 0 ||
	    s->created == m->created || m->last >= st->max_acked)
		return;
	a.class = is_complete ? final_class(c) : CLASS_WARNING;
	check_raise(c, &a,
	    "the bucket %s was created anew by the server and ends at revision "
	    "%llu: revisions up to %llu had been acknowledged in the one made "
	    "by this run",
	    s->name, (unsigned long long)m->last,
	    (unsigned long long)st->max_acked);
}

/* Beyond HELD_MAX, far more than a bucket may keep, they are not looked at. */
static int
hold(struct kv_key *k, uint64_t revision)
{
	uint64_t *at;

	if (k->nheld == HELD_MAX)
		return 0;
	at = array_at(
	    &k->held, &k->held_room, k->nheld, sizeof(*k->held), HELD_MAX);
	if (at == NULL)
		return -ENOMEM;
	*at = revision;
	k->nheld++;
	return 0;
}

int
kv_on_final(struct check *c, const struct msg_kv_final *m)
{
	struct kv_shown s = {m->key, m->path, m->found, m->intact, m->revision,
	    m->id, m->run, m->sum};
	struct kv_key *k = kv_key_at(c->state, m->key);
	struct kv_final *f;

	if (k == NULL)
		return -ENOMEM;
	if (m->path >= PATHS)
		return 0;
	f = &k->finals[m->path];
	if (!f->seen || m->revision < f->oldest)
		f->oldest = m->revision;
	if (!f->seen || m->revision > f->newest)
		f->newest = m->revision;
	f->seen = true;
	if (m->path == KV_PATH_CONSUMER && m->found && hold(k, m->revision) < 0)
		return -ENOMEM;
	return kv_judge_shown(c, &s);
}

static void
raise_lost(struct check *c, uint32_t key, uint64_t leader, uint64_t consumer)
{
	const struct kv_state *st = c->state;
	const struct kv_key *k = &st->keys[key];
	bool was_acked = k->acked > leader && k->acked > consumer;
	struct anomaly a = kv_anomaly(c, ANOMALY_LOST_UPDATE,
	    was_acked ? k->acked_id : k->read_id,
	    was_acked ? k->acked : k->read);

	/* That an update stays was promised only when it was acknowledged. */
	a.class = was_acked ? final_class(c) : CLASS_WARNING;
	a.seqs[1] = leader;
	check_raise(c, &a,
	    "update %s was %s at revision %llu of key %u and is gone after "
	    "all faults were healed: the leader shows revision %llu and a "
	    "consumer revision %llu",
	    kv_id_text(a.ids[0]).s, was_acked ? "acknowledged" : "read",
	    (unsigned long long)a.seqs[0], key, (unsigned long long)leader,
	    (unsigned long long)consumer);
}

static void
raise_divergence(struct check *c, uint32_t key)
{
	const struct kv_state *st = c->state;
	const struct kv_key *k = &st->keys[key];
	const struct kv_final *f = k->finals;
	struct anomaly a = kv_anomaly(
	    c, ANOMALY_DIVERGENCE, k->acked_id, f[KV_PATH_LEADER].newest);
	char direct[64] = "";

	a.class = final_class(c);
	a.rule = "guarantees 13";
	a.seqs[1] = f[KV_PATH_CONSUMER].newest;
	if (f[KV_PATH_DIRECT].seen)
		text_format(direct, sizeof(direct),
		    ", direct gets %llu to %llu",
		    (unsigned long long)f[KV_PATH_DIRECT].oldest,
		    (unsigned long long)f[KV_PATH_DIRECT].newest);
	check_raise(c, &a,
	    "a minute after all faults were healed the paths to key %u do not "
	    "agree: the leader shows revision %llu, a consumer %llu%s; "
	    "%llu was acknowledged",
	    key, (unsigned long long)f[KV_PATH_LEADER].newest,
	    (unsigned long long)f[KV_PATH_CONSUMER].newest, direct,
	    (unsigned long long)k->acked);
}

static bool
is_held(const struct kv_key *k, uint64_t revision)
{
	uint32_t i;

	for (i = 0; i < k->nheld; i++)
		if (k->held[i] == revision)
			return true;
	return false;
}

/*
 * The latest revisions of a key, as many as the bucket keeps. What is not
 * known to be stored can't push out what is: were it among the latest, the
 * audit would have shown it.
 */
static void
judge_history(struct check *c, uint32_t key)
{
	const struct kv_state *st = c->state;
	const struct kv_key *k = &st->keys[key];
	uint64_t history = kv_settings(c)->history;
	struct anomaly a = kv_anomaly(c, ANOMALY_LOST_UPDATE, 0, 0);
	const struct kv_link *l;
	uint32_t i, missing = 0;

	for (i = 0; i < k->n && i < history; i++) {
		l = &k->links[k->n - 1 - i];
		if (!l->is_acked || is_held(k, l->revision))
			continue;
		missing++;
		a.ids[0] = l->id; /* the oldest */
		a.seqs[0] = l->revision;
	}
	if (missing == 0)
		return;
	a.class = final_class(c);
	check_raise(c, &a,
	    "%u of the latest %llu revisions of key %u were acknowledged and "
	    "are gone after all faults were healed: update %s at revision "
	    "%llu is the oldest of them; a consumer shows %u",
	    missing, (unsigned long long)history, key, kv_id_text(a.ids[0]).s,
	    (unsigned long long)a.seqs[0], k->nheld);
}

static void
judge_final(struct check *c, uint32_t key)
{
	const struct kv_state *st = c->state;
	const struct kv_key *k = &st->keys[key];
	const struct kv_final *f = k->finals;
	uint64_t leader = f[KV_PATH_LEADER].newest, committed = k->acked;
	uint64_t consumer = f[KV_PATH_CONSUMER].newest;
	bool direct_agrees =
	    !f[KV_PATH_DIRECT].seen || (f[KV_PATH_DIRECT].oldest == leader &&
					   f[KV_PATH_DIRECT].newest == leader);

	if (!f[KV_PATH_LEADER].seen) {
		if (committed != 0)
			check_doubt(c, "the audit did not read key %u", key);
		return;
	}
	if (k->read > committed)
		committed = k->read;
	/* A key without a value has revision 0, also by the consumer. */
	if (committed > leader && committed > consumer)
		raise_lost(c, key, leader, consumer);
	else if (leader != consumer || !direct_agrees)
		raise_divergence(c, key);
	else if (f[KV_PATH_CONSUMER].seen)
		judge_history(c, key);
}

void
kv_on_scan_end(struct check *c, const struct msg_scan_end *m)
{
	const struct kv_state *st = c->state;
	uint32_t key;

	if (m->stream == st->stream)
		judge_anew(c, m->complete);
	if (!m->complete || m->stream != st->stream || st->attempts == 0)
		return; /* the judge says that the audit is not complete */
	for (key = 0; key < st->nkeys; key++)
		judge_final(c, key);
}
