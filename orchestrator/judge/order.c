/* SPDX-License-Identifier: ISC */
/* The latest of a numbered row; see order.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/order.h"

#define ROOM_FIRST ((size_t)32)

void
order_init(struct order *o, size_t keep)
{
	memset(o, 0, sizeof(*o));
	o->keep = keep;
}

void
order_fini(struct order *o)
{
	free(o->ring);
	order_init(o, o->keep);
}

static struct order_item *
item_at(const struct order *o, uint64_t number)
{
	return &o->ring[number & (o->room - 1)];
}

static int
resize(struct order *o, size_t room)
{
	struct order_item *old = o->ring, *ring = calloc(room, sizeof(*ring));
	size_t i, before = o->room;

	if (ring == NULL)
		return -ENOMEM;
	o->ring = ring;
	o->room = room;
	for (i = 0; i < before; i++)
		if (old[i].number != 0)
			*item_at(o, old[i].number) = old[i];
	free(old);
	return 0;
}

/* Room for a number that lies behind the newest. */
static int
reach_back(struct order *o, uint64_t number)
{
	size_t room = o->room;

	while (o->top - number >= room && room < ORDER_MAX)
		room *= 2;
	if (o->top - number >= room)
		return -ERANGE;
	return room > o->room ? resize(o, room) : 0;
}

/* A higher number comes: what it would overwrite may still be wanted. */
static int
reach_on(struct order *o, uint64_t number)
{
	if (o->room >= o->keep || item_at(o, number)->number == 0)
		return 0;
	return resize(o, o->room * 2);
}

int
order_put(struct order *o, uint64_t number, struct order_item **item)
{
	int err = 0;

	if (o->room == 0)
		err = resize(o, ROOM_FIRST);
	if (err == 0 && number > o->top)
		err = reach_on(o, number);
	if (err == 0 && number < o->top)
		err = reach_back(o, number);
	if (err < 0)
		return err;
	if (number > o->top)
		o->top = number;
	*item = item_at(o, number);
	if ((*item)->number != number)
		**item = (struct order_item){number, 0, 0};
	return 0;
}

const struct order_item *
order_find(const struct order *o, uint64_t number)
{
	const struct order_item *i;

	if (o->room == 0 || number == 0 || o->top - number >= o->room)
		return NULL;
	i = item_at(o, number);
	return i->number == number ? i : NULL;
}

const struct order_item *
order_below(const struct order *o, uint64_t number)
{
	const struct order_item *i;
	uint64_t n = number;

	if (o->room == 0)
		return NULL;
	if (n > o->top + 1)
		n = o->top + 1;
	while (n-- > 1 && o->top - n < o->room) {
		i = item_at(o, n);
		if (i->number == n)
			return i;
	}
	return NULL;
}

const struct order_item *
order_above(const struct order *o, uint64_t number)
{
	const struct order_item *i;
	uint64_t n;

	if (o->room == 0)
		return NULL;
	n = number + 1;
	if (o->top >= o->room && n <= o->top - o->room)
		n = o->top - o->room + 1;
	for (; n <= o->top; n++) {
		i = item_at(o, n);
		if (i->number == n)
			return i;
	}
	return NULL;
}
