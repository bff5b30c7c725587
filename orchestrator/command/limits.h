/* SPDX-License-Identifier: ISC */
/*
 * What the system allows of what a run needs: file descriptors, processes
 * and their threads. Asked before the run, so that a limit has a name and a
 * remedy instead of a fork that fails in mid-run.
 */
#ifndef ORCHESTRATOR_LIMITS_H
#define ORCHESTRATOR_LIMITS_H

#include "proto/config.h"

/* Room for the sentence that says what was found. */
#define LIMITS_SAYS_MAX 768

/*
 * Each: 0, or EXIT_USAGE after the error was printed; what was found is put
 * into says. Of the first the soft limit is raised to what is needed.
 */
int limits_descriptors(const struct run_config *, char says[LIMITS_SAYS_MAX]);
int limits_tasks(const struct run_config *, char says[LIMITS_SAYS_MAX]);

/*
 * What processes are started with: /proc/self/exe and /dev/null. 0, or
 * EXIT_HARNESS after what is missing was printed.
 */
int limits_system(void);

/* All three. */
int limits_check(const struct run_config *);

#endif
