/* SPDX-License-Identifier: ISC */
/*
 * Backups of streams of the run. A snapshot is asked for with STREAM.SNAPSHOT
 * while the load goes on; its parts come one by one, each is acknowledged, and
 * they are kept in the folder "backups" of the run. The audit restores what is
 * there (worker/audit/restores.c): of each backup N.json with what the server
 * has answered, and N.s2 with what it has sent. The latest BACKUP_KEPT are
 * kept; the folder is removed at the end of the run.
 *
 * One at a time; chaos is told of it by calls, the judge by events.
 */
#ifndef CHAOS_BACKUP_H
#define CHAOS_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"
#include "proto/backup.h"

#define BACKUP_WHY_MAX 160

struct backup;

/*
 * Begin a backup of a stream, which is given up when it has more than limit
 * bytes. 0 or -errno; then backup_stop() is called all the same.
 */
int backup_begin(
    struct cluster *, uint32_t fault, const char *stream, uint64_t limit);

/* Go on with it. True when it is here and whole. */
bool backup_step(struct cluster *);

/* What has come, or what is missing; borrowed. */
const char *backup_why(const struct cluster *);

/* Give it up if it is not whole. May be called twice, and without a begin. */
void backup_stop(struct cluster *);

/* Remove all of them. */
void backup_end(struct cluster *);

#endif
