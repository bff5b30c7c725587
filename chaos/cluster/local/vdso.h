/* SPDX-License-Identifier: ISC */
/*
 * A wall clock of its own for one process. Programs in Go, and most others,
 * read the clock by a function that the kernel maps into them (the vDSO). When
 * the process has just been executed that function is replaced by one that
 * makes the system call and adds an offset to CLOCK_REALTIME; all other clocks
 * stay. Nothing of it outlives the process. Linux on x86-64.
 */
#ifndef CHAOS_LOCAL_VDSO_H
#define CHAOS_LOCAL_VDSO_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The process was spawned to be stopped (spawn.h): wait until it is, replace
 * the function, and let it go on. The offset is 0. -ENOTSUP where that can't be
 * done for the processor or this vDSO, or -errno; then it still has to be
 * ended.
 */
int vdso_take_over(pid_t);

/* How far its wall clock is ahead of the host's from now on. 0 or -errno. */
int vdso_set_offset(pid_t, int64_t ns);

/* Can it be done here? Tries it with a short process of its own: 0 or -errno.
 */
int vdso_try(void);

#endif
