/* SPDX-License-Identifier: ISC */
/*
 * JSON as natsburn reads and writes it: thin over cJSON, whose trees these
 * are. Readers take what is missing or of another type for nothing. Writers
 * can't fail one by one: that memory ran out is remembered, and who saves a
 * tree asks json_is_whole(). They take NULL for the tree that they write to.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A member of an object; NULL when it is not there. Borrowed. */
cJSON *json_get(const cJSON *, const char *name);

/* Members by name: "", 0 or false when there is none of that type. */
const char *json_text(const cJSON *, const char *name);
double json_number(const cJSON *, const char *name);
uint64_t json_count(const cJSON *, const char *name); /* 0 if negative */
bool json_is_true(const cJSON *, const char *name);

/*
 * Put a member into an object; the tree takes item over. No text, no member.
 * Text that is no UTF-8 is put as text_printable() writes it.
 */
void json_put(cJSON *, const char *name, cJSON *item);
void json_put_text(cJSON *, const char *name, const char *text);
void json_put_number(cJSON *, const char *name, double);
void json_put_bool(cJSON *, const char *name, bool);

/* Put an empty array or object into an object, and return it; or NULL. */
cJSON *json_put_array(cJSON *, const char *name);
cJSON *json_put_object(cJSON *, const char *name);

/* Give a member a new value in its place; it is put if it isn't there. */
void json_set_text(cJSON *, const char *name, const char *text);
void json_set_number(cJSON *, const char *name, double);

/* Copy a member of another object, if it has it. */
void json_put_copy(cJSON *to, const cJSON *from, const char *name);

/* Append to an array; the tree takes item over. */
void json_append(cJSON *array, cJSON *item);
void json_append_text(cJSON *array, const char *text);

/* Replace an element of an array; the tree takes the new one over. */
void json_replace(cJSON *array, cJSON *item, cJSON *by);

/* Write a tree as text of many lines, with a line end. */
void json_print(const cJSON *, FILE *);

/*
 * False when a writer above ran out of memory since json_begin(), which
 * forgets what was before, or else since the start of the process.
 */
bool json_is_whole(void);
void json_begin(void);

/*
 * The tree of what somebody else has written, the caller's; NULL when it is
 * no JSON, or when its arrays and objects are nested deeper than that.
 */
cJSON *json_parse(const char *text, size_t len, unsigned nesting_max);

/*
 * Make all texts below a tree from outside printable. False when a member's
 * name is not, or when memory runs out: such a tree is of no use.
 */
bool json_make_printable(cJSON *);

/*
 * A file's tree, the caller's; NULL when it can't be read (file_read()), is
 * larger than max bytes, or is not one JSON value and white space.
 */
cJSON *json_load(const char *path, size_t max);

#endif
