/* SPDX-License-Identifier: ISC */
/* A process that forks on request; see template.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/sig.h"
#include "proto/base/template.h"

struct request {
	pid_t parent;
	int nfds, to[SPAWN_FDS_MAX];
	char words[TEMPLATE_ARGV_SIZE]; /* each with its end */
	uint32_t size;
};

union control {
	struct cmsghdr header; /* for its alignment */
	char space[CMSG_SPACE(SPAWN_FDS_MAX * sizeof(int))];
};

/* The side that asks */

pid_t
template_start(char *const *argv, int *fd)
{
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	r.fds[r.nfds++] = (struct spawn_fd){ends[1], TEMPLATE_FD};
	pid = spawn(&r);
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	else
		*fd = ends[0];
	return pid;
}

static int
pack(const struct spawn_request *r, struct request *q)
{
	size_t len;
	int i;

	memset(q, 0, sizeof(*q));
	q->parent = getpid();
	for (i = 0; r->argv[i] != NULL; i++) {
		len = strlen(r->argv[i]) + 1;
		if (i == TEMPLATE_ARGV_MAX || q->size + len > sizeof(q->words))
			return -E2BIG;
		memcpy(q->words + q->size, r->argv[i], len);
		q->size += (uint32_t)len;
	}
	q->nfds = r->nfds;
	for (i = 0; i < r->nfds; i++)
		q->to[i] = r->fds[i].to;
	return 0;
}

static int
ask(int fd, const struct spawn_request *r, struct request *q)
{
	union control control;
	struct iovec iov = {.iov_base = q, .iov_len = sizeof(*q)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *h;
	int fds[SPAWN_FDS_MAX], i;

	if (r->nfds > 0) {
		for (i = 0; i < r->nfds; i++)
			fds[i] = r->fds[i].from;
		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE((size_t)r->nfds * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN((size_t)r->nfds * sizeof(int));
		memcpy(CMSG_DATA(h), fds, (size_t)r->nfds * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int
template_ask(int fd, const struct spawn_request *r)
{
	struct request q;
	int err = pack(r, &q);

	return err == 0 ? ask(fd, r, &q) : err;
}

int
template_answer(int fd, pid_t *pid)
{
	int32_t answer;
	ssize_t n;

	do
		n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n != (ssize_t)sizeof(answer))
		return -EPIPE;
	*pid = answer;
	return 0;
}

/* The template */

/* Take the descriptors of a message out of it. 0 or -errno. */
static int
unpack_fds(struct msghdr *m, const struct request *q, struct spawn_request *r)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	int fds[SPAWN_FDS_MAX], i;

	if (q->nfds == 0)
		return 0;
	if (h == NULL || h->cmsg_type != SCM_RIGHTS ||
	    h->cmsg_len != CMSG_LEN((size_t)q->nfds * sizeof(int)))
		return -EBADF;
	memcpy(fds, CMSG_DATA(h), (size_t)q->nfds * sizeof(int));
	for (i = 0; i < q->nfds; i++)
		r->fds[i] = (struct spawn_fd){fds[i], q->to[i]};
	r->nfds = q->nfds;
	return 0;
}

/* The next request. Ends the process when there will be none. */
static int
next_request(struct request *q, struct spawn_request *r)
{
	union control control;
	struct iovec iov = {.iov_base = q, .iov_len = sizeof(*q)};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space)};
	ssize_t n;

	do
		n = recvmsg(TEMPLATE_FD, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		_exit(n < 0 ? 1 : 0);
	memset(r, 0, sizeof(*r));
	if (n != (ssize_t)sizeof(*q))
		return -EBADMSG;
	return unpack_fds(&m, q, r);
}

/*
 * Show the command line of the child where ps looks for it: in the bytes
 * that the template's own words take, which follow each other.
 */
static void
show_words(int argc, char **argv, const struct request *q)
{
	char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	size_t room = (size_t)(end - argv[0]);
	size_t n = q->size < room ? q->size : room;

	memset(argv[0], 0, room);
	memcpy(argv[0], q->words, n);
	(void)prctl(PR_SET_NAME, q->words, 0, 0, 0); /* cut to 15 bytes */
}

/* Become a child of the one who asked; false when that one is gone. */
static bool
adopted(pid_t between, pid_t parent)
{
	struct timespec wait = {.tv_nsec = 100000};

	/* As long as the host is slow: its end is certain. */
	while (getppid() == between)
		(void)nanosleep(&wait, NULL); /* shorter is fine */
	return getppid() == parent &&
	       prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	       getppid() == parent;
}

/* In the child: as after an exec. */
static int
begin(const struct request *q, const struct spawn_request *r, pid_t between,
    int argc, char **main_argv, char **argv)
{
	static char words[TEMPLATE_ARGV_SIZE]; /* argv points here for good */
	uint32_t at;
	int n = 0;

	if (!adopted(between, q->parent))
		_exit(127);
	(void)setpgid(0, 0); /* can't fail: nobody has made a session of it */
	if (spawn_keep_fds(r) < 0)
		_exit(127);
	sig_reset();
	show_words(argc, main_argv, q);
	memcpy(words, q->words, q->size);
	for (at = 0; at < q->size; at += (uint32_t)strlen(words + at) + 1)
		argv[n++] = words + at;
	argv[n] = NULL;
	return n;
}

static void
answer(int32_t pid)
{
	/* When nobody hears it, the next request says so. */
	(void)!send(TEMPLATE_FD, &pid, sizeof(pid), MSG_NOSIGNAL);
}

/*
 * The one between: forks the child and says its pid. It dies with the template,
 * so that who has killed the template knows that no child comes later.
 */
static bool
is_the_child(pid_t template, int32_t *born)
{
	pid_t pid;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    getppid() != template)
		_exit(127);
	pid = fork();
	if (pid == 0)
		return true;
	*born = pid > 0 ? pid : -errno;
	_exit(0);
}

int
template_serve(int argc, char **main_argv, char **argv)
{
	struct spawn_request r;
	struct request q;
	pid_t between, template = getpid();
	int32_t *born = mmap(NULL, sizeof(*born), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err, i;

	if (born == MAP_FAILED)
		_exit(127);
	for (;;) {
		err = next_request(&q, &r);
		*born = -ECHILD; /* if it is killed before it can say */
		between = err < 0 ? err : fork();
		if (between == 0) {
			between = getpid();
			if (is_the_child(template, born)) {
				(void)munmap(born, sizeof(*born));
				return begin(
				    &q, &r, between, argc, main_argv, argv);
			}
		}
		/*
		 * Only when the one between is gone is the child the asker's
		 * to wait for: told earlier, it would get ECHILD.
		 */
		if (between < 0) {
			answer(err < 0 ? err : -errno);
		} else {
			(void)waitpid(between, NULL, 0); /* at once gone */
			answer(*born);
		}
		for (i = 0; i < r.nfds; i++)
			close(r.fds[i].from);
	}
}
