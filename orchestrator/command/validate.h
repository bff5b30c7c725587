/* SPDX-License-Identifier: ISC */
/* Whether what the options say can be done, and goes together. */
#ifndef ORCHESTRATOR_VALIDATE_H
#define ORCHESTRATOR_VALIDATE_H

#include "proto/config.h"
#include "worker/worker.h"

/*
 * Check what the rows can't: that tests, modes, extras and files exist and
 * fit together. 0 or EXIT_USAGE after the error was printed.
 */
int validate_config(const struct run_config *);

/*
 * Fill in what the command line left open (config_init_open()): how many
 * consumers and clients suit the test, and as many replicas as there are
 * servers, up to three. --mayhem all becomes the names of all modes that this
 * configuration allows, so that reports and repeated runs name them. 0, or
 * EXIT_USAGE for an option that the test does not have, or no mode.
 */
int validate_fill(struct run_config *);

/* True when the test has a role of that count. */
bool validate_has_role(const char *test, enum workload_count);

#endif
