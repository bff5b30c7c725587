/* SPDX-License-Identifier: ISC */
/*
 * Text in XML and HTML. What the servers and the journal say is not ours:
 * it is written so that it can't be taken for markup, and is always valid
 * UTF-8 without the control characters that XML 1.0 forbids.
 */
#ifndef ORCHESTRATOR_MARKUP_H
#define ORCHESTRATOR_MARKUP_H

#include <stdio.h>

/* Write a text, as content or inside a quoted attribute. */
void markup_text(FILE *, const char *);

#endif
