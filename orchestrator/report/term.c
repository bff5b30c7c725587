/* SPDX-License-Identifier: ISC */
/* What is at the other end of a stream; see term.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "orchestrator/report/term.h"

#define COLUMNS_MIN 20
#define ROWS_MIN    10

/* An empty NO_COLOR counts as none. */
static bool
wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no != NULL && no[0] != '\0')
		return false;
	return term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

void
term_look(struct term *t, FILE *stream)
{
	struct winsize w;
	int fd = fileno(stream);

	memset(t, 0, sizeof(*t));
	t->width = 80;
	t->height = 24;
	t->is_terminal = fd >= 0 && isatty(fd);
	if (!t->is_terminal)
		return;
	t->has_colour = wants_colour();
	if (ioctl(fd, TIOCGWINSZ, &w) < 0)
		return;
	if (w.ws_col >= COLUMNS_MIN)
		t->width = w.ws_col;
	if (w.ws_row >= ROWS_MIN)
		t->height = w.ws_row;
}

const char *
term_style(const struct term *t, enum term_style style)
{
	static const char *const styles[TERM_STYLES] = {"", "\033[1m",
	    "\033[2m", "\033[1;31m", "\033[1;32m", "\033[33m", "\033[34m"};

	return t->has_colour ? styles[style] : "";
}

const char *
term_plain(const struct term *t)
{
	return t->has_colour ? "\033[0m" : "";
}
