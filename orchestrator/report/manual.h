/* SPDX-License-Identifier: ISC */
/*
 * The documents, as the program quotes them: docs/guarantees.md and others are
 * compiled in, so that what explains a verdict stands in one place. What is
 * found here is borrowed and lasts for ever.
 */
#ifndef ORCHESTRATOR_MANUAL_H
#define ORCHESTRATOR_MANUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MANUAL_TEXT_MAX	 6144 /* bytes of a paragraph, with its NUL */
#define MANUAL_CELLS_MAX 4

enum manual_page {
	MANUAL_GUARANTEES,
	MANUAL_VERDICTS,
	MANUAL_FAULTS,
	MANUAL_REPORT,
	MANUAL_PAGES
};

struct manual_text {
	const char *at;
	size_t len;
};

/* A row of a table, without markup; cells that are not there are empty. */
struct manual_row {
	char cells[MANUAL_CELLS_MAX][MANUAL_TEXT_MAX / 4];
};

/* A paragraph, an item of a list, a row of a table, or lines of an example. */
struct manual_block {
	char text[MANUAL_TEXT_MAX]; /* without markup */
	bool is_item;
	bool is_example; /* its lines are to stay as they are */
};

/*
 * The section below a heading. It is named by its number ("6" finds
 * "## 6. A confirmed ack is final") or by one of its comma-separated words.
 * The first block of the section is the heading itself. False: there is none.
 */
bool manual_section(enum manual_page, const char *name, struct manual_text *);

/*
 * The first row of a table whose first cell is this text, or has it as one of
 * its comma-separated words. In a cell the words N, T and NAME and three dots
 * stand for any text, so that a message is found by its form. False: none.
 */
bool manual_row(enum manual_page, const char *text, struct manual_row *);

/*
 * A row of any table that has this word in its cell i, marked as code; the
 * rows before *from are passed over and *from is moved behind it.
 */
bool manual_row_with(enum manual_page, unsigned i, const char *word,
    struct manual_text *from, struct manual_row *);

/* Of the rule "guarantees 6" its number, "6"; of anything else NULL. */
const char *manual_rule_number(const char *rule);

/* All of a page. */
struct manual_text manual_all(enum manual_page);

/* Take the next block off the beginning of a text. False at its end. */
bool manual_block(struct manual_text *, struct manual_block *);

/*
 * What to do about a reason for an inconclusive run, as the judge gives it:
 * a sentence in out, or false.
 */
bool manual_remedy(const char *reason, char *out, size_t size);

/* Print a section for a terminal or a log, wrapped at so many columns. */
void manual_print(struct manual_text, size_t columns, FILE *);

#endif
