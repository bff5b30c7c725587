/* SPDX-License-Identifier: ISC */
/* Messages that may have been acked unheard; see parked.h. */
#include <errno.h>
#include <roaring/roaring.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/parked.h"
#include "proto/base/array.h"
#include "proto/message.h"

#define SOURCES_MAX (1u << 20)

void
parked_init(struct parked *p)
{
	memset(p, 0, sizeof(*p));
}

void
parked_fini(struct parked *p)
{
	uint32_t i, k;

	for (i = 0; i < p->n; i++) {
		for (k = 0; k < p->sources[i].n; k++)
			roaring_bitmap_free(p->sources[i].sets[k].counters);
		free(p->sources[i].sets);
	}
	free(p->sources);
	parked_init(p);
}

static struct parked_set *
set_at(struct parked_source *s, uint64_t confirmed, uint32_t high)
{
	struct parked_set *set;
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (s->sets[i].confirmed == confirmed &&
		    s->sets[i].high == high)
			return &s->sets[i];
	set = array_at(&s->sets, &s->room, s->n, sizeof(*set), PARKED_SETS_MAX);
	if (set == NULL)
		return NULL;
	set->confirmed = confirmed;
	set->high = high;
	set->counters = roaring_bitmap_create();
	if (set->counters == NULL)
		return NULL;
	s->n++;
	return set;
}

static struct parked_set *
set_with(const struct parked *p, uint64_t id)
{
	uint64_t counter = message_id_counter(id);
	uint32_t i, source = message_id_source(id);
	struct parked_set *set;

	if (source >= p->n)
		return NULL;
	for (i = 0; i < p->sources[source].n; i++) {
		set = &p->sources[source].sets[i];
		if (set->high == counter >> 32 &&
		    roaring_bitmap_contains(set->counters, (uint32_t)counter))
			return set;
	}
	return NULL;
}

int
parked_put(struct parked *p, uint64_t id, uint64_t confirmed)
{
	struct parked_source *s = array_at(
	    &p->sources, &p->n, message_id_source(id), sizeof(*s), SOURCES_MAX);
	uint64_t counter = message_id_counter(id);
	struct parked_set *set;

	if (s == NULL)
		return -ENOMEM;
	if (s->n >= PARKED_SETS_MAX)
		return -ENOSPC;
	set = set_at(s, confirmed, (uint32_t)(counter >> 32));
	if (set == NULL)
		return -ENOMEM;
	roaring_bitmap_add(set->counters, (uint32_t)counter);
	return 0;
}

uint64_t
parked_count(const struct parked *p, uint64_t bit)
{
	const struct parked_set *set;
	uint64_t n = 0;
	uint32_t i, k;

	for (i = 0; i < p->n; i++)
		for (k = 0; k < p->sources[i].n; k++) {
			set = &p->sources[i].sets[k];
			if ((set->confirmed & bit) == 0)
				n += roaring_bitmap_get_cardinality(
				    set->counters);
		}
	return n;
}

bool
parked_find(const struct parked *p, uint64_t id, uint64_t *confirmed)
{
	const struct parked_set *set = set_with(p, id);

	if (set != NULL)
		*confirmed = set->confirmed;
	return set != NULL;
}

bool
parked_take(struct parked *p, uint64_t id, uint64_t *confirmed)
{
	struct parked_set *set = set_with(p, id);

	if (set == NULL)
		return false;
	*confirmed = set->confirmed;
	roaring_bitmap_remove(set->counters, (uint32_t)message_id_counter(id));
	return true;
}
