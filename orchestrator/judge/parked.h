/* SPDX-License-Identifier: ISC */
/*
 * Messages that nobody waits for and that are not settled either: for some
 * consumers the ack may have been committed unheard. Mostly it was, and they
 * never come again; a soak has many, so only their numbers and who confirmed
 * them are kept, as runs. Embedded in its owner.
 */
#ifndef CHECK_PARKED_H
#define CHECK_PARKED_H

#include <stdbool.h>
#include <stdint.h>

#define PARKED_SETS_MAX 256 /* by publisher */

struct roaring_bitmap_s;

/* Those of its messages that the same consumers confirmed. */
struct parked_set {
	uint64_t confirmed;		   /* bits of consumers */
	uint32_t high;			   /* bits of their counters */
	struct roaring_bitmap_s *counters; /* the other 32 */
};

struct parked_source {
	struct parked_set *sets;
	uint32_t n, room;
};

struct parked {
	struct parked_source *sources; /* by publisher */
	uint32_t n;
};

void parked_init(struct parked *);
void parked_fini(struct parked *);

/*
 * Keep the message of that id, which these consumers confirmed. 0; -ENOSPC
 * when its publisher has too many different sets already; -ENOMEM.
 */
int parked_put(struct parked *, uint64_t id, uint64_t confirmed);

/*
 * How many are kept that these consumers (a bit, or 0: nobody) did not
 * confirm.
 */
uint64_t parked_count(const struct parked *, uint64_t bit);

bool parked_find(const struct parked *, uint64_t id, uint64_t *confirmed);

/* The same, and forget it. */
bool parked_take(struct parked *, uint64_t id, uint64_t *confirmed);

#endif
