/* SPDX-License-Identifier: ISC */
/*
 * The simulated disks of the stores, as chaos sees them. They are served by a
 * process of their own (drive_main.c), which mounts them in the mount namespace
 * of chaos (disk.h): nobody else sees them, and they are gone with the last
 * process of the run, however that ends.
 */
#ifndef CHAOS_DRIVE_DRIVES_H
#define CHAOS_DRIVE_DRIVES_H

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/local/aide.h"

struct drives {
	struct aide aide;
	struct drive_seen {
		uint32_t asked, told; /* DISK_OPEN and DISK_SET so far */
		struct disk_effect effect;
		struct disk_loss loss;
		char why[160]; /* why it can't be; empty: it is there */
	} seen[CONFIG_NODES_MAX];
};

/* Start the process: 0 or -errno. aide_stop() ends it. */
int drives_start(struct drives *);

/* Take in what it says. False once it is gone. */
bool drives_read(struct drives *);

/*
 * Mount a server's disk, which is empty, on the folder of its store; what it
 * holds is in ground. In place of the server's former one. 0 or -errno.
 */
struct drive_place {
	const char *store, *ground;
	enum disk_names names;
};
int drives_open(struct drives *, unsigned node, const struct drive_place *);

/* Unmount it. 0 or -errno. */
int drives_close(struct drives *, unsigned node);

/* Has the process done, or failed to do, what was asked of it last? */
bool drives_answered(const struct drives *, unsigned node);

/*
 * Wait for that, 10 s at most. 0; -ETIMEDOUT; -EPIPE when the process is gone;
 * or -ENOTSUP when it could not be done, which seen[node - 1].why tells.
 */
int drives_wait(struct drives *, unsigned node);

/* As cluster_ops.disk_set and its neighbours. */
int drives_set(struct drives *, unsigned node, const struct disk_policy *);
bool drives_effect(const struct drives *, unsigned node, struct disk_effect *);
int drives_cut(struct drives *, unsigned node, bool is_torn);
bool drives_lost(const struct drives *, unsigned node, struct disk_loss *);

#endif
