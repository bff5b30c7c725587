/* SPDX-License-Identifier: ISC */
/* A comparison as text and as a page; see compare.h. */
#include <string.h>

#include "orchestrator/many/compare.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/report/markup.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define VALUE_MAX 64

static const char *const parts[][2] = {
    {"findings", "Findings"}, {"results", "Results"}, {"figures", "Figures"}};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static void
value_text(const cJSON *value, char out[VALUE_MAX])
{
	if (cJSON_IsString(value))
		text_set(out, VALUE_MAX, value->valuestring);
	else if (!cJSON_IsNumber(value))
		text_set(out, VALUE_MAX, "-");
	else if (value->valuedouble == (double)(int64_t)value->valuedouble)
		text_format(out, VALUE_MAX, "%.0f", value->valuedouble);
	else
		text_format(out, VALUE_MAX, "%.3f", value->valuedouble);
}

/* What is new or more is bad of findings only. */
static bool
is_bad(const cJSON *row, size_t part)
{
	const char *word = json_text(row, "says");

	return strcmp(word, "worse") == 0 || strcmp(word, "differs") == 0 ||
	       (part == 0 &&
		   (strcmp(word, "new") == 0 || strcmp(word, "more") == 0));
}

void
compare_say(const cJSON *tree, FILE *out)
{
	const cJSON *folder, *row, *value;
	char text[VALUE_MAX];
	struct term t;
	unsigned i = 0;
	size_t k;

	term_look(&t, out);
	cJSON_ArrayForEach (folder, json_get(tree, "folders"))
		fprintf(out, "%u  %s\n", ++i, cJSON_GetStringValue(folder));
	for (k = 0; k < PARTS; k++) {
		if (cJSON_GetArraySize(json_get(tree, parts[k][0])) == 0)
			continue;
		fprintf(out, "%s\n", parts[k][0]);
		cJSON_ArrayForEach (row, json_get(tree, parts[k][0])) {
			fprintf(out, "  %s%-8s%s",
			    is_bad(row, k) ? term_style(&t, TERM_RED) : "",
			    json_text(row, "says"), term_plain(&t));
			cJSON_ArrayForEach (value, json_get(row, "values")) {
				value_text(value, text);
				fprintf(out, " %10s", text);
			}
			fprintf(out, "  %s\n", json_text(row, "name"));
		}
	}
}

static void
write_part(const cJSON *rows, size_t part, int n, FILE *out)
{
	const cJSON *row, *value;
	char text[VALUE_MAX];
	int i;

	fputs(
	    "<div class=scroll tabindex=0><table><thead><tr><th></th><th></th>",
	    out);
	for (i = 1; i <= n; i++)
		fprintf(out, "<th class=n>%d</th>", i);
	fputs("</tr></thead><tbody>\n", out);
	cJSON_ArrayForEach (row, rows) {
		fputs("<tr><td>", out);
		markup_text(out, json_text(row, "name"));
		fprintf(out, "</td><td><span class=\"chip %s\">%s</span></td>",
		    is_bad(row, part) ? "warning" : "holds",
		    json_text(row, "says"));
		cJSON_ArrayForEach (value, json_get(row, "values")) {
			value_text(value, text);
			fputs("<td class=n>", out);
			markup_text(out, text);
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

void
compare_page(const cJSON *tree, FILE *out)
{
	const cJSON *folders = json_get(tree, "folders"), *folder;
	size_t k;

	forms_page_head(tree, "compared", out);
	fprintf(out,
	    "<header class=skipped><div>\n<h1 class=verdict>%ss "
	    "compared</h1>\n<ol>\n",
	    json_text(tree, "of"));
	cJSON_ArrayForEach (folder, folders) {
		fputs("<li>", out);
		markup_text(out, cJSON_GetStringValue(folder));
		fputs("</li>\n", out);
	}
	fputs("</ol></div></header>\n<main>\n", out);
	for (k = 0; k < PARTS; k++) {
		if (cJSON_GetArraySize(json_get(tree, parts[k][0])) == 0)
			continue;
		fprintf(out, "<section><h2>%s</h2>\n", parts[k][1]);
		write_part(json_get(tree, parts[k][0]), k,
		    cJSON_GetArraySize(folders), out);
		fputs("</section>\n", out);
	}
	fprintf(out,
	    "</main>\n<footer>natsburn %s. The same as data: compare.json."
	    "</footer>\n</body>\n</html>\n",
	    json_text(tree, "natsburn"));
}
