/* SPDX-License-Identifier: ISC */
/* A hunt as hunt.json, junit.xml, index.html and a table; see hunt.h. */
#include <errno.h>
#include <string.h>

#include "chaos/mayhem/mayhem.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/hunt.h"
#include "orchestrator/report/command_line.h"
#include "orchestrator/report/markdown.h"
#include "orchestrator/report/markup.h"
#include "orchestrator/report/term.h"
#include "proto/base/text.h"
#include "proto/json.h"

/* What was drawn */

static int
count_pair(const cJSON *tree, const char *test, const char *mode)
{
	const cJSON *row;
	int n = 0;

	cJSON_ArrayForEach (row, json_get(tree, "runs"))
		n += strcmp(json_text(row, "test"), test) == 0 &&
		     config_list_has(json_text(row, "mayhem"), mode);
	return n;
}

static void
put_coverage(const struct hunt *h)
{
	cJSON *list = cJSON_CreateArray(), *o;
	const struct mayhem_ops *const *m;
	unsigned i;

	for (i = 0; i < h->tests.n; i++)
		for (m = mayhem_table; *m != NULL; m++) {
			o = cJSON_CreateObject();
			json_put_text(o, "test", h->tests.items[i].value);
			json_put_text(o, "mayhem", (*m)->name);
			json_put_number(o, "runs",
			    count_pair(
				h->tree, h->tests.items[i].value, (*m)->name));
			json_append(list, o);
		}
	cJSON_DeleteItemFromObjectCaseSensitive(h->tree, "coverage");
	json_put(h->tree, "coverage", list);
}

int
hunt_write(struct hunt *h)
{
	char command[COMMAND_LINE_MAX];
	int err, first;

	hunt_command(h, command);
	json_set_text(h->tree, "command", command);
	json_set_number(h->tree, "exit_code", hunt_exit_code(h));
	put_coverage(h);
	first = forms_save(h->tree, h->dir, HUNT_JSON, json_print);
	err = forms_save(h->tree, h->dir, "junit.xml", hunt_junit);
	first = first < 0 ? first : err;
	err = forms_save(h->tree, h->dir, "index.html", hunt_page);
	first = first < 0 ? first : err;
	err = forms_save(h->tree, h->dir, "summary.md", markdown_hunt);
	return first < 0 ? first : err;
}

static bool
is_known(const cJSON *failure)
{
	return json_text(failure, "known")[0] != '\0';
}

static int
count_failures(const cJSON *tree, bool known)
{
	const cJSON *f;
	int n = 0;

	cJSON_ArrayForEach (f, json_get(tree, "failures"))
		n += is_known(f) == known;
	return n;
}

/* "came again 1 of 1 times", "not run again yet" */
static void
repeats_text(const cJSON *f, char *out, size_t size)
{
	if (json_count(f, "repeats") == 0)
		text_set(out, size, "not run again yet");
	else
		text_format(out, size, "came again in %.0f of %.0f repetitions",
		    json_number(f, "repeats_failed"),
		    json_number(f, "repeats"));
}

/* junit.xml: a case for each distinct failure, one for all else */

static void
junit_failure(const cJSON *f, FILE *out)
{
	const char *tag = is_known(f) ? "skipped" : "failure";

	fputs("    <testcase", out);
	forms_attribute(out, "name", json_text(f, "signature"));
	fputs(" classname=\"natsburn.hunt\">\n", out);
	fprintf(out, "      <%s", tag);
	forms_attribute(out, "message",
	    is_known(f) ? json_text(f, "known") : json_text(f, "says"));
	if (!is_known(f))
		forms_attribute(out, "type", json_text(f, "kind"));
	fputc('>', out);
	if (!is_known(f)) {
		markup_text(out, json_text(f, "says"));
		fputs("\nfolder ", out);
		markup_text(out, json_text(f, "folder"));
	}
	fprintf(out, "</%s>\n    </testcase>\n", tag);
}

void
hunt_junit(const cJSON *tree, FILE *out)
{
	const cJSON *f;
	int news = count_failures(tree, false),
	    known = count_failures(tree, true);

	fprintf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuites name=\"natsburn hunt\" tests=\"%d\" failures=\"%d\" "
	    "errors=\"0\">\n"
	    "  <testsuite name=\"hunt\" tests=\"%d\" failures=\"%d\" "
	    "errors=\"0\" skipped=\"%d\" time=\"%.3f\" "
	    "timestamp=\"%.19s\">\n",
	    news + known + 1, news, news + known + 1, news, known,
	    json_number(tree, "elapsed_s"), json_text(tree, "started"));
	fprintf(out,
	    "    <testcase name=\"%d runs\" classname=\"natsburn.hunt\">"
	    "</testcase>\n",
	    cJSON_GetArraySize(json_get(tree, "runs")));
	cJSON_ArrayForEach (f, json_get(tree, "failures"))
		junit_failure(f, out);
	fputs("  </testsuite>\n</testsuites>\n", out);
}

/* index.html */

static void
page_failure(const cJSON *f, FILE *out)
{
	char repeats[80];

	repeats_text(f, repeats, sizeof(repeats));
	fputs("<tr><td><a href=\"", out);
	markup_text(out, json_text(f, "folder"));
	fputs("/report.html\">", out);
	markup_text(out, json_text(f, "signature"));
	fputs("</a><br><small>", out);
	markup_text(out, json_text(f, "says"));
	fputs("</small></td>", out);
	fprintf(out, "<td class=n>%.0f</td><td class=n>%.0f s</td><td>",
	    json_number(f, "runs"), json_number(f, "began_s"));
	markup_text(out, json_text(f, "versions"));
	fputs("</td><td>", out);
	markup_text(out, json_text(f, "mayhem"));
	fprintf(out, "</td><td class=n>%.0f</td><td>%s</td><td>",
	    json_number(f, "seed"), repeats);
	markup_text(out, json_text(f, "known"));
	fputs("</td></tr>\n", out);
}

static void
page_failures(const cJSON *tree, FILE *out)
{
	const cJSON *f;

	fputs("<section><h2>Distinct failures<small>the same kind, rule, test "
	      "and sentence, but for numbers and names</small></h2>\n",
	    out);
	if (cJSON_GetArraySize(json_get(tree, "failures")) == 0) {
		fputs("<p>None.</p></section>\n", out);
		return;
	}
	fputs("<div class=scroll tabindex=0><table><thead><tr><th>failure</th>"
	      "<th class=n>runs</th><th class=n>first after</th>"
	      "<th>versions</th><th>mayhem</th><th class=n>first seed</th>"
	      "<th>with the same seed</th><th>known</th></tr></thead><tbody>\n",
	    out);
	cJSON_ArrayForEach (f, json_get(tree, "failures"))
		page_failure(f, out);
	fputs("</tbody></table></div></section>\n", out);
}

static bool
is_of_first_mode(const cJSON *pair)
{
	return strcmp(json_text(pair, "mayhem"), mayhem_table[0]->name) == 0;
}

/* The head of a table with a column for each test. */
static void
page_tests(const char *of, const cJSON *tree, FILE *out)
{
	const cJSON *pair;

	fprintf(out,
	    "<div class=scroll tabindex=0><table><thead><tr><th>%s</th>", of);
	cJSON_ArrayForEach (pair, json_get(tree, "coverage")) {
		if (!is_of_first_mode(pair))
			continue;
		fputs("<th class=n>", out);
		markup_text(out, json_text(pair, "test"));
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
}

static void
page_count(double n, FILE *out)
{
	if (n > 0)
		fprintf(out, "<td class=n>%.0f</td>", n);
	else
		fputs("<td class=n>·</td>", out);
}

/* A row a mode, a column a test. */
static void
page_modes(const cJSON *tree, FILE *out)
{
	const struct mayhem_ops *const *m;
	const cJSON *pair;

	page_tests("mayhem", tree, out);
	for (m = mayhem_table; *m != NULL; m++) {
		fprintf(out, "<tr><td>%s</td>", (*m)->name);
		cJSON_ArrayForEach (pair, json_get(tree, "coverage"))
			if (strcmp(json_text(pair, "mayhem"), (*m)->name) == 0)
				page_count(json_number(pair, "runs"), out);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static int
count_version(const cJSON *runs, const char *test, const char *version)
{
	const cJSON *row;
	int n = 0;

	cJSON_ArrayForEach (row, runs)
		n += strcmp(json_text(row, "test"), test) == 0 &&
		     strcmp(json_text(row, "version"), version) == 0;
	return n;
}

/* A name that no earlier row has in this field. */
static bool
is_first(const cJSON *list, const cJSON *row, const char *field)
{
	const cJSON *o;

	cJSON_ArrayForEach (o, list) {
		if (o == row)
			return true;
		if (strcmp(json_text(o, field), json_text(row, field)) == 0)
			return false;
	}
	return true;
}

/* A row a version, a column a test: only versions that were drawn. */
static void
page_versions(const cJSON *tree, FILE *out)
{
	const cJSON *runs = json_get(tree, "runs"), *row, *pair;
	int n;

	page_tests("version", tree, out);
	cJSON_ArrayForEach (row, runs) {
		if (!is_first(runs, row, "version"))
			continue;
		fputs("<tr><td>", out);
		markup_text(out, json_text(row, "version"));
		fputs("</td>", out);
		cJSON_ArrayForEach (pair, json_get(tree, "coverage")) {
			if (!is_of_first_mode(pair))
				continue;
			n = count_version(runs, json_text(pair, "test"),
			    json_text(row, "version"));
			page_count(n, out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

/* Options that say where a run goes, or that all runs have of their own. */
static bool
is_drawn(const char *name)
{
	static const char *const beside[] = {
	    "seed", "server-bin", "mayhem", "duration", "o", NULL};
	size_t i;

	for (i = 0; beside[i] != NULL; i++)
		if (strcmp(beside[i], name) == 0)
			return false;
	return true;
}

/* How often runs had each value of each option; a run that hasn't has none. */
static cJSON *
count_values(const cJSON *runs)
{
	cJSON *all = cJSON_CreateObject(), *of;
	const cJSON *row, *o;
	const char *name;

	cJSON_ArrayForEach (row, runs)
		cJSON_ArrayForEach (o, json_get(row, "options")) {
			name = json_text(o, "name");
			if (!is_drawn(name))
				continue;
			of = json_get(all, name);
			if (of == NULL)
				of = json_put_object(all, name);
			json_set_number(of, json_text(o, "value"),
			    1 + json_number(of, json_text(o, "value")));
		}
	return all;
}

static void
page_options(const cJSON *tree, FILE *out)
{
	const cJSON *runs = json_get(tree, "runs"), *of, *value;
	cJSON *all = count_values(runs);
	int n;

	fputs("<div class=scroll tabindex=0><table><thead><tr><th>option</th>"
	      "<th class=n>default</th><th>drawn</th></tr></thead><tbody>\n",
	    out);
	cJSON_ArrayForEach (of, all) {
		n = cJSON_GetArraySize(runs);
		cJSON_ArrayForEach (value, of)
			n -= (int)value->valuedouble;
		fputs("<tr><td>", out);
		markup_text(out, of->string);
		fputs("</td>", out);
		page_count(n, out);
		fputs("<td>", out);
		cJSON_ArrayForEach (value, of) {
			fprintf(out, "%s%.0f × ",
			    value == of->child ? "" : ", ", value->valuedouble);
			markup_text(out, value->string);
		}
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div></section>\n", out);
	cJSON_Delete(all);
}

static void
page_coverage(const cJSON *tree, FILE *out)
{
	fputs("<section><h2>What was drawn<small>how many runs; a dot was "
	      "never drawn</small></h2>\n",
	    out);
	page_modes(tree, out);
	page_versions(tree, out);
	page_options(tree, out);
}

static void
page_run(const cJSON *row, FILE *out)
{
	fputs("<tr><td class=w>", out);
	forms_page_chip(row,
	    json_is_true(row, "kept") ? json_text(row, "folder") : NULL, out);
	fprintf(out, "</td><td class=n>%.0f</td><td>", json_number(row, "run"));
	markup_text(out, json_text(row, "test"));
	fputs("</td><td>", out);
	markup_text(out, json_text(row, "mayhem"));
	fputs("</td><td>", out);
	markup_text(out, json_text(row, "version"));
	fprintf(out, "</td><td class=n>%.0f s</td><td class=n>%.0f</td><td>",
	    json_number(row, "duration_s"), json_number(row, "seed"));
	markup_text(out, json_text(row, "reason"));
	fputs("</td></tr>\n", out);
}

static void
page_runs(const cJSON *tree, FILE *out)
{
	const cJSON *row;

	fputs("<section><h2>Runs</h2>\n<div class=scroll "
	      "tabindex=0><table><thead><tr>"
	      "<th></th><th class=n>run</th><th>test</th><th>mayhem</th>"
	      "<th>version</th><th class=n>load</th><th class=n>seed</th>"
	      "<th>because</th></tr></thead><tbody>\n",
	    out);
	cJSON_ArrayForEach (row, json_get(tree, "runs"))
		page_run(row, out);
	fputs("</tbody></table></div></section>\n", out);
}

void
hunt_page(const cJSON *tree, FILE *out)
{
	const cJSON *runs = json_get(tree, "runs");

	forms_page_begin(tree, runs, "hunt", out);
	fprintf(out,
	    "Hunt of <b>%d</b> runs in <b>%.0f</b> s: <b>%d</b> distinct "
	    "failures, %d of them known · exit code <b>%.0f</b> · %s",
	    cJSON_GetArraySize(runs), json_number(tree, "elapsed_s"),
	    cJSON_GetArraySize(json_get(tree, "failures")),
	    count_failures(tree, true), json_number(tree, "exit_code"),
	    json_text(tree, "started"));
	forms_page_main(out);
	forms_page_tiles(runs, "runs", out);
	page_failures(tree, out);
	page_coverage(tree, out);
	page_runs(tree, out);
	fputs("<section><h2>Command<small>given again it goes on"
	      "</small></h2>\n<pre>",
	    out);
	markup_text(out, json_text(tree, "command"));
	fputs("</pre></section>\n", out);
	forms_page_end(tree, HUNT_JSON, out);
}

/* The end, for a log or a terminal */

static void
say_failure(const cJSON *f, const struct term *t, FILE *out)
{
	char repeats[80];

	repeats_text(f, repeats, sizeof(repeats));
	fprintf(out,
	    "  %s%s%s\n    %.0f runs, first after %.0f s, %s; %s; seed %.0f; "
	    "%s%s%s\n",
	    term_style(t, is_known(f) ? TERM_YELLOW : TERM_RED),
	    json_text(f, "signature"), term_plain(t), json_number(f, "runs"),
	    json_number(f, "began_s"), json_text(f, "versions"), repeats,
	    json_number(f, "seed"), json_text(f, "folder"),
	    is_known(f) ? "; known: " : "", json_text(f, "known"));
}

void
hunt_say(const struct hunt *h, FILE *out)
{
	const struct forms_result *r;
	const cJSON *row, *f;
	struct term t;
	int n;

	term_look(&t, out);
	fprintf(out, "%d runs", cJSON_GetArraySize(json_get(h->tree, "runs")));
	for (r = forms_results; r->word != NULL; r++) {
		n = 0;
		cJSON_ArrayForEach (row, json_get(h->tree, "runs"))
			n += strcmp(json_text(row, "result"), r->word) == 0;
		if (n > 0)
			fprintf(out, ", %d %s", n, r->word);
	}
	fprintf(out,
	    "; %d distinct failures, %d of them known (exit code %d)\n",
	    cJSON_GetArraySize(json_get(h->tree, "failures")),
	    count_failures(h->tree, true), hunt_exit_code(h));
	cJSON_ArrayForEach (f, json_get(h->tree, "failures"))
		say_failure(f, &t, out);
	fprintf(out, "  report  %s/index.html\n", h->dir);
}
