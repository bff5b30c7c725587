/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing what people type: numbers, durations, name lists.
 * Every reader is strict (the whole string or nothing) and returns 0 or
 * -EINVAL / -ERANGE.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number without sign, at most max. */
int text_to_u64(const char *, uint64_t max, uint64_t *out);

/*
 * A duration in nanoseconds: 500ms, 30s, 10m, 2h30m, 1d; a bare 0 is
 * allowed, any other number needs its unit.
 */
int text_to_duration(const char *, uint64_t *ns);

/* Write a duration so that text_to_duration() reads it back. */
void text_from_duration(uint64_t ns, char *out, size_t size);

/*
 * A size in bytes: 64KiB, 512MiB, 2GiB, 1TiB; a bare 0 is allowed, any
 * other number needs its unit.
 */
int text_to_size(const char *, uint64_t *bytes);

/* Write a size so that text_to_size() reads it back; KiB at the least. */
void text_from_size(uint64_t bytes, char *out, size_t size);

/*
 * Write into out, which holds size bytes: copy a string, format one, append a
 * formatted one behind what is there. What does not fit is cut and the end is
 * always a NUL. For words that people read: a cut sentence is still a
 * sentence.
 */
void text_set(char *out, size_t size, const char *in);
void text_format(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void text_add(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * As text_set and text_add, for names, paths and requests, where a part is
 * another one: true when nothing was cut.
 */
bool text_fits(char *out, size_t size, const char *in);
bool text_fits_add(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The hash of no text, which text_hash() goes on from. */
#define TEXT_HASH UINT64_C(14695981039346656037)

/*
 * A hash of what went before and this text: FNV-1a. It never changes, for what
 * a seed draws hangs on it.
 */
uint64_t text_hash(uint64_t hash, const char *text);

/* Bytes of the UTF-8 character at text; 0 at its end, or when it is none. */
size_t text_sequence(const char *text);

bool text_is_utf8(const char *);

/*
 * Text from outside, for terminals and logs: what is no UTF-8, control
 * characters (line ends are, too), and characters that turn the direction
 * of writing become \xNN, a byte each. size is at least 1; what does not fit
 * is cut, never within a character.
 */
void text_printable(char *out, size_t size, const char *in);

/* Would text_printable() leave it as it is? */
bool text_is_printable(const char *);

/*
 * A name from outside as one that can name a file: what is not of
 * A-Z a-z 0-9 . _ - becomes _, and so does a dot at the beginning. Different
 * names may become the same.
 */
void text_file_name(char *out, size_t size, const char *in);

/*
 * The next element of a comma-separated list: copies it to out and moves
 * *list behind it. False at the end. Elements longer than size are cut.
 */
bool text_next_item(const char **list, char *out, size_t size);

/* Edits that turn a into b (for "did you mean"). Long words are cut. */
unsigned text_distance(const char *a, const char *b);

/* The name (of n) nearest to word, or NULL when none is near. */
const char *text_nearest(const char *word, const char *const *names, size_t n);

#endif
