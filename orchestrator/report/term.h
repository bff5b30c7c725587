/* SPDX-License-Identifier: ISC */
/*
 * What is at the other end of a stream: a terminal, its size, and whether
 * it is to have colours (never with NO_COLOR: no-color.org).
 */
#ifndef ORCHESTRATOR_TERM_H
#define ORCHESTRATOR_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum term_style {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_FAINT,
	TERM_RED,
	TERM_GREEN,
	TERM_YELLOW,
	TERM_BLUE,
	TERM_STYLES
};

struct term {
	bool is_terminal, has_colour;
	size_t width, height; /* columns and rows; 80 and 24 if not known */
};

void term_look(struct term *, FILE *);

/* What begins a style, and what ends every style; "" without colours. */
const char *term_style(const struct term *, enum term_style);
const char *term_plain(const struct term *);

#endif
