/* SPDX-License-Identifier: ISC */
/* What the servers hold, in the timeline; see chart_parts.h. */
#include <string.h>

#include "orchestrator/report/chart_parts.h"
#include "orchestrator/report/markup.h"
#include "proto/base/text.h"

#define LETTER 6.6 /* about the width of one */

/* 0: it told nothing above 0. */
static uint32_t
highest(const struct chart *c, unsigned kind)
{
	uint32_t top = 0;
	unsigned i;
	size_t b;

	for (b = 0; b < c->e->n; b++)
		for (i = 0; i < CONFIG_NODES_MAX; i++)
			if (c->e->buckets[b].levels[kind][i] > top)
				top = c->e->buckets[b].levels[kind][i];
	return top > 0 ? top - 1 : 0;
}

/* Samples come more seldom than buckets: the line goes from one to the next. */
static void
level_path(
    const struct chart *c, unsigned kind, unsigned server, double per_unit)
{
	uint32_t v;
	size_t b;
	char pen = 'M';

	fprintf(c->out, "<path class=\"lv\" style=\"stroke:var(--m%u)\" d=\"",
	    server % CHART_COLOURS);
	for (b = 0; b < c->e->n; b++) {
		v = c->e->buckets[b].levels[kind][server];
		if (v == 0)
			continue;
		fprintf(c->out, "%c%.1f %.1f", pen, chart_place_bucket(c, b),
		    c->y + CHART_LEVEL - per_unit * (v - 1));
		pen = 'L';
	}
	fputs("\"/>\n", c->out);
}

static void
draw_names(const struct chart *c, double x)
{
	const char *name;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		name = c->s->servers[i].name;
		if (name[0] == '\0')
			continue;
		fprintf(c->out,
		    "<text style=\"fill:var(--m%u)\" x=\"%.1f\" y=\"%.1f\">",
		    i % CHART_COLOURS, x, c->y - 7);
		markup_text(c->out, name);
		fputs("</text>\n", c->out);
		x += LETTER * (double)(strlen(name) + 2);
	}
}

static void
level_text(char *out, size_t size, unsigned kind, double v)
{
	if (kind == LEVELS_MEMORY)
		text_format(out, size, "%.0f MiB", v / 1024);
	else
		text_format(out, size, "%.0f", v);
}

void
chart_level(struct chart *c, unsigned kind)
{
	double top = highest(c, kind), y;
	char text[48];
	unsigned i;

	if (top <= 0)
		return;
	c->y += CHART_PANEL_GAP;
	text_format(text, sizeof(text), "servers: %s", levels_what(kind));
	if (kind == LEVELS_MEMORY)
		text_set(text, sizeof(text), "servers: memory");
	chart_label(c, "title", "start", CHART_LEFT, c->y - 7, text);
	draw_names(c, CHART_LEFT + LETTER * (double)(strlen(text) + 3));
	chart_time_grid(c, c->y, c->y + CHART_LEVEL, false);
	for (i = 0; i <= 1; i++) {
		y = c->y + CHART_LEVEL * (1 - i);
		chart_line(
		    c, i == 0 ? "ax" : "g", CHART_LEFT, y, CHART_RIGHT, y);
		level_text(text, sizeof(text), kind, top * i);
		chart_label(c, "", "end", CHART_LEFT - 8, y + 4, text);
	}
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (c->s->servers[i].name[0] != '\0')
			level_path(c, kind, i, CHART_LEVEL / top);
	c->y += CHART_LEVEL;
}

bool
chart_has_level(const struct chart *c, unsigned kind)
{
	return highest(c, kind) > 0;
}
