/* SPDX-License-Identifier: ISC */
/*
 * Supervision of the child processes: start, read, write, stop with a
 * deadline on every step, reap, restart with back-off. It knows nothing of
 * what the children do; the run learns everything through its hooks.
 *
 * A child is finished only after both the end of file on its pipe and its
 * wait status were seen. Slots are never freed while the table lives.
 */
#ifndef ORCHESTRATOR_CHILDREN_H
#define ORCHESTRATOR_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

#include "proto/channel.h"

#define CHILDREN_MAX 8000

enum child_state {
	CHILD_IDLE,	/* not started, or waiting for its restart */
	CHILD_FORKING,	/* the template was asked for it */
	CHILD_STARTING, /* runs, has not said READY */
	CHILD_READY,	/* said READY */
	CHILD_RUNNING,	/* was sent START */
	CHILD_STOPPING, /* was sent STOP */
	CHILD_ENDING,	/* was sent SIGTERM */
	CHILD_KILLED,	/* was sent SIGKILL */
	CHILD_FINISHED, /* ended, and will not be started again */
	CHILD_STATES
};

struct child_slot {
	uint32_t source;
	char program[16]; /* worker or chaos */
	char role[32];
	bool restarts; /* start a new incarnation when it dies */
	enum child_state state;
	uint32_t incarnation;
	pid_t pid; /* 0 when reaped, or not known yet */
	int wait_status;
	bool reaped, at_end, torn, said_bye, bye_ok;
	bool stood_still; /* for some time; see children_stand_still() */
	struct channel_in in;
	struct channel_out out;
	uint64_t last_seq;
	uint64_t started_ns; /* just before its fork */
	/* By children_time(): */
	uint64_t deadline_ns; /* of the present state; 0 none */
	uint64_t silent_ns;   /* since when nothing was heard */
	uint64_t restart_ns;  /* when to start it again; 0 never */
	unsigned failures;    /* short lives in a row */
	bool wants_write;
};

struct child_end {
	int code, signal; /* exactly one is meaningful */
	bool expected;	  /* said BYE after it was asked to stop, code 0 */
	bool will_restart;
};

struct children_hooks {
	/* A frame, HEARTBEAT and damaged sequences included. */
	void (*event)(void *arg, struct child_slot *, const struct event *,
	    const uint8_t *raw, size_t raw_len);
	/* got is 0 when bytes could not be read as a frame at all. */
	void (*gap)(
	    void *arg, struct child_slot *, uint64_t expected, uint64_t got);
	/* It is to be forked now. Its pid is known when it has started. */
	void (*starting)(void *arg, struct child_slot *);
	void (*started)(void *arg, struct child_slot *);
	/*
	 * It could not be started: -errno, or -ECANCELED when it was not
	 * wanted any more. Finished, unless it is tried again.
	 */
	void (*failed)(void *arg, struct child_slot *, int err);
	void (*ended)(void *arg, struct child_slot *, const struct child_end *);
	void (*signalled)(void *arg, int sig);
};

struct children;

/* stderr_fd is what children get as stderr. NULL with errno set. */
struct children *children_create(
    const struct children_hooks *, void *arg, int stderr_fd);

/* Kills and reaps whatever still runs. */
void children_destroy(struct children *);

/* A new slot with the next source number; NULL with errno set. */
struct child_slot *children_add(
    struct children *, const char *program, const char *role, bool restarts);

/* The slot of a source, or NULL; sources begin at 1. */
struct child_slot *children_slot(const struct children *, uint32_t source);

/*
 * Have the slot's process started: the hooks say what came of it, at once or
 * later. Wait while there is no room for more at a time.
 */
void children_start(struct children *, struct child_slot *);
bool children_have_room(const struct children *);

/* Queue a command. A child that can't take it any more is let die. */
void children_send(struct children *, struct child_slot *, struct event *);

/* Ask it to end; steps up to signals by itself when it does not. */
void children_stop(
    struct children *, struct child_slot *, uint64_t patience_ns);

/* SIGKILL now. */
void children_kill(struct children *, struct child_slot *);

/*
 * For how long a slot's process has said nothing, as far as we listened: when
 * we ourselves stood still, what it said meanwhile is still to be read.
 */
uint64_t children_silence(const struct children *, const struct child_slot *);

/* Wait for something to happen, at most timeout_ms, and handle it. */
int children_poll(struct children *, int timeout_ms);

/*
 * The supervision's own time, in nanoseconds: it goes on with each poll and
 * stands while nobody polls. All deadlines of children are by it.
 */
uint64_t children_time(const struct children *);

/*
 * True when a process has said nothing for longer than any one call of it
 * takes: it stands still (is stopped, starved). It is late only when that is
 * over; if it stands still for too long it is killed.
 */
bool children_stand_still(const struct children *);

/* Slots whose process is not finished. */
unsigned children_alive(const struct children *);

#endif
