/* SPDX-License-Identifier: ISC */
/*
 * The anomalies of the report page; see page_parts.h. Each is a card with
 * what happened: its events and the faults around it, in one order of time.
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/report/manual.h"
#include "orchestrator/report/page_parts.h"
#include "proto/json.h"

#define OPEN_MAX    3 /* of a kind that aren't folded */
#define MOMENTS_MAX 64

struct moment {
	double t; /* since the load began */
	const cJSON *event, *fault;
	const char *what;
	bool is_after; /* when the evidence was complete: it is not needed */
};

static int
moment_compare(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	return (x->t > y->t) - (x->t < y->t);
}

/* An anomaly: as the tree has it, as the judge does, and its number. */
struct card {
	const cJSON *a;
	const struct anomaly *known;
	unsigned number, nth; /* in the page; of its kind and class */
};

/*
 * When the evidence was complete, since the load began. The tree has
 * nanoseconds of events, and milliseconds of anomalies.
 */
static double
complete_at(const struct page *p, const struct card *c)
{
	const struct stats *s = &p->h->stats;
	uint64_t origin_ns = s->load_ns != 0 ? s->load_ns : s->first_ns;

	return ((double)c->known->time_ns - (double)origin_ns) / 1e9 + 5e-10;
}

static size_t
gather(const struct page *p, const struct card *c, struct moment *m)
{
	const cJSON *a = c->a;
	double before = page_load_begins(p);
	double complete = complete_at(p, c);
	const cJSON *item, *f, *events = json_get(a, "events");
	size_t n = 0;

	cJSON_ArrayForEach (item, events) {
		if (n == MOMENTS_MAX - 18)
			break;
		m[n] = (struct moment){
		    .t = json_number(item, "t") - before, .event = item};
		m[n].is_after = m[n].t > complete;
		n++;
	}
	cJSON_ArrayForEach (item, json_get(a, "faults")) {
		f = page_fault(p, item->valuedouble);
		if (f == NULL || n + 2 > MOMENTS_MAX)
			continue;
		m[n++] = (struct moment){
		    .t = json_number(f, "t"), .fault = f, .what = "begins"};
		if (!cJSON_IsTrue(json_get(f, "healed")))
			continue;
		m[n] = (struct moment){
		    .t = json_number(f, "t") + json_number(f, "heal_s"),
		    .fault = f,
		    .what = "is healed"};
		m[n].is_after = m[n].t > complete;
		n++;
	}
	qsort(m, n, sizeof(*m), moment_compare);
	return n;
}

/* Shown in columns of their own, or the same in every event. */
static bool
is_noise(const cJSON *f)
{
	static const char *const noise[] = {"t", "source", "incarnation", "n",
	    "event", "run", "sum", "size", "stamp_ns"};
	size_t i;

	for (i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (strcmp(noise[i], f->string) == 0)
			return true;
	return cJSON_IsString(f)
		   ? f->valuestring[0] == '\0'
		   : strcmp(f->string, "intact") == 0 && f->valuedouble == 1;
}

static void
write_fields(const struct page *p, const cJSON *event, bool all)
{
	const cJSON *f;

	cJSON_ArrayForEach (f, event) {
		if (is_noise(f) && (!all || strcmp(f->string, "sum") != 0))
			continue;
		fputs("<i>", p->out);
		page_put(p, f->string);
		fputs("</i>=", p->out);
		if (cJSON_IsString(f))
			page_put(p, f->valuestring);
		else
			fprintf(p->out, "%.15g", f->valuedouble);
		fputc(' ', p->out);
	}
}

static void
write_moment(
    const struct page *p, const struct moment *m, bool is_last, bool all)
{
	fprintf(p->out, "<tr%s><td class=n>%.*f s</td><td class=w>",
	    m->fault != NULL ? " class=f"
	    : is_last	     ? " class=hit"
			     : "",
	    m->fault != NULL ? 3 : 6, m->t);
	if (m->event != NULL) {
		page_role(p, json_number(m->event, "source"));
		fputs("</td><td class=w><b>", p->out);
		page_put(p, json_text(m->event, "event"));
		fputs("</b></td><td class=fields>", p->out);
		write_fields(p, m->event, all);
	} else {
		fputs("fault ", p->out);
		fprintf(p->out, "%.0f</td><td class=w><b>",
		    json_number(m->fault, "fault"));
		page_put(p, json_text(m->fault, "mode"));
		fputc(' ', p->out);
		page_put(p, json_text(m->fault, "target"));
		fprintf(p->out, "</b> %s</td><td class=fields>", m->what);
		page_put(
		    p, json_text(m->fault,
			   m->what[0] == 'b' ? "applied_how" : "healed_how"));
	}
	fputs("</td></tr>\n", p->out);
}

/* The moments before or after the evidence was complete. */
static void
write_moments(const struct page *p, const struct moment *m, size_t n,
    bool after, bool all)
{
	size_t i, last = n;
	unsigned shown = 0;

	for (i = 0; i < n; i++)
		if (!m[i].is_after && m[i].event != NULL)
			last = i;
	for (i = 0; i < n; i++) {
		if (m[i].is_after != after)
			continue;
		if (shown++ == 0)
			page_table_head(p, "#time|who|event|");
		write_moment(p, &m[i], i == last, all);
	}
	if (shown > 0)
		page_table_end(p);
}

static void
write_story(const struct page *p, const struct card *c)
{
	const cJSON *a = c->a;
	bool all = strcmp(json_text(a, "kind"), "corrupt") == 0;
	struct moment moments[MOMENTS_MAX];
	size_t i, n = gather(p, c, moments), after = 0;

	for (i = 0; i < n; i++)
		after += moments[i].is_after;
	page_lanes(p, a, complete_at(p, c));
	write_moments(p, moments, n, false, all);
	if (json_number(a, "events_omitted") > 0)
		fprintf(p->out,
		    "<p class=soft>%.0f events between the first and the last "
		    "16 are left out.</p>\n",
		    json_number(a, "events_omitted"));
	if (after == 0)
		return;
	fprintf(p->out, "<details><summary>%zu afterwards</summary>\n", after);
	write_moments(p, moments, n, true, all);
	fputs("</details>\n", p->out);
}

static void
write_section(const struct page *p, const char *name)
{
	struct manual_text section;
	struct manual_block b;
	bool is_first = true;

	if (!manual_section(MANUAL_GUARANTEES, name, &section))
		return;
	for (; manual_block(&section, &b); is_first = false) {
		fputs(is_first	     ? "<p><b>"
		      : b.is_example ? "<pre>"
		      : b.is_item    ? "<p>– "
				     : "<p>",
		    p->out);
		page_put(p, b.text);
		fputs(is_first	     ? "</b></p>\n"
		      : b.is_example ? "</pre>\n"
				     : "</p>\n",
		    p->out);
	}
}

/* What was promised, and what the check takes for a proof. */
static void
write_rule(const struct page *p, const struct anomaly *a)
{
	const char *number = manual_rule_number(a->rule);

	fputs("<details><summary>what is promised, and what proves that it was "
	      "broken</summary><div class=rule>\n",
	    p->out);
	if (number != NULL)
		write_section(p, number);
	write_section(p, a->check);
	fputs("</div></details>\n", p->out);
}

static void
write_card(const struct page *p, const struct card *c)
{
	const cJSON *a = c->a;

	fprintf(p->out, "<article id=anomaly-%u class=%s><div class=head><b>",
	    c->number, json_text(a, "class"));
	page_put(p, json_text(a, "kind"));
	fprintf(p->out, "</b><span class=\"chip %s\">%s</span><span>",
	    json_text(a, "class"), json_text(a, "class"));
	page_put(p, json_text(a, "rule"));
	fprintf(p->out, "</span><span>%u of ", c->nth);
	page_count(p, json_number(a, "count"));
	fprintf(
	    p->out, "</span><span>at %.3f s</span><span>", json_number(a, "t"));
	page_logs_link(p, "anomaly", c->number);
	fputs("</span></div>\n<p class=says>", p->out);
	page_put(p, json_text(a, "says"));
	fputs("</p>\n", p->out);
	if (c->nth > OPEN_MAX)
		fputs("<details><summary>its events</summary>\n", p->out);
	write_story(p, c);
	if (c->nth > OPEN_MAX)
		fputs("</details>\n", p->out);
	if (c->nth == 1)
		write_rule(p, c->known);
	fputs("</article>\n", p->out);
}

void
page_anomalies(const struct page *p)
{
	unsigned seen[ANOMALY_COUNT][CLASS_COUNT] = {{0}}, i = 0;
	const cJSON *list = json_get(p->tree, "anomalies");
	struct card c;
	int n = cJSON_GetArraySize(list);

	if (n == 0)
		return;
	fputs("<section id=anomalies><h2>Anomalies<small>each with the events "
	      "that bear on it, and the faults around them</small></h2>\n",
	    p->out);
	cJSON_ArrayForEach (c.a, list) {
		c.known = judge_anomaly(p->h->judge, i);
		if (c.known == NULL || ++i > PAGE_CARDS_MAX)
			break;
		c.number = i;
		c.nth = ++seen[c.known->kind][c.known->class];
		write_card(p, &c);
	}
	if (n > PAGE_CARDS_MAX)
		fprintf(p->out,
		    "<p class=soft>%d more stand in report.json.</p>\n",
		    n - PAGE_CARDS_MAX);
	fputs("</section>\n", p->out);
}
