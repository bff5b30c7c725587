/* SPDX-License-Identifier: ISC */
/* Throughput and latencies in the timeline; see chart_parts.h. */
#include <math.h>

#include "orchestrator/report/chart_parts.h"
#include "proto/base/text.h"

#define DECADE_MIN 0.001

/* Throughput */

static double
nice_top(double v)
{
	double unit;

	if (v <= 0)
		return 1;
	unit = pow(10, floor(log10(v)));
	return v <= unit	 ? unit
	       : v <= 1.5 * unit ? 1.5 * unit
	       : v <= 2 * unit	 ? 2 * unit
	       : v <= 3 * unit	 ? 3 * unit
	       : v <= 5 * unit	 ? 5 * unit
	       : v <= 8 * unit	 ? 8 * unit
				 : 10 * unit;
}

/* The last bucket is shorter than the others. */
static double
bucket_seconds(const struct chart *c, size_t i)
{
	double step = (double)c->e->step_ns / 1e9;
	double rest = c->span - (double)i * step;

	return rest < step && rest > step / 4 ? rest : step;
}

static double
bucket_rate(const struct chart *c, size_t i)
{
	return c->e->buckets[i].rounds / bucket_seconds(c, i);
}

static void
rate_path(const struct chart *c, double y, double top, bool filled)
{
	double x, v;
	size_t i;

	fprintf(c->out, "<path class=\"%s\" d=\"M%.1f %.1f",
	    filled ? "ratef" : "rate", CHART_LEFT,
	    filled ? y + CHART_PANEL
		   : y + CHART_PANEL * (1 - bucket_rate(c, 0) / top));
	for (i = 0; i < c->e->n; i++) {
		x = (chart_place_bucket(c, i) + chart_place_bucket(c, i + 1)) /
		    2;
		v = bucket_rate(c, i);
		if (i == 0)
			x = CHART_LEFT;
		fprintf(
		    c->out, "L%.1f %.1f", x, y + CHART_PANEL * (1 - v / top));
	}
	if (filled)
		fprintf(c->out, "L%.1f %.1fZ", chart_place_bucket(c, c->e->n),
		    y + CHART_PANEL);
	fputs("\"/>\n", c->out);
}

static void
draw_stalls(const struct chart *c, double y, double height, bool titled)
{
	const struct series_stall *s;
	double x, width;
	size_t i;

	for (i = 0; i < c->e->nstalls; i++) {
		s = &c->e->stalls[i];
		x = chart_place_ns(c, s->begin_ns);
		width = chart_place_ns(c, s->end_ns) - x;
		fprintf(c->out,
		    "<rect class=\"stall\" x=\"%.1f\" y=\"%.1f\" "
		    "width=\"%.1f\" height=\"%.1f\">",
		    x, y, width > 1.5 ? width : 1.5, height);
		if (titled)
			fprintf(c->out,
			    "<title>no finished round for %.2f s</title>",
			    (double)(s->end_ns - s->begin_ns) / 1e9);
		fputs("</rect>\n", c->out);
	}
}

static void
number_text(char *out, size_t size, double v)
{
	if (v >= 1e6)
		text_format(out, size, "%gM", v / 1e6);
	else if (v >= 1e4)
		text_format(out, size, "%gk", v / 1e3);
	else
		text_format(out, size, "%g", v);
}

void
chart_rate(struct chart *c)
{
	double top = 0, y, v;
	char text[32];
	size_t i;

	c->y += CHART_PANEL_GAP;
	y = c->y;
	for (i = 0; i < c->e->n; i++)
		if (bucket_rate(c, i) > top)
			top = bucket_rate(c, i);
	top = nice_top(top);
	chart_label(
	    c, "title", "start", CHART_LEFT, y - 7, "rounds per second");
	chart_time_grid(c, y, y + CHART_PANEL, false);
	for (i = 0; i <= 2; i++) {
		v = top * (double)i / 2;
		chart_line(c, i == 0 ? "ax" : "g", CHART_LEFT,
		    y + CHART_PANEL * (1 - v / top), CHART_RIGHT,
		    y + CHART_PANEL * (1 - v / top));
		number_text(text, sizeof(text), v);
		chart_label(c, "", "end", CHART_LEFT - 8,
		    y + CHART_PANEL * (1 - v / top) + 4, text);
	}
	draw_stalls(c, y, CHART_PANEL, true);
	rate_path(c, y, top, true);
	rate_path(c, y, top, false);
	c->y += CHART_PANEL;
}

/* Latency: milliseconds on a logarithmic axis */

struct scale {
	double low, high; /* exponents of ten */
	double y;
};

static double
scale_place(const struct scale *s, uint64_t ns)
{
	double v = log10((double)(ns > 0 ? ns : 1) / 1e6);

	v = v < s->low ? s->low : v > s->high ? s->high : v;
	return s->y + CHART_PANEL * (1 - (v - s->low) / (s->high - s->low));
}

static void
scale_fit(const struct chart *c, unsigned kind, struct scale *s)
{
	const struct series_bucket *b;
	double least = 1e12, most = DECADE_MIN, v;
	size_t i;

	for (i = 0; i < c->e->n; i++) {
		b = &c->e->buckets[i];
		if (b->max[kind] == 0)
			continue;
		v = (double)series_quantile(b, kind, 0.5) / 1e6;
		if (v > 0 && v < least)
			least = v;
		if ((double)b->max[kind] / 1e6 > most)
			most = (double)b->max[kind] / 1e6;
	}
	if (least < DECADE_MIN)
		least = DECADE_MIN;
	s->low = floor(log10(least < most ? least : most));
	s->high = ceil(log10(most) - 0.01);
	if (s->high <= s->low)
		s->high = s->low + 1;
}

static void
latency_path(const struct chart *c, unsigned kind, const struct scale *s,
    const char *class, double fraction)
{
	const struct series_bucket *b;
	bool pen_is_down = false;
	uint64_t ns;
	double x;
	size_t i;

	fprintf(c->out, "<path class=\"%s\" d=\"", class);
	for (i = 0; i < c->e->n; i++) {
		b = &c->e->buckets[i];
		if (b->max[kind] == 0) {
			pen_is_down = false;
			continue;
		}
		ns = fraction < 1 ? series_quantile(b, kind, fraction)
				  : b->max[kind];
		x = (chart_place_bucket(c, i) + chart_place_bucket(c, i + 1)) /
		    2;
		if (!pen_is_down) /* a dot, if nothing follows */
			fprintf(c->out, "M%.1f %.1fh.1", x, scale_place(s, ns));
		else
			fprintf(c->out, "L%.1f %.1f", x, scale_place(s, ns));
		pen_is_down = true;
	}
	fputs("\"/>\n", c->out);
}

static void
decade_text(char *out, size_t size, double exponent)
{
	if (exponent >= 3)
		text_format(out, size, "%g s", pow(10, exponent - 3));
	else if (exponent >= 0)
		text_format(out, size, "%g ms", pow(10, exponent));
	else
		text_format(out, size, "%g us", pow(10, exponent + 3));
}

void
chart_latency(struct chart *c, unsigned kind)
{
	char text[64];
	struct scale s;
	double y, e;

	if (!c->has[kind])
		return;
	c->y += CHART_PANEL_GAP;
	scale_fit(c, kind, &s);
	s.y = c->y;
	text_format(
	    text, sizeof(text), "%s latency", chart_kind_name(c->s, kind));
	chart_label(c, "title", "start", CHART_LEFT, c->y - 7, text);
	chart_time_grid(c, c->y, c->y + CHART_PANEL, false);
	for (e = s.low; e <= s.high; e++) {
		y = s.y + CHART_PANEL * (1 - (e - s.low) / (s.high - s.low));
		chart_line(
		    c, e == s.low ? "ax" : "g", CHART_LEFT, y, CHART_RIGHT, y);
		decade_text(text, sizeof(text), e);
		chart_label(c, "", "end", CHART_LEFT - 8, y + 4, text);
	}
	draw_stalls(c, c->y, CHART_PANEL, false);
	latency_path(c, kind, &s, "max", 1);
	latency_path(c, kind, &s, "p99", 0.99);
	latency_path(c, kind, &s, "p50", 0.5);
	c->y += CHART_PANEL;
}
