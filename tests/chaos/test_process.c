/* SPDX-License-Identifier: ISC */
/*
 * A process of somebody else's: what is known of it, that a connection ends at
 * it, and that the guard continues it when nobody else can.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "chaos/cluster/external/guard.h"
#include "chaos/cluster/external/process.h"
#include "proto/base/spawn.h"
#include "tests/support.h"

#define WAITS	 2000	 /* of 5 ms */
#define PID_NONE 4194304 /* no process has a higher number */

/* A child that waits for its end. */
static pid_t
begin(void)
{
	char path[] = "/proc/self/exe", word[] = "wait";
	char *argv[] = {path, word, NULL};
	struct spawn_request r = {.path = path, .argv = argv};
	pid_t pid = spawn(&r);

	assert_true(pid > 0);
	return pid;
}

static void
end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool
becomes(const struct process *p, bool stopped)
{
	int i;

	for (i = 0; i < WAITS && process_is_stopped(p) != stopped; i++)
		(void)poll(NULL, 0, 5);
	return i < WAITS;
}

static void
test_life(void **state)
{
	pid_t pid = begin();
	struct process p, later;

	(void)state;
	assert_int_equal(process_open(&p, pid), 0);
	assert_true(process_runs(&p));
	assert_false(process_is_stopped(&p));
	assert_int_equal(process_check_server(&p), -ENOEXEC);
	assert_false(process_has_config(&p));
	assert_int_equal(process_signal(&p, 0), 0);
	assert_int_equal(process_signal(&p, SIGSTOP), 0);
	assert_true(becomes(&p, true));
	assert_int_equal(process_signal(&p, SIGCONT), 0);
	assert_true(becomes(&p, false));
	end(pid);
	assert_false(process_runs(&p));
	assert_false(process_is_stopped(&p));
	assert_int_equal(process_signal(&p, SIGCONT), -ESRCH);
	assert_int_equal(process_open(&later, pid), -ESRCH);
	assert_int_equal(later.pid, 0);
	process_close(&p);
	assert_int_equal(process_signal(&p, SIGCONT), -ESRCH);
}

/* A listener at that address, and a connection to it; -1: no such address. */
static int
connect_pair(
    struct sockaddr *a, socklen_t len, const struct sockaddr *to, int *accepted)
{
	int listener = socket(a->sa_family, SOCK_STREAM, 0), fd;
	struct sockaddr_storage aim;

	if (listener < 0 || bind(listener, a, len) < 0) {
		close(listener);
		return -1;
	}
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, a, &len), 0);
	memcpy(&aim, to, sizeof(struct sockaddr_in6));
	/* The port is at the same place in both. */
	((struct sockaddr_in *)&aim)->sin_port =
	    ((struct sockaddr_in *)a)->sin_port;
	fd = socket(to->sa_family, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&aim,
		to->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					 : sizeof(struct sockaddr_in6)),
	    0);
	*accepted = accept(listener, NULL, NULL);
	close(listener);
	return fd;
}

static void
look_at_peer(struct sockaddr *a, socklen_t len, const struct sockaddr *to)
{
	struct process us, other;
	int fd, accepted;
	pid_t pid = begin(); /* it has none of what we open now */

	assert_int_equal(process_open(&us, getpid()), 0);
	assert_int_equal(process_open(&other, pid), 0);
	fd = connect_pair(a, len, to, &accepted);
	if (fd >= 0) {
		assert_true(process_has_peer(&us, fd));
		assert_false(process_has_peer(&other, fd));
		close(accepted);
		assert_false(process_has_peer(&us, fd));
		close(fd);
	}
	process_close(&us);
	process_close(&other);
	end(pid);
}

static void
test_peer(void **state)
{
	union {
		struct sockaddr a;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} v4 = {.in = {.sin_family = AF_INET}},
	  v6 = {.in6 = {.sin6_family = AF_INET6,
		    .sin6_addr = IN6ADDR_LOOPBACK_INIT}},
	  any = {.in6 = {.sin6_family = AF_INET6,
		     .sin6_addr = IN6ADDR_ANY_INIT}},
	  to = v4;

	(void)state;
	v4.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to = v4;
	look_at_peer(&v4.a, sizeof(v4.in), &to.a);
	look_at_peer(&any.a, sizeof(any.in6), &to.a);
	to = v6;
	look_at_peer(&v6.a, sizeof(v6.in6), &to.a);
}

/* One that is noted and not taken back is continued; another one is not. */
static void
test_guard(void **state)
{
	pid_t pids[2] = {begin(), begin()};
	struct process p[2], wrong;
	struct guard g;
	int i;

	(void)state;
	assert_int_equal(guard_start(&g), 0);
	assert_true(guard_runs(&g));
	for (i = 0; i < 2; i++) {
		assert_int_equal(process_open(&p[i], pids[i]), 0);
		assert_int_equal(guard_note(&g, &p[i], true), 0);
		assert_int_equal(process_signal(&p[i], SIGSTOP), 0);
		assert_true(becomes(&p[i], true));
	}
	/* A number that another process has now. */
	assert_int_equal(guard_note(&g, &p[1], false), 0);
	wrong = p[1];
	wrong.start--;
	assert_int_equal(guard_note(&g, &wrong, true), 0);
	guard_stop(&g);
	assert_true(becomes(&p[0], false));
	assert_true(process_is_stopped(&p[1]));
	assert_false(guard_runs(&g));
	assert_int_equal(guard_note(&g, &p[0], true), -EPIPE);
	for (i = 0; i < 2; i++) {
		process_close(&p[i]);
		end(pids[i]);
	}
}

/* Those that ended while they were stopped take no room. */
static void
test_guard_room(void **state)
{
	struct process p, gone;
	pid_t pid = begin();
	struct guard g;
	unsigned i;

	(void)state;
	assert_int_equal(process_open(&p, pid), 0);
	assert_int_equal(guard_start(&g), 0);
	gone = p;
	for (i = 1; i <= CONFIG_NODES_MAX; i++) {
		gone.pid = PID_NONE + (pid_t)i;
		assert_int_equal(guard_note(&g, &gone, true), 0);
	}
	assert_int_equal(guard_note(&g, &p, true), 0);
	assert_int_equal(process_signal(&p, SIGSTOP), 0);
	assert_true(becomes(&p, true));
	guard_stop(&g);
	assert_true(becomes(&p, false));
	process_close(&p);
	end(pid);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_life),
	    cmocka_unit_test(test_peer),
	    cmocka_unit_test(test_guard),
	    cmocka_unit_test(test_guard_room),
	};

	if (argc > 1 && strcmp(argv[1], "--guard") == 0)
		return guard_main();
	if (argc > 1 && strcmp(argv[1], "wait") == 0)
		return pause();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
