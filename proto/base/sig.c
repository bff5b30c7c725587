/* SPDX-License-Identifier: ISC */
/* Signals as a descriptor; see sig.h. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proto/base/sig.h"

void
sig_ignore_writes(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* both are valid signals */
	(void)signal(SIGXFSZ, SIG_IGN);
}

static bool
is_ignored(int sig)
{
	struct sigaction now;

	return sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static int
block(const int *signals, int n, sigset_t *set)
{
	int i;

	sigemptyset(set);
	for (i = 0; i < n; i++)
		if (signals[i] != SIGHUP || !is_ignored(SIGHUP))
			sigaddset(set, signals[i]);
	return sigprocmask(SIG_BLOCK, set, NULL) < 0 ? -errno : 0;
}

void
sig_hold(const int *signals, int n)
{
	sigset_t set;

	(void)block(signals, n, &set); /* what it is asked for is valid */
}

int
sig_open(const int *signals, int n)
{
	sigset_t set;
	int err = block(signals, n, &set), fd;

	sig_ignore_writes();
	if (err < 0)
		return err;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int
sig_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(fd, &info, sizeof(info));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void
sig_reset(void)
{
	sigset_t none;

	(void)signal(SIGPIPE, SIG_DFL); /* both are valid signals */
	(void)signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* valid arguments */
}
