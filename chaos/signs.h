/* SPDX-License-Identifier: ISC */
/*
 * The warnings and errors of servers' logs, by their kinds: what lines have in
 * common when numbers, names, addresses and whatever stands in quotes are
 * taken out. Memory is bounded: the first SIGNS_MAX kinds of a server are
 * told apart, further ones are counted together.
 */
#ifndef CHAOS_SIGNS_H
#define CHAOS_SIGNS_H

#include "proto/message.h"

#define SIGNS_MAX  50
#define SIGNS_SAYS 200

struct child;

struct sign {
	uint64_t hash, count, told, first_ns, last_ns;
	uint8_t level;	       /* the gravest, of the last row */
	char says[SIGNS_SAYS]; /* empty: all further kinds */
};

/* Of one server. */
struct signs {
	struct sign rows[SIGNS_MAX + 1];
	unsigned n;
};

/*
 * Take a line of its log ("[pid] date time [WRN] text") that was read at
 * now_ns. What is neither warning, error nor fatal is left out.
 */
void signs_line(struct signs *, const char *line, uint64_t now_ns);

/*
 * Tell what is new of a server (from 1): a kind at its first line, then
 * when its count has doubled; with all, also what is less.
 */
void signs_tell(struct signs *, unsigned node, bool all, struct child *);

/* What lines of its kind have in common. */
void signs_make(const char *text, char out[SIGNS_SAYS]);

#endif
