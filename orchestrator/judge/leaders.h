/* SPDX-License-Identifier: ISC */
/*
 * Who led what, and when, as the servers' monitoring told it: of the meta
 * group, of streams, of consumers. Checks ask whether a group had one and the
 * same leader from one moment to another. What was not told is not known,
 * and a leader that is not known is not steady.
 *
 * Memory: LEADERS_MAX groups with their latest LEADERS_CHANGES changes. Of more
 * those are forgotten that were told longest ago; consumers come and go.
 */
#ifndef JUDGE_LEADERS_H
#define JUDGE_LEADERS_H

#include <stdint.h>

#include "proto/message.h"

#define LEADERS_MAX	1024
#define LEADERS_CHANGES 16

enum leaders_group {
	LEADERS_META = 1,
	LEADERS_STREAM = 2,
	LEADERS_CONSUMER = 3 /* its name is "stream/consumer" */
};

enum steadiness {
	STEADY_NO,     /* another leader, or none, or it is not known */
	STEADY_SO_FAR, /* but it was not seen again since: ask later */
	STEADY_YES
};

struct leaders {
	struct leaders_row *rows;
	uint32_t n, room;
	bool no_memory; /* a group could not be entered */
};

void leaders_init(struct leaders *);
void leaders_fini(struct leaders *);

/* Take note of an event (any type). */
void leaders_event(struct leaders *, const struct event *);

/*
 * Had the group one leader all the time from from_ns to to_ns (both of
 * CLOCK_MONOTONIC)? YES needs that the same one was told twice after to_ns:
 * the first of these answers may have been asked for before it.
 */
enum steadiness leaders_steady(const struct leaders *, enum leaders_group,
    const char *name, uint64_t from_ns, uint64_t to_ns);

/* When a leader of the group was told first; UINT64_MAX: never. */
uint64_t leaders_first(
    const struct leaders *, enum leaders_group, const char *name);

/* The leader as it was told last; "" when there is none, or none known. */
const char *leaders_now(
    const struct leaders *, enum leaders_group, const char *name);

/* The same at an earlier moment; "" when that is not known any more. */
const char *leaders_at(
    const struct leaders *, enum leaders_group, const char *name, uint64_t ns);

#endif
