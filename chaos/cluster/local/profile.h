/* SPDX-License-Identifier: ISC */
/*
 * What is seen of a server from beside it: its goroutines by its profiling
 * port, and the descriptors that it has open.
 */
#ifndef CHAOS_LOCAL_PROFILE_H
#define CHAOS_LOCAL_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * True when the profiling port of each of these binaries (a list with commas)
 * costs nothing as long as nobody asks there. A server that does not know
 * prof_block_rate (before 2.10) records every wait of a goroutine as soon as
 * the port is open, which slows it down.
 */
bool profile_is_cheap(const char *bins);

/* Descriptors that a process has open, 0 when that can't be seen. */
uint64_t profile_files(pid_t);

#endif
