/* SPDX-License-Identifier: ISC */
/* Errors of usage; see usage.h. */
#include <stdarg.h>
#include <stdio.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/text.h"

#define USAGE_TEXT_MAX 8192 /* bytes of an error */

static bool is_silent;
static const char *origin;

static void say(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

static void
say(const char *fmt, va_list ap)
{
	char text[USAGE_TEXT_MAX], shown[USAGE_TEXT_MAX];

	if (is_silent)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine */
	if (origin != NULL)
		text_add(text, sizeof(text), " (with --job %s)", origin);
	text_printable(shown, sizeof(shown), text);
	fprintf(stderr, "natsburn: %s\n", shown);
}

void
usage_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

int
usage_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return EXIT_USAGE;
}

void
usage_set_origin(const char *file)
{
	origin = file;
}

void
usage_be_silent(bool silent)
{
	is_silent = silent;
}
