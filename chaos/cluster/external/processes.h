/* SPDX-License-Identifier: ISC */
/*
 * What natsburn does to servers of others whose processes are on this host
 * and named by --pid or --unit: they are stopped and continued, told to read
 * their configuration again; and units also ended, for systemd brings them
 * back. Of each it is proven that it serves one of the addresses of --url.
 */
#ifndef CHAOS_EXTERNAL_PROCESSES_H
#define CHAOS_EXTERNAL_PROCESSES_H

#include "chaos/cluster/cluster.h"

struct processes;

/* NULL without memory. The destroyed one continues whatever is stopped. */
struct processes *processes_create(void);
void processes_destroy(struct processes *);

/* Do the options name processes as they must? 0, or -EINVAL with why. */
int processes_validate(const struct run_config *, char *why);

/* Abilities (CLUSTER_CAN_*) that are lacking with these options. */
unsigned processes_lack(const struct run_config *);

/* Do the options give what the run's faults need? 0, or -ENOTSUP with why. */
int processes_prepare(struct cluster *);

/*
 * Find the process of each server, if the run's faults need them: 0, -ENOTSUP
 * with why, or -errno.
 */
int processes_find(struct cluster *, struct processes *);

void processes_tend(struct cluster *, struct processes *);

/* As node_... in struct cluster_ops. */
int processes_start(struct processes *, unsigned node);
int processes_stop(struct processes *, unsigned node, int sig);
int processes_reload(struct cluster *, struct processes *, unsigned node);
int processes_pause(struct processes *, unsigned node, bool paused);
bool processes_is_paused(const struct processes *, unsigned node);
bool processes_is_running(const struct processes *, unsigned node);

#endif
