/* SPDX-License-Identifier: ISC */
/* Programs that natsburn starts; see binary.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/command/binary.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

/* Read all of it, or until the end of the first line. 0 or -ETIMEDOUT. */
static int
read_from(int fd, bool is_line, char *out, size_t size)
{
	uint64_t deadline =
	    clock_mono_ns() + BINARY_PATIENCE_MS * (uint64_t)CLOCK_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size - 1 &&
	       (!is_line || memchr(out, '\n', len) == NULL)) {
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
	if (is_line)
		out[strcspn(out, "\n")] = '\0';
	else if (len == size - 1)
		return -EFBIG;
	return 0;
}

/* Wait for a program that has said all it had to say: 0 or -EIO. */
static int
await_end(pid_t pid, int err)
{
	uint64_t deadline;
	pid_t ended = 0;
	int status = 0;

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

/* The first line of all that it writes, or all of its standard output. */
static int
listen_to(
    const char *path, char *const *argv, bool is_line, char *out, size_t size)
{
	struct spawn_request r = {.path = path, .argv = argv};
	int fds[2], err;
	pid_t pid;

	out[0] = '\0';
	if (spawn_pipe(fds) < 0)
		return -errno;
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], 1};
	if (is_line)
		r.fds[r.nfds++] = (struct spawn_fd){fds[1], 2};
	pid = spawn(&r);
	close(fds[1]);
	err = pid > 0 ? read_from(fds[0], is_line, out, size) : (int)pid;
	close(fds[0]);
	return pid < 0 ? err : await_end(pid, err);
}

int
binary_version(const char *path, char *out, size_t size)
{
	char *argv[] = {
	    (char *)(uintptr_t)path, (char *)(uintptr_t) "--version", NULL};

	return listen_to(path, argv, true, out, size);
}

int
binary_output(const char *path, const char *const *argv, char *out, size_t size)
{
	return listen_to(path, (char **)(uintptr_t)argv, false, out, size);
}

static int
check_binary(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return usage_error(
		    "--server-bin \"%s\": %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return usage_error(
		    "--server-bin \"%s\": is not an executable file", path);
	return 0;
}

bool
binary_find(const char *name, char *out, size_t size)
{
	const char *path = getenv("PATH"), *end;
	char list[4096] = "";

	text_add(list, sizeof(list),
	    "%s:/usr/local/bin:/usr/sbin:", path != NULL ? path : "");
	for (path = list; (end = strchr(path, ':')) != NULL; path = end + 1) {
		out[0] = '\0';
		text_add(out, size, "%.*s/%s", (int)(end - path), path, name);
		if (end > path && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

/* A version in place of a path is one that scripts/fetch-servers has got. */
static void
find_version(char *path, size_t size)
{
	const char *const dirs[] = {
	    getenv("NATSBURN_SERVERS_DIR"), ".cache/servers"};
	char found[CONFIG_LIST_MAX];
	size_t i;

	if (strchr(path, '/') != NULL || access(path, F_OK) == 0)
		return;
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (dirs[i] == NULL ||
		    !text_fits(found, sizeof(found), dirs[i]) ||
		    !text_fits_add(
			found, sizeof(found), "/%s/nats-server", path) ||
		    access(found, X_OK) < 0)
			continue;
		text_set(path, size, found);
		return;
	}
}

int
binary_find_server(struct run_config *c)
{
	const char *list = c->server_bin;
	char path[CONFIG_LIST_MAX], all[sizeof(c->server_bin)] = "";
	unsigned n = 0;
	int bad;

	if (list[0] == '\0') {
		if (binary_find(
			"nats-server", c->server_bin, sizeof(c->server_bin)))
			return 0;
		usage_say("no nats-server on PATH: install the package "
			  "nats-server or name one with --server-bin");
		return EXIT_CLUSTER;
	}
	while (text_next_item(&list, path, sizeof(path))) {
		find_version(path, sizeof(path));
		bad = check_binary(path);
		if (bad == 0 && !text_fits_add(all, sizeof(all), "%s%s",
				    n > 0 ? "," : "", path))
			bad = usage_error("--server-bin: is too long");
		if (bad != 0)
			return bad;
		n++;
	}
	text_set(c->server_bin, sizeof(c->server_bin), all);
	if (n > 1 && n > c->servers)
		return usage_error("--server-bin: %u binaries for %llu servers",
		    n, (unsigned long long)c->servers);
	return 0;
}
