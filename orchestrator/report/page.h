/* SPDX-License-Identifier: ISC */
/*
 * The report as one HTML page that needs nothing else: no network, no
 * other file. Its size does not grow with the length of the run.
 */
#ifndef ORCHESTRATOR_PAGE_H
#define ORCHESTRATOR_PAGE_H

#include <cjson/cJSON.h>
#include <stdio.h>

struct history;

void page_write(const struct history *, const cJSON *tree, FILE *);

#endif
