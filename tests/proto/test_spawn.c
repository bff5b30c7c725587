/* SPDX-License-Identifier: ISC */
/* spawn: the answer is true, and nothing is inherited but what is given. */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/sig.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define SELF "/proc/self/exe"

static void
read_all(int fd, char *out, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, out + len, size - len - 1)) > 0)
		len += (size_t)n;
	out[len] = '\0';
}

/* Start ourselves in a role; returns what it wrote to descriptor 4. */
static pid_t
start(const char *role, char *answer, size_t size)
{
	char *argv[] = {(char *)"test_spawn", (char *)(uintptr_t)role, NULL};
	struct spawn_request r = {.path = SELF, .argv = argv};
	int fds[2];
	pid_t pid;

	assert_int_equal(spawn_pipe(fds), 0);
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], 4};
	pid = spawn(&r);
	close(fds[1]);
	assert_true(pid > 0);
	read_all(fds[0], answer, size);
	close(fds[0]);
	return pid;
}

static void
test_exec_errors(void **state)
{
	static const struct {
		const char *path;
		int err;
	} rows[] = {
	    {"/nonexistent/program", -ENOENT},
	    {"/dev/null", -EACCES},
	    {"/", -EACCES},
	    {TESTS_DIR "/CMakeLists.txt", -EACCES},
	};
	char *argv[] = {(char *)"x", NULL};
	struct spawn_request r = {.argv = argv};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.path = rows[i].path;
		assert_int_equal(spawn(&r), rows[i].err);
		/* It was reaped, too. */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void
test_bad_descriptor(void **state)
{
	char *argv[] = {(char *)"x", NULL};
	struct spawn_request r = {.path = SELF, .argv = argv};

	(void)state;
	r.fds[r.nfds++] = (struct spawn_fd){9999, 4};
	assert_int_equal(spawn(&r), -EBADF);
}

static void
test_only_given_descriptors(void **state)
{
	char answer[256];
	int leaks[3], status;
	pid_t pid;

	(void)state;
	/* Inheritable ones, low and high: none may get through. */
	leaks[0] = open("/dev/null", O_RDONLY);
	leaks[1] = fcntl(leaks[0], F_DUPFD, 100);
	leaks[2] = fcntl(leaks[0], F_DUPFD, 7);
	assert_true(leaks[0] >= 0 && leaks[1] >= 0 && leaks[2] >= 0);
	pid = start("list", answer, sizeof(answer));
	assert_string_equal(answer, "0 1 2 4 ");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(leaks[0]);
	close(leaks[1]);
	close(leaks[2]);
}

/* Targets may be others' sources: 3 and 4 are swapped. */
static void
test_swapped_descriptors(void **state)
{
	char *argv[] = {(char *)"test_spawn", (char *)"swap", NULL};
	struct spawn_request r = {.path = SELF, .argv = argv};
	int a[2], b[2], three, four, status;
	char answer[16];
	pid_t pid;

	(void)state;
	assert_int_equal(spawn_pipe(a), 0);
	assert_int_equal(spawn_pipe(b), 0);
	three = fcntl(a[1], F_DUPFD_CLOEXEC, 3);
	four = fcntl(b[1], F_DUPFD_CLOEXEC, three + 1);
	r.fds[r.nfds++] = (struct spawn_fd){three, four};
	r.fds[r.nfds++] = (struct spawn_fd){four, three};
	text_format(answer, sizeof(answer), "%d", four);
	assert_int_equal(setenv("SPAWN_TEST_FD", answer, 1), 0);
	pid = spawn(&r);
	assert_true(pid > 0);
	close(a[1]);
	close(b[1]);
	close(three);
	close(four);
	read_all(a[0], answer, sizeof(answer));
	assert_string_equal(answer, "here");
	read_all(b[0], answer, sizeof(answer));
	assert_string_equal(answer, "");
	close(a[0]);
	close(b[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Blocked and ignored signals of ours are not the child's. */
static void
test_signals_are_reset(void **state)
{
	sigset_t all, old;
	char answer[64];
	pid_t pid;

	(void)state;
	sigfillset(&all);
	sig_ignore_writes();
	assert_int_equal(sigprocmask(SIG_BLOCK, &all, &old), 0);
	pid = start("signals", answer, sizeof(answer));
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	assert_string_equal(answer, "0000000000000000 0000000000000000 ");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A grandchild dies with the child that spawned it, and falls to us. */
static void
test_death_signal(void **state)
{
	char answer[64];
	int status;
	uint64_t grandchild;
	pid_t pid;

	(void)state;
	assert_int_equal(spawn_subreaper(), 0);
	pid = start("parent", answer, sizeof(answer));
	assert_int_equal(text_to_u64(answer, INT32_MAX, &grandchild), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(
	    waitpid((pid_t)grandchild, &status, 0), (pid_t)grandchild);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static int
role_list(void)
{
	DIR *d = opendir("/proc/self/fd");
	char seen[64] = "", line[256] = "";
	struct dirent *e;
	uint64_t fd;

	if (d == NULL)
		return 1;
	while ((e = readdir(d)) != NULL)
		if (text_to_u64(e->d_name, sizeof(seen) - 1, &fd) == 0 &&
		    (int)fd != dirfd(d))
			seen[fd] = 1;
		else if (text_to_u64(e->d_name, UINT64_MAX, &fd) == 0 &&
			 (int)fd != dirfd(d))
			text_add(line, sizeof(line), "high ");
	closedir(d);
	for (fd = 0; fd < sizeof(seen); fd++)
		if (seen[fd])
			text_add(line, sizeof(line), "%u ", (unsigned)fd);
	return write(4, line, strlen(line)) != (ssize_t)strlen(line);
}

static int
role_swap(void)
{
	const char *text = getenv("SPAWN_TEST_FD");
	uint64_t fd;

	if (text == NULL || text_to_u64(text, 100, &fd) < 0)
		return 1;
	return write((int)fd, "here", 4) != 4;
}

static int
role_signals(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	int failed = 0;

	if (f == NULL)
		return 1;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "SigBlk:\t", 8) == 0 ||
		    strncmp(line, "SigIgn:\t", 8) == 0) {
			line[24] = ' ';
			failed |= write(4, line + 8, 17) != 17;
		}
	fclose(f);
	return failed;
}

static int
role_parent(void)
{
	char *argv[] = {(char *)"test_spawn", (char *)"wait", NULL};
	struct spawn_request r = {.path = SELF, .argv = argv};
	char line[32];
	pid_t pid = spawn(&r);
	int len = snprintf(line, sizeof(line), "%d", (int)pid);

	return pid < 0 || write(4, line, (size_t)len) != len;
}

static int
role_wait(void)
{
	for (;;)
		if (pause() == 0)
			return 1; /* it never is */
}

static int
role(const char *name)
{
	if (strcmp(name, "list") == 0)
		return role_list();
	if (strcmp(name, "swap") == 0)
		return role_swap();
	if (strcmp(name, "signals") == 0)
		return role_signals();
	if (strcmp(name, "parent") == 0)
		return role_parent();
	return role_wait();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exec_errors),
	    cmocka_unit_test(test_bad_descriptor),
	    cmocka_unit_test(test_only_given_descriptors),
	    cmocka_unit_test(test_swapped_descriptors),
	    cmocka_unit_test(test_signals_are_reset),
	    cmocka_unit_test(test_death_signal),
	};

	if (argc > 1)
		return role(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
