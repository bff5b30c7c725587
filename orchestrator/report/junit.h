/* SPDX-License-Identifier: ISC */
/*
 * The report as JUnit XML, for Jenkins, GitLab and others: one test case a
 * check, and one, "run", that says whether the run proves anything at all.
 */
#ifndef ORCHESTRATOR_JUNIT_H
#define ORCHESTRATOR_JUNIT_H

#include <cjson/cJSON.h>
#include <stdio.h>

struct history;

struct junit_tally {
	unsigned tests, failures, errors, skipped;
};

void junit_write(const struct history *, const cJSON *tree, FILE *);

/* The suite of one report, and what it holds. */
void junit_suite(const cJSON *tree, const char *name, FILE *);
struct junit_tally junit_count(const cJSON *tree);

#endif
