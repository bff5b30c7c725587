/* SPDX-License-Identifier: ISC */
/*
 * Signals as a descriptor. SIGPIPE is ignored; the signals named are
 * blocked and read from the signalfd, so that no handler ever runs.
 */
#ifndef BASE_SIG_H
#define BASE_SIG_H

/* Block the n signals and return a close-on-exec signalfd, or -errno. */
int sig_open(const int *signals, int n);

/* The next pending signal of fd, 0 when there is none, or -errno. */
int sig_next(int fd);

/* Unblock everything and restore defaults: for a child before exec. */
void sig_reset(void);

#endif
