/* SPDX-License-Identifier: ISC */
/* The progress of a run; see progress.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "orchestrator/progress.h"
#include "orchestrator/run.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define TERMINAL_NS CLOCK_S
#define PLAIN_NS    (5 * CLOCK_S)

void
progress_init(struct progress *p, bool quiet)
{
	memset(p, 0, sizeof(*p));
	p->is_quiet = quiet;
	p->is_terminal = isatty(STDERR_FILENO);
}

void
progress_end(struct progress *p)
{
	if (p->has_line)
		fputc('\n', stderr);
	p->has_line = false;
}

void
progress_say(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (p->is_quiet)
		return;
	progress_end(p);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static size_t
terminal_width(void)
{
	struct winsize w;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col < 20)
		return 80;
	return w.ws_col;
}

static void
compose(char *line, size_t size, struct progress *p, const struct run *r,
    uint64_t now)
{
	const struct stats *s = &r->history.stats;
	double since = (double)(now - p->last_ns) / 1e9, rate = 0;
	uint64_t start = s->load_ns ? s->load_ns : s->first_ns;

	if (p->last_ns != 0 && since > 0)
		rate = (double)(s->rounds - p->last_rounds) / since;
	p->last_ns = now;
	p->last_rounds = s->rounds;
	line[0] = '\0';
	(void)text_add(line, size,
	    "%-6s %5.1fs  %llu rounds (%.0f/s)  deliver %llu  redeliver %llu"
	    "  stall %.2fs  anomalies %llu",
	    phase_name(r->phase),
	    start != 0 && now > start ? (double)(now - start) / 1e9 : 0.0,
	    (unsigned long long)s->rounds, rate, (unsigned long long)s->deliver,
	    (unsigned long long)s->redeliver, (double)s->longest_stall_ns / 1e9,
	    (unsigned long long)p->anomalies);
	if (s->fault_now[0] != '\0')
		(void)text_add(line, size, "  [%s]", s->fault_now);
}

void
progress_show(struct progress *p, const struct run *r, uint64_t now_ns)
{
	char line[256];
	size_t width;

	if (p->is_quiet || now_ns < p->next_ns)
		return;
	p->next_ns = now_ns + (p->is_terminal ? TERMINAL_NS : PLAIN_NS);
	compose(line, sizeof(line), p, r, now_ns);
	if (!p->is_terminal) {
		fprintf(stderr, "%s\n", line);
		return;
	}
	width = terminal_width();
	if (strlen(line) >= width)
		line[width - 1] = '\0';
	fprintf(stderr, "\r\033[K%s", line);
	(void)fflush(stderr); /* a picture, not a promise */
	p->has_line = true;
}
