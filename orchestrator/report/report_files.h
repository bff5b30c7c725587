/* SPDX-License-Identifier: ISC */
/*
 * The report as files in the run folder: report.json, and what is made of
 * its tree for CI and for people.
 */
#ifndef ORCHESTRATOR_REPORT_FILES_H
#define ORCHESTRATOR_REPORT_FILES_H

#include <cjson/cJSON.h>

#include "orchestrator/history/history.h"

/* Bytes of a report.json that is read. */
#define REPORT_FILES_MAX ((size_t)64 << 20)

/*
 * Give put() the report in all its forms: report.json, junit.xml,
 * report.html. 0 or the first -errno; it goes on after one.
 */
int report_files_each(const struct history *, const cJSON *tree,
    int (*put)(void *arg, const char *name, const char *text, size_t len),
    void *arg);

/* Write them to run_dir. 0 or the first -errno; it goes on after one. */
int report_files_write(
    const struct history *, const cJSON *tree, const char *run_dir);

/* report.json as it stands there, to be deleted; NULL when there is none. */
cJSON *report_files_read(const char *run_dir);

/* Write RUN_DIR/NAME, whole or not at all. 0 or -errno. */
int report_files_save(
    const char *text, size_t len, const char *run_dir, const char *name);

#endif
