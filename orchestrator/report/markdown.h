/* SPDX-License-Identifier: ISC */
/*
 * A report as Markdown, for the summaries of CI servers. Texts of servers
 * are written so that they can't be taken for markup.
 */
#ifndef ORCHESTRATOR_MARKDOWN_H
#define ORCHESTRATOR_MARKDOWN_H

#include <cjson/cJSON.h>
#include <stdio.h>

/* Of report.json, matrix.json, hunt.json, as trees. */
void markdown_run(const cJSON *tree, FILE *);
void markdown_matrix(const cJSON *tree, FILE *);
void markdown_hunt(const cJSON *tree, FILE *);

#endif
