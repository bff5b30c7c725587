/* SPDX-License-Identifier: ISC */
/*
 * The tables of the report page; see page_parts.h: checks, faults, servers,
 * processes, settings.
 */
#include <string.h>

#include "orchestrator/report/page_parts.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define WORKERS_MAX 200

void
page_checks(const struct page *p)
{
	const cJSON *c;
	const char *says;

	fputs("<section id=checks><h2>Checks</h2>\n", p->out);
	page_table_head(p,
	    "check|promise|rule|result|#judged|of these|#violations|"
	    "#documented|#warnings");
	cJSON_ArrayForEach (c, json_get(p->tree, "checks")) {
		says = json_text(c, "says");
		fputs("<tr><td><b>", p->out);
		page_put(p, json_text(c, "name"));
		fputs("</b></td>", p->out);
		page_cell_text(p, json_text(c, "summary"));
		page_cell_text(p, json_text(c, "rule"));
		fprintf(p->out, "<td><span class=\"chip %s\">%s</span></td>",
		    says,
		    strcmp(says, "not_exercised") == 0 ? "not exercised"
						       : says);
		page_cell_count(p, json_number(c, "judged"));
		page_cell_text(p, json_text(c, "unit"));
		page_cell_count(p, json_number(c, "violations"));
		page_cell_count(p, json_number(c, "documented"));
		page_cell_count(p, json_number(c, "warnings"));
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
	fputs("</section>\n", p->out);
}

static void
write_fault_row(const struct page *p, const cJSON *f)
{
	fprintf(p->out, "<tr><td class=n>%.0f</td><td class=n>%.3f s</td>",
	    json_number(f, "fault"), json_number(f, "t"));
	page_cell_text(p, json_text(f, "mode"));
	page_cell_text(p, json_text(f, "target"));
	page_cell_text(p, json_text(f, "applied_how"));
	fputs(cJSON_IsTrue(json_get(f, "applied"))
		  ? "<td>yes</td>"
		  : "<td><span class=\"chip warning\">no</span></td>",
	    p->out);
	page_cell_text(p, json_text(f, "healed_how"));
	if (cJSON_IsTrue(json_get(f, "healed")))
		fprintf(p->out, "<td class=n>%.3f s</td>",
		    json_number(f, "heal_s"));
	else
		fputs("<td class=n><span class=\"chip warning\">not healed"
		      "</span></td>",
		    p->out);
	fputs("<td>", p->out);
	page_logs_link(p, "fault", (unsigned)json_number(f, "fault"));
	fputs("</td></tr>\n", p->out);
}

static void
write_fault_rows(const struct page *p)
{
	const cJSON *f, *list = json_get(p->tree, "faults");
	int n = cJSON_GetArraySize(list), shown = 0;

	fprintf(p->out, "<details%s><summary>each fault</summary>\n",
	    n <= 30 ? " open" : "");
	page_table_head(p,
	    "#fault|#at|mode|target|effect seen|verified|health seen|"
	    "#healed after|log");
	cJSON_ArrayForEach (f, list) {
		if (shown++ == PAGE_FAULTS_MAX)
			break;
		write_fault_row(p, f);
	}
	page_table_end(p);
	if (n > PAGE_FAULTS_MAX)
		fprintf(p->out,
		    "<p class=soft>The first %d of %.0f; more stand in "
		    "report.json.</p>\n",
		    PAGE_FAULTS_MAX,
		    n + json_number(p->tree, "faults_omitted"));
	fputs("</details>\n", p->out);
}

static void
write_price(const struct page *p, const cJSON *m)
{
	bool has_faults = json_number(m, "faults") > 0;

	fputs("<tr>", p->out);
	page_cell_text(
	    p, has_faults ? json_text(m, "mode") : "the time without faults");
	if (has_faults)
		fprintf(p->out,
		    "<td class=n>%.3f s</td><td class=n>%.3f s</td>",
		    json_number(m, "outage_s"),
		    json_number(m, "outage_mean_s"));
	else
		fputs("<td></td><td></td>", p->out);
	if (json_number(m, "operations") > 0)
		fprintf(p->out,
		    "<td class=n>%.3f ms</td><td class=n>%.3f ms</td>"
		    "<td class=n>%.3f ms</td>",
		    json_number(m, "p50_ms"), json_number(m, "p99_ms"),
		    json_number(m, "p999_ms"));
	else
		fputs("<td></td><td></td><td></td>", p->out);
	page_cell_count(p, json_number(m, "retries"));
	page_cell_count(p, json_number(m, "redeliveries"));
	if (has_faults)
		fprintf(p->out, "<td class=n>%.3f s</td>",
		    json_number(m, "heal_s"));
	else
		fputs("<td></td>", p->out);
	fputs("</tr>\n", p->out);
}

/* What they cost those who use the cluster. */
static void
write_prices(const struct page *p)
{
	const cJSON *m, *list = json_get(p->tree, "prices");

	if (cJSON_GetArraySize(list) < 2)
		return;
	page_table_head(p, "price of|#longest outage|#mean outage|#p50|#p99|"
			   "#p99.9|#retries|#redeliveries|#longest to heal");
	cJSON_ArrayForEach (m, list)
		write_price(p, m);
	page_table_end(p);
}

/* Which moments were met by which modes: what was tried, and what was not. */
static void
write_moments(const struct page *p)
{
	const cJSON *m, *distance, *mode, *list = json_get(p->tree, "moments");
	char modes[512];

	if (list == NULL)
		return;
	page_table_head(p, "aimed at|#faults that met it|#it did not come|"
			   "#p50 behind it|#p99|faults by mode");
	cJSON_ArrayForEach (m, list) {
		fputs("<tr>", p->out);
		page_cell_text(p, json_text(m, "moment"));
		page_cell_count(p, json_number(m, "came"));
		page_cell_count(p, json_number(m, "missed"));
		distance = json_get(m, "distance_ms");
		fprintf(p->out,
		    "<td class=n>%.3f ms</td><td class=n>%.3f ms</td>",
		    json_number(distance, "p50"), json_number(distance, "p99"));
		modes[0] = '\0';
		cJSON_ArrayForEach (mode, json_get(m, "modes"))
			text_add(modes, sizeof(modes), "%s%s %.0f",
			    modes[0] != '\0' ? ", " : "", mode->string,
			    mode->valuedouble);
		page_cell_text(p, modes);
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
}

void
page_limits(const struct page *p)
{
	const cJSON *l, *list = json_get(p->tree, "limits");
	bool is_kept;

	if (list == NULL)
		return;
	fputs("<section id=limits><h2>Limits</h2>\n", p->out);
	page_table_head(p, "limit|measured|");
	cJSON_ArrayForEach (l, list) {
		is_kept = strcmp(json_text(l, "says"), "kept") == 0;
		fputs("<tr>", p->out);
		page_cell_text(p, json_text(l, "limit"));
		page_cell_text(p, json_text(l, "measured"));
		fprintf(p->out, "<td><span class=\"chip %s\">%s</span></td>",
		    is_kept ? "holds" : "warning", json_text(l, "says"));
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
	fputs("</section>\n", p->out);
}

void
page_faults(const struct page *p)
{
	const struct stats *s = &p->h->stats;
	const struct stats_mode *m;
	unsigned i;

	fputs("<section id=faults><h2>Faults</h2>\n", p->out);
	if (s->nmodes == 0) {
		fputs("<p class=soft>None.</p></section>\n", p->out);
		return;
	}
	page_table_head(p, "mode|#planned|#effect verified|#no effect|#healed|"
			   "#not healed");
	for (i = 0; i < s->nmodes; i++) {
		m = &s->modes[i];
		fputs("<tr>", p->out);
		page_cell_text(p, m->name);
		page_cell_count(p, (double)m->planned);
		page_cell_count(p, (double)m->applied);
		page_cell_count(p, (double)m->failed);
		page_cell_count(p, (double)m->healed);
		page_cell_count(p, (double)m->unhealed);
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
	write_moments(p);
	write_prices(p);
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
		page_cell_text(p, json_text(server, "version"));
		return;
	}
	fputs("<td>", p->out);
	cJSON_ArrayForEach (v, list) {
		fputs(between, p->out);
		page_put(p, json_text(v, "version"));
		if (between[0] != '\0')
			fprintf(p->out, " from %.1f s", json_number(v, "t"));
		between = "<br>";
	}
	fputs("</td>", p->out);
}

/* What a server held: before the load, at most, after it, and the judgement. */
static void
write_level(const struct page *p, const char *server, const cJSON *level)
{
	static const char *const columns[] = {"before", "highest", "after"};
	const char *says = json_text(level, "says");
	unsigned i;

	if (strcmp(says, "not told") == 0)
		return;
	fputs("<tr><td><b>", p->out);
	page_put(p, server);
	fputs("</b></td>", p->out);
	page_cell_text(p, level->string);
	for (i = 0; i < 3; i++)
		page_cell_count(p, json_number(level, columns[i]));
	if (strcmp(says, "grown") == 0)
		fputs("<td><span class=\"chip warning\">grown</span></td>",
		    p->out);
	else
		page_cell_text(p, says);
	fputs("</tr>\n", p->out);
}

static void
write_levels(const struct page *p)
{
	const cJSON *server, *level, *servers = json_get(p->tree, "servers");

	if (json_get(servers->child, "levels") == NULL)
		return;
	fputs("<details><summary>what they held</summary>\n", p->out);
	page_table_head(
	    p, "server|of|#before the load|#at most|#after it|result");
	cJSON_ArrayForEach (server, servers)
		cJSON_ArrayForEach (level, json_get(server, "levels"))
			write_level(p, json_text(server, "name"), level);
	page_table_end(p);
	fputs("</details>\n", p->out);
}

/* "n1 12, n3 2" */
static void
write_sources(const struct page *p, const cJSON *kind)
{
	const cJSON *server, *servers = json_get(kind, "servers");
	const char *comma = "";

	fputs("<td>", p->out);
	cJSON_ArrayForEach (server, servers) {
		fputs(comma, p->out);
		page_put(p, json_text(server, "name"));
		fprintf(p->out, " %.0f", json_number(server, "count"));
		comma = ", ";
	}
	fputs("</td>", p->out);
}

static void
write_log(const struct page *p)
{
	const cJSON *kind, *list = json_get(p->tree, "server_log");

	if (cJSON_GetArraySize(list) == 0)
		return;
	fputs("<details><summary>warnings and errors in their logs</summary>\n",
	    p->out);
	page_table_head(p, "level|says|#times|#first|#last|servers");
	cJSON_ArrayForEach (kind, list) {
		fputs("<tr>", p->out);
		page_cell_text(p, json_text(kind, "level"));
		page_cell_text(p, json_text(kind, "says"));
		page_cell_count(p, json_number(kind, "count"));
		fprintf(p->out,
		    "<td class=n>%.1f s</td><td class=n>%.1f s</td>",
		    json_number(kind, "first_t"), json_number(kind, "last_t"));
		write_sources(p, kind);
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
	if (json_number(p->tree, "server_log_omitted") > 0)
		fprintf(p->out,
		    "<p class=soft>%.0f further kinds are left out.</p>\n",
		    json_number(p->tree, "server_log_omitted"));
	fputs("</details>\n", p->out);
}

/* Some more words behind others. */
static void
page_words(const struct page *p, const char *words)
{
	if (words[0] != '\0')
		fputc(' ', p->out);
	page_put(p, words);
}

void
page_servers(const struct page *p)
{
	const cJSON *v, *led;

	fputs("<section id=servers><h2>Servers<small>", p->out);
	page_put(p, json_text(p->tree, "cluster"));
	page_words(p, json_text(p->tree, "topology"));
	fputs("</small></h2>\n", p->out);
	if (cJSON_GetArraySize(json_get(p->tree, "servers")) == 0) {
		fputs("<p class=soft>None.</p></section>\n", p->out);
		return;
	}
	page_table_head(p, "server|version|#faults|#of them ended it|"
			   "#time under faults|#came to lead: cluster|#streams|"
			   "#consumers");
	cJSON_ArrayForEach (v, json_get(p->tree, "servers")) {
		led = json_get(v, "led");
		fputs("<tr><td><b>", p->out);
		page_put(p, json_text(v, "name"));
		fputs("</b>", p->out);
		page_words(p, json_text(v, "cluster"));
		fputs("</td>", p->out);
		write_versions(p, v);
		page_cell_count(p, json_number(v, "faults"));
		page_cell_count(p, json_number(v, "ended"));
		fputs("<td class=n>", p->out);
		page_span(p, json_number(v, "faulty_s"));
		fputs("</td>", p->out);
		page_cell_count(p, json_number(led, "meta"));
		page_cell_count(p, json_number(led, "streams"));
		page_cell_count(p, json_number(led, "consumers"));
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
	write_levels(p);
	write_log(p);
	fputs("</section>\n", p->out);
}

/* Also of operations that have no tile. */
static void
write_messages(const struct page *p)
{
	const cJSON *m,
	    *list = json_get(json_get(p->tree, "counts"), "messages");

	if (cJSON_GetArraySize(list) == 0)
		return;
	fputs("<details><summary>operations, by message</summary>\n", p->out);
	page_table_head(p, "message|#events");
	cJSON_ArrayForEach (m, list) {
		fputs("<tr>", p->out);
		page_cell_text(p, m->string);
		page_cell_count(p, m->valuedouble);
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
	fputs("</details>\n", p->out);
}

void
page_workers(const struct page *p)
{
	const cJSON *w, *list = json_get(p->tree, "workers");
	int n = cJSON_GetArraySize(list), shown = 0;

	fprintf(p->out,
	    "<section id=workers><h2>Processes<small>%.0f events, %.0f gaps in "
	    "the history</small></h2>\n",
	    json_number(json_get(p->tree, "harness"), "events"),
	    json_number(json_get(p->tree, "harness"), "gaps"));
	page_table_head(p,
	    "#source|role|#processes|#died|#events|#operations ok|"
	    "#unknown|#delivered|#again");
	cJSON_ArrayForEach (w, list) {
		if (shown++ == WORKERS_MAX)
			break;
		fputs("<tr>", p->out);
		page_cell_count(p, json_number(w, "source"));
		page_cell_text(p, json_text(w, "role"));
		page_cell_count(p, json_number(w, "processes"));
		page_cell_count(p, json_number(w, "died"));
		page_cell_count(p, json_number(w, "events"));
		page_cell_count(p, json_number(w, "ok"));
		page_cell_count(p, json_number(w, "unknown"));
		page_cell_count(p, json_number(w, "deliver"));
		page_cell_count(p, json_number(w, "redeliver"));
		fputs("</tr>\n", p->out);
	}
	page_table_end(p);
	if (n > WORKERS_MAX)
		fprintf(p->out,
		    "<p class=soft>The first %d of %.0f; more stand in "
		    "report.json.</p>\n",
		    WORKERS_MAX, n + json_number(p->tree, "workers_omitted"));
	write_messages(p);
	fputs("</section>\n", p->out);
}

static void
setting(const struct page *p, const char *name, const char *value, bool is_set)
{
	fputs("<div><dt>", p->out);
	page_put(p, name);
	fprintf(p->out, "</dt><dd%s>", is_set ? " class=set" : "");
	page_put(p, value[0] != '\0' ? value : "–");
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

void
page_settings(const struct page *p)
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
