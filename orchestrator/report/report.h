/* SPDX-License-Identifier: ISC */
/*
 * What a run leaves for people and scripts: report.json (its form is a
 * contract, docs/report.md) and the verdict in words.
 */
#ifndef ORCHESTRATOR_REPORT_H
#define ORCHESTRATOR_REPORT_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "orchestrator/history/history.h"

#define NATSBURN_VERSION   "0.1.0"
#define REPORT_WORKERS_MAX 1000
#define REPORT_LOGS_MAX	   50

/*
 * The report, to be deleted by the caller; the evidence of the anomalies is
 * read from the journal in run_dir, or left out if that is NULL. NULL when
 * memory ran out: no tree that lacks something is given.
 */
cJSON *report_tree(const struct history *, const char *run_dir);

/* All options as the report has them; to be deleted by the caller. */
cJSON *report_options(const struct run_config *);

/* Add what a server (from 0) held to its item, if it was told. */
void report_levels(cJSON *item, const struct levels *, unsigned server);

/* Add the warnings and errors of the servers' logs. */
void report_logs(cJSON *, const struct stats *);

/* Messages without an ack of which an attempt's outcome is unknown. */
uint64_t report_open_unknown(const struct ledger *);

/*
 * What the run says of a check: broken, unproven (it found nothing in a run
 * that is not whole), not_exercised (it had nothing to judge), or holds.
 */
const char *report_check_says(const struct history *, const struct check_ops *);

#define REPORT_WORDS_MAX 160

/* The verdict as a word in capitals, and a sentence of what it means. */
const char *report_verdict(
    const struct history *, char words[REPORT_WORDS_MAX]);

/*
 * The verdict in words, for a CI log, or for a terminal: there it fits one
 * screen.
 */
void report_say(const struct history *, const char *run_dir, FILE *out);

#endif
