/* SPDX-License-Identifier: ISC */
/*
 * The report page; see page.h. What stands in it comes from the tree of
 * report.json, so the two can't disagree; the picture comes from chart.c,
 * style and script from page/.
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/history.h"
#include "orchestrator/report/chart.h"
#include "orchestrator/report/markup.h"
#include "orchestrator/report/page.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define CARDS_MAX   60 /* anomalies told in full */
#define OPEN_MAX    3  /* of a kind that aren't folded */
#define FAULTS_MAX  200
#define WORKERS_MAX 200
#define MOMENTS_MAX 64

extern const char page_style[], page_script[];

struct page {
	const struct history *h;
	const cJSON *tree;
	FILE *out;
};

static void
put(const struct page *p, const char *text)
{
	markup_text(p->out, text);
}

/* A whole number with thin spaces, as people read it. */
static void
put_count(const struct page *p, double v)
{
	char digits[32];
	size_t i, len;

	text_format(digits, sizeof(digits), "%.0f", v);
	len = strlen(digits);
	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && len > 4)
			fputs("&#8239;", p->out);
		fputc(digits[i], p->out);
	}
}

static void
put_ms(const struct page *p, double ms)
{
	if (ms >= 1000)
		fprintf(p->out, "%.2f s", ms / 1000);
	else if (ms > 0 && ms < 0.1)
		fprintf(p->out, "%.0f us", ms * 1000);
	else
		fprintf(p->out, ms >= 10 ? "%.1f ms" : "%.2f ms", ms);
}

static void
put_span(const struct page *p, double s)
{
	if (s >= 172800)
		fprintf(p->out, "%.1f days", s / 86400);
	else if (s >= 7200)
		fprintf(p->out, "%.1f hours", s / 3600);
	else if (s >= 180)
		fprintf(p->out, "%.1f min", s / 60);
	else
		fprintf(p->out, "%.1f s", s);
}

static void
cell_text(const struct page *p, const char *text)
{
	fputs("<td>", p->out);
	put(p, text);
	fputs("</td>", p->out);
}

static void
cell_count(const struct page *p, double v)
{
	fputs("<td class=n>", p->out);
	put_count(p, v);
	fputs("</td>", p->out);
}

/* "name|name|#number": # is right-aligned. */
static void
table_head(const struct page *p, const char *columns)
{
	size_t len;

	fputs("<div class=scroll><table><thead><tr>", p->out);
	for (; *columns != '\0'; columns += len + (columns[len] == '|')) {
		len = strcspn(columns, "|");
		if (columns[0] == '#')
			fprintf(p->out, "<th class=n>%.*s</th>", (int)len - 1,
			    columns + 1);
		else
			fprintf(p->out, "<th>%.*s</th>", (int)len, columns);
	}
	fputs("</tr></thead><tbody>\n", p->out);
}

static void
table_end(const struct page *p)
{
	fputs("</tbody></table></div>\n", p->out);
}

/* The head: verdict, what was run */

static const char *
verdict_words(const struct page *p)
{
	switch (p->h->result.verdict) {
	case VERDICT_PASS:
		return "Every check holds";
	case VERDICT_FAIL:
		return "JetStream broke a promise";
	case VERDICT_SKIPPED:
		return "Nothing was run: the driver can't do what was asked";
	case VERDICT_INCONCLUSIVE:
	case VERDICT_COUNT:
		break;
	}
	switch ((int)p->h->result.exit_code) {
	case EXIT_HARNESS:
		return "The harness failed: this run proves nothing";
	case EXIT_CLUSTER:
		return "The cluster could not be used";
	default:
		return "This run proves nothing";
	}
}

static void
write_what(const struct page *p)
{
	const cJSON *item, *t = p->tree;
	const char *comma = "";

	fputs("<p class=what>Test <b>", p->out);
	put(p, json_text(t, "test"));
	fputs("</b> under <b>", p->out);
	cJSON_ArrayForEach (item, json_get(t, "mayhem")) {
		fputs(comma, p->out);
		put(p, cJSON_GetStringValue(item));
		comma = ", ";
	}
	fputs("</b> for <b>", p->out);
	put_span(p, json_number(t, "duration_s"));
	fputs("</b> on ", p->out);
	comma = "";
	cJSON_ArrayForEach (item, json_get(t, "servers")) {
		fprintf(p->out, "%s<b>", comma);
		put(p, json_text(item, "name"));
		fputs("</b> ", p->out);
		put(p, json_text(item, "version"));
		comma = ", ";
	}
	if (*comma == '\0')
		fputs("no servers", p->out);
	fprintf(p->out, " · seed <b>%.0f</b> · %s</p>\n",
	    json_number(t, "seed"), json_text(t, "started"));
}

static void
write_list(const struct page *p, const char *name)
{
	const cJSON *item, *list = json_get(p->tree, name);

	if (cJSON_GetArraySize(list) == 0)
		return;
	fprintf(p->out, "<ul class=%s>\n", name);
	cJSON_ArrayForEach (item, list) {
		fputs("<li>", p->out);
		put(p, cJSON_GetStringValue(item));
		fputs("</li>\n", p->out);
	}
	fputs("</ul>\n", p->out);
}

static void
write_header(const struct page *p)
{
	static const char *const words[] = {
	    "PASS", "FAIL", "INCONCLUSIVE", "SKIPPED"};
	enum verdict v = p->h->result.verdict;
	fprintf(p->out,
	    "<header class=%s><div>\n<h1 class=verdict><span class=badge>%s"
	    "</span>%s</h1>\n",
	    verdict_name(v), words[v], verdict_words(p));
	write_what(p);
	write_list(p, "reasons");
	write_list(p, "notes");
	fputs("<nav><a href=\"#timeline\">Timeline</a>", p->out);
	if (cJSON_GetArraySize(json_get(p->tree, "anomalies")) > 0)
		fputs("<a href=\"#anomalies\">Anomalies</a>", p->out);
	fputs("<a href=\"#checks\">Checks</a><a href=\"#faults\">Faults</a>"
	      "<a href=\"#servers\">Servers</a>"
	      "<a href=\"#workers\">Processes</a>"
	      "<a href=\"#settings\">Settings</a></nav>\n</div></header>\n",
	    p->out);
}

/* Tiles: the figures that matter at a glance */

static void
tile_begin(const struct page *p, const char *name, bool bad)
{
	fprintf(p->out, "<div class=\"tile%s\"><span>%s</span><b>",
	    bad ? " bad" : "", name);
}

static void
tile_latency(const struct page *p, const char *field, const char *name)
{
	const cJSON *l = json_get(json_get(p->tree, "latency_ms"), field);

	if (json_number(l, "max") <= 0)
		return;
	tile_begin(p, name, false);
	put_ms(p, json_number(l, "p50"));
	fputs("</b><small>p99 ", p->out);
	put_ms(p, json_number(l, "p99"));
	fputs(" · max ", p->out);
	put_ms(p, json_number(l, "max"));
	fputs("</small></div>\n", p->out);
}

static void
tile_messages(const struct page *p)
{
	const cJSON *counts = json_get(p->tree, "counts");
	const cJSON *publish = json_get(counts, "publish");

	if (json_number(publish, "ok") + json_number(publish, "unknown") > 0) {
		tile_begin(p, "published", false);
		put_count(p, json_number(publish, "ok"));
		fputs("</b><small>", p->out);
		put_count(p, json_number(publish, "unknown"));
		fputs(" unknown · ", p->out);
		put_count(p, json_number(publish, "retries"));
		fputs(" retries</small></div>\n", p->out);
	}
	if (json_number(counts, "deliver") > 0) {
		tile_begin(p, "delivered", false);
		put_count(p, json_number(counts, "deliver"));
		fputs("</b><small>", p->out);
		put_count(p, json_number(counts, "redeliver"));
		fputs(" again</small></div>\n", p->out);
	}
	if (json_number(counts, "updates") > 0) {
		tile_begin(p, "key updates", false);
		put_count(p, json_number(counts, "updates"));
		fputs("</b><small>", p->out);
		put_count(p, json_number(counts, "rejected"));
		fputs(" rejected · ", p->out);
		put_count(p, json_number(counts, "reads"));
		fputs(" reads</small></div>\n", p->out);
	}
	if (json_number(counts, "listings") > 0) {
		tile_begin(p, "listings", false);
		put_count(p, json_number(counts, "listings"));
		fputs("</b><small>", p->out);
		put_count(p, json_number(counts, "streams_added"));
		fputs(" streams added</small></div>\n", p->out);
	}
}

static void
tile_faults(const struct page *p)
{
	struct stats_totals all = stats_faults(&p->h->stats);

	tile_begin(
	    p, "faults", all.applied < all.planned || all.healed < all.planned);
	put_count(p, (double)all.applied);
	fputs("</b><small>", p->out);
	put_count(p, (double)all.planned);
	fputs(" planned · ", p->out);
	put_count(p, (double)all.healed);
	fputs(" healed</small></div>\n", p->out);
}

static void
write_tiles(const struct page *p)
{
	double seconds = json_number(p->tree, "duration_s");
	double rounds = json_number(p->tree, "rounds");

	fputs("<div class=tiles>\n", p->out);
	tile_begin(p, "rounds", false);
	put_count(p, rounds);
	fprintf(p->out, "</b><small>%.*f per second</small></div>\n",
	    rounds<10 * seconds, seconds> 0 ? rounds / seconds : 0);
	tile_messages(p);
	tile_latency(p, "publish", "publish, median");
	tile_latency(p, "consume", "consume, median");
	tile_latency(p, "operation", "operation, median");
	tile_begin(p, "longest stall", false);
	put_ms(p, json_number(p->tree, "longest_stall_ms"));
	fprintf(p->out, "</b><small>%.0f of 1 s or more</small></div>\n",
	    json_number(p->tree, "stalls_seen"));
	tile_faults(p);
	tile_begin(p, "anomalies", p->h->result.verdict == VERDICT_FAIL);
	put_count(p, (double)p->h->stats.anomalies);
	fprintf(p->out,
	    "</b><small>%.0f process%s died</small></div>\n</div>\n",
	    (double)p->h->stats.workers_died,
	    p->h->stats.workers_died == 1 ? "" : "es");
}

static void
write_command(const struct page *p)
{
	fputs("<section><h2>Repeat it</h2><div class=copy><pre>", p->out);
	put(p, json_text(p->tree, "command"));
	fputs("</pre><button type=button>copy</button></div>\n"
	      "<p class=soft>The seed repeats the schedule of the faults. "
	      "<code>natsburn check RUN_DIR</code> judges the recorded run "
	      "again.</p></section>\n",
	    p->out);
}

static void
write_timeline(const struct page *p)
{
	fputs("<section id=timeline><h2>Timeline</h2>\n", p->out);
	if (chart_is_empty(p->h)) {
		fputs(
		    "<p class=soft>There was no load.</p></section>\n", p->out);
		return;
	}
	fputs("<div class=legend>", p->out);
	chart_write_legend(p->h, p->out);
	fputs("</div>\n<div class=chart>\n", p->out);
	chart_write(p->h, p->out);
	fputs("<div id=tip></div></div>\n"
	      "<script type=\"application/json\" id=series>\n",
	    p->out);
	chart_write_data(p->h, p->out);
	fputs("</script></section>\n", p->out);
}

/* Anomalies: what happened, in one order of time with the faults around */

struct moment {
	double t; /* since the load began */
	const cJSON *event, *fault;
	const char *what;
	bool is_after; /* when the evidence was complete */
};

static int
moment_compare(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	return (x->t > y->t) - (x->t < y->t);
}

static const cJSON *
fault_by_number(const struct page *p, double number)
{
	const cJSON *f;

	cJSON_ArrayForEach (f, json_get(p->tree, "faults"))
		if (json_number(f, "fault") == number)
			return f;
	return NULL;
}

/*
 * What came after the evidence was complete is not needed to show it. Times
 * are in whole milliseconds in the one and in nanoseconds in the other.
 */
static bool
is_after(const cJSON *a, double t)
{
	return t > json_number(a, "t") + 0.001;
}

static size_t
gather(const struct page *p, const cJSON *a, struct moment *m)
{
	const struct stats *s = &p->h->stats;
	double before = ((double)s->load_ns - (double)s->first_ns) / 1e9;
	const cJSON *item, *f, *events = json_get(a, "events");
	size_t n = 0;

	if (s->load_ns == 0)
		before = 0;
	cJSON_ArrayForEach (item, events) {
		if (n == MOMENTS_MAX - 18)
			break;
		m[n] = (struct moment){
		    .t = json_number(item, "t") - before, .event = item};
		m[n].is_after = is_after(a, m[n].t);
		n++;
	}
	cJSON_ArrayForEach (item, json_get(a, "faults")) {
		f = fault_by_number(p, item->valuedouble);
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
		m[n].is_after = is_after(a, m[n].t);
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
		put(p, f->string);
		fputs("</i>=", p->out);
		if (cJSON_IsString(f))
			put(p, f->valuestring);
		else
			fprintf(p->out, "%.15g", f->valuedouble);
		fputc(' ', p->out);
	}
}

static void
write_role(const struct page *p, double source)
{
	const struct stats *s = &p->h->stats;

	if (source == 0)
		fputs("natsburn", p->out);
	else if (source < s->nworkers && s->workers[(size_t)source].role[0])
		put(p, s->workers[(size_t)source].role);
	else
		fputs("process", p->out);
	if (source > 0)
		fprintf(p->out, " %.0f", source);
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
		write_role(p, json_number(m->event, "source"));
		fputs("</td><td class=w><b>", p->out);
		put(p, json_text(m->event, "event"));
		fputs("</b></td><td class=fields>", p->out);
		write_fields(p, m->event, all);
	} else {
		fputs("fault ", p->out);
		fprintf(p->out, "%.0f</td><td class=w><b>",
		    json_number(m->fault, "fault"));
		put(p, json_text(m->fault, "mode"));
		fputc(' ', p->out);
		put(p, json_text(m->fault, "target"));
		fprintf(p->out, "</b> %s</td><td class=fields>", m->what);
		put(p, json_text(m->fault,
			   m->what[0] == 'b' ? "applied_how" : "healed_how"));
	}
	fputs("</td></tr>\n", p->out);
}

/* The moments before or after the evidence was complete. */
static unsigned
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
			table_head(p, "#time|who|event|");
		write_moment(p, &m[i], i == last, all);
	}
	if (shown > 0)
		table_end(p);
	return shown;
}

static void
write_story(const struct page *p, const cJSON *a)
{
	bool all = strcmp(json_text(a, "kind"), "corrupt") == 0;
	struct moment moments[MOMENTS_MAX];
	size_t i, n = gather(p, a, moments), after = 0;

	for (i = 0; i < n; i++)
		after += moments[i].is_after;
	(void)write_moments(p, moments, n, false, all);
	if (json_number(a, "events_omitted") > 0)
		fprintf(p->out,
		    "<p class=soft>%.0f events between the first and the last "
		    "16 are left out.</p>\n",
		    json_number(a, "events_omitted"));
	if (after == 0)
		return;
	fprintf(p->out, "<details><summary>%zu afterwards</summary>\n", after);
	(void)write_moments(p, moments, n, true, all);
	fputs("</details>\n", p->out);
}

static void
write_card(const struct page *p, const cJSON *a, unsigned number, unsigned nth)
{
	fprintf(p->out, "<article id=anomaly-%u class=%s><div class=head><b>",
	    number, json_text(a, "class"));
	put(p, json_text(a, "kind"));
	fprintf(p->out, "</b><span class=\"chip %s\">%s</span><span>",
	    json_text(a, "class"), json_text(a, "class"));
	put(p, json_text(a, "rule"));
	fprintf(p->out, "</span><span>%u of ", nth);
	put_count(p, json_number(a, "count"));
	fprintf(p->out, "</span><span>at %.3f s</span></div>\n<p class=says>",
	    json_number(a, "t"));
	put(p, json_text(a, "says"));
	fputs("</p>\n", p->out);
	if (nth > OPEN_MAX)
		fputs("<details><summary>its events</summary>\n", p->out);
	write_story(p, a);
	if (nth > OPEN_MAX)
		fputs("</details>\n", p->out);
	fputs("</article>\n", p->out);
}

static void
write_anomalies(const struct page *p)
{
	unsigned seen[ANOMALY_COUNT][CLASS_COUNT] = {{0}}, i = 0;
	const struct anomaly *known;
	const cJSON *a, *list = json_get(p->tree, "anomalies");
	int n = cJSON_GetArraySize(list);

	if (n == 0)
		return;
	fputs("<section id=anomalies><h2>Anomalies<small>each with the events "
	      "that bear on it, and the faults around them</small></h2>\n",
	    p->out);
	cJSON_ArrayForEach (a, list) {
		known = judge_anomaly(p->h->judge, i);
		if (known == NULL || ++i > CARDS_MAX)
			break;
		write_card(p, a, i, ++seen[known->kind][known->class]);
	}
	if (n > CARDS_MAX)
		fprintf(p->out,
		    "<p class=soft>%d more stand in report.json.</p>\n",
		    n - CARDS_MAX);
	fputs("</section>\n", p->out);
}

/* Tables */

static void
write_checks(const struct page *p)
{
	const cJSON *c;
	const char *says;

	fputs("<section id=checks><h2>Checks</h2>\n", p->out);
	table_head(p, "check|promise|rule|result|#violations|#documented|"
		      "#warnings");
	cJSON_ArrayForEach (c, json_get(p->tree, "checks")) {
		says = json_text(c, "says");
		fputs("<tr><td><b>", p->out);
		put(p, json_text(c, "name"));
		fputs("</b></td>", p->out);
		cell_text(p, json_text(c, "summary"));
		cell_text(p, json_text(c, "rule"));
		fprintf(p->out, "<td><span class=\"chip %s\">%s</span></td>",
		    says, says);
		cell_count(p, json_number(c, "violations"));
		cell_count(p, json_number(c, "documented"));
		cell_count(p, json_number(c, "warnings"));
		fputs("</tr>\n", p->out);
	}
	table_end(p);
	fputs("</section>\n", p->out);
}

static void
write_fault_row(const struct page *p, const cJSON *f)
{
	fprintf(p->out, "<tr><td class=n>%.0f</td><td class=n>%.3f s</td>",
	    json_number(f, "fault"), json_number(f, "t"));
	cell_text(p, json_text(f, "mode"));
	cell_text(p, json_text(f, "target"));
	cell_text(p, json_text(f, "applied_how"));
	fputs(cJSON_IsTrue(json_get(f, "applied"))
		  ? "<td>yes</td>"
		  : "<td><span class=\"chip warning\">no</span></td>",
	    p->out);
	cell_text(p, json_text(f, "healed_how"));
	if (cJSON_IsTrue(json_get(f, "healed")))
		fprintf(p->out, "<td class=n>%.3f s</td></tr>\n",
		    json_number(f, "heal_s"));
	else
		fputs("<td class=n><span class=\"chip warning\">not healed"
		      "</span></td></tr>\n",
		    p->out);
}

static void
write_fault_rows(const struct page *p)
{
	const cJSON *f, *list = json_get(p->tree, "faults");
	int n = cJSON_GetArraySize(list), shown = 0;

	fprintf(p->out, "<details%s><summary>each fault</summary>\n",
	    n <= 30 ? " open" : "");
	table_head(p, "#fault|#at|mode|target|effect seen|verified|health seen|"
		      "#healed after");
	cJSON_ArrayForEach (f, list) {
		if (shown++ == FAULTS_MAX)
			break;
		write_fault_row(p, f);
	}
	table_end(p);
	if (n > FAULTS_MAX)
		fprintf(p->out,
		    "<p class=soft>The first %d of %.0f; more stand in "
		    "report.json.</p>\n",
		    FAULTS_MAX, n + json_number(p->tree, "faults_omitted"));
	fputs("</details>\n", p->out);
}

static void
write_faults(const struct page *p)
{
	const struct stats *s = &p->h->stats;
	const struct stats_mode *m;
	unsigned i;

	fputs("<section id=faults><h2>Faults</h2>\n", p->out);
	if (s->nmodes == 0) {
		fputs("<p class=soft>None.</p></section>\n", p->out);
		return;
	}
	table_head(p, "mode|#planned|#effect verified|#no effect|#healed|"
		      "#not healed");
	for (i = 0; i < s->nmodes; i++) {
		m = &s->modes[i];
		fputs("<tr>", p->out);
		cell_text(p, m->name);
		cell_count(p, (double)m->planned);
		cell_count(p, (double)m->applied);
		cell_count(p, (double)m->failed);
		cell_count(p, (double)m->healed);
		cell_count(p, (double)m->unhealed);
		fputs("</tr>\n", p->out);
	}
	table_end(p);
	write_fault_rows(p);
	fputs("</section>\n", p->out);
}

/* The version of a server; when there were several, since when each. */
static void
write_versions(const struct page *p, const cJSON *server)
{
	const cJSON *list = json_get(server, "versions"), *v;
	const char *between = "";

	if (cJSON_GetArraySize(list) < 2) {
		cell_text(p, json_text(server, "version"));
		return;
	}
	fputs("<td>", p->out);
	cJSON_ArrayForEach (v, list) {
		fputs(between, p->out);
		put(p, json_text(v, "version"));
		if (between[0] != '\0')
			fprintf(p->out, " from %.1f s", json_number(v, "t"));
		between = "<br>";
	}
	fputs("</td>", p->out);
}

static void
write_servers(const struct page *p)
{
	const cJSON *v, *led;

	fputs("<section id=servers><h2>Servers<small>", p->out);
	put(p, json_text(p->tree, "cluster"));
	fputs("</small></h2>\n", p->out);
	if (cJSON_GetArraySize(json_get(p->tree, "servers")) == 0) {
		fputs("<p class=soft>None.</p></section>\n", p->out);
		return;
	}
	table_head(p, "server|version|#faults|#of them ended it|"
		      "#time under faults|#came to lead: cluster|#streams|"
		      "#consumers");
	cJSON_ArrayForEach (v, json_get(p->tree, "servers")) {
		led = json_get(v, "led");
		fputs("<tr><td><b>", p->out);
		put(p, json_text(v, "name"));
		fputs("</b></td>", p->out);
		write_versions(p, v);
		cell_count(p, json_number(v, "faults"));
		cell_count(p, json_number(v, "ended"));
		fputs("<td class=n>", p->out);
		put_span(p, json_number(v, "faulty_s"));
		fputs("</td>", p->out);
		cell_count(p, json_number(led, "meta"));
		cell_count(p, json_number(led, "streams"));
		cell_count(p, json_number(led, "consumers"));
		fputs("</tr>\n", p->out);
	}
	table_end(p);
	fputs("</section>\n", p->out);
}

static void
write_workers(const struct page *p)
{
	const cJSON *w, *list = json_get(p->tree, "workers");
	int n = cJSON_GetArraySize(list), shown = 0;

	fprintf(p->out,
	    "<section id=workers><h2>Processes<small>%.0f events, %.0f gaps in "
	    "the history</small></h2>\n",
	    json_number(json_get(p->tree, "harness"), "events"),
	    json_number(json_get(p->tree, "harness"), "gaps"));
	table_head(p, "#source|role|#processes|#died|#events|#operations ok|"
		      "#unknown|#delivered|#again");
	cJSON_ArrayForEach (w, list) {
		if (shown++ == WORKERS_MAX)
			break;
		fputs("<tr>", p->out);
		cell_count(p, json_number(w, "source"));
		cell_text(p, json_text(w, "role"));
		cell_count(p, json_number(w, "processes"));
		cell_count(p, json_number(w, "died"));
		cell_count(p, json_number(w, "events"));
		cell_count(p, json_number(w, "ok"));
		cell_count(p, json_number(w, "unknown"));
		cell_count(p, json_number(w, "deliver"));
		cell_count(p, json_number(w, "redeliver"));
		fputs("</tr>\n", p->out);
	}
	table_end(p);
	if (n > WORKERS_MAX)
		fprintf(p->out,
		    "<p class=soft>The first %d of %.0f; more stand in "
		    "report.json.</p>\n",
		    WORKERS_MAX, n + json_number(p->tree, "workers_omitted"));
	fputs("</section>\n", p->out);
}

static void
setting(const struct page *p, const char *name, const char *value, bool is_set)
{
	fputs("<div><dt>", p->out);
	put(p, name);
	fprintf(p->out, "</dt><dd%s>", is_set ? " class=set" : "");
	put(p, value[0] != '\0' ? value : "–");
	fputs("</dd></div>\n", p->out);
}

static void
server_setting(const struct page *p, const cJSON *server)
{
	char text[128] = "";

	text_add(text, sizeof(text), "%s", json_text(server, "version"));
	if (json_get(server, "sync") != NULL)
		text_add(text, sizeof(text), ", syncs every write");
	else if (json_get(server, "sync_interval_s") != NULL)
		text_add(text, sizeof(text), ", sync_interval %.0f s",
		    json_number(server, "sync_interval_s"));
	setting(p, json_text(server, "name"), text, false);
}

static void
write_settings(const struct page *p)
{
	const struct run_config *c = judge_config(p->h->judge);
	const struct option_spec *row;
	const cJSON *o, *options = json_get(p->tree, "options");

	fputs("<section id=settings><h2>Settings and versions<small>bold: not "
	      "the default</small></h2>\n<dl>\n",
	    p->out);
	setting(p, "natsburn", json_text(p->tree, "natsburn"), false);
	setting(
	    p, "client library", json_text(p->tree, "client_library"), false);
	cJSON_ArrayForEach (o, json_get(p->tree, "servers"))
		server_setting(p, o);
	cJSON_ArrayForEach (o, options) {
		row = option_find(config_options, o->string);
		if (row != NULL && cJSON_IsString(o))
			setting(p, o->string, o->valuestring,
			    !option_is_default(row, c));
	}
	cJSON_ArrayForEach (o, json_get(options, "o"))
		setting(p, "-o", cJSON_GetStringValue(o), true);
	fputs("</dl></section>\n", p->out);
}

static void
write_head(const struct page *p)
{
	fprintf(p->out,
	    "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
	    "<meta name=viewport content=\"width=device-width, "
	    "initial-scale=1\">\n"
	    "<meta http-equiv=Content-Security-Policy content=\"default-src "
	    "'none'; style-src 'unsafe-inline'; script-src "
	    "'unsafe-inline'\">\n"
	    "<meta name=generator content=\"natsburn %s\">\n<title>%s: ",
	    json_text(p->tree, "natsburn"), verdict_name(p->h->result.verdict));
	put(p, json_text(p->tree, "test"));
	fprintf(p->out, " – natsburn</title>\n<style>\n%s</style>\n</head>\n",
	    page_style);
}

void
page_write(const struct history *h, const cJSON *tree, FILE *out)
{
	struct page p = {h, tree, out};

	write_head(&p);
	fputs("<body>\n", out);
	write_header(&p);
	fputs("<main>\n", out);
	write_tiles(&p);
	write_timeline(&p);
	write_anomalies(&p);
	write_command(&p);
	write_checks(&p);
	write_faults(&p);
	write_servers(&p);
	write_workers(&p);
	write_settings(&p);
	fputs("</main>\n<footer>natsburn ", out);
	put(&p, json_text(tree, "natsburn"));
	fprintf(out,
	    ". A pass says that no check found a broken promise in this run, "
	    "under these faults, on these versions. The same as data: "
	    "report.json, junit.xml; the whole history: journal/."
	    "</footer>\n<script>\n%s</script>\n</body>\n</html>\n",
	    page_script);
}
