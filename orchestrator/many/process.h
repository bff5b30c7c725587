/* SPDX-License-Identifier: ISC */
/* A "natsburn run" of a configuration as a process of its own. */
#ifndef ORCHESTRATOR_PROCESS_H
#define ORCHESTRATOR_PROCESS_H

#include <sys/types.h>

#include "proto/base/clock.h"
#include "proto/config.h"

/*
 * Prepare the environment that all of them get: the addresses and secrets of
 * the configuration, which others could read on a command line, and none of
 * the variables that it was made from. 0 or -ENOMEM.
 */
int process_environment(const struct run_config *);

#define PROCESS_LOG "output.log" /* what a run said, in its folder */
/* What it may take beside its load: to begin, to settle, to be judged. */
#define PROCESS_BESIDE_NS (600 * CLOCK_S)

/*
 * Make the folder of one, which must not be there, and start it. Its pid or
 * -errno.
 */
pid_t process_begin(const struct run_config *);

/* The last whole line of a file's end, made printable; "" without one. */
void process_last_line(const char *path, char *out, size_t size);

#endif
