/* SPDX-License-Identifier: ISC */
/*
 * The place that forks (and template.h, where many are wanted). A child is
 * a fresh program image (this binary with a role, or a nats-server), dies
 * with SIGKILL when the thread that spawned it dies, and inherits only the
 * descriptors it is given.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 6

struct spawn_fd {
	int from; /* descriptor here, any number */
	int to;	  /* its number in the child */
};

struct spawn_request {
	const char *path;  /* program; "/proc/self/exe" for our own */
	char *const *argv; /* NULL-terminated */
	struct spawn_fd fds[SPAWN_FDS_MAX];
	int nfds; /* 0, 1 and 2 not named become /dev/null */
	/*
	 * We trace it, and it stops (SIGTRAP) before it does anything; needs
	 * ptrace(2).
	 */
	bool is_stopped;
};

/*
 * Start it. Returns the pid (> 0) once the new image runs, or -errno of
 * whatever failed, exec included: the answer is true, not hopeful. The
 * caller keeps its descriptors and must reap the pid.
 */
pid_t spawn(const struct spawn_request *);

/*
 * In a process just forked that is not to exec: put the descriptors where
 * the request wants them and close all others. 0 or -errno.
 */
int spawn_keep_fds(const struct spawn_request *);

/* Kill a child of ours that nobody has reaped, and reap it; not if pid <= 0. */
void spawn_end(pid_t pid);

/* Make this process the one that orphans of its descendants fall to. */
int spawn_subreaper(void);

/*
 * Children of this process by what /proc tells, orphans that fell to it
 * included: those whose second word on the command line begins with word
 * ("": all that live). At most max of them go to pids. How many, or -errno.
 */
int spawn_find_children(const char *word, pid_t *pids, int max);

/* A close-on-exec pipe; 0 or -errno. */
int spawn_pipe(int fds[2]);

/* Two of them, or none: what a child is told, and what it tells. */
int spawn_pipes(int down[2], int up[2]);

#endif
