/* SPDX-License-Identifier: ISC */
/* What is given up is refused, in all threads; what is needed still works. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/confine.h"
#include "proto/base/spawn.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_FILTER false
#elif defined(__x86_64__) || defined(__aarch64__)
#define HAS_FILTER true
#else
#define HAS_FILTER false
#endif

#define NO_FILTER 60 /* exit code: this host has none */

/* In a process of its own, since there is no way back: its exit code. */
static int
run(const char *role)
{
	char *argv[] = {(char *)"test_confine", (char *)(uintptr_t)role, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	int status;
	pid_t pid;

	r.fds[r.nfds++] = (struct spawn_fd){2, 2};
	pid = spawn(&r);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + status;
}

static void
test_denied(void **state)
{
	int got = HAS_FILTER ? run("denied") : NO_FILTER;

	(void)state;
	if (got == NO_FILTER)
		skip();
	assert_int_equal(got, 0);
	assert_int_equal(run("denied in a thread"), 0);
}

static void
test_allowed(void **state)
{
	(void)state;
	assert_int_equal(run("allowed"), 0);
}

static void
test_refused(void **state)
{
	(void)state;
	if (!HAS_FILTER)
		skip();
	assert_int_equal(run("refused"), 0);
}

/* Calls that anybody may make, with or without an effect. 0, or its place. */
static int
try_denied(void)
{
	char *argv[] = {(char *)"true", NULL};
	const long got[] = {
	    execv("/bin/true", argv),
	    syscall(SYS_ptrace, 0L, 0L, 0L, 0L),
	    syscall(SYS_unshare, 0L),
	    syscall(SYS_setns, -1L, 0L),
	    syscall(SYS_personality, 0xffffffffL),
	    syscall(SYS_kill, (long)getpid(), 0L),
	    syscall(SYS_process_vm_readv, (long)getpid(), 0L, 0L, 0L, 0L, 0L),
	    syscall(SYS_keyctl, 0L, -2L, 0L),
	    syscall(SYS_adjtimex, NULL),
	    syscall(SYS_mount, NULL, NULL, NULL, 0L, NULL),
	    syscall(SYS_bpf, -1L, NULL, 0L),
	    syscall(SYS_finit_module, -1L, NULL, 0L),
	};
	size_t i;

	for (i = 0; i < sizeof(got) / sizeof(got[0]); i++)
		if (got[i] != -1)
			return (int)i + 1;
	/* They were not refused for what was asked. */
	errno = 0;
	if (syscall(SYS_setns, -1L, 0L) == -1 && errno != EPERM)
		return 50;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 51;
}

static void *
in_thread(void *arg)
{
	*(int *)arg = try_denied();
	return NULL;
}

static int
join(int *got)
{
	pthread_t t;

	return pthread_create(&t, NULL, in_thread, got) != 0 ||
	       pthread_join(t, NULL) != 0;
}

/* What a client's library does. */
static int
role_allowed(void)
{
	char byte = 'x';
	int got = 0, pair[2], fd;

	(void)confine_self(); /* what it refuses is looked at elsewhere */
	if (join(&got) != 0)
		return 1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    write(pair[0], &byte, 1) != 1 || read(pair[1], &byte, 1) != 1)
		return 2;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || close(fd) < 0)
		return 3;
	fd = open("/dev/null", O_RDONLY);
	if (fd < 0 || close(fd) < 0)
		return 4;
	return raise(0) == 0 ? 0 : 5; /* as abort() does */
}

/* A container's filter that refuses filters: EINVAL, as some say. */
static int
role_refused(void)
{
	struct sock_filter f[] = {
	    BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = f};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 77;
	return confine_self() == -EINVAL ? 0 : 1;
}

static int
role(const char *name)
{
	int got = 0;

	if (strcmp(name, "allowed") == 0)
		return role_allowed();
	if (strcmp(name, "refused") == 0)
		return role_refused();
	if (confine_self() < 0)
		return NO_FILTER;
	if (strcmp(name, "denied") == 0)
		return try_denied();
	return join(&got) != 0 ? 61 : got;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_denied),
	    cmocka_unit_test(test_allowed),
	    cmocka_unit_test(test_refused),
	};

	if (argc > 1)
		return role(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
