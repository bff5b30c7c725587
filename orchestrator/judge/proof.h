/* SPDX-License-Identifier: ISC */
/*
 * Anomalies that are violations only if one leader was steady meanwhile,
 * which is known some seconds later: they wait here until then. Of a burst
 * (a consumer that starts again delivers everything again) the first ones of
 * each group are raised one by one, and the rest together, when the history
 * is over.
 *
 * Memory: a row for each check, kind and group that has such anomalies.
 */
#ifndef CHECK_PROOF_H
#define CHECK_PROOF_H

#include "orchestrator/judge/check.h"

#define PROOF_SINGLES 8 /* of a group, with a sentence of their own */

struct proofs {
	struct proof_group *groups;
	uint32_t n, room;
	bool no_memory; /* one could not be entered */
};

void proofs_init(struct proofs *);
void proofs_fini(struct proofs *);

/* Take an anomaly; its class is what it is without proof. Texts are copied. */
void proofs_add(struct proofs *, struct check *, const struct anomaly *,
    const struct check_span *, const char *says);

/* Raise those of which enough is known by now. */
void proofs_pass(struct proofs *);

/* The history is over: what still waits is not proven. */
void proofs_finish(struct proofs *);

#endif
