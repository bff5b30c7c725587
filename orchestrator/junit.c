/* SPDX-License-Identifier: ISC */
/*
 * The report as JUnit XML; see junit.h.
 *
 *   a check found a violation           failure, with the evidence
 *   the run is not whole (inconclusive,
 *   harness, cluster)                   case "run": error; a check that
 *                                       found nothing: skipped
 *   skipped                             everything skipped
 *
 * A reader that counts failures and errors is then never green when
 * natsburn's exit code is not 0 or 3.
 */
#include <string.h>

#include "orchestrator/history.h"
#include "orchestrator/junit.h"
#include "orchestrator/markup.h"

static const char *
text_of(const cJSON *o, const char *name)
{
	const char *text =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	return text != NULL ? text : "";
}

static double
number_of(const cJSON *o, const char *name)
{
	return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static void
attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	markup_text(out, value);
	fputc('"', out);
}

static void
property(FILE *out, const char *name, const char *value)
{
	fputs("      <property", out);
	attribute(out, "name", name);
	attribute(out, "value", value);
	fputs("/>\n", out);
}

static void
properties(const cJSON *tree, FILE *out)
{
	const cJSON *servers =
	    cJSON_GetObjectItemCaseSensitive(tree, "servers");
	const cJSON *v;
	char seed[32];

	(void)snprintf(seed, sizeof(seed), "%.0f", number_of(tree, "seed"));
	fputs("    <properties>\n", out);
	property(out, "natsburn", text_of(tree, "natsburn"));
	property(out, "verdict", text_of(tree, "verdict"));
	property(out, "seed", seed);
	property(out, "command", text_of(tree, "command"));
	cJSON_ArrayForEach(v, servers)
	    property(out, text_of(v, "name"), text_of(v, "version"));
	fputs("    </properties>\n", out);
}

/* The sentences and the events of a check's anomalies. */
static void
evidence(const cJSON *tree, const char *check, bool violations, FILE *out)
{
	const cJSON *anomalies =
	    cJSON_GetObjectItemCaseSensitive(tree, "anomalies");
	const cJSON *a, *ev;
	char *line;

	cJSON_ArrayForEach(a, anomalies)
	{
		if (strcmp(text_of(a, "check"), check) != 0 ||
		    (strcmp(text_of(a, "class"), "violation") == 0) !=
			violations)
			continue;
		fprintf(
		    out, "%s (%s, ", text_of(a, "kind"), text_of(a, "class"));
		markup_text(out, text_of(a, "rule"));
		fprintf(out, ") at %.3f s: ", number_of(a, "t"));
		markup_text(out, text_of(a, "says"));
		fputc('\n', out);
		cJSON_ArrayForEach(
		    ev, cJSON_GetObjectItemCaseSensitive(a, "events"))
		{
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

	cJSON_ArrayForEach(a,
	    cJSON_GetObjectItemCaseSensitive(tree,
		"anomalies")) if (strcmp(text_of(a, "check"), check) == 0 &&
				  strcmp(text_of(a, "class"), "violation") == 0)
	{
		*kind = text_of(a, "kind");
		return text_of(a, "says");
	}
	return "";
}

static const char *
first_reason(const struct history *h)
{
	return h->result.nreasons > 0 ? h->result.reasons[0]
	       : h->result.is_whole
		   ? "no reason given"
		   : "the run is not whole: see the case \"run\"";
}

static void
begin_case(const cJSON *tree, const char *name, double seconds, FILE *out)
{
	fputs("    <testcase", out);
	attribute(out, "name", name);
	fputs(" classname=\"natsburn.", out);
	markup_text(out, text_of(tree, "test"));
	fprintf(out, "\" time=\"%.3f\">\n", seconds);
}

static void
write_check(
    const struct history *h, const cJSON *tree, const cJSON *check, FILE *out)
{
	const char *name = text_of(check, "name"), *kind = "", *says;
	bool remarks =
	    number_of(check, "documented") + number_of(check, "warnings") > 0;

	begin_case(tree, name, 0, out);
	if (strcmp(text_of(check, "says"), "broken") == 0) {
		says = first_sentence(tree, name, &kind);
		fputs("      <failure", out);
		attribute(out, "message", says);
		attribute(out, "type", kind);
		fputc('>', out);
		evidence(tree, name, true, out);
		fputs("</failure>\n", out);
	} else if (strcmp(text_of(check, "says"), "unproven") == 0) {
		fputs("      <skipped", out);
		attribute(out, "message",
		    h->result.verdict == VERDICT_FAIL
			? "found nothing, in a run that is not whole"
			: first_reason(h));
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
is_error(const struct history *h)
{
	return h->result.verdict == VERDICT_INCONCLUSIVE ||
	       (h->result.verdict == VERDICT_FAIL && !h->result.is_whole);
}

/* Did the run do what it takes to say anything? */
static void
write_run(const struct history *h, const cJSON *tree, FILE *out)
{
	unsigned i;

	begin_case(tree, "run", number_of(tree, "total_s"), out);
	if (h->result.verdict == VERDICT_SKIPPED) {
		fputs("      <skipped", out);
		attribute(out, "message", first_reason(h));
		fputs("/>\n", out);
	} else if (is_error(h)) {
		fputs("      <error", out);
		attribute(out, "message",
		    h->result.verdict == VERDICT_FAIL
			? "beside the violations: the run is not whole"
			: first_reason(h));
		attribute(out, "type", verdict_name(h->result.verdict));
		fputc('>', out);
		for (i = 0; i < h->result.nreasons; i++) {
			markup_text(out, h->result.reasons[i]);
			fputc('\n', out);
		}
		fputs("</error>\n", out);
	}
	fputs("    </testcase>\n", out);
}

struct tally {
	unsigned tests, failures, errors, skipped;
};

static struct tally
count_cases(const struct history *h, const cJSON *checks)
{
	struct tally t = {.tests = 1};
	const cJSON *check;

	t.errors = is_error(h);
	t.skipped = h->result.verdict == VERDICT_SKIPPED;
	cJSON_ArrayForEach(check, checks)
	{
		t.tests++;
		t.failures += strcmp(text_of(check, "says"), "broken") == 0;
		t.skipped += strcmp(text_of(check, "says"), "unproven") == 0;
	}
	return t;
}

void
junit_write(const struct history *h, const cJSON *tree, FILE *out)
{
	const cJSON *checks = cJSON_GetObjectItemCaseSensitive(tree, "checks");
	struct tally t = count_cases(h, checks);
	const char *started = text_of(tree, "started");
	const cJSON *check;

	fprintf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuites name=\"natsburn\" tests=\"%u\" failures=\"%u\" "
	    "errors=\"%u\" time=\"%.3f\">\n"
	    "  <testsuite",
	    t.tests, t.failures, t.errors, number_of(tree, "total_s"));
	attribute(out, "name", text_of(tree, "test"));
	fprintf(out,
	    " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" "
	    "time=\"%.3f\"",
	    t.tests, t.failures, t.errors, t.skipped,
	    number_of(tree, "total_s"));
	/* Readers want a local time without a zone. */
	if (strlen(started) > 1)
		fprintf(out, " timestamp=\"%.*s\"", (int)strlen(started) - 1,
		    started);
	fputs(">\n", out);
	properties(tree, out);
	write_run(h, tree, out);
	cJSON_ArrayForEach(check, checks) write_check(h, tree, check, out);
	fputs("  </testsuite>\n</testsuites>\n", out);
}
