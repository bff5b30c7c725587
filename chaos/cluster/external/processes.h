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
#include "chaos/cluster/external/guard.h"
#include "chaos/cluster/external/process.h"
#include "chaos/cluster/external/systemctl.h"

/* What systemd is asked to bring a unit back, one after the other. */
enum processes_step {
	STEP_NONE,
	STEP_RESET, /* it may have been started too often; or not: no matter */
	STEP_START,
	STEP_SHOW
};

/* That of one server. */
struct processes_node {
	char unit[128]; /* empty: given by --pid */
	struct process process;
	bool is_paused; /* by natsburn; the guard knows */
	struct systemctl asked;
	enum processes_step step;
	uint64_t next_ns; /* not before that */
	bool was_told;	  /* to end; else its unit's next one is looked for */
};

/* The state of the cluster; nothing but zeros before they are found. */
struct processes {
	struct guard guard;
	struct processes_node nodes[CONFIG_NODES_MAX];
	bool are_needed;
};

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
int processes_find(struct cluster *);

/* Continue whatever is stopped, and let go of them. */
void processes_leave(struct cluster *);

/* As tend, node_... and reload_how in struct cluster_ops. */
void processes_tend(struct cluster *);
int processes_start(struct cluster *, unsigned node);
int processes_stop(struct cluster *, unsigned node, int sig);
int processes_reload(struct cluster *, unsigned node);
const char *processes_reload_how(struct cluster *, unsigned node);
int processes_pause(struct cluster *, unsigned node, bool paused);
bool processes_is_paused(struct cluster *, unsigned node);
bool processes_is_running(struct cluster *, unsigned node);

#endif
