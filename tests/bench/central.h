/* SPDX-License-Identifier: ISC */
/* The parts of bench_central; see central.c. */
#ifndef BENCH_CENTRAL_H
#define BENCH_CENTRAL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"

/* A recorded journal, taken apart again into what each source sent. */
struct feed_piece {
	uint32_t window, source;
	size_t offset, len; /* of whole frames in the source's bytes */
};

struct feed_source {
	struct buf bytes;
	size_t begun; /* where those of the window being loaded begin */
};

struct feed {
	struct feed_source *sources; /* by source number */
	uint32_t nsources;
	struct feed_piece *pieces; /* by window, then as they came */
	size_t npieces;
	uint64_t *window_ends; /* times, nanoseconds */
	uint32_t nwindows;
	uint64_t first_ns, events, bytes;
};

/* Read the journal of a run folder whole. 0 or -errno. */
int feed_load(struct feed *, const char *run_dir);
void feed_fini(struct feed *);

/*
 * Write a journal of about that many events that judges PASS: a round each
 * round_ns, a fault each 5 s.
 */
int generate_journal(const char *dir, uint64_t events, uint64_t round_ns);

/* The same of the test pipeline, and of stream-store. */
int generate_pipeline(const char *dir, uint64_t events);
int generate_store(const char *dir, uint64_t events);

/* Phases, sizes and rates of a recorded run, one line each. */
int figures_say(const char *run_dir);

/* Run a program and say what it took: time, CPU, peak memory. */
int figures_measure(char **argv);

#endif
