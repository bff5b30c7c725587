/* SPDX-License-Identifier: ISC */
/* Trees of configurations, and their writing; see conf.h. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/local/conf.h"
#include "proto/base/text.h"

#define VISITS_MAX 1000000 /* values met while writing */
#define PLACE_MARK " # "

/* What belongs to a tree is freed with it. */
struct conf_block {
	struct conf_block *next;
	max_align_t data[];
};

struct conf *
conf_create(void)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->root = conf_new(c, CONF_MAP);
	if (c->root == NULL) {
		conf_destroy(c);
		return NULL;
	}
	return c;
}

void
conf_destroy(struct conf *c)
{
	struct conf_block *b, *next;

	if (c == NULL)
		return;
	for (b = c->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(c);
}

void *
conf_alloc(struct conf *c, size_t size)
{
	struct conf_block *b = calloc(1, sizeof(*b) + size);

	if (b == NULL) {
		c->err = -ENOMEM;
		return NULL;
	}
	b->next = c->blocks;
	c->blocks = b;
	return b->data;
}

struct conf_node *
conf_new(struct conf *c, enum conf_kind kind)
{
	struct conf_node *n = conf_alloc(c, sizeof(*n));

	if (n != NULL)
		n->kind = kind;
	return n;
}

int
conf_refuse(struct conf *c, const struct conf_node *n, const char *fmt, ...)
{
	char what[CONF_WHY_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args); /* cut is fine */
	va_end(args);
	if (n->file != NULL)
		text_format(c->why, sizeof(c->why), "%s:%u: %s", n->file,
		    n->line, what);
	else
		text_set(c->why, sizeof(c->why), what);
	return -EINVAL;
}

void
conf_append(struct conf_node *parent, struct conf_node *n)
{
	n->previous = parent->last;
	n->next = NULL;
	if (parent->last != NULL)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
}

void
conf_remove(struct conf_node *parent, struct conf_node *n)
{
	if (n->previous != NULL)
		n->previous->next = n->next;
	else
		parent->first = n->next;
	if (n->next != NULL)
		n->next->previous = n->previous;
	else
		parent->last = n->previous;
	n->previous = n->next = NULL;
}

struct conf_node *
conf_member(const struct conf_node *map, const char *key)
{
	struct conf_node *n;

	for (n = map != NULL ? map->first : NULL; n != NULL; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

bool
conf_is(const struct conf_node *n, const char *names)
{
	char name[64];

	while (text_next_item(&names, name, sizeof(name)))
		if (strcasecmp(n->key, name) == 0)
			return true;
	return false;
}

struct conf_node *
conf_find(const struct conf_node *map, const char *names)
{
	struct conf_node *n;

	for (n = map != NULL ? map->first : NULL; n != NULL; n = n->next)
		if (conf_is(n, names))
			return n;
	return NULL;
}

const struct conf_node *
conf_value(const struct conf_node *n)
{
	while (n != NULL && n->kind == CONF_VARIABLE)
		n = n->target;
	return n;
}

const char *
conf_text(const struct conf_node *n)
{
	n = conf_value(n);
	return n != NULL && n->kind == CONF_STRING ? n->text : NULL;
}

/* Changing */

static bool
copy_values(struct conf *c, struct conf_node *to, const struct conf_node *from)
{
	const struct conf_node *n;
	struct conf_node *copy;

	to->first = to->last = NULL;
	for (n = from->first; n != NULL; n = n->next) {
		copy = conf_new(c, n->kind);
		if (copy == NULL)
			return false;
		*copy = *n;
		conf_append(to, copy);
		if (!copy_values(c, copy, n))
			return false;
	}
	return true;
}

bool
conf_own(struct conf *c, struct conf_node *n, enum conf_kind kind)
{
	const struct conf_node *value = conf_value(n);

	if (value == NULL || value->kind != kind)
		return false;
	if (value == n)
		return true;
	n->kind = kind;
	n->text = NULL;
	n->target = NULL;
	return copy_values(c, n, value);
}

/* The member with this key, which is natsburn's from now on. */
static struct conf_node *
put(struct conf *c, struct conf_node *map, const char *key)
{
	struct conf_node *n;
	char *copy;

	if (map == NULL)
		return NULL; /* no memory, which is noted */
	n = conf_member(map, key);
	if (n == NULL) {
		n = conf_new(c, CONF_BOOL);
		copy = conf_alloc(c, strlen(key) + 1);
		if (n == NULL || copy == NULL)
			return NULL;
		memcpy(copy, key, strlen(key) + 1);
		n->key = copy;
		conf_append(map, n);
	}
	n->file = NULL;
	n->target = NULL;
	return n;
}

static bool
set_text(struct conf *c, struct conf_node *n, const char *text)
{
	char *copy = conf_alloc(c, strlen(text) + 1);

	if (copy == NULL)
		return false;
	memcpy(copy, text, strlen(text) + 1);
	n->kind = CONF_STRING;
	n->text = copy;
	return true;
}

void
conf_put_text(
    struct conf *c, struct conf_node *map, const char *key, const char *text)
{
	struct conf_node *n = put(c, map, key);

	/* The same once more costs nothing: a week has many reloads. */
	if (n != NULL && (n->kind != CONF_STRING || strcmp(n->text, text) != 0))
		(void)set_text(c, n, text); /* the tree notes a failure */
}

void
conf_put_number(
    struct conf *c, struct conf_node *map, const char *key, int64_t number)
{
	struct conf_node *n = put(c, map, key);

	if (n == NULL)
		return;
	n->kind = CONF_INTEGER;
	n->number = number;
}

void
conf_append_text(struct conf *c, struct conf_node *array, const char *text)
{
	struct conf_node *n = conf_new(c, CONF_STRING);

	if (n != NULL && set_text(c, n, text))
		conf_append(array, n);
}

struct conf_node *
conf_put(
    struct conf *c, struct conf_node *map, const char *key, enum conf_kind kind)
{
	struct conf_node *n = conf_member(map, key);

	if (n != NULL && conf_own(c, n, kind))
		return n;
	n = put(c, map, key);
	if (n == NULL)
		return NULL;
	n->kind = kind;
	n->first = n->last = NULL;
	return n;
}

/* Writing */

/* The maps that are open where something is written, innermost first. */
struct scope {
	const struct conf_node *map;
	const struct scope *up;
};

struct writer {
	struct conf *c;
	struct buf *out; /* NULL: count the variables only */
	unsigned depth, visits;
	int err;
};

static int write_value(
    struct writer *, const struct conf_node *, const struct scope *);

static void
emit(struct writer *w, const char *text, size_t len)
{
	if (w->out != NULL && w->err == 0)
		w->err = buf_append(w->out, text, len);
}

static void
say(struct writer *w, const char *text)
{
	emit(w, text, strlen(text));
}

static void
emit_string(struct writer *w, const char *text)
{
	static const char plain[] = "\"\\\n\t\r", names[] = "\"\\ntr";
	const char *at;
	char hex[8];

	say(w, "\"");
	for (; *text != '\0'; text++) {
		at = strchr(plain, *text);
		if (at != NULL) {
			emit(w, "\\", 1);
			emit(w, &names[at - plain], 1);
		} else if (iscntrl((unsigned char)*text)) {
			text_format(hex, sizeof(hex), "\\x%02x",
			    (unsigned)(unsigned char)*text);
			say(w, hex);
		} else
			emit(w, text, 1);
	}
	say(w, "\"");
}

/* Keys have no escapes. */
static void
emit_key(struct writer *w, const struct conf_node *n)
{
	const char *key = n->key, *quote = "\"";
	size_t i;

	for (i = 0; isalnum((unsigned char)key[i]) || key[i] == '_' ||
		    key[i] == '-' || key[i] == '$';
	     i++)
		;
	if (i > 0 && key[i] == '\0' && strcasecmp(key, "include") != 0)
		quote = "";
	else if (strchr(key, '"') != NULL)
		quote = "'";
	if (*quote == '\'' && strchr(key, '\'') != NULL)
		w->err = conf_refuse(
		    w->c, n, "a key with both kinds of quotes can't be taken");
	say(w, quote);
	say(w, key);
	say(w, quote);
	say(w, ": ");
}

static void
end_line(struct writer *w, const struct conf_node *n)
{
	char line[16];
	const char *at;

	if (n->file != NULL) {
		say(w, PLACE_MARK);
		for (at = n->file; *at != '\0'; at++)
			emit(w, iscntrl((unsigned char)*at) ? "?" : at, 1);
		text_format(line, sizeof(line), ":%u", n->line);
		say(w, line);
	}
	say(w, "\n");
}

/*
 * Does the name mean the same value to nats-server here? Otherwise the value
 * is written: what it named was overruled, or stands in an included file.
 */
static bool
is_in_scope(const struct conf_node *variable, const struct scope *scope)
{
	const struct conf_node *n;

	for (; scope != NULL; scope = scope->up) {
		n = conf_member(scope->map, variable->text);
		if (n != NULL)
			return n == variable->target;
	}
	return false;
}

/*
 * A value that variables stood for, of which none is left, is no setting:
 * nats-server would call its key unknown.
 */
static bool
is_left_out(const struct conf_node *n)
{
	return n->is_used && n->written == 0;
}

static void
write_members(
    struct writer *w, const struct conf_node *n, const struct scope *scope)
{
	struct scope inner = {n, scope};
	const struct conf_node *m;

	if (n->kind == CONF_MAP)
		scope = &inner;
	/* A variable is written behind its value: count from the end. */
	for (m = w->out == NULL ? n->last : n->first; m != NULL && w->err == 0;
	     m = w->out == NULL ? m->previous : m->next) {
		if (is_left_out(m))
			continue;
		emit(w, "\t\t\t\t\t\t\t\t", w->depth < 8 ? w->depth : 8);
		if (n->kind == CONF_MAP)
			emit_key(w, m);
		w->err = w->err < 0 ? w->err : write_value(w, m, scope);
	}
}

static void
write_nest(
    struct writer *w, const struct conf_node *n, const struct scope *scope)
{
	const struct conf_node *value = conf_value(n);
	bool is_root = value == w->c->root;

	if (!is_root) {
		say(w, value->kind == CONF_MAP ? "{" : "[");
		end_line(w, n);
		w->depth++;
	}
	write_members(w, value, scope);
	if (is_root)
		return;
	w->depth--;
	emit(w, "\t\t\t\t\t\t\t\t", w->depth < 8 ? w->depth : 8);
	say(w, value->kind == CONF_MAP ? "}\n" : "]\n");
}

static void
write_variable(struct writer *w, const struct conf_node *n)
{
	if (w->out == NULL)
		n->target->written++;
	say(w, "$");
	say(w, n->text);
	end_line(w, n);
}

static void
write_scalar(
    struct writer *w, const struct conf_node *n, const struct conf_node *value)
{
	char number[32];

	if (value->kind == CONF_STRING)
		emit_string(w, value->text);
	else if (value->kind == CONF_PLAIN)
		say(w, value->text);
	else if (value->kind == CONF_BOOL)
		say(w, value->number != 0 ? "true" : "false");
	else {
		text_format(
		    number, sizeof(number), "%lld", (long long)value->number);
		say(w, number);
	}
	end_line(w, n);
}

static int
write_value(
    struct writer *w, const struct conf_node *n, const struct scope *scope)
{
	const struct conf_node *value = conf_value(n);

	if (value == NULL)
		return conf_refuse(w->c, n,
		    "variable $%s is set neither in the file nor in the "
		    "environment",
		    n->text);
	if (++w->visits > VISITS_MAX || w->depth > 4 * CONF_DEPTH_MAX)
		return conf_refuse(
		    w->c, n, "its variables make too much of it");
	if (n->kind == CONF_VARIABLE && is_in_scope(n, scope))
		write_variable(w, n);
	else if (value->kind == CONF_MAP || value->kind == CONF_ARRAY)
		write_nest(w, n, scope);
	else
		write_scalar(w, n, value);
	return w->err;
}

static void
forget_counts(struct conf_node *n)
{
	for (n = n->first; n != NULL; n = n->next) {
		n->written = 0;
		forget_counts(n);
	}
}

int
conf_write(struct conf *c, struct buf *out)
{
	struct writer count = {.c = c}, w = {.c = c, .out = out};

	if (c->err < 0)
		return c->err;
	forget_counts(c->root);
	if (write_value(&count, c->root, NULL) < 0)
		return count.err < 0 ? count.err : -EINVAL;
	return write_value(&w, c->root, NULL);
}

bool
conf_place(const char *path, unsigned line, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	char *text = NULL, *mark, *at = NULL;
	size_t room = 0;
	unsigned i = 0;

	if (f == NULL)
		return false;
	while (i < line && getline(&text, &room, f) > 0)
		i++;
	if (line > 0 && i == line)
		/* The last mark: a value may hold one, too. */
		for (mark = text; (mark = strstr(mark, PLACE_MARK)) != NULL;)
			at = mark += strlen(PLACE_MARK);
	/* A quote: the mark stands in a value of natsburn's. */
	if (at != NULL && strchr(at, '"') != NULL)
		at = NULL;
	if (at != NULL) {
		at[strcspn(at, "\n")] = '\0';
		text_set(out, size, at);
	}
	free(text);
	(void)fclose(f);
	return at != NULL;
}
