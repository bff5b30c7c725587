/* SPDX-License-Identifier: ISC */
/* HdrHistogram's percentile format; see hgrm.h. */
#include <math.h>

#include "orchestrator/report/hgrm.h"

#define MS 1e6 /* nanoseconds */

/* A line for each value that was met. */
static double
write_values(const struct hist *h, FILE *out)
{
	double mean = (double)h->sum / (double)h->count, away, squares = 0;
	uint64_t seen = 0, upper;
	double share;
	unsigned i;

	for (i = 0; seen < h->count; i++) {
		if (h->buckets[i] == 0)
			continue;
		seen += h->buckets[i];
		upper = hist_upper(i) < h->max ? hist_upper(i) : h->max;
		away = (double)upper - mean;
		squares += away * away * h->buckets[i];
		share = (double)seen / (double)h->count;
		fprintf(out, "%12.3f %14.12f %10llu", (double)upper / MS, share,
		    (unsigned long long)seen);
		if (seen < h->count)
			fprintf(out, " %14.2f", 1 / (1 - share));
		fputc('\n', out);
	}
	return sqrt(squares / (double)h->count);
}

void
hgrm_write(const struct hist *h, FILE *out)
{
	double deviation;

	if (h->count == 0)
		return;
	fputs(
	    "       Value     Percentile TotalCount 1/(1-Percentile)\n\n", out);
	deviation = write_values(h, out);
	fprintf(out,
	    "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
	    "#[Max     = %12.3f, Total count    = %12llu]\n"
	    "#[Buckets = %12d, SubBuckets     = %12d]\n",
	    (double)h->sum / (double)h->count / MS, deviation / MS,
	    (double)h->max / MS, (unsigned long long)h->count,
	    HIST_BUCKETS >> HIST_SUB_BITS, 1 << HIST_SUB_BITS);
}
