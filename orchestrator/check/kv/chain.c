/* SPDX-License-Identifier: ISC */
/* The links of a key are one chain; see kv.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/kv/kv.h"
#include "proto/base/array.h"

#define LINKS_MAX  4096
#define PLACES_MAX 65536

/* Index of the first link at or above revision. */
static uint32_t
link_index(const struct kv_key *k, uint64_t revision)
{
	if (k->n > 0 && k->links[k->n - 1].revision < revision)
		return k->n; /* nearly always it is a new one */
	return array_lower(k->links, k->n, sizeof(*k->links), revision);
}

static struct kv_link *
link_find(const struct kv_key *k, uint64_t revision)
{
	uint32_t i = link_index(k, revision);

	if (i < k->n && k->links[i].revision == revision)
		return &k->links[i];
	return NULL;
}

const struct kv_link *
kv_link_find(const struct kv_key *k, uint64_t revision)
{
	return link_find(k, revision);
}

static int
link_insert(struct kv_key *k, const struct kv_link *l)
{
	uint32_t i;

	if (k->n == LINKS_MAX) {
		i = LINKS_MAX / 4;
		k->forgotten = k->links[i - 1].revision;
		k->n -= i;
		memmove(k->links, k->links + i, k->n * sizeof(*k->links));
	}
	if (array_reserve(
		&k->links, &k->room, k->n + 1, sizeof(*l), LINKS_MAX) < 0)
		return -ENOMEM;
	i = link_index(k, l->revision);
	memmove(k->links + i + 1, k->links + i, (k->n - i) * sizeof(*k->links));
	k->links[i] = *l;
	k->n++;
	return 0;
}

/* The other link that can't stand beside l in one chain, if there is one. */
static const struct kv_link *
link_conflict(const struct kv_key *k, const struct kv_link *l)
{
	uint32_t i = link_index(k, l->revision);

	if (i > 0 && k->links[i - 1].revision > l->expected)
		return &k->links[i - 1];
	if (i < k->n && k->links[i].expected < l->revision)
		return &k->links[i];
	return NULL;
}

static void
raise_chain(struct check *c, uint32_t key, const struct kv_link *l,
    const struct kv_link *other)
{
	struct anomaly a =
	    kv_anomaly(c, ANOMALY_CAS_VIOLATED, l->id, l->revision);
	const struct kv_link *low = l, *high = other;

	if (l->revision <= l->expected) {
		check_raise(c, &a,
		    "update %s of key %u expected revision %llu and was "
		    "stored at %llu",
		    kv_id_text(l->id).s, key, (unsigned long long)l->expected,
		    (unsigned long long)l->revision);
		return;
	}
	a.ids[1] = other->id;
	a.seqs[1] = other->revision;
	if (l->expected == other->expected) {
		check_raise(c, &a,
		    "two updates of key %u were accepted on one expected "
		    "revision, %llu: %s at %llu and %s at %llu",
		    key, (unsigned long long)l->expected,
		    kv_id_text(other->id).s,
		    (unsigned long long)other->revision, kv_id_text(l->id).s,
		    (unsigned long long)l->revision);
		return;
	}
	if (low->revision > high->revision) {
		low = other;
		high = l;
	}
	check_raise(c, &a,
	    "update %s of key %u expected revision %llu and was stored at "
	    "%llu although update %s stood in between, at %llu",
	    kv_id_text(high->id).s, key, (unsigned long long)high->expected,
	    (unsigned long long)high->revision, kv_id_text(low->id).s,
	    (unsigned long long)low->revision);
}

/* No revision of the bucket is given to two keys. 0 or -ENOMEM. */
static int
place_enter(struct check *c, uint32_t key, const struct kv_link *l)
{
	struct kv_state *st = c->state;
	struct anomaly a = kv_anomaly(c, ANOMALY_SEQ_REUSE, l->id, l->revision);
	struct kv_place *p;

	if (st->places == NULL)
		st->places = calloc(PLACES_MAX, sizeof(*st->places));
	if (st->places == NULL)
		return -ENOMEM;
	p = &st->places[l->revision % PLACES_MAX];
	if (p->revision == l->revision && p->key != key) {
		a.rule = "guarantees 2";
		a.ids[1] = p->id;
		check_raise(c, &a,
		    "revision %llu of the bucket was given to update %s of "
		    "key %u and to update %s of key %u",
		    (unsigned long long)l->revision, kv_id_text(p->id).s,
		    p->key, kv_id_text(l->id).s, key);
	}
	if (p->revision < l->revision)
		*p = (struct kv_place){l->revision, l->id, key};
	return 0;
}

int
kv_link_enter(struct check *c, uint32_t key, const struct kv_link *l)
{
	struct kv_state *st = c->state;
	struct kv_key *k = kv_key_at(st, key);
	const struct kv_link *conflict;
	struct kv_link *other;
	struct anomaly a;

	if (k == NULL || place_enter(c, key, l) < 0)
		return -ENOMEM;
	if (l->revision <= k->forgotten && l->revision > l->expected)
		return 0; /* late evidence of what is no longer kept */
	other = link_find(k, l->revision);
	if (other != NULL) {
		if (other->id == l->id) {
			other->is_acked |= l->is_acked;
			return 0;
		}
		a = kv_anomaly(c, ANOMALY_CAS_VIOLATED, l->id, l->revision);
		a.ids[1] = other->id;
		check_raise(c, &a,
		    "revision %llu of key %u was given to update %s and to "
		    "update %s",
		    (unsigned long long)l->revision, key,
		    kv_id_text(other->id).s, kv_id_text(l->id).s);
		return 0;
	}
	conflict = link_conflict(k, l);
	if (conflict != NULL || l->revision <= l->expected)
		raise_chain(c, key, l, conflict);
	/*
	 * It is entered although it may conflict: so the updates that expect
	 * it don't conflict as well, and one cause is told once.
	 */
	return link_insert(k, l);
}
