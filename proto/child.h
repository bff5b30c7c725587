/* SPDX-License-Identifier: ISC */
/*
 * What every child process has: events up on descriptor CHILD_UP, commands
 * down on CHILD_DOWN, log lines as LOG frames, heartbeats. When the parent
 * is gone the child has nothing left to do and exits at once; the death
 * signal would see to that anyway.
 */
#ifndef PROTO_CHILD_H
#define PROTO_CHILD_H

#include "proto/channel.h"

#define CHILD_DOWN 3
#define CHILD_UP   4

#define CHILD_BEAT_NS UINT64_C(100000000)  /* longest silence upwards */
#define CHILD_CALL_NS UINT64_C(6000000000) /* longer than any one call */

struct child {
	struct channel_in down;
	struct channel_out up;
	const char *role;
	bool stopping; /* STOP was received */
	/*
	 * 0, or how long child_beat() may leave events unsent: a worker that
	 * is busy then writes less often. child_flush() writes in any case.
	 */
	uint64_t lazy_ns;
	uint64_t flushed_ns;
	/* When child_beat() was called last, and for how long it was not. */
	uint64_t beat_ns, stood_ns;
};

/* Take the pipes over, send HELLO, send log lines upwards. */
void child_init(struct child *, const char *role, const char *library,
    uint32_t source, uint32_t incarnation);
void child_fini(struct child *);

/*
 * Give up what a child does without that only talks to servers (confine.h);
 * says so in the log when the host has no filters of system calls.
 */
void child_confine(void);

/* Stamp and queue an event. Exits the process when the parent is gone. */
void child_emit(struct child *, struct event *);

/* Everything queued is in the pipe when this returns. */
void child_flush(struct child *);

/* Emit and flush an event that has no fields worth setting. */
void child_say(struct child *, enum message_type);

/*
 * Send a heartbeat when nothing was sent for CHILD_BEAT_NS; flush. What lies
 * between two calls and is longer than any one call of ours stood still, and
 * is added to stood_ns.
 */
void child_beat(struct child *);

/*
 * The next command: true and *cmd, or false when none came within
 * timeout_ms (0 polls). Notes STOP. Beats while it waits.
 */
bool child_command(struct child *, int timeout_ms, struct event *cmd);

/* Report trouble of the harness itself, with -errno or 0. */
void child_diag(struct child *, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
