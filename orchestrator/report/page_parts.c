/* SPDX-License-Identifier: ISC */
/* Numbers, cells and tables of the report page; see page_parts.h. */
#include <string.h>

#include "orchestrator/report/markup.h"
#include "orchestrator/report/page_parts.h"
#include "proto/base/text.h"
#include "proto/json.h"

void
page_put(const struct page *p, const char *text)
{
	markup_text(p->out, text);
}

void
page_count(const struct page *p, double v)
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

void
page_ms(const struct page *p, double ms)
{
	if (ms >= 1000)
		fprintf(p->out, "%.2f s", ms / 1000);
	else if (ms > 0 && ms < 0.1)
		fprintf(p->out, "%.0f us", ms * 1000);
	else
		fprintf(p->out, ms >= 10 ? "%.1f ms" : "%.2f ms", ms);
}

void
page_span(const struct page *p, double s)
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

void
page_cell_text(const struct page *p, const char *text)
{
	fputs("<td>", p->out);
	page_put(p, text);
	fputs("</td>", p->out);
}

void
page_cell_count(const struct page *p, double v)
{
	fputs("<td class=n>", p->out);
	page_count(p, v);
	fputs("</td>", p->out);
}

void
page_table_head(const struct page *p, const char *columns)
{
	size_t len;

	fputs("<div class=scroll tabindex=0><table><thead><tr>", p->out);
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

void
page_table_end(const struct page *p)
{
	fputs("</tbody></table></div>\n", p->out);
}

const cJSON *
page_fault(const struct page *p, double number)
{
	const cJSON *f;

	cJSON_ArrayForEach (f, json_get(p->tree, "faults"))
		if (json_number(f, "fault") == number)
			return f;
	return NULL;
}

double
page_load_begins(const struct page *p)
{
	const struct stats *s = &p->h->stats;

	return s->load_ns != 0
		   ? ((double)s->load_ns - (double)s->first_ns) / 1e9
		   : 0;
}

void
page_role(const struct page *p, double source)
{
	const struct stats *s = &p->h->stats;

	if (source == 0)
		fputs("natsburn", p->out);
	else if (source < s->nworkers && s->workers[(size_t)source].role[0])
		page_put(p, s->workers[(size_t)source].role);
	else
		fputs("process", p->out);
	if (source > 0)
		fprintf(p->out, " %.0f", source);
}
