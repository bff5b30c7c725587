/* SPDX-License-Identifier: ISC */
/* A deck of cards; see deck.h. */
#include "chaos/deck.h"

static void
swap(struct deck *d, unsigned a, unsigned b)
{
	unsigned kept = d->cards[a];

	d->cards[a] = d->cards[b];
	d->cards[b] = kept;
}

static void
shuffle(struct deck *d)
{
	unsigned i;

	for (i = d->n; i-- > 1;)
		swap(d, i, (unsigned)rng_below(&d->rng, i + 1));
	d->dealt = 0;
}

void
deck_init(struct deck *d, unsigned n, uint64_t seed)
{
	rng_init(&d->rng, seed, "mixes");
	for (d->n = 0; d->n < n; d->n++)
		d->cards[d->n] = d->n;
	shuffle(d);
}

unsigned
deck_next(struct deck *d, deck_is_held *is_held, const void *arg)
{
	unsigned i;

	if (d->dealt == d->n)
		shuffle(d);
	i = d->dealt;
	while (is_held(arg, d->cards[i]))
		i++;
	swap(d, i, d->dealt);
	return d->cards[d->dealt++];
}
