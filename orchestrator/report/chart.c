/* SPDX-License-Identifier: ISC */
/*
 * The timeline of the report page; see chart.h. The lanes of faults are drawn
 * by chart_lanes.c, throughput and latencies by chart_panels.c; the numbers
 * for the script are written by chart_data.c.
 */
#include <string.h>

#include "orchestrator/report/chart.h"
#include "orchestrator/report/chart_parts.h"
#include "orchestrator/report/markup.h"

#define LETTER 6.2 /* about the width of one */

bool
chart_is_empty(const struct history *h)
{
	return h->stats.series == NULL || h->stats.load_ns == 0 ||
	       h->stats.series->n == 0;
}

/* Anomalies and phases: over everything */

static void
draw_anomalies(const struct chart *c)
{
	const struct anomaly *a;
	const char *class;
	bool all_kept;
	double x;
	size_t i;

	for (i = 0; judge_anomaly(c->h->judge, i) != NULL; i++)
		;
	all_kept = i == c->s->anomalies;
	/* Those that were only counted: a mark for each bucket. */
	for (i = 0; i < c->e->n && !all_kept; i++)
		if (c->e->buckets[i].anomalies > 0)
			fprintf(c->out,
			    "<rect class=\"ab\" x=\"%.1f\" y=\"%.1f\" "
			    "width=\"2\" height=\"4\"/>\n",
			    chart_place_bucket(c, i), CHART_TOP - 4);
	for (i = 0; (a = judge_anomaly(c->h->judge, i)) != NULL; i++) {
		x = chart_place_ns(c, a->time_ns);
		class = anomaly_class_name(a->class);
		fprintf(c->out,
		    "<a href=\"#anomaly-%zu\"><line class=\"an %s\" "
		    "x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
		    "<path class=\"and %s\" d=\"M%.1f %.1fl6 7l-6 7l-6 "
		    "-7z\"><title>",
		    i + 1, class, x, CHART_TOP, x, c->bottom, class, x,
		    CHART_TOP - 14);
		markup_text(c->out, anomaly_kind_name(a->kind));
		fputs(": ", c->out);
		markup_text(c->out, a->says);
		fputs("</title></path></a>\n", c->out);
	}
}

static void
draw_phases(const struct chart *c)
{
	const struct stats *s = c->s;
	double x, next, until = 0;
	size_t i;

	for (i = 0; i < s->nphases; i++) {
		if (s->phases[i].begin_ns < s->load_ns)
			continue;
		x = chart_place_ns(c, s->phases[i].begin_ns);
		next = i + 1 < s->nphases
			   ? chart_place_ns(c, s->phases[i + 1].begin_ns)
			   : CHART_RIGHT;
		if (s->phases[i].begin_ns > s->load_ns)
			chart_line(c, "ph", x, CHART_TOP - 2, x, c->bottom);
		if (next - x < LETTER * (double)strlen(s->phases[i].name) + 6 ||
		    x < until)
			continue;
		chart_label(c, "faintly", "start", x + 4, CHART_TOP - 9,
		    s->phases[i].name);
		until = x + LETTER * (double)strlen(s->phases[i].name);
	}
}

static double
chart_height(const struct chart *c)
{
	unsigned k, levels = 0;

	for (k = 0; k < LEVELS_KINDS; k++)
		levels += chart_has_level(c, k);
	return CHART_TOP + 4 + c->nlanes * (CHART_LANE + CHART_LANE_GAP) +
	       (CHART_PANEL + CHART_PANEL_GAP) * (1 + c->has[0] + c->has[1]) +
	       (CHART_LEVEL + CHART_PANEL_GAP) * levels + 24;
}

void
chart_write(const struct history *h, FILE *out)
{
	struct chart c;
	unsigned k;

	chart_open(&c, h, out);
	c.y = CHART_TOP + 4;
	c.bottom = chart_height(&c) - 24;
	fprintf(out,
	    "<svg viewBox=\"0 0 %.0f %.0f\" role=\"group\" "
	    "aria-label=\"timeline of the run\">\n",
	    CHART_WIDTH, chart_height(&c));
	chart_lanes(&c);
	chart_rate(&c);
	chart_latency(&c, SERIES_ASK);
	chart_latency(&c, SERIES_CONSUME);
	for (k = 0; k < LEVELS_KINDS; k++)
		chart_level(&c, k);
	chart_time_grid(&c, c.y, c.y, true);
	draw_phases(&c);
	draw_anomalies(&c);
	fprintf(out,
	    "<line id=\"cross\" x1=\"0\" y1=\"%.1f\" x2=\"0\" y2=\"%.1f\"/>\n"
	    "</svg>\n",
	    CHART_TOP, c.bottom);
}

void
chart_write_legend(const struct history *h, FILE *out)
{
	unsigned i;

	for (i = 0; i < h->stats.nmodes; i++) {
		fprintf(out, "<span><i class=\"m%u\"></i>", i % CHART_COLOURS);
		markup_text(out, h->stats.modes[i].name);
		fputs("</span>", out);
	}
	fputs("<span><i class=l style=\"background:var(--p50)\"></i>p50</span>"
	      "<span><i class=l style=\"background:var(--p99)\"></i>p99</span>"
	      "<span><i class=l style=\"background:var(--max)\"></i>max</span>"
	      "<span><i style=\"background:var(--stall);opacity:.3\"></i>"
	      "stall of a second or more</span>",
	    out);
	if (judge_anomaly(h->judge, 0) != NULL)
		fputs("<span><i style=\"background:var(--fail);width:8px;"
		      "transform:rotate(45deg)\"></i>anomaly</span>",
		    out);
}
