/* SPDX-License-Identifier: ISC */
/*
 * natsburn explain: what a word of a report means. The texts are those that
 * stand in the tables of the program and in the documents (manual.h).
 */
#include <stdlib.h>
#include <string.h>

#include "chaos/chaos.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/report/manual.h"
#include "orchestrator/report/term.h"
#include "proto/base/text.h"
#include "proto/moment.h"
#include "proto/refusal.h"
#include "worker/worker.h"

#define WORD_MAX 320 /* bytes of a reason and more */

static size_t
columns(void)
{
	struct term t;

	term_look(&t, stdout);
	return t.width < 100 ? t.width - 1 : 99;
}

static void
print_section(enum manual_page page, const char *name)
{
	struct manual_text section;

	if (!manual_section(page, name, &section))
		return;
	putchar('\n');
	manual_print(section, columns(), stdout);
}

static bool
explain_rule(const char *word)
{
	const char *number = manual_rule_number(word);
	struct manual_text section;

	if (number == NULL ||
	    !manual_section(MANUAL_GUARANTEES, number, &section))
		return false;
	manual_print(section, columns(), stdout);
	return true;
}

/* What natsburn concludes from an error code of JetStream. */
static bool
explain_refusal(const char *word)
{
	static const char never[] = "by itself it proves nothing: the "
				    "operation may have been done, or be done "
				    "yet";
	static const char *const proves[] = {
	    [REFUSAL_NEVER] = never,
	    [REFUSAL_STEADY] = "nothing was done, if there was one leader",
	    [REFUSAL_CERTAIN] = "nothing was done",
	};
	uint64_t code;

	if (text_to_u64(word, 10999, &code) < 0 || code < 10000)
		return false;
	printf("%s, an error code of JetStream in answer to a write: %s\n",
	    word, proves[refusal_class((uint32_t)code)]);
	print_section(MANUAL_GUARANTEES, "0");
	return true;
}

static const struct check_ops *
find_check(const char *word)
{
	size_t i;

	for (i = 0; check_table[i] != NULL; i++)
		if (strcmp(check_table[i]->name, word) == 0)
			return check_table[i];
	return NULL;
}

/* The paragraphs of a kind: the rows of the table that name it. */
static void
print_paragraphs(const char *kind)
{
	struct manual_text from = {NULL, 0};
	struct manual_row row;
	char number[8];

	while (manual_row_with(MANUAL_GUARANTEES, 2, kind, &from, &row)) {
		text_set(number, sizeof(number), row.cells[0]);
		number[strcspn(number, ",")] = '\0';
		print_section(MANUAL_GUARANTEES, number);
	}
}

/* A kind of anomaly, or the check that has its name. */
static bool
explain_kind(const char *word)
{
	const struct check_ops *c = find_check(word);
	struct manual_row row = {{{0}}};
	bool is_kind = false;
	int k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		is_kind |=
		    strcmp(anomaly_kind_name((enum anomaly_kind)k), word) == 0;
	if (!is_kind && c == NULL)
		return false;
	if (is_kind && manual_row(MANUAL_REPORT, word, &row))
		printf("%s, a kind of anomaly: %s\n", word, row.cells[1]);
	if (c != NULL)
		printf("%s, a check: %s (%s)\n", word, c->summary, c->rule);
	print_paragraphs(word);
	print_section(MANUAL_GUARANTEES, word);
	return true;
}

static void
print_options(const char *name, const struct option_spec *rows)
{
	char prefix[64];

	if (rows == NULL || rows->name == NULL)
		return;
	text_format(prefix, sizeof(prefix), "-o %s.", name);
	puts("\noptions [default]");
	option_help(rows, prefix, stdout);
}

static bool
explain_mode(const char *word)
{
	const struct mayhem_ops *const *m;

	for (m = mayhem_table; *m != NULL; m++) {
		if (strcmp((*m)->name, word) != 0)
			continue;
		printf("%s, a mayhem mode: %s\nunder it: %s\n", word,
		    (*m)->summary, (*m)->promise);
		print_options(word, (*m)->options);
		print_section(MANUAL_FAULTS, word);
		return true;
	}
	return false;
}

static bool
explain_test(const char *word)
{
	const struct workload_ops *const *w;

	for (w = workload_table; *w != NULL; w++) {
		if (strcmp((*w)->name, word) != 0)
			continue;
		printf("%s, a test: %s\n", word, (*w)->summary);
		print_options(word, (*w)->options);
		return true;
	}
	return false;
}

static bool
explain_moment(const char *word)
{
	const struct moment *m;

	for (m = moments; m->name != NULL; m++) {
		if (strcmp(m->name, word) != 0)
			continue;
		printf("%s, a moment for --aim: %s\n", word, m->summary);
		print_section(MANUAL_FAULTS, "The moment");
		return true;
	}
	return false;
}

static bool
explain_driver(const char *word)
{
	const struct cluster_ops *const *c;

	for (c = cluster_table; *c != NULL; c++)
		if (strcmp((*c)->name, word) == 0) {
			printf(
			    "%s, a cluster driver: %s\n", word, (*c)->summary);
			return true;
		}
	return false;
}

/* An event of the history, as the page and "natsburn events" name it. */
static bool
explain_event(const char *word)
{
	const struct message_spec *spec;
	unsigned type, i;

	for (type = 0; type < MESSAGE_TYPES; type++) {
		spec = message_spec(type);
		if (spec == NULL || strcmp(spec->name, word) != 0)
			continue;
		printf("%s, an event: %s\n", word, spec->text);
		for (i = 0; i < spec->nfields; i++)
			if (strcmp(spec->fields[i].name, "reserved") != 0)
				printf("  %-18s %s\n", spec->fields[i].name,
				    spec->fields[i].text);
		return true;
	}
	return false;
}

/* Exit codes, verdicts, classes, reasons, notes: rows of tables. */
static bool
explain_row(const char *word)
{
	struct manual_row row;
	unsigned i;

	if (!manual_row(MANUAL_VERDICTS, word, &row))
		return false;
	for (i = 0; i < MANUAL_CELLS_MAX; i++)
		if (row.cells[i][0] != '\0')
			printf("%s%s\n", i == 0 ? "" : "  ", row.cells[i]);
	return true;
}

static bool
explain_option(const char *word)
{
	struct option_spec rows[2] = {{.name = NULL}};
	const struct option_spec *row;
	char variable[80];

	if (strncmp(word, "--", 2) != 0)
		return false;
	row = option_find(config_options, word + 2);
	if (row == NULL)
		return false;
	rows[0] = *row;
	option_help(rows, "--", stdout);
	cli_variable(row->name, variable, sizeof(variable));
	printf("  in the environment           %s\n", variable);
	return true;
}

/* Nothing has this name: the nearest that is. */
static int
unknown(const char *word)
{
	const char *names[1024], *near;
	size_t n = 0, i;
	int k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		names[n++] = anomaly_kind_name((enum anomaly_kind)k);
	for (i = 0; check_table[i] != NULL; i++)
		names[n++] = check_table[i]->name;
	for (i = 0; mayhem_table[i] != NULL; i++)
		names[n++] = mayhem_table[i]->name;
	for (i = 0; workload_table[i] != NULL; i++)
		names[n++] = workload_table[i]->name;
	for (i = 0; moments[i].name != NULL; i++)
		names[n++] = moments[i].name;
	for (i = 0; i < MESSAGE_TYPES && n < 1024; i++)
		if (message_spec((unsigned)i) != NULL)
			names[n++] = message_spec((unsigned)i)->name;
	near = text_nearest(word, names, n);
	if (near != NULL)
		return usage_error("explain \"%s\": nothing has this name; "
				   "did you mean %s?",
		    word, near);
	return usage_error("explain \"%s\": no kind of anomaly, check, mode, "
			   "test, moment, event, exit code or reason has this "
			   "name",
	    word);
}

int
cmd_explain(int argc, char **argv)
{
	static bool (*const explain[])(const char *) = {explain_rule,
	    explain_kind, explain_mode, explain_test, explain_moment,
	    explain_driver, explain_event, explain_option, explain_row,
	    explain_refusal};
	char word[WORD_MAX] = "";
	bool is_found = false;
	size_t k;
	int i;

	for (i = 0; i < argc; i++)
		text_add(word, sizeof(word), "%s%s", i > 0 ? " " : "", argv[i]);
	if (word[0] == '\0')
		return usage_error(
		    "explain what? a kind of anomaly, a check, a mode, a test, "
		    "an event, an exit code, or a reason in quotes");
	/* "none" is a test and a mode: both are told. */
	for (k = 0; k < sizeof(explain) / sizeof(explain[0]); k++)
		is_found |= explain[k](word);
	return is_found ? EXIT_PASS : unknown(word);
}
