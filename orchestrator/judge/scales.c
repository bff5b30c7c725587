/* SPDX-License-Identifier: ISC */
/* Streams whose number of replicas changes; see scales.h. */
#include <string.h>

#include "orchestrator/judge/scales.h"

/* The end of a span in which a request was never answered. */
#define NEVER (UINT64_MAX - 1)

/* Was it in force at that moment or later? */
static bool
lasts_until(const struct scale_span *a, uint64_t ns)
{
	return a->to_ns >= ns || a->to_ns == NEVER;
}

/* The open span, or a new one. */
static struct scale_span *
span_open(struct scales *s, uint64_t now_ns, uint32_t base)
{
	struct scale_span *a = s->at;

	if (s->n > 0 && a[s->n - 1].to_ns == UINT64_MAX)
		return &a[s->n - 1];
	if (s->n == SCALES_MAX) {
		a[1].from_ns = a[0].from_ns;
		if (a[0].fewest < a[1].fewest)
			a[1].fewest = a[0].fewest;
		if (a[0].most > a[1].most)
			a[1].most = a[0].most;
		if (a[0].to_ns == NEVER)
			a[1].to_ns = NEVER;
		memmove(a, a + 1, (SCALES_MAX - 1) * sizeof(*a));
		s->n--;
	}
	a[s->n] = (struct scale_span){now_ns, UINT64_MAX, base, base};
	return &a[s->n++];
}

void
scales_ask(struct scales *s, uint64_t now_ns, uint32_t base, uint32_t replicas)
{
	struct scale_span *a;

	/* Something else of it is changed. */
	if (replicas == base &&
	    (s->n == 0 || s->at[s->n - 1].to_ns != UINT64_MAX))
		return;
	a = span_open(s, now_ns, base);
	if (replicas < a->fewest)
		a->fewest = replicas;
	if (replicas > a->most)
		a->most = replicas;
}

void
scales_restore(struct scales *s, uint64_t now_ns, bool unsure)
{
	if (s->n > 0 && s->at[s->n - 1].to_ns == UINT64_MAX)
		s->at[s->n - 1].to_ns = unsure ? NEVER : now_ns;
}

uint32_t
scales_fewest(const struct scales *s, uint32_t base, uint64_t since_ns)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (lasts_until(&s->at[i], since_ns) && s->at[i].fewest < base)
			base = s->at[i].fewest;
	return base;
}

uint32_t
scales_most(const struct scales *s, uint32_t base, uint64_t since_ns)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (lasts_until(&s->at[i], since_ns) && s->at[i].most > base)
			base = s->at[i].most;
	return base;
}

bool
scales_cover(const struct scales *s, uint64_t from_ns, uint64_t to_ns)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (s->at[i].from_ns <= to_ns &&
		    lasts_until(&s->at[i], from_ns))
			return true;
	return false;
}
