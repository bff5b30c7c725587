/* SPDX-License-Identifier: ISC */
/*
 * A deck of cards, dealt again and again: each comes once before any comes
 * again, in an order that the seed decides.
 */
#ifndef CHAOS_DECK_H
#define CHAOS_DECK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/rng.h"

#define DECK_MAX 48

struct deck {
	struct rng rng;
	unsigned cards[DECK_MAX], n;
	unsigned dealt; /* cards[0..dealt) are out */
};

/* n cards, numbered from 0 and shuffled. */
void deck_init(struct deck *, unsigned n, uint64_t seed);

/*
 * The next card. A card that is still held (it was the last of the deck before)
 * is passed over and comes later. At least one card that was not dealt must not
 * be held.
 */
typedef bool deck_is_held(const void *arg, unsigned card);
unsigned deck_next(struct deck *, deck_is_held *, const void *arg);

#endif
