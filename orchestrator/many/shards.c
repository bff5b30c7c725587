/* SPDX-License-Identifier: ISC */
/* One report made of many; see shards.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/shards.h"
#include "orchestrator/report/report.h"
#include "proto/base/text.h"
#include "proto/config.h"
#include "proto/json.h"

#define KEPT_OF_A_KIND 16
#define FAULTS_MAX     10000
#define STALLS_MAX     64
#define REASONS_MAX    64 /* of all shards, in words */

const struct option_spec shards_options[] = {
    {"merge", OPTION_FLAG, offsetof(struct shards_options, merge), 0, "false",
	0, 0, NULL, NULL, "report: one report of many run folders", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static void
add_number(cJSON *o, const char *name, double n)
{
	json_set_number(o, name, json_number(o, name) + n);
}

static void
add_max(cJSON *o, const char *name, double n)
{
	if (json_get(o, name) == NULL || n > json_number(o, name))
		json_set_number(o, name, n);
}

/*
 * Every number of an object and of those in it, added up, or the highest:
 * quantiles can't be added, and neither can what was the most at one time.
 */
static void
fold(cJSON *to, const cJSON *from, bool highest)
{
	const cJSON *item;
	cJSON *inner;

	cJSON_ArrayForEach (item, from) {
		inner = json_get(to, item->string);
		if (cJSON_IsObject(item)) {
			if (inner == NULL)
				inner = json_put_object(to, item->string);
			if (cJSON_IsObject(inner))
				fold(inner, item, highest);
		} else if (!cJSON_IsNumber(item))
			continue;
		else if (highest || strcmp(item->string, "behind") == 0)
			add_max(to, item->string, item->valuedouble);
		else
			add_number(to, item->string, item->valuedouble);
	}
}

/* A copy of a row at the list's end, with the shard that it is of. */
static void
append(cJSON *list, const cJSON *row, const char *name)
{
	cJSON *copy = cJSON_Duplicate(row, true);

	json_put_text(copy, "shard", name);
	json_append(list, copy);
}

static void
append_all(struct shards *s, const cJSON *report, const char *field, int max,
    const char *name)
{
	cJSON *list = json_get(s->tree, field);
	char omitted[32] = "";
	const cJSON *row;
	int n = cJSON_GetArraySize(list);
	double left = 0;

	text_add(omitted, sizeof(omitted), "%s_omitted", field);
	cJSON_ArrayForEach (row, json_get(report, field)) {
		if (n++ < max)
			append(list, row, name);
		else
			left++;
	}
	left += json_number(report, omitted);
	if (left > 0)
		add_number(s->tree, omitted, left);
}

/* The longest ones of all. */
static void
take_stalls(struct shards *s, const cJSON *report, const char *name)
{
	cJSON *list = json_get(s->tree, "stalls"), *least, *item;
	const cJSON *row;

	cJSON_ArrayForEach (row, json_get(report, "stalls")) {
		append(list, row, name);
		if (cJSON_GetArraySize(list) <= STALLS_MAX)
			continue;
		least = list->child;
		cJSON_ArrayForEach (item, list) {
			if (json_number(item, "s") < json_number(least, "s"))
				least = item;
		}
		cJSON_Delete(cJSON_DetachItemViaPointer(list, least));
	}
}

/* Servers by name; of one that several saw, what most happened to. */
static void
take_servers(struct shards *s, const cJSON *report)
{
	cJSON *list = json_get(s->tree, "servers"), *item;
	const cJSON *row;

	cJSON_ArrayForEach (row, json_get(report, "servers")) {
		cJSON_ArrayForEach (item, list) {
			if (strcmp(json_text(item, "name"),
				json_text(row, "name")) == 0)
				break;
		}
		if (item == NULL)
			json_append(list, cJSON_Duplicate(row, true));
		else if (json_number(row, "faults") >
			 json_number(item, "faults"))
			json_replace(list, item, cJSON_Duplicate(row, true));
	}
}

static void
key_of(const cJSON *anomaly, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "%s/%s", json_text(anomaly, "kind"),
	    json_text(anomaly, "class"));
}

/* Each row says how many there are of its kind and class in its run. */
static void
take_anomalies(struct shards *s, const cJSON *report, const char *name)
{
	cJSON *list = json_get(s->tree, "anomalies"), *kept;
	cJSON *here = cJSON_CreateObject();
	const cJSON *row;
	char key[80];

	cJSON_ArrayForEach (row, json_get(report, "anomalies")) {
		key_of(row, key, sizeof(key));
		kept = json_get(s->counted, key);
		if (kept == NULL)
			kept = json_put_object(s->counted, key);
		if (json_get(here, key) == NULL)
			add_number(kept, "count", json_number(row, "count"));
		json_set_number(here, key, 1);
		if (json_number(kept, "rows") >= KEPT_OF_A_KIND)
			continue;
		add_number(kept, "rows", 1);
		append(list, row, name);
	}
	cJSON_Delete(here);
}

/* Where a check was exercised in one shard it was; the worse outweighs. */
static unsigned
weight(const cJSON *check)
{
	static const char *const order[] = {
	    "not_exercised", "holds", "unproven", "broken"};
	unsigned i = 3;

	while (i > 0 && strcmp(json_text(check, "says"), order[i]) != 0)
		i--;
	return i;
}

static void
take_checks(struct shards *s, const cJSON *report)
{
	cJSON *list = json_get(s->tree, "checks"), *item;
	const cJSON *row;

	cJSON_ArrayForEach (row, json_get(report, "checks")) {
		cJSON_ArrayForEach (item, list) {
			if (strcmp(json_text(item, "name"),
				json_text(row, "name")) == 0)
				break;
		}
		if (item == NULL) {
			json_append(list, cJSON_Duplicate(row, true));
			continue;
		}
		fold(item, row, false);
		if (weight(row) > weight(item))
			json_set_text(item, "says", json_text(row, "says"));
	}
}

static void
take_modes(struct shards *s, const cJSON *report)
{
	cJSON *list = json_get(s->tree, "mayhem"), *have;
	const cJSON *mode;

	cJSON_ArrayForEach (mode, json_get(report, "mayhem")) {
		cJSON_ArrayForEach (have, list) {
			if (cJSON_Compare(have, mode, true))
				break;
		}
		if (have == NULL)
			json_append(list, cJSON_Duplicate(mode, false));
	}
}

/* Options that aren't the same in all shards: their names. */
static void
take_options(struct shards *s, const cJSON *report)
{
	static const char free_to_differ[] = "seed,out,json,quiet,metrics";
	const cJSON *one, *all = json_get(s->first, "options"),
			  *here = json_get(report, "options");
	cJSON *list = json_get(s->tree, "differs"), *have;

	cJSON_ArrayForEach (one, here) {
		if (config_list_has(free_to_differ, one->string) ||
		    cJSON_Compare(one, json_get(all, one->string), true))
			continue;
		cJSON_ArrayForEach (have, list) {
			if (strcmp(have->valuestring, one->string) == 0)
				break;
		}
		if (have == NULL)
			json_append_text(list, one->string);
	}
}

static void
take_reason(struct shards *s, const char *name, const char *reason)
{
	cJSON *list = json_get(s->tree, "reasons");
	char text[1024] = "";
	int n = cJSON_GetArraySize(list);

	text_add(text, sizeof(text), "%s: %s", name, reason);
	if (n < REASONS_MAX)
		json_append_text(list, text);
	else if (n == REASONS_MAX)
		json_append_text(list, "and more: see the shards");
}

/* Its row. */
static void
take_outcome(
    struct shards *s, const char *name, const cJSON *report, const char *why)
{
	cJSON *row = cJSON_CreateObject(), *outcome, *item;
	int code = report != NULL ? (int)json_number(report, "exit_code")
				  : EXIT_HARNESS;
	const char *reason = report != NULL ? "" : why;

	json_append(json_get(s->tree, "shards"), row);
	json_put_text(row, "folder", name);
	json_put_text(
	    row, "result", report != NULL ? forms_word(code) : "died");
	outcome = report != NULL ? forms_outcome(report) : NULL;
	item = json_get(outcome, "reasons");
	if (item != NULL && cJSON_GetArraySize(item) > 0)
		reason = cJSON_GetStringValue(cJSON_GetArrayItem(item, 0));
	json_put_text(row, "reason", reason != NULL ? reason : "");
	json_put_number(row, "exit_code", code);
	while (outcome != NULL && outcome->child != NULL) {
		item = cJSON_DetachItemViaPointer(outcome, outcome->child);
		json_put(row, item->string, item);
	}
	cJSON_Delete(outcome);
}

/* Could both be shards of one soak? */
static int
fits(const struct shards *s, const cJSON *report, char *why, size_t size)
{
	static const char *const same[] = {
	    "started", "seed", "total_s", "rounds", "harness", NULL};
	const char *test = json_text(report, "test");
	const cJSON *row;
	size_t i;

	why[0] = '\0';
	if (json_get(report, "shards") != NULL)
		text_add(why, size, "is a merged report itself");
	else if (s->first != NULL &&
		 strcmp(test, json_text(s->first, "test")) != 0)
		text_add(why, size, "is of test %s, others are of %s", test,
		    json_text(s->first, "test"));
	cJSON_ArrayForEach (row, json_get(s->tree, "shards")) {
		for (i = 0; same[i] != NULL; i++)
			if (!cJSON_Compare(json_get(row, same[i]),
				json_get(report, same[i]), true))
				break;
		/* Runs that never began are all alike. */
		if (same[i] == NULL && json_number(report, "rounds") > 0)
			text_add(why, size, "is the same run as \"%s\"",
			    json_text(row, "folder"));
	}
	return why[0] == '\0' ? 0 : -EINVAL;
}

static void
take_sums(struct shards *s, const cJSON *report, const char *name)
{
	add_max(s->tree, "duration_s", json_number(report, "duration_s"));
	add_max(s->tree, "total_s", json_number(report, "total_s"));
	add_number(s->tree, "rounds", json_number(report, "rounds"));
	add_max(s->tree, "longest_stall_ms",
	    json_number(report, "longest_stall_ms"));
	add_number(s->tree, "stalls_seen", json_number(report, "stalls_seen"));
	add_number(s->tree, "stalled_s", json_number(report, "stalled_s"));
	fold(json_get(s->tree, "counts"), json_get(report, "counts"), false);
	fold(json_get(s->tree, "harness"), json_get(report, "harness"), false);
	fold(json_get(s->tree, "latency_ms"), json_get(report, "latency_ms"),
	    true);
	append_all(s, report, "faults", FAULTS_MAX, name);
	append_all(s, report, "workers", REPORT_WORKERS_MAX, name);
	append_all(s, report, "phases", FAULTS_MAX, name);
	take_stalls(s, report, name);
}

int
shards_add(struct shards *s, const char *name, const cJSON *report, char *why,
    size_t size)
{
	const cJSON *reason, *row;

	if (report != NULL && fits(s, report, why, size) < 0)
		return -EINVAL;
	take_outcome(s, name, report, why);
	if (report == NULL) {
		take_reason(s, name, why);
		s->has_missing = true;
		return 0;
	}
	/* What tells two copies of one run from two runs. */
	row = json_get(s->tree, "shards");
	json_put_copy(cJSON_GetArrayItem(row, cJSON_GetArraySize(row) - 1),
	    report, "harness");
	if (s->first == NULL)
		s->first = cJSON_Duplicate(report, true);
	cJSON_ArrayForEach (reason, json_get(report, "reasons"))
		take_reason(s, name, cJSON_GetStringValue(reason));
	if (cJSON_IsFalse(json_get(report, "finished")))
		s->has_unfinished = true;
	take_modes(s, report);
	take_options(s, report);
	take_servers(s, report);
	take_sums(s, report, name);
	take_anomalies(s, report, name);
	take_checks(s, report);
	return 0;
}

void
shards_link(struct shards *s, int i, const char *path)
{
	json_put_text(
	    cJSON_GetArrayItem(json_get(s->tree, "shards"), i), "link", path);
}

int
shards_init(struct shards *s)
{
	static const char *const lists[] = {"mayhem", "reasons", "servers",
	    "faults", "anomalies", "checks", "phases", "stalls", "workers",
	    "shards", "differs"};
	static const char *const objects[] = {
	    "counts", "latency_ms", "harness"};
	size_t i;

	memset(s, 0, sizeof(*s));
	s->tree = cJSON_CreateObject();
	s->counted = cJSON_CreateObject();
	if (s->tree == NULL || s->counted == NULL)
		return -ENOMEM;
	json_put_number(s->tree, "schema", 1);
	json_put_text(s->tree, "natsburn", NATSBURN_VERSION);
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		json_put_array(s->tree, lists[i]);
	for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		json_put_object(s->tree, objects[i]);
	return 0;
}

void
shards_fini(struct shards *s)
{
	cJSON_Delete(s->tree);
	cJSON_Delete(s->first);
	cJSON_Delete(s->counted);
	memset(s, 0, sizeof(*s));
}

/* Started first; ISO times compare as text. */
static const char *
earliest(const cJSON *shards)
{
	const char *first = "", *one;
	const cJSON *row;

	cJSON_ArrayForEach (row, shards) {
		one = json_text(row, "started");
		if (one[0] != '\0' &&
		    (first[0] == '\0' || strcmp(one, first) < 0))
			first = one;
	}
	return first;
}

/* A shard of which nothing is known leaves every check unproven. */
static void
finish_checks(struct shards *s)
{
	cJSON *check;

	cJSON_ArrayForEach (check, json_get(s->tree, "checks")) {
		if (s->has_missing &&
		    strcmp(json_text(check, "says"), "broken") != 0)
			json_set_text(check, "says", "unproven");
	}
}

static void
finish_anomalies(struct shards *s)
{
	cJSON *row;
	char key[80];

	cJSON_ArrayForEach (row, json_get(s->tree, "anomalies")) {
		key_of(row, key, sizeof(key));
		json_set_number(row, "count",
		    json_number(json_get(s->counted, key), "count"));
	}
}

static void
say_verdict(struct shards *s, int code)
{
	json_put_text(s->tree, "verdict",
	    verdict_name(code == EXIT_PASS || code == EXIT_LIMIT ? VERDICT_PASS
			 : code == EXIT_VIOLATION		 ? VERDICT_FAIL
			 : code == EXIT_SKIPPED ? VERDICT_SKIPPED
						: VERDICT_INCONCLUSIVE));
	json_put_number(s->tree, "exit_code", code);
}

int
shards_finish(struct shards *s, const char *command)
{
	static const char *const of_first[] = {"test", "seed", "cluster",
	    "replicas", "storage", "client_library", "options"};
	const cJSON *row, *shards = json_get(s->tree, "shards");
	int code = EXIT_PASS;
	size_t i;

	cJSON_ArrayForEach (row, shards) {
		code = forms_worse(
		    code, forms_word_code(json_text(row, "result")));
		cJSON_DeleteItemFromObjectCaseSensitive(
		    (cJSON *)(uintptr_t)row, "harness");
	}
	say_verdict(s, code);
	json_put_bool(
	    s->tree, "finished", !s->has_missing && !s->has_unfinished);
	for (i = 0; i < sizeof(of_first) / sizeof(of_first[0]); i++)
		json_put_copy(s->tree, s->first, of_first[i]);
	json_put_text(s->tree, "started", earliest(shards));
	json_put_text(s->tree, "command", command);
	finish_checks(s);
	finish_anomalies(s);
	return code;
}
