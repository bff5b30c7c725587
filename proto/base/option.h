/* SPDX-License-Identifier: ISC */
/*
 * Options as rows: one row says the name, type, place, range, default and
 * help of an option, and everything that deals with options (command line,
 * environment, file, help, dump, errors) walks the rows.
 */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTION_VALUE_MAX 1024 /* bytes of any value as text, with its NUL */
#define OPTION_WHY_MAX	 1536 /* bytes of an error text, with its NUL */

enum option_type {
	OPTION_FLAG,	 /* bool; takes no value on a command line */
	OPTION_U64,	 /* uint64_t */
	OPTION_DURATION, /* uint64_t, nanoseconds */
	OPTION_TIMES,	 /* struct option_times of durations */
	OPTION_STRING,	 /* char[size] */
	OPTION_CHOICE,	 /* char[size], one of choices */
	OPTION_RANGE,	 /* uint64_t[2]: least and most, N or N..N */
	OPTION_RATE,	 /* uint64_t, a second; N/s, 0 for no limit */
	OPTION_SIZE,	 /* uint64_t, bytes; 64MiB, 0 for no limit */
};

/* A time, or two with ".." between them: "5s", "2s..10s". Nanoseconds. */
struct option_times {
	uint64_t low, high; /* equal for one time */
};

struct option_spec {
	const char *name; /* without dashes; NULL ends a table */
	enum option_type type;
	size_t offset;	 /* in the structure the table is for */
	size_t size;	 /* of a char array */
	const char *def; /* default, as text */
	uint64_t min, max;
	const char *const *choices; /* NULL-terminated */
	const char *arg;	    /* what --help calls the value */
	const char *help;
	bool secret; /* never dumped, logged or stored */
};

/* Where a row's value is. */
#define OPTION_AT(type, member)                                                \
	.offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

/* Set every option of base to its default. */
void option_defaults(const struct option_spec *rows, void *base);

/* The row of a name, or NULL. */
const struct option_spec *option_find(
    const struct option_spec *rows, const char *name);

/*
 * Set one option from text. 0; -ENOENT for an unknown name, -EINVAL for a
 * bad value. why (OPTION_WHY_MAX bytes) then names the option, the value
 * and what is allowed, written as prefix would be typed ("--", "-o x.").
 */
int option_set(const struct option_spec *rows, void *base, const char *prefix,
    const char *name, const char *value, char *why);

/* The value of one option as text that option_set() reads back. */
void option_get(
    const struct option_spec *row, const void *base, char *out, size_t size);

/* True when the option has its default. */
bool option_is_default(const struct option_spec *row, const void *base);

/* One help line a row. */
void option_help(const struct option_spec *rows, const char *prefix, FILE *out);

#endif
