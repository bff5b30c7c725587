/* SPDX-License-Identifier: ISC */
/* The numbers of the timeline as JSON, for the page's script; see chart.h. */
#include <string.h>

#include "orchestrator/report/chart.h"
#include "orchestrator/report/chart_parts.h"

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
		fprintf(c->out, "%s{\"name\":\"%s\",", comma,
		    chart_kind_name(c->s, k));
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
	    CHART_WIDTH, CHART_LEFT, CHART_RIGHT, c.span,
	    (double)c.e->step_ns / 1e9);
	for (i = 0; i < c.e->n; i++)
		fprintf(out, "%s%u", i ? "," : "", c.e->buckets[i].rounds);
	fputs("],\n\"anomalies\":[", out);
	for (i = 0; i < c.e->n; i++)
		fprintf(out, "%s%u", i ? "," : "", c.e->buckets[i].anomalies);
	fputs("],\n", out);
	data_latency(&c);
	data_faults(&c);
}
