/* SPDX-License-Identifier: ISC */
/*
 * A matrix as matrix.json, junit.xml and index.html. The two last are made
 * from the tree of the first, so they can't disagree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/many/forms.h"
#include "orchestrator/many/matrix.h"
#include "orchestrator/report/command_line.h"
#include "orchestrator/report/markdown.h"
#include "orchestrator/report/markup.h"
#include "orchestrator/report/report.h"
#include "proto/base/text.h"
#include "proto/json.h"

/* matrix.json */

static void
add_list(cJSON *o, const char *name, const char *list)
{
	cJSON *items = json_put_array(o, name);
	char item[CONFIG_LIST_MAX];

	while (text_next_item(&list, item, sizeof(item)))
		json_append_text(items, item);
}

static void
add_labels(cJSON *o, const char *name, const struct axis *axis)
{
	cJSON *items = json_put_array(o, name);
	unsigned i;

	for (i = 0; i < axis->n; i++)
		json_append_text(items, axis->items[i].label);
}

static cJSON *
cell_tree(const struct matrix *m, const struct matrix_cell *cell)
{
	static const char *const states[CELL_STATES] = {
	    "waiting", "finished", "died", "interrupted"};
	cJSON *o = cJSON_CreateObject();
	const cJSON *item;

	json_put_text(o, "folder", cell->name);
	json_put_text(o, "test", m->tests.items[cell->test].label);
	json_put_text(o, "mayhem", m->mayhems.items[cell->mayhem].label);
	json_put_text(o, "version", m->versions.items[cell->version].label);
	add_list(o, "server_bin", m->versions.items[cell->version].value);
	json_put_number(o, "repeat", cell->round);
	json_put_text(o, "state", states[cell->state]);
	json_put_text(o, "result", matrix_word(cell));
	json_put_text(o, "reason", matrix_reason(cell));
	json_put_bool(o, "kept", cell->was_kept);
	if (cell->state == CELL_FINISHED || cell->state == CELL_DIED)
		json_put_number(o, "exit_code", cell->exit_code);
	cJSON_ArrayForEach (item, cell->outcome) {
		json_put(o, item->string, cJSON_Duplicate(item, true));
	}
	return o;
}

cJSON *
matrix_tree(const struct matrix *m)
{
	cJSON *o = cJSON_CreateObject(), *list;
	char command[COMMAND_LINE_MAX];
	const struct forms_result *r;
	unsigned i;

	if (o == NULL)
		return NULL;
	json_put_number(o, "schema", 1);
	json_put_text(o, "natsburn", NATSBURN_VERSION);
	json_put_text(o, "started", m->started);
	matrix_command(m, command);
	json_put_text(o, "command", command);
	json_put_number(o, "exit_code", matrix_exit_code(m));
	json_put_bool(o, "complete", matrix_count(m, "not run") == 0);
	add_labels(o, "tests", &m->tests);
	add_labels(o, "mayhem", &m->mayhems);
	add_labels(o, "versions", &m->versions);
	json_put_number(o, "repeat", (double)m->own.repeat);
	list = json_put_object(o, "counts");
	for (r = forms_results; r->word != NULL; r++)
		json_put_number(list, r->word, matrix_count(m, r->word));
	list = json_put_array(o, "cells");
	for (i = 0; i < m->ncells; i++)
		json_append(list, cell_tree(m, &m->cells[i]));
	return o;
}

int
matrix_write(const struct matrix *m)
{
	cJSON *tree = matrix_tree(m);
	int err, first;

	if (tree == NULL)
		return -ENOMEM;
	first = forms_save(tree, m->dir, MATRIX_JSON, json_print);
	err = forms_save(tree, m->dir, "junit.xml", matrix_junit);
	first = first < 0 ? first : err;
	err = forms_save(tree, m->dir, "index.html", matrix_page);
	first = first < 0 ? first : err;
	err = forms_save(tree, m->dir, "summary.md", markdown_matrix);
	first = first < 0 ? first : err;
	cJSON_Delete(tree);
	return first;
}

/* junit.xml: one suite a version, one case a cell */

static bool
is_result(const cJSON *cell, const char *word)
{
	return strcmp(json_text(cell, "result"), word) == 0;
}

/* What a reader of JUnit takes the result for; NULL for a pass. */
static const char *
junit_outcome(const cJSON *cell)
{
	if (is_result(cell, "pass"))
		return NULL;
	if (is_result(cell, "FAIL") || is_result(cell, "limit"))
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

	cJSON_ArrayForEach (cell, json_get(tree, "cells")) {
		if (version != NULL &&
		    strcmp(json_text(cell, "version"), version) != 0)
			continue;
		outcome = junit_outcome(cell);
		t.tests++;
		t.seconds += json_number(cell, "total_s");
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

	text_add(name, sizeof(name), "%s #%.0f", json_text(cell, "mayhem"),
	    json_number(cell, "repeat"));
	fputs("    <testcase", out);
	forms_attribute(out, "name", name);
	fputs(" classname=\"natsburn.", out);
	markup_text(out, json_text(cell, "test"));
	fprintf(out, "\" time=\"%.3f\">\n", json_number(cell, "total_s"));
	if (outcome != NULL) {
		fprintf(out, "      <%s", outcome);
		forms_attribute(out, "message", json_text(cell, "reason"));
		if (outcome[0] != 's')
			forms_attribute(out, "type", json_text(cell, "result"));
		fputc('>', out);
		if (outcome[0] != 's') {
			cJSON_ArrayForEach (reason, json_get(cell, "reasons")) {
				markup_text(out, cJSON_GetStringValue(reason));
				fputc('\n', out);
			}
			markup_text(out, json_text(cell, "command"));
			fputs("\nfolder ", out);
			markup_text(out, json_text(cell, "folder"));
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
	forms_attribute(out, "name", version);
	fprintf(out,
	    " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" "
	    "time=\"%.3f\" timestamp=\"%.19s\">\n",
	    t.tests, t.failures, t.errors, t.skipped, t.seconds,
	    json_text(tree, "started"));
	cJSON_ArrayForEach (cell, json_get(tree, "cells")) {
		if (strcmp(json_text(cell, "version"), version) == 0)
			junit_cell(cell, out);
	}
	fputs("  </testsuite>\n", out);
}

void
matrix_junit(const cJSON *tree, FILE *out)
{
	struct tally t = tally_cells(tree, NULL);
	const cJSON *version;

	fprintf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuites name=\"natsburn matrix\" tests=\"%u\" "
	    "failures=\"%u\" errors=\"%u\" time=\"%.3f\">\n",
	    t.tests, t.failures, t.errors, t.seconds);
	cJSON_ArrayForEach (version, json_get(tree, "versions"))
		junit_suite(tree, cJSON_GetStringValue(version), out);
	fputs("</testsuites>\n", out);
}

/* index.html, in the look of the report page */

static void
page_chip(const cJSON *cell, FILE *out)
{
	bool has_page = strcmp(json_text(cell, "state"), "finished") == 0;

	forms_page_chip(cell, has_page ? json_text(cell, "folder") : NULL, out);
}

static void
page_head(const cJSON *tree, FILE *out)
{
	forms_page_begin(tree, json_get(tree, "cells"), "matrix", out);
	fprintf(out, "Matrix of <b>%d</b> runs%s · exit code <b>%.0f</b> · %s",
	    cJSON_GetArraySize(json_get(tree, "cells")),
	    cJSON_IsTrue(json_get(tree, "complete"))
		? ""
		: ", not all of which were run",
	    json_number(tree, "exit_code"), json_text(tree, "started"));
	forms_page_main(out);
}

static bool
is_at(const cJSON *cell, const char *field, const cJSON *label)
{
	return strcmp(json_text(cell, field), cJSON_GetStringValue(label)) == 0;
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
	cJSON_ArrayForEach (version, json_get(tree, "versions")) {
		fputs("<td>", out);
		cJSON_ArrayForEach (cell, json_get(tree, "cells")) {
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
	      "its report</small></h2>\n<div class=scroll "
	      "tabindex=0><table><thead><tr>"
	      "<th>test</th><th>mayhem</th>",
	    out);
	cJSON_ArrayForEach (version, json_get(tree, "versions")) {
		fputs("<th>", out);
		markup_text(out, cJSON_GetStringValue(version));
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	cJSON_ArrayForEach (test, json_get(tree, "tests"))
		cJSON_ArrayForEach (mayhem, json_get(tree, "mayhem"))
			page_row(tree, test, mayhem, out);
	fputs("</tbody></table></div></section>\n", out);
}

static void
page_cell(const cJSON *cell, FILE *out)
{
	fputs("<tr><td class=w>", out);
	page_chip(cell, out);
	fputs("</td><td>", out);
	markup_text(out, json_text(cell, "folder"));
	fprintf(out,
	    "</td><td class=n>%.0f</td><td class=n>%.1f s</td>"
	    "<td class=n>%.0f</td><td class=n>%.0f</td><td>",
	    json_number(cell, "rounds"), json_number(cell, "duration_s"),
	    json_number(cell, "faults"), json_number(cell, "seed"));
	markup_text(out, json_text(cell, "reason"));
	fputs("</td></tr>\n", out);
}

void
matrix_page(const cJSON *tree, FILE *out)
{
	const cJSON *cell;

	page_head(tree, out);
	forms_page_tiles(json_get(tree, "cells"), "cells", out);
	page_overview(tree, out);
	fputs("<section><h2>Runs</h2>\n<div class=scroll "
	      "tabindex=0><table><thead><tr>"
	      "<th></th><th>folder</th><th class=n>rounds</th>"
	      "<th class=n>load</th><th class=n>faults</th>"
	      "<th class=n>seed</th><th>because</th></tr></thead><tbody>\n",
	    out);
	cJSON_ArrayForEach (cell, json_get(tree, "cells"))
		page_cell(cell, out);
	fputs("</tbody></table></div></section>\n<section><h2>Command<small>"
	      "finished runs are kept when it is given again</small></h2>\n"
	      "<pre>",
	    out);
	markup_text(out, json_text(tree, "command"));
	fputs("</pre></section>\n", out);
	forms_page_end(tree, MATRIX_JSON, out);
}
