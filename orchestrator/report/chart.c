/* SPDX-License-Identifier: ISC */
/*
 * The timeline of the report page; see chart.h. It is drawn from the series,
 * whose size is bounded, and from the fault rows as long as they are few.
 */
#include <math.h>
#include <string.h>

#include "orchestrator/history/history.h"
#include "orchestrator/report/chart.h"
#include "orchestrator/report/markup.h"
#include "proto/base/text.h"

#define WIDTH	   1200.0
#define LEFT	   74.0
#define RIGHT	   1188.0
#define TOP	   22.0 /* phases and diamonds */
#define LANE	   20.0
#define LANE_GAP   3.0
#define PANEL	   118.0
#define PANEL_GAP  30.0
#define ROWS_MAX   1500 /* more faults are drawn by the bucket */
#define COLOURS	   16
#define LETTER	   6.2 /* about the width of one */
#define DECADE_MIN 0.001

struct chart {
	const struct history *h;
	const struct stats *s;
	const struct series *e;
	FILE *out;
	double span; /* seconds on the axis */
	double y;    /* next free */
	double bottom;
	bool has[SERIES_KINDS];
	unsigned lanes[SERIES_LANES], nlanes;
};

int
chart_is_empty(const struct history *h)
{
	return h->stats.series == NULL || h->stats.load_ns == 0 ||
	       h->stats.series->n == 0;
}

unsigned
chart_colour(const struct history *h, const char *mode)
{
	unsigned i;

	for (i = 0; i < h->stats.nmodes; i++)
		if (strcmp(h->stats.modes[i].name, mode) == 0)
			return i % COLOURS;
	return COLOURS - 1;
}

static const char *
ask_name(const struct stats *s)
{
	if (s->publish.count > 0)
		return "publish";
	if (stats_seen(s, MESSAGE_KV_UPDATE_OK) > 0)
		return "update";
	return stats_seen(s, MESSAGE_STREAM_LIST) > 0 ? "listing" : "operation";
}

static const char *
kind_name(const struct stats *s, unsigned kind)
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

static void
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

static double
place(const struct chart *c, double t)
{
	double x = LEFT + (RIGHT - LEFT) * t / c->span;

	return x < LEFT ? LEFT : x > RIGHT ? RIGHT : x;
}

static double
place_ns(const struct chart *c, uint64_t ns)
{
	return place(c, ((double)ns - (double)c->s->load_ns) / 1e9);
}

/* Where bucket i begins. */
static double
place_bucket(const struct chart *c, size_t i)
{
	return place(c, (double)i * (double)c->e->step_ns / 1e9);
}

static void
line(const struct chart *c, const char *class, double x1, double y1, double x2,
    double y2)
{
	fprintf(c->out,
	    "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
	    "y2=\"%.1f\"/>\n",
	    class, x1, y1, x2, y2);
}

static void
label(const struct chart *c, const char *class, const char *anchor, double x,
    double y, const char *text)
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

static void
time_grid(const struct chart *c, double top, double bottom, bool labels)
{
	double step = tick_step(c->span), t, x;
	char text[32];

	for (t = 0; t <= c->span; t += step) {
		x = place(c, t);
		line(c, "g", x, top, x, bottom);
		if (!labels)
			continue;
		tick_text(text, sizeof(text), t, step);
		label(c, "", "middle", x, bottom + 15, text);
	}
}

/* Faults */

/* Few modes have rows of their own in a lane; of many two share one. */
static double
mode_top(const struct chart *c, double y, unsigned mode, double *height)
{
	unsigned rows = c->s->nmodes == 1 ? 1 : c->s->nmodes == 3 ? 3 : 2;

	*height = (LANE - 4) / rows;
	return y + 2 + *height * (mode % rows);
}

static void
band(const struct chart *c, double x1, double x2, double y, unsigned mode,
    bool verified)
{
	double height, top = mode_top(c, y, mode, &height);

	if (x2 - x1 < 2)
		x2 = x1 + 2;
	fprintf(c->out,
	    "<rect class=\"b m%u%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
	    "height=\"%.1f\" rx=\"1.5\">",
	    mode % COLOURS, verified ? "" : " unverified", x1, top, x2 - x1,
	    height - 1);
}

static unsigned
mode_index(const struct chart *c, const char *mode)
{
	unsigned i;

	for (i = 0; i < c->s->nmodes; i++)
		if (strcmp(c->s->modes[i].name, mode) == 0)
			return i;
	return COLOURS - 1;
}

static bool
fault_is_in(const struct chart *c, const struct stats_fault *f, unsigned lane)
{
	unsigned i;

	if (lane != SERIES_OTHER)
		return stats_hits(c->s, lane, f->target);
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (stats_hits(c->s, i, f->target))
			return false;
	return true;
}

static void
lane_rows(const struct chart *c, unsigned lane, double y)
{
	const struct stats_fault *f;
	uint64_t end;
	size_t i;

	for (i = 0; i < c->s->nfaults; i++) {
		f = &c->s->faults[i];
		if (!fault_is_in(c, f, lane))
			continue;
		end = f->healed_ns ? f->healed_ns : c->s->last_ns;
		band(c, place_ns(c, f->applied_ns ? f->applied_ns : f->due_ns),
		    place_ns(c, end), y, mode_index(c, f->mode),
		    f->applied && f->healed);
		fputs("<title>", c->out);
		markup_text(c->out, f->mode);
		fputc(' ', c->out);
		markup_text(c->out, f->target);
		fprintf(c->out, ", %.1f s: ",
		    ((double)f->due_ns - (double)c->s->load_ns) / 1e9);
		markup_text(
		    c->out, f->applied ? f->applied_how : "not verified");
		fputs("; ", c->out);
		markup_text(c->out, f->healed ? f->healed_how : "not healed");
		fputs("</title></rect>\n", c->out);
	}
}

/*
 * How much of a bucket was under faults, in quarters: long runs would be
 * one band from end to end otherwise. 0 when the mode was not in force.
 */
static unsigned
quarter(const struct chart *c, size_t i, unsigned lane, unsigned mode)
{
	const struct series_bucket *b = &c->e->buckets[i];
	double share = (double)b->faulty_ns[lane] / (double)c->e->step_ns;

	if (!(b->faults[lane] >> mode & 1))
		return 0;
	return share >= 0.75 ? 4 : share >= 0.5 ? 3 : share >= 0.25 ? 2 : 1;
}

static void
lane_run(const struct chart *c, size_t from, size_t to, double y, unsigned mode,
    unsigned shade)
{
	double height;
	double top = mode_top(c, y, mode_index(c, c->e->modes[mode]), &height);

	fprintf(c->out,
	    "<rect class=\"b q%u m%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
	    "height=\"%.1f\"><title>",
	    shade, mode_index(c, c->e->modes[mode]) % COLOURS,
	    place_bucket(c, from), top,
	    place_bucket(c, to) - place_bucket(c, from), height - 1);
	markup_text(c->out, c->e->modes[mode]);
	fprintf(c->out, "; this server under faults %u to %u %% of the time",
	    (shade - 1) * 25, shade * 25);
	fputs("</title></rect>\n", c->out);
}

/* The series numbers modes as they come into force, the stats as planned. */
static void
lane_buckets(const struct chart *c, unsigned lane, double y)
{
	const struct series *e = c->e;
	unsigned mode, shade;
	size_t i, from;

	for (mode = 0; mode < e->nmodes; mode++)
		for (from = 0; from < e->n; from = i) {
			shade = quarter(c, from, lane, mode);
			for (i = from + 1; i < e->n; i++)
				if (quarter(c, i, lane, mode) != shade)
					break;
			if (shade > 0)
				lane_run(c, from, i, y, mode, shade);
		}
}

static void
draw_lanes(struct chart *c)
{
	unsigned i, lane;

	for (i = 0; i < c->nlanes; i++, c->y += LANE + LANE_GAP) {
		lane = c->lanes[i];
		fprintf(c->out,
		    "<rect class=\"lane\" x=\"%.1f\" y=\"%.1f\" "
		    "width=\"%.1f\" height=\"%.1f\" rx=\"3\"/>\n",
		    LEFT, c->y, RIGHT - LEFT, LANE);
		label(c, "name", "end", LEFT - 8, c->y + 14,
		    lane == SERIES_OTHER ? "cluster"
					 : c->s->servers[lane].name);
		if (c->s->nfaults <= ROWS_MAX && c->s->faults_omitted == 0)
			lane_rows(c, lane, c->y);
		else
			lane_buckets(c, lane, c->y);
	}
}

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
	    filled ? "ratef" : "rate", LEFT,
	    filled ? y + PANEL : y + PANEL * (1 - bucket_rate(c, 0) / top));
	for (i = 0; i < c->e->n; i++) {
		x = (place_bucket(c, i) + place_bucket(c, i + 1)) / 2;
		v = bucket_rate(c, i);
		if (i == 0)
			x = LEFT;
		fprintf(c->out, "L%.1f %.1f", x, y + PANEL * (1 - v / top));
	}
	if (filled)
		fprintf(
		    c->out, "L%.1f %.1fZ", place_bucket(c, c->e->n), y + PANEL);
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
		x = place_ns(c, s->begin_ns);
		width = place_ns(c, s->end_ns) - x;
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

static void
draw_rate(struct chart *c)
{
	double top = 0, y, v;
	char text[32];
	size_t i;

	c->y += PANEL_GAP;
	y = c->y;
	for (i = 0; i < c->e->n; i++)
		if (bucket_rate(c, i) > top)
			top = bucket_rate(c, i);
	top = nice_top(top);
	label(c, "title", "start", LEFT, y - 7, "rounds per second");
	time_grid(c, y, y + PANEL, false);
	for (i = 0; i <= 2; i++) {
		v = top * (double)i / 2;
		line(c, i == 0 ? "ax" : "g", LEFT, y + PANEL * (1 - v / top),
		    RIGHT, y + PANEL * (1 - v / top));
		number_text(text, sizeof(text), v);
		label(c, "", "end", LEFT - 8, y + PANEL * (1 - v / top) + 4,
		    text);
	}
	draw_stalls(c, y, PANEL, true);
	rate_path(c, y, top, true);
	rate_path(c, y, top, false);
	c->y += PANEL;
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
	return s->y + PANEL * (1 - (v - s->low) / (s->high - s->low));
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
		x = (place_bucket(c, i) + place_bucket(c, i + 1)) / 2;
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

static void
draw_latency(struct chart *c, unsigned kind)
{
	char text[64];
	struct scale s;
	double y, e;

	if (!c->has[kind])
		return;
	c->y += PANEL_GAP;
	scale_fit(c, kind, &s);
	s.y = c->y;
	text_format(text, sizeof(text), "%s latency", kind_name(c->s, kind));
	label(c, "title", "start", LEFT, c->y - 7, text);
	time_grid(c, c->y, c->y + PANEL, false);
	for (e = s.low; e <= s.high; e++) {
		y = s.y + PANEL * (1 - (e - s.low) / (s.high - s.low));
		line(c, e == s.low ? "ax" : "g", LEFT, y, RIGHT, y);
		decade_text(text, sizeof(text), e);
		label(c, "", "end", LEFT - 8, y + 4, text);
	}
	draw_stalls(c, c->y, PANEL, false);
	latency_path(c, kind, &s, "max", 1);
	latency_path(c, kind, &s, "p99", 0.99);
	latency_path(c, kind, &s, "p50", 0.5);
	c->y += PANEL;
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
			    place_bucket(c, i), TOP - 4);
	for (i = 0; (a = judge_anomaly(c->h->judge, i)) != NULL; i++) {
		x = place_ns(c, a->time_ns);
		class = anomaly_class_name(a->class);
		fprintf(c->out,
		    "<a href=\"#anomaly-%zu\"><line class=\"an %s\" "
		    "x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
		    "<path class=\"and %s\" d=\"M%.1f %.1fl6 7l-6 7l-6 "
		    "-7z\"><title>",
		    i + 1, class, x, TOP, x, c->bottom, class, x, TOP - 14);
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
		x = place_ns(c, s->phases[i].begin_ns);
		next = i + 1 < s->nphases
			   ? place_ns(c, s->phases[i + 1].begin_ns)
			   : RIGHT;
		if (s->phases[i].begin_ns > s->load_ns)
			line(c, "ph", x, TOP - 2, x, c->bottom);
		if (next - x < LETTER * (double)strlen(s->phases[i].name) + 6 ||
		    x < until)
			continue;
		label(c, "faintly", "start", x + 4, TOP - 9, s->phases[i].name);
		until = x + LETTER * (double)strlen(s->phases[i].name);
	}
}

static double
chart_height(const struct chart *c)
{
	return TOP + 4 + c->nlanes * (LANE + LANE_GAP) +
	       (PANEL + PANEL_GAP) * (1 + c->has[0] + c->has[1]) + 24;
}

void
chart_write(const struct history *h, FILE *out)
{
	struct chart c;

	chart_open(&c, h, out);
	c.y = TOP + 4;
	c.bottom = chart_height(&c) - 24;
	fprintf(out,
	    "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
	    "aria-label=\"timeline of the run\">\n",
	    WIDTH, chart_height(&c));
	draw_lanes(&c);
	draw_rate(&c);
	draw_latency(&c, SERIES_ASK);
	draw_latency(&c, SERIES_CONSUME);
	time_grid(&c, c.y, c.y, true);
	draw_phases(&c);
	draw_anomalies(&c);
	fprintf(out,
	    "<line id=\"cross\" x1=\"0\" y1=\"%.1f\" x2=\"0\" y2=\"%.1f\"/>\n"
	    "</svg>\n",
	    TOP, c.bottom);
}

/* The numbers, for the script */

static void
numbers(const struct chart *c, const char *name, unsigned kind, double fraction)
{
	const struct series_bucket *b;
	uint64_t ns;
	size_t i;

	fprintf(c->out, "\"%s\":[", name);
	for (i = 0; i < c->e->n; i++) {
		b = &c->e->buckets[i];
		ns = fraction < 1 ? series_quantile(b, kind, fraction)
				  : b->max[kind];
		fprintf(c->out, "%s%llu", i ? "," : "",
		    (unsigned long long)(ns / 1000));
	}
	fputc(']', c->out);
}

static void
data_latency(const struct chart *c)
{
	const char *comma = "";
	unsigned k;

	fputs("\"latency\":[", c->out);
	for (k = 0; k < SERIES_KINDS; k++) {
		if (!c->has[k])
			continue;
		fprintf(
		    c->out, "%s{\"name\":\"%s\",", comma, kind_name(c->s, k));
		numbers(c, "p50", k, 0.5);
		fputc(',', c->out);
		numbers(c, "p99", k, 0.99);
		fputc(',', c->out);
		numbers(c, "max", k, 1);
		fputc('}', c->out);
		comma = ",";
	}
	fputs("],\n", c->out);
}

/* A name in a JSON string inside HTML: anything odd is left out. */
static void
plain_name(FILE *out, const char *name)
{
	for (; *name != '\0'; name++)
		if (strchr("\"\\<>&'", *name) == NULL && *name >= ' ')
			fputc(*name, out);
}

static void
data_faults(const struct chart *c)
{
	unsigned i;
	size_t b;

	fputs("\"modes\":[", c->out);
	for (i = 0; i < c->e->nmodes; i++) {
		fputs(i ? ",\"" : "\"", c->out);
		plain_name(c->out, c->e->modes[i]);
		fputc('"', c->out);
	}
	fputs("],\n\"faults\":[", c->out);
	for (i = 0; i < c->nlanes; i++) {
		fprintf(c->out, "%s{\"name\":\"", i ? ",\n" : "");
		plain_name(c->out, c->lanes[i] == SERIES_OTHER
				       ? "cluster"
				       : c->s->servers[c->lanes[i]].name);
		fputs("\",\"at\":[", c->out);
		for (b = 0; b < c->e->n; b++)
			fprintf(c->out, "%s%u", b ? "," : "",
			    c->e->buckets[b].faults[c->lanes[i]]);
		fputs("]}", c->out);
	}
	fputs("]}\n", c->out);
}

void
chart_write_data(const struct history *h, FILE *out)
{
	struct chart c;
	size_t i;

	chart_open(&c, h, out);
	fprintf(out,
	    "{\"width\":%.0f,\"left\":%.0f,\"right\":%.0f,\"span\":%.3f,"
	    "\"step\":%.3f,\n\"rounds\":[",
	    WIDTH, LEFT, RIGHT, c.span, (double)c.e->step_ns / 1e9);
	for (i = 0; i < c.e->n; i++)
		fprintf(out, "%s%u", i ? "," : "", c.e->buckets[i].rounds);
	fputs("],\n\"anomalies\":[", out);
	for (i = 0; i < c.e->n; i++)
		fprintf(out, "%s%u", i ? "," : "", c.e->buckets[i].anomalies);
	fputs("],\n", out);
	data_latency(&c);
	data_faults(&c);
}

void
chart_write_legend(const struct history *h, FILE *out)
{
	unsigned i;

	for (i = 0; i < h->stats.nmodes; i++) {
		fprintf(out, "<span><i class=\"m%u\"></i>", i % COLOURS);
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
