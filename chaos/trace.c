/* SPDX-License-Identifier: ISC */
/* Panics and data races; see trace.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/trace.h"
#include "proto/base/text.h"

#define STALE 10 /* looks since an error: it explains no end any more */

void
trace_reset(struct trace *t)
{
	memset(t, 0, sizeof(*t));
}

void
trace_print(char *out, size_t size, const char *in)
{
	text_set(out, size, in);
	for (; *out != '\0'; out++)
		if (*out == '\t')
			*out = ' ';
		else if (*out < ' ' || *out > '~')
			*out = '?';
}

/*
 * The words of errno, and of Go's runtime when the system gives it no memory,
 * no thread or no file. That it has used up its own 10000 threads is not among
 * them.
 */
bool
trace_is_host(const char *text)
{
	static const char *const words[] = {"out of memory",
	    "cannot allocate memory", "cannot map pages", "newosproc",
	    "failed to create new OS thread", "failed to reserve",
	    "netpollinit failed", "eventfd failed", "epollctl failed",
	    "address already in use", "too many open files",
	    "no space left on device", "disk quota exceeded",
	    "permission denied", "operation not permitted",
	    "read-only file system", "input/output error",
	    "resource temporarily unavailable", NULL};
	unsigned i;

	for (i = 0; words[i] != NULL; i++)
		if (strcasestr(text, words[i]) != NULL)
			return true;
	return false;
}

static bool
begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

/* "SIGABRT: abort": the runtime was hit by a signal outside of Go's code. */
static bool
is_signal(const char *line)
{
	size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

	return n > 3 && begins(line, "SIG") && line[n] == ':' &&
	       line[n + 1] == ' ';
}

static void
find_cause(struct trace *t, const char *line)
{
	if (begins(line, "panic: "))
		t->cause = CAUSE_PANIC;
	else if (begins(line, "fatal error: "))
		t->cause = CAUSE_FATAL;
	else if (begins(line, "WARNING: DATA RACE"))
		t->cause = CAUSE_RACE;
	else if (is_signal(line))
		t->cause = CAUSE_SIGNAL;
	else if (begins(line, "runtime: ") && trace_is_host(line))
		trace_print(t->host, sizeof(t->host), line);
	if (t->cause == CAUSE_NONE)
		return;
	trace_print(t->says, sizeof(t->says), line);
	if (t->cause != CAUSE_FATAL)
		return;
	if (t->host[0] != '\0')
		text_add(t->says, sizeof(t->says), " (%s)", t->host);
	if (trace_is_host(t->says))
		t->cause = CAUSE_HOST;
}

/*
 * "PC=0x46ece1 m=0 sigcode=0": 0 and less say that a process has sent the
 * signal, more that the program's own doing has raised it. The runtime writes
 * -6 as 18446744073709551610.
 */
static void
look_at_signal(struct trace *t, const char *line)
{
	const char *code = strstr(line, "sigcode=");

	if (!begins(line, "PC=") || code == NULL)
		return;
	if ((int64_t)strtoull(code + strlen("sigcode="), NULL, 10) > 0)
		t->cause = CAUSE_FATAL;
	else
		t->is_over = true;
}

/* "github.com/x/server.(*T).f(0x1, {0x2})" is server.(*T).f. */
static void
name_function(struct trace *t, const char *line)
{
	char whole[256], *end, *name;

	line += strspn(line, " ");
	trace_print(whole, sizeof(whole), line);
	end = strrchr(whole, '(');
	if (end != NULL && end != whole)
		*end = '\0';
	name = strpbrk(whole, "([");
	for (end = name != NULL ? name : whole + strlen(whole); end > whole;
	     end--)
		if (end[-1] == '/')
			break;
	text_set(t->function, sizeof(t->function), end);
	if (begins(line, "runtime.") || begins(line, "runtime/") ||
	    begins(line, "internal/") || begins(line, "panic(") ||
	    begins(line, "created by "))
		t->function[0] = '\0';
}

/* "	/src/server/stream.go:12 +0x1d" is stream.go:12. */
static void
name_place(struct trace *t, const char *line)
{
	char place[160], *end;
	const char *file = strrchr(line, '/');

	if (t->function[0] == '\0')
		return;
	file = file != NULL ? file + 1 : line + strspn(line, " \t");
	trace_print(place, sizeof(place), file);
	end = strchr(place, ' ');
	if (end != NULL)
		*end = '\0';
	text_add(t->frames, sizeof(t->frames), "%s%s (%s)",
	    t->nframes > 0 ? " < " : "", t->function, place);
	t->function[0] = '\0';
	t->nframes++;
}

/* The stack of the goroutine that is named first is the one that did it. */
static void
take_stack(struct trace *t, const char *line)
{
	if (t->in_stack && (line[0] == '\0' || begins(line, "goroutine ")))
		t->is_over = true;
	else if (begins(line, "goroutine "))
		t->in_stack = true;
	else if (!t->in_stack && t->cause == CAUSE_SIGNAL)
		look_at_signal(t, line);
	else if (t->in_stack && line[0] == '\t')
		name_place(t, line);
	else if (t->in_stack)
		name_function(t, line);
	t->is_over |= t->nframes == TRACE_FRAMES;
}

/* "Read at 0x1 by goroutine 7:", "Previous write at ...", then two stacks. */
static void
take_race(struct trace *t, const char *line)
{
	size_t indent = strspn(line, " ");

	if (begins(line, "=====")) {
		t->is_over = true;
		return;
	}
	if (indent == 0 && strstr(line, " at 0x") != NULL) {
		t->in_stack = ++t->nstacks <= 2;
		if (t->in_stack)
			text_add(t->frames, sizeof(t->frames),
			    "%s%.*s: ", t->nstacks > 1 ? "; " : "",
			    (int)(strstr(line, " at 0x") - line), line);
		t->nframes = 0;
	} else if (indent == 0)
		t->in_stack = false;
	else if (t->in_stack && t->nframes < TRACE_RACE && indent < 6)
		name_function(t, line);
	else if (t->in_stack && t->nframes < TRACE_RACE)
		name_place(t, line);
}

void
trace_line(struct trace *t, const char *line)
{
	if (t->is_over)
		return;
	if (t->cause == CAUSE_NONE)
		find_cause(t, line);
	else if (t->cause == CAUSE_RACE)
		take_race(t, line);
	else
		take_stack(t, line);
}

void
trace_error_note(struct trace_error *e, const char *says)
{
	if (begins(e->says, "[FTL]") && !begins(says, "[FTL]"))
		return;
	trace_print(e->says, sizeof(e->says), says);
	e->looks = 0;
}

bool
trace_error_is_host(const struct trace_error *e)
{
	return e->looks < STALE &&
	       (trace_is_host(e->says) || begins(e->says, "nats-server: "));
}
