/* SPDX-License-Identifier: ISC */
/* What a program says of its version; see binary.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/command/binary.h"
#include "proto/base/clock.h"
#include "proto/base/spawn.h"

/* Read until the end of the first line. 0 or -ETIMEDOUT. */
static int
read_line(int fd, char *out, size_t size)
{
	uint64_t deadline =
	    clock_mono_ns() + BINARY_PATIENCE_MS * (uint64_t)CLOCK_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size - 1 && memchr(out, '\n', len) == NULL) {
		if (clock_mono_ns() >= deadline) {
			out[len] = '\0';
			return -ETIMEDOUT;
		}
		if (poll(&p, 1, 100) <= 0)
			continue;
		n = read(fd, out + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	out[len] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

int
binary_version(const char *path, char *out, size_t size)
{
	char *argv[] = {
	    (char *)(uintptr_t)path, (char *)(uintptr_t) "--version", NULL};
	struct spawn_request r = {.path = path, .argv = argv};
	int fds[2], status = 0, err;
	pid_t pid, ended = 0;
	uint64_t deadline;

	out[0] = '\0';
	if (spawn_pipe(fds) < 0)
		return -errno;
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], 1};
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], 2};
	pid = spawn(&r);
	close(fds[1]);
	err = pid > 0 ? read_line(fds[0], out, size) : (int)pid;
	close(fds[0]);
	if (pid < 0)
		return err;
	/* It has said its line, and may still not end. */
	deadline = clock_mono_ns() + BINARY_PATIENCE_MS * CLOCK_MS;
	while (err == 0 && (ended = waitpid(pid, &status, WNOHANG)) == 0 &&
	       clock_mono_ns() < deadline)
		(void)poll(NULL, 0, 10); /* shorter is fine */
	if (ended == 0) {
		(void)kill(pid, SIGKILL); /* ours, not reaped yet */
		(void)waitpid(pid, &status, 0);
	}
	if (err < 0)
		return err;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}
