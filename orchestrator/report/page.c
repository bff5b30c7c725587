/* SPDX-License-Identifier: ISC */
/*
 * The report page from its head to its foot; see page.h. The anomalies are
 * written by page_anomalies.c, the tables by page_tables.c, the timeline by
 * chart.c; style and script are the files in page/.
 */
#include <ctype.h>
#include <string.h>

#include "orchestrator/report/chart.h"
#include "orchestrator/report/manual.h"
#include "orchestrator/report/page.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/report.h"
#include "proto/json.h"

extern const char page_style[], page_script[];

/* The head: verdict, what was run */

static void
write_what(const struct page *p)
{
	const cJSON *item, *t = p->tree;
	const char *comma = "";

	fputs("<p class=what>Test <b>", p->out);
	page_put(p, json_text(t, "test"));
	fputs("</b> under <b>", p->out);
	cJSON_ArrayForEach (item, json_get(t, "mayhem")) {
		fputs(comma, p->out);
		page_put(p, cJSON_GetStringValue(item));
		comma = ", ";
	}
	fputs("</b> for <b>", p->out);
	page_span(p, json_number(t, "duration_s"));
	fputs("</b> on ", p->out);
	comma = "";
	cJSON_ArrayForEach (item, json_get(t, "servers")) {
		fprintf(p->out, "%s<b>", comma);
		page_put(p, json_text(item, "name"));
		fputs("</b> ", p->out);
		page_put(p, json_text(item, "version"));
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
	char remedy[MANUAL_TEXT_MAX / 4];

	if (cJSON_GetArraySize(list) == 0)
		return;
	fprintf(p->out, "<ul class=%s>\n", name);
	cJSON_ArrayForEach (item, list) {
		fputs("<li>", p->out);
		page_put(p, cJSON_GetStringValue(item));
		if (manual_remedy(
			cJSON_GetStringValue(item), remedy, sizeof(remedy))) {
			fputs("<br><span class=todo>What to do: ", p->out);
			page_put(p, remedy);
			fputs("</span>", p->out);
		}
		fputs("</li>\n", p->out);
	}
	fputs("</ul>\n", p->out);
}

static void
write_header(const struct page *p)
{
	char words[REPORT_WORDS_MAX];
	const char *verdict = report_verdict(p->h, words);

	words[0] = (char)toupper((unsigned char)words[0]);
	fprintf(p->out,
	    "<header class=%s><div>\n<h1 class=verdict><span class=badge>%s"
	    "</span>%s</h1>\n",
	    verdict_name(p->h->result.verdict), verdict, words);
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
	page_ms(p, json_number(l, "p50"));
	fputs("</b><small>p99 ", p->out);
	page_ms(p, json_number(l, "p99"));
	fputs(" · p99.9 ", p->out);
	page_ms(p, json_number(l, "p999"));
	fputs(" · max ", p->out);
	page_ms(p, json_number(l, "max"));
	fputs("</small></div>\n", p->out);
}

static void
tile_messages(const struct page *p)
{
	const cJSON *counts = json_get(p->tree, "counts");
	const cJSON *publish = json_get(counts, "publish");

	if (json_number(publish, "ok") + json_number(publish, "unknown") > 0) {
		tile_begin(p, "published", false);
		page_count(p, json_number(publish, "ok"));
		fputs("</b><small>", p->out);
		page_count(p, json_number(publish, "unknown"));
		fputs(" unknown · ", p->out);
		page_count(p, json_number(publish, "retries"));
		fputs(" retries</small></div>\n", p->out);
	}
	if (json_number(counts, "deliver") > 0) {
		tile_begin(p, "delivered", false);
		page_count(p, json_number(counts, "deliver"));
		fputs("</b><small>", p->out);
		page_count(p, json_number(counts, "redeliver"));
		fputs(" again</small></div>\n", p->out);
	}
	if (json_number(counts, "updates") > 0) {
		tile_begin(p, "key updates", false);
		page_count(p, json_number(counts, "updates"));
		fputs("</b><small>", p->out);
		page_count(p, json_number(counts, "rejected"));
		fputs(" rejected · ", p->out);
		page_count(p, json_number(counts, "reads"));
		fputs(" reads</small></div>\n", p->out);
	}
	if (json_number(counts, "listings") > 0) {
		tile_begin(p, "listings", false);
		page_count(p, json_number(counts, "listings"));
		fputs("</b><small>", p->out);
		page_count(p, json_number(counts, "streams_added"));
		fputs(" streams added</small></div>\n", p->out);
	}
}

static void
tile_faults(const struct page *p)
{
	struct stats_totals all = stats_faults(&p->h->stats);

	tile_begin(
	    p, "faults", all.applied < all.planned || all.healed < all.planned);
	page_count(p, (double)all.applied);
	fputs("</b><small>", p->out);
	page_count(p, (double)all.planned);
	fputs(" planned · ", p->out);
	page_count(p, (double)all.healed);
	fputs(" healed</small></div>\n", p->out);
}

static void
tiles_load(const struct page *p)
{
	double seconds = json_number(p->tree, "duration_s");
	double rounds = json_number(p->tree, "rounds");

	tile_begin(p, "rounds", false);
	page_count(p, rounds);
	fprintf(p->out, "</b><small>%.*f per second</small></div>\n",
	    rounds<10 * seconds, seconds> 0 ? rounds / seconds : 0);
	tile_messages(p);
	tile_latency(p, "publish", "publish, median");
	tile_latency(p, "consume", "consume, median");
	tile_latency(p, "operation", "operation, median");
	tile_begin(p, "longest stall", false);
	page_ms(p, json_number(p->tree, "longest_stall_ms"));
	fprintf(p->out, "</b><small>%.0f of 1 s or more</small></div>\n",
	    json_number(p->tree, "stalls_seen"));
}

static void
tile_host(const struct page *p)
{
	const cJSON *h = json_get(p->tree, "host");

	if (h == NULL)
		return;
	tile_begin(p, "tasks a processor", json_number(h, "overloaded_s") > 0);
	fprintf(p->out, "%.1f", json_number(h, "tasks_most"));
	fputs("</b><small>at most", p->out);
	if (json_get(h, "pressure_percent") != NULL)
		fprintf(p->out, " · pressure %.0f %%",
		    json_number(h, "pressure_percent"));
	fputs("</small></div>\n", p->out);
}

static void
write_tiles(const struct page *p)
{
	fputs("<div class=tiles>\n", p->out);
	if (strcmp(json_text(p->tree, "test"), "none") != 0)
		tiles_load(p);
	tile_faults(p);
	tile_host(p);
	tile_begin(p, "anomalies", p->h->result.verdict == VERDICT_FAIL);
	page_count(p, (double)p->h->stats.anomalies);
	fprintf(p->out,
	    "</b><small>%.0f process%s died</small></div>\n</div>\n",
	    (double)p->h->stats.workers_died,
	    p->h->stats.workers_died == 1 ? "" : "es");
}

static void
write_command(const struct page *p)
{
	fputs("<section><h2>Repeat it</h2><div class=copy><pre>", p->out);
	page_put(p, json_text(p->tree, "command"));
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
	page_put(p, json_text(p->tree, "test"));
	fprintf(p->out, " – natsburn</title>\n<style>\n%s</style>\n</head>\n",
	    page_style);
}

void
page_write(const struct history *h, const cJSON *tree, FILE *out)
{
	struct page p = {h, tree, out, NULL};
	struct page_logs *logs = page_logs_read(&p);

	p.logs = logs;
	write_head(&p);
	fputs("<body>\n", out);
	write_header(&p);
	fputs("<main>\n", out);
	write_tiles(&p);
	write_timeline(&p);
	page_anomalies(&p);
	write_command(&p);
	page_checks(&p);
	page_limits(&p);
	page_faults(&p);
	page_servers(&p);
	page_logs(&p);
	page_workers(&p);
	page_settings(&p);
	fputs("</main>\n<footer>natsburn ", out);
	page_put(&p, json_text(tree, "natsburn"));
	fprintf(out,
	    ". A pass says that no check found a broken promise in this run, "
	    "under these faults, on these versions. The same as data: "
	    "report.json, junit.xml; the whole history: journal/."
	    "</footer>\n<script>\n%s</script>\n</body>\n</html>\n",
	    page_script);
	page_logs_free(logs);
}
