/* SPDX-License-Identifier: ISC */
/*
 * The events of an anomaly as a picture; see page_parts.h: a lane for each
 * process, and the faults around them.
 */
#include <string.h>

#include "orchestrator/report/page_parts.h"
#include "proto/json.h"

#define SOURCES_MAX 16
#define LABELS	    150 /* of the picture's width */
#define WIDTH	    1000
#define LANE_HEIGHT 20
#define EDGE	    8

struct picture {
	double sources[SOURCES_MAX];
	unsigned n;
	double from, to; /* seconds since the load began */
	double before;	 /* the load began so long after the history */
	double complete; /* what came later is not shown */
};

static unsigned
lane_of(const struct picture *l, double source)
{
	unsigned i;

	for (i = 0; i < l->n && l->sources[i] != source; i++)
		;
	return i;
}

/* False when there is nothing to see: one process, or one moment. */
static bool
look_at(struct picture *l, const cJSON *events)
{
	const cJSON *e;
	double t, source;
	bool is_first = true;

	cJSON_ArrayForEach (e, events) {
		source = json_number(e, "source");
		t = json_number(e, "t") - l->before;
		if (t > l->complete)
			continue;
		l->from = is_first || t < l->from ? t : l->from;
		l->to = is_first || t > l->to ? t : l->to;
		is_first = false;
		if (lane_of(l, source) == l->n && l->n < SOURCES_MAX)
			l->sources[l->n++] = source;
	}
	return l->n > 1 && l->to > l->from;
}

static double
place(const struct picture *l, double t)
{
	double share = (t - l->from) / (l->to - l->from);

	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return LABELS + EDGE + share * (WIDTH - LABELS - 2 * EDGE);
}

static void
write_faults(
    const struct page *p, const struct picture *l, const cJSON *anomaly)
{
	const cJSON *number, *f;
	double t, end;

	cJSON_ArrayForEach (number, json_get(anomaly, "faults")) {
		f = page_fault(p, number->valuedouble);
		t = json_number(f, "t");
		end = cJSON_IsTrue(json_get(f, "healed"))
			  ? t + json_number(f, "heal_s")
			  : l->to;
		if (f == NULL || t > l->to || end < l->from)
			continue;
		fprintf(p->out,
		    "<rect x=\"%.1f\" y=\"0\" width=\"%.1f\" height=\"%u\">"
		    "<title>",
		    place(l, t), place(l, end) - place(l, t) + 1,
		    l->n * LANE_HEIGHT);
		page_put(p, json_text(f, "mode"));
		fputc(' ', p->out);
		page_put(p, json_text(f, "target"));
		fputs("</title></rect>\n", p->out);
	}
}

static void
write_lane(const struct page *p, const struct picture *l, unsigned i)
{
	double y = (i + 0.5) * LANE_HEIGHT;

	fprintf(p->out,
	    "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
	    "<text x=\"0\" y=\"%.1f\">",
	    LABELS, y, WIDTH, y, y + 4);
	page_role(p, l->sources[i]);
	fputs("</text>\n", p->out);
}

/* The next event of the same process and operation; NULL: there is none. */
static const cJSON *
find_next(const cJSON *event)
{
	const char *id = json_text(event, "id");
	const cJSON *e;

	for (e = event->next; e != NULL && id[0] != '\0'; e = e->next)
		if (json_number(e, "source") == json_number(event, "source") &&
		    strcmp(json_text(e, "id"), id) == 0)
			return e;
	return NULL;
}

static void
write_event(const struct page *p, const struct picture *l, const cJSON *e)
{
	unsigned i = lane_of(l, json_number(e, "source"));
	double t = json_number(e, "t") - l->before, y = (i + 0.5) * LANE_HEIGHT;
	const cJSON *next = find_next(e);

	if (t > l->complete || i == l->n)
		return; /* there is no lane left for it */
	if (next != NULL)
		fprintf(p->out,
		    "<line class=\"span\" x1=\"%.1f\" y1=\"%.1f\" "
		    "x2=\"%.1f\" y2=\"%.1f\"/>\n",
		    place(l, t), y,
		    place(l, json_number(next, "t") - l->before), y);
	fprintf(p->out,
	    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%.6f s ",
	    place(l, t), y, t);
	page_put(p, json_text(e, "event"));
	fputs("</title></circle>\n", p->out);
}

void
page_lanes(const struct page *p, const cJSON *anomaly, double complete)
{
	struct picture l = {
	    .before = page_load_begins(p), .complete = complete};
	const cJSON *e, *events = json_get(anomaly, "events");
	double bottom;
	unsigned i;

	if (!look_at(&l, events))
		return;
	fprintf(p->out,
	    "<svg class=\"lanes\" role=\"img\" viewBox=\"0 0 %d %u\" "
	    "aria-label=\"the events below, a line for each process\">\n",
	    WIDTH, (l.n + 1) * LANE_HEIGHT);
	write_faults(p, &l, anomaly);
	for (i = 0; i < l.n; i++)
		write_lane(p, &l, i);
	cJSON_ArrayForEach (e, events)
		write_event(p, &l, e);
	bottom = (l.n + 0.8) * LANE_HEIGHT;
	fprintf(p->out,
	    "<text x=\"%d\" y=\"%.1f\">%.6f s</text><text x=\"%d\" "
	    "y=\"%.1f\" text-anchor=\"end\">%.6f s</text>\n</svg>\n",
	    LABELS, bottom, l.from, WIDTH, bottom, l.to);
}
