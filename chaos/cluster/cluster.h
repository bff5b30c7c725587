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

#define CLUSTER_NAME_MAX    128 /* without a name of its own: 56 */
#define CLUSTER_URL_MAX	    256
#define CLUSTER_WHY_MAX	    512
#define CLUSTER_REFUSED_MAX 128

enum cluster_can {
	CLUSTER_CAN_RESTART = 1 << 0,	  /* stop, kill and start a server */
	CLUSTER_CAN_RELOAD = 1 << 1,	  /* change and reload a config */
	CLUSTER_CAN_PAUSE = 1 << 2,	  /* stop a process and continue it */
	CLUSTER_CAN_CUT = 1 << 3,	  /* cut links of servers, both ways */
	CLUSTER_CAN_CUT_CLIENTS = 1 << 4, /* cut clients' connections */
	CLUSTER_CAN_ADMIN = 1 << 5,	  /* requests as system account */
	CLUSTER_CAN_UPGRADE = 1 << 6,	  /* change a server's binary */
	CLUSTER_CAN_WIPE = 1 << 7,	  /* replace a server by a new one */
	CLUSTER_CAN_FILL = 1 << 8,	  /* fill a server's disk */
	CLUSTER_CAN_DROP = 1 << 9,	  /* lose packets between servers */
	CLUSTER_CAN_SHAPE = 1
			    << 10, /* choose how: one way, held, slow, reset */
	CLUSTER_CAN_DELETE = 1 << 16, /* delete a server's pod */
	CLUSTER_CAN_SCALE = 1 << 17,  /* have fewer servers for a while */
};

/* What happens to bytes on their way from one server to another. */
enum link_cut {
	LINK_OPEN,
	LINK_HOLD,   /* black hole: nothing comes through; held until opened */
	LINK_REFUSE, /* connections between the two are closed and refused */
	LINK_CUT     /* nothing comes through, somehow; without CAN_SHAPE */
};

struct link_policy {
	enum link_cut cut;
	uint64_t delay_ns, jitter_ns; /* of what comes through */
};

/* What was seen of one direction since its policy was set. */
struct link_flow {
	uint64_t passed, held, late; /* bytes; late ones passed after a delay */
	uint64_t refused;	     /* connections */
};

#define LINK_CLIENTS 0 /* as a server number: everybody's clients */

/* How far a restart of all servers by the cluster's own means is. */
enum cluster_roll {
	ROLL_ASKED, /* nothing was seen of it yet */
	ROLL_GOING, /* the first server ends */
	ROLL_DONE,
	ROLL_FAILED,
};

struct cluster_node {
	char name[CLUSTER_NAME_MAX];
	char url[CLUSTER_URL_MAX];     /* clients */
	char direct[CLUSTER_URL_MAX];  /* natsburn's own requests, no proxy */
	char monitor[CLUSTER_URL_MAX]; /* http://host:port, empty if none */
	pid_t pid;		       /* 0 when it isn't ours or not up */
	unsigned binary;	       /* which of several, from 0 */
	char version[24];	       /* as far as known, or empty */
	uint64_t disk_bytes;	       /* of its store, if it has its own */
	uint64_t config_mark; /* a value in the config that each change moves */
};

struct admin;
struct chaos;
struct monitor;

struct cluster {
	const struct cluster_ops *ops;
	const struct run_config *config;
	struct chaos *chaos;
	struct monitor *monitor;
	/* Unix socket that monitors are reached through, or NULL. */
	const char *monitor_socket;
	struct admin *admin; /* NULL when the driver can't */
	unsigned needs;	     /* CLUSTER_CAN_* that the run's faults use */
	uint64_t disk_bytes; /* of a store at first, with CLUSTER_CAN_FILL */
	unsigned n;
	struct cluster_node nodes[CONFIG_NODES_MAX]; /* [0] is node 1 */
	void *state;				     /* the driver's own */
	char why[CLUSTER_WHY_MAX];		     /* of the last failure */
	unsigned attempts;  /* times the cluster had to be formed */
	uint64_t slower_ns; /* what it adds to the deadlines of modes */
	unsigned most_out;  /* servers its owners let be out at once; 0: any */
	/* What was asked for these servers was refused; bits as in faults. */
	unsigned refused_nodes;
	char refused[CLUSTER_REFUSED_MAX]; /* in whose words */
};

struct cluster_ops {
	const char *name;    /* as on the command line */
	const char *summary; /* one sentence for users */
	unsigned can;	     /* CLUSTER_CAN_* */
	size_t state_size;
	/*
	 * Does what a user says to this driver make sense? Before a run, in
	 * the orchestrator: 0, or -EINVAL with why. Optional.
	 */
	int (*validate)(const struct run_config *, char *why, size_t size);
	/*
	 * Get ready for what needs says, before anything else: 0, or -ENOTSUP
	 * with why when this host or user can't. Optional.
	 */
	int (*prepare)(struct cluster *);
	/* Bring it up, with why on failure. 0 or -errno; -ENOTSUP: one of
	   the run's modes can't be done on it. */
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
	/* True while it is stopped as by SIGSTOP. */
	bool (*node_is_stopped)(struct cluster *, unsigned node);
	/* The binary that node_start takes from now on. */
	int (*node_binary)(struct cluster *, unsigned node, unsigned binary);
	/*
	 * Put a new server in the place of one that does not run: an empty
	 * store, and a name that no server had before.
	 */
	int (*node_renew)(struct cluster *, unsigned node);
	/* Take all of its disk's free space, or give it back. */
	int (*node_fill)(struct cluster *, unsigned node, bool full);
	/* Bytes that its disk still takes, or -errno. */
	int64_t (*node_room)(struct cluster *, unsigned node);
	/* Say what happens to bytes from a server to another (or clients). */
	int (*link_set)(struct cluster *, unsigned from, unsigned to,
	    const struct link_policy *);
	/* End percent (1-100) of the connections between the two. */
	int (*link_reset)(
	    struct cluster *, unsigned a, unsigned b, unsigned percent);
	/* What was seen since link_set or link_reset; false: not yet. */
	bool (*link_flow)(
	    struct cluster *, unsigned from, unsigned to, struct link_flow *);
	/* Connections of clients through its front now. */
	unsigned (*node_clients)(struct cluster *, unsigned node);
	/* Drop packets between servers: hundredths of a percent; 0 ends it. */
	int (*drop)(struct cluster *, unsigned share);
	/* Packets dropped since then; false: not yet. */
	bool (*dropped)(struct cluster *, uint64_t *packets);
	/* Ready by what the driver itself knows of it. Optional. */
	bool (*node_is_ready)(struct cluster *, unsigned node);
	/* How it was reloaded last, for reports. Optional. */
	const char *(*reload_how)(struct cluster *, unsigned node);
	/* How it ended, for reports. Optional: as the mode says. */
	const char *(*node_how)(struct cluster *, unsigned node);
	/* May count servers be taken out of service now? Optional. */
	bool (*may_disrupt)(struct cluster *, unsigned count);
	/*
	 * Restart all of them, one by one, to run this binary from now on.
	 * Optional: the mode does it.
	 */
	int (*roll)(struct cluster *, unsigned binary);
	enum cluster_roll (*roll_state)(
	    struct cluster *, char *how, size_t size);
	/* Have so many servers: the last ones go, or come back. */
	int (*scale)(struct cluster *, unsigned count);
	/* Save what only the driver can see below dir. Optional. Files. */
	unsigned (*dump)(struct cluster *, const char *dir);
	/* Look for links that bypass the proxies. Optional. */
	int (*links)(struct cluster *, unsigned *through, unsigned *past);
	void (*down)(struct cluster *); /* safe after a partial up */
};

/* All drivers, NULL-terminated. */
extern const struct cluster_ops *const cluster_table[];

const struct cluster_ops *cluster_find(const char *name);

struct cluster_node *cluster_node(struct cluster *, unsigned node);

#endif
