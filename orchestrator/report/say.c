/* SPDX-License-Identifier: ISC */
/* The verdict in words; see report.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/report/manual.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/term.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"
#include "proto/topology.h"

#define PRICES_WIDTH  92  /* columns of the table of prices ... */
#define PRICES_HEIGHT 30  /* ... and rows that a screen has beside it */
#define SMALL_HEIGHT  30  /* rows of a screen that has no room for all */
#define SAY_ANOMALIES 3	  /* of a kind and class */
#define NAMED_MAX     8	  /* checks that were not exercised */
#define NAMES_MAX     512 /* bytes of their names */

static double
seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* Rows that a text takes on a terminal. */
static size_t
rows_of(const char *text, size_t width)
{
	size_t rows = 0, len;

	while (*text != '\0') {
		len = strcspn(text, "\n");
		rows += len == 0 ? 1 : (len + width - 1) / width;
		text += len + (text[len] == '\n');
	}
	return rows;
}

/* One anomaly, on a terminal in at most two rows. */
static size_t
say_anomaly(const struct anomaly *a, const struct term *t, FILE *out)
{
	char line[1024];
	size_t most = 2 * t->width - 1;

	text_format(line, sizeof(line), "  %s (%s, %s): %s",
	    anomaly_kind_name(a->kind), anomaly_class_name(a->class), a->rule,
	    a->says);
	if (t->is_terminal && strlen(line) > most && most < sizeof(line))
		memcpy(line + most - 3, "...", 4);
	fprintf(out, "%s%s%s\n",
	    a->class == CLASS_VIOLATION ? term_style(t, TERM_RED)
					: term_style(t, TERM_YELLOW),
	    line, term_plain(t));
	return rows_of(line, t->width);
}

/* The first of each kind and class, as far as there is room. */
static void
say_anomalies(
    const struct history *h, const struct term *t, size_t room, FILE *out)
{
	unsigned said[ANOMALY_COUNT][CLASS_COUNT] = {{0}};
	const struct anomaly *a;
	size_t i, used = 0, left_out = 0;

	for (i = 0; (a = judge_anomaly(h->judge, i)) != NULL; i++) {
		if (++said[a->kind][a->class] > SAY_ANOMALIES ||
		    (t->is_terminal && used + 3 > room))
			left_out++;
		else
			used += say_anomaly(a, t, out);
	}
	if (left_out > 0)
		fprintf(out, "  %zu more stand in report.html\n", left_out);
}

static void
say_faults(const struct stats *s, FILE *out)
{
	struct stats_totals all = stats_faults(s);

	fprintf(out, "  faults      %llu planned, %llu applied, %llu healed\n",
	    (unsigned long long)all.planned, (unsigned long long)all.applied,
	    (unsigned long long)all.healed);
}

static void
say_messages(const struct history *h, FILE *out)
{
	const struct stats *s = &h->stats;

	if (stats_seen(s, MESSAGE_PUBLISH_OK) == 0 && s->publish.count == 0)
		return;
	fprintf(out,
	    "  publish     %llu ok, %llu unknown, %llu retries, p50 %.2f ms, "
	    "p99 %.2f ms, p99.9 %.2f ms\n"
	    "  deliveries  %llu, redelivered %llu\n",
	    (unsigned long long)stats_seen(s, MESSAGE_PUBLISH_OK),
	    (unsigned long long)report_open_unknown(judge_ledger(h->judge)),
	    (unsigned long long)s->seen[MESSAGE_PUBLISH_INVOKE][CASE_AGAIN],
	    (double)hist_quantile(&s->publish, 0.5) / 1e6,
	    (double)hist_quantile(&s->publish, 0.99) / 1e6,
	    (double)hist_quantile(&s->publish, 0.999) / 1e6,
	    (unsigned long long)stats_seen(s, MESSAGE_DELIVER),
	    (unsigned long long)s->seen[MESSAGE_DELIVER][CASE_AGAIN]);
}

/* Tests of keys and of stream lists have figures of their own. */
static void
say_others(const struct stats *s, FILE *out)
{
	if (stats_seen(s, MESSAGE_KV_VALUE) +
		stats_seen(s, MESSAGE_KV_UPDATE_OK) >
	    0)
		fprintf(out,
		    "  keys        %llu reads, %llu updates, %llu rejected\n",
		    (unsigned long long)stats_seen(s, MESSAGE_KV_VALUE),
		    (unsigned long long)stats_seen(s, MESSAGE_KV_UPDATE_OK),
		    (unsigned long long)stats_seen(
			s, MESSAGE_KV_UPDATE_REJECTED));
	if (s->seen[MESSAGE_STREAM_LIST_END][CASE_OK] > 0)
		fprintf(out,
		    "  streams     %llu added, %llu deleted, %llu listings\n",
		    (unsigned long long)stats_seen(s, MESSAGE_STREAM_ADD_OK),
		    (unsigned long long)stats_seen(s, MESSAGE_STREAM_REMOVE_OK),
		    (unsigned long long)
			s->seen[MESSAGE_STREAM_LIST_END][CASE_OK]);
}

static void
say_price(const char *mode, const struct price *p, FILE *out)
{
	char outage[24] = "-", heal[24] = "-", p50[24] = "-", p99[24] = "-";

	if (p->faults > 0) {
		text_format(
		    outage, sizeof(outage), "%.2f s", seconds(p->outage_ns));
		text_format(heal, sizeof(heal), "%.1f s", seconds(p->heal_ns));
	}
	if (p->latency.count > 0) {
		text_format(p50, sizeof(p50), "%.1f ms",
		    seconds(hist_quantile(&p->latency, 0.50)) * 1e3);
		text_format(p99, sizeof(p99), "%.1f ms",
		    seconds(hist_quantile(&p->latency, 0.99)) * 1e3);
	}
	fprintf(out, "              %-18.18s %9s %11s %11s %7llu %7llu %8s\n",
	    mode, outage, p50, p99, (unsigned long long)p->retries,
	    (unsigned long long)p->redeliveries, heal);
}

/* What the faults of each mode cost, beside the time without any. */
static void
say_prices(const struct stats *s, const struct term *t, FILE *out)
{
	unsigned i, any = 0;

	for (i = 0; s->prices != NULL && i < s->nmodes; i++)
		any += s->prices->modes[i].faults > 0;
	if (any == 0 || s->no_load)
		return;
	/* A small screen is for what was found. */
	if (t->is_terminal &&
	    (t->width < PRICES_WIDTH || t->height < PRICES_HEIGHT + any)) {
		fputs("  price       of faults by mode: in report.html\n", out);
		return;
	}
	fprintf(out, "  price       %-18s %9s %11s %11s %7s %7s %8s\n", "of",
	    "outage", "p50", "p99", "retries", "redeliv", "heal");
	say_price("no fault", &s->prices->none, out);
	for (i = 0; i < s->nmodes; i++)
		if (s->prices->modes[i].faults > 0)
			say_price(s->modes[i].name, &s->prices->modes[i], out);
}

static void
say_limits(const struct history *h, FILE *out)
{
	char measured[32];
	unsigned i;

	for (i = 0; i < h->nlimits; i++) {
		/* It is a reason of the exit code then. */
		if (h->limits[i].says != THRESHOLD_KEPT &&
		    h->result.exit_code == EXIT_LIMIT)
			continue;
		threshold_measured(&h->limits[i], measured, sizeof(measured));
		fprintf(out, "  limit       %s: %s%s%s\n", h->limits[i].text,
		    h->limits[i].says == THRESHOLD_UNMEASURED
			? ""
			: threshold_word(h->limits[i].says),
		    h->limits[i].says == THRESHOLD_UNMEASURED ? "" : ", ",
		    measured);
	}
}

static void
say_host(const struct stats_host *h, FILE *out)
{
	if (h->span_ns == 0)
		return;
	fprintf(out, "  host        up to %.1f tasks shared a processor",
	    (double)h->most / 100);
	if (h->known_ns > 0)
		fprintf(out, "; pressure %u %%",
		    (unsigned)(h->pressure_ns * 100 / h->known_ns));
	fputc('\n', out);
}

static void
say_figures(const struct history *h, const struct term *t, FILE *out)
{
	const struct stats *s = &h->stats;
	double load = seconds(
	    (s->load_end_ns ? s->load_end_ns : s->last_ns) - s->load_ns);

	if (s->load_ns == 0)
		return;
	if (!config_has_load(judge_config(h->judge))) {
		fprintf(out, "  time        %.1f s, no load\n", load);
	} else {
		fprintf(out, "  rounds      %llu in %.1f s (%.0f/s)\n",
		    (unsigned long long)s->rounds, load,
		    load > 0 ? (double)s->rounds / load : 0.0);
		say_messages(h, out);
		say_others(s, out);
		fprintf(out, "  stall       longest %.2f s\n",
		    seconds(s->other_stall_ns));
		if (s->ack_wait_stall_ns >= SERIES_LONG_NS)
			fprintf(out,
			    "              %.2f s while the test waited for "
			    "its "
			    "own AckWait\n",
			    seconds(s->ack_wait_stall_ns));
	}
	say_faults(s, out);
	say_prices(s, t, out);
	if (stats_seen(s, MESSAGE_SCAN_MESSAGE) +
		stats_seen(s, MESSAGE_SCAN_ABSENT) >
	    0)
		fprintf(out,
		    "  audit       %llu messages read, %llu sequences empty\n",
		    (unsigned long long)stats_seen(s, MESSAGE_SCAN_MESSAGE),
		    (unsigned long long)stats_seen(s, MESSAGE_SCAN_ABSENT));
}

/*
 * Of a run that is not whole nothing is said: no check holds. Without a load
 * most were not exercised, and naming them tells nothing; nor does it where
 * they are many.
 */
static void
say_checks(const struct history *h, FILE *out)
{
	const struct check_ops *const *c;
	unsigned holds = 0, others = 0;
	char names[NAMES_MAX] = "";

	if (!h->result.is_whole || !config_has_load(judge_config(h->judge)))
		return;
	for (c = check_table; *c != NULL; c++) {
		holds += strcmp(report_check_says(h, *c), "holds") == 0;
		if (strcmp(report_check_says(h, *c), "not_exercised") == 0 &&
		    others++ < NAMED_MAX)
			text_add(names, sizeof(names), "%s%s",
			    names[0] != '\0' ? ", " : "", (*c)->name);
	}
	fprintf(out, "  checks      %u hold", holds);
	if (others > NAMED_MAX)
		fprintf(
		    out, "; %u not exercised, which report.html names", others);
	else if (others > 0)
		fprintf(out, "; not exercised: %s", names);
	fputc('\n', out);
}

/* Each server, and behind the last of a cluster its name if there are more. */
static void
say_servers(const struct history *h, FILE *out)
{
	const struct stats_server *s = h->stats.servers;
	char cluster[TOPOLOGY_NAME_MAX], next[TOPOLOGY_NAME_MAX];
	const struct run_config *c = judge_config(h->judge);
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX && s[i].name[0] != '\0'; i++) {
		fprintf(out, "%s%s %s", i ? ", " : "  servers     ", s[i].name,
		    s[i].version);
		topology_server(c, i + 1, cluster);
		topology_server(c, i + 2, next);
		if (cluster[0] != '\0' &&
		    (i + 1 == CONFIG_NODES_MAX || s[i + 1].name[0] == '\0' ||
			strcmp(cluster, next) != 0))
			fprintf(out, " (%s)", cluster);
	}
	if (s[0].name[0] != '\0')
		fputc('\n', out);
}

static void
say_head(const struct history *h, const struct term *t, FILE *out)
{
	const struct run_config *c = judge_config(h->judge);
	char remedy[512];
	unsigned i;

	for (i = 0; i < h->result.nreasons; i++) {
		fprintf(out, "  %s\n", h->result.reasons[i]);
		if (manual_remedy(h->result.reasons[i], remedy, sizeof(remedy)))
			fprintf(out, "              what to do: %s\n", remedy);
	}
	fprintf(out, "  test        %s, mayhem %s, seed %llu\n", c->test,
	    c->mayhem, (unsigned long long)c->seed);
	say_servers(h, out);
	say_figures(h, t, out);
	say_host(&h->stats.host, out);
	say_checks(h, out);
	say_limits(h, out);
	if (h->stats.workers_died > 0 ||
	    stats_seen(&h->stats, MESSAGE_CHILD_GAP) > 0)
		fprintf(out, "  harness     %llu children died, %llu gaps\n",
		    (unsigned long long)h->stats.workers_died,
		    (unsigned long long)stats_seen(
			&h->stats, MESSAGE_CHILD_GAP));
	for (i = 0; i < h->result.nnotes; i++)
		fprintf(out, "  note        %s\n", h->result.notes[i]);
}

/* Rows that are left for anomalies when the rest stands. */
static size_t
room_left(const struct term *t, const char *text, const char *run_dir)
{
	/* The verdict, two lines with paths, what is left out, the prompt. */
	size_t used = rows_of(text, t->width) + 3 +
		      2 * ((strlen(run_dir) + 32) / t->width + 1);

	if (t->height >= SMALL_HEIGHT)
		used += 2;
	return used < t->height ? t->height - used : 0;
}

/* A pass: what was looked at, and what was not. */
static void
pass_words(const struct history *h, char words[REPORT_WORDS_MAX])
{
	const struct run_config *config = judge_config(h->judge);
	struct stats_totals faults = stats_faults(&h->stats);
	const struct check_ops *const *c;
	unsigned holds = 0, all = 0;

	for (c = check_table; *c != NULL; c++, all++)
		holds += strcmp(report_check_says(h, *c), "holds") == 0;
	if (config_has_load(config))
		text_format(words, REPORT_WORDS_MAX,
		    "%u checks hold, %u were not exercised", holds,
		    all - holds);
	else if (strcmp(config->mayhem, "none") != 0)
		text_format(words, REPORT_WORDS_MAX,
		    "%llu fault%s applied and %llu healed; no load was judged",
		    (unsigned long long)faults.applied,
		    faults.applied == 1 ? "" : "s",
		    (unsigned long long)faults.healed);
	else
		text_set(words, REPORT_WORDS_MAX,
		    "the cluster ran; no load was judged");
}

const char *
report_verdict(const struct history *h, char words[REPORT_WORDS_MAX])
{
	static const char *const names[VERDICT_COUNT] = {
	    "PASS", "FAIL", "INCONCLUSIVE", "SKIPPED"};
	static const char *const says[VERDICT_COUNT] = {
	    [VERDICT_FAIL] = "JetStream broke a promise",
	    [VERDICT_INCONCLUSIVE] = "this run proves nothing",
	    [VERDICT_SKIPPED] = "nothing was run: the driver, or the servers, "
				"can't do what was asked",
	};
	enum verdict v = h->result.verdict;

	if (v == VERDICT_PASS)
		pass_words(h, words);
	else
		text_set(words, REPORT_WORDS_MAX, says[v]);
	if (h->result.exit_code == EXIT_HARNESS)
		text_set(words, REPORT_WORDS_MAX,
		    "natsburn itself failed: this run proves nothing");
	if (h->result.exit_code == EXIT_LIMIT) {
		text_set(words, REPORT_WORDS_MAX,
		    "no promise was broken, and a --limit is exceeded");
		return "LIMIT";
	}
	if (h->result.exit_code != EXIT_CLUSTER)
		return names[v];
	text_set(words, REPORT_WORDS_MAX, "the cluster can't be used");
	return "ERROR";
}

/* What explains it, and where the rest is. The page leads to all of it. */
static void
say_where(const struct history *h, const struct term *t, const char *run_dir,
    FILE *out)
{
	bool is_small = t->is_terminal && t->height < SMALL_HEIGHT, has_page;
	const struct anomaly *a = judge_anomaly(h->judge, 0);
	char page[CONFIG_PATH_MAX + 16];

	text_format(page, sizeof(page), "%s/report.html", run_dir);
	has_page = file_exists(page);
	if (a != NULL && !is_small)
		fprintf(out, "  to explain  natsburn explain %s\n",
		    anomaly_kind_name(a->kind));
	if (!is_small || !has_page)
		fprintf(out, "  evidence    %s\n", run_dir);
	if (has_page)
		fprintf(out, "  page        %s\n", page);
}

void
report_say(const struct history *h, const char *run_dir, FILE *out)
{
	static const enum term_style styles[VERDICT_COUNT] = {
	    TERM_GREEN, TERM_RED, TERM_YELLOW, TERM_YELLOW};
	char words[REPORT_WORDS_MAX];
	const char *verdict = report_verdict(h, words);
	struct stream head;
	char *text = NULL;
	struct term t;
	size_t len;

	term_look(&t, out);
	fprintf(out, "%s%s: %s%s (exit code %d)\n",
	    term_style(&t, styles[h->result.verdict]), verdict, words,
	    term_plain(&t), h->result.exit_code);
	if (stream_open(&head) != NULL) {
		say_head(h, &t, head.file);
		if (stream_close(&head, &text, &len) == 0)
			fputs(text, out);
	}
	say_anomalies(
	    h, &t, text != NULL ? room_left(&t, text, run_dir) : 0, out);
	free(text);
	say_where(h, &t, run_dir, out);
}
