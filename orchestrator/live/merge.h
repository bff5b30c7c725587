/* SPDX-License-Identifier: ISC */
/*
 * The merge makes one history of many sources. An event is released when
 * every live source has said, by event or heartbeat, that it is past that
 * time; so the history is ordered by time although sources arrive as they
 * like. Memory is what has arrived and can't be released yet.
 */
#ifndef ORCHESTRATOR_MERGE_H
#define ORCHESTRATOR_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/message.h"

#define MERGE_SOURCES_MAX 8192
#define MERGE_QUEUE_MAX	  ((size_t)256 << 20) /* bytes waiting, a source */
#define MERGE_HELD_MAX	  ((size_t)160 << 20) /* of all: somebody holds up */

struct merge;

struct merge *merge_create(void);
void merge_destroy(struct merge *);

/*
 * A source begins to live; it is past now_ns, which must not be before the
 * time of an event that was released. 0 or -errno.
 */
int merge_open(struct merge *, uint32_t source, uint64_t now_ns);

/* The source is past time_ns, with no event to show for it. */
void merge_mark(struct merge *, uint32_t source, uint64_t time_ns);

/*
 * An event of a live source, with its frame. Times of one source never go
 * back: an earlier one is taken as the source's last. 0 or -errno.
 */
int merge_push(
    struct merge *, const struct event *, const uint8_t *raw, size_t raw_len);

/* Nothing more comes from the source; what it sent is still released. */
void merge_close(struct merge *, uint32_t source);

/*
 * The next event of the history, if it can be released. The frame at *raw
 * lives until the next push.
 */
bool merge_next(
    struct merge *, struct event *, const uint8_t **raw, size_t *raw_len);

/*
 * True when more than MERGE_HELD_MAX bytes wait, since nothing can be
 * released: *holder is the source for which all the others wait.
 */
bool merge_is_held_up(const struct merge *, uint32_t *holder);

/* Events that wait to be released. */
size_t merge_waiting(const struct merge *);

#endif
