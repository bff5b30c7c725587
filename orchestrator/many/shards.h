/* SPDX-License-Identifier: ISC */
/*
 * Shards: runs of one soak that ran beside each other, each with streams of
 * its own, merged into one report. It is a report as any run's
 * (docs/report.schema.json) with a row for each shard. Shards are taken in
 * one by one, so that only the sums are in memory.
 */
#ifndef ORCHESTRATOR_SHARDS_H
#define ORCHESTRATOR_SHARDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "proto/base/option.h"

#define SHARDS_MAX 1000

struct shards_options {
	bool merge;
};

struct shards {
	cJSON *tree;	/* the merged report; whole after shards_finish() */
	cJSON *first;	/* report of the first shard that has one */
	cJSON *counted; /* kind and class: in all */
	bool has_missing, has_unfinished;
};

/* 0 or -ENOMEM. */
int shards_init(struct shards *);
void shards_fini(struct shards *);

/*
 * Take a shard in. name is what rows and reasons call it; report NULL: it
 * left none, why says what there is. 0, or -EINVAL with why when it can't
 * be of the same soak.
 */
int shards_add(struct shards *, const char *name, const cJSON *report,
    char *why, size_t size);

/* Where its report is, seen from the merged one: the i-th. */
void shards_link(struct shards *, int i, const char *path);

/* No more: judge. The exit code. */
int shards_finish(struct shards *, const char *command);

extern const struct option_spec shards_options[]; /* of natsburn report */

/* The merged report as a page. */
void shards_page(const cJSON *tree, FILE *);

/* The verdict in words. */
void shards_say(const cJSON *tree, const char *dir, FILE *);

#endif
