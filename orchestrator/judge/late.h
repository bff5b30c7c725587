/* SPDX-License-Identifier: ISC */
/*
 * Operations that ended too late, as far as is known. Whether a process of
 * natsburn itself stood still meanwhile is told up to FAULTS_LAG_NS later:
 * they are judged then.
 */
#ifndef CHECK_LATE_H
#define CHECK_LATE_H

#include "orchestrator/judge/check.h"

#define LATES_MAX 4096 /* that wait at once; further ones are not judged */

struct lates {
	struct late *rows; /* in the order of their ends */
	uint32_t n, room;
	bool no_memory; /* one could not be entered */
};

void lates_init(struct lates *);
void lates_fini(struct lates *);

/* Take an operation that ends now, and its sentence, which is copied. */
void lates_add(struct lates *, struct check *, const struct anomaly *,
    const struct check_time *, const char *says);

/* Raise those of which enough is known at now_ns, if they are late still. */
void lates_pass(struct lates *, uint64_t now_ns);

/*
 * The history is over. All that stood still was told if it came to its end;
 * otherwise what is left is a warning.
 */
void lates_finish(struct lates *, bool saw_end);

#endif
