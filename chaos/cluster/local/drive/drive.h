/* SPDX-License-Identifier: ISC */
/*
 * A simulated disk under a server's store: a FUSE file system (libfuse 3) over
 * files.h, which can lose its power, be slow, and fail. All disks are served
 * by one process (drive_main.c), each in a mount of its own.
 */
#ifndef CHAOS_DRIVE_DRIVE_H
#define CHAOS_DRIVE_DRIVE_H

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/local/drive/files.h"
#include "proto/config.h"

#define DRIVE_PATH_MAX (CONFIG_PATH_MAX + CLUSTER_NAME_MAX + 32)

struct fuse_session;
struct drive_late; /* an answer that comes late */

struct drive {
	char store[DRIVE_PATH_MAX]; /* where it is mounted */
	struct files files;
	struct fuse_session *session; /* NULL while it is not mounted */
	struct disk_policy policy;
	struct disk_effect effect; /* since the policy was set */
	uint64_t stall_ns;	   /* nothing is answered until then */
	struct rng rng;
	struct drive_late *lates;
	uint32_t nlates, room;
};

/* Mount an empty disk whose files are in ground: 0 or -errno. */
int drive_open(
    struct drive *, const char *store, const char *ground, enum disk_names);

/* Unmount it, if it is mounted; its ground stays. */
void drive_close(struct drive *);

/* The descriptor to wait on, or -1. */
int drive_fd(const struct drive *);

/* Answer what was asked. 0, or -errno when the mount is gone. */
int drive_serve(struct drive *);

/* Give the late answers that are due; returns when the next is, in ns. */
uint64_t drive_answer_late(struct drive *, uint64_t now_ns);

/* How it behaves from now on. */
void drive_set(struct drive *, const struct disk_policy *);

/*
 * Its power is lost, after those who used it have ended: it is mounted anew
 * with what it has kept. 0 or -errno.
 */
int drive_drop(struct drive *, bool is_torn, struct disk_loss *);

#endif
