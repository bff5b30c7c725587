/* SPDX-License-Identifier: ISC */
/* Log lines; see log.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

static enum log_level log_floor = LOG_INFO;
static log_sink *log_to;
static void *log_arg;

void
log_set_level(enum log_level level)
{
	log_floor = level;
}

void
log_set_sink(log_sink *sink, void *arg)
{
	log_to = sink;
	log_arg = arg;
}

void
log_print(const char *who, enum log_level level, const char *text)
{
	static const char *const names[LOG_LEVELS] = {
	    "debug", "info", "warning", "error"};
	uint64_t now = clock_mono_ns();
	char shown[LOG_TEXT_MAX];

	if (level < log_floor || level >= LOG_LEVELS)
		return;
	text_printable(shown, sizeof(shown), text);
	fprintf(stderr, "%llu.%03llu %s %s: %s\n",
	    (unsigned long long)(now / CLOCK_S),
	    (unsigned long long)(now % CLOCK_S / CLOCK_MS), who, names[level],
	    shown);
}

static void __attribute__((format(printf, 2, 0)))
log_line(enum log_level level, const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX];

	if (level < log_floor)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine */
	if (log_to != NULL)
		log_to(log_arg, level, text);
	else
		log_print("natsburn", level, text);
}

#define LOG_VERB(verb, level)                                                  \
	void verb(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		log_line(level, fmt, ap);                                      \
		va_end(ap);                                                    \
	}

LOG_VERB(log_debug, LOG_DEBUG)
LOG_VERB(log_info, LOG_INFO)
LOG_VERB(log_warn, LOG_WARN)
LOG_VERB(log_error, LOG_ERROR)
