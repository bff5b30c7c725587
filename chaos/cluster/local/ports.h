/* SPDX-License-Identifier: ISC */
/*
 * Ports of loopback for servers of ours: free now, below those that the
 * kernel gives to outgoing connections, and chosen by no other natsburn.
 */
#ifndef CHAOS_LOCAL_PORTS_H
#define CHAOS_LOCAL_PORTS_H

#include <stdint.h>

#include "proto/base/rng.h"
#include "proto/config.h"

#define PORTS_MAX (5 * CONFIG_NODES_MAX)

struct ports {
	struct rng rng;
	/* sockets whose names keep others from these ports */
	int held[PORTS_MAX];
	unsigned n;
};

void ports_init(struct ports *);

/* One more; 0 when there is none, or when PORTS_MAX are taken. */
uint16_t ports_take(struct ports *);

/* They may be taken again. */
void ports_fini(struct ports *);

#endif
