/* SPDX-License-Identifier: ISC */
/*
 * What a run leaves for people and scripts: report.json (its form is a
 * contract, docs/report.md) and the verdict in words.
 */
#ifndef ORCHESTRATOR_REPORT_H
#define ORCHESTRATOR_REPORT_H

#include <stdio.h>

#include "orchestrator/history.h"

#define NATSBURN_VERSION "0.1.0"

/*
 * The report as JSON text, to be freed by the caller; the evidence of the
 * anomalies is read from the journal in run_dir. NULL without memory.
 */
char *report_json(const struct history *, const char *run_dir);

/* Write DIR/report.json, whole or not at all. 0 or -errno. */
int report_write(const char *json, const char *run_dir);

/* The verdict in words, for a terminal or a CI log. */
void report_say(const struct history *, const char *run_dir, FILE *out);

#endif
