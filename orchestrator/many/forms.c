/* SPDX-License-Identifier: ISC */
/* What is made of many runs' reports; see forms.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/report/markup.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"
#include "proto/json.h"

extern const char page_style[];

/* Reports */

cJSON *
forms_load(const char *path)
{
	cJSON *report = json_load(path, REPORT_FILES_MAX);

	if (json_make_printable(report) &&
	    cJSON_IsNumber(json_get(report, "exit_code")) &&
	    json_text(report, "verdict")[0] != '\0')
		return report;
	cJSON_Delete(report);
	return NULL;
}

cJSON *
forms_outcome(const cJSON *report)
{
	static const char *const fields[] = {"verdict", "reasons", "seed",
	    "started", "duration_s", "total_s", "rounds", "command"};
	cJSON *o = cJSON_CreateObject(), *list, *item;
	const cJSON *f, *a;
	int applied = 0;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		json_put_copy(o, report, fields[i]);
	cJSON_ArrayForEach (f, json_get(report, "faults"))
		applied += cJSON_IsTrue(json_get(f, "applied"));
	json_put_number(o, "faults", applied);
	list = json_put_array(o, "anomalies");
	cJSON_ArrayForEach (a, json_get(report, "anomalies")) {
		/* count is of the kind and class: one row of each is enough */
		item = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
		if (item != NULL &&
		    strcmp(json_text(item, "kind"), json_text(a, "kind")) ==
			0 &&
		    strcmp(json_text(item, "class"), json_text(a, "class")) ==
			0)
			continue;
		item = cJSON_CreateObject();
		json_put_copy(item, a, "kind");
		json_put_copy(item, a, "class");
		json_put_copy(item, a, "count");
		json_append(list, item);
	}
	return o;
}

/* Results */

/* The first word of a code is what a run with it is called. */
const struct forms_result forms_results[] = {
    {"FAIL", EXIT_VIOLATION},
    {"harness", EXIT_HARNESS},
    {"died", EXIT_HARNESS},
    {"cluster", EXIT_CLUSTER},
    {"skipped", EXIT_SKIPPED},
    {"inconclusive", EXIT_INCONCLUSIVE},
    {"not run", EXIT_INCONCLUSIVE},
    {"limit", EXIT_LIMIT},
    {"pass", EXIT_PASS},
    {NULL, 0},
};

const char *
forms_word(int exit_code)
{
	const struct forms_result *r;

	for (r = forms_results; r->word != NULL; r++)
		if (r->code == exit_code)
			return r->word;
	return "harness";
}

int
forms_word_code(const char *word)
{
	const struct forms_result *r;

	for (r = forms_results; r->word != NULL; r++)
		if (strcmp(r->word, word) == 0)
			return r->code;
	return EXIT_HARNESS;
}

int
forms_worse(int a, int b)
{
	const struct forms_result *r;

	for (r = forms_results; r->word != NULL; r++)
		if (r->code == a || r->code == b)
			return r->code;
	return EXIT_HARNESS;
}

static int
count_rows(const cJSON *rows, const char *word)
{
	const cJSON *row;
	int n = 0;

	cJSON_ArrayForEach (row, rows)
		n += strcmp(json_text(row, "result"), word) == 0;
	return n;
}

const char *
forms_worst(const cJSON *rows)
{
	const struct forms_result *r;

	for (r = forms_results; r->word != NULL; r++)
		if (count_rows(rows, r->word) > 0)
			return r->word;
	return "pass";
}

/* Files */

int
forms_save(const cJSON *tree, const char *dir, const char *name,
    void (*form)(const cJSON *, FILE *))
{
	struct stream out;
	size_t len;
	char *text;
	int err;

	if (stream_open(&out) == NULL)
		return -ENOMEM;
	form(tree, out.file);
	err = stream_close(&out, &text, &len);
	if (err == 0 && !json_is_whole())
		err = -ENOMEM;
	if (err == 0)
		err = report_files_save(text, len, dir, name);
	free(text);
	return err;
}

void
forms_attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	markup_text(out, value);
	fputc('"', out);
}

enum term_style
forms_style(const char *word)
{
	return strcmp(word, "pass") == 0      ? TERM_GREEN
	       : strcmp(word, "FAIL") == 0    ? TERM_RED
	       : strcmp(word, "skipped") == 0 ? TERM_PLAIN
					      : TERM_YELLOW;
}

/* Pages */

const char *
forms_tone(const char *word)
{
	static const char *const tones[][2] = {{"pass", "pass"},
	    {"FAIL", "fail"}, {"skipped", "skipped"}, {"not run", "skipped"}};
	size_t i;

	for (i = 0; i < sizeof(tones) / sizeof(tones[0]); i++)
		if (strcmp(tones[i][0], word) == 0)
			return tones[i][1];
	return "inconclusive";
}

void
forms_page_head(const cJSON *tree, const char *title, FILE *out)
{
	fprintf(out,
	    "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
	    "<meta name=viewport content=\"width=device-width, "
	    "initial-scale=1\">\n"
	    "<meta http-equiv=Content-Security-Policy content=\"default-src "
	    "'none'; style-src 'unsafe-inline'\">\n"
	    "<meta name=generator content=\"natsburn %s\">\n"
	    "<title>%s – natsburn</title>\n<style>\n%s</style>\n"
	    "</head>\n<body>\n",
	    json_text(tree, "natsburn"), title, page_style);
}

void
forms_page_begin(
    const cJSON *tree, const cJSON *rows, const char *name, FILE *out)
{
	const char *word = forms_worst(rows);
	char title[128];

	text_format(title, sizeof(title), "%s: %.64s", word, name);
	forms_page_head(tree, title, out);
	fprintf(out,
	    "<header class=%s><div>\n<h1 class=verdict><span class=badge>%s"
	    "</span>%s</h1>\n<p class=what>",
	    forms_tone(word), word,
	    strcmp(word, "pass") == 0	? "Every check holds in every run"
	    : strcmp(word, "FAIL") == 0 ? "JetStream broke a promise"
					: "Not every run passed");
}

void
forms_page_main(FILE *out)
{
	fputs("</p></div></header>\n<main>\n", out);
}

void
forms_page_end(const cJSON *tree, const char *json, FILE *out)
{
	fprintf(out,
	    "</main>\n<footer>natsburn %s. The same as data: %s, junit.xml."
	    "</footer>\n</body>\n</html>\n",
	    json_text(tree, "natsburn"), json);
}

void
forms_page_tiles(const cJSON *rows, const char *label, FILE *out)
{
	const struct forms_result *r;
	int n;

	fprintf(out,
	    "<div class=tiles>\n<div class=tile><span>%s</span><b>%d</b>"
	    "</div>\n",
	    label, cJSON_GetArraySize(rows));
	for (r = forms_results; r->word != NULL; r++) {
		n = count_rows(rows, r->word);
		if (n > 0)
			fprintf(out,
			    "<div class=\"tile%s\"><span>%s</span><b>%d</b>"
			    "</div>\n",
			    strcmp(r->word, "FAIL") == 0 ? " bad" : "", r->word,
			    n);
	}
	fputs("</div>\n", out);
}

/* What a path may have that a link may not have. */
static void
put_link(const char *path, FILE *out)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "-._~/+,";

	for (; *path != '\0'; path++)
		if (strchr(safe, *path) != NULL)
			fputc(*path, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*path);
}

void
forms_page_chip(const cJSON *row, const char *link, FILE *out)
{
	const char *word = json_text(row, "result");

	if (link != NULL) {
		fputs("<a href=\"", out);
		put_link(link, out);
		fputs("/report.html\">", out);
	}
	fprintf(out, "<span class=\"chip %s\"", forms_tone(word));
	forms_attribute(out, "title", json_text(row, "reason"));
	fprintf(out, ">%s</span>%s ", word, link != NULL ? "</a>" : "");
}
