/* SPDX-License-Identifier: ISC */
/* Errors of usage; see usage.h. */
#include <stdarg.h>
#include <stdio.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"

static void say(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

static void
say(const char *fmt, va_list ap)
{
	fputs("natsburn: ", stderr);
	(void)vfprintf(stderr, fmt, ap); /* there is nowhere else to say it */
	fputc('\n', stderr);
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
