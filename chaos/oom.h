/* SPDX-License-Identifier: ISC */
/* What the kernel tells of processes that it killed for lack of memory. */
#ifndef CHAOS_OOM_H
#define CHAOS_OOM_H

#include <stdint.h>

/*
 * Kills so far in this process's control group, which is that of the servers
 * it starts; where that is not told, on this host. 0 where neither is.
 */
uint64_t oom_kills(void);

#endif
