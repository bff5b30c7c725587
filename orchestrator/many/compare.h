/* SPDX-License-Identifier: ISC */
/*
 * Runs, matrices or hunts side by side: what is new, gone, or of another size.
 * Of each row the first and the last are compared; those between are shown.
 */
#ifndef ORCHESTRATOR_COMPARE_H
#define ORCHESTRATOR_COMPARE_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdio.h>

#define COMPARE_MAX 16 /* folders */

enum compare_kind {
	COMPARE_RUN,
	COMPARE_MATRIX,
	COMPARE_HUNT
};

struct compare {
	enum compare_kind kind;
	size_t n;
	const char *dirs[COMPARE_MAX];
	cJSON *trees[COMPARE_MAX];
};

/*
 * Read what stands in a folder and add it: all must be of one kind. 0 or
 * EXIT_USAGE after the error was said. compare_fini() in either case.
 */
int compare_add(struct compare *, const char *dir);
void compare_fini(struct compare *);

/*
 * The comparison as data (docs/hunt.md); the caller's. Check json_is_whole().
 */
cJSON *compare_make(const struct compare *);

/* The same as text of the width of a terminal, and as a page. */
void compare_say(const cJSON *, FILE *);
void compare_page(const cJSON *, FILE *);

#endif
