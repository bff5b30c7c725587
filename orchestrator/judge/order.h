/* SPDX-License-Identifier: ISC */
/*
 * The latest of a numbered row (a consumer's deliveries, a publisher's
 * messages), as they come, which need not be in the order of their numbers.
 * A ring: it grows to span what is in flight, up to ORDER_MAX numbers, and
 * at least the latest `keep` that there were; it forgets what is further
 * back. Embedded in its owner.
 */
#ifndef CHECK_ORDER_H
#define CHECK_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_MAX ((size_t)65536)

struct order_item {
	uint64_t number; /* 0: none */
	uint64_t value;
	uint64_t time_ns;
};

struct order {
	struct order_item *ring;
	size_t room;
	size_t keep;
	uint64_t top; /* highest number */
};

/* keep: a power of 2 up to ORDER_MAX, or 0: what is in flight is enough. */
void order_init(struct order *, size_t keep);
void order_fini(struct order *);

/*
 * The place of a number (not 0): as it was put, or new with value and time
 * 0. 0 and *item; -ERANGE when it lies too far back; -ENOMEM. Valid until
 * the next call.
 */
int order_put(struct order *, uint64_t number, struct order_item **item);

/* What is known of a number, or NULL. */
const struct order_item *order_find(const struct order *, uint64_t number);

/* The nearest known below or above a number, or NULL. */
const struct order_item *order_below(const struct order *, uint64_t number);
const struct order_item *order_above(const struct order *, uint64_t number);

#endif
