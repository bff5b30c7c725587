/* SPDX-License-Identifier: ISC */
/* natsburn list: what there is, each with one sentence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/chaos.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "proto/moment.h"
#include "worker/worker.h"

struct item {
	const char *name, *summary, *more;
	const struct option_spec *options;
};

static struct item
item_test(size_t i)
{
	const struct workload_ops *w = workload_table[i];

	if (w == NULL)
		return (struct item){.name = NULL};
	return (struct item){w->name, w->summary, NULL, w->options};
}

static struct item
item_mayhem(size_t i)
{
	const struct mayhem_ops *m = mayhem_table[i];

	if (m == NULL)
		return (struct item){.name = NULL};
	return (struct item){m->name, m->summary, m->promise, m->options};
}

static struct item
item_check(size_t i)
{
	const struct check_ops *c = check_table[i];

	if (c == NULL)
		return (struct item){.name = NULL};
	return (struct item){c->name, c->summary, c->rule, NULL};
}

static struct item
item_cluster(size_t i)
{
	const struct cluster_ops *c = cluster_table[i];

	if (c == NULL)
		return (struct item){.name = NULL};
	return (struct item){c->name, c->summary, NULL, NULL};
}

static struct item
item_moment(size_t i)
{
	return (struct item){moments[i].name, moments[i].summary, NULL, NULL};
}

static const struct section {
	const char *name;
	struct item (*get)(size_t);
} sections[] = {
    {"tests", item_test},
    {"mayhem", item_mayhem},
    {"moments", item_moment},
    {"checks", item_check},
    {"clusters", item_cluster},
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* The options of a test or a mode. */
static void
list_options(const char *name, const struct option_spec *rows)
{
	char prefix[64];

	if (rows == NULL)
		return;
	text_format(prefix, sizeof(prefix), "    -o %s.", name);
	option_help(rows, prefix, stdout);
}

static void
list_text(const struct section *s)
{
	struct item it;
	size_t i;

	printf("%s\n", s->name);
	for (i = 0; (it = s->get(i)).name != NULL; i++) {
		printf("  %-24s %s", it.name, it.summary);
		if (it.more != NULL)
			printf(" (%s)", it.more);
		putchar('\n');
		list_options(it.name, it.options);
	}
}

static void
options_json(cJSON *item, const struct option_spec *row)
{
	cJSON *list = json_put_array(item, "options"), *o, *choices;
	size_t i;

	for (; row->name != NULL; row++) {
		o = cJSON_CreateObject();
		json_put_text(o, "name", row->name);
		json_put_text(o, "help", row->help);
		json_put_text(o, "default", row->def);
		json_append(list, o);
		if (row->type != OPTION_CHOICE)
			continue;
		choices = json_put_array(o, "choices");
		for (i = 0; row->choices[i] != NULL; i++)
			json_append_text(choices, row->choices[i]);
	}
}

static void
list_json(cJSON *o, const struct section *s)
{
	cJSON *list = json_put_array(o, s->name), *item;
	struct item it;
	size_t i;

	for (i = 0; (it = s->get(i)).name != NULL; i++) {
		item = cJSON_CreateObject();
		json_put_text(item, "name", it.name);
		json_put_text(item, "summary", it.summary);
		if (it.more != NULL)
			json_put_text(item, "more", it.more);
		if (it.options != NULL)
			options_json(item, it.options);
		json_append(list, item);
	}
}

static int
list_sections(const char *only, bool json)
{
	cJSON *o = json ? cJSON_CreateObject() : NULL;
	size_t i, shown = 0;

	for (i = 0; i < SECTIONS; i++) {
		if (only != NULL && strcmp(only, sections[i].name) != 0)
			continue;
		shown++;
		if (json)
			list_json(o, &sections[i]);
		else
			list_text(&sections[i]);
	}
	if (json)
		json_print(o, stdout);
	cJSON_Delete(o);
	if (shown == 0)
		return usage_error(
		    "list \"%s\": must be one of tests, mayhem, "
		    "moments, checks, clusters; natsburn explain "
		    "tells of one of them",
		    only);
	return 0;
}

int
cmd_list(int argc, char **argv)
{
	struct run_config *c = calloc(1, sizeof(*c));
	const char *only = NULL;
	int n, code = EXIT_USAGE;

	if (c == NULL)
		return usage_error("out of memory");
	config_init(c);
	n = cli_options(c, argc, argv, &only, 1);
	if (n >= 0)
		code = list_sections(n == 1 ? only : NULL, c->json);
	free(c);
	return code;
}
