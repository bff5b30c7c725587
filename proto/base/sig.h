/* SPDX-License-Identifier: ISC */
/*
 * Signals as a descriptor: those named are blocked and read from the
 * signalfd, so that no handler ever runs.
 */
#ifndef BASE_SIG_H
#define BASE_SIG_H

/*
 * A write that can't be done (the reader is gone, the file may not be that
 * large) is an error of the write, not the end of the process.
 */
void sig_ignore_writes(void);

/*
 * Block the n signals and return a close-on-exec signalfd, or -errno. Writes
 * are as above. A SIGHUP that is ignored (nohup) stays so, and is not told.
 */
int sig_open(const int *signals, int n);

/*
 * Block them, so that they wait until sig_open() is called: for whoever has
 * begun what a signal should end in order, and can't read it yet.
 */
void sig_hold(const int *signals, int n);

/* The next pending signal of fd, 0 when there is none, or -errno. */
int sig_next(int fd);

/* Unblock everything and restore defaults: for a child before exec. */
void sig_reset(void);

#endif
