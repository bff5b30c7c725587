/* SPDX-License-Identifier: ISC */
/*
 * What each server holds: before the load, at most, and when the load is over;
 * and whether that is more than the load explains. Fed with all events of a
 * history; its size is fixed.
 *
 * A server that is started again begins anew. What it has before the load is
 * the highest of what it said until the workers were started. One that was
 * started later has the highest of its first LEVELS_WARM_NS instead, and so
 * has the memory of each, for caches and dedupe tables grow for minutes. What
 * it has after the load is the lowest since the phase settle.
 */
#ifndef JUDGE_LEVELS_H
#define JUDGE_LEVELS_H

#include <stdbool.h>

#include "proto/config.h"
#include "proto/message.h"

/*
 * X(KIND, kind, what, margin, asset, warm, least): a measure, in
 * words; what it may have beyond twice its level before, and for each stream
 * or consumer that the server has more; for how long the level of a server
 * rises, and how long the load has to last behind that, in seconds.
 */
#define LEVELS(X)                                                              \
	X(MEMORY, memory, "bytes of memory", 256 << 20, 1 << 20, 300, 600)     \
	X(GOROUTINES, goroutines, "goroutines", 100, 10, 30, 60)               \
	X(FILES, files, "open files", 100, 10, 30, 60)                         \
	X(SUBSCRIPTIONS, subscriptions, "subscriptions", 500, 50, 30, 60)      \
	X(CONNECTIONS, connections, "connections of clients", 20, 0, 30, 60)

enum levels_kind {
#define X(KIND, kind, what, margin, asset, warm, least) LEVELS_##KIND,
	LEVELS(X)
#undef X
	LEVELS_KINDS
};

#define LEVELS_AFTER_MIN 3 /* samples after the load that tell something */
#define LEVELS_AFTER_NS	 UINT64_C(2000000000) /* between first and last */

/* One that runs; of what it held before it was started again: the highest. */
struct levels_server {
	char name[32];
	uint64_t boot, boot_ns;
	uint64_t before[LEVELS_KINDS], before_assets, before_stored;
	uint64_t now[LEVELS_KINDS], assets, stored;
	uint64_t after[LEVELS_KINDS];
	uint64_t nafter, after_from_ns, after_to_ns;
	uint64_t highest[LEVELS_KINDS], highest_ns[LEVELS_KINDS];
};

struct levels {
	struct levels_server servers[CONFIG_NODES_MAX];
	uint64_t load_ns;   /* workers are started; 0: not yet */
	uint64_t settle_ns; /* the load is over; 0: not yet */
	bool is_settled;    /* and all servers were well then */
};

enum levels_state {
	LEVELS_NOT_TOLD, /* the server does not tell it */
	LEVELS_NOT_LONG, /* too short a load, or no quiet after it */
	LEVELS_WITHIN,
	LEVELS_GROWN
};

/* Take note of an event (any type). */
void levels_event(struct levels *, const struct event *);

/* "memory", and "bytes of memory". */
const char *levels_name(enum levels_kind);
const char *levels_what(enum levels_kind);

/* What a server may hold after the load. */
uint64_t levels_bound(const struct levels_server *, enum levels_kind);

enum levels_state levels_state(
    const struct levels *, const struct levels_server *, enum levels_kind);

#endif
