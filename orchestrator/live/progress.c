/* SPDX-License-Identifier: ISC */
/* The progress of a run; see progress.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/live/progress.h"
#include "orchestrator/live/run.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define TERMINAL_NS CLOCK_S
#define PLAIN_NS    (5 * CLOCK_S)

void
progress_init(struct progress *p, bool quiet, uint64_t status_ns)
{
	memset(p, 0, sizeof(*p));
	p->is_quiet = quiet;
	p->status_ns = status_ns;
	term_look(&p->term, stderr);
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
	(void)vfprintf(stderr, fmt, ap); /* a picture, not a promise */
	va_end(ap);
	fputc('\n', stderr);
}

/* Rounds a second since the last line. */
static double
rate_since(struct progress *p, const struct stats *s, uint64_t now)
{
	double since = (double)(now - p->last_ns) / 1e9, rate = 0;

	if (p->last_ns != 0 && since > 0)
		rate = (double)(s->rounds - p->last_rounds) / since;
	p->last_ns = now;
	p->last_rounds = s->rounds;
	return rate;
}

static double
load_seconds(const struct stats *s, uint64_t now)
{
	uint64_t start = s->load_ns ? s->load_ns : s->first_ns;

	return start != 0 && now > start ? (double)(now - start) / 1e9 : 0.0;
}

/* What this test counts, besides rounds; nothing before it has any. */
static void
add_counts(char *line, size_t size, const struct stats *s)
{
	static const struct {
		const char *name;
		enum message_type type;
	} counts[] = {
	    {"deliver", MESSAGE_DELIVER},
	    {"updates", MESSAGE_KV_UPDATE_OK},
	    {"rejected", MESSAGE_KV_UPDATE_REJECTED},
	    {"added", MESSAGE_STREAM_ADD_OK},
	    {"deleted", MESSAGE_STREAM_REMOVE_OK},
	    {"listings", MESSAGE_STREAM_LIST_END},
	};
	uint64_t n;
	size_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		n = stats_seen(s, counts[i].type);
		if (n > 0)
			text_add(line, size, "  %s %llu", counts[i].name,
			    (unsigned long long)n);
		if (n > 0 && counts[i].type == MESSAGE_DELIVER)
			text_add(line, size, "  redeliver %llu",
			    (unsigned long long)
				s->seen[MESSAGE_DELIVER][CASE_AGAIN]);
	}
}

/* For logs: the same fields in every line of a test. */
static void
compose_plain(char *line, size_t size, struct progress *p, const struct run *r,
    uint64_t now)
{
	const struct stats *s = &r->history.stats;

	line[0] = '\0';
	text_add(line, size, "%-6s %5.1fs", phase_name(r->phase),
	    load_seconds(s, now));
	if (config_has_load(&r->config))
		text_add(line, size, "  %llu rounds (%.0f/s)",
		    (unsigned long long)s->rounds, rate_since(p, s, now));
	add_counts(line, size, s);
	text_add(line, size, "  stall %.2fs  anomalies %llu",
	    (double)s->longest_stall_ns / 1e9,
	    (unsigned long long)p->anomalies);
	if (s->fault_now[0] != '\0')
		text_add(line, size, "  [%s]", s->fault_now);
}

/* A line of fields; those that have no room any more are left out. */
struct line {
	char text[PROGRESS_LINE_MAX];
	const struct term *term;
	size_t used, width;
	bool is_full;
};

static void put(struct line *, enum term_style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
put(struct line *l, enum term_style style, const char *fmt, ...)
{
	char field[128];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	(void)vsnprintf(field, sizeof(field), fmt, ap); /* cut is fine */
	va_end(ap);
	len = strlen(field);
	l->is_full |= l->used + len > l->width;
	if (l->is_full)
		return;
	l->used += len;
	text_add(l->text, sizeof(l->text), "%s%s%s", term_style(l->term, style),
	    field, style == TERM_PLAIN ? "" : term_plain(l->term));
}

/* How much of the load is over, 0 to 1. */
static double
share_done(const struct run *r, uint64_t now)
{
	const struct stats *s = &r->history.stats;
	double by_time, by_rounds = 0;

	if (s->load_ns == 0)
		return 0;
	if (r->phase > PHASE_MAYHEM)
		return 1;
	by_time = load_seconds(s, now) * 1e9 / (double)r->config.duration_ns;
	if (r->config.rounds > 0)
		by_rounds = (double)s->rounds / (double)r->config.rounds;
	by_time = by_rounds > by_time ? by_rounds : by_time;
	return by_time < 1 ? by_time : 1;
}

static void
put_bar(struct line *l, double share)
{
	char bar[32];
	size_t cells = l->width > 100 ? 20 : 10, i;
	size_t full = (size_t)(share * (double)cells);

	for (i = 0; i < cells; i++)
		bar[i] = i < full ? '=' : i == full && share < 1 ? '>' : ' ';
	bar[cells] = '\0';
	put(l, TERM_PLAIN, " [%s] %3.0f%%", bar, share * 100);
}

static void
put_left(struct line *l, const struct run *r, uint64_t now)
{
	double left = (double)r->config.duration_ns / 1e9 -
		      load_seconds(&r->history.stats, now);

	if (r->phase != PHASE_QUIET && r->phase != PHASE_MAYHEM)
		return;
	if (left < 0)
		left = 0;
	if (left >= 86400)
		put(l, TERM_FAINT, "  eta %ud%02uh", (unsigned)left / 86400,
		    (unsigned)left / 3600 % 24);
	else
		put(l, TERM_FAINT, "  eta %02u:%02u:%02u",
		    (unsigned)left / 3600, (unsigned)left / 60 % 60,
		    (unsigned)left % 60);
}

/* For people: what matters most comes first. */
static void
compose_line(
    struct line *l, struct progress *p, const struct run *r, uint64_t now)
{
	const struct stats *s = &r->history.stats;

	put(l, TERM_BOLD, "%-6s", phase_name(r->phase));
	put_bar(l, share_done(r, now));
	put(l, TERM_PLAIN, "  ");
	put(l, p->anomalies > 0 ? TERM_RED : TERM_GREEN, "anomalies %llu",
	    (unsigned long long)p->anomalies);
	if (config_has_load(&r->config))
		put(l, TERM_PLAIN, "  %llu rounds, %.0f/s",
		    (unsigned long long)s->rounds, rate_since(p, s, now));
	put_left(l, r, now);
	if (s->fault_now[0] != '\0')
		put(l, TERM_YELLOW, "  %s", s->fault_now);
	if (s->publish.count > 0)
		put(l, TERM_PLAIN, "  p99 %.1fms",
		    (double)hist_quantile(&s->publish, 0.99) / 1e6);
	put(l, s->longest_stall_ns > CLOCK_S ? TERM_YELLOW : TERM_PLAIN,
	    "  stall %.2fs", (double)s->longest_stall_ns / 1e9);
	if (s->seen[MESSAGE_DELIVER][CASE_AGAIN] > 0)
		put(l, TERM_PLAIN, "  redelivered %llu",
		    (unsigned long long)s->seen[MESSAGE_DELIVER][CASE_AGAIN]);
}

void
progress_show(struct progress *p, const struct run *r, uint64_t now_ns)
{
	struct line l = {.term = &p->term};
	char plain[256];

	if (p->is_quiet || now_ns < p->next_ns)
		return;
	p->next_ns = now_ns + (p->term.is_terminal ? TERMINAL_NS : PLAIN_NS);
	if (!p->term.is_terminal && p->status_ns != 0)
		return; /* it has lines of its own */
	if (!p->term.is_terminal) {
		compose_plain(plain, sizeof(plain), p, r, now_ns);
		fprintf(stderr, "%s\n", plain);
		return;
	}
	term_look(&p->term, stderr); /* its size may have changed */
	l.width = p->term.width - 1;
	compose_line(&l, p, r, now_ns);
	fprintf(stderr, "\r%s%s", l.text, "\033[K");
	(void)fflush(stderr); /* a picture, not a promise */
	p->has_line = true;
}

void
progress_status(struct progress *p, const struct run *r, uint64_t now_ns)
{
	char line[320], stamp[CLOCK_UTC_MAX];

	if (p->is_quiet)
		return;
	clock_utc(clock_wall_ns(), stamp);
	compose_plain(line, sizeof(line), p, r, now_ns);
	progress_say(p, "%s  %s  journal %.1f MiB", stamp, line,
	    (double)retain_bytes(&r->retain, &r->journal) / 1048576);
}
