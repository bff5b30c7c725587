/* SPDX-License-Identifier: ISC */
/* The command that repeats a run; see command_line.h. */
#include <string.h>

#include "orchestrator/report/command_line.h"
#include "proto/base/text.h"

void
command_line_word(char *out, const char *value)
{
	const char *safe = "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			   "_-+=:,./@%";
	const char *p;

	text_add(out, COMMAND_LINE_MAX, " ");
	if (value[0] != '\0' && value[strspn(value, safe)] == '\0') {
		text_add(out, COMMAND_LINE_MAX, "%s", value);
		return;
	}
	text_add(out, COMMAND_LINE_MAX, "'");
	for (p = value; *p != '\0'; p++)
		text_add(
		    out, COMMAND_LINE_MAX, *p == '\'' ? "'\\''" : "%c", *p);
	text_add(out, COMMAND_LINE_MAX, "'");
}

static void
command_option(void *arg, const char *name, const char *value)
{
	const struct option_spec *row = option_find(config_options, name);
	char flag[80];

	if (strcmp(name, "run") == 0 || strcmp(name, "test") == 0 ||
	    strcmp(name, "out") == 0)
		return;
	flag[0] = '\0';
	text_add(flag, sizeof(flag), "%s%s", row != NULL ? "--" : "-", name);
	text_add(arg, COMMAND_LINE_MAX, " %s", flag);
	if (row == NULL || row->type != OPTION_FLAG)
		command_line_word(arg, value);
}

void
command_line_options(char *out, const struct run_config *c)
{
	config_each(c, false, command_option, out);
}
