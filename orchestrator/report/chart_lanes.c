/* SPDX-License-Identifier: ISC */
/*
 * Faults in the timeline, a lane for each server; see chart_parts.h. They are
 * drawn one by one as long as they are few, and by the bucket otherwise.
 */
#include <string.h>

#include "orchestrator/report/chart_parts.h"
#include "orchestrator/report/markup.h"

#define ROWS_MAX 1500 /* more faults are drawn by the bucket */

/* Few modes have rows of their own in a lane; of many two share one. */
static double
mode_top(const struct chart *c, double y, unsigned mode, double *height)
{
	unsigned rows = c->s->nmodes == 1 ? 1 : c->s->nmodes == 3 ? 3 : 2;

	*height = (CHART_LANE - 4) / rows;
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
	    mode % CHART_COLOURS, verified ? "" : " unverified", x1, top,
	    x2 - x1, height - 1);
}

static unsigned
mode_index(const struct chart *c, const char *mode)
{
	unsigned i;

	for (i = 0; i < c->s->nmodes; i++)
		if (strcmp(c->s->modes[i].name, mode) == 0)
			return i;
	return CHART_COLOURS - 1;
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
		band(c,
		    chart_place_ns(
			c, f->applied_ns ? f->applied_ns : f->due_ns),
		    chart_place_ns(c, end), y, mode_index(c, f->mode),
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
	    shade, mode_index(c, c->e->modes[mode]) % CHART_COLOURS,
	    chart_place_bucket(c, from), top,
	    chart_place_bucket(c, to) - chart_place_bucket(c, from),
	    height - 1);
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

void
chart_lanes(struct chart *c)
{
	unsigned i, lane;

	for (i = 0; i < c->nlanes; i++, c->y += CHART_LANE + CHART_LANE_GAP) {
		lane = c->lanes[i];
		fprintf(c->out,
		    "<rect class=\"lane\" x=\"%.1f\" y=\"%.1f\" "
		    "width=\"%.1f\" height=\"%.1f\" rx=\"3\"/>\n",
		    CHART_LEFT, c->y, CHART_RIGHT - CHART_LEFT, CHART_LANE);
		chart_label(c, "name", "end", CHART_LEFT - 8, c->y + 14,
		    lane == SERIES_OTHER ? "cluster"
					 : c->s->servers[lane].name);
		if (c->s->nfaults <= ROWS_MAX && c->s->faults_omitted == 0)
			lane_rows(c, lane, c->y);
		else
			lane_buckets(c, lane, c->y);
	}
}
