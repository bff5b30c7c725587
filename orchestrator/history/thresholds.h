/* SPDX-License-Identifier: ISC */
/*
 * --limit: figures that a user wants to be within bounds. They are about how
 * well the cluster served, and have nothing to do with JetStream's promises: a
 * limit that is exceeded is never a violation.
 */
#ifndef ORCHESTRATOR_THRESHOLDS_H
#define ORCHESTRATOR_THRESHOLDS_H

#include "orchestrator/history/stats.h"

#define THRESHOLDS_MAX 16
#define THRESHOLD_TEXT 64 /* bytes of one as text, with its NUL */

enum threshold_says {
	THRESHOLD_KEPT,
	THRESHOLD_EXCEEDED,
	THRESHOLD_UNMEASURED
};

struct threshold {
	char text[THRESHOLD_TEXT]; /* as it was given: stall<10s */
	unsigned figure;	   /* its row in the table of figures */
	bool is_least;		   /* must be more, not less */
	double bound;		   /* seconds, a count, or a second */
	/* threshold_look() sets these. */
	enum threshold_says says;
	double measured;
};

/*
 * Read a list with commas: how many, or -EINVAL with why (OPTION_WHY_MAX
 * bytes).
 */
int thresholds_parse(
    const char *list, struct threshold out[THRESHOLDS_MAX], char *why);

/*
 * Measure them by the figures of a history: how many are not kept. What the
 * test has no figure for is not measured, and not kept.
 */
unsigned thresholds_look(const struct stats *, struct threshold *, unsigned n);

/* "12.31 s", "340", "51/s" or "not measured". */
void threshold_measured(const struct threshold *, char *out, size_t size);

/* "kept", "exceeded" or "not measured". */
const char *threshold_word(enum threshold_says);

#endif
