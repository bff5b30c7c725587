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

void junit_write(const struct history *, const cJSON *tree, FILE *);

#endif
