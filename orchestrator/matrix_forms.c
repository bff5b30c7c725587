/* SPDX-License-Identifier: ISC */
/*
 * A matrix as matrix.json, junit.xml and index.html. The two last are made
 * from the tree of the first, so they can't disagree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/markup.h"
#include "orchestrator/matrix.h"
#include "orchestrator/report.h"
#include "proto/base/text.h"

extern const char page_style[];

static const cJSON *
get(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static const char *
text_of(const cJSON *o, const char *name)
{
	const char *text = cJSON_GetStringValue(get(o, name));

	return text != NULL ? text : "";
}

static double
number_of(const cJSON *o, const char *name)
{
	const cJSON *item = get(o, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* matrix.json */

static void
add_list(cJSON *o, const char *name, const char *list)
{
	cJSON *items = cJSON_AddArrayToObject(o, name);
	char item[CONFIG_LIST_MAX];

	while (text_next_item(&list, item, sizeof(item)))
		(void)cJSON_AddItemToArray(items, cJSON_CreateString(item));
}

static void
add_labels(cJSON *o, const char *name, const struct matrix_axis *axis)
{
	cJSON *items = cJSON_AddArrayToObject(o, name);
	unsigned i;

	for (i = 0; i < axis->n; i++)
		(void)cJSON_AddItemToArray(
		    items, cJSON_CreateString(axis->items[i].label));
}

static cJSON *
cell_tree(const struct matrix *m, const struct matrix_cell *cell)
{
	static const char *const states[CELL_STATES] = {
	    "waiting", "finished", "died", "interrupted"};
	cJSON *o = cJSON_CreateObject();
	const cJSON *item;

	(void)cJSON_AddStringToObject(o, "folder", cell->name);
	(void)cJSON_AddStringToObject(
	    o, "test", m->tests.items[cell->test].label);
	(void)cJSON_AddStringToObject(
	    o, "mayhem", m->mayhems.items[cell->mayhem].label);
	(void)cJSON_AddStringToObject(
	    o, "version", m->versions.items[cell->version].label);
	add_list(o, "server_bin", m->versions.items[cell->version].value);
	(void)cJSON_AddNumberToObject(o, "repeat", cell->round);
	(void)cJSON_AddStringToObject(o, "state", states[cell->state]);
	(void)cJSON_AddStringToObject(o, "result", matrix_word(cell));
	(void)cJSON_AddStringToObject(o, "reason", matrix_reason(cell));
	(void)cJSON_AddBoolToObject(o, "kept", cell->was_kept);
	if (cell->state == CELL_FINISHED || cell->state == CELL_DIED)
		(void)cJSON_AddNumberToObject(o, "exit_code", cell->exit_code);
	cJSON_ArrayForEach(item, cell->outcome)
	{
		(void)cJSON_AddItemToObject(
		    o, item->string, cJSON_Duplicate(item, true));
	}
	return o;
}

cJSON *
matrix_tree(const struct matrix *m)
{
	cJSON *o = cJSON_CreateObject(), *list;
	char command[REPORT_COMMAND_MAX];
	unsigned i;
	size_t w;

	if (o == NULL)
		return NULL;
	(void)cJSON_AddNumberToObject(o, "schema", 1);
	(void)cJSON_AddStringToObject(o, "natsburn", NATSBURN_VERSION);
	(void)cJSON_AddStringToObject(o, "started", m->started);
	matrix_command(m, command);
	(void)cJSON_AddStringToObject(o, "command", command);
	(void)cJSON_AddNumberToObject(o, "exit_code", matrix_exit_code(m));
	(void)cJSON_AddBoolToObject(
	    o, "complete", matrix_count(m, "not run") == 0);
	add_labels(o, "tests", &m->tests);
	add_labels(o, "mayhem", &m->mayhems);
	add_labels(o, "versions", &m->versions);
	(void)cJSON_AddNumberToObject(o, "repeat", (double)m->own.repeat);
	list = cJSON_AddObjectToObject(o, "counts");
	for (w = 0; matrix_words[w] != NULL; w++)
		(void)cJSON_AddNumberToObject(
		    list, matrix_words[w], matrix_count(m, matrix_words[w]));
	list = cJSON_AddArrayToObject(o, "cells");
	for (i = 0; i < m->ncells; i++)
		(void)cJSON_AddItemToArray(list, cell_tree(m, &m->cells[i]));
	return o;
}

static void
form_json(const struct matrix *m, const cJSON *tree, FILE *out)
{
	char *text = cJSON_Print(tree);

	(void)m;
	if (text != NULL)
		fprintf(out, "%s\n", text);
	free(text);
}

static int
save(const struct matrix *m, const cJSON *tree, const char *name,
    void (*form)(const struct matrix *, const cJSON *, FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err = -ENOMEM;

	if (out == NULL)
		return err;
	form(m, tree, out);
	if (fclose(out) == 0 && len > 0)
		err = report_save(text, len, m->dir, name);
	free(text);
	return err;
}

int
matrix_write(const struct matrix *m)
{
	cJSON *tree = matrix_tree(m);
	int err, first;

	if (tree == NULL)
		return -ENOMEM;
	first = save(m, tree, MATRIX_JSON, form_json);
	err = save(m, tree, "junit.xml", matrix_junit);
	first = first < 0 ? first : err;
	err = save(m, tree, "index.html", matrix_page);
	first = first < 0 ? first : err;
	cJSON_Delete(tree);
	return first;
}

/* junit.xml: one suite a version, one case a cell */

static void
attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	markup_text(out, value);
	fputc('"', out);
}

static bool
is_result(const cJSON *cell, const char *word)
{
	return strcmp(text_of(cell, "result"), word) == 0;
}

/* What a reader of JUnit takes the result for; NULL for a pass. */
static const char *
junit_outcome(const cJSON *cell)
{
	if (is_result(cell, "pass"))
		return NULL;
	if (is_result(cell, "FAIL"))
		return "failure";
	return is_result(cell, "skipped") ? "skipped" : "error";
}

struct tally {
	unsigned tests, failures, errors, skipped;
	double seconds;
};

/* Of one version, or of all (NULL). */
static struct tally
tally_cells(const cJSON *tree, const char *version)
{
	struct tally t = {0};
	const char *outcome;
	const cJSON *cell;

	cJSON_ArrayForEach(cell, get(tree, "cells"))
	{
		if (version != NULL &&
		    strcmp(text_of(cell, "version"), version) != 0)
			continue;
		outcome = junit_outcome(cell);
		t.tests++;
		t.seconds += number_of(cell, "total_s");
		if (outcome == NULL)
			continue;
		t.failures += outcome[0] == 'f';
		t.errors += outcome[0] == 'e';
		t.skipped += outcome[0] == 's';
	}
	return t;
}

static void
junit_cell(const cJSON *cell, FILE *out)
{
	const char *outcome = junit_outcome(cell);
	const cJSON *reason;
	char name[MATRIX_NAME_MAX] = "";

	(void)text_add(name, sizeof(name), "%s #%.0f", text_of(cell, "mayhem"),
	    number_of(cell, "repeat"));
	fputs("    <testcase", out);
	attribute(out, "name", name);
	fputs(" classname=\"natsburn.", out);
	markup_text(out, text_of(cell, "test"));
	fprintf(out, "\" time=\"%.3f\">\n", number_of(cell, "total_s"));
	if (outcome != NULL) {
		fprintf(out, "      <%s", outcome);
		attribute(out, "message", text_of(cell, "reason"));
		if (outcome[0] != 's')
			attribute(out, "type", text_of(cell, "result"));
		fputc('>', out);
		if (outcome[0] != 's') {
			cJSON_ArrayForEach(reason, get(cell, "reasons"))
			{
				markup_text(out, cJSON_GetStringValue(reason));
				fputc('\n', out);
			}
			markup_text(out, text_of(cell, "command"));
			fputs("\nfolder ", out);
			markup_text(out, text_of(cell, "folder"));
		}
		fprintf(out, "</%s>\n", outcome);
	}
	fputs("    </testcase>\n", out);
}

static void
junit_suite(const cJSON *tree, const char *version, FILE *out)
{
	struct tally t = tally_cells(tree, version);
	const cJSON *cell;

	fputs("  <testsuite", out);
	attribute(out, "name", version);
	fprintf(out,
	    " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" "
	    "time=\"%.3f\" timestamp=\"%.19s\">\n",
	    t.tests, t.failures, t.errors, t.skipped, t.seconds,
	    text_of(tree, "started"));
	cJSON_ArrayForEach(cell, get(tree, "cells"))
	{
		if (strcmp(text_of(cell, "version"), version) == 0)
			junit_cell(cell, out);
	}
	fputs("  </testsuite>\n", out);
}

void
matrix_junit(const struct matrix *m, const cJSON *tree, FILE *out)
{
	struct tally t = tally_cells(tree, NULL);
	const cJSON *version;

	(void)m;
	fprintf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuites name=\"natsburn matrix\" tests=\"%u\" "
	    "failures=\"%u\" errors=\"%u\" time=\"%.3f\">\n",
	    t.tests, t.failures, t.errors, t.seconds);
	cJSON_ArrayForEach(version, get(tree, "versions"))
	    junit_suite(tree, cJSON_GetStringValue(version), out);
	fputs("</testsuites>\n", out);
}

/* index.html, in the look of the report page */

/* A class of the style sheet for a result. */
static const char *
tone(const char *word)
{
	static const char *const tones[][2] = {{"pass", "pass"},
	    {"FAIL", "fail"}, {"skipped", "skipped"}, {"not run", "skipped"}};
	size_t i;

	for (i = 0; i < sizeof(tones) / sizeof(tones[0]); i++)
		if (strcmp(tones[i][0], word) == 0)
			return tones[i][1];
	return "inconclusive";
}

/* The worst result of all cells: that of the exit code. */
static const char *
worst_word(const cJSON *tree)
{
	size_t w;

	for (w = 0; matrix_words[w] != NULL; w++)
		if (number_of(get(tree, "counts"), matrix_words[w]) > 0)
			return matrix_words[w];
	return "pass";
}

static void
page_chip(const cJSON *cell, FILE *out)
{
	const char *word = text_of(cell, "result");
	bool has_page = strcmp(text_of(cell, "state"), "finished") == 0;

	/* A folder's name has nothing that a link would have to escape. */
	if (has_page) {
		fputs("<a href=\"", out);
		markup_text(out, text_of(cell, "folder"));
		fputs("/report.html\">", out);
	}
	fprintf(out, "<span class=\"chip %s\"", tone(word));
	attribute(out, "title", text_of(cell, "reason"));
	fprintf(out, ">%s</span>%s ", word, has_page ? "</a>" : "");
}

static void
page_tiles(const cJSON *tree, FILE *out)
{
	const cJSON *counts = get(tree, "counts");
	double n;
	size_t w;

	fprintf(out,
	    "<div class=tiles>\n<div class=tile><span>cells</span><b>"
	    "%d</b></div>\n",
	    cJSON_GetArraySize(get(tree, "cells")));
	for (w = 0; matrix_words[w] != NULL; w++) {
		n = number_of(counts, matrix_words[w]);
		if (n > 0)
			fprintf(out,
			    "<div class=\"tile%s\"><span>%s</span><b>%.0f</b>"
			    "</div>\n",
			    strcmp(matrix_words[w], "FAIL") == 0 ? " bad" : "",
			    matrix_words[w], n);
	}
	fputs("</div>\n", out);
}

static void
page_head(const cJSON *tree, FILE *out)
{
	const char *word = worst_word(tree);
	bool is_whole = cJSON_IsTrue(get(tree, "complete"));

	fprintf(out,
	    "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
	    "<meta name=viewport content=\"width=device-width, "
	    "initial-scale=1\">\n"
	    "<meta http-equiv=Content-Security-Policy content=\"default-src "
	    "'none'; style-src 'unsafe-inline'\">\n"
	    "<meta name=generator content=\"natsburn %s\">\n"
	    "<title>%s: matrix – natsburn</title>\n<style>\n%s</style>\n"
	    "</head>\n<body>\n",
	    text_of(tree, "natsburn"), word, page_style);
	fprintf(out,
	    "<header class=%s><div>\n<h1 class=verdict><span class=badge>%s"
	    "</span>%s</h1>\n<p class=what>Matrix of <b>%d</b> runs%s · "
	    "exit code <b>%.0f</b> · %s</p>\n</div></header>\n<main>\n",
	    tone(word), word,
	    strcmp(word, "pass") == 0	? "Every check holds in every run"
	    : strcmp(word, "FAIL") == 0 ? "JetStream broke a promise"
					: "Not every run passed",
	    cJSON_GetArraySize(get(tree, "cells")),
	    is_whole ? "" : ", not all of which were run",
	    number_of(tree, "exit_code"), text_of(tree, "started"));
}

static bool
is_at(const cJSON *cell, const char *field, const cJSON *label)
{
	return strcmp(text_of(cell, field), cJSON_GetStringValue(label)) == 0;
}

static void
page_row(const cJSON *tree, const cJSON *test, const cJSON *mayhem, FILE *out)
{
	const cJSON *version, *cell;

	fputs("<tr><td>", out);
	markup_text(out, cJSON_GetStringValue(test));
	fputs("</td><td>", out);
	markup_text(out, cJSON_GetStringValue(mayhem));
	fputs("</td>", out);
	cJSON_ArrayForEach(version, get(tree, "versions"))
	{
		fputs("<td>", out);
		cJSON_ArrayForEach(cell, get(tree, "cells"))
		{
			if (is_at(cell, "test", test) &&
			    is_at(cell, "mayhem", mayhem) &&
			    is_at(cell, "version", version))
				page_chip(cell, out);
		}
		fputs("</td>", out);
	}
	fputs("</tr>\n", out);
}

static void
page_overview(const cJSON *tree, FILE *out)
{
	const cJSON *test, *mayhem, *version;

	fputs("<section><h2>Overview<small>each mark is a run and leads to "
	      "its report</small></h2>\n<div class=scroll><table><thead><tr>"
	      "<th>test</th><th>mayhem</th>",
	    out);
	cJSON_ArrayForEach(version, get(tree, "versions"))
	{
		fputs("<th>", out);
		markup_text(out, cJSON_GetStringValue(version));
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	cJSON_ArrayForEach(test, get(tree, "tests")) cJSON_ArrayForEach(
	    mayhem, get(tree, "mayhem")) page_row(tree, test, mayhem, out);
	fputs("</tbody></table></div></section>\n", out);
}

static void
page_cell(const cJSON *cell, FILE *out)
{
	fputs("<tr><td class=w>", out);
	page_chip(cell, out);
	fputs("</td><td>", out);
	markup_text(out, text_of(cell, "folder"));
	fprintf(out,
	    "</td><td class=n>%.0f</td><td class=n>%.1f s</td>"
	    "<td class=n>%.0f</td><td class=n>%.0f</td><td>",
	    number_of(cell, "rounds"), number_of(cell, "duration_s"),
	    number_of(cell, "faults"), number_of(cell, "seed"));
	markup_text(out, text_of(cell, "reason"));
	fputs("</td></tr>\n", out);
}

void
matrix_page(const struct matrix *m, const cJSON *tree, FILE *out)
{
	const cJSON *cell;

	(void)m;
	page_head(tree, out);
	page_tiles(tree, out);
	page_overview(tree, out);
	fputs("<section><h2>Runs</h2>\n<div class=scroll><table><thead><tr>"
	      "<th></th><th>folder</th><th class=n>rounds</th>"
	      "<th class=n>load</th><th class=n>faults</th>"
	      "<th class=n>seed</th><th>because</th></tr></thead><tbody>\n",
	    out);
	cJSON_ArrayForEach(cell, get(tree, "cells")) page_cell(cell, out);
	fputs("</tbody></table></div></section>\n<section><h2>Command<small>"
	      "finished runs are kept when it is given again</small></h2>\n"
	      "<pre>",
	    out);
	markup_text(out, text_of(tree, "command"));
	fprintf(out,
	    "</pre></section>\n</main>\n<footer>natsburn %s. The same as "
	    "data: matrix.json, junit.xml.</footer>\n</body>\n</html>\n",
	    text_of(tree, "natsburn"));
}
