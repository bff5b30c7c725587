/* SPDX-License-Identifier: ISC */
/* The configuration of a run that is over, from its report. */
#ifndef ORCHESTRATOR_PAST_H
#define ORCHESTRATOR_PAST_H

#include <cjson/cJSON.h>

#include "proto/config.h"

/*
 * The options of a report.json: all of them, without secrets, and without those
 * that say where a run goes (json, quiet, metrics). 0, or -EINVAL when it is no
 * report of a run.
 */
int past_options(const cJSON *report, struct run_config *);

/*
 * The report.json of a run folder with its options; the caller's. NULL after
 * the error was said.
 */
cJSON *past_load(const char *run_dir, struct run_config *);

#endif
