/* SPDX-License-Identifier: ISC */
/* Kinds of lines of servers' logs; see logs.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/logs.h"
#include "proto/base/text.h"

static struct logs_kind *
find_kind(struct logs *l, const struct msg_server_says *m)
{
	struct logs_kind *k;
	unsigned i;

	for (i = 0; i < l->n; i++) {
		k = &l->kinds[i];
		/* What was not told apart is one kind, of the gravest level. */
		if (strcmp(k->says, m->says) == 0 &&
		    (k->level == m->level || m->says[0] == '\0'))
			return k;
	}
	return l->n < LOGS_MAX ? &l->kinds[l->n++] : NULL;
}

void
logs_event(struct logs *l, const struct msg_server_says *m)
{
	struct logs_kind *k;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX || m->count == 0)
		return;
	k = find_kind(l, m);
	if (k == NULL)
		return;
	k->level = m->level > k->level ? m->level : k->level;
	text_set(k->says, sizeof(k->says), m->says);
	k->servers[m->node - 1] =
	    (struct logs_count){m->count, m->first_ns, m->last_ns};
}

struct logs_count
logs_total(const struct logs_kind *k)
{
	struct logs_count all = {0};
	const struct logs_count *s;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		s = &k->servers[i];
		if (s->count == 0)
			continue;
		if (all.count == 0 || s->first_ns < all.first_ns)
			all.first_ns = s->first_ns;
		if (s->last_ns > all.last_ns)
			all.last_ns = s->last_ns;
		all.count += s->count;
	}
	return all;
}

static int
compare(const void *a, const void *b)
{
	const struct logs_kind *x = *(const struct logs_kind *const *)a;
	const struct logs_kind *y = *(const struct logs_kind *const *)b;
	uint64_t nx = logs_total(x).count, ny = logs_total(y).count;

	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	if (nx != ny)
		return nx > ny ? -1 : 1;
	return strcmp(x->says, y->says);
}

unsigned
logs_order(const struct logs *l, const struct logs_kind **out, unsigned max)
{
	const struct logs_kind *all[LOGS_MAX];
	unsigned i;

	for (i = 0; i < l->n; i++)
		all[i] = &l->kinds[i];
	qsort(all, l->n, sizeof(all[0]), compare);
	for (i = 0; i < l->n && i < max; i++)
		out[i] = all[i];
	return i;
}
