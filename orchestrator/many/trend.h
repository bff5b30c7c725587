/* SPDX-License-Identifier: ISC */
/*
 * What became of hunts over time: trend.json in a folder has an entry for
 * each, and index.html beside it shows how often each failure was met, on
 * which version, and how long it took to find.
 */
#ifndef ORCHESTRATOR_TREND_H
#define ORCHESTRATOR_TREND_H

#include <cjson/cJSON.h>
#include <stdio.h>

#define TREND_JSON "trend.json"
#define TREND_MAX  1000 /* hunts; the oldest go */

/*
 * What a folder has, which may be nothing yet: the caller's. NULL after
 * it was said that something else stands there or that memory ran out.
 */
cJSON *trend_load(const char *dir);

/*
 * Enter a hunt (its hunt.json, and its folder) in the place of what was known
 * of it, or else as the newest. A hunt is known by its folder and its seed.
 */
void trend_enter(cJSON *trend, const cJSON *hunt, const char *folder);

/*
 * Both files, in a folder that is made if it is missing. Others that add to it
 * meanwhile are waited for. 0 or -errno; -EINVAL when it was said already.
 */
int trend_add(const char *dir, const cJSON *hunt, const char *folder);

void trend_page(const cJSON *trend, FILE *);

#endif
