/* SPDX-License-Identifier: ISC */
/*
 * The audit: what is in the streams after all faults were healed, told as
 * events. A workload's audit hook calls one of the two scans, or makes its
 * own with scan.h; the copies are compared for all.
 */
#ifndef WORKER_AUDIT_H
#define WORKER_AUDIT_H

#include "worker/internal.h"

/*
 * Ask for the state of every consumer that the parent named, and tell it. One
 * that has something left is read meanwhile, and what comes is acked.
 */
void consumers_ask(struct worker *);

/* The scan that suits all streams whose messages stay; of one. 0. */
int audit_streams(struct worker *);
void audit_stream(struct worker *, const struct worker_target *);

/* The scan of streams that drop what was acked; of one. 0. */
int remains_streams(struct worker *);
void remains_stream(struct worker *, const struct worker_target *);

/* Compare every replica of the streams with the others. */
int copies_streams(struct worker *);

/* Restore the backups that faults have left, read them, and delete them. */
void restores_streams(struct worker *);

/*
 * True when an audit of this run, perhaps one that died, has begun to put
 * backups in the place of their streams: the streams were read by then, and
 * what is in them now is not theirs.
 */
bool restores_have_replaced(const struct worker *);

/* True when there is a backup of the stream that is to be restored. */
bool restores_are_due(const struct worker *, const char *stream);

#endif
