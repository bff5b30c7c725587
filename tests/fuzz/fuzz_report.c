/* SPDX-License-Identifier: ISC */
/*
 * Any text as a shard's report.json. What is believed does not contradict
 * itself; merged with itself and with a pass of another seed it is never
 * taken for better than it says, and what is merged is a report again.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "orchestrator/judge/judge.h"
#include "orchestrator/many/demand.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/shards.h"
#include "proto/base/stream.h"
#include "proto/json.h"

#define NESTING_MAX 64

static bool
has_violation(const cJSON *report)
{
	const cJSON *row;

	cJSON_ArrayForEach (row, json_get(report, "anomalies"))
		if (strcmp(json_text(row, "class"), "violation") == 0)
			return true;
	return false;
}

static void
must_agree(const cJSON *report)
{
	double code = json_number(report, "exit_code");

	MUST(has_violation(report) == (code == EXIT_VIOLATION));
	MUST((strcmp(json_text(report, "verdict"), "pass") == 0) ==
	     (code == EXIT_PASS));
	MUST((strcmp(json_text(report, "verdict"), "fail") == 0) ==
	     (code == EXIT_VIOLATION));
}

/* What others make of it: a report, a page, words. */
static void
must_be_report(const cJSON *tree)
{
	char why[DEMAND_WHY_MAX], *text;
	struct stream out;
	size_t len;
	cJSON *again;

	MUST(stream_open(&out) != NULL);
	shards_page(tree, out.file);
	shards_say(tree, "d", out.file);
	MUST(stream_close(&out, &text, &len) == 0);
	MUST(strlen(text) == len && len > 0);
	free(text);
	text = cJSON_Print(tree);
	MUST(text != NULL);
	again = cJSON_ParseWithOpts(text, NULL, 1);
	MUST(again != NULL);
	if (!demand_report(again, why)) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	must_agree(again);
	cJSON_Delete(again);
	cJSON_free(text);
}

static void
merge(const cJSON *report)
{
	int code = (int)json_number(report, "exit_code"), got;
	cJSON *other = cJSON_Duplicate(report, true);
	char why[256] = "";
	struct shards s;

	MUST(other != NULL);
	json_set_number(other, "seed", json_number(report, "seed") + 1);
	json_set_number(other, "rounds", 1);
	MUST(shards_init(&s) == 0);
	if (shards_add(&s, "a", report, why, sizeof(why)) == 0) {
		/* A run that is there twice is refused, which is said. */
		if (shards_add(&s, "b", other, why, sizeof(why)) < 0)
			MUST(why[0] != '\0');
		got = shards_finish(&s, "natsburn report --merge a b");
		MUST(got == code && forms_worse(got, code) == code);
		must_be_report(s.tree);
	} else
		MUST(why[0] != '\0');
	shards_fini(&s);
	cJSON_Delete(other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *report = json_parse((const char *)data, size, NESTING_MAX);
	char why[DEMAND_WHY_MAX];
	bool is_one = demand_report(report, why);

	MUST(is_one == (why[0] == '\0'));
	MUST(strnlen(why, sizeof(why)) < sizeof(why));
	if (is_one) {
		must_agree(report);
		cJSON_Delete(forms_outcome(report));
		merge(report);
	}
	cJSON_Delete(report);
	return 0;
}
