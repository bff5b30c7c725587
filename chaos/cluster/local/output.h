/* SPDX-License-Identifier: ISC */
/*
 * What a server of ours writes: its output, where Go's runtime tells why it
 * dies, and its log. Both are read as they grow, and to their ends when it has
 * ended.
 */
#ifndef CHAOS_LOCAL_OUTPUT_H
#define CHAOS_LOCAL_OUTPUT_H

#include "chaos/cluster/cluster.h"
#include "chaos/tail.h"
#include "chaos/trace.h"

#define OUTPUT_RACES 64 /* different ones of a server that are told */

struct output {
	struct tail out, log;
	struct trace trace;
	uint64_t begun_ns, looked_ns, oom_kills;
	bool is_shut; /* it has said that it shuts down */
	struct trace_error error;
	uint64_t races[OUTPUT_RACES];
	unsigned nraces;
};

/* It is about to be started: what its files have is of others. */
void output_begin(struct cluster *, unsigned node);

/* Read what is new, once a second, and tell data races. */
void output_look(struct cluster *, unsigned node);

/* It has ended with that status (of waitpid): tell how, if that is of note. */
void output_end(struct cluster *, unsigned node, int status, bool asked);

#endif
