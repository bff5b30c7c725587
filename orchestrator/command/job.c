/* SPDX-License-Identifier: ISC */
/* Job files; see job.h. */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/chaos.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/job.h"
#include "orchestrator/command/login.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "worker/worker.h"

#define SETTINGS_MAX 256
#define WORD_MAX     49 /* of a name, with its NUL: libinih cuts there */
#define PARENTS_MAX  16
#define INHERIT	     "inherit"

struct setting {
	char section[WORD_MAX], name[WORD_MAX], value[OPTION_VALUE_MAX];
	unsigned line;
	bool is_taken;
};

struct options {
	char job[CONFIG_PATH_MAX];
	bool dump;
};

static struct {
	struct options own;
	char file[CONFIG_PATH_MAX], section[WORD_MAX];
	FILE *in;
	unsigned line;
	bool is_bad; /* it was said why */
	struct setting *all, *chosen[SETTINGS_MAX];
	unsigned n, nchosen;
} job;

const struct option_spec job_options[] = {
    {"job", OPTION_STRING, OPTION_AT(struct options, job), "", 0, 0, NULL,
	"FILE[:JOB]", "take options from this file, or a section of it", false},
    {"dump-config", OPTION_FLAG, OPTION_AT(struct options, dump), "false", 0, 0,
	NULL, NULL, "print the options as such a file, and run nothing", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static void complain(unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(unsigned line, const char *fmt, ...)
{
	char text[OPTION_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine */
	va_end(ap);
	usage_say("%s:%u: %s", job.file, line, text);
	job.is_bad = true;
}

/* Reading the file */

/* May it be given again, to say more? */
static bool
is_list(const char *name)
{
	const struct option_spec *row = NULL;
	size_t i;

	for (i = 0; cli_tables[i] != NULL && row == NULL; i++)
		row = option_find(cli_tables[i], name);
	return strcmp(name, INHERIT) == 0 || strcmp(name, "limit") == 0 ||
	       (row != NULL && row->arg != NULL &&
		   strstr(row->arg, "[,") != NULL);
}

static struct setting *
find_setting(const char *section, const char *name)
{
	unsigned i;

	for (i = 0; i < job.n; i++)
		if (strcmp(job.all[i].section, section) == 0 &&
		    strcmp(job.all[i].name, name) == 0)
			return &job.all[i];
	return NULL;
}

static void
say_more(struct setting *s, const char *value)
{
	if (!is_list(s->name))
		complain(job.line, "%s: stands in line %u already", s->name,
		    s->line);
	else if (!text_fits_add(s->value, sizeof(s->value), ",%s", value))
		complain(job.line, "%s: is longer than %zu bytes", s->name,
		    sizeof(s->value) - 1);
}

/* What libinih calls: 1 for good, and 0. */
static int
on_setting(void *arg, const char *section, const char *name, const char *value)
{
	struct setting *s = find_setting(section, name);

	(void)arg;
	if (s != NULL) {
		say_more(s, value);
		return !job.is_bad;
	}
	if (job.n == SETTINGS_MAX) {
		complain(job.line, "more than %d settings", SETTINGS_MAX);
		return 0;
	}
	s = &job.all[job.n++];
	s->line = job.line;
	if (!text_fits(s->section, WORD_MAX, section) ||
	    !text_fits(s->name, WORD_MAX, name))
		complain(job.line, "names have at most %d bytes", WORD_MAX - 1);
	/* A line is shorter than any value may be. */
	text_set(s->value, sizeof(s->value), value);
	return !job.is_bad;
}

/*
 * What libinih calls for a line, as fgets. It counts lines, and it takes blanks
 * from their beginning, which would make them parts of the line before.
 */
static char *
read_line(char *out, int size, void *arg)
{
	size_t len, blanks;

	(void)arg;
	if (job.is_bad || fgets(out, size, job.in) == NULL)
		return NULL;
	job.line++;
	len = strlen(out);
	if (len > 0 && out[len - 1] != '\n' && !feof(job.in)) {
		complain(job.line,
		    "is longer than %d bytes; a list can be given in parts, "
		    "under its name again",
		    size - 2);
		return NULL;
	}
	blanks = strspn(out, " \t");
	memmove(out, out + blanks, len - blanks + 1);
	return out;
}

static int
read_file(void)
{
	int bad;

	job.all = calloc(SETTINGS_MAX, sizeof(*job.all));
	if (job.all == NULL)
		return usage_error("out of memory");
	job.in = fopen(job.file, "re");
	if (job.in == NULL)
		return usage_error(
		    "--job \"%s\": %s", job.file, strerror(errno));
	bad = ini_parse_stream(read_line, NULL, on_setting, NULL);
	if (ferror(job.in) != 0)
		bad = usage_error("--job \"%s\": cannot be read", job.file);
	else if (bad != 0 && !job.is_bad)
		complain((unsigned)bad,
		    "must be [JOB], NAME = VALUE or a # comment");
	fclose(job.in);
	return bad != 0 || job.is_bad ? EXIT_USAGE : 0;
}

/* Choosing a job */

static void
choose(struct setting *s)
{
	unsigned i;

	for (i = 0; i < job.nchosen; i++)
		if (strcmp(job.chosen[i]->name, s->name) == 0) {
			job.chosen[i] = s;
			return;
		}
	job.chosen[job.nchosen++] = s;
}

static bool
has_section(const char *section)
{
	unsigned i;

	for (i = 0; i < job.n; i++)
		if (strcmp(job.all[i].section, section) == 0)
			return true;
	return false;
}

/* Those of a section behind those of its parents, from the oldest on. */
static void
choose_section(const char *section, unsigned depth)
{
	const struct setting *parents = find_setting(section, INHERIT);
	const char *list = parents != NULL ? parents->value : "";
	char parent[WORD_MAX];
	unsigned i;

	while (!job.is_bad && text_next_item(&list, parent, sizeof(parent))) {
		if (depth == PARENTS_MAX)
			complain(parents->line,
			    INHERIT " \"%s\": more than %d jobs, or a circle",
			    parent, PARENTS_MAX);
		else if (!has_section(parent))
			complain(parents->line,
			    INHERIT " \"%s\": there is no such job", parent);
		else
			choose_section(parent, depth + 1);
	}
	for (i = 0; i < job.n; i++)
		if (strcmp(job.all[i].section, section) == 0 &&
		    &job.all[i] != parents)
			choose(&job.all[i]);
}

/* Which job is meant where none is named: the only one. */
static int
choose_only(void)
{
	const char *last = "";
	char names[512] = "";
	unsigned i, n = 0;

	for (i = 0; i < job.n; i++) {
		if (job.all[i].section[0] == '\0' ||
		    strcmp(job.all[i].section, last) == 0)
			continue;
		last = job.all[i].section;
		text_add(names, sizeof(names), "%s %s:%s", n++ > 0 ? "," : "",
		    job.file, last);
	}
	if (n > 1)
		return usage_error(
		    "--job \"%s\": which of its jobs?%s", job.file, names);
	text_set(job.section, sizeof(job.section), last);
	return 0;
}

/* FILE, or FILE:JOB where there is no file of that name. */
static int
read_job(void)
{
	const char *colon = strrchr(job.own.job, ':');
	bool is_named = colon != NULL && !file_exists(job.own.job);
	int bad;

	text_set(job.file, sizeof(job.file), job.own.job);
	if (is_named) {
		job.file[colon - job.own.job] = '\0';
		text_set(job.section, sizeof(job.section), colon + 1);
	}
	bad = read_file();
	if (bad == 0 && !is_named)
		bad = choose_only();
	else if (bad == 0 && !has_section(job.section))
		bad = usage_error("--job \"%s\": there is no job [%s] in it",
		    job.file, job.section);
	if (bad != 0)
		return bad;
	choose_section("", 0);
	if (job.section[0] != '\0')
		choose_section(job.section, 0);
	return job.is_bad ? EXIT_USAGE : 0;
}

int
job_take(int *argc, char **argv)
{
	int bad = cli_take_own(job_options, &job.own, argc, argv);

	/* Runs that this command begins are told each option. */
	(void)unsetenv("NATSBURN_JOB"); /* its name is a fine one */
	if (bad == 0 && job.own.job[0] != '\0')
		bad = read_job();
	return bad;
}

/* Setting options */

/* Is it the name of what the option names? */
static bool
is_name(const char *option, const char *item)
{
	if (strcmp(option, "test") == 0 || strcmp(option, "tests") == 0)
		return workload_find(item) != NULL;
	if (strcmp(option, "mayhem") == 0)
		return strcmp(item, "all") == 0 || mayhem_find(item) != NULL;
	return true;
}

static void
look_for_names(const struct setting *s)
{
	char list[OPTION_VALUE_MAX], item[64], *plus;
	const char *rest = list;

	text_set(list, sizeof(list), s->value);
	while ((plus = strchr(list, '+')) != NULL)
		*plus = ',';
	while (text_next_item(&rest, item, sizeof(item)) && !job.is_bad)
		if (!is_name(s->name, item))
			complain(s->line,
			    "%s \"%s\": there is none of this name; "
			    "\"natsburn list\" has them",
			    s->name, item);
}

int
job_set_own(const struct option_spec *rows, void *values)
{
	char why[OPTION_WHY_MAX];
	struct setting *s;
	unsigned i;

	for (i = 0; i < job.nchosen && !job.is_bad; i++) {
		s = job.chosen[i];
		if (option_find(rows, s->name) == NULL)
			continue;
		s->is_taken = true;
		look_for_names(s);
		if (option_set(rows, values, "", s->name, s->value, why) < 0)
			complain(s->line, "%s", why);
	}
	return job.is_bad ? EXIT_USAGE : 0;
}

/* NAME.KEY, an option of a test or a mode: looked at for its line's sake. */
static void
set_extra(struct run_config *c, const struct setting *s)
{
	char scope[WORD_MAX], prefix[WORD_MAX + 1], why[OPTION_WHY_MAX],
	    extra[OPTION_VALUE_MAX + WORD_MAX + 1];
	size_t len = strcspn(s->name, ".");
	const struct option_spec *rows;
	const struct workload_ops *w;
	const struct mayhem_ops *m;
	void *state;

	text_set(scope, len + 1, s->name);
	w = workload_find(scope);
	m = mayhem_find(scope);
	rows = w != NULL ? w->options : m != NULL ? m->options : NULL;
	if (rows == NULL) {
		complain(s->line,
		    "%s: \"%s\" is no test and no mode with options; "
		    "\"natsburn list\" has them",
		    s->name, scope);
		return;
	}
	state = calloc(1, w != NULL ? w->options_size : m->options_size);
	text_format(prefix, sizeof(prefix), "%s.", scope);
	text_format(extra, sizeof(extra), "%s=%s", s->name, s->value);
	if (state == NULL)
		complain(s->line, "out of memory");
	else if (option_set(rows, state, prefix, s->name + len + 1, s->value,
		     why) < 0 ||
		 config_set(c, "o", extra, why) < 0)
		complain(s->line, "%s", why);
	free(state);
}

static void
set_option(struct run_config *c, struct setting *s)
{
	char name[WORD_MAX], why[OPTION_WHY_MAX];
	const struct option_spec *row;

	text_set(name, sizeof(name), s->name);
	cli_resolve_alias(name, sizeof(name));
	row = option_find(config_options, name);
	look_for_names(s);
	if (job.is_bad)
		return;
	if (row != NULL && row->secret)
		complain(s->line,
		    "%s: a secret does not stand in a job file; take the "
		    "environment, or the option that names a file of it",
		    s->name);
	else if (row != NULL && login_refuse_secret(row, s->value, name) < 0)
		job.is_bad = true;
	else if (config_set(c, name, s->value, why) < 0)
		complain(s->line, "%s", why + 2 * (strncmp(why, "--", 2) == 0));
}

bool
job_is_dumped(void)
{
	return job.own.dump;
}

int
job_set(struct run_config *c)
{
	struct setting *s;
	unsigned i;

	for (i = 0; i < job.nchosen && !job.is_bad; i++) {
		s = job.chosen[i];
		if (s->is_taken)
			continue;
		if (strchr(s->name, '.') != NULL)
			set_extra(c, s);
		else
			set_option(c, s);
	}
	if (job.nchosen > 0 && !job.is_bad)
		usage_set_origin(job.own.job);
	return job.is_bad ? EXIT_USAGE : 0;
}
