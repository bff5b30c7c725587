/* SPDX-License-Identifier: ISC */
/* Alternatives that runs differ in, as lists on the command line name them. */
#ifndef ORCHESTRATOR_AXIS_H
#define ORCHESTRATOR_AXIS_H

#include "proto/config.h"

#define AXIS_ITEMS_MAX 64
#define AXIS_LABEL_MAX 96 /* bytes */

/* One alternative: what a run gets, and what people read. */
struct axis_item {
	char value[CONFIG_LIST_MAX];
	char label[AXIS_LABEL_MAX];
};

struct axis {
	struct axis_item items[AXIS_ITEMS_MAX];
	unsigned n;
};

/*
 * In lists of lists a comma separates alternatives, and a + what is together:
 * make commas of the latter.
 */
void axis_split(char *list);

/* Add an alternative of --OPTION. 0 or EXIT_USAGE after the error was said. */
int axis_add(
    struct axis *, const char *option, const char *value, const char *label);

/*
 * The alternatives of --server-bin, each labelled with its version, for which
 * it is asked; of servers that aren't ours one, labelled with the driver. 0 or
 * an exit code after the error was said.
 */
int axis_servers(struct axis *, const struct run_config *base);

#endif
