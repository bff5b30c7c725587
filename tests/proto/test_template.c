/* SPDX-License-Identifier: ISC */
/*
 * A template forks what a spawn would have started: nothing tells them apart
 * but the time it takes.
 */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/template.h"
#include "proto/base/text.h"

#define ROOM "------------------------------------------------"

static pid_t
start_template(int *fd)
{
	static char *argv[] = {
	    (char *)"test_template", (char *)"template", (char *)ROOM, NULL};
	pid_t pid = template_start(argv, fd);

	assert_true(pid > 0);
	return pid;
}

static void
end_template(pid_t pid, int fd)
{
	int status;

	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Ask, and wait for the answer as long as it takes. */
static pid_t
template_spawn(int fd, const struct spawn_request *r)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	pid_t pid = 0;
	int err = template_ask(fd, r);

	if (err < 0)
		return err;
	assert_int_equal(poll(&p, 1, -1), 1);
	err = template_answer(fd, &pid);
	return err < 0 ? err : pid;
}

/* Have it fork a role; what that wrote to descriptor 4 until its end. */
static pid_t
start(int fd, const char *role, char *answer, size_t size)
{
	char *argv[] = {(char *)"test-child", (char *)(uintptr_t)role, NULL};
	struct spawn_request r = {.argv = argv};
	size_t len = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	assert_int_equal(spawn_pipe(fds), 0);
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], 4};
	pid = template_spawn(fd, &r);
	close(fds[1]);
	assert_true(pid > 0);
	while ((n = read(fds[0], answer + len, size - len - 1)) > 0)
		len += (size_t)n;
	answer[len] = '\0';
	close(fds[0]);
	return pid;
}

static void
assert_ended(pid_t pid, int expected)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, expected);
}

static void
test_children(void **state)
{
	char answer[256], expected[64];
	int fd, leak;
	pid_t template, pid;

	(void)state;
	leak = open("/dev/null", O_RDONLY);
	template = start_template(&fd);
	pid = start(fd, "list", answer, sizeof(answer));
	assert_string_equal(answer, "0 1 2 4 ");
	assert_ended(pid, 0);
	pid = start(fd, "parent", answer, sizeof(answer));
	text_format(expected, sizeof(expected), "%d", (int)getpid());
	assert_string_equal(answer, expected);
	assert_ended(pid, 0);
	pid = start(fd, "signals", answer, sizeof(answer));
	assert_string_equal(answer, "0000000000000000");
	assert_ended(pid, 0);
	pid = start(fd, "words", answer, sizeof(answer));
	assert_string_equal(answer, "test-child words");
	assert_ended(pid, 0);
	pid = start(fd, "fails", answer, sizeof(answer));
	assert_ended(pid, 7 << 8);
	end_template(template, fd);
	close(leak);
}

static void
test_many(void **state)
{
	char *argv[] = {(char *)"test-child", (char *)"wait", NULL};
	struct spawn_request r = {.argv = argv};
	pid_t template, pids[200];
	int fd, i;

	(void)state;
	template = start_template(&fd);
	for (i = 0; i < 200; i++) {
		pids[i] = template_spawn(fd, &r);
		assert_true(pids[i] > 0);
	}
	/* They need it no more, and are ours to end. */
	end_template(template, fd);
	for (i = 0; i < 200; i++) {
		assert_int_equal(waitpid(pids[i], NULL, WNOHANG), 0);
		assert_int_equal(kill(pids[i], SIGKILL), 0);
		assert_ended(pids[i], SIGKILL);
	}
}

static void
test_refusals(void **state)
{
	static char longest[TEMPLATE_ARGV_SIZE + 1];
	char *good[] = {(char *)"x", (char *)"fails", NULL};
	char *long_one[] = {longest, NULL};
	char *many[TEMPLATE_ARGV_MAX + 2];
	struct spawn_request r = {.argv = long_one};
	pid_t template;
	int fd, i;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	template = start_template(&fd);
	assert_int_equal(template_spawn(fd, &r), -E2BIG);
	for (i = 0; i <= TEMPLATE_ARGV_MAX; i++)
		many[i] = (char *)"x";
	many[i] = NULL;
	r.argv = many;
	assert_int_equal(template_spawn(fd, &r), -E2BIG);
	r.argv = good;
	r.fds[r.nfds++] = (struct spawn_fd){9999, 4};
	assert_int_equal(template_spawn(fd, &r), -EBADF);
	/* And goes on after each. */
	r.nfds = 0;
	assert_ended(template_spawn(fd, &r), 7 << 8);
	assert_int_equal(kill(template, SIGKILL), 0);
	assert_ended(template, SIGKILL);
	assert_true(template_spawn(fd, &r) < 0);
	close(fd);
}

/* Nobody waits: what was asked is answered in its order, when it is done. */
static void
test_answers_in_order(void **state)
{
	char *words[] = {(char *)"test-child", (char *)"fails", NULL};
	char *longer[] = {(char *)"test-child", (char *)"wait", NULL};
	struct spawn_request r = {.argv = words};
	struct pollfd p = {.events = POLLIN};
	pid_t template, pid;
	int i, err;

	(void)state;
	template = start_template(&p.fd);
	assert_int_equal(template_answer(p.fd, &pid), -EAGAIN);
	assert_int_equal(kill(template, SIGSTOP), 0);
	for (i = 0; i < 8; i++) {
		r.argv = i % 2 == 0 ? words : longer;
		assert_int_equal(template_ask(p.fd, &r), 0);
	}
	assert_int_equal(template_answer(p.fd, &pid), -EAGAIN);
	assert_int_equal(kill(template, SIGCONT), 0);
	for (i = 0; i < 8; i++) {
		assert_int_equal(poll(&p, 1, -1), 1);
		assert_int_equal(template_answer(p.fd, &pid), 0);
		assert_true(pid > 0);
		if (i % 2 == 1)
			assert_int_equal(kill(pid, SIGKILL), 0);
		assert_ended(pid, i % 2 == 1 ? SIGKILL : 7 << 8);
	}
	/* So many that they are not taken: it says so, and goes on. */
	assert_int_equal(kill(template, SIGSTOP), 0);
	r.argv = words;
	for (i = 0; (err = template_ask(p.fd, &r)) == 0; i++)
		assert_true(i < 100000);
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(kill(template, SIGCONT), 0);
	for (; i > 0; i--) {
		assert_int_equal(poll(&p, 1, -1), 1);
		assert_int_equal(template_answer(p.fd, &pid), 0);
		assert_ended(pid, 7 << 8);
	}
	end_template(template, p.fd);
}

static void
kill_children(void)
{
	pid_t pids[64];
	int n = spawn_find_children("wait", pids, 64);

	while (n > 0)
		assert_int_equal(kill(pids[--n], SIGKILL), 0);
}

/* It was killed and reaped: then no child of it comes any more. */
static void
test_killed(void **state)
{
	char *argv[] = {(char *)"test-child", (char *)"wait", NULL};
	struct spawn_request r = {.argv = argv};
	pid_t template;
	int fd, i, round;

	(void)state;
	for (round = 0; round < 20; round++) {
		template = start_template(&fd);
		for (i = 0; i < 20; i++)
			assert_int_equal(template_ask(fd, &r), 0);
		for (i = 0; i < round; i++)
			assert_int_equal(poll(NULL, 0, 1), 0);
		assert_int_equal(kill(template, SIGKILL), 0);
		assert_ended(template, SIGKILL);
		close(fd);
		/* Children fall to us when the one between is gone, too. */
		while (waitpid(-1, NULL, WNOHANG) >= 0)
			kill_children();
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Who asked dies: so does the child, and it falls to us. */
static void
test_death_signal(void **state)
{
	char answer[64], *second;
	pid_t template, pid, child, its;
	uint64_t n;
	int fd, status;

	(void)state;
	template = start_template(&fd);
	pid = start(fd, "asks", answer, sizeof(answer));
	second = strchr(answer, ' ');
	assert_non_null(second);
	*second++ = '\0';
	assert_int_equal(text_to_u64(answer, INT32_MAX, &n), 0);
	its = (pid_t)n;
	assert_int_equal(text_to_u64(second, INT32_MAX, &n), 0);
	child = (pid_t)n;
	assert_ended(pid, 0);
	/* By the signal, or by itself when it was not yet set to get one. */
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(status == SIGKILL || status == 127 << 8);
	assert_int_equal(waitpid(its, NULL, 0), its);
	end_template(template, fd);
}

static int
put(const char *text)
{
	return write(4, text, strlen(text)) != (ssize_t)strlen(text);
}

static int
role_list(void)
{
	DIR *d = opendir("/proc/self/fd");
	char line[256] = "";
	bool seen[64] = {false};
	struct dirent *e;
	uint64_t fd;

	if (d == NULL)
		return 1;
	while ((e = readdir(d)) != NULL)
		if (text_to_u64(e->d_name, INT32_MAX, &fd) == 0 &&
		    (int)fd != dirfd(d))
			seen[fd < 64 ? fd : 63] = true;
	closedir(d);
	for (fd = 0; fd < 64; fd++)
		if (seen[fd])
			text_add(line, sizeof(line), "%u ", (unsigned)fd);
	return put(line);
}

/* Of /proc/self: what follows "key" in status, or the words of cmdline. */
static int
put_file(const char *path, const char *key)
{
	char text[4096];
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0, i;
	char *at = text;

	if (f != NULL)
		fclose(f);
	text[n] = '\0';
	if (key != NULL) {
		at = strstr(text, key);
		if (at == NULL)
			return 1;
		at += strlen(key);
		at[strcspn(at, "\n")] = '\0';
		return put(at);
	}
	while (n > 0 && text[n - 1] == '\0')
		n--;
	for (i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return put(text);
}

/* Starts a template of its own and a child by it, and ends. */
static int
role_asks(void)
{
	char *argv[] = {(char *)"test-child", (char *)"wait", NULL};
	char *own[] = {
	    (char *)"test_template", (char *)"template", (char *)ROOM, NULL};
	struct spawn_request r = {.argv = argv};
	char line[64] = "";
	int fd, its;
	pid_t child;

	if (spawn_subreaper() < 0)
		return 1;
	its = template_start(own, &fd);
	child = its > 0 ? template_spawn(fd, &r) : -1;
	text_add(line, sizeof(line), "%d %d", its, (int)child);
	return put(line);
}

static int
role(const char *name)
{
	char text[32];

	text_format(text, sizeof(text), "%d", (int)getppid());
	if (strcmp(name, "list") == 0)
		return role_list();
	if (strcmp(name, "parent") == 0)
		return put(text);
	if (strcmp(name, "signals") == 0)
		return put_file("/proc/self/status", "SigBlk:\t");
	if (strcmp(name, "words") == 0)
		return put_file("/proc/self/cmdline", NULL);
	if (strcmp(name, "asks") == 0)
		return role_asks();
	if (strcmp(name, "fails") == 0)
		return 7;
	for (;;)
		if (pause() == 0)
			return 1; /* it never is */
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_children),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_answers_in_order),
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_death_signal),
	};
	char *words[TEMPLATE_ARGV_MAX + 1];

	if (argc > 1 && strcmp(argv[1], "template") == 0) {
		argc = template_serve(argc, argv, words);
		argv = words;
	}
	if (argc > 1)
		return role(argv[1]);
	if (spawn_subreaper() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
