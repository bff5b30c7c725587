/* SPDX-License-Identifier: ISC */
/*
 * Faults. A mayhem mode is one file under chaos/mayhem that ends in one
 * struct mayhem_ops named mayhem_<file name>; the build finds it. Faults
 * speak to the cluster driver only (chaos/cluster/cluster.h).
 *
 * The life of a fault, driven by chaos/schedule.c:
 *
 *	plan	the next one of this mode is drawn from the seed
 *	aim	when it is due: find what it hits, if that depends on the
 *		cluster's state (a leader)
 *	inject	do it; then is_applied is asked until it is true: what was
 *		done is never believed before its effect was observed
 *	hold	hold_ns pass; step is called meanwhile
 *	heal	undo it; then is_undone is asked until its cause is gone, and
 *		is_healed until the cluster has recovered
 *
 * heal is called on every path once inject was called, also when the effect
 * could not be verified, and may be called twice. Hooks return at once.
 */
#ifndef CHAOS_MAYHEM_H
#define CHAOS_MAYHEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/option.h"
#include "proto/base/rng.h"

#define FAULT_HOW_MAX	 160
#define FAULT_TARGET_MAX 96

struct cluster;
struct run_config;

/*
 * What a fault changes of a server. No two faults change the same of one server
 * at once.
 */
enum mayhem_touch {
	TOUCH_SERVER = 1 << 0,	/* its process, configuration or store */
	TOUCH_LINKS = 1 << 1,	/* its routes to other servers */
	TOUCH_CLIENTS = 1 << 2, /* its clients' connections */
	TOUCH_LEADERS = 1 << 3, /* who leads what */
	TOUCH_STREAMS = 1 << 4, /* a stream's configuration, on all servers */
};

/* Servers that a fault puts out of service at once. */
enum mayhem_outage {
	OUTAGE_NONE,
	OUTAGE_ONE,
	OUTAGE_MINORITY, /* at most as many as --tolerate allows */
	OUTAGE_MAJORITY,
	OUTAGE_ALL
};

struct fault {
	const struct mayhem_ops *ops;
	const void *options; /* the mode's own, by its rows */
	struct cluster *cluster;
	uint32_t number;     /* in the run, from 1 */
	uint32_t round;	     /* of its mode, from 1 */
	unsigned node;	     /* target server, from 1; 0: see nodes */
	unsigned nodes;	     /* targets as bits: bit i - 1 is server i */
	bool is_mild;	     /* it puts no target out of service */
	bool cuts_clients;   /* but clients may not reach the streams */
	bool is_rollout;     /* its targets are out of service one by one */
	unsigned fewest;     /* replicas a stream has then; 0: as configured */
	uint64_t planned_ns; /* offset from the start of its mix */
	uint64_t hold_ns;
	uint64_t dice;	   /* drawn by plan, for choices that aim makes */
	uint64_t start_ns; /* when it began to start its targets; 0: not yet */
	uint64_t mark;	   /* the mode's own: what inject remembers */
	uint64_t next_ns;  /* likewise, of step */
	char before[80];   /* likewise, as text */
	/* for the report; empty: names of its servers */
	char target[FAULT_TARGET_MAX];
	char how[FAULT_HOW_MAX]; /* what was observed, for the report */
};

/* A mode's generator of faults; the same seed draws the same faults. */
struct mayhem_plan {
	const struct mayhem_ops *ops;
	const void *options;
	struct rng rng;
	unsigned nodes;			    /* servers of the cluster */
	unsigned tolerated;		    /* of them may be out at once */
	struct option_times interval, hold; /* --fault-interval, -duration */
	uint64_t next_ns; /* the mode's own: offset of its next round */
	uint32_t round;
	unsigned left; /* the mode's own: faults left in the round */
	bool rolls;    /* the driver restarts all servers by itself */
};

struct mayhem_ops {
	const char *name;    /* as on the command line */
	const char *summary; /* one sentence for users */
	const char *promise; /* what it does to JetStream's promises */
	unsigned needs;	     /* CLUSTER_CAN_* that the driver must have */
	/*
	 * What it needs in place of that where the driver restarts all servers
	 * by itself (CLUSTER_CAN_ROLL); 0: the same.
	 */
	unsigned needs_rolling;
	unsigned touches; /* enum mayhem_touch */
	enum mayhem_outage outage;
	bool ends_server; /* a server's process ends */
	/* three replicas serve all the time: the availability clock runs on */
	bool is_graceful;
	bool stands_alone; /* no fault on servers, links, streams beside it */
	bool is_on_demand; /* not one of --mayhem all */
	/* it may take what others have: likewise, on their servers */
	bool destroys;
	const struct option_spec *options; /* -o name.key=value, or NULL */
	size_t options_size;
	uint64_t apply_ns, heal_ns; /* deadlines */
	/*
	 * Can it be done with this configuration? 0; -EINVAL when the user
	 * must change an option, -ENOTSUP when it can't be done here, with
	 * why (OPTION_WHY_MAX bytes). NULL is always.
	 */
	int (*check)(const struct run_config *, char *why);
	/* Fewest servers that these options make sense with. NULL is 1. */
	unsigned (*least)(const void *options);
	/* Tell the cluster what the options need of it. NULL is nothing. */
	void (*require)(struct cluster *, const void *options);
	/* Draw the next fault: round, node or nodes, planned_ns, hold_ns. */
	void (*plan)(struct mayhem_plan *, struct fault *);
	bool (*aim)(struct fault *);   /* false: not now, ask again */
	int (*inject)(struct fault *); /* 0 or -errno with f->how */
	bool (*is_applied)(struct fault *);
	void (*step)(struct fault *);
	int (*heal)(struct fault *);
	/*
	 * Its cause is gone, whatever the cluster makes of that: processes
	 * run, links are open. NULL is mayhem_is_undone.
	 */
	bool (*is_undone)(struct fault *);
	bool (*is_healed)(struct fault *);
};

/* All modes, NULL-terminated, in the order of their file names. */
extern const struct mayhem_ops *const mayhem_table[];

/* The mode of that name, or NULL. */
const struct mayhem_ops *mayhem_find(const char *name);

/* What the mode needs of this driver, as CLUSTER_CAN_*. */
struct cluster_ops;
unsigned mayhem_needs(const struct mayhem_ops *, const struct cluster_ops *);

/* Servers that --tolerate allows to be out at once, of n; UINT_MAX: any. */
unsigned mayhem_tolerated(const struct run_config *, unsigned n);

/* How many of n modes are in force at once: the modes of a mix. */
unsigned mayhem_at_once(const struct run_config *, unsigned n);

/* Fewest servers that a fault of this mode puts out at once, of n. */
unsigned mayhem_width(const struct mayhem_ops *, unsigned n);

/* The servers of a fault, as bits. */
unsigned fault_nodes(const struct fault *);

/* How many servers that is. */
unsigned fault_count(unsigned nodes);

/*
 * The replicas of the stream f->before, as bits, as its leader (1..n; 0: not
 * known) told of them after since_ns; 0 when nobody did.
 */
unsigned fault_peers(const struct fault *, uint64_t since_ns, unsigned *leader);

/* What modes share (chaos/mayhem/mayhem.c) */

/*
 * The usual plan: the next round, --fault-interval after the one before (a
 * single time is the mean of an exponential distribution), dice thrown.
 */
void mayhem_plan_next(struct mayhem_plan *, struct fault *);

/* A time from --fault-duration, or uniform from [low, high]. */
uint64_t mayhem_draw_hold(struct mayhem_plan *, uint64_t low, uint64_t high);

/* count different servers, as bits. */
unsigned mayhem_draw_nodes(struct mayhem_plan *, unsigned count);

/* A random number that depends on nothing but f->dice and salt. */
uint64_t fault_dice(const struct fault *, uint64_t salt);

/*
 * Take the answer to a request of the admin connection, if it is there. A
 * refusal becomes f->how, in case that nothing else is seen.
 */
void mayhem_take_refusal(struct fault *);

/* The usual plan with one random server. */
void mayhem_plan_one(struct mayhem_plan *, struct fault *);

/* Send the targets SIGKILL. 0 or -errno of the last that could not be. */
int mayhem_kill_targets(struct fault *);

/* True when every target's process is gone; f->how then says how. */
bool mayhem_all_ended(struct fault *, const char *how);

/*
 * How long killed servers stay away: from --fault-duration; or else one time in
 * two shorter than an election (0.1 to 1 s), and up to 12 s.
 */
uint64_t mayhem_draw_down(struct mayhem_plan *);

/*
 * Start the targets that don't run, and set f->mark for mayhem_is_whole. Where
 * there are several, that depends on the dice: all together; each within 3 s;
 * or one of them 5 to 15 s later than the others. mayhem_is_whole() starts
 * those that are due later.
 */
int mayhem_start_all(struct fault *);

/* mayhem_is_whole(), of targets that were killed: how tells that, too. */
bool mayhem_is_back(struct fault *);

/*
 * For modes that harm the disk of f->node. A server that can't write may switch
 * its JetStream off until it is started again, which then is done; or hang for
 * good, deaf to SIGTERM, and then it is killed. mayhem_look_at_disk() is for
 * step: it remembers in f->next_ns that the server was seen unhealthy.
 * mayhem_is_recovered() is for is_healed, when the cause is gone since f->mark.
 */
void mayhem_look_at_disk(struct fault *);
bool mayhem_is_recovered(struct fault *, const char *what);

/*
 * is_undone and is_healed of those that set what f->node's disk does: it does
 * so, and f->before says what it did meanwhile.
 */
bool mayhem_disk_is_undone(struct fault *);
bool mayhem_disk_is_healed(struct fault *);

/*
 * True when all servers that the mode touches run, and all links that it
 * touches are seen to be as heal has set them. A rollout's end only it tells.
 */
bool mayhem_is_undone(struct fault *);

/*
 * True when, asked after f->mark, all servers are healthy and all streams and
 * consumers current. f->how becomes how, or else what is missing. Targets that
 * ended late, or are due later, are started.
 */
bool mayhem_is_whole(struct fault *, const char *how);

/*
 * Three questions about those directions between servers for which is_in says
 * in (NULL: about all): set what happens to their bytes, 0 or -errno; has the
 * driver said what each has carried since; how much is that, as far as it was
 * said.
 */
struct link_policy;
struct link_flow;
typedef bool mayhem_links(const struct fault *, unsigned from, unsigned to);
int mayhem_set_links(
    struct fault *, mayhem_links *is_in, bool in, const struct link_policy *);
bool mayhem_are_told(struct fault *, mayhem_links *is_in, bool in);
void mayhem_sum_flows(
    struct fault *, mayhem_links *is_in, bool in, struct link_flow *sum);

/* The hooks of modes that stop f->node (SIGSTOP) and continue it (SIGCONT). */
int mayhem_pause_node(struct fault *);
bool mayhem_is_paused(struct fault *);
int mayhem_continue_node(struct fault *);
bool mayhem_is_continued(struct fault *);

/*
 * Aim at the leader of the meta group, of a stream or of a consumer of the
 * run: sets node, before (the group's name, empty for meta) and target.
 * False while it is not known who leads.
 */
enum mayhem_leader {
	LEADER_OF_META,
	LEADER_OF_STREAM,
	LEADER_OF_CONSUMER
};
bool mayhem_aim_leader(struct fault *, enum mayhem_leader);

/*
 * The option "of" of modes that aim at leaders: what it allows, and the one
 * that a fault aims at, drawn from its dice where that is "any".
 */
extern const char *const mayhem_leader_names[];
enum mayhem_leader mayhem_leader_of(const struct fault *, const char *of);

/*
 * For modes that change the configuration of a stream of the run (change.h).
 * The check: there are such streams, which stay as long as the run; on servers
 * of others there is what they are seen by, and a login. Then aim: a stream
 * whose leader is known becomes before; and the hooks that put back what was.
 */
int mayhem_check_streams(
    const struct run_config *, const char *mode, char *why);
bool mayhem_aim_stream(struct fault *);
int mayhem_restore_stream(struct fault *);
bool mayhem_stream_is_restored(struct fault *);
bool mayhem_stream_is_healed(struct fault *);

#endif
