/* SPDX-License-Identifier: ISC */
/* The verdict in words; see report.h. */
#include <string.h>

#include "orchestrator/report.h"
#include "proto/base/clock.h"

#define SAY_ANOMALIES 3 /* of a kind and class */

static double
seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static void
say_anomalies(const struct history *h, FILE *out)
{
	unsigned said[ANOMALY_COUNT][CLASS_COUNT] = {{0}};
	const struct anomaly *a;
	size_t i;

	for (i = 0; (a = judge_anomaly(h->judge, i)) != NULL; i++) {
		if (++said[a->kind][a->class] > SAY_ANOMALIES)
			continue; /* the rest is in report.json */
		fprintf(out, "  %s (%s, %s): %s\n", anomaly_kind_name(a->kind),
		    anomaly_class_name(a->class), a->rule, a->says);
	}
}

static void
say_faults(const struct stats *s, FILE *out)
{
	size_t i, applied = 0, healed = 0;

	for (i = 0; i < s->nfaults; i++) {
		applied += s->faults[i].applied;
		healed += s->faults[i].healed;
	}
	fprintf(out, "  faults      %zu planned, %zu applied, %zu healed\n",
	    s->nfaults, applied, healed);
}

static void
say_messages(const struct history *h, FILE *out)
{
	const struct stats *s = &h->stats;

	if (s->publish_ok == 0 && s->publish.count == 0)
		return;
	fprintf(out,
	    "  publish     %llu ok, %llu unknown, %llu retries, p50 %.2f ms, "
	    "p99 %.2f ms\n"
	    "  deliveries  %llu, redelivered %llu\n",
	    (unsigned long long)s->publish_ok,
	    (unsigned long long)report_open_unknown(judge_ledger(h->judge)),
	    (unsigned long long)s->publish_retries,
	    (double)hist_quantile(&s->publish, 0.5) / 1e6,
	    (double)hist_quantile(&s->publish, 0.99) / 1e6,
	    (unsigned long long)s->deliver, (unsigned long long)s->redeliver);
}

/* Tests of keys and of stream lists have figures of their own. */
static void
say_others(const struct stats *s, FILE *out)
{
	if (s->reads + s->updates > 0)
		fprintf(out,
		    "  keys        %llu reads, %llu updates, %llu rejected\n",
		    (unsigned long long)s->reads,
		    (unsigned long long)s->updates,
		    (unsigned long long)s->rejected);
	if (s->listings > 0)
		fprintf(out,
		    "  streams     %llu added, %llu deleted, %llu listings\n",
		    (unsigned long long)s->streams_added,
		    (unsigned long long)s->streams_removed,
		    (unsigned long long)s->listings);
}

static void
say_figures(const struct history *h, FILE *out)
{
	const struct stats *s = &h->stats;
	double load = seconds(
	    (s->load_end_ns ? s->load_end_ns : s->last_ns) - s->load_ns);

	if (s->load_ns == 0)
		return;
	fprintf(out, "  rounds      %llu in %.1f s (%.0f/s)\n",
	    (unsigned long long)s->rounds, load,
	    load > 0 ? (double)s->rounds / load : 0.0);
	say_messages(h, out);
	say_others(s, out);
	fprintf(out, "  stall       longest %.2f s\n",
	    seconds(s->longest_stall_ns));
	say_faults(s, out);
	if (s->scanned + s->absent > 0)
		fprintf(out,
		    "  audit       %llu messages read, %llu sequences empty\n",
		    (unsigned long long)s->scanned,
		    (unsigned long long)s->absent);
}

void
report_say(const struct history *h, const char *run_dir, FILE *out)
{
	static const char *const words[VERDICT_COUNT] = {
	    [VERDICT_PASS] = "PASS: every check holds",
	    [VERDICT_FAIL] = "FAIL: JetStream broke a promise",
	    [VERDICT_INCONCLUSIVE] = "INCONCLUSIVE: this run proves nothing",
	    [VERDICT_SKIPPED] = "SKIPPED",
	};
	const struct run_config *c = judge_config(h->judge);
	unsigned i;

	fprintf(out, "%s (exit code %d)\n", words[h->result.verdict],
	    h->result.exit_code);
	for (i = 0; i < h->result.nreasons; i++)
		fprintf(out, "  %s\n", h->result.reasons[i]);
	fprintf(out, "  test        %s, mayhem %s, seed %llu\n", c->test,
	    c->mayhem, (unsigned long long)c->seed);
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (h->stats.servers[i].name[0] != '\0')
			fprintf(out, "%s%s %s", i ? ", " : "  servers     ",
			    h->stats.servers[i].name,
			    h->stats.servers[i].version);
	if (h->stats.servers[0].name[0] != '\0')
		fputc('\n', out);
	say_figures(h, out);
	if (h->stats.workers_died > 0 || h->stats.gaps > 0)
		fprintf(out, "  harness     %llu children died, %llu gaps\n",
		    (unsigned long long)h->stats.workers_died,
		    (unsigned long long)h->stats.gaps);
	say_anomalies(h, out);
	fprintf(out, "  evidence    %s\n", run_dir);
}
