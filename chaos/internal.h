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
 * A part of the harness broke: say so and end. Without it whatever the
 * servers do proves nothing.
 */
void chaos_fail(struct chaos *, const char *why);

/* A process of ours has stood still for silent_ns up to now. */
void chaos_tell_silence(struct chaos *, const char *who, uint64_t silent_ns);

#endif
