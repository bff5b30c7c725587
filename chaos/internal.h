/* SPDX-License-Identifier: ISC */
/* The chaos process from inside: what cluster drivers may use of it. */
#ifndef CHAOS_INTERNAL_H
#define CHAOS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/child.h"

struct chaos;

/*
 * Wait up to timeout_ms for anything to happen, and take care of it:
 * commands, signals, monitoring, the driver's own. The only place where
 * chaos ever blocks.
 */
void chaos_wait(struct chaos *, int timeout_ms);

/* True when the run is over and whatever goes on should be cut short. */
bool chaos_is_stopping(const struct chaos *);

struct child *chaos_child(struct chaos *);

/*
 * A part of the harness broke (a proxy ended, for example): say so and end the
 * run, for what the servers do without it proves nothing.
 */
void chaos_fail(struct chaos *, const char *why);

/*
 * When err (-errno) says that this process has no descriptors, processes or
 * memory left it is no fault of the servers: chaos_fail, with what could not
 * be done. Any other err is not looked at.
 */
void chaos_fail_lack(struct chaos *, int err, const char *what);

/*
 * The loop's own time, in nanoseconds: it stands while this process stands
 * still. By it servers are waited for.
 */
uint64_t chaos_time(const struct chaos *);

/* A server (from 1) has written this line into its log. */
void chaos_take_log(struct chaos *, unsigned node, const char *line);

/* A process of ours has stood still for silent_ns up to now. */
void chaos_tell_silence(struct chaos *, const char *who, uint64_t silent_ns);

#endif
