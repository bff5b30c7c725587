/* SPDX-License-Identifier: ISC */
/* What a read or the audit shows must have been written; see kv.h. */
#include <errno.h>

#include "orchestrator/check/kv/kv.h"

static void
raise_corrupt(struct check *c, const struct kv_shown *s, uint64_t sum)
{
	struct anomaly a =
	    kv_anomaly(c, ANOMALY_CORRUPT, s->intact ? s->id : 0, s->revision);

	a.class = CLASS_VIOLATION;
	a.rule = "guarantees 2";
	if (!s->intact)
		check_raise(c, &a,
		    "the value at revision %llu of key %u does not pass its "
		    "checksum",
		    (unsigned long long)s->revision, s->key);
	else
		check_raise(c, &a,
		    "update %s was read at revision %llu of key %u with "
		    "checksum %016llx but sent with %016llx",
		    kv_id_text(s->id).s, (unsigned long long)s->revision,
		    s->key, (unsigned long long)s->sum,
		    (unsigned long long)sum);
}

/* A value that nobody wrote, or that nobody wrote there. */
static void
raise_phantom(struct check *c, const struct kv_shown *s, const char *why)
{
	struct anomaly a = kv_anomaly(c, ANOMALY_PHANTOM, s->id, s->revision);

	a.rule = "guarantees 11";
	check_raise(c, &a, "key %u shows update %s at revision %llu: %s",
	    s->key, kv_id_text(s->id).s, (unsigned long long)s->revision, why);
}

static bool
was_invoked(const struct kv_state *st, uint64_t id)
{
	uint32_t source = message_id_source(id);

	return source < st->ninvoked && message_id_counter(id) != 0 &&
	       message_id_counter(id) <= st->invoked[source];
}

/*
 * Why the value can't be there, or NULL. *u becomes its open or unknown
 * update, NULL when its link is known already or no longer kept.
 */
static const char *
why_impossible(const struct check *c, const struct kv_key *k,
    const struct kv_shown *s, struct kv_update **u)
{
	const struct kv_state *st = c->state;
	const struct kv_link *known = kv_link_find(k, s->revision);

	*u = NULL;
	if (s->run != c->ledger->run || !was_invoked(st, s->id))
		return "this run never sent such an update";
	if (s->revision > st->attempts)
		return "fewer updates than that were ever sent";
	if (known != NULL)
		return known->id == s->id
			   ? NULL
			   : "another update was stored at that revision";
	if (s->revision <= k->forgotten)
		return NULL;
	*u = kv_update_find(st, s->id);
	if (*u == NULL)
		return kv_refused_dropped(st, s->id)
			   ? NULL
			   : "that update reached no server, or was stored at "
			     "another revision";
	if ((*u)->key != s->key)
		return "that update was sent for another key";
	if ((*u)->revision != 0 && (*u)->revision != s->revision)
		return "that update was stored at another revision";
	return NULL;
}

int
kv_judge_shown(struct check *c, const struct kv_shown *s)
{
	struct kv_state *st = c->state;
	struct kv_key *k = kv_key_at(st, s->key);
	const struct kv_link *known;
	struct kv_link l = {s->revision, 0, s->id, s->sum, false};
	struct kv_update *u;
	const char *why;
	int err;

	if (k == NULL)
		return -ENOMEM;
	if (!s->found)
		return 0;
	if (!s->intact) {
		raise_corrupt(c, s, 0);
		return 0;
	}
	why = why_impossible(c, k, s, &u);
	if (why != NULL)
		raise_phantom(c, s, why);
	known = kv_link_find(k, s->revision);
	if (why == NULL && known != NULL && known->sum != s->sum)
		raise_corrupt(c, s, known->sum);
	if (why != NULL || u == NULL)
		return 0;
	if (u->sum != s->sum)
		raise_corrupt(c, s, u->sum);
	l.expected = u->expected;
	l.sum = u->sum;
	u->revision = s->revision;
	kv_judge_refused(c, u);
	err = kv_link_enter(c, s->key, &l);
	kv_update_settle(st, u);
	return err;
}
