/* SPDX-License-Identifier: ISC */
/*
 * Warnings and errors of the servers' logs by their kinds, as chaos tells
 * them. Its size is fixed.
 */
#ifndef ORCHESTRATOR_LOGS_H
#define ORCHESTRATOR_LOGS_H

#include "proto/config.h"
#include "proto/message.h"

/* Kinds of all servers together; chaos tells 51 of each. */
#define LOGS_MAX (51 * CONFIG_NODES_MAX)

/* Lines of a kind in the logs of servers; 0 lines: none. */
struct logs_count {
	uint64_t count, first_ns, last_ns;
};

struct logs_kind {
	uint8_t level;
	char says[200]; /* empty: all that were not told apart */
	struct logs_count servers[CONFIG_NODES_MAX];
};

struct logs {
	struct logs_kind kinds[LOGS_MAX];
	unsigned n;
};

void logs_event(struct logs *, const struct msg_server_says *);

/* Of all servers together. */
struct logs_count logs_total(const struct logs_kind *);

/*
 * The kinds in the order of a report, in out, at most max: the gravest first,
 * of these the most frequent. Returns how many.
 */
unsigned logs_order(
    const struct logs *, const struct logs_kind **out, unsigned max);

#endif
