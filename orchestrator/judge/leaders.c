/* SPDX-License-Identifier: ISC */
/* Who led what, and when; see leaders.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/leaders.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

struct change {
	uint64_t ns;
	char leader[32];     /* from then on */
	uint64_t seen_ns[2]; /* told again: the last time, the one before */
};

/* A group's name as LEADER events have it: they cut what is longer. */
struct key {
	uint8_t what;
	uint64_t hash;
	char name[64];
};

struct leaders_row {
	struct key key;
	/* The latest changes, a ring; change number i stands at i % CHANGES. */
	struct change changes[LEADERS_CHANGES];
	uint64_t nchanges;
	uint64_t first_ns; /* of the very first */
	uint64_t told_ns;  /* the last time */
};

void
leaders_init(struct leaders *l)
{
	memset(l, 0, sizeof(*l));
}

void
leaders_fini(struct leaders *l)
{
	free(l->rows);
	leaders_init(l);
}

static struct key
key_of(uint8_t what, const char *name)
{
	struct key k = {.what = what};

	/* The one meta group has no name, whatever monitoring calls it. */
	text_set(k.name, sizeof(k.name), what == LEADERS_META ? "" : name);
	k.hash = text_hash(TEXT_HASH ^ what, k.name);
	return k;
}

static struct leaders_row *
row_of(const struct leaders *l, const struct key *k)
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		if (l->rows[i].key.hash == k->hash &&
		    l->rows[i].key.what == k->what &&
		    strcmp(l->rows[i].key.name, k->name) == 0)
			return &l->rows[i];
	return NULL;
}

static struct leaders_row *
row_oldest(const struct leaders *l)
{
	struct leaders_row *oldest = &l->rows[0];
	uint32_t i;

	for (i = 1; i < l->n; i++)
		if (l->rows[i].told_ns < oldest->told_ns)
			oldest = &l->rows[i];
	return oldest;
}

static struct leaders_row *
row_add(struct leaders *l, const struct key *k)
{
	struct leaders_row *r;

	if (l->n == LEADERS_MAX)
		r = row_oldest(l);
	else if (array_reserve(&l->rows, &l->room, l->n + 1, sizeof(*l->rows),
		     LEADERS_MAX) == 0)
		r = &l->rows[l->n++];
	else {
		l->no_memory = true;
		return NULL;
	}
	memset(r, 0, sizeof(*r));
	r->key = *k;
	return r;
}

static struct change *
change_number(struct leaders_row *r, uint64_t i)
{
	return &r->changes[i % LEADERS_CHANGES];
}

/* The change in force at a moment; NULL when it is not known. */
static const struct change *
change_at(const struct leaders_row *r, uint64_t ns)
{
	const struct change *c;
	uint64_t i;

	for (i = 1; i <= r->nchanges && i <= LEADERS_CHANGES; i++) {
		c = &r->changes[(r->nchanges - i) % LEADERS_CHANGES];
		if (c->ns <= ns)
			return c;
	}
	return NULL;
}

void
leaders_event(struct leaders *l, const struct event *ev)
{
	const struct msg_leader *m = &ev->u.leader;
	struct leaders_row *r;
	struct change *c;
	struct key k;

	if (ev->type != MESSAGE_LEADER)
		return;
	k = key_of(m->what, m->name);
	r = row_of(l, &k);
	if (r == NULL)
		r = row_add(l, &k);
	if (r == NULL)
		return;
	r->told_ns = ev->time_ns;
	if (r->nchanges > 0) {
		c = change_number(r, r->nchanges - 1);
		if (strcmp(c->leader, m->leader) == 0) {
			c->seen_ns[1] = c->seen_ns[0];
			c->seen_ns[0] = ev->time_ns;
			return;
		}
	}
	if (r->nchanges == 0)
		r->first_ns = ev->time_ns;
	c = change_number(r, r->nchanges++);
	memset(c, 0, sizeof(*c));
	c->ns = ev->time_ns;
	text_set(c->leader, sizeof(c->leader), m->leader);
}

enum steadiness
leaders_steady(const struct leaders *l, enum leaders_group what,
    const char *name, uint64_t from_ns, uint64_t to_ns)
{
	const struct key k = key_of((uint8_t)what, name);
	const struct leaders_row *r = row_of(l, &k);
	const struct change *c = r != NULL ? change_at(r, from_ns) : NULL;

	if (c == NULL || c->leader[0] == '\0' || change_at(r, to_ns) != c)
		return STEADY_NO;
	if (c->seen_ns[1] > to_ns)
		return STEADY_YES;
	/* Another one came before this one was seen again. */
	return change_at(r, UINT64_MAX) == c ? STEADY_SO_FAR : STEADY_NO;
}

uint64_t
leaders_first(
    const struct leaders *l, enum leaders_group what, const char *name)
{
	const struct key k = key_of((uint8_t)what, name);
	const struct leaders_row *r = row_of(l, &k);

	return r != NULL ? r->first_ns : UINT64_MAX;
}

const char *
leaders_now(const struct leaders *l, enum leaders_group what, const char *name)
{
	return leaders_at(l, what, name, UINT64_MAX);
}

const char *
leaders_at(const struct leaders *l, enum leaders_group what, const char *name,
    uint64_t ns)
{
	const struct key k = key_of((uint8_t)what, name);
	const struct leaders_row *r = row_of(l, &k);
	const struct change *c = r != NULL ? change_at(r, ns) : NULL;

	return c != NULL ? c->leader : "";
}
