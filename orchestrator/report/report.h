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
#define REPORT_COMMAND_MAX 8192 /* bytes of a command line, with its NUL */

/*
 * The report, to be deleted by the caller; the evidence of the anomalies is
 * read from the journal in run_dir, or left out if that is NULL. NULL
 * without memory. report_json() is the same as text, to be freed.
 */
cJSON *report_tree(const struct history *, const char *run_dir);
char *report_json(const struct history *, const char *run_dir);

/*
 * Append the options that aren't at their defaults as words for a shell to
 * out (REPORT_COMMAND_MAX bytes); no secrets, no --out, no --test.
 */
void report_command(char *out, const struct run_config *);

/* Append a blank and one word, quoted for a shell where it needs it. */
void report_word(char *out, const char *word);

/* All options as the report has them; to be deleted by the caller. */
cJSON *report_options(const struct run_config *);

/*
 * Give put() the report in all its forms: report.json, junit.xml,
 * report.html. 0 or the first -errno.
 */
int report_files(const struct history *, const cJSON *tree,
    int (*put)(void *arg, const char *name, const char *text, size_t len),
    void *arg);

/* Write them to run_dir. 0 or the first -errno; it goes on after one. */
int report_write(
    const struct history *, const cJSON *tree, const char *run_dir);

/* Bytes of a report.json that is read. */
#define REPORT_MAX ((size_t)64 << 20)

/* report.json as it stands there, to be deleted; NULL when there is none. */
cJSON *report_read(const char *run_dir);

/* Write RUN_DIR/NAME, whole or not at all. 0 or -errno. */
int report_save(
    const char *text, size_t len, const char *run_dir, const char *name);

/* Messages without an ack of which an attempt's outcome is unknown. */
uint64_t report_open_unknown(const struct ledger *);

/*
 * The verdict in words, for a CI log, or for a terminal: there it fits one
 * screen.
 */
void report_say(const struct history *, const char *run_dir, FILE *out);

#endif
