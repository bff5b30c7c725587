/* SPDX-License-Identifier: ISC */
/* The place that forks; see spawn.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/sig.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define SPAWN_PARK	     64	  /* descriptors are parked above this number */
#define SPAWN_LAST	     1024 /* where close_range is not known */
#define CLOSE_RANGE_CLOEXEC_ (1U << 2)

int
spawn_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int
spawn_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0;
}

int
spawn_pipes(int down[2], int up[2])
{
	int err = spawn_pipe(down);

	if (err < 0)
		return err;
	err = spawn_pipe(up);
	if (err < 0) {
		close(down[0]);
		close(down[1]);
	}
	return err;
}

/* Put the descriptors where the child wants them; all others close-on-exec. */
static int
spawn_move_fds(const struct spawn_request *r, int *exec_error)
{
	int parked[SPAWN_FDS_MAX], i, null, fd;

	fd = fcntl(*exec_error, F_DUPFD_CLOEXEC, SPAWN_PARK);
	if (fd < 0)
		return -errno;
	*exec_error = fd;
	/* Park first: a target number may be another entry's source. */
	for (i = 0; i < r->nfds; i++) {
		parked[i] = fcntl(r->fds[i].from, F_DUPFD_CLOEXEC, SPAWN_PARK);
		if (parked[i] < 0)
			return -errno;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	for (fd = 0; fd <= 2; fd++)
		if (null != fd && dup2(null, fd) < 0)
			return -errno;
	/*
	 * Mark, don't close: a plain close_range would close the exec-error
	 * pipe too, and a failed exec would then look like success.
	 */
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC_) < 0 &&
	    errno != ENOSYS)
		return -errno;
	for (i = 0; i < r->nfds; i++)
		if (dup2(parked[i], r->fds[i].to) < 0)
			return -errno;
	return 0;
}

static bool
is_wanted(const struct spawn_request *r, int fd)
{
	int i;

	for (i = 0; i < r->nfds; i++)
		if (r->fds[i].to == fd)
			return true;
	return false;
}

int
spawn_keep_fds(const struct spawn_request *r)
{
	int none = STDERR_FILENO, last = 2, i, err;

	err = spawn_move_fds(r, &none);
	if (err < 0)
		return err;
	for (i = 0; i < r->nfds; i++)
		last = r->fds[i].to > last ? r->fds[i].to : last;
	for (i = 3; i < last; i++)
		if (!is_wanted(r, i))
			(void)close(i); /* it need not be open */
	if (syscall(SYS_close_range, (unsigned)last + 1, ~0U, 0) == 0)
		return 0;
	if (errno != ENOSYS)
		return -errno;
	for (i = last + 1; i < SPAWN_LAST; i++)
		(void)close(i); /* it need not be open */
	return 0;
}

static void __attribute__((noreturn))
spawn_child(const struct spawn_request *r, pid_t parent, int exec_error)
{
	int error;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
		error = errno;
		goto fail;
	}
	/* The parent may have died before the death signal was set. */
	if (getppid() != parent)
		_exit(127);
	/* Own process group: a ^C at the terminal is for the parent alone. */
	(void)setpgid(0, 0); /* can't fail for a child before exec */
	error = -spawn_move_fds(r, &exec_error);
	if (error != 0)
		goto fail;
	sig_reset();
	if (r->is_stopped && ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
		error = errno;
		goto fail;
	}
	execv(r->path, r->argv);
	error = errno;
fail:
	(void)!write(exec_error, &error, sizeof(error)); /* we die anyway */
	_exit(127);
}

pid_t
spawn(const struct spawn_request *r)
{
	pid_t parent = getpid(), pid;
	sigset_t all, old;
	int fds[2], error = 0, err;
	ssize_t n;

	err = spawn_pipe(fds);
	if (err < 0)
		return err;
	(void)fflush(NULL); /* nothing buffered may be written twice */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old); /* valid arguments */
	pid = fork();
	err = pid < 0 ? -errno : 0;
	if (pid == 0)
		spawn_child(r, parent, fds[1]);
	(void)sigprocmask(SIG_SETMASK, &old, NULL); /* valid arguments */
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return err;
	}
	do
		n = read(fds[0], &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	close(fds[0]);
	if (n == 0)
		return pid;
	if (n < 0)
		(void)kill(pid, SIGKILL); /* unheard, it may run; not reaped */
	(void)waitpid(pid, NULL, 0);	  /* it has said why and is leaving */
	return n == (ssize_t)sizeof(error) && error > 0 ? -error : -EIO;
}

/* The first bytes of a file of /proc: how many. */
static size_t
read_proc(const char *pid, const char *name, char *out, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	text_format(path, sizeof(path), "/proc/%.20s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, out, size - 1);
	if (fd >= 0)
		close(fd);
	n = n > 0 ? n : 0; /* it is gone */
	out[n] = '\0';
	return (size_t)n;
}

/* Is a child of ours, lives, and has that word. */
static bool
is_child(const char *pid, const char *word)
{
	char text[512];
	const char *at;
	size_t n, first;

	/* "5 (a name) S 1 ...": the fourth is the parent. */
	(void)read_proc(pid, "stat", text, sizeof(text));
	at = strrchr(text, ')');
	if (at == NULL || strlen(at) < 4 || at[2] == 'Z' ||
	    strtol(at + 3, NULL, 10) != getpid())
		return false;
	n = read_proc(pid, "cmdline", text, sizeof(text));
	first = strlen(text) + 1;
	return word[0] == '\0' ||
	       (first < n && strncmp(text + first, word, strlen(word)) == 0);
}

int
spawn_find_children(const char *word, pid_t *pids, int max)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;
	uint64_t pid;
	int n = 0;

	if (d == NULL)
		return -errno;
	while (n < max && (e = readdir(d)) != NULL)
		if (text_to_u64(e->d_name, INT32_MAX, &pid) == 0 &&
		    is_child(e->d_name, word))
			pids[n++] = (pid_t)pid;
	(void)closedir(d); /* it was only read */
	return n;
}

void
spawn_end(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);    /* not reaped: the pid is its own */
	(void)waitpid(pid, NULL, 0); /* it can't refuse */
}
