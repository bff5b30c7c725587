/* SPDX-License-Identifier: ISC */
/* The folder of a run that was given none: natsburn-runs/TIME-WHAT-PID. */
#ifndef ORCHESTRATOR_FOLDER_H
#define ORCHESTRATOR_FOLDER_H

#include <stddef.h>

/*
 * If out (size bytes) is empty, name a folder in natsburn-runs, which is
 * made here if it is missing. The folder itself is not made. 0 or EXIT_USAGE
 * after the error was printed.
 */
int folder_name(char *out, size_t size, const char *what);

#endif
