/* SPDX-License-Identifier: ISC */
/* The chaos process as the rest of natsburn sees it. */
#ifndef CHAOS_CHAOS_H
#define CHAOS_CHAOS_H

#include <stdint.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"

/* Main of the chaos process; returns its exit code. */
int chaos_main(uint32_t source, uint32_t incarnation);

/* Main of its link proxy process; returns its exit code. */
int link_main(uint32_t source, uint32_t incarnation);

/* Main of the process of its simulated disks; returns its exit code. */
int drive_main(uint32_t source, uint32_t incarnation);

/* Main of the guard (chaos/cluster/external/guard.h); returns its exit code. */
int guard_main(void);

#endif
