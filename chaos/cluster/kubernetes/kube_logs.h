/* SPDX-License-Identifier: ISC */
/*
 * The logs of the pods: asked for every LOGS_NS, and what is new in them given
 * to chaos, line by line. Without the right to read them nothing is asked.
 */
#ifndef CHAOS_KUBE_LOGS_H
#define CHAOS_KUBE_LOGS_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"
#include "proto/base/clock.h"

#define LOGS_NS (10 * CLOCK_S)

/* Of one server. */
struct kube_logs {
	struct cluster *cluster;
	unsigned node;
	bool is_asking, is_refused;
	uint64_t asked_ns; /* when what came last was asked for; 0: never */
	uint64_t next_ns;
	char last[40]; /* time stamp of the last line that was taken */
};

/* Do what is due. */
void kube_logs_step(struct cluster *);

#endif
