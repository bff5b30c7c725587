/* SPDX-License-Identifier: ISC */
/* When something was noted last, by stream sequence; see stamps.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/stamps.h"
#include "proto/base/array.h"

void
stamps_fini(struct stamps *s)
{
	free(s->ring);
	free(s->wide);
	memset(s, 0, sizeof(*s));
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Two blocks become one. */
static void
widen(struct stamps *s)
{
	uint32_t i, half = s->nwide / 2 + s->nwide % 2;

	for (i = 0; i < s->nwide; i++)
		s->wide[i / 2] =
		    i % 2 == 0 ? s->wide[i] : later(s->wide[i / 2], s->wide[i]);
	memset(s->wide + half, 0, (s->nwide - half) * sizeof(*s->wide));
	s->width *= 2;
}

static int
wide_note(struct stamps *s, uint64_t seq, uint64_t now_ns)
{
	uint64_t *at;

	while (seq / s->width >= STAMPS_MAX)
		widen(s);
	at = array_at(
	    &s->wide, &s->nwide, seq / s->width, sizeof(*s->wide), STAMPS_MAX);
	if (at == NULL)
		return -ENOMEM;
	*at = later(*at, now_ns);
	return 0;
}

/* The ring goes up to block; what leaves it is kept more roughly. */
static int
advance(struct stamps *s, uint64_t block)
{
	uint64_t n = block - s->top, i, *slot;
	int err = 0;

	for (i = 1; i <= n && i <= STAMPS_RING && err == 0; i++) {
		slot = &s->ring[(s->top + i) % STAMPS_RING];
		if (*slot != 0 && s->top + i >= STAMPS_RING)
			err = wide_note(s,
			    (s->top + i - STAMPS_RING) * STAMPS_BLOCK, *slot);
		*slot = 0;
	}
	s->top = block;
	return err;
}

int
stamps_note(struct stamps *s, uint64_t seq, uint64_t now_ns)
{
	uint64_t block = seq / STAMPS_BLOCK;
	int err = 0;

	if (s->ring == NULL) {
		s->ring = calloc(STAMPS_RING, sizeof(*s->ring));
		if (s->ring == NULL)
			return -ENOMEM;
		s->width = STAMPS_BLOCK;
		s->top = block;
	}
	if (block > s->top)
		err = advance(s, block);
	if (err < 0)
		return err;
	if (s->top - block >= STAMPS_RING)
		return wide_note(s, seq, now_ns);
	s->ring[block % STAMPS_RING] =
	    later(s->ring[block % STAMPS_RING], now_ns);
	return 0;
}

uint64_t
stamps_at(const struct stamps *s, uint64_t seq)
{
	uint64_t block = seq / STAMPS_BLOCK;

	if (s->ring == NULL || block > s->top)
		return 0;
	if (s->top - block < STAMPS_RING)
		return s->ring[block % STAMPS_RING];
	return seq / s->width < s->nwide ? s->wide[seq / s->width] : 0;
}
