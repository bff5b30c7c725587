/* SPDX-License-Identifier: ISC */
/*
 * Anomalies whose class hangs on whether JetStream was steady meanwhile,
 * which is known only some seconds later. They wait until then.
 */
#ifndef JUDGE_PENDING_H
#define JUDGE_PENDING_H

#include "orchestrator/judge/check.h"

#define PENDINGS_MAX 4096 /* that wait at once; others count as not steady */

struct pendings {
	struct pending *rows;
	uint32_t n, room;
	bool no_memory; /* one could not be entered */
};

void pendings_init(struct pendings *);
void pendings_fini(struct pendings *);

/* Take an anomaly, raise it if its class is known; says is copied. */
void pendings_add(struct pendings *, struct check *, const struct anomaly *,
    const struct check_span *, const char *says);

/* Raise those whose class is known by now. */
void pendings_pass(struct pendings *);

/* The history is over: who was not seen to be steady was not. */
void pendings_finish(struct pendings *);

#endif
