/* SPDX-License-Identifier: ISC */
/* Ranges of sequences that a scan has not seen; see gaps.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "worker/audit/gaps.h"

void
gaps_fini(struct gaps *g)
{
	free(g->list);
	memset(g, 0, sizeof(*g));
}

/* Room for one more. 0, -E2BIG or -ENOMEM. */
static int
reserve(struct gaps *g)
{
	if (g->n == GAPS_MAX)
		return -E2BIG;
	return array_reserve(
	    &g->list, &g->room, g->n + 1, sizeof(*g->list), GAPS_MAX);
}

int
gaps_add(struct gaps *g, uint64_t first, uint64_t last)
{
	int err;

	if (first > last)
		return 0;
	err = reserve(g);
	if (err == 0)
		g->list[g->n++] = (struct gap){first, last, 0};
	return err;
}

/* Index of the gap that a sequence lies in, or n. */
static uint32_t
find(const struct gaps *g, uint64_t seq)
{
	uint32_t low = 0, high = g->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (g->list[mid].last < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low < g->n && g->list[low].first <= seq ? low : g->n;
}

bool
gaps_has(const struct gaps *g, uint64_t seq)
{
	return find(g, seq) < g->n;
}

static void
move(struct gaps *g, uint32_t from, uint32_t to)
{
	memmove(g->list + to, g->list + from, (g->n - from) * sizeof(*g->list));
}

int
gaps_fill(struct gaps *g, uint64_t seq)
{
	uint32_t i = find(g, seq);
	struct gap was;
	int err;

	if (i == g->n)
		return 0;
	was = g->list[i];
	if (was.first == was.last) {
		move(g, i + 1, i);
		g->n--;
		return 1;
	}
	g->list[i].rounds = 0;
	if (seq == was.first)
		g->list[i].first++;
	else if (seq == was.last)
		g->list[i].last--;
	else {
		err = reserve(g);
		if (err < 0)
			return err;
		move(g, i + 1, i + 2);
		g->n++;
		g->list[i].last = seq - 1;
		g->list[i + 1] = (struct gap){seq + 1, was.last, 0};
	}
	return 1;
}

void
gaps_drop(struct gaps *g, uint32_t n)
{
	if (n == 0)
		return;
	move(g, n, 0);
	g->n -= n;
}
