/* SPDX-License-Identifier: ISC */
/*
 * Metrics of a live run for Prometheus, served by HTTP from the run's own
 * loop: metrics_poll() answers whoever asks, and never waits. No thread.
 */
#ifndef ORCHESTRATOR_METRICS_H
#define ORCHESTRATOR_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct run;
struct metrics;

/*
 * Listen at address, "HOST:PORT" or "[HOST]:PORT" (numbers, or localhost;
 * port 0 takes a free one). NULL with why (size bytes).
 */
struct metrics *metrics_open(
    const char *address, const struct run *, char *why, size_t size);
void metrics_close(struct metrics *);

/* The port that is listened at. */
unsigned metrics_port(const struct metrics *);

/* Answer; takes NULL. */
void metrics_poll(struct metrics *, uint64_t now_ns);

/* The text that is served. */
void metrics_write(const struct run *, uint64_t now_ns, FILE *);

#endif
