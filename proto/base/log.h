/* SPDX-License-Identifier: ISC */
/*
 * Log lines: monotonic time, who, level, text. The parent writes them to
 * stderr; a child sets a sink that sends them up its pipe. stdout is never
 * touched: it belongs to the report.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
	LOG_LEVELS
};

#define LOG_TEXT_MAX 512 /* bytes of one line, with its NUL */

typedef void log_sink(void *arg, enum log_level, const char *text);

/* Lines below level are dropped; the default is LOG_INFO. */
void log_set_level(enum log_level);

/* Send lines to sink(arg, ...); NULL gives stderr back. */
void log_set_sink(log_sink *, void *arg);

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One line on stderr as "who" said it; used for lines of children too. */
void log_print(const char *who, enum log_level, const char *text);

#endif
