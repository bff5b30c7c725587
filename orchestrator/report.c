/* SPDX-License-Identifier: ISC */
/* What a run leaves for people and scripts; see report.h. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/evidence.h"
#include "orchestrator/report.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define SAY_ANOMALIES 3 /* of a kind and class */
#define COMMAND_MAX   8192

static double
seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* JSON of seconds with three digits: nobody reads nanoseconds. */
static void
add_seconds(cJSON *o, const char *name, uint64_t ns)
{
	(void)cJSON_AddNumberToObject(o, name, (double)(ns / CLOCK_MS) / 1e3);
}

static void
add_count(cJSON *o, const char *name, uint64_t n)
{
	(void)cJSON_AddNumberToObject(o, name, (double)n);
}

static void
add_mayhem(cJSON *o, const char *list)
{
	cJSON *modes = cJSON_AddArrayToObject(o, "mayhem");
	char mode[64];

	while (text_next_item(&list, mode, sizeof(mode)))
		(void)cJSON_AddItemToArray(modes, cJSON_CreateString(mode));
}

/* One word of a command line, quoted for a shell where it needs it. */
static void
command_word(char *out, const char *name, const char *value)
{
	const char *safe = "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			   "_-+=:,./@%";
	const char *p;

	(void)text_add(out, COMMAND_MAX, " %s ", name);
	if (value[0] != '\0' && value[strspn(value, safe)] == '\0') {
		(void)text_add(out, COMMAND_MAX, "%s", value);
		return;
	}
	(void)text_add(out, COMMAND_MAX, "'");
	for (p = value; *p != '\0'; p++)
		(void)text_add(
		    out, COMMAND_MAX, *p == '\'' ? "'\\''" : "%c", *p);
	(void)text_add(out, COMMAND_MAX, "'");
}

static void
command_option(void *arg, const char *name, const char *value)
{
	const struct option_spec *row = option_find(config_options, name);
	char flag[80];

	if (strcmp(name, "run") == 0 || strcmp(name, "test") == 0 ||
	    strcmp(name, "out") == 0)
		return;
	flag[0] = '\0';
	(void)text_add(
	    flag, sizeof(flag), "%s%s", row != NULL ? "--" : "-", name);
	if (row != NULL && row->type == OPTION_FLAG)
		(void)text_add(arg, COMMAND_MAX, " %s", flag);
	else
		command_word(arg, flag, value);
}

static void
add_run(cJSON *o, const struct history *h)
{
	const struct run_config *c = judge_config(h->judge);
	const struct stats *s = &h->stats;
	char command[COMMAND_MAX] = "natsburn run ";
	uint64_t end = s->load_end_ns ? s->load_end_ns : s->last_ns;

	(void)cJSON_AddStringToObject(
	    o, "verdict", verdict_name(h->result.verdict));
	(void)cJSON_AddNumberToObject(o, "exit_code", h->result.exit_code);
	(void)cJSON_AddStringToObject(o, "test", c->test);
	add_mayhem(o, c->mayhem);
	add_count(o, "seed", c->seed);
	(void)text_add(command, sizeof(command), "%s", c->test);
	config_each(c, false, command_option, command);
	(void)cJSON_AddStringToObject(o, "command", command);
	(void)cJSON_AddStringToObject(o, "cluster", c->cluster);
	add_count(o, "replicas", c->replicas);
	(void)cJSON_AddStringToObject(o, "storage", c->storage);
	(void)cJSON_AddStringToObject(o, "client_library", s->library);
	add_seconds(o, "duration_s", s->load_ns != 0 ? end - s->load_ns : 0);
	add_seconds(o, "total_s", s->last_ns - s->first_ns);
	add_count(o, "rounds", s->rounds);
}

static void
add_reasons(cJSON *o, const struct history *h)
{
	cJSON *list = cJSON_AddArrayToObject(o, "reasons");
	unsigned i;

	for (i = 0; i < h->result.nreasons; i++)
		(void)cJSON_AddItemToArray(
		    list, cJSON_CreateString(h->result.reasons[i]));
}

static void
add_servers(cJSON *o, const struct stats *s)
{
	cJSON *list = cJSON_AddArrayToObject(o, "servers"), *item;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if (s->servers[i].name[0] == '\0')
			continue;
		item = cJSON_CreateObject();
		(void)cJSON_AddStringToObject(item, "name", s->servers[i].name);
		(void)cJSON_AddStringToObject(
		    item, "version", s->servers[i].version);
		(void)cJSON_AddItemToArray(list, item);
	}
}

/* Messages that stay unknown: those that were read all the same, and not. */
static void
count_open_unknown(
    const struct ledger *l, uint64_t *recovered, uint64_t *never_seen)
{
	const struct ledger_entry *e;
	size_t i;

	*recovered = *never_seen = 0;
	for (i = 0; i < l->room; i++) {
		e = ledger_slot(l, i);
		if (e == NULL || !e->is_unknown || e->is_acked)
			continue;
		*recovered += e->seq != 0;
		*never_seen += e->seq == 0;
	}
}

static void
add_counts(cJSON *o, const struct history *h)
{
	const struct stats *s = &h->stats;
	cJSON *counts = cJSON_AddObjectToObject(o, "counts");
	cJSON *publish = cJSON_AddObjectToObject(counts, "publish"), *ack;
	uint64_t recovered, never_seen;

	add_count(publish, "ok", s->publish_ok);
	add_count(publish, "fail", s->publish_fail);
	count_open_unknown(judge_ledger(h->judge), &recovered, &never_seen);
	add_count(publish, "unknown", recovered + never_seen);
	add_count(publish, "recovered", recovered);
	add_count(publish, "never_seen", never_seen);
	add_count(publish, "retries", s->publish_retries);
	add_count(publish, "behind", s->behind);
	add_count(counts, "deliver", s->deliver);
	add_count(counts, "redeliver", s->redeliver);
	ack = cJSON_AddObjectToObject(counts, "ack");
	add_count(ack, "ok", s->ack_ok);
	add_count(ack, "unknown", s->ack_unknown);
	add_count(counts, "scanned", s->scanned);
	add_count(counts, "absent", s->absent);
	add_count(counts, "reads", s->reads);
	add_count(counts, "updates", s->updates);
	add_count(counts, "rejected", s->rejected);
	add_count(counts, "streams_added", s->streams_added);
	add_count(counts, "streams_removed", s->streams_removed);
	add_count(counts, "listings", s->listings);
}

static void
add_latency(cJSON *o, const char *name, const struct hist *h)
{
	cJSON *item = cJSON_AddObjectToObject(o, name);

	(void)cJSON_AddNumberToObject(
	    item, "p50", (double)(hist_quantile(h, 0.50) / 1000) / 1e3);
	(void)cJSON_AddNumberToObject(
	    item, "p99", (double)(hist_quantile(h, 0.99) / 1000) / 1e3);
	(void)cJSON_AddNumberToObject(
	    item, "max", (double)(h->max / 1000) / 1e3);
}

static void
add_fault(cJSON *list, const struct stats *s, const struct stats_fault *f)
{
	cJSON *item = cJSON_CreateObject();
	uint64_t start = s->load_ns;

	add_seconds(item, "t", f->due_ns > start ? f->due_ns - start : 0);
	(void)cJSON_AddStringToObject(item, "mode", f->mode);
	(void)cJSON_AddStringToObject(item, "target", f->target);
	(void)cJSON_AddBoolToObject(item, "applied", f->applied);
	(void)cJSON_AddBoolToObject(item, "healed", f->healed);
	add_seconds(item, "heal_s",
	    f->healed && f->applied_ns ? f->healed_ns - f->applied_ns : 0);
	add_seconds(item, "planned_t", f->planned_ns);
	(void)cJSON_AddStringToObject(item, "applied_how", f->applied_how);
	(void)cJSON_AddStringToObject(item, "healed_how", f->healed_how);
	(void)cJSON_AddItemToArray(list, item);
}

static void
add_faults(cJSON *o, const struct stats *s)
{
	cJSON *list = cJSON_AddArrayToObject(o, "faults");
	size_t i;

	for (i = 0; i < s->nfaults; i++)
		add_fault(list, s, &s->faults[i]);
	if (s->faults_omitted > 0)
		add_count(o, "faults_omitted", s->faults_omitted);
}

static void
add_anomalies(cJSON *o, const struct history *h, const char *run_dir)
{
	cJSON *list = cJSON_AddArrayToObject(o, "anomalies"), *item;
	cJSON *events[(size_t)ANOMALY_COUNT * CLASS_COUNT * JUDGE_KEEP];
	const struct anomaly *a;
	size_t n;

	for (n = 0; (a = judge_anomaly(h->judge, n)) != NULL; n++) {
		item = cJSON_CreateObject();
		(void)cJSON_AddStringToObject(
		    item, "kind", anomaly_kind_name(a->kind));
		(void)cJSON_AddStringToObject(
		    item, "class", anomaly_class_name(a->class));
		add_count(
		    item, "count", judge_count(h->judge, a->kind, a->class));
		(void)cJSON_AddStringToObject(item, "rule", a->rule);
		(void)cJSON_AddStringToObject(item, "says", a->says);
		add_seconds(item, "t",
		    a->time_ns > h->stats.load_ns
			? a->time_ns - h->stats.load_ns
			: 0);
		events[n] = cJSON_AddArrayToObject(item, "events");
		(void)cJSON_AddItemToArray(list, item);
	}
	if (evidence_collect(h->judge, run_dir, events, n) < 0)
		(void)cJSON_AddStringToObject(
		    o, "evidence", "the journal can't be read");
}

char *
report_json(const struct history *h, const char *run_dir)
{
	const struct stats *s = &h->stats;
	cJSON *o = cJSON_CreateObject(), *item;
	char *text;

	if (o == NULL)
		return NULL;
	(void)cJSON_AddNumberToObject(o, "schema", 1);
	(void)cJSON_AddStringToObject(o, "natsburn", NATSBURN_VERSION);
	add_run(o, h);
	add_reasons(o, h);
	add_servers(o, s);
	add_counts(o, h);
	item = cJSON_AddObjectToObject(o, "latency_ms");
	add_latency(item, "publish", &s->publish);
	add_latency(item, "consume", &s->consume);
	add_latency(item, "round", &s->round);
	(void)cJSON_AddNumberToObject(
	    o, "longest_stall_ms", (double)(s->longest_stall_ns / CLOCK_MS));
	add_faults(o, s);
	add_anomalies(o, h, run_dir);
	item = cJSON_AddObjectToObject(o, "harness");
	add_count(item, "workers_died", s->workers_died);
	add_count(item, "events", s->events);
	add_count(item, "gaps", s->gaps);
	text = cJSON_Print(o);
	cJSON_Delete(o);
	return text;
}

int
report_write(const char *json, const char *run_dir)
{
	char path[JOURNAL_PATH_MAX + 32] = "", temp[JOURNAL_PATH_MAX + 32] = "";
	size_t len = strlen(json);
	int fd, err = 0;

	(void)text_add(path, sizeof(path), "%s/report.json", run_dir);
	(void)text_add(temp, sizeof(temp), "%s/report.json.new", run_dir);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, json, len) != (ssize_t)len || write(fd, "\n", 1) != 1)
		err = errno ? -errno : -EIO;
	if (close(fd) < 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(temp, path) < 0)
		err = -errno;
	if (err < 0)
		(void)unlink(temp); /* half a report is worse than none */
	return err;
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
	uint64_t recovered, never_seen;

	if (s->publish_ok == 0 && s->publish.count == 0)
		return;
	count_open_unknown(judge_ledger(h->judge), &recovered, &never_seen);
	fprintf(out,
	    "  publish     %llu ok, %llu unknown, %llu retries, p50 %.2f ms, "
	    "p99 %.2f ms\n"
	    "  deliveries  %llu, redelivered %llu\n",
	    (unsigned long long)s->publish_ok,
	    (unsigned long long)(recovered + never_seen),
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
