/* SPDX-License-Identifier: ISC */
/* What can be taken away from a run; see cmd_shrink.c. */
#ifndef ORCHESTRATOR_SHRINK_H
#define ORCHESTRATOR_SHRINK_H

#include <cjson/cJSON.h>

#include "proto/config.h"

#define SHRINK_WHAT_MAX 256

/*
 * A step makes a configuration smaller, in the way number at (from 0) of those
 * that it has, and says in what. False when it has no such way. One that could
 * be taken is asked again with the same number.
 */
struct shrink_step {
	bool (*make)(
	    struct run_config *, unsigned at, char what[SHRINK_WHAT_MAX]);
};

/* From what takes most away to what takes least; a NULL ends them. */
extern const struct shrink_step shrink_steps[];

/*
 * Likewise of a run whose faults are those of a file (c->schedule): another
 * file, beside it, has some of them less.
 */
extern const struct shrink_step shrink_fault_steps[];

/*
 * Save the faults of a run's report in a file that --schedule takes. 0, or
 * -errno; -ENOENT when it had none.
 */
int shrink_save_faults(const cJSON *report, const char *path);

#endif
