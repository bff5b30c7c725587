/* SPDX-License-Identifier: ISC */
/*
 * The timeline of the report page, as SVG: faults a lane a server,
 * throughput, latencies, stalls and anomalies on one axis of time.
 */
#ifndef ORCHESTRATOR_CHART_H
#define ORCHESTRATOR_CHART_H

#include <stdbool.h>
#include <stdio.h>

struct history;

/* True when there was no load: then there is nothing to draw. */
bool chart_is_empty(const struct history *);

/* The picture, and the numbers behind it as JSON for the script. */
void chart_write(const struct history *, FILE *);
void chart_write_data(const struct history *, FILE *);

/* What the colours mean. */
void chart_write_legend(const struct history *, FILE *);

#endif
