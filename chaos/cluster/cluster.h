/* SPDX-License-Identifier: ISC */
/*
 * A cluster of nats-servers as faults see it. A driver is one file under
 * chaos/cluster that ends in one struct cluster_ops named cluster_<file
 * name>; the build finds it. Nodes are numbered from 1.
 *
 * What is known of the servers' health (chaos/health.h) comes from the
 * monitor, which asks them all the time; a fault looks at it and never waits.
 */
#ifndef CHAOS_CLUSTER_H
#define CHAOS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/config.h"

/* a server without server_name has its id: 56 bytes */
#define CLUSTER_NAME_MAX    128
#define CLUSTER_URL_MAX	    256
#define CLUSTER_WHY_MAX	    512
#define CLUSTER_REFUSED_MAX 128

/*
 * What a driver can do is what verbs it has: an ability is there when all of
 * its verbs are. The words say what natsburn may not do without them.
 */
#define CLUSTER_ABILITIES(A)                                                   \
	A(RESTART, HAS(node_start) && HAS(node_end) && HAS(node_runs),         \
	    "stop and start these servers")                                    \
	A(LAME_DUCK, HAS(node_lame_duck) && HAS(node_start) && HAS(node_runs), \
	    "send these servers into lame duck mode")                          \
	A(RELOAD, HAS(node_reload), "reload these servers")                    \
	A(PAUSE, HAS(node_pause) && HAS(node_is_paused),                       \
	    "pause these servers")                                             \
	A(CUT, HAS(link_set) && HAS(link_flow),                                \
	    "cut the links of these servers")                                  \
	A(CUT_CLIENTS,                                                         \
	    HAS(node_clients) && HAS(link_set) && HAS(link_flow) &&            \
		HAS(link_reset),                                               \
	    "cut connections to these servers")                                \
	A(ADMIN, HAS(log_in), "make requests as their system account")         \
	A(UPGRADE, HAS(check_upgrade) && (HAS(node_binary) || HAS(roll)),      \
	    "change the version of these servers")                             \
	A(WIPE, HAS(node_renew), "replace these servers by new ones")          \
	A(EMPTY, HAS(node_empty), "take away what these servers have stored")  \
	A(FILL, HAS(node_fill) && HAS(node_room),                              \
	    "fill the disks of these servers")                                 \
	A(DISK,                                                                \
	    HAS(disk_set) && HAS(disk_effect) && HAS(disk_cut) &&              \
		HAS(disk_lost),                                                \
	    "put these servers' stores on disks of its own")                   \
	A(CLOCK, HAS(node_clock) && HAS(node_runs),                            \
	    "set the clocks of these servers")                                 \
	A(ROT, HAS(node_rot), "damage the stores of these servers")            \
	A(DROP, HAS(drop) && HAS(dropped), "drop packets of these servers")    \
	A(SHAPE, HAS(link_set) && HAS(link_flow) && HAS(link_reset),           \
	    "slow or reset the links of these servers")                        \
	A(ROLL, HAS(roll) && HAS(roll_state),                                  \
	    "have these servers restarted one by one")                         \
	A(DELETE, HAS(node_delete) && HAS(node_start) && HAS(node_runs),       \
	    "delete pods there")                                               \
	A(SCALE, HAS(scale) && HAS(node_start) && HAS(node_runs),              \
	    "have fewer servers there")

#define CLUSTER_INDEX(name, has, words) CLUSTER_ABILITY_##name,
#define CLUSTER_BIT(name, has, words)                                          \
	CLUSTER_CAN_##name = 1 << CLUSTER_ABILITY_##name,

enum cluster_ability {
	CLUSTER_ABILITIES(CLUSTER_INDEX) CLUSTER_ABILITY_COUNT
};

enum cluster_can {
	CLUSTER_ABILITIES(CLUSTER_BIT)
};

/* What happens to bytes on their way from one server to another. */
enum link_cut {
	LINK_OPEN,
	LINK_HOLD,   /* black hole: nothing comes through; held until opened */
	LINK_REFUSE, /* connections between the two are closed and refused */
	LINK_CUT     /* nothing comes through, by whatever means */
};

struct link_policy {
	enum link_cut cut;
	uint64_t delay_ns, jitter_ns; /* what passes comes that much later */
};

/* What happened to the bytes of a direction since its policy was set. */
struct link_flow {
	uint64_t passed, held, late; /* bytes; late ones passed after a delay */
	uint64_t refused;	     /* connections */
};

/* How the simulated disk of a store behaves. */
#define DISK_FAILS_READ	 1U
#define DISK_FAILS_WRITE 2U
#define DISK_FAILS_SYNC	 4U

struct disk_policy {
	uint64_t low_ns, high_ns; /* writes and syncs take so long; 0: none */
	/* stall_share of 1000 begin a stall of the disk, up to so long */
	uint64_t stall_ns;
	uint32_t stall_share;
	unsigned fails; /* DISK_FAILS_...: these are answered by EIO */
	uint64_t times; /* so often; 0: as long as this is in force */
};

/* What came of that since it was set. */
struct disk_effect {
	uint64_t late, latest_ns; /* writes and syncs; how late at most */
	uint64_t failed;	  /* answered by EIO */
};

/* Whose sync has a simulated disk keep a name (drive/files.h). */
enum disk_names {
	DISK_NAMES_JOURNAL, /* that of any file or folder, later */
	DISK_NAMES_FILE,    /* that of its file, or of its folder */
	DISK_NAMES_FOLDER,  /* that of its folder */
};

/* The power of a disk is cut: what is not synced is lost. */
struct disk_cut {
	bool is_torn; /* a part of what was appended last is written */
	/* Every replica was current when asked after that; 0: not known. */
	uint64_t whole_ns;
};

struct disk_loss {
	uint64_t files; /* that lost contents, or were gone altogether */
	uint64_t names; /* that were gone, came back or were others */
	uint64_t bytes; /* written and not synced */
};

/* Damage to a file of a store: which files, and what is done to one. */
enum disk_rot_of {
	ROT_OF_MESSAGES, /* of streams */
	ROT_OF_INDEX,	 /* likewise */
	ROT_OF_CONSUMER, /* what consumers have delivered */
	ROT_OF_RAFT,	 /* logs and snapshots, but for the meta group's */
	ROT_OF_META,
	ROT_OF_ANY
};

enum disk_rot_how {
	ROT_FLIP,     /* up to 8 bits */
	ROT_ZERO,     /* up to 512 bytes */
	ROT_TRUNCATE, /* anywhere */
	ROT_TAIL,     /* its last bytes, up to 512 */
	ROTS
};

struct disk_rot {
	enum disk_rot_of of;
	enum disk_rot_how how;
	uint64_t dice; /* which file, and where */
};

#define LINK_CLIENTS 0 /* as the number of a server: the clients */

/* How far a rollout is: the cluster restarts all servers by itself. */
enum cluster_roll {
	ROLL_ASKED, /* nothing was seen of it yet */
	ROLL_GOING, /* the first server ends */
	ROLL_DONE,
	ROLL_FAILED,
};

struct cluster_node {
	char name[CLUSTER_NAME_MAX];
	char url[CLUSTER_URL_MAX]; /* clients */
	/* for natsburn's own requests, past any proxy */
	char direct[CLUSTER_URL_MAX];
	char monitor[CLUSTER_URL_MAX]; /* http://host:port, empty if none */
	char profile[CLUSTER_URL_MAX]; /* the same of the profiling port */
	/* 0 when it is no process of ours, or does not run */
	pid_t pid;
	/* which of the binaries it runs, from 0 */
	unsigned binary;
	char version[24];     /* as far as known, or empty */
	uint64_t disk_bytes;  /* of its store, if it has its own */
	uint64_t config_mark; /* max_connections in its configuration */
	/* Its meta group, from 0, if the servers have several. */
	unsigned group;
	/* The run's streams can't be there: its JetStream is another one. */
	bool is_apart;
};

struct admin;
struct backup;
struct change;
struct chaos;
struct health;
struct mayhem_ops;
struct monitor;

struct cluster {
	const struct cluster_ops *ops;
	const struct run_config *config;
	struct chaos *chaos;
	struct monitor *monitor;
	struct health *health; /* what the monitor knows */
	/* Unix socket that monitors are reached through, or NULL. */
	const char *monitor_socket;
	struct admin *admin;   /* NULL unless CLUSTER_CAN_ADMIN is needed */
	struct change *change; /* of a stream of the run; NULL: none yet */
	struct backup *backup; /* likewise */
	/*
	 * What the run's faults need of it, from the schedule, before
	 * prepare: CLUSTER_CAN_*; the first mode that needs each of these;
	 * the mode that puts the most servers out at once, NULL if none does.
	 */
	unsigned needs;
	const struct mayhem_ops *needed_by[CLUSTER_ABILITY_COUNT];
	const struct mayhem_ops *widest;
	enum disk_names disk_names; /* with CLUSTER_CAN_DISK */
	/* size of a store at first, with CLUSTER_CAN_FILL */
	uint64_t disk_bytes;
	unsigned n;
	struct cluster_node nodes[CONFIG_NODES_MAX]; /* [0] is node 1 */
	void *state;				     /* the driver's own */
	/* why the last step failed */
	char why[CLUSTER_WHY_MAX];
	unsigned attempts;  /* times the cluster had to be formed */
	uint64_t slower_ns; /* what it adds to the deadlines of modes */
	unsigned most_out;  /* servers its owners let be out at once; 0: any */
	/*
	 * Bits of servers for which something was asked that was refused, and
	 * in whose words. The schedule does not wait for its effect then.
	 */
	unsigned refused_nodes;
	char refused[CLUSTER_REFUSED_MAX];
	bool is_listened_to; /* lines of the servers' logs are wanted at once */
};

/* Whose servers they are. */
enum cluster_owner {
	OWNER_NONE,  /* there are none */
	OWNER_US,    /* natsburn starts them here, and they end with the run */
	OWNER_OTHERS /* they belong to others: nothing may be left on them */
};

/* A program that a driver runs. */
struct cluster_program {
	const char *name;	 /* found on PATH; NULL: there is none */
	const char *when;	 /* when it is needed, in words */
	bool (*is_needed)(void); /* is it needed here and now? */
};

struct cluster_ops {
	const char *name;    /* as on the command line, 15 bytes at most */
	const char *summary; /* one sentence for users */
	enum cluster_owner owner;
	bool is_slow;	    /* phases of a run may take three times as long */
	bool needs_monitor; /* health is seen by --monitor only */
	/* the addresses that servers tell may lead clients nowhere */
	bool hides_servers;
	bool puts_back; /* up undoes what a run that was killed left */
	/*
	 * Options that this driver takes and others may refuse: an option that
	 * is in the list of some driver is refused for those that lack it. Ends
	 * with NULL; NULL: none.
	 */
	const char *const *options;
	struct cluster_program program;
	size_t state_size;
	/*
	 * Is this configuration one that it can take? 0, or -EINVAL with why
	 * (OPTION_WHY_MAX bytes). Nothing is started for it. Optional.
	 */
	int (*validate)(const struct run_config *, char *why);
	/*
	 * How many servers a cluster of others has by its own words, asked
	 * before the run, 5 s an address at most; 0: it does not say. Optional.
	 */
	unsigned (*count)(const struct run_config *);
	/*
	 * Abilities, as CLUSTER_CAN_*, that it lacks with these options though
	 * it has their verbs; prepare refuses modes that need them. Optional.
	 */
	unsigned (*lacks)(const struct run_config *);
	/*
	 * Called first: get ready for what the run needs. 0, or -ENOTSUP with
	 * why when that can't be done on this host or by this user. Optional.
	 */
	int (*prepare)(struct cluster *);
	/*
	 * Bring the cluster up and fill in n and nodes. 0, or -errno with why;
	 * -ENOTSUP when one of the run's modes can't be done on it.
	 */
	int (*up)(struct cluster *);
	/*
	 * Do what is due (reap servers, take in answers). Called at least 20
	 * times a second; must not wait. Optional.
	 */
	void (*tend)(struct cluster *);
	/*
	 * Called before up when CLUSTER_CAN_ADMIN is needed: make
	 * cluster->admin. 0 or -errno.
	 */
	int (*log_in)(struct cluster *);
	/* Start a server that does not run. */
	int (*node_start)(struct cluster *, unsigned node);
	/* Tell it to end: SIGTERM or SIGKILL. */
	int (*node_end)(struct cluster *, unsigned node, int sig);
	/* False once a server that was told to end has certainly ended. */
	bool (*node_runs)(struct cluster *, unsigned node);
	/* Tell it to send its clients away and to end then. */
	int (*node_lame_duck)(struct cluster *, unsigned node);
	/* Delete the pod that it runs in; another one comes by itself. */
	int (*node_delete)(struct cluster *, unsigned node);
	/* Descriptors that its process has open, 0 not known. Optional. */
	uint64_t (*node_files)(struct cluster *, unsigned node);
	/* True when it ended though nobody told it to. Optional. */
	bool (*node_crashed)(struct cluster *, unsigned node);
	/* Change its configuration, for real, and have it read anew. */
	int (*node_reload)(struct cluster *, unsigned node);
	/* Stop its process as SIGSTOP does, or let it go on. */
	int (*node_pause)(struct cluster *, unsigned node, bool paused);
	/* True while it is stopped. */
	bool (*node_is_paused)(struct cluster *, unsigned node);
	/*
	 * Does this configuration name two versions to change between? 0, or
	 * -EINVAL with why (OPTION_WHY_MAX bytes).
	 */
	int (*check_upgrade)(const struct run_config *, char *why);
	/* The binary that node_start takes from now on. */
	int (*node_binary)(struct cluster *, unsigned node, unsigned binary);
	/*
	 * Put a new server in the place of one that does not run: an empty
	 * store, and a name that no server had before.
	 */
	int (*node_renew)(struct cluster *, unsigned node);
	/*
	 * Have a server end and lose all that it has stored, and tell the
	 * judge (STORE_DOOMED); whole_ns: every replica was current when asked
	 * after that. Optional: else node_end, and node_empty does it.
	 */
	int (*node_lose)(struct cluster *, unsigned node, uint64_t whole_ns);
	/*
	 * Take away all that a server which does not run has stored. 0 when
	 * nothing of it is left, -EAGAIN, or -errno. With node_lose it only
	 * says whether it is, and node_how tells how that is known.
	 */
	int (*node_empty)(struct cluster *, unsigned node);
	/* Take all of its disk's free space, or give it back. */
	int (*node_fill)(struct cluster *, unsigned node, bool full);
	/* Bytes that its disk still takes, or -errno. */
	int64_t (*node_room)(struct cluster *, unsigned node);
	/*
	 * Damage a file that a server which does not run has stored; how (size
	 * bytes) becomes what was done. 0 or -errno.
	 */
	int (*node_rot)(struct cluster *, unsigned node,
	    const struct disk_rot *, char *how, size_t size);
	/* How far its wall clock is ahead of the host's from now on. */
	int (*node_clock)(struct cluster *, unsigned node, int64_t ahead_ns);
	/* How its disk behaves from now on. */
	int (*disk_set)(
	    struct cluster *, unsigned node, const struct disk_policy *);
	/* What was seen of that since; false: not yet. */
	bool (*disk_effect)(
	    struct cluster *, unsigned node, struct disk_effect *);
	/* Cut the power of the disk of a server that does not run. */
	int (*disk_cut)(
	    struct cluster *, unsigned node, const struct disk_cut *);
	/* True when it is lost, and the disk is there again. */
	bool (*disk_lost)(struct cluster *, unsigned node, struct disk_loss *);
	/*
	 * Say what happens to bytes from a server to another (or clients).
	 * Without CLUSTER_CAN_SHAPE: LINK_OPEN or LINK_CUT, -ENOTSUP else.
	 */
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
	/* Is it ready, by what the driver knows besides its pages? Optional. */
	bool (*node_is_ready)(struct cluster *, unsigned node);
	/* In words for the report: how it was reloaded last. Optional. */
	const char *(*reload_how)(struct cluster *, unsigned node);
	/* Likewise: how it ended. Optional: the mode has words of its own. */
	const char *(*node_how)(struct cluster *, unsigned node);
	/* May count servers be taken out of service now? Optional. */
	bool (*may_disrupt)(struct cluster *, unsigned count);
	/*
	 * Have all servers restarted one by one, as this binary. Where a driver
	 * has this, modes that restart all servers leave it to it.
	 */
	int (*roll)(struct cluster *, unsigned binary);
	enum cluster_roll (*roll_state)(
	    struct cluster *, char *how, size_t size);
	/* Have that many servers: the last ones go, or come back. */
	int (*scale)(struct cluster *, unsigned count);
	/*
	 * Save below dir what only the driver can see; returns how many files.
	 * Optional.
	 */
	unsigned (*dump)(struct cluster *, const char *dir);
	/* Count the links through the proxies and those past them. Optional. */
	int (*links)(struct cluster *, unsigned *through, unsigned *past);
	void (*down)(struct cluster *); /* also after half an up, or none */
};

/* All drivers, NULL-terminated. */
extern const struct cluster_ops *const cluster_table[];

/* The driver of that name, or NULL. */
const struct cluster_ops *cluster_find(const char *name);

/* What it can do, as CLUSTER_CAN_*. */
unsigned cluster_can(const struct cluster_ops *);

/* What natsburn may not do without these bits, one or more: the first one. */
const char *cluster_can_words(unsigned can);

struct cluster_node *cluster_node(struct cluster *, unsigned node);

/* Servers of that meta group. */
static inline unsigned
cluster_group_size(const struct cluster *c, unsigned group)
{
	unsigned i, n = 0;

	for (i = 0; i < c->n; i++)
		n += c->nodes[i].group == group;
	return n;
}

#endif
