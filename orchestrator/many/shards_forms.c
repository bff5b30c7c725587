/* SPDX-License-Identifier: ISC */
/* A merged report as a page and in words, made from its tree. */
#include <string.h>

#include "orchestrator/many/forms.h"
#include "orchestrator/many/shards.h"
#include "orchestrator/report/markup.h"
#include "orchestrator/report/term.h"
#include "proto/json.h"

static int
size_of(const cJSON *tree, const char *list)
{
	return cJSON_GetArraySize(json_get(tree, list));
}

static void
cell(const char *text, FILE *out)
{
	fputs("<td>", out);
	markup_text(out, text);
	fputs("</td>", out);
}

static void
page_shard(const cJSON *row, FILE *out)
{
	fputs("<tr><td class=w>", out);
	forms_page_chip(row, cJSON_GetStringValue(json_get(row, "link")), out);
	fputs("</td>", out);
	cell(json_text(row, "folder"), out);
	fprintf(out,
	    "<td class=n>%.0f</td><td class=n>%.1f s</td><td class=n>%.0f</td>"
	    "<td class=n>%.0f</td>",
	    json_number(row, "rounds"), json_number(row, "duration_s"),
	    json_number(row, "faults"), json_number(row, "seed"));
	cell(json_text(row, "reason"), out);
	fputs("</tr>\n", out);
}

static void
page_shards(const cJSON *tree, FILE *out)
{
	const cJSON *row;

	fputs("<section><h2>Shards<small>each mark leads to its report"
	      "</small></h2>\n<div class=scroll "
	      "tabindex=0><table><thead><tr><th></th>"
	      "<th>folder</th><th class=n>rounds</th><th class=n>load</th>"
	      "<th class=n>faults</th><th class=n>seed</th><th>because</th>"
	      "</tr></thead><tbody>\n",
	    out);
	cJSON_ArrayForEach (row, json_get(tree, "shards"))
		page_shard(row, out);
	fputs("</tbody></table></div></section>\n", out);
}

static void
page_anomalies(const cJSON *tree, FILE *out)
{
	const cJSON *row;

	if (size_of(tree, "anomalies") == 0)
		return;
	fputs("<section><h2>Anomalies<small>their events are in the shard's "
	      "report</small></h2>\n<div class=scroll "
	      "tabindex=0><table><thead><tr>"
	      "<th>kind</th><th>class</th><th class=n>in all</th>"
	      "<th>shard</th><th class=n>at</th><th>says</th></tr></thead>"
	      "<tbody>\n",
	    out);
	cJSON_ArrayForEach (row, json_get(tree, "anomalies")) {
		fputs("<tr>", out);
		cell(json_text(row, "kind"), out);
		cell(json_text(row, "class"), out);
		fprintf(
		    out, "<td class=n>%.0f</td>", json_number(row, "count"));
		cell(json_text(row, "shard"), out);
		fprintf(out, "<td class=n>%.1f s</td>", json_number(row, "t"));
		cell(json_text(row, "says"), out);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div></section>\n", out);
}

static void
page_checks(const cJSON *tree, FILE *out)
{
	const cJSON *row;

	fputs("<section><h2>Checks<small>holds: in every shard</small></h2>\n"
	      "<div class=scroll "
	      "tabindex=0><table><thead><tr><th>check</th><th>says</th>"
	      "<th class=n>judged</th><th>of these</th>"
	      "<th class=n>violations</th><th class=n>documented</th>"
	      "<th class=n>warnings</th><th>rule</th></tr></thead><tbody>\n",
	    out);
	cJSON_ArrayForEach (row, json_get(tree, "checks")) {
		fputs("<tr>", out);
		cell(json_text(row, "name"), out);
		cell(strcmp(json_text(row, "says"), "not_exercised") == 0
			 ? "not exercised"
			 : json_text(row, "says"),
		    out);
		fprintf(
		    out, "<td class=n>%.0f</td>", json_number(row, "judged"));
		cell(json_text(row, "unit"), out);
		fprintf(out,
		    "<td class=n>%.0f</td><td class=n>%.0f</td>"
		    "<td class=n>%.0f</td>",
		    json_number(row, "violations"),
		    json_number(row, "documented"),
		    json_number(row, "warnings"));
		cell(json_text(row, "rule"), out);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div></section>\n", out);
}

void
shards_page(const cJSON *tree, FILE *out)
{
	const cJSON *shards = json_get(tree, "shards");
	const cJSON *counts = json_get(tree, "counts");

	forms_page_begin(tree, shards, "shards", out);
	markup_text(out, json_text(tree, "test"));
	fprintf(out,
	    " in <b>%d</b> shards · <b>%.0f</b> rounds · <b>%.0f</b> "
	    "publishes, <b>%.0f</b> deliveries · <b>%d</b> faults · longest "
	    "stall <b>%.1f s</b> · exit code <b>%.0f</b> · ",
	    size_of(tree, "shards"), json_number(tree, "rounds"),
	    json_number(json_get(counts, "publish"), "ok"),
	    json_number(counts, "deliver"), size_of(tree, "faults"),
	    json_number(tree, "longest_stall_ms") / 1e3,
	    json_number(tree, "exit_code"));
	markup_text(out, json_text(tree, "started"));
	forms_page_main(out);
	forms_page_tiles(shards, "shards", out);
	page_shards(tree, out);
	page_anomalies(tree, out);
	page_checks(tree, out);
	fputs("<section><h2>Command</h2>\n<pre>", out);
	markup_text(out, json_text(tree, "command"));
	fputs("</pre></section>\n", out);
	forms_page_end(tree, "report.json", out);
}

void
shards_say(const cJSON *tree, const char *dir, FILE *out)
{
	const cJSON *row;
	const char *word;
	struct term t;

	term_look(&t, out);
	cJSON_ArrayForEach (row, json_get(tree, "shards")) {
		word = json_text(row, "result");
		fprintf(out, "%s%-12s%s  %s  %.0f rounds %.0f s",
		    term_style(&t, forms_style(word)), word, term_plain(&t),
		    json_text(row, "folder"), json_number(row, "rounds"),
		    json_number(row, "duration_s"));
		if (json_text(row, "reason")[0] != '\0')
			fprintf(out, "  %s", json_text(row, "reason"));
		fputc('\n', out);
	}
	word = forms_worst(json_get(tree, "shards"));
	fprintf(out,
	    "%s%s%s: %d shards of %s, %.0f rounds, %d faults (exit code "
	    "%.0f)\n  report  %s/report.html\n",
	    term_style(&t, forms_style(word)), word, term_plain(&t),
	    size_of(tree, "shards"), json_text(tree, "test"),
	    json_number(tree, "rounds"), size_of(tree, "faults"),
	    json_number(tree, "exit_code"), dir);
}
