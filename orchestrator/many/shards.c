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

#define KEPT_OF_A_KIND 16
#define FAULTS_MAX     10000
#define STALLS_MAX     64
#define REASONS_MAX    64 /* of all shards, in words */

const struct option_spec shards_options[] = {
    {"merge", OPTION_FLAG, offsetof(struct shards_options, merge), 0, "false",
	0, 0, NULL, NULL, "report: one report of many run folders", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static cJSON *
member(cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static void
set_number(cJSON *o, const char *name, double n)
{
	cJSON *item = member(o, name);

	if (item != NULL)
		(void)cJSON_SetNumberHelper(item, n);
	else
		(void)cJSON_AddNumberToObject(o, name, n);
}

static void
add_number(cJSON *o, const char *name, double n)
{
	set_number(o, name, forms_number(o, name) + n);
}

static void
add_max(cJSON *o, const char *name, double n)
{
	if (member(o, name) == NULL || n > forms_number(o, name))
		set_number(o, name, n);
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
		inner = member(to, item->string);
		if (cJSON_IsObject(item)) {
			if (inner == NULL)
				inner =
				    cJSON_AddObjectToObject(to, item->string);
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
static cJSON *
append(cJSON *list, const cJSON *row, const char *name)
{
	cJSON *copy = cJSON_Duplicate(row, true);

	(void)cJSON_AddStringToObject(copy, "shard", name);
	(void)cJSON_AddItemToArray(list, copy);
	return copy;
}

static void
append_all(struct shards *s, const cJSON *report, const char *field, int max,
    const char *name)
{
	cJSON *list = member(s->tree, field);
	char omitted[32] = "";
	const cJSON *row;
	int n = cJSON_GetArraySize(list);
	double left = 0;

	text_add(omitted, sizeof(omitted), "%s_omitted", field);
	cJSON_ArrayForEach (row, forms_get(report, field)) {
		if (n++ < max)
			(void)append(list, row, name);
		else
			left++;
	}
	left += forms_number(report, omitted);
	if (left > 0)
		add_number(s->tree, omitted, left);
}

/* The longest ones of all. */
static void
take_stalls(struct shards *s, const cJSON *report, const char *name)
{
	cJSON *list = member(s->tree, "stalls"), *least, *item;
	const cJSON *row;

	cJSON_ArrayForEach (row, forms_get(report, "stalls")) {
		(void)append(list, row, name);
		if (cJSON_GetArraySize(list) <= STALLS_MAX)
			continue;
		least = list->child;
		cJSON_ArrayForEach (item, list) {
			if (forms_number(item, "s") < forms_number(least, "s"))
				least = item;
		}
		cJSON_Delete(cJSON_DetachItemViaPointer(list, least));
	}
}

/* Servers by name; of one that several saw, what most happened to. */
static void
take_servers(struct shards *s, const cJSON *report)
{
	cJSON *list = member(s->tree, "servers"), *item;
	const cJSON *row;

	cJSON_ArrayForEach (row, forms_get(report, "servers")) {
		cJSON_ArrayForEach (item, list) {
			if (strcmp(forms_text(item, "name"),
				forms_text(row, "name")) == 0)
				break;
		}
		if (item == NULL)
			(void)cJSON_AddItemToArray(
			    list, cJSON_Duplicate(row, true));
		else if (forms_number(row, "faults") >
			 forms_number(item, "faults"))
			(void)cJSON_ReplaceItemViaPointer(
			    list, item, cJSON_Duplicate(row, true));
	}
}

static void
key_of(const cJSON *anomaly, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "%s/%s", forms_text(anomaly, "kind"),
	    forms_text(anomaly, "class"));
}

/* Each row says how many there are of its kind and class in its run. */
static void
take_anomalies(struct shards *s, const cJSON *report, const char *name)
{
	cJSON *list = member(s->tree, "anomalies"), *kept;
	cJSON *here = cJSON_CreateObject();
	const cJSON *row;
	char key[80];

	cJSON_ArrayForEach (row, forms_get(report, "anomalies")) {
		key_of(row, key, sizeof(key));
		kept = member(s->counted, key);
		if (kept == NULL)
			kept = cJSON_AddObjectToObject(s->counted, key);
		if (member(here, key) == NULL)
			add_number(kept, "count", forms_number(row, "count"));
		set_number(here, key, 1);
		if (forms_number(kept, "rows") >= KEPT_OF_A_KIND)
			continue;
		add_number(kept, "rows", 1);
		(void)append(list, row, name);
	}
	cJSON_Delete(here);
}

static void
take_checks(struct shards *s, const cJSON *report)
{
	cJSON *list = member(s->tree, "checks"), *item;
	const cJSON *row, *says;

	cJSON_ArrayForEach (row, forms_get(report, "checks")) {
		cJSON_ArrayForEach (item, list) {
			if (strcmp(forms_text(item, "name"),
				forms_text(row, "name")) == 0)
				break;
		}
		if (item == NULL) {
			(void)cJSON_AddItemToArray(
			    list, cJSON_Duplicate(row, true));
			continue;
		}
		fold(item, row, false);
		/* broken outweighs unproven, and that outweighs holds */
		says = forms_get(row, "says");
		if (strcmp(forms_text(item, "says"), "broken") != 0 &&
		    strcmp(forms_text(row, "says"), "holds") != 0)
			(void)cJSON_ReplaceItemInObjectCaseSensitive(
			    item, "says", cJSON_Duplicate(says, false));
	}
}

static void
take_modes(struct shards *s, const cJSON *report)
{
	cJSON *list = member(s->tree, "mayhem"), *have;
	const cJSON *mode;

	cJSON_ArrayForEach (mode, forms_get(report, "mayhem")) {
		cJSON_ArrayForEach (have, list) {
			if (cJSON_Compare(have, mode, true))
				break;
		}
		if (have == NULL)
			(void)cJSON_AddItemToArray(
			    list, cJSON_Duplicate(mode, false));
	}
}

/* Options that aren't the same in all shards: their names. */
static void
take_options(struct shards *s, const cJSON *report)
{
	static const char free_to_differ[] = "seed,out,json,quiet,metrics";
	const cJSON *one, *all = forms_get(s->first, "options"),
			  *here = forms_get(report, "options");
	cJSON *list = member(s->tree, "differs"), *have;

	cJSON_ArrayForEach (one, here) {
		if (config_list_has(free_to_differ, one->string) ||
		    cJSON_Compare(one, forms_get(all, one->string), true))
			continue;
		cJSON_ArrayForEach (have, list) {
			if (strcmp(have->valuestring, one->string) == 0)
				break;
		}
		if (have == NULL)
			(void)cJSON_AddItemToArray(
			    list, cJSON_CreateString(one->string));
	}
}

static void
take_reason(struct shards *s, const char *name, const char *reason)
{
	cJSON *list = member(s->tree, "reasons");
	char text[1024] = "";
	int n = cJSON_GetArraySize(list);

	text_add(text, sizeof(text), "%s: %s", name, reason);
	if (n < REASONS_MAX)
		(void)cJSON_AddItemToArray(list, cJSON_CreateString(text));
	else if (n == REASONS_MAX)
		(void)cJSON_AddItemToArray(
		    list, cJSON_CreateString("and more: see the shards"));
}

/* Its row. */
static void
take_outcome(
    struct shards *s, const char *name, const cJSON *report, const char *why)
{
	cJSON *row = cJSON_CreateObject(), *outcome, *item;
	int code = report != NULL ? (int)forms_number(report, "exit_code")
				  : EXIT_HARNESS;
	const char *reason = report != NULL ? "" : why;

	(void)cJSON_AddItemToArray(member(s->tree, "shards"), row);
	(void)cJSON_AddStringToObject(row, "folder", name);
	(void)cJSON_AddStringToObject(
	    row, "result", report != NULL ? forms_word(code) : "died");
	outcome = report != NULL ? forms_outcome(report) : NULL;
	item = member(outcome, "reasons");
	if (item != NULL && cJSON_GetArraySize(item) > 0)
		reason = cJSON_GetStringValue(cJSON_GetArrayItem(item, 0));
	(void)cJSON_AddStringToObject(
	    row, "reason", reason != NULL ? reason : "");
	(void)cJSON_AddNumberToObject(row, "exit_code", code);
	while (outcome != NULL && outcome->child != NULL) {
		item = cJSON_DetachItemViaPointer(outcome, outcome->child);
		(void)cJSON_AddItemToObject(row, item->string, item);
	}
	cJSON_Delete(outcome);
}

/* Could both be shards of one soak? */
static int
fits(const struct shards *s, const cJSON *report, char *why, size_t size)
{
	static const char *const same[] = {
	    "started", "seed", "total_s", "rounds", "harness", NULL};
	const char *test = forms_text(report, "test");
	const cJSON *row;
	size_t i;

	why[0] = '\0';
	if (forms_get(report, "shards") != NULL)
		text_add(why, size, "is a merged report itself");
	else if (s->first != NULL &&
		 strcmp(test, forms_text(s->first, "test")) != 0)
		text_add(why, size, "is of test %s, others are of %s", test,
		    forms_text(s->first, "test"));
	cJSON_ArrayForEach (row, forms_get(s->tree, "shards")) {
		for (i = 0; same[i] != NULL; i++)
			if (!cJSON_Compare(forms_get(row, same[i]),
				forms_get(report, same[i]), true))
				break;
		/* Runs that never began are all alike. */
		if (same[i] == NULL && forms_number(report, "rounds") > 0)
			text_add(why, size, "is the same run as \"%s\"",
			    forms_text(row, "folder"));
	}
	return why[0] == '\0' ? 0 : -EINVAL;
}

static void
take_sums(struct shards *s, const cJSON *report, const char *name)
{
	add_max(s->tree, "duration_s", forms_number(report, "duration_s"));
	add_max(s->tree, "total_s", forms_number(report, "total_s"));
	add_number(s->tree, "rounds", forms_number(report, "rounds"));
	add_max(s->tree, "longest_stall_ms",
	    forms_number(report, "longest_stall_ms"));
	add_number(s->tree, "stalls_seen", forms_number(report, "stalls_seen"));
	add_number(s->tree, "stalled_s", forms_number(report, "stalled_s"));
	fold(member(s->tree, "counts"), forms_get(report, "counts"), false);
	fold(member(s->tree, "harness"), forms_get(report, "harness"), false);
	fold(member(s->tree, "latency_ms"), forms_get(report, "latency_ms"),
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
	row = forms_get(s->tree, "shards");
	forms_copy(cJSON_GetArrayItem(row, cJSON_GetArraySize(row) - 1), report,
	    "harness");
	if (s->first == NULL)
		s->first = cJSON_Duplicate(report, true);
	cJSON_ArrayForEach (reason, forms_get(report, "reasons"))
		take_reason(s, name, cJSON_GetStringValue(reason));
	if (cJSON_IsFalse(forms_get(report, "finished")))
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
	(void)cJSON_AddStringToObject(
	    cJSON_GetArrayItem(forms_get(s->tree, "shards"), i), "link", path);
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
	(void)cJSON_AddNumberToObject(s->tree, "schema", 1);
	(void)cJSON_AddStringToObject(s->tree, "natsburn", NATSBURN_VERSION);
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		(void)cJSON_AddArrayToObject(s->tree, lists[i]);
	for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		(void)cJSON_AddObjectToObject(s->tree, objects[i]);
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
		one = forms_text(row, "started");
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

	cJSON_ArrayForEach (check, member(s->tree, "checks")) {
		if (s->has_missing &&
		    strcmp(forms_text(check, "says"), "holds") == 0)
			(void)cJSON_ReplaceItemInObjectCaseSensitive(
			    check, "says", cJSON_CreateString("unproven"));
	}
}

static void
finish_anomalies(struct shards *s)
{
	cJSON *row;
	char key[80];

	cJSON_ArrayForEach (row, member(s->tree, "anomalies")) {
		key_of(row, key, sizeof(key));
		set_number(row, "count",
		    forms_number(forms_get(s->counted, key), "count"));
	}
}

static void
say_verdict(struct shards *s, int code)
{
	(void)cJSON_AddStringToObject(s->tree, "verdict",
	    verdict_name(code == EXIT_PASS	  ? VERDICT_PASS
			 : code == EXIT_VIOLATION ? VERDICT_FAIL
			 : code == EXIT_SKIPPED	  ? VERDICT_SKIPPED
						  : VERDICT_INCONCLUSIVE));
	(void)cJSON_AddNumberToObject(s->tree, "exit_code", code);
}

int
shards_finish(struct shards *s, const char *command)
{
	static const char *const of_first[] = {"test", "seed", "cluster",
	    "replicas", "storage", "client_library", "options"};
	const cJSON *row, *shards = forms_get(s->tree, "shards");
	int code = EXIT_PASS;
	size_t i;

	cJSON_ArrayForEach (row, shards) {
		code = forms_worse(
		    code, forms_word_code(forms_text(row, "result")));
		cJSON_DeleteItemFromObjectCaseSensitive(
		    (cJSON *)(uintptr_t)row, "harness");
	}
	say_verdict(s, code);
	(void)cJSON_AddBoolToObject(
	    s->tree, "finished", !s->has_missing && !s->has_unfinished);
	for (i = 0; i < sizeof(of_first) / sizeof(of_first[0]); i++)
		forms_copy(s->tree, s->first, of_first[i]);
	(void)cJSON_AddStringToObject(s->tree, "started", earliest(shards));
	(void)cJSON_AddStringToObject(s->tree, "command", command);
	finish_checks(s);
	finish_anomalies(s);
	return code;
}
