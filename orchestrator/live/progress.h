/* SPDX-License-Identifier: ISC */
/*
 * The progress of a run for the person who waits: one line that renews
 * itself on a terminal, a plain line now and then elsewhere, nothing with
 * --quiet. Written to stderr: stdout is for the report.
 */
#ifndef ORCHESTRATOR_PROGRESS_H
#define ORCHESTRATOR_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/report/term.h"

struct run;

#define PROGRESS_LINE_MAX 1024

struct progress {
	bool is_quiet, has_line;
	struct term term;
	uint64_t next_ns, status_ns; /* status_ns: --status-interval */
	uint64_t last_ns, last_rounds;
	uint64_t anomalies;
};

/* With a status interval that alone says when there is a plain line. */
void progress_init(struct progress *, bool quiet, uint64_t status_ns);

/* A status line, with the time of day, that stays on a terminal as well. */
void progress_status(struct progress *, const struct run *, uint64_t now_ns);

/* Show where the run is, when it is time to. */
void progress_show(struct progress *, const struct run *, uint64_t now_ns);

/* Say something once, on a line of its own. */
void progress_say(struct progress *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Leave the terminal on a fresh line. */
void progress_end(struct progress *);

#endif
