/* SPDX-License-Identifier: ISC */
/*
 * Reads the configuration format of nats-server: what it accepts means the
 * same here, with the place of each value kept. Some forms that nats-server
 * trips over ("[1]") are read as they are meant, and some that it ignores
 * (a key without a value, a number with a strange suffix) are errors.
 *
 * Everything is bounded: bytes, files, values, depth. No text of the file is
 * quoted in an error, for it may be a secret.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/conf.h"
#include "proto/base/text.h"

#define PATH_BYTES  4096
#define READERS_MAX 16 /* files, and variables of the environment, inside */
#define BCRYPT	    "2a$"

/* One text that is read, and the one that asked for it. */
struct reader {
	struct conf *c;
	const char *file;
	const char *at, *end;
	unsigned line;
	unsigned depth; /* of maps and arrays */
	unsigned level; /* of readers */
	unsigned *files;
	const struct reader *up;
	dev_t device; /* of the file, with its inode; 0 of other texts */
	ino_t inode;
};

/* The maps that variables are looked up in, innermost first. */
struct scope {
	struct conf_node *map;
	const struct scope *up;
};

static struct conf_node *read_value(struct reader *, const struct scope *);
static bool read_members(
    struct reader *, const struct scope *, unsigned opened);
static bool read_top(struct reader *, struct conf_node *map);
static bool read_file(
    struct reader *up, const char *path, unsigned line, struct conf_node *map);

/* Say what is wrong in a line, once: the innermost knows best. */
static bool __attribute__((format(printf, 3, 4)))
fail(struct reader *r, unsigned line, const char *fmt, ...)
{
	const struct conf_node at = {.file = r->file, .line = line};
	char what[CONF_WHY_MAX];
	va_list args;

	if (r->c->why[0] != '\0')
		return false;
	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args); /* cut is fine */
	va_end(args);
	(void)conf_refuse(r->c, &at, "%s", what); /* false says it */
	return false;
}

static char
peek(const struct reader *r)
{
	return r->at < r->end ? *r->at : '\0';
}

static bool
is_at_end(const struct reader *r)
{
	return r->at >= r->end;
}

static void
advance(struct reader *r)
{
	r->line += *r->at++ == '\n';
}

static bool
is_newline(char c)
{
	return c == '\n' || c == '\r';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
skip_blanks(struct reader *r)
{
	while (is_blank(peek(r)))
		advance(r);
}

static void
skip_spaces(struct reader *r)
{
	while (!is_at_end(r) && isspace((unsigned char)peek(r)))
		advance(r);
}

static bool
is_comment(const struct reader *r)
{
	return peek(r) == '#' ||
	       (peek(r) == '/' && r->end - r->at > 1 && r->at[1] == '/');
}

/* Up to the end of the line. */
static void
skip_comment(struct reader *r)
{
	while (!is_at_end(r) && !is_newline(peek(r)))
		advance(r);
}

static void
skip_spaces_and_comments(struct reader *r)
{
	for (skip_spaces(r); is_comment(r); skip_spaces(r))
		skip_comment(r);
}

static struct conf_node *
make(struct reader *r, enum conf_kind kind, unsigned line)
{
	struct conf_node *n;

	if (++r->c->values > CONF_VALUES_MAX) {
		(void)fail(r, line, "more than %d values", CONF_VALUES_MAX);
		return NULL;
	}
	n = conf_new(r->c, kind);
	if (n != NULL) {
		n->file = r->file;
		n->line = line;
	}
	return n;
}

static struct conf_node *
make_text(
    struct reader *r, enum conf_kind kind, const char *begin, const char *end)
{
	struct conf_node *n = make(r, kind, r->line);
	char *text = conf_alloc(r->c, (size_t)(end - begin) + 1);

	if (n == NULL || text == NULL)
		return NULL;
	memcpy(text, begin, (size_t)(end - begin));
	n->text = text;
	return n;
}

/* Strings */

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, tolower(c)) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* The byte that is meant behind a backslash; -1 when that is none. */
static int
escaped(const char **at, const char *end)
{
	static const char names[] = "tnr\"\\", bytes[] = "\t\n\r\"\\";
	const char *name;
	int high, low;

	if (*at >= end)
		return -1;
	name = **at != '\0' ? strchr(names, *(*at)++) : NULL;
	if (name != NULL)
		return (unsigned char)bytes[name - names];
	if ((*at)[-1] != 'x' || end - *at < 2)
		return -1;
	high = digit((*at)[0]);
	low = digit((*at)[1]);
	*at += 2;
	/* A byte 0 would end the string here and not there. */
	return high < 0 || low < 0 || high + low == 0 ? -1 : high << 4 | low;
}

static struct conf_node *
unescape(struct reader *r, unsigned line, const char *begin, const char *end)
{
	struct conf_node *n = make(r, CONF_STRING, line);
	char *text = conf_alloc(r->c, (size_t)(end - begin) + 1);
	size_t len = 0;
	int byte;

	if (n == NULL || text == NULL)
		return NULL;
	n->text = text;
	while (begin < end) {
		byte = (unsigned char)*begin++;
		if (byte == '\\')
			byte = escaped(&begin, end);
		if (byte < 0) {
			(void)fail(r, line,
			    "behind a backslash stands one of t, n, r, \", \\, "
			    "or x and two hexadecimal digits, not 00");
			return NULL;
		}
		text[len++] = (char)byte;
	}
	return n;
}

/* The text between quotes; the reader then stands behind them. */
static bool
find_quote(
    struct reader *r, bool has_escapes, const char **begin, const char **end)
{
	char quote = *r->at;
	unsigned line = r->line;

	advance(r);
	*begin = r->at;
	while (!is_at_end(r) && peek(r) != quote) {
		if (has_escapes && peek(r) == '\\' && r->end - r->at > 1)
			advance(r);
		advance(r);
	}
	if (is_at_end(r))
		return fail(r, line, "the quote %c is not closed", quote);
	*end = r->at;
	advance(r);
	return true;
}

static struct conf_node *
read_quoted(struct reader *r)
{
	unsigned line = r->line;
	const char *begin, *end;
	struct conf_node *n;
	bool is_double = peek(r) == '"';

	if (!find_quote(r, is_double, &begin, &end))
		return NULL;
	if (is_double)
		return unescape(r, line, begin, end);
	n = make_text(r, CONF_STRING, begin, end);
	if (n != NULL)
		n->line = line;
	return n;
}

/* A block: from "(" to a line that is nothing but ")". */
static struct conf_node *
read_block(struct reader *r)
{
	const char *begin = r->at + 1;
	unsigned line = r->line;
	struct conf_node *n;

	for (advance(r); !is_at_end(r); advance(r))
		if (peek(r) == ')' && r->at[-1] == '\n' &&
		    (r->at + 1 == r->end || r->at[1] == '\n'))
			break;
	if (is_at_end(r)) {
		(void)fail(r, line,
		    "the ( is not closed by a line that is nothing but )");
		return NULL;
	}
	n = make_text(r, CONF_STRING, begin, r->at);
	advance(r);
	if (n != NULL)
		n->line = line;
	return n;
}

/* Variables */

/* The value that the environment has for a name, or NULL after a failure. */
static struct conf_node *
environment(struct reader *r, unsigned line, const char *name)
{
	struct reader inner = {.c = r->c,
	    .line = 1,
	    .level = r->level + 1,
	    .files = r->files,
	    .up = r};
	size_t size = strlen(name) + 32;
	char *file = conf_alloc(r->c, size), *text = NULL;
	struct conf_node *map = make(r, CONF_MAP, line), *n = NULL;

	if (file == NULL || map == NULL)
		return NULL;
	if (asprintf(&text, "pk=%s", getenv(name)) < 0) {
		r->c->err = -ENOMEM;
		return NULL;
	}
	text_format(file, size, "environment variable %s", name);
	inner.file = file;
	inner.at = text;
	inner.end = text + strlen(text);
	if (inner.level > READERS_MAX)
		(void)fail(r, line, "variables in variables without end");
	else if (read_top(&inner, map))
		n = conf_member(map, "pk");
	free(text);
	if (n == NULL)
		return NULL;
	conf_remove(map, n);
	n->key = NULL;
	n->file = r->file;
	n->line = line;
	return n;
}

static struct conf_node *
read_variable(struct reader *r, unsigned line, const struct scope *scope,
    struct conf_node *name)
{
	struct conf_node *n = NULL;

	/* Hashes of passwords need no quotes. */
	if (strncmp(name->text + 1, BCRYPT, strlen(BCRYPT)) == 0)
		return name;
	for (; scope != NULL && n == NULL; scope = scope->up)
		n = conf_member(scope->map, name->text + 1);
	if (n == NULL && getenv(name->text + 1) != NULL)
		return environment(r, line, name->text + 1);
	if (n != NULL)
		n->is_used = true;
	name->kind = CONF_VARIABLE;
	name->text++;
	name->target = n; /* not set at all: perhaps it is overruled */
	return name;
}

/* Words and numbers */

static bool
ends_word(const struct reader *r)
{
	char c = peek(r);

	return is_at_end(r) || is_newline(c) || is_blank(c) || c == ';' ||
	       c == ',' || c == ']' || c == '}';
}

static bool
is_one_of(const char *word, const char *list)
{
	char one[8];

	while (text_next_item(&list, one, sizeof(one)))
		if (strcasecmp(word, one) == 0)
			return true;
	return false;
}

/* A word without quotes: a string, a truth value or a variable. */
static struct conf_node *
read_word(struct reader *r, const struct scope *scope)
{
	const char *begin = r->at;
	unsigned line = r->line;
	bool has_escapes = false;
	struct conf_node *n;

	while (!ends_word(r) && peek(r) != '\'') {
		if (peek(r) == '\\') {
			has_escapes = true;
			advance(r);
			if (is_at_end(r))
				break;
		}
		advance(r);
	}
	n = unescape(r, line, begin, r->at);
	if (peek(r) == '\'')
		advance(r);
	if (n == NULL || has_escapes)
		return n;
	if (is_one_of(n->text, "true,yes,on")) {
		n->kind = CONF_BOOL;
		n->number = 1;
	} else if (is_one_of(n->text, "false,no,off"))
		n->kind = CONF_BOOL;
	else if (n->text[0] == '$')
		return read_variable(r, line, scope, n);
	return n;
}

/* The number that a suffix multiplies with; 0 when it is none. */
static int64_t
factor(const char *suffix, size_t len)
{
	static const char sizes[] = "kmgtpe";
	const char *at;
	int64_t base = 1000, product = 1;

	if (len == 0)
		return 1;
	at = strchr(sizes, tolower(suffix[0]));
	if (at == NULL || len > 3)
		return 0;
	if (len == 3 &&
	    (tolower(suffix[1]) != 'i' || tolower(suffix[2]) != 'b'))
		return 0;
	if (len > 1)
		base = 1024;
	for (; at >= sizes; at--)
		product *= base;
	return product;
}

static struct conf_node *
make_integer(struct reader *r, const char *begin, const char *suffix)
{
	struct conf_node *n = make(r, CONF_INTEGER, r->line);
	int64_t times = factor(suffix, (size_t)(r->at - suffix));
	char digits[24];
	int64_t number;

	if (n == NULL)
		return NULL;
	if (times == 0) {
		(void)fail(r, r->line,
		    "a number may end in k, kb, kib and so on, up to e");
		return NULL;
	}
	errno = suffix - begin < (ptrdiff_t)sizeof(digits) ? 0 : ERANGE;
	text_format(
	    digits, sizeof(digits), "%.*s", (int)(suffix - begin), begin);
	number = strtoll(digits, NULL, 10);
	if (errno != 0 || __builtin_mul_overflow(number, times, &n->number)) {
		(void)fail(r, r->line, "the number is too large");
		return NULL;
	}
	return n;
}

static bool
is_digit(const struct reader *r)
{
	return peek(r) >= '0' && peek(r) <= '9';
}

static void
skip_digits(struct reader *r)
{
	while (is_digit(r))
		r->at++;
}

/* What follows the point: a float, or an address. */
static struct conf_node *
read_fraction(struct reader *r, const char *begin)
{
	r->at++;
	if (!is_digit(r)) {
		(void)fail(r, r->line, "behind the point stands a digit");
		return NULL;
	}
	skip_digits(r);
	if (peek(r) != '.')
		return make_text(r, CONF_PLAIN, begin, r->at);
	while (
	    is_digit(r) || peek(r) == '.' || peek(r) == ':' || peek(r) == '-')
		r->at++;
	return make_text(r, CONF_STRING, begin, r->at);
}

/* The year was read: 2006-01-02T15:04:05Z. */
static struct conf_node *
read_date(struct reader *r, const char *begin)
{
	static const char form[] = "0000-00-00T00:00:00Z";
	size_t i;

	for (i = 0; i < sizeof(form) - 1; i++)
		if (begin + i >= r->end ||
		    (form[i] == '0' ? !isdigit((unsigned char)begin[i])
				    : begin[i] != form[i])) {
			(void)fail(r, r->line,
			    "a date has the form 2006-01-02T15:04:05Z");
			return NULL;
		}
	r->at = begin + sizeof(form) - 1;
	return make_text(r, CONF_PLAIN, begin, r->at);
}

/* What begins with a digit or a minus need not be a number. */
static struct conf_node *
read_number(struct reader *r, const struct scope *scope)
{
	const char *begin = r->at, *suffix;
	bool is_negative = peek(r) == '-';

	r->at += is_negative;
	if (!is_digit(r)) {
		(void)fail(r, r->line, "behind the minus stands a digit");
		return NULL;
	}
	skip_digits(r);
	if (peek(r) == '.')
		return read_fraction(r, begin);
	if (peek(r) == '-' && !is_negative)
		return read_date(r, begin);
	suffix = r->at;
	if (peek(r) != '\0' && strchr("kmgtpe", tolower(peek(r))) != NULL)
		for (r->at++;
		     peek(r) != '\0' && strchr("bi", tolower(peek(r))) != NULL;)
			r->at++;
	if (is_negative || ends_word(r))
		return make_integer(r, begin, suffix);
	r->at = begin;
	return read_word(r, scope); /* 30s, 5x */
}

/* Maps and arrays */

static bool
enter(struct reader *r)
{
	if (++r->depth <= CONF_DEPTH_MAX)
		return true;
	return fail(r, r->line, "more than %d maps and arrays in each other",
	    CONF_DEPTH_MAX);
}

/* Behind a value of an array. */
static bool
end_element(struct reader *r)
{
	skip_blanks(r);
	if (is_comment(r))
		skip_comment(r);
	if (peek(r) == ',' || is_newline(peek(r))) {
		advance(r);
		return true;
	}
	return peek(r) == ']' || is_at_end(r) ||
	       fail(r, r->line,
		   "a value of an array ends with a comma, a new line or ]");
}

static struct conf_node *
read_array(struct reader *r, const struct scope *scope)
{
	struct conf_node *array = make(r, CONF_ARRAY, r->line), *n;

	if (array == NULL || !enter(r))
		return NULL;
	advance(r);
	for (;;) {
		skip_spaces_and_comments(r);
		if (is_at_end(r)) {
			(void)fail(r, array->line, "the [ is not closed");
			return NULL;
		}
		if (peek(r) == ']')
			break;
		if (peek(r) == ',') {
			(void)fail(r, r->line, "no value before the comma");
			return NULL;
		}
		n = read_value(r, scope);
		if (n == NULL || !end_element(r))
			return NULL;
		conf_append(array, n);
	}
	advance(r);
	r->depth--;
	return array;
}

static struct conf_node *
read_map(struct reader *r, const struct scope *up)
{
	struct conf_node *map = make(r, CONF_MAP, r->line);
	struct scope scope = {map, up};

	if (map == NULL || !enter(r))
		return NULL;
	advance(r);
	if (!read_members(r, &scope, map->line))
		return NULL;
	r->depth--;
	return map;
}

static struct conf_node *
read_value(struct reader *r, const struct scope *scope)
{
	char c;

	skip_blanks(r);
	c = peek(r);
	if (ends_word(r)) {
		(void)fail(r, r->line, "a value is missing");
		return NULL;
	}
	if (c == '{')
		return read_map(r, scope);
	if (c == '[')
		return read_array(r, scope);
	if (c == '(')
		return read_block(r);
	if (c == '"' || c == '\'')
		return read_quoted(r);
	if (c == '-' || isdigit((unsigned char)c))
		return read_number(r, scope);
	if (c != '.')
		return read_word(r, scope);
	(void)fail(r, r->line, "before the point stands a digit");
	return NULL;
}

/* Keys */

/* False when none can be read. *is_quoted: it is no keyword. */
static bool
read_key(struct reader *r, const char **key, bool *is_quoted)
{
	const char *begin = r->at, *end;
	char *text;

	*is_quoted = peek(r) == '"' || peek(r) == '\'';
	if (*is_quoted && !find_quote(r, false, &begin, &end))
		return false;
	if (!*is_quoted) {
		while (!is_at_end(r) && !isspace((unsigned char)peek(r)) &&
		       peek(r) != ':' && peek(r) != '=')
			r->at++;
		end = r->at;
	}
	if (end == begin)
		return fail(r, r->line, "a key is missing");
	text = conf_alloc(r->c, (size_t)(end - begin) + 1);
	if (text == NULL)
		return false;
	memcpy(text, begin, (size_t)(end - begin));
	*key = text;
	if (*is_quoted ||
	    (strpbrk(text, "{}[]") == NULL && strchr(",;(", text[0]) == NULL))
		return true;
	return fail(r, r->line,
	    "a key without quotes goes on to a blank, : or =, and has no "
	    "brackets");
}

/* Behind a key: the separator, or nothing where the value begins. */
static void
skip_separator(struct reader *r, bool is_top)
{
	skip_spaces(r);
	if (peek(r) != ':' && peek(r) != '=')
		return;
	advance(r);
	if (!is_top)
		skip_spaces(r); /* the value may stand in the next line */
}

/* Behind a value of a map; a closing } stays. */
static bool
end_member(struct reader *r, bool is_top)
{
	skip_blanks(r);
	if (is_at_end(r) || peek(r) == '}' || is_comment(r))
		return true;
	if (is_newline(peek(r)) || peek(r) == ',' || peek(r) == ';') {
		advance(r);
		return true;
	}
	return fail(r, r->line, "a value ends with a new line, a comma, ;%s",
	    is_top ? " or a comment" : ", } or a comment");
}

/* The later one of two with the same key counts. */
static void
set_member(struct conf_node *map, struct conf_node *n)
{
	struct conf_node *earlier = conf_member(map, n->key);

	if (earlier != NULL)
		conf_remove(map, earlier);
	conf_append(map, n);
}

static bool
read_include(struct reader *r, struct conf_node *map)
{
	const char *begin, *end, *slash = strrchr(r->file, '/');
	char path[PATH_BYTES] = "";
	unsigned line = r->line;

	skip_blanks(r);
	begin = r->at;
	if (peek(r) == '"' || peek(r) == '\'') {
		if (!find_quote(r, false, &begin, &end))
			return false;
	} else {
		while (!is_at_end(r) && !isspace((unsigned char)peek(r)) &&
		       strchr(";}'", peek(r)) == NULL)
			r->at++;
		end = r->at;
		r->at += peek(r) == '\'';
	}
	if (begin == end || strchr("[{(\\", *begin) != NULL)
		return fail(r, line, "include goes with the name of a file");
	/* Beside this file, a slash at its beginning or not: so it is there. */
	text_format(path, sizeof(path), "%.*s",
	    slash != NULL ? (int)(slash + 1 - r->file) : 1,
	    slash != NULL   ? r->file
	    : *begin == '/' ? "."
			    : "");
	if (!text_fits_add(
		path, sizeof(path), "%.*s", (int)(end - begin), begin))
		return fail(r, line, "the name of the file is too long");
	return read_file(r, path, line, map);
}

/* One key and its value, or what a file sets. */
static bool
read_member(struct reader *r, const struct scope *scope, bool is_top)
{
	unsigned line = r->line;
	struct conf_node *n;
	const char *key = NULL;
	bool is_quoted;

	if (!read_key(r, &key, &is_quoted))
		return false;
	if (!is_quoted && strcasecmp(key, "include") == 0 &&
	    isspace((unsigned char)peek(r)))
		return read_include(r, scope->map) && end_member(r, is_top);
	skip_separator(r, is_top);
	n = read_value(r, scope);
	if (n == NULL || !end_member(r, is_top))
		return false;
	n->key = key;
	n->line = line;
	set_member(scope->map, n);
	return true;
}

/* Up to the } of a map that began in the line opened. */
static bool
read_members(struct reader *r, const struct scope *scope, unsigned opened)
{
	for (;;) {
		skip_spaces_and_comments(r);
		if (is_at_end(r))
			return fail(r, opened, "the { is not closed");
		if (peek(r) == '}')
			break;
		if (!read_member(r, scope, false))
			return false;
	}
	advance(r);
	return true;
}

/* A whole text. Braces around all of it, as JSON has them, mean nothing. */
static bool
read_top(struct reader *r, struct conf_node *map)
{
	struct scope scope = {map, NULL};
	unsigned braces = 0, line = 0;

	for (;;) {
		skip_spaces_and_comments(r);
		if (is_at_end(r))
			break;
		if (peek(r) == '{') {
			line = r->line;
			braces++;
			advance(r);
		} else if (peek(r) == '}') {
			braces -= braces > 0;
			advance(r);
		} else if (!read_member(r, &scope, true))
			return false;
	}
	return braces == 0 || fail(r, line, "the { is not closed");
}

/* Files */

static bool
includes_itself(const struct reader *r, const struct stat *st)
{
	for (; r != NULL; r = r->up)
		if (r->inode == st->st_ino && r->device == st->st_dev &&
		    r->inode != 0)
			return true;
	return false;
}

/*
 * Its bytes, to be freed; NULL after a failure was said. Links are followed,
 * for Kubernetes mounts files as links.
 */
static char *
load(struct reader *up, struct reader *r, const char *path, unsigned line)
{
	struct stat st = {0};
	char *text = NULL;
	ssize_t n = 0;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0)
		(void)fail(up, line, "\"%s\": %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		(void)fail(up, line, "\"%s\": is not a file", path);
	else if (st.st_size > CONF_FILE_MAX)
		(void)fail(up, line, "\"%s\": more than %u bytes", path,
		    CONF_FILE_MAX);
	else if (includes_itself(up, &st))
		(void)fail(up, line, "\"%s\": includes itself", path);
	else
		text = calloc(1, CONF_FILE_MAX + 1);
	while (text != NULL && len < CONF_FILE_MAX &&
	       (n = read(fd, text + len, CONF_FILE_MAX - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		(void)fail(up, line, "\"%s\": %s", path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	r->at = text;
	r->end = text != NULL ? text + len : NULL;
	r->device = st.st_dev;
	r->inode = st.st_ino;
	return text;
}

static bool
read_text(struct reader *r, struct conf_node *map)
{
	const char *zero = memchr(r->at, '\0', (size_t)(r->end - r->at));

	for (; zero != NULL && r->at < zero;)
		advance(r);
	if (zero != NULL)
		return fail(r, r->line, "a byte that no text has");
	if (r->end - r->at >= 3 && memcmp(r->at, "\xef\xbb\xbf", 3) == 0)
		return fail(r, 1, "a byte order mark before the first key");
	return read_top(r, map);
}

static bool
read_file(
    struct reader *up, const char *path, unsigned line, struct conf_node *map)
{
	struct conf_node *own = conf_new(up->c, CONF_MAP), *n;
	char *file = conf_alloc(up->c, strlen(path) + 1), *text;
	struct reader r = {.c = up->c,
	    .file = file,
	    .line = 1,
	    .depth = up->depth,
	    .level = up->level + 1,
	    .files = up->files,
	    .up = up};
	bool ok;

	if (own == NULL || file == NULL)
		return false;
	memcpy(file, path, strlen(path));
	if (++*r.files > CONF_FILES_MAX || r.level > READERS_MAX)
		return fail(up, line,
		    "more than %d files, or %d inside of "
		    "each other",
		    CONF_FILES_MAX, READERS_MAX);
	text = load(up, &r, path, line);
	if (text == NULL)
		return false;
	/* Its variables are its own; what it sets is set here. */
	ok = read_text(&r, own);
	free(text);
	while (ok && (n = own->first) != NULL) {
		conf_remove(own, n);
		set_member(map, n);
	}
	return ok;
}

static int
outcome(const struct conf *c, bool ok)
{
	if (ok && c->err == 0)
		return 0;
	return c->why[0] != '\0' ? -EINVAL : -ENOMEM;
}

int
conf_read(struct conf *c, const char *path)
{
	unsigned files = 0;
	struct reader top = {.c = c, .files = &files};

	return outcome(c, read_file(&top, path, 0, c->root));
}

int
conf_read_text(struct conf *c, const char *name, const char *text, size_t len)
{
	char *file = conf_alloc(c, strlen(name) + 1);
	unsigned files = 1;
	struct reader r = {.c = c,
	    .file = file,
	    .at = text,
	    .end = text + len,
	    .line = 1,
	    .files = &files};

	if (file == NULL)
		return -ENOMEM;
	memcpy(file, name, strlen(name));
	return outcome(c, read_text(&r, c->root));
}
