/* SPDX-License-Identifier: ISC */
/* The command that repeats a run, as people paste it into a shell. */
#ifndef ORCHESTRATOR_COMMAND_LINE_H
#define ORCHESTRATOR_COMMAND_LINE_H

#include "proto/config.h"

#define COMMAND_LINE_MAX 8192 /* bytes of a command line, with its NUL */

/*
 * Append the options that aren't at their defaults as words for a shell to
 * out (COMMAND_LINE_MAX bytes); no secrets, no --out, no --test.
 */
void command_line_options(char *out, const struct run_config *);

/* Append a blank and one word, quoted for a shell where it needs it. */
void command_line_word(char *out, const char *word);

#endif
