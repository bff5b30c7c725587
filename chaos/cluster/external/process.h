/* SPDX-License-Identifier: ISC */
/*
 * A process of somebody else's on this host. It is known by a pidfd, which no
 * later process of its number can have, and by the time of its start.
 */
#ifndef CHAOS_EXTERNAL_PROCESS_H
#define CHAOS_EXTERNAL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid;	/* 0: none */
	uint64_t start; /* in clock ticks since the host booted */
	int fd;		/* its pidfd, if pid isn't 0 */
};

/* Open it: 0; -ESRCH when there is none; or -errno. */
int process_open(struct process *, pid_t pid);
void process_close(struct process *);

/* Is its program named nats-server? 0, -ENOEXEC if not, or -errno. */
int process_check_server(const struct process *);

/* Was it started with a configuration file? */
bool process_has_config(const struct process *);

/*
 * Is it at the other end of this connection? Its host accepts a connection
 * before it does, so a new one may be seen later only.
 */
bool process_has_peer(const struct process *, int fd);

bool process_runs(const struct process *);
bool process_is_stopped(const struct process *);

/* 0 is no signal, but asks whether it may be sent one. 0 or -errno. */
int process_signal(const struct process *, int sig);

#endif
