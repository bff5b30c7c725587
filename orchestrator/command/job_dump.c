/* SPDX-License-Identifier: ISC */
/* A configuration as a job file; see job.h. */
#include <stdio.h>
#include <string.h>

#include "orchestrator/command/job.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/report/report.h"
#include "proto/base/text.h"

#define LINE_BYTES_MAX 190 /* libinih takes a few more */

/* Does libinih read it as it is? */
static bool
is_readable(const char *name, const char *value)
{
	size_t len = strlen(value);

	return strlen(name) + 3 + len <= LINE_BYTES_MAX && value[0] != ';' &&
	       strstr(value, " ;") == NULL &&
	       strpbrk(value, "\t\r\n") == NULL &&
	       (len == 0 || (value[0] != ' ' && value[len - 1] != ' '));
}

/* A long list in parts: its name again for each. 0 or EXIT_USAGE. */
static int
put_setting(const char *name, const char *value)
{
	const char *rest = value;
	char item[OPTION_VALUE_MAX];

	if (is_readable(name, value)) {
		printf("%s = %s\n", name, value);
		return 0;
	}
	while (text_next_item(&rest, item, sizeof(item))) {
		if (!is_readable(name, item))
			return usage_error("--dump-config: --%s \"%s\": can't "
					   "stand in a job file",
			    name, item);
		printf("%s = %s\n", name, item);
	}
	return 0;
}

/* Default, or left open: less than can be given. */
static bool
is_left(const struct option_spec *row, const void *values, const char *value)
{
	return option_is_default(row, values) ||
	       (row->type == OPTION_U64 && row->min > 0 &&
		   strcmp(value, "0") == 0);
}

static int
put_rows(const struct option_spec *rows, const void *values)
{
	char value[OPTION_VALUE_MAX];
	int bad = 0;

	for (; rows->name != NULL && bad == 0; rows++) {
		option_get(rows, values, value, sizeof(value));
		if (rows->secret && value[0] != '\0')
			printf("# %s is given, and not shown\n", rows->name);
		else if (is_left(rows, values, value))
			printf("# %s = %s\n", rows->name, rows->def);
		else
			bad = put_setting(rows->name, value);
	}
	return bad;
}

/* Of one that is given more than once the last counts. */
static bool
is_given_again(const struct run_config *c, size_t i)
{
	size_t len = strcspn(c->extras[i], "="), k;

	for (k = i + 1; k < c->nextras; k++)
		if (strncmp(c->extras[i], c->extras[k], len + 1) == 0)
			return true;
	return false;
}

static int
put_extras(const struct run_config *c)
{
	char name[sizeof(c->extras[0])];
	int bad = 0;
	size_t i, len;

	for (i = 0; i < c->nextras && bad == 0; i++) {
		len = strcspn(c->extras[i], "=");
		text_set(name, len + 1, c->extras[i]);
		if (!is_given_again(c, i))
			bad = put_setting(name, c->extras[i] + len + 1);
	}
	return bad;
}

int
job_dump(const struct run_config *c, const struct option_spec *rows,
    const void *values)
{
	int bad;

	printf(
	    "# natsburn %s; a line with # has the default\n", NATSBURN_VERSION);
	bad = rows != NULL ? put_rows(rows, values) : 0;
	if (bad == 0)
		bad = put_rows(config_options, c);
	if (bad == 0)
		bad = put_extras(c);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		return EXIT_HARNESS;
	}
	return bad;
}
