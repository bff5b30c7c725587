/* SPDX-License-Identifier: ISC */
/*
 * The evidence of a run in one file that can be attached to an issue:
 * reports, journal, configurations, logs and monitoring pages of the
 * servers, a text that says what is what; without secrets (redact.h).
 */
#ifndef ORCHESTRATOR_BUNDLE_H
#define ORCHESTRATOR_BUNDLE_H

#include <cjson/cJSON.h>

#include "orchestrator/history/history.h"

#define BUNDLE_NAME	   "bundle.tar.zst"
#define BUNDLE_JOURNAL_MAX ((uint64_t)64 << 20) /* larger ones go in parts */
#define BUNDLE_FILE_MAX	   ((size_t)32 << 20)	/* larger ones are cut */

/*
 * Write RUN_DIR/bundle.tar.zst, whole or not at all. secrets is the
 * configuration of this call: the history's has none. 0 or -errno with why
 * (size bytes).
 */
int bundle_write(const struct history *, const cJSON *tree, const char *run_dir,
    const struct run_config *secrets, char *why, size_t size);

#endif
