/* SPDX-License-Identifier: ISC */
/*
 * What everything has in common that is made of many runs' reports, a matrix
 * and the shards of a soak: reading report.json, the words for results and
 * their order, and the pieces of the XML and HTML made from a tree.
 */
#ifndef ORCHESTRATOR_FORMS_H
#define ORCHESTRATOR_FORMS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "orchestrator/report/term.h"

/* A report.json; NULL when there is none that is whole. The caller's. */
cJSON *forms_load(const char *path);

/* Of a report what a table and a list of findings need. The caller's. */
cJSON *forms_outcome(const cJSON *report);

/*
 * Words for results and the exit codes of their runs, the worst first: the
 * one order of docs/verdicts.md. A NULL word ends them.
 */
struct forms_result {
	const char *word;
	int code;
};
extern const struct forms_result forms_results[];

/* The word of a run's exit code, and back. Unknown codes are the harness'. */
const char *forms_word(int exit_code);
int forms_word_code(const char *word);

/* The exit code of two together: the first of 1, 70, 69, 3, 2, 0. */
int forms_worse(int, int);

/* The worst "result" of rows, an array; "pass" of none. */
const char *forms_worst(const cJSON *rows);

/*
 * Write DIR/NAME, whole or not at all. 0 or -errno: -ENOMEM also when memory
 * ran out while the tree was made (json_is_whole()).
 */
int forms_save(const cJSON *tree, const char *dir, const char *name,
    void (*form)(const cJSON *tree, FILE *));

/* XML and HTML: ' name="value"'. */
void forms_attribute(FILE *, const char *name, const char *value);

/* The colour of a result on a terminal. */
enum term_style forms_style(const char *word);

/* A page in the look of the report page. A class for a result: */
const char *forms_tone(const char *word);

/* All up to the body. */
void forms_page_head(const cJSON *tree, const char *title, FILE *);

/* All up to the line that says what this is, which the caller writes. */
void forms_page_begin(
    const cJSON *tree, const cJSON *rows, const char *name, FILE *);
void forms_page_main(FILE *);
void forms_page_end(const cJSON *tree, const char *json, FILE *);

/* How many rows there are of each result. */
void forms_page_tiles(const cJSON *rows, const char *label, FILE *);

/* The result of a row; link (NULL: none) leads to its run's folder. */
void forms_page_chip(const cJSON *row, const char *link, FILE *);

#endif
