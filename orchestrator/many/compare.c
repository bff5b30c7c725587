/* SPDX-License-Identifier: ISC */
/* Runs, matrices or hunts side by side; see compare.h. */
#include "orchestrator/many/compare.h"

#include <string.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/hunt.h"
#include "orchestrator/many/matrix.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define APART 1.5 /* figures whose ratio is smaller are the same: noise */

static const char *const kinds[] = {"run", "matrix", "hunt"};

/* What it reads */

static cJSON *
load(const char *dir, enum compare_kind kind)
{
	static const char *const names[] = {
	    "report.json", MATRIX_JSON, HUNT_JSON};
	char path[CONFIG_PATH_MAX + 16];
	cJSON *tree;

	text_format(path, sizeof(path), "%s/%s", dir, names[kind]);
	if (kind == COMPARE_RUN)
		return forms_load(path);
	tree = json_load(path, REPORT_FILES_MAX);
	if (json_make_printable(tree) &&
	    cJSON_IsArray(
		json_get(tree, kind == COMPARE_HUNT ? "runs" : "cells")))
		return tree;
	cJSON_Delete(tree);
	return NULL;
}

int
compare_add(struct compare *c, const char *dir)
{
	enum compare_kind kind = COMPARE_HUNT;
	cJSON *tree;

	while ((tree = load(dir, kind)) == NULL && kind != COMPARE_RUN)
		kind--;
	if (tree == NULL)
		return usage_error("compare \"%s\": has no report.json of a "
				   "run, no %s and no %s",
		    dir, MATRIX_JSON, HUNT_JSON);
	if (c->n == 0)
		c->kind = kind;
	c->dirs[c->n] = dir;
	c->trees[c->n++] = tree;
	if (kind == c->kind)
		return 0;
	return usage_error("compare \"%s\": is a %s, and \"%s\" a %s", dir,
	    kinds[kind], c->dirs[0], kinds[c->kind]);
}

void
compare_fini(struct compare *c)
{
	while (c->n > 0)
		cJSON_Delete(c->trees[--c->n]);
}

/* Rows: a name, a value of each folder, and what the last says of the first */

/* The row of that name in a list, made if it is missing. */
static cJSON *
row_of(const struct compare *c, cJSON *list, const char *name)
{
	cJSON *row, *values;
	size_t i;

	cJSON_ArrayForEach (row, list)
		if (strcmp(json_text(row, "name"), name) == 0)
			return row;
	row = cJSON_CreateObject();
	json_put_text(row, "name", name);
	values = json_put_array(row, "values");
	for (i = 0; i < c->n; i++)
		json_append(values, cJSON_CreateNull());
	json_append(list, row);
	return row;
}

static void
set_value(const struct compare *c, cJSON *list, const char *name, size_t i,
    cJSON *value)
{
	cJSON *values = cJSON_GetObjectItem(row_of(c, list, name), "values");

	json_replace(values, cJSON_GetArrayItem(values, (int)i), value);
}

static void
set_number(const struct compare *c, cJSON *list, const char *name, size_t i,
    double number)
{
	set_value(c, list, name, i, cJSON_CreateNumber(number));
}

/* How often a finding was met, in so many. */
static void
count_finding(const struct compare *c, cJSON *list, const char *name, size_t i,
    double more)
{
	const cJSON *values = json_get(row_of(c, list, name), "values");
	const cJSON *had = cJSON_GetArrayItem(values, (int)i);

	set_number(c, list, name, i,
	    more + (cJSON_IsNumber(had) ? had->valuedouble : 0));
}

/* Findings */

static void
add_anomalies(const struct compare *c, cJSON *list, size_t i, const char *test,
    const cJSON *anomalies)
{
	char signature[HUNT_SHAPE_MAX], name[HUNT_SHAPE_MAX + 64];
	const cJSON *a;

	cJSON_ArrayForEach (a, anomalies) {
		hunt_signature(test, a, signature);
		text_format(name, sizeof(name), "%s: %s", json_text(a, "class"),
		    signature);
		count_finding(c, list, name, i, 1);
	}
}

static void
add_findings(const struct compare *c, cJSON *list, size_t i)
{
	const cJSON *tree = c->trees[i], *item;

	switch (c->kind) {
	case COMPARE_RUN:
		add_anomalies(c, list, i, json_text(tree, "test"),
		    json_get(tree, "anomalies"));
		break;
	case COMPARE_MATRIX:
		cJSON_ArrayForEach (item, json_get(tree, "cells"))
			add_anomalies(c, list, i, json_text(item, "test"),
			    json_get(item, "anomalies"));
		break;
	case COMPARE_HUNT:
		cJSON_ArrayForEach (item, json_get(tree, "failures"))
			count_finding(c, list, json_text(item, "signature"), i,
			    json_number(item, "runs"));
		break;
	}
}

/* Results: verdicts of runs, how many of each word of the others */

static void
add_results(const struct compare *c, cJSON *list, size_t i)
{
	const char *rows = c->kind == COMPARE_HUNT ? "runs" : "cells";
	char name[3 * CONFIG_LIST_MAX];
	const cJSON *row;

	if (c->kind == COMPARE_RUN) {
		set_value(c, list, "verdict", i,
		    cJSON_CreateString(json_text(c->trees[i], "verdict")));
		return;
	}
	cJSON_ArrayForEach (row, json_get(c->trees[i], rows)) {
		text_format(name, sizeof(name), "runs that end %s",
		    json_text(row, "result"));
		count_finding(c, list, name, i, 1);
		if (c->kind == COMPARE_HUNT)
			continue;
		text_format(name, sizeof(name), "%s, %s, %s",
		    json_text(row, "test"), json_text(row, "mayhem"),
		    json_text(row, "version"));
		if (strcmp(json_text(row, "result"), "pass") != 0)
			count_finding(c, list, name, i, 1);
	}
}

/* Figures of a run, of which smaller is better but for the first */

static void
add_latencies(const struct compare *c, cJSON *list, size_t i)
{
	static const char *const parts[] = {"p50", "p99", "p999", "max"};
	const cJSON *of;
	char name[96];
	size_t k;

	cJSON_ArrayForEach (of, json_get(c->trees[i], "latency_ms")) {
		for (k = 0; k < 4; k++) {
			text_format(name, sizeof(name), "%.40s %s, ms",
			    of->string, parts[k]);
			if (json_number(of, "max") > 0 &&
			    json_get(of, parts[k]) != NULL)
				set_number(c, list, name, i,
				    json_number(of, parts[k]));
		}
	}
}

static void
add_prices(const struct compare *c, cJSON *list, size_t i)
{
	static const char *const parts[][2] = {
	    {"outage_s", "longest outage, s"}, {"heal_s", "longest to heal, s"},
	    {"p99_ms", "p99, ms"}};
	const cJSON *mode;
	char name[96];
	size_t k;

	cJSON_ArrayForEach (mode, json_get(c->trees[i], "prices"))
		for (k = 0; k < 3; k++) {
			text_format(name, sizeof(name), "%.40s: %s",
			    json_text(mode, "mode"), parts[k][1]);
			if (json_get(mode, parts[k][0]) != NULL)
				set_number(c, list, name, i,
				    json_number(mode, parts[k][0]));
		}
}

static void
add_figures(const struct compare *c, cJSON *list, size_t i)
{
	const cJSON *tree = c->trees[i], *server;
	double s = json_number(tree, "duration_s"), memory = 0, one;

	if (c->kind != COMPARE_RUN)
		return;
	if (s > 0)
		set_number(c, list, "operations a second", i,
		    json_number(tree, "rounds") / s);
	add_latencies(c, list, i);
	set_number(c, list, "longest stall, ms", i,
	    json_number(tree, "longest_stall_ms"));
	add_prices(c, list, i);
	cJSON_ArrayForEach (server, json_get(tree, "servers")) {
		one = json_number(
		    json_get(json_get(server, "levels"), "memory"), "highest");
		memory = one > memory ? one : memory;
	}
	if (memory > 0)
		set_number(
		    c, list, "highest memory of a server, MB", i, memory / 1e6);
}

/* What the last says of the first */

static const char *
word_of(const cJSON *a, const cJSON *b, bool is_figure, bool more_is_better)
{
	double low, high;
	bool is_more;

	if (cJSON_IsString(a) || cJSON_IsString(b))
		return cJSON_Compare(a, b, true) ? "same" : "differs";
	if (!cJSON_IsNumber(a) || !cJSON_IsNumber(b))
		return cJSON_IsNumber(b)   ? "new"
		       : cJSON_IsNumber(a) ? "gone"
					   : "between";
	is_more = b->valuedouble > a->valuedouble;
	low = is_more ? a->valuedouble : b->valuedouble;
	high = is_more ? b->valuedouble : a->valuedouble;
	if (high <= low * (is_figure ? APART : 1))
		return "same";
	if (!is_figure)
		return is_more ? "more" : "less";
	return is_more == more_is_better ? "better" : "worse";
}

static void
say_words(cJSON *list, bool are_figures)
{
	const cJSON *values;
	bool is_first = true;
	cJSON *row;
	int n;

	cJSON_ArrayForEach (row, list) {
		values = json_get(row, "values");
		n = cJSON_GetArraySize(values);
		json_put_text(row, "says",
		    word_of(cJSON_GetArrayItem(values, 0),
			cJSON_GetArrayItem(values, n - 1), are_figures,
			is_first));
		is_first = false;
	}
}

cJSON *
compare_make(const struct compare *c)
{
	void (*const adds[])(const struct compare *, cJSON *, size_t) = {
	    add_findings, add_results, add_figures};
	static const char *const names[] = {"findings", "results", "figures"};
	cJSON *o = cJSON_CreateObject(), *list;
	size_t i, k;

	json_begin();
	json_put_number(o, "schema", 1);
	json_put_text(o, "natsburn", NATSBURN_VERSION);
	json_put_text(o, "of", kinds[c->kind]);
	list = json_put_array(o, "folders");
	for (i = 0; i < c->n; i++)
		json_append_text(list, c->dirs[i]);
	for (k = 0; k < 3; k++) {
		list = json_put_array(o, names[k]);
		for (i = 0; i < c->n; i++)
			adds[k](c, list, i);
		say_words(list, adds[k] == add_figures);
	}
	return o;
}
