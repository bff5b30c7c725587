/* SPDX-License-Identifier: ISC */
/*
 * A failure tried again: runs of one configuration or another, one after the
 * other, each asked whether it met the failure that a given run had.
 */
#ifndef ORCHESTRATOR_ATTEMPTS_H
#define ORCHESTRATOR_ATTEMPTS_H

#include "orchestrator/many/hunt.h"
#include "proto/config.h"

struct attempts {
	char signature[HUNT_SHAPE_MAX]; /* hunt_signature() */
	char test[CONFIG_NAME_MAX];
	char dir[CONFIG_PATH_MAX];
	char failed[CONFIG_PATH_MAX]; /* folder of the last that met it */
	uint64_t seed;		      /* of the next run */
	unsigned made;
	int signals; /* signalfd; -1: none yet */
	bool is_quiet, interrupted;
};

/* So often a run met the failure, of so many. */
struct attempts_rate {
	unsigned met, of;
};

/*
 * Begin with the failure of a run: its configuration goes to config, without
 * secrets, and its first violation becomes the signature. Attempts get folders
 * below out, which is made. 0 or an exit code after the error was said.
 */
int attempts_begin(struct attempts *, const char *run_dir, const char *out,
    struct run_config *);
void attempts_end(struct attempts *);

/*
 * Run it until the failure was met so often, at most so many times; the first
 * attempt of all has the failed run's seed, each other one another. Folders of
 * runs that did not meet it are removed. 0, or -errno; -EINTR when the user
 * wants to end.
 */
int attempts_try(struct attempts *, const struct run_config *, unsigned want,
    unsigned most, struct attempts_rate *);

/*
 * How many runs without it show that something else is tried, with so many
 * percent of confidence, where it is met at this rate otherwise; no more than
 * most.
 */
unsigned attempts_needed(
    const struct attempts_rate *, unsigned percent, uint64_t most);

/* How likely it is, in percent, that so many runs miss it at that rate. */
double attempts_chance(const struct attempts_rate *, unsigned runs);

/* Say that attempts_try() gave -errno, and return the exit code of that. */
int attempts_conclude(int err);

#endif
