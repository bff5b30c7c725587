/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload mirror-source. Its origins are streams as those of
 * stream-store, with the same load; behind them come the copies:
 *
 *	copies.c   what each copies, drawn by the seed; their names and subjects
 *	caught.c   the audit: until they have caught up, and what it reads
 *	mirror_source.c	the options, setup, and the load
 */
#ifndef WORKER_MIRROR_SOURCE_H
#define WORKER_MIRROR_SOURCE_H

#include "worker/workloads/stream_store/stream_store.h"

#define MIRROR_ORIGINS_MAX 8
#define MIRROR_COPIES_MAX  32
#define MIRROR_HEADER	   "Nats-Stream-Source" /* stream, sequence, ... */

struct mirror_options {
	struct store_options store; /* first: stream_store.h wants it so */
	uint64_t copies;
	bool high_first, source_times;
};

/* A subject of the run, as a copy has it. */
struct mirror_subject {
	uint32_t home;	 /* index of the origin that it is of */
	uint32_t number; /* 0: all of them */
	bool is_renamed;
};

void mirror_subject(const struct worker *, const struct mirror_subject *,
    char out[OPERATE_SUBJECT_MAX]);

/* The same out of its text; number is 0 when it is none of the run's. */
struct mirror_subject mirror_subject_read(
    const struct worker *, const char *text);

/*
 * Make copy number i, whose stream is behind those of the origins, and tell of
 * it. 0, -ENOMEM, or -ETIMEDOUT, which was logged. A filter or transform that
 * the servers don't know is left out.
 */
int mirror_copy_setup(struct worker *, uint32_t i);

/*
 * With leaf nodes the first copy is a mirror of a mirror in the other domain,
 * so what it holds has come over their links twice. Its name, or false when the
 * run has none: a fault may take what the one server there has stored.
 */
bool mirror_relay(const struct worker *, char name[64]);

/* Wait until the copies have caught up, tell how far each came, and scan. */
int mirror_audit(struct worker *);

#endif
