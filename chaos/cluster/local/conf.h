/* SPDX-License-Identifier: ISC */
/*
 * Configurations of nats-servers as trees: read from a file as nats-server
 * reads it (conf_read.c), changed, and written again. A tree owns everything
 * in it; nothing of it outlives conf_destroy().
 *
 * What is changed is natsburn's own and has no place (file is NULL). When
 * there is no memory left for a change, the tree notes it and conf_write()
 * fails.
 */
#ifndef LOCAL_CONF_H
#define LOCAL_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"

#define CONF_FILE_MAX	(1u << 20) /* bytes of one file */
#define CONF_FILES_MAX	64	   /* with all that they include */
#define CONF_VALUES_MAX 32768
#define CONF_DEPTH_MAX	64	   /* of maps and arrays in each other */
#define CONF_WRITE_MAX	(8u << 20) /* bytes written */
#define CONF_WHY_MAX	512

enum conf_kind {
	CONF_MAP,
	CONF_ARRAY,
	CONF_STRING,
	CONF_INTEGER,
	CONF_PLAIN, /* a float or a date: its text is written as it is */
	CONF_BOOL,
	CONF_VARIABLE /* $NAME: stands for another value */
};

struct conf_node {
	enum conf_kind kind;
	const char *key;  /* in a map; NULL in an array */
	const char *file; /* where it stands, or NULL */
	unsigned line;
	const char *text; /* of a string, a plain one; name of a variable */
	int64_t number;	  /* of an integer; 0 or 1 of a truth value */
	struct conf_node *first, *last; /* of a map or an array */
	struct conf_node *previous, *next;
	struct conf_node *target; /* of a variable; NULL when it is not set */
	bool is_used;		  /* some variable stands for it */
	unsigned written;	  /* times such a variable is written */
};

struct conf_block;

struct conf {
	struct conf_node *root; /* a map */
	struct conf_block *blocks;
	unsigned values;
	int err; /* -ENOMEM once there was no memory */
	char why[CONF_WHY_MAX];
};

/* An empty tree, or NULL without memory. */
struct conf *conf_create(void);
void conf_destroy(struct conf *);

/*
 * Read a file and what it includes into an empty tree: 0, or -errno with
 * why, which begins with "FILE:LINE: " when a line is to blame.
 */
int conf_read(struct conf *, const char *path);

/* As conf_read(), of a text; name stands for the file in what is said. */
int conf_read_text(
    struct conf *, const char *name, const char *text, size_t len);

/*
 * Append the tree to out as a file that nats-server reads as it is meant:
 * one value a line, with "# FILE:LINE" behind those that have a place.
 * 0, -EINVAL (a variable is not set) with why, -ENOBUFS or -ENOMEM.
 */
int conf_write(struct conf *, struct buf *out);

/*
 * Find the place that line number of a written file has in its comment:
 * "FILE:LINE" in out. False when there is none.
 */
bool conf_place(const char *path, unsigned line, char *out, size_t size);

/* Say why, with the place of a node: returns -EINVAL. */
int conf_refuse(struct conf *, const struct conf_node *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Zeroed memory that lives as long as the tree, or NULL. */
void *conf_alloc(struct conf *, size_t size);

/* A node without key, value and place, or NULL. */
struct conf_node *conf_new(struct conf *, enum conf_kind);

/* Take a node without its neighbours to the end of a map or an array. */
void conf_append(struct conf_node *parent, struct conf_node *);
void conf_remove(struct conf_node *parent, struct conf_node *);

/* The member with exactly this key, or NULL. */
struct conf_node *conf_member(const struct conf_node *map, const char *key);

/*
 * Is a member's key one of names (comma-separated)? Capitals and small
 * letters are the same to nats-server.
 */
bool conf_is(const struct conf_node *, const char *names);

/* The first member of whose key that is true, or NULL; a NULL map has none. */
struct conf_node *conf_find(const struct conf_node *map, const char *names);

/* The value itself where the node is a variable; NULL when it isn't set. */
const struct conf_node *conf_value(const struct conf_node *);

/* The text of a value that is a string, or NULL. */
const char *conf_text(const struct conf_node *);

/*
 * Make a member's value one that may be changed: a variable's is copied into
 * its place. False when that is no such kind, or without memory.
 */
bool conf_own(struct conf *, struct conf_node *, enum conf_kind);

/* Give the member with exactly this key a value of natsburn's. */
void conf_put_text(
    struct conf *, struct conf_node *map, const char *key, const char *text);
void conf_put_number(
    struct conf *, struct conf_node *map, const char *key, int64_t);

/* Append a string of natsburn's to an array. */
void conf_append_text(struct conf *, struct conf_node *array, const char *);

/* Append a string of natsburn's to an array. */
void conf_append_text(struct conf *, struct conf_node *array, const char *);

/* The map or array with exactly this key, made when there is none. */
struct conf_node *conf_put(
    struct conf *, struct conf_node *map, const char *key, enum conf_kind);

#endif
