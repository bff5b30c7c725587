/* SPDX-License-Identifier: ISC */
/*
 * What the parts of the timeline share; for chart*.c alone. It is drawn from
 * the series, whose size is bounded, and from the fault rows as long as they
 * are few. Coordinates are those of the picture, with y downwards.
 */
#ifndef ORCHESTRATOR_CHART_PARTS_H
#define ORCHESTRATOR_CHART_PARTS_H

#include <stdio.h>

#include "orchestrator/history/history.h"

#define CHART_WIDTH	1200.0
#define CHART_LEFT	74.0
#define CHART_RIGHT	1188.0
#define CHART_TOP	22.0 /* phases and diamonds */
#define CHART_LANE	20.0
#define CHART_LANE_GAP	3.0
#define CHART_PANEL	118.0
#define CHART_PANEL_GAP 30.0
#define CHART_LEVEL	56.0 /* a panel of what servers hold */
#define CHART_COLOURS	16

/* Nothing of it is owned. */
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

/* Look at what there is to draw. */
void chart_open(struct chart *, const struct history *, FILE *);

/* What a kind of the series is called in this run. */
const char *chart_kind_name(const struct stats *, unsigned kind);

/* x of seconds since the load began, of a time of the run, of a bucket. */
double chart_place(const struct chart *, double t);
double chart_place_ns(const struct chart *, uint64_t ns);
double chart_place_bucket(const struct chart *, size_t i);

void chart_line(const struct chart *, const char *class, double x1, double y1,
    double x2, double y2);
void chart_label(const struct chart *, const char *class, const char *anchor,
    double x, double y, const char *text);

/* The vertical lines of the axis of time; their times below, with labels. */
void chart_time_grid(
    const struct chart *, double top, double bottom, bool labels);

/* Draw the next part below what there is, and move y behind it. */
void chart_lanes(struct chart *);
void chart_rate(struct chart *);
void chart_latency(struct chart *, unsigned kind);
void chart_level(struct chart *, unsigned kind);

/* Is there anything to draw for chart_level()? */
bool chart_has_level(const struct chart *, unsigned kind);

#endif
