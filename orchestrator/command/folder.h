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

/*
 * From here on something is done there: make the folder of many runs, unless
 * it is there, and hold it against another natsburn of that command by a lock
 * on *fd, the caller's to close in any case (-1: it was not opened). 0 or
 * EXIT_USAGE after the error was printed.
 */
int folder_hold(const char *dir, const char *what, int *fd);

#endif
