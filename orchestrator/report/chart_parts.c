/* SPDX-License-Identifier: ISC */
/* The axis of time that all of the timeline shares; see chart_parts.h. */
#include <string.h>

#include "orchestrator/report/chart_parts.h"
#include "orchestrator/report/markup.h"
#include "proto/base/text.h"

static const char *
ask_name(const struct stats *s)
{
	if (s->publish.count > 0)
		return "publish";
	if (stats_seen(s, MESSAGE_KV_UPDATE_OK) > 0)
		return "update";
	return stats_seen(s, MESSAGE_STREAM_LIST) > 0 ? "listing" : "operation";
}

const char *
chart_kind_name(const struct stats *s, unsigned kind)
{
	return kind == SERIES_ASK ? ask_name(s) : "consume";
}

static bool
lane_is_used(const struct series *e, unsigned lane)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		if (e->buckets[i].faults[lane] != 0)
			return true;
	return false;
}

void
chart_open(struct chart *c, const struct history *h, FILE *out)
{
	uint64_t last;
	unsigned k, i;
	size_t b;

	memset(c, 0, sizeof(*c));
	c->h = h;
	c->s = &h->stats;
	c->e = c->s->series;
	c->out = out;
	last =
	    c->s->last_ns > c->s->load_ns ? c->s->last_ns - c->s->load_ns : 0;
	c->span = (double)(last > CLOCK_MS ? last : CLOCK_MS) / 1e9;
	for (k = 0; k < SERIES_KINDS; k++)
		for (b = 0; b < c->e->n && !c->has[k]; b++)
			c->has[k] = c->e->buckets[b].max[k] > 0;
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (c->s->servers[i].name[0] != '\0')
			c->lanes[c->nlanes++] = i;
	if (lane_is_used(c->e, SERIES_OTHER))
		c->lanes[c->nlanes++] = SERIES_OTHER;
}

double
chart_place(const struct chart *c, double t)
{
	double x = CHART_LEFT + (CHART_RIGHT - CHART_LEFT) * t / c->span;

	return x < CHART_LEFT ? CHART_LEFT : x > CHART_RIGHT ? CHART_RIGHT : x;
}

double
chart_place_ns(const struct chart *c, uint64_t ns)
{
	return chart_place(c, ((double)ns - (double)c->s->load_ns) / 1e9);
}

double
chart_place_bucket(const struct chart *c, size_t i)
{
	return chart_place(c, (double)i * (double)c->e->step_ns / 1e9);
}

void
chart_line(const struct chart *c, const char *class, double x1, double y1,
    double x2, double y2)
{
	fprintf(c->out,
	    "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
	    "y2=\"%.1f\"/>\n",
	    class, x1, y1, x2, y2);
}

void
chart_label(const struct chart *c, const char *class, const char *anchor,
    double x, double y, const char *text)
{
	fprintf(c->out,
	    "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">",
	    class, anchor, x, y);
	markup_text(c->out, text);
	fputs("</text>\n", c->out);
}

/* The step of the time axis, for about ten ticks. */
static double
tick_step(double span)
{
	static const double steps[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5,
	    10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
	    43200, 86400, 172800, 432000};
	size_t i, n = sizeof(steps) / sizeof(steps[0]);

	for (i = 0; i < n - 1; i++)
		if (span / steps[i] <= 11)
			return steps[i];
	while (span / (steps[n - 1] * (double)(i - n + 2)) > 11)
		i++;
	return steps[n - 1] * (double)(i - n + 2);
}

static void
tick_text(char *out, size_t size, double t, double step)
{
	if (t == 0)
		text_format(out, size, "0");
	else if (step >= 86400)
		text_format(out, size, "%.0fd", t / 86400);
	else if (step >= 3600)
		text_format(out, size, "%.0fh", t / 3600);
	else if (step >= 60)
		text_format(out, size, "%.0fm", t / 60);
	else if (step >= 1)
		text_format(out, size, "%.0fs", t);
	else
		text_format(out, size, "%.2fs", t);
}

void
chart_time_grid(const struct chart *c, double top, double bottom, bool labels)
{
	double step = tick_step(c->span), t, x;
	char text[32];

	for (t = 0; t <= c->span; t += step) {
		x = chart_place(c, t);
		chart_line(c, "g", x, top, x, bottom);
		if (!labels)
			continue;
		tick_text(text, sizeof(text), t, step);
		chart_label(c, "", "middle", x, bottom + 15, text);
	}
}
