/* SPDX-License-Identifier: ISC */
/*
 * A recorded schedule of faults (--schedule FILE): the report.json of a run,
 * or what has of it the members "phases" and "faults". A fault is known by its
 * mode and by the offset that the seed drew for it; with the same seed it is
 * drawn again, and begins when it began then.
 */
#ifndef PROTO_RECORDED_H
#define PROTO_RECORDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/config.h"

struct recorded_fault {
	char mode[CONFIG_NAME_MAX];
	uint64_t planned_ms; /* offset in its schedule */
	uint64_t begin_ns;   /* since the first fault could begin */
};

struct recorded {
	struct recorded_fault *faults;
	size_t n;
};

/*
 * Read a file. 0, or -errno with a sentence in why (OPTION_WHY_MAX bytes) that
 * names the file. recorded_free() in either case.
 */
int recorded_load(struct recorded *, const char *path, char *why);
void recorded_free(struct recorded *);

/* The fault of a mode with this offset, or NULL: it was not there. */
const struct recorded_fault *recorded_find(
    const struct recorded *, const char *mode, uint64_t planned_ns);

/* Is there a fault of that mode with this offset or a later one? */
bool recorded_goes_on(
    const struct recorded *, const char *mode, uint64_t planned_ns);

#endif
