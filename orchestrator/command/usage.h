/* SPDX-License-Identifier: ISC */
/* What natsburn says to who called it wrongly: one line on stderr. */
#ifndef ORCHESTRATOR_USAGE_H
#define ORCHESTRATOR_USAGE_H

#include <stdbool.h>

/* Print "natsburn: ...". */
void usage_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, and return EXIT_USAGE. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * From now on errors say that options came from there, too, which is not
 * copied.
 */
void usage_set_origin(const char *file);

/* From now on nothing is printed, for who tries what may be wrong; or it is. */
void usage_be_silent(bool);

#endif
