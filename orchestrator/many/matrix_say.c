/* SPDX-License-Identifier: ISC */
/* The table at the end of a matrix, and the command that goes on. */
#include <string.h>

#include "orchestrator/many/forms.h"
#include "orchestrator/many/matrix.h"
#include "orchestrator/report/command_line.h"
#include "orchestrator/report/term.h"
#include "proto/base/text.h"

#define ENTRY_MAX 160
#define FINDINGS  20 /* cells told of one by one */

/* All rounds of one combination: "pass", or "1 FAIL, 2 pass". */
static const char *
entry(const struct matrix *m, const struct matrix_cell *like, char *out)
{
	const char *worst = NULL;
	const struct forms_result *r;
	unsigned i, n;

	out[0] = '\0';
	for (r = forms_results; r->word != NULL; r++) {
		for (i = 0, n = 0; i < m->ncells; i++)
			n += m->cells[i].test == like->test &&
			     m->cells[i].mayhem == like->mayhem &&
			     m->cells[i].version == like->version &&
			     strcmp(matrix_word(&m->cells[i]), r->word) == 0;
		if (n == 0)
			continue;
		worst = worst != NULL ? worst : r->word;
		if (m->own.repeat == 1)
			text_add(out, ENTRY_MAX, "%s", r->word);
		else
			text_add(out, ENTRY_MAX, "%s%u %s",
			    out[0] != '\0' ? ", " : "", n, r->word);
	}
	return worst != NULL ? worst : "";
}

struct widths {
	size_t test, mayhem, version; /* version: of every column */
};

static size_t
widest(const struct axis *axis)
{
	size_t i, max = 0;

	for (i = 0; i < axis->n; i++)
		if (strlen(axis->items[i].label) > max)
			max = strlen(axis->items[i].label);
	return max;
}

static struct widths
measure(const struct matrix *m)
{
	struct widths w = {
	    widest(&m->tests), widest(&m->mayhems), widest(&m->versions)};
	char text[ENTRY_MAX];
	unsigned i;

	for (i = 0; i < m->ncells; i++) {
		(void)entry(m, &m->cells[i], text); /* its length counts */
		if (strlen(text) > w.version)
			w.version = strlen(text);
	}
	return w;
}

static void
put_entry(const struct matrix *m, const struct matrix_cell *like,
    const struct term *t, size_t width, FILE *out)
{
	char text[ENTRY_MAX];
	const char *worst = entry(m, like, text);

	fprintf(out, "  %s%s%s%*s", term_style(t, forms_style(worst)), text,
	    term_plain(t), (int)(width - strlen(text)), "");
}

static void
put_names(const struct matrix *m, const struct matrix_cell *cell,
    const struct widths *w, FILE *out)
{
	fprintf(out, "%-*s  %-*s", (int)w->test,
	    m->tests.items[cell->test].label, (int)w->mayhem,
	    m->mayhems.items[cell->mayhem].label);
}

/* A column a version. */
static void
say_wide(const struct matrix *m, const struct term *t, const struct widths *w,
    FILE *out)
{
	unsigned i, v;

	fprintf(out, "%*s", (int)(w->test + 2 + w->mayhem), "");
	for (v = 0; v < m->versions.n; v++)
		fprintf(
		    out, "  %-*s", (int)w->version, m->versions.items[v].label);
	fputc('\n', out);
	for (i = 0; i < m->ncells; i++) {
		if (m->cells[i].round > 1)
			break;
		if (m->cells[i].version == 0)
			put_names(m, &m->cells[i], w, out);
		put_entry(m, &m->cells[i], t, w->version, out);
		if (m->cells[i].version + 1 == m->versions.n)
			fputc('\n', out);
	}
}

/* For a narrow terminal: a line a combination. */
static void
say_narrow(const struct matrix *m, const struct term *t, const struct widths *w,
    FILE *out)
{
	unsigned i;

	for (i = 0; i < m->ncells && m->cells[i].round == 1; i++) {
		put_names(m, &m->cells[i], w, out);
		fprintf(
		    out, "  %s", m->versions.items[m->cells[i].version].label);
		put_entry(m, &m->cells[i], t, w->version, out);
		fputc('\n', out);
	}
}

static void
say_findings(const struct matrix *m, const struct term *t, FILE *out)
{
	const struct matrix_cell *cell;
	const char *word;
	unsigned i, n = 0;

	for (i = 0; i < m->ncells; i++) {
		cell = &m->cells[i];
		word = matrix_word(cell);
		if (cell->exit_code == 0 || strcmp(word, "not run") == 0 ||
		    n++ >= FINDINGS)
			continue;
		fprintf(out, "  %s%s%s  %s: %s\n",
		    term_style(t, forms_style(word)), word, term_plain(t),
		    cell->name, matrix_reason(cell));
	}
	if (n > FINDINGS)
		fprintf(out, "  and %u more\n", n - FINDINGS);
}

static void
say_counts(const struct matrix *m, FILE *out)
{
	const struct forms_result *r;
	unsigned i, kept = 0, n;

	fprintf(out, "%u cells", m->ncells);
	for (r = forms_results; r->word != NULL; r++) {
		n = matrix_count(m, r->word);
		if (n > 0)
			fprintf(out, ", %u %s", n, r->word);
	}
	for (i = 0; i < m->ncells; i++)
		kept += m->cells[i].was_kept;
	if (kept > 0)
		fprintf(out, "; %u kept of an earlier matrix", kept);
	fprintf(out, " (exit code %d)\n", matrix_exit_code(m));
}

void
matrix_say(const struct matrix *m, FILE *out)
{
	struct widths w = measure(m);
	char command[COMMAND_LINE_MAX];
	struct term t;

	term_look(&t, out);
	if (!t.is_terminal ||
	    w.test + 2 + w.mayhem + m->versions.n * (w.version + 2) <= t.width)
		say_wide(m, &t, &w, out);
	else
		say_narrow(m, &t, &w, out);
	say_counts(m, out);
	say_findings(m, &t, out);
	fprintf(out, "  report  %s/index.html\n", m->dir);
	if (matrix_count(m, "not run") == 0)
		return;
	matrix_command(m, command);
	fprintf(out, "  to go on: %s\n", command);
}

void
matrix_command(const struct matrix *m, char *out)
{
	struct run_config c = m->base, usual;

	/* What was left open is left out. */
	config_init(&usual);
	if (c.replicas == 0)
		c.replicas = usual.replicas;
	if (c.consumers == 0)
		c.consumers = usual.consumers;
	out[0] = '\0';
	text_add(
	    out, COMMAND_LINE_MAX, "natsburn matrix --tests %s", m->own.tests);
	if (m->own.repeat != 1)
		text_add(out, COMMAND_LINE_MAX, " --repeat %llu",
		    (unsigned long long)m->own.repeat);
	command_line_options(out, &c);
	text_add(out, COMMAND_LINE_MAX, " --out");
	command_line_word(out, m->dir);
}
