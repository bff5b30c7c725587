/* SPDX-License-Identifier: ISC */
/*
 * How busy this host is: how many tasks share its processors, for how much of
 * the time one of them waits (PSI, where the kernel tells it), and how late
 * our own loop wakes up. Verdicts about time rest on it (judge/faults.h).
 */
#ifndef ORCHESTRATOR_HOST_H
#define ORCHESTRATOR_HOST_H

#include "proto/message.h"

#define HOST_PRESSURE_UNKNOWN 1001 /* in place of thousandths */

struct host {
	uint64_t processors;	      /* 0: it is not looked at */
	uint64_t sampled_ns, told_ns; /* 0: not yet */
	uint64_t tasks, samples;      /* since it was told */
	uint64_t waited_us;	      /* of PSI, when it was told */
	uint64_t late_ns;
};

/* One that is zeroed tells nothing. */
void host_init(struct host *);

/* Our loop woke up so late. */
void host_late(struct host *, uint64_t late_ns);

/*
 * Look, if it is time to. True when there is something to tell, which is so
 * every five seconds, in HOST_LOAD.
 */
bool host_poll(struct host *, uint64_t now_ns, struct event *);

/* What /proc/loadavg and /proc/pressure/cpu say. 0 or -EINVAL. */
int host_read_tasks(const char *text, uint64_t *tasks);
int host_read_pressure(const char *text, uint64_t *waited_us);

#endif
