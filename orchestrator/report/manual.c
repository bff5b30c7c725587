/* SPDX-License-Identifier: ISC */
/* The documents; see manual.h. */
#include <ctype.h>
#include <string.h>

#include "orchestrator/report/manual.h"
#include "proto/base/text.h"

#define INDENT "    " /* of an example without a fence */

extern const char manual_guarantees[], manual_verdicts[], manual_faults[],
    manual_report[];

static const char *const pages[MANUAL_PAGES] = {
    [MANUAL_GUARANTEES] = manual_guarantees,
    [MANUAL_VERDICTS] = manual_verdicts,
    [MANUAL_FAULTS] = manual_faults,
    [MANUAL_REPORT] = manual_report,
};

struct manual_text
manual_all(enum manual_page page)
{
	return (struct manual_text){pages[page], strlen(pages[page])};
}

/* Take the next line, without its end. False when there is none. */
static bool
next_line(struct manual_text *t, struct manual_text *line)
{
	const char *end = memchr(t->at, '\n', t->len);

	if (t->len == 0)
		return false;
	line->at = t->at;
	line->len = end != NULL ? (size_t)(end - t->at) : t->len;
	t->at += line->len + (end != NULL);
	t->len -= line->len + (end != NULL);
	return true;
}

static bool
begins(struct manual_text t, const char *with)
{
	return t.len >= strlen(with) && memcmp(t.at, with, strlen(with)) == 0;
}

/* Append a text without its marks: emphasis, code, and where links lead. */
static void
add_plain(char *out, size_t size, struct manual_text t)
{
	size_t i, used = strlen(out);
	bool is_code = false;

	for (i = 0; i < t.len && used + 1 < size; i++) {
		if (t.at[i] == '`') {
			is_code = !is_code;
			continue;
		}
		if (!is_code && (t.at[i] == '*' || t.at[i] == '['))
			continue;
		if (!is_code && t.at[i] == ']') {
			if (i + 1 < t.len && t.at[i + 1] == '(')
				while (i + 1 < t.len && t.at[i] != ')')
					i++;
			continue;
		}
		out[used++] = t.at[i];
	}
	out[used] = '\0';
}

/* One of the comma-separated words of a list. */
static bool
list_has(const char *list, const char *word)
{
	char item[MANUAL_TEXT_MAX / 4];
	const char *at;

	while (text_next_item(&list, item, sizeof(item))) {
		at = item + strspn(item, " ");
		if (strcmp(at, word) == 0)
			return true;
	}
	return false;
}

/* "6" of "6. A confirmed ack is final". */
static bool
is_number_of(const char *heading, const char *name)
{
	size_t len = strlen(name);

	return strncmp(heading, name, len) == 0 && heading[len] == '.';
}

bool
manual_section(
    enum manual_page page, const char *name, struct manual_text *section)
{
	struct manual_text rest = manual_all(page), line;
	bool is_inside = false, is_code = false;
	char heading[256];
	size_t hashes;

	section->len = 0;
	while (next_line(&rest, &line)) {
		is_code ^= begins(line, "```");
		if (is_code || !begins(line, "#")) {
			if (is_inside)
				section->len = (size_t)(rest.at - section->at);
			continue;
		}
		if (is_inside && !begins(line, "###"))
			break;
		if (is_inside)
			continue;
		for (hashes = 0; hashes < line.len && line.at[hashes] == '#';)
			hashes++;
		heading[0] = '\0';
		if (hashes < line.len)
			add_plain(heading, sizeof(heading),
			    (struct manual_text){
				line.at + hashes + 1, line.len - hashes - 1});
		is_inside =
		    is_number_of(heading, name) || list_has(heading, name);
		section->at = line.at;
	}
	return section->len > 0;
}

/* A line of a table as a row; false when it is none, or rules the table. */
static bool
take_row(struct manual_text line, struct manual_row *row)
{
	const char *at = line.at, *end = line.at + line.len, *bar;
	unsigned i;

	memset(row, 0, sizeof(*row));
	if (!begins(line, "|") || begins(line, "|---"))
		return false;
	for (i = 0; i < MANUAL_CELLS_MAX; i++) {
		at += at < end;
		bar = memchr(at, '|', (size_t)(end - at));
		if (bar == NULL)
			break;
		at += at < bar && *at == ' ';
		add_plain(row->cells[i], sizeof(row->cells[i]),
		    (struct manual_text){at, (size_t)(bar - at)});
		if (row->cells[i][0] != '\0' && bar[-1] == ' ')
			row->cells[i][strlen(row->cells[i]) - 1] = '\0';
		at = bar;
	}
	return true;
}

/* Bytes of what stands for any text here, or 0. */
static size_t
wildcard(const char *pattern, const char *at)
{
	static const char *const words[] = {"...", "NAME", "N", "T"};
	size_t i, len;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		len = strlen(words[i]);
		if (strncmp(at, words[i], len) == 0 &&
		    (i == 0 || ((at == pattern || !isalnum(at[-1])) &&
				   !isalnum(at[len]))))
			return len;
	}
	return 0;
}

/* Is this text of that form? Neither side can be empty. */
static bool
has_form(const char *pattern, const char *text)
{
	const char *at = pattern, *again = NULL, *from = text;
	size_t len;

	if (pattern[0] == '\0' || text[0] == '\0')
		return false;
	while (*text != '\0') {
		len = wildcard(pattern, at);
		if (len > 0) {
			at += len;
			again = at;
			from = text;
		} else if (*at == *text) {
			at++;
			text++;
		} else if (again != NULL) {
			/* What stood for any text takes one more. */
			at = again;
			text = ++from;
		} else
			return false;
	}
	return at[wildcard(pattern, at)] == '\0';
}

bool
manual_row(enum manual_page page, const char *text, struct manual_row *row)
{
	struct manual_text rest = manual_all(page), line;

	while (next_line(&rest, &line))
		if (take_row(line, row) && (list_has(row->cells[0], text) ||
					       has_form(row->cells[0], text)))
			return true;
	return false;
}

bool
manual_row_with(enum manual_page page, unsigned i, const char *word,
    struct manual_text *from, struct manual_row *row)
{
	struct manual_text line;
	char code[80];

	if (from->at == NULL)
		*from = manual_all(page);
	text_format(code, sizeof(code), "`%s`", word);
	while (next_line(from, &line))
		if (memmem(line.at, line.len, code, strlen(code)) != NULL &&
		    take_row(line, row) && strstr(row->cells[i], word) != NULL)
			return true;
	return false;
}

/* A text without the spaces that it begins with. */
static struct manual_text
skip_spaces(struct manual_text t)
{
	for (; begins(t, " "); t.len--)
		t.at++;
	return t;
}

static bool
is_item(struct manual_text line)
{
	return begins(line, "- ") || begins(line, "|") ||
	       (begins(line, "(") && line.len > 3 && line.at[2] == ')');
}

static void
add_row(struct manual_block *b, struct manual_text line)
{
	struct manual_row row;
	unsigned i;

	if (!take_row(line, &row))
		return;
	for (i = 0; i < MANUAL_CELLS_MAX; i++)
		if (row.cells[i][0] != '\0')
			text_add(b->text, sizeof(b->text), "%s%s",
			    i > 0 ? ": " : "", row.cells[i]);
}

static void
add_line(struct manual_block *b, struct manual_text line)
{
	if (begins(line, "|")) {
		add_row(b, line);
		return;
	}
	for (; begins(line, "#"); line.len--)
		line.at++;
	line = skip_spaces(line);
	if (begins(line, "- ")) {
		line.at += 2;
		line.len -= 2;
	}
	if (b->text[0] != '\0')
		text_add(b->text, sizeof(b->text), " ");
	add_plain(b->text, sizeof(b->text), line);
}

/* The lines of an example: up to the fence, or as long as they are indented. */
static void
take_example(struct manual_text *t, struct manual_block *b, bool is_fenced)
{
	struct manual_text line;

	b->is_example = true;
	while ((is_fenced || begins(*t, INDENT)) && next_line(t, &line) &&
	       !(is_fenced && begins(line, "```")))
		text_add(
		    b->text, sizeof(b->text), "%.*s\n", (int)line.len, line.at);
}

/* Does a block end before this line? */
static bool
ends_block(struct manual_text ahead)
{
	ahead = skip_spaces(ahead);
	return ahead.len == 0 || ahead.at[0] == '\n' || begins(ahead, "```") ||
	       begins(ahead, "#") || is_item(ahead);
}

bool
manual_block(struct manual_text *t, struct manual_block *b)
{
	struct manual_text line;

	memset(b, 0, sizeof(*b));
	while (t->len > 0) {
		if (b->text[0] == '\0' && begins(*t, INDENT)) {
			take_example(t, b, false);
			return true;
		}
		(void)next_line(t, &line); /* there is one */
		if (begins(line, "```")) {
			take_example(t, b, true);
			return true;
		}
		/* What heads a table is no row of it. */
		if (begins(line, "<!--") ||
		    (begins(line, "|") && begins(*t, "|---")))
			continue;
		b->is_item |= is_item(skip_spaces(line));
		if (line.len > 0)
			add_line(b, line);
		if (b->text[0] != '\0' &&
		    (begins(line, "#") || begins(line, "|") || ends_block(*t)))
			return true;
	}
	return b->text[0] != '\0';
}

bool
manual_remedy(const char *reason, char *out, size_t size)
{
	struct manual_row row;

	if (!manual_row(MANUAL_VERDICTS, reason, &row) ||
	    row.cells[2][0] == '\0')
		return false;
	text_set(out, size, row.cells[2]);
	return true;
}

static void
print_wrapped(const struct manual_block *b, size_t columns, FILE *out)
{
	size_t used = b->is_item ? 3 : 0, len;
	const char *at = b->text;
	bool is_first = true;

	fputs(b->is_item ? " - " : "", out);
	while (*at != '\0') {
		len = strcspn(at, " ");
		if (!is_first && used + 1 + len > columns) {
			fputs(b->is_item ? "\n   " : "\n", out);
			used = b->is_item ? 3 : 0;
			is_first = true;
		}
		fprintf(out, "%s%.*s", is_first ? "" : " ", (int)len, at);
		used += len + !is_first;
		is_first = false;
		at += len;
		at += strspn(at, " ");
	}
	fputc('\n', out);
}

const char *
manual_rule_number(const char *rule)
{
	static const char word[] = "guarantees ";

	return strncmp(rule, word, strlen(word)) == 0 ? rule + strlen(word)
						      : NULL;
}

void
manual_print(struct manual_text t, size_t columns, FILE *out)
{
	struct manual_block b;
	bool was_item = false, is_first = true;

	for (; manual_block(&t, &b); is_first = false) {
		if (!is_first && !(was_item && b.is_item))
			fputc('\n', out);
		was_item = b.is_item;
		if (b.is_example)
			fputs(b.text, out);
		else
			print_wrapped(&b, columns, out);
	}
}
