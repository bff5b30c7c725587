/* SPDX-License-Identifier: ISC */
/*
 * Moments that faults are aimed at (--aim): what a client, a server or another
 * fault does just then. A moment is a row of the table in moment.c. Of those
 * that are events of workers the orchestrator tells chaos, for it sees them
 * first; the others chaos sees itself.
 */
#ifndef PROTO_MOMENT_H
#define PROTO_MOMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/message.h"

#define MOMENT_TYPES 4
#define MOMENT_LINES 5
#define MOMENTS_MAX  32 /* they are bits, too */

/* Who sees that it has come. */
enum moment_source {
	MOMENT_OF_WORKER, /* the orchestrator: an event of a worker */
	MOMENT_OF_SERVER, /* chaos: a line in a server's log, or an advisory */
	MOMENT_OF_HEAL	  /* chaos: another fault is being healed */
};

struct moment {
	const char *name, *summary;
	enum moment_source source;
	enum message_type types[MOMENT_TYPES]; /* of worker: one of these */
	/* of server: a line, or the subject of an advisory, contains one */
	const char *lines[MOMENT_LINES];
};

/* All moments; the last has no name. */
extern const struct moment moments[];

/* How many there are: at most MOMENTS_MAX. */
unsigned moment_count(void);

/* All moments of a source, as bits. */
unsigned moment_bits_of(enum moment_source);

/*
 * The moments of a list as --aim takes it, as bits by their place in the
 * table: names between commas, or all; empty is none. Of a name that is no
 * moment a copy is left in unknown (size bytes), and 0 is returned.
 */
unsigned moment_bits(const char *list, char *unknown, size_t size);

/* Which of these moments an event of a worker is, as bits. */
unsigned moment_of_event(unsigned bits, enum message_type);

/* Which of these moments a line of a server's log, or such a subject, is. */
unsigned moment_of_line(unsigned bits, const char *line);

#endif
