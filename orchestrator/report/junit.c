/* SPDX-License-Identifier: ISC */
/*
 * The report as JUnit XML; see junit.h.
 *
 *   a check found a violation           failure, with the evidence
 *   a check had nothing to judge        skipped
 *   the run is not whole (inconclusive,
 *   harness, cluster)                   case "run": error; a check that
 *                                       found nothing: skipped
 *   skipped                             everything skipped
 *   a --limit was exceeded              case "limit ...": failure, of the type
 *                                       "limit"
 *
 * A reader that counts failures and errors is then never green when
 * natsburn's exit code is not 0 or 3.
 */
#include <string.h>

#include "orchestrator/many/forms.h"
#include "orchestrator/report/junit.h"
#include "orchestrator/report/markup.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"

static void
property(FILE *out, const char *name, const char *value)
{
	fputs("      <property", out);
	forms_attribute(out, "name", name);
	forms_attribute(out, "value", value);
	fputs("/>\n", out);
}

static void
properties(const cJSON *tree, FILE *out)
{
	const cJSON *servers = json_get(tree, "servers");
	const cJSON *v;
	char seed[32];

	text_format(seed, sizeof(seed), "%.0f", json_number(tree, "seed"));
	fputs("    <properties>\n", out);
	property(out, "natsburn", json_text(tree, "natsburn"));
	property(out, "verdict", json_text(tree, "verdict"));
	property(out, "seed", seed);
	property(out, "command", json_text(tree, "command"));
	cJSON_ArrayForEach (v, servers)
		property(out, json_text(v, "name"), json_text(v, "version"));
	fputs("    </properties>\n", out);
}

/* The sentences and the events of a check's anomalies. */
static void
evidence(const cJSON *tree, const char *check, bool violations, FILE *out)
{
	const cJSON *anomalies = json_get(tree, "anomalies");
	const cJSON *a, *ev;
	char *line;

	cJSON_ArrayForEach (a, anomalies) {
		if (strcmp(json_text(a, "check"), check) != 0 ||
		    (strcmp(json_text(a, "class"), "violation") == 0) !=
			violations)
			continue;
		fprintf(out, "%s (%s, ", json_text(a, "kind"),
		    json_text(a, "class"));
		markup_text(out, json_text(a, "rule"));
		fprintf(out, ") at %.3f s: ", json_number(a, "t"));
		markup_text(out, json_text(a, "says"));
		fputc('\n', out);
		cJSON_ArrayForEach (ev, json_get(a, "events")) {
			line = cJSON_PrintUnformatted(ev);
			fputs("  ", out);
			markup_text(out, line != NULL ? line : "?");
			fputc('\n', out);
			cJSON_free(line);
		}
	}
}

static const char *
first_sentence(const cJSON *tree, const char *check, const char **kind)
{
	const cJSON *a;

	cJSON_ArrayForEach (a, json_get(tree, "anomalies"))
		if (strcmp(json_text(a, "check"), check) == 0 &&
		    strcmp(json_text(a, "class"), "violation") == 0) {
			*kind = json_text(a, "kind");
			return json_text(a, "says");
		}
	return "";
}

static bool
is_verdict(const cJSON *tree, const char *verdict)
{
	return strcmp(json_text(tree, "verdict"), verdict) == 0;
}

/* Only in a run that is not whole nothing found proves nothing. */
static bool
is_whole(const cJSON *tree)
{
	const cJSON *check;

	cJSON_ArrayForEach (check, json_get(tree, "checks")) {
		if (strcmp(json_text(check, "says"), "unproven") == 0)
			return false;
	}
	return true;
}

static const char *
first_reason(const cJSON *tree)
{
	const char *first = cJSON_GetStringValue(
	    cJSON_GetArrayItem(json_get(tree, "reasons"), 0));

	return first != NULL	? first
	       : is_whole(tree) ? "no reason given"
				: "the run is not whole: see the case \"run\"";
}

static void
begin_case(const cJSON *tree, const char *name, double seconds, FILE *out)
{
	fputs("    <testcase", out);
	forms_attribute(out, "name", name);
	fputs(" classname=\"natsburn.", out);
	markup_text(out, json_text(tree, "test"));
	fprintf(out, "\" time=\"%.3f\">\n", seconds);
}

/* Of this check the run shows nothing. */
static bool
is_skipped(const cJSON *check)
{
	return strcmp(json_text(check, "says"), "unproven") == 0 ||
	       strcmp(json_text(check, "says"), "not_exercised") == 0;
}

static void
write_check(const cJSON *tree, const cJSON *check, FILE *out)
{
	const char *name = json_text(check, "name"), *kind = "", *says;
	bool remarks =
	    json_number(check, "documented") + json_number(check, "warnings") >
	    0;

	begin_case(tree, name, 0, out);
	if (strcmp(json_text(check, "says"), "broken") == 0) {
		says = first_sentence(tree, name, &kind);
		fputs("      <failure", out);
		forms_attribute(out, "message", says);
		forms_attribute(out, "type", kind);
		fputc('>', out);
		evidence(tree, name, true, out);
		fputs("</failure>\n", out);
	} else if (is_skipped(check)) {
		fputs("      <skipped", out);
		forms_attribute(out, "message",
		    strcmp(json_text(check, "says"), "unproven") != 0
			? "not exercised: nothing in this run was for it to "
			  "judge"
		    : is_verdict(tree, "fail")
			? "found nothing, in a run that is not whole"
			: first_reason(tree));
		fputs("/>\n", out);
	}
	if (remarks) {
		fputs("      <system-out>", out);
		evidence(tree, name, false, out);
		fputs("</system-out>\n", out);
	}
	fputs("    </testcase>\n", out);
}

static bool
is_kept(const cJSON *limit)
{
	return strcmp(json_text(limit, "says"), "kept") == 0;
}

/* How well the cluster served; no case of a check is touched by it. */
static void
write_limit(const cJSON *tree, const cJSON *limit, FILE *out)
{
	char name[96], message[128];

	text_format(name, sizeof(name), "limit %s", json_text(limit, "limit"));
	begin_case(tree, name, 0, out);
	if (!is_kept(limit)) {
		text_format(message, sizeof(message), "%s: %s",
		    json_text(limit, "says"), json_text(limit, "measured"));
		fputs("      <failure", out);
		forms_attribute(out, "message", message);
		forms_attribute(out, "type", "limit");
		fputs("/>\n", out);
	}
	fputs("    </testcase>\n", out);
}

static bool
is_error(const cJSON *tree)
{
	return is_verdict(tree, "inconclusive") ||
	       (is_verdict(tree, "fail") && !is_whole(tree));
}

/* Did the run do what it takes to say anything? */
static void
write_run(const cJSON *tree, FILE *out)
{
	const cJSON *reason;

	begin_case(tree, "run", json_number(tree, "total_s"), out);
	if (is_verdict(tree, "skipped")) {
		fputs("      <skipped", out);
		forms_attribute(out, "message", first_reason(tree));
		fputs("/>\n", out);
	} else if (is_error(tree)) {
		fputs("      <error", out);
		forms_attribute(out, "message",
		    is_verdict(tree, "fail")
			? "beside the violations: the run is not whole"
			: first_reason(tree));
		forms_attribute(out, "type", json_text(tree, "verdict"));
		fputc('>', out);
		cJSON_ArrayForEach (reason, json_get(tree, "reasons")) {
			markup_text(out, cJSON_GetStringValue(reason));
			fputc('\n', out);
		}
		fputs("</error>\n", out);
	}
	fputs("    </testcase>\n", out);
}

struct junit_tally
junit_count(const cJSON *tree)
{
	struct junit_tally t = {.tests = 1};
	const cJSON *check, *limit;

	t.errors = is_error(tree);
	t.skipped = is_verdict(tree, "skipped");
	cJSON_ArrayForEach (check, json_get(tree, "checks")) {
		t.tests++;
		t.failures += strcmp(json_text(check, "says"), "broken") == 0;
		t.skipped += is_skipped(check);
	}
	cJSON_ArrayForEach (limit, json_get(tree, "limits")) {
		t.tests++;
		t.failures += !is_kept(limit);
	}
	return t;
}

void
junit_suite(const cJSON *tree, const char *name, FILE *out)
{
	struct junit_tally t = junit_count(tree);
	char local[CLOCK_UTC_MAX];
	const char *started = json_text(tree, "started");
	const cJSON *check, *limit;

	fputs("  <testsuite", out);
	forms_attribute(out, "name", name);
	fprintf(out,
	    " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" "
	    "time=\"%.3f\"",
	    t.tests, t.failures, t.errors, t.skipped,
	    json_number(tree, "total_s"));
	/* Readers want a local time without a zone. */
	if (strlen(started) > 1) {
		text_set(local, sizeof(local), started);
		local[strlen(local) - 1] = '\0';
		fputs(" timestamp=\"", out);
		markup_text(out, local);
		fputs("\"", out);
	}
	fputs(">\n", out);
	properties(tree, out);
	write_run(tree, out);
	cJSON_ArrayForEach (check, json_get(tree, "checks"))
		write_check(tree, check, out);
	cJSON_ArrayForEach (limit, json_get(tree, "limits"))
		write_limit(tree, limit, out);
	fputs("  </testsuite>\n", out);
}

void
junit_write(const struct history *h, const cJSON *tree, FILE *out)
{
	struct junit_tally t = junit_count(tree);

	(void)h; /* the page needs it, and both are made alike */
	fprintf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuites name=\"natsburn\" tests=\"%u\" failures=\"%u\" "
	    "errors=\"%u\" time=\"%.3f\">\n",
	    t.tests, t.failures, t.errors, json_number(tree, "total_s"));
	junit_suite(tree, json_text(tree, "test"), out);
	fputs("</testsuites>\n", out);
}
