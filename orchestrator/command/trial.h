/* SPDX-License-Identifier: ISC */
/* A short run, to know whether a longer one could be made. */
#ifndef ORCHESTRATOR_TRIAL_H
#define ORCHESTRATOR_TRIAL_H

#include "proto/config.h"

#define TRIAL_SAYS_MAX 320

/*
 * Run the test of this configuration, in which validate_fill() has not filled
 * in anything yet, for one round, which is over before any fault: connect,
 * log in, ask whether the faults may be made (but for "all", and a partition),
 * make the streams with the replicas asked for, delete them. Leaves nothing.
 * Says in a sentence what came of it; the exit code is the run's, or
 * EXIT_HARNESS where no run could be tried.
 */
int trial_run(const struct run_config *, char says[TRIAL_SAYS_MAX]);

#endif
