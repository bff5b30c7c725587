/* SPDX-License-Identifier: ISC */
/* A report as Markdown; see markdown.h. */
#include <string.h>

#include "orchestrator/many/forms.h"
#include "orchestrator/report/markdown.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define ROWS_MAX 200 /* CI servers refuse long summaries */

/* As content, also of a cell: what means something is written as a number. */
static void
put(FILE *out, const char *text)
{
	char shown[2048];
	const char *p;

	text_printable(shown, sizeof(shown), text);
	for (p = shown; *p != '\0'; p++)
		if (strchr("\\`*_{}[]<>#|~&!@", *p) != NULL)
			fprintf(out, "&#%d;", *p);
		else
			fputc(*p, out);
}

static void
put_field(FILE *out, const cJSON *tree, const char *name)
{
	put(out, json_text(tree, name));
}

/* These fields as cells: "| a | b ". */
static void
put_cells(FILE *out, const cJSON *row, const char *const *names)
{
	for (; *names != NULL; names++) {
		fputs("| ", out);
		put_field(out, row, *names);
		fputc(' ', out);
	}
}

/* "## natsburn: PASS", and the exit code. */
static void
put_title(FILE *out, const cJSON *tree, const char *what)
{
	int code = (int)json_number(tree, "exit_code");

	fprintf(out, "## natsburn %s: %s (exit code %d)\n\n", what,
	    forms_word(code), code);
}

static void
put_command(FILE *out, const cJSON *tree)
{
	fputs("\nAgain: ", out);
	put_field(out, tree, "command");
	fputs("\n\n", out);
}

/* One run */

static void
put_facts(FILE *out, const cJSON *tree)
{
	const cJSON *v;
	const char *between = "";

	put_field(out, tree, "test");
	fputs(", mayhem ", out);
	cJSON_ArrayForEach (v, json_get(tree, "mayhem")) {
		fputs(between, out);
		put(out, v->valuestring != NULL ? v->valuestring : "");
		between = ", ";
	}
	fprintf(out, ": %.0f rounds in %.0f s, seed %.0f\n\n",
	    json_number(tree, "rounds"), json_number(tree, "duration_s"),
	    json_number(tree, "seed"));
	cJSON_ArrayForEach (v, json_get(tree, "servers")) {
		fputs("- ", out);
		put_field(out, v, "name");
		fputc(' ', out);
		put_field(out, v, "version");
		fputc('\n', out);
	}
	cJSON_ArrayForEach (v, json_get(tree, "reasons")) {
		fputs("- **", out);
		put(out, v->valuestring != NULL ? v->valuestring : "");
		fputs("**\n", out);
	}
}

static void
put_anomalies(FILE *out, const cJSON *tree)
{
	static const char *const names[] = {
	    "kind", "class", "rule", "says", NULL};
	const cJSON *a, *list = json_get(tree, "anomalies");
	int n = 0;

	if (cJSON_GetArraySize(list) == 0)
		return;
	fputs("\n| Found | | Rule | What was seen |\n|---|---|---|---|\n", out);
	cJSON_ArrayForEach (a, list) {
		if (n++ == ROWS_MAX)
			break;
		put_cells(out, a, names);
		fputs("|\n", out);
	}
}

static void
put_latencies(FILE *out, const cJSON *tree)
{
	const cJSON *l;

	fputs("\n| Latency, ms | p50 | p99 | p99.9 | max |\n"
	      "|---|--:|--:|--:|--:|\n",
	    out);
	cJSON_ArrayForEach (l, json_get(tree, "latency_ms"))
		if (json_number(l, "max") > 0)
			fprintf(out, "| %s | %.1f | %.1f | %.1f | %.1f |\n",
			    l->string, json_number(l, "p50"),
			    json_number(l, "p99"), json_number(l, "p999"),
			    json_number(l, "max"));
}

static void
put_prices(FILE *out, const cJSON *tree)
{
	const cJSON *m, *list = json_get(tree, "prices");

	if (cJSON_GetArraySize(list) < 2)
		return;
	fputs("\n| Price of | faults | outage, s | p99, ms | retries | "
	      "redelivered | to heal, s |\n|---|--:|--:|--:|--:|--:|--:|\n",
	    out);
	cJSON_ArrayForEach (m, list) {
		fputs("| ", out);
		put(out, json_number(m, "faults") > 0 ? json_text(m, "mode")
						      : "no fault");
		fprintf(out, " | %.0f | %.2f | %.1f | %.0f | %.0f | %.1f |\n",
		    json_number(m, "faults"), json_number(m, "outage_s"),
		    json_number(m, "p99_ms"), json_number(m, "retries"),
		    json_number(m, "redeliveries"), json_number(m, "heal_s"));
	}
}

void
markdown_run(const cJSON *tree, FILE *out)
{
	put_title(out, tree, "run");
	put_facts(out, tree);
	put_anomalies(out, tree);
	put_latencies(out, tree);
	put_prices(out, tree);
	put_command(out, tree);
}

/* Many */

void
markdown_matrix(const cJSON *tree, FILE *out)
{
	static const char *const names[] = {
	    "test", "mayhem", "version", "result", NULL};
	const cJSON *c;
	int n = 0;

	put_title(out, tree, "matrix");
	fputs("| Test | Mayhem | Servers | Result | Rounds | Faults | |\n"
	      "|---|---|---|---|--:|--:|---|\n",
	    out);
	cJSON_ArrayForEach (c, json_get(tree, "cells")) {
		if (n++ == ROWS_MAX)
			break;
		put_cells(out, c, names);
		fprintf(out, "| %.0f | %.0f | ", json_number(c, "rounds"),
		    json_number(c, "faults"));
		put_field(out, c, "reason");
		fputs(" |\n", out);
	}
	put_command(out, tree);
}

void
markdown_hunt(const cJSON *tree, FILE *out)
{
	static const char *const names[] = {
	    "signature", "test", "folder", "known", "says", NULL};
	const cJSON *f, *list = json_get(tree, "failures");

	put_title(out, tree, "hunt");
	fprintf(out, "%d runs in %.0f s, %d distinct failures\n",
	    cJSON_GetArraySize(json_get(tree, "runs")),
	    json_number(tree, "elapsed_s"), cJSON_GetArraySize(list));
	if (cJSON_GetArraySize(list) > 0)
		fputs("\n| Failure | Test | Run | Known | What was seen |\n"
		      "|---|---|---|---|---|\n",
		    out);
	cJSON_ArrayForEach (f, list) {
		put_cells(out, f, names);
		fputs("|\n", out);
	}
	put_command(out, tree);
}
