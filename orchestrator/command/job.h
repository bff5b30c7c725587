/* SPDX-License-Identifier: ISC */
/*
 * Job files: options of a command in a file, in INI form. Settings above the
 * first section hold for all jobs; a section is a job, and takes what it does
 * not say from those that it names with "inherit". A process has one job, that
 * of its command line. What a file says goes before the defaults and behind
 * the environment and the command line.
 */
#ifndef ORCHESTRATOR_JOB_H
#define ORCHESTRATOR_JOB_H

#include "proto/config.h"

/* --job and --dump-config. */
extern const struct option_spec job_options[];

/*
 * Take these options out of argv, and NATSBURN_JOB out of the environment, and
 * read the job. 0, or EXIT_USAGE after the error was printed.
 */
int job_take(int *argc, char **argv);

/*
 * Set the options that the job has of a command's own rows, or all the others.
 * 0, or EXIT_USAGE after the error was printed, with file and line. Without a
 * job they do nothing.
 */
int job_set_own(const struct option_spec *rows, void *values);
int job_set(struct run_config *);

/* Is the configuration to be printed, and nothing to be run? */
bool job_is_dumped(void);

/*
 * Print a configuration as a job file, with a command's own options (rows,
 * or NULL). What has its default is a comment. Secrets are left out. 0, or an
 * exit code after the error was printed.
 */
int job_dump(const struct run_config *, const struct option_spec *rows,
    const void *values);

#endif
