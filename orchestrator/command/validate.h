/* SPDX-License-Identifier: ISC */
/* Whether what the options say can be done, and goes together. */
#ifndef ORCHESTRATOR_VALIDATE_H
#define ORCHESTRATOR_VALIDATE_H

#include "proto/config.h"

/*
 * Check what the rows can't: that tests, modes, extras and files exist and
 * fit together. 0 or EXIT_USAGE after the error was printed.
 */
int validate_config(const struct run_config *);

/*
 * --mayhem all becomes the names of all modes that this configuration
 * allows, so that reports and repeated runs name them. 0 or EXIT_USAGE.
 */
int validate_expand_mayhem(struct run_config *);

#endif
