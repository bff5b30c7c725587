/* SPDX-License-Identifier: ISC */
/* The verdict in words; see report.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/report/report.h"
#include "orchestrator/report/term.h"
#include "proto/base/clock.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"

#define SAY_ANOMALIES 3 /* of a kind and class */

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
	    "p99 %.2f ms\n"
	    "  deliveries  %llu, redelivered %llu\n",
	    (unsigned long long)stats_seen(s, MESSAGE_PUBLISH_OK),
	    (unsigned long long)report_open_unknown(judge_ledger(h->judge)),
	    (unsigned long long)s->seen[MESSAGE_PUBLISH_INVOKE][CASE_AGAIN],
	    (double)hist_quantile(&s->publish, 0.5) / 1e6,
	    (double)hist_quantile(&s->publish, 0.99) / 1e6,
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
say_figures(const struct history *h, FILE *out)
{
	const struct stats *s = &h->stats;
	double load = seconds(
	    (s->load_end_ns ? s->load_end_ns : s->last_ns) - s->load_ns);

	if (s->load_ns == 0)
		return;
	if (strcmp(judge_config(h->judge)->test, "none") == 0) {
		fprintf(out, "  time        %.1f s, no load\n", load);
	} else {
		fprintf(out, "  rounds      %llu in %.1f s (%.0f/s)\n",
		    (unsigned long long)s->rounds, load,
		    load > 0 ? (double)s->rounds / load : 0.0);
		say_messages(h, out);
		say_others(s, out);
		fprintf(out, "  stall       longest %.2f s\n",
		    seconds(s->longest_stall_ns));
	}
	say_faults(s, out);
	if (stats_seen(s, MESSAGE_SCAN_MESSAGE) +
		stats_seen(s, MESSAGE_SCAN_ABSENT) >
	    0)
		fprintf(out,
		    "  audit       %llu messages read, %llu sequences empty\n",
		    (unsigned long long)stats_seen(s, MESSAGE_SCAN_MESSAGE),
		    (unsigned long long)stats_seen(s, MESSAGE_SCAN_ABSENT));
}

static void
say_head(const struct history *h, FILE *out)
{
	const struct run_config *c = judge_config(h->judge);
	unsigned i;

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

	return used < t->height ? t->height - used : 0;
}

void
report_say(const struct history *h, const char *run_dir, FILE *out)
{
	static const struct {
		const char *words;
		enum term_style style;
	} heads[VERDICT_COUNT] = {
	    [VERDICT_PASS] = {"PASS: every check holds", TERM_GREEN},
	    [VERDICT_FAIL] = {"FAIL: JetStream broke a promise", TERM_RED},
	    [VERDICT_INCONCLUSIVE] = {"INCONCLUSIVE: this run proves nothing",
		TERM_YELLOW},
	    [VERDICT_SKIPPED] = {"SKIPPED", TERM_YELLOW},
	};
	struct stream head;
	char *text = NULL;
	struct term t;
	size_t len;

	term_look(&t, out);
	fprintf(out, "%s%s%s (exit code %d)\n",
	    term_style(&t, heads[h->result.verdict].style),
	    heads[h->result.verdict].words, term_plain(&t),
	    h->result.exit_code);
	if (stream_open(&head) != NULL) {
		say_head(h, head.file);
		if (stream_close(&head, &text, &len) == 0)
			fputs(text, out);
	}
	say_anomalies(
	    h, &t, text != NULL ? room_left(&t, text, run_dir) : 0, out);
	free(text);
	fprintf(out, "  evidence    %s\n", run_dir);
}
