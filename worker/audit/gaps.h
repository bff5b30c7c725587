/* SPDX-License-Identifier: ISC */
/*
 * What a scan has not seen: ranges of sequences, in order and apart. Their
 * number is bounded, that of the sequences in them is not. Embedded in its
 * owner, zeroed at first.
 */
#ifndef WORKER_GAPS_H
#define WORKER_GAPS_H

#include <stdbool.h>
#include <stdint.h>

#define GAPS_MAX (UINT32_C(1) << 20) /* of 24 bytes each */

struct gap {
	uint64_t first, last;
	uint32_t rounds; /* in which all answers said that it is empty */
};

struct gaps {
	struct gap *list;
	uint32_t n, room;
};

void gaps_fini(struct gaps *);

/*
 * Append a range behind all others; an empty one (first > last) is none.
 * 0, -E2BIG when there are GAPS_MAX already, -ENOMEM.
 */
int gaps_add(struct gaps *, uint64_t first, uint64_t last);

bool gaps_has(const struct gaps *, uint64_t seq);

/*
 * A sequence holds a message after all: what is left of its range begins
 * anew, without a round. 1; 0 when it lies in none; -E2BIG or -ENOMEM.
 */
int gaps_fill(struct gaps *, uint64_t seq);

/* Forget the first n. */
void gaps_drop(struct gaps *, uint32_t n);

#endif
