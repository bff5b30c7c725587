/* SPDX-License-Identifier: ISC */
/* The text that says what the bundle is; see bundle_parts.h. */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/report/bundle_parts.h"
#include "proto/base/stream.h"
#include "proto/json.h"

/* When something was, by the clock that the servers' logs have. */
static void
say_wall(const struct bundle *b, uint64_t ns, FILE *out)
{
	const struct stats *s = &b->h->stats;
	/* The wall clock of a damaged history may be any. */
	int64_t wall = (int64_t)((uint64_t)s->wall_ns + (ns - s->first_ns));
	char text[CLOCK_UTC_MAX];

	clock_utc(wall, text);
	fprintf(out, "%.10s %.8s.%03d UTC", text, text[0] ? text + 11 : "",
	    (int)(wall / (int64_t)CLOCK_MS % 1000));
}

static void
say_anomalies(const struct bundle *b, FILE *out)
{
	const struct anomaly *a;
	size_t i;

	if (judge_anomaly(b->h->judge, 0) == NULL)
		return;
	fputs("WHAT WAS OBSERVED\n\n", out);
	for (i = 0; i < 10; i++) {
		a = judge_anomaly(b->h->judge, i);
		if (a == NULL)
			break;
		fprintf(out, "* %s (%s, %s), one of %llu, at ",
		    anomaly_kind_name(a->kind), anomaly_class_name(a->class),
		    a->rule,
		    (unsigned long long)judge_count(
			b->h->judge, a->kind, a->class));
		say_wall(b, a->time_ns, out);
		fprintf(out, ":\n  %s\n", a->says);
	}
	fputs("\nThe rules are in natsburn's docs/guarantees.md, each with the "
	      "document or the\nsource of nats-server that it rests on. The "
	      "events that show each of these, and\nthe faults around them, "
	      "are in report.html (\"Anomalies\") and report.json.\n\n",
	    out);
}

static void
say_files(const struct bundle *b, FILE *out)
{
	fputs("FILES\n\n"
	      "report.html         the report: open it in a browser\n"
	      "report.json         the same as data; junit.xml: for CI\n"
	      "journal.txt         the run's frame (faults, leaders, phases), "
	      "and every event\n"
	      "                    from 10 s before to 2 s after an anomaly; "
	      "seconds since the\n"
	      "                    beginning of the load stand in front\n",
	    out);
	fprintf(out, "journal/            %s: %llu of %llu events\n",
	    b->is_part ? "the same, for natsburn" : "the whole history",
	    (unsigned long long)b->taken, (unsigned long long)b->events);
	fputs("servers/NAME/       configuration, log, and what the server "
	      "said at the end:\n"
	      "                    varz, jsz (streams, consumers, raft), "
	      "connz, routez, healthz\n\n",
	    out);
	if (!b->is_part)
		fputs("\"natsburn check .\" in this folder judges the history "
		      "again.\n",
		    out);
	fputs("Passwords, tokens, nkeys, JWTs and keys were replaced "
	      "by " REDACT_MARK
	      ".\nLook through it yourself before you make it "
	      "public.\n",
	    out);
}

static void
say_readme(const struct bundle *b, FILE *out)
{
	const cJSON *servers = json_get(b->tree, "servers");
	const cJSON *v;
	unsigned i;

	fprintf(out, "natsburn %s: %s (exit code %d)\n\n",
	    json_text(b->tree, "natsburn"), verdict_name(b->h->result.verdict),
	    (int)b->h->result.exit_code);
	for (i = 0; i < b->h->result.nreasons; i++)
		fprintf(out, "  %s\n", b->h->result.reasons[i]);
	fprintf(out, "\nWHAT WAS RUN\n\nTest %s, storage %s; servers:",
	    json_text(b->tree, "test"), json_text(b->tree, "storage"));
	cJSON_ArrayForEach (v, servers)
		fprintf(out, " %s %s", json_text(v, "name"),
		    json_text(v, "version"));
	fprintf(out, "; client %s.\nThe load began at ",
	    json_text(b->tree, "client_library"));
	say_wall(b, b->h->stats.load_ns, out);
	fprintf(out,
	    ".\nThis repeats it, with the same schedule of faults (what the "
	    "servers make of it\ndepends on the moment):\n\n  %s\n\n",
	    json_text(b->tree, "command"));
	say_anomalies(b, out);
	say_files(b, out);
}

int
bundle_put_readme(struct bundle *b)
{
	char *text = NULL;
	struct stream out;
	size_t len = 0;
	int err = -ENOMEM;

	if (stream_open(&out) != NULL) {
		say_readme(b, out.file);
		err = stream_close(&out, &text, &len);
	}
	err = err == 0
		  ? bundle_put_redacted(b, "README.txt", text, len, REDACT_OWN)
		  : bundle_fail(b, err, "README.txt");
	free(text);
	return err;
}
