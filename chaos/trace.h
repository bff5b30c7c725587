/* SPDX-License-Identifier: ISC */
/*
 * What a Go program writes when it dies, or when its race detector finds
 * something: read line by line, without knowing more of it. Pure, and in
 * bounded memory however long the output is.
 */
#ifndef CHAOS_TRACE_H
#define CHAOS_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/message.h"

#define TRACE_FRAMES 4 /* of the goroutine that did it */
#define TRACE_RACE   2 /* of each of the two accesses */

struct trace {
	uint8_t cause; /* CAUSE_NONE until something was found */
	bool is_over;  /* what follows adds nothing */
	/* where in it: in a stack, and how many of its functions are named */
	bool in_stack;
	unsigned nframes, nstacks;
	char function[96]; /* whose file comes in the next line */
	char host[160];	   /* what the host refused, said before the end */
	char says[256], frames[400]; /* as in SERVER_ENDED: printable */
};

/* Take the next line, without its end. */
void trace_line(struct trace *, const char *line);

/* Look for the next one. */
void trace_reset(struct trace *);

/* True when the text is about what the host refuses: memory, disk, ports. */
bool trace_is_host(const char *text);

/* Copy a foreign text of which every character is printable ASCII then. */
void trace_print(char *out, size_t size, const char *in);

/* The error that a server has logged last, and so may have ended of. */
struct trace_error {
	char says[256]; /* printable; "" none yet */
	unsigned looks; /* since then, a second or more apart: it ran on */
};

/*
 * It logs an error: "[ERR] ...", "[FTL] ...", or "nats-server: ..." about its
 * configuration. After one that is fatal only another such counts: what other
 * goroutines write before the process is gone is no cause.
 */
void trace_error_note(struct trace_error *, const char *says);

/* True when it is lately, and about what the host refuses or was told wrong. */
bool trace_error_is_host(const struct trace_error *);

#endif
