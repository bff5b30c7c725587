/* SPDX-License-Identifier: ISC */
/*
 * A cluster of nats-servers as faults see it. A driver is one file under
 * chaos/cluster that ends in one struct cluster_ops named cluster_<file
 * name>; the build finds it. Nodes are numbered from 1.
 *
 * What is known of the servers' health comes from the monitor
 * (chaos/monitor.h), which watches them all the time; a fault looks at it
 * and never waits.
 */
#ifndef CHAOS_CLUSTER_H
#define CHAOS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/config.h"

#define CLUSTER_NAME_MAX 32
#define CLUSTER_URL_MAX	 256
#define CLUSTER_WHY_MAX	 512

enum cluster_can {
	CLUSTER_CAN_RESTART = 1 << 0, /* stop and start a server */
	CLUSTER_CAN_RELOAD = 1 << 1,  /* change and reload a config */
};

struct cluster_node {
	char name[CLUSTER_NAME_MAX];
	char url[CLUSTER_URL_MAX];     /* clients */
	char monitor[CLUSTER_URL_MAX]; /* http://host:port, empty if none */
	pid_t pid;		       /* 0 when it isn't ours or not up */
	char version[24];	       /* as far as known, or empty */
	uint64_t config_mark; /* a value in the config that each change moves */
};

struct chaos;
struct monitor;

struct cluster {
	const struct cluster_ops *ops;
	const struct run_config *config;
	struct chaos *chaos;
	struct monitor *monitor;
	unsigned n;
	struct cluster_node nodes[CONFIG_NODES_MAX]; /* [0] is node 1 */
	void *state;				     /* the driver's own */
	char why[CLUSTER_WHY_MAX];		     /* of the last failure */
	unsigned attempts; /* times the cluster had to be formed */
};

struct cluster_ops {
	const char *name;    /* as on the command line */
	const char *summary; /* one sentence for users */
	unsigned can;	     /* CLUSTER_CAN_* */
	size_t state_size;
	/* Bring it up, with why on failure. 0 or -errno. */
	int (*up)(struct cluster *);
	/* Anything to do now and then (reap, ...). Optional. */
	void (*tend)(struct cluster *);
	int (*node_start)(struct cluster *, unsigned node);
	int (*node_signal)(struct cluster *, unsigned node, int sig);
	/* False once a server that was told to end is gone for certain. */
	bool (*node_runs)(struct cluster *, unsigned node);
	/* True when it ended though nobody told it to. Optional. */
	bool (*node_crashed)(struct cluster *, unsigned node);
	/* Change the config file, for real; a reload must then be asked. */
	int (*node_reconfigure)(struct cluster *, unsigned node);
	/* Look for links that bypass the proxies. Optional. */
	int (*links)(struct cluster *, unsigned *through, unsigned *past);
	void (*down)(struct cluster *); /* safe after a partial up */
};

/* All drivers, NULL-terminated. */
extern const struct cluster_ops *const cluster_table[];

const struct cluster_ops *cluster_find(const char *name);

struct cluster_node *cluster_node(struct cluster *, unsigned node);

#endif
