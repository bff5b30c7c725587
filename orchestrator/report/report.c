/* SPDX-License-Identifier: ISC */
/* The tree of report.json; see report.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/evidence.h"
#include "orchestrator/report/command_line.h"
#include "orchestrator/report/report.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "proto/topology.h"

#define AROUND_MAX 8 /* faults around an anomaly */
#define AROUND_NS  CLOCK_S

/* JSON of seconds with three digits: nobody reads nanoseconds. */
static void
add_seconds(cJSON *o, const char *name, uint64_t ns)
{
	json_put_number(o, name, (double)(ns / CLOCK_MS) / 1e3);
}

static void
add_count(cJSON *o, const char *name, uint64_t n)
{
	json_put_number(o, name, (double)n);
}

static void
add_mayhem(cJSON *o, const char *list)
{
	cJSON *modes = json_put_array(o, "mayhem");
	char mode[64];

	while (text_next_item(&list, mode, sizeof(mode)))
		json_append_text(modes, mode);
}

static void
add_started(cJSON *o, int64_t wall_ns)
{
	char text[CLOCK_UTC_MAX] = "";

	if (wall_ns > 0)
		clock_utc(wall_ns, text);
	json_put_text(o, "started", text);
}

static void
add_run(cJSON *o, const struct history *h)
{
	const struct run_config *c = judge_config(h->judge);
	const struct stats *s = &h->stats;
	char command[COMMAND_LINE_MAX] = "natsburn run ";
	uint64_t end = s->load_end_ns ? s->load_end_ns : s->last_ns;

	json_put_text(o, "verdict", verdict_name(h->result.verdict));
	json_put_number(o, "exit_code", h->result.exit_code);
	json_put_bool(o, "finished", judge_saw_end(h->judge));
	json_put_text(o, "test", c->test);
	add_mayhem(o, c->mayhem);
	add_count(o, "seed", c->seed);
	add_started(o, s->wall_ns);
	text_add(command, sizeof(command), "%s", c->test);
	command_line_options(command, c);
	json_put_text(o, "command", command);
	json_put_text(o, "cluster", c->cluster);
	if (strcmp(c->topology, TOPOLOGY_PLAIN) != 0)
		json_put_text(o, "topology", c->topology);
	add_count(o, "replicas", c->replicas);
	json_put_text(o, "storage", c->storage);
	json_put_text(o, "client_library", s->library);
	add_seconds(o, "duration_s", s->load_ns != 0 ? end - s->load_ns : 0);
	add_seconds(o, "total_s", s->last_ns - s->first_ns);
	add_count(o, "rounds", s->rounds);
}

static void
add_reasons(cJSON *o, const struct history *h)
{
	cJSON *list = json_put_array(o, "reasons");
	unsigned i;

	for (i = 0; i < h->result.nreasons; i++)
		json_append_text(list, h->result.reasons[i]);
	list = json_put_array(o, "notes");
	for (i = 0; i < h->result.nnotes; i++)
		json_append_text(list, h->result.notes[i]);
}

static void
add_versions(cJSON *o, const struct stats *s, const struct stats_server *v)
{
	cJSON *list = json_put_array(o, "versions"), *item;
	unsigned i;

	for (i = 0; i < v->nversions; i++) {
		item = cJSON_CreateObject();
		json_put_number(
		    item, "t", stats_since_load(s, v->versions[i].since_ns));
		json_put_text(item, "version", v->versions[i].version);
		json_append(list, item);
	}
}

/* What the server told of JetStream; 2.9 does not tell when it syncs. */
static void
add_settings(cJSON *o, const struct stats_server *v)
{
	if (v->sync_always)
		json_put_text(o, "sync", "always");
	else if (v->sync_interval_ns != 0)
		add_seconds(o, "sync_interval_s", v->sync_interval_ns);
	if (v->max_memory != 0)
		add_count(o, "max_memory", v->max_memory);
	if (v->max_storage != 0)
		add_count(o, "max_storage", v->max_storage);
}

static void
add_server(cJSON *list, const struct run_config *c, const struct stats *s,
    const struct stats_server *v)
{
	static const char *const what[] = {
	    NULL, "meta", "streams", "consumers"};
	cJSON *item = cJSON_CreateObject(), *leads;
	char cluster[TOPOLOGY_NAME_MAX];
	unsigned i;

	json_put_text(item, "name", v->name);
	topology_server(c, (unsigned)(v - s->servers) + 1, cluster);
	if (cluster[0] != '\0')
		json_put_text(item, "cluster", cluster);
	json_put_text(item, "version", v->version);
	add_versions(item, s, v);
	add_settings(item, v);
	add_count(item, "faults", v->faults);
	add_count(item, "ended", v->ended);
	add_seconds(item, "faulty_s", v->faulty_ns);
	leads = json_put_object(item, "led");
	for (i = 1; i < 4; i++)
		add_count(leads, what[i], v->leads[i]);
	report_levels(item, &s->levels, (unsigned)(v - s->servers));
	json_append(list, item);
}

static void
add_servers(cJSON *o, const struct run_config *c, const struct stats *s)
{
	cJSON *list = json_put_array(o, "servers");
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (s->servers[i].name[0] != '\0')
			add_server(list, c, s, &s->servers[i]);
}

static void
add_workers(cJSON *o, const struct stats *s)
{
	cJSON *list = json_put_array(o, "workers"), *item;
	const struct stats_worker *w;
	uint64_t n = 0;
	uint32_t i;

	for (i = 1; i < s->nworkers; i++) {
		w = &s->workers[i];
		if (w->role[0] == '\0' || n++ >= REPORT_WORKERS_MAX)
			continue;
		item = cJSON_CreateObject();
		add_count(item, "source", i);
		json_put_text(item, "role", w->role);
		add_count(item, "processes", w->incarnations);
		add_count(item, "died", w->died);
		add_count(item, "events", w->events);
		add_count(item, "ok", w->ok);
		add_count(item, "unknown", w->unknown);
		add_count(item, "deliver", w->deliver);
		add_count(item, "redeliver", w->redeliver);
		json_append(list, item);
	}
	if (n > REPORT_WORKERS_MAX)
		add_count(o, "workers_omitted", n - REPORT_WORKERS_MAX);
}

static void
add_option(cJSON *o, const struct run_config *c, const struct option_spec *row)
{
	char value[OPTION_VALUE_MAX];

	option_get(row, c, value, sizeof(value));
	config_hide_password(value);
	json_put_text(o, row->name, value);
}

/* All that are in force, defaults too; secrets are left out. */
cJSON *
report_options(const struct run_config *c)
{
	cJSON *options = cJSON_CreateObject(), *extras;
	const struct option_spec *row;
	size_t i;

	for (row = config_options; row->name != NULL; row++)
		if (!row->secret)
			add_option(options, c, row);
	extras = json_put_array(options, "o");
	for (i = 0; i < c->nextras; i++)
		json_append_text(extras, c->extras[i]);
	return options;
}

static void
add_times(cJSON *o, const struct stats *s)
{
	cJSON *list = json_put_array(o, "phases"), *item;
	const struct series *e = s->series;
	size_t i;

	for (i = 0; i < s->nphases; i++) {
		item = cJSON_CreateObject();
		json_put_text(item, "name", s->phases[i].name);
		json_put_number(
		    item, "t", stats_since_load(s, s->phases[i].begin_ns));
		json_append(list, item);
	}
	list = json_put_array(o, "stalls");
	for (i = 0; e != NULL && i < e->nstalls; i++) {
		item = cJSON_CreateObject();
		json_put_number(
		    item, "t", stats_since_load(s, e->stalls[i].begin_ns));
		add_seconds(
		    item, "s", e->stalls[i].end_ns - e->stalls[i].begin_ns);
		if (e->stalls[i].is_ack_wait)
			json_put_bool(item, "ack_wait", true);
		json_append(list, item);
	}
	add_count(o, "stalls_seen", e != NULL ? e->stalls_seen : 0);
	add_seconds(o, "stalled_s", e != NULL ? e->stalled_ns : 0);
}

const char *
report_check_says(const struct history *h, const struct check_ops *c)
{
	if (judge_check_count(h->judge, c, CLASS_VIOLATION) > 0)
		return "broken";
	/* Finding nothing proves something only in a whole run. */
	if (!h->result.is_whole)
		return "unproven";
	return judge_check_judged(h->judge, c) > 0 ? "holds" : "not_exercised";
}

static void
add_checks(cJSON *o, const struct history *h)
{
	cJSON *list = json_put_array(o, "checks"), *item;
	const struct check_ops *c;
	size_t i;

	for (i = 0; (c = check_table[i]) != NULL; i++) {
		item = cJSON_CreateObject();
		json_put_text(item, "name", c->name);
		json_put_text(item, "summary", c->summary);
		json_put_text(item, "rule", c->rule);
		json_put_text(item, "says", report_check_says(h, c));
		add_count(item, "judged", judge_check_judged(h->judge, c));
		json_put_text(item, "unit", c->unit);
		add_count(item, "violations",
		    judge_check_count(h->judge, c, CLASS_VIOLATION));
		add_count(item, "documented",
		    judge_check_count(h->judge, c, CLASS_DOCUMENTED));
		add_count(item, "warnings",
		    judge_check_count(h->judge, c, CLASS_WARNING));
		json_append(list, item);
	}
}

/* Messages that stay unknown: those that were read all the same, and not. */
static void
count_open_unknown(
    const struct ledger *l, uint64_t *recovered, uint64_t *never_seen)
{
	const struct ledger_entry *e;
	size_t i = 0;

	*recovered = l->recovered;
	*never_seen = 0;
	while ((e = ledger_next(l, &i)) != NULL) {
		if (!e->is_unknown || e->is_acked)
			continue;
		*recovered += e->seq != 0;
		*never_seen += e->seq == 0;
	}
}

uint64_t
report_open_unknown(const struct ledger *l)
{
	uint64_t recovered, never_seen;

	count_open_unknown(l, &recovered, &never_seen);
	return recovered + never_seen;
}

/* All that was told of operations, also of those without other figures. */
static void
add_messages(cJSON *counts, const struct stats *s)
{
	cJSON *o = json_put_object(counts, "messages");
	enum message_type type;

	for (type = 0; type < MESSAGE_TYPES; type++)
		if (message_class(type) & IS_OPERATION &&
		    stats_seen(s, type) > 0)
			add_count(
			    o, message_spec(type)->name, stats_seen(s, type));
}

static void
add_counts(cJSON *o, const struct history *h)
{
	const struct stats *s = &h->stats;
	cJSON *counts = json_put_object(o, "counts");
	cJSON *publish = json_put_object(counts, "publish"), *ack;
	uint64_t recovered, never_seen;

	add_count(publish, "ok", stats_seen(s, MESSAGE_PUBLISH_OK));
	add_count(publish, "fail", s->seen[MESSAGE_PUBLISH_END][CASE_FAILED]);
	count_open_unknown(judge_ledger(h->judge), &recovered, &never_seen);
	add_count(publish, "unknown", recovered + never_seen);
	add_count(publish, "recovered", recovered);
	add_count(publish, "never_seen", never_seen);
	add_count(
	    publish, "retries", s->seen[MESSAGE_PUBLISH_INVOKE][CASE_AGAIN]);
	add_count(publish, "behind", s->behind);
	add_count(counts, "deliver", stats_seen(s, MESSAGE_DELIVER));
	add_count(counts, "redeliver", s->seen[MESSAGE_DELIVER][CASE_AGAIN]);
	ack = json_put_object(counts, "ack");
	add_count(ack, "ok", stats_seen(s, MESSAGE_ACK_OK));
	add_count(ack, "unknown", s->seen[MESSAGE_ACK_UNKNOWN][CASE_FINAL]);
	add_count(counts, "scanned", stats_seen(s, MESSAGE_SCAN_MESSAGE));
	add_count(counts, "absent", stats_seen(s, MESSAGE_SCAN_ABSENT));
	add_count(counts, "reads", stats_seen(s, MESSAGE_KV_VALUE));
	add_count(counts, "updates", stats_seen(s, MESSAGE_KV_UPDATE_OK));
	add_count(
	    counts, "rejected", stats_seen(s, MESSAGE_KV_UPDATE_REJECTED));
	add_count(
	    counts, "reads_failed", stats_seen(s, MESSAGE_KV_READ_FAILED));
	add_count(counts, "updates_unknown",
	    s->seen[MESSAGE_KV_UPDATE_END][CASE_UNKNOWN]);
	add_count(
	    counts, "updates_retries", s->seen[MESSAGE_KV_UPDATE][CASE_AGAIN]);
	add_count(
	    counts, "streams_added", stats_seen(s, MESSAGE_STREAM_ADD_OK));
	add_count(
	    counts, "streams_removed", stats_seen(s, MESSAGE_STREAM_REMOVE_OK));
	add_count(
	    counts, "listings", s->seen[MESSAGE_STREAM_LIST_END][CASE_OK]);
	add_count(counts, "stream_ops_unknown",
	    s->seen[MESSAGE_STREAM_OP_END][CASE_UNKNOWN]);
	add_count(counts, "stream_ops_retries",
	    s->seen[MESSAGE_STREAM_ADD][CASE_AGAIN] +
		s->seen[MESSAGE_STREAM_REMOVE][CASE_AGAIN]);
	add_count(counts, "listings_failed",
	    s->seen[MESSAGE_STREAM_LIST_END][CASE_FAILED]);
	add_messages(counts, s);
}

static void
add_ms(cJSON *o, const char *name, uint64_t ns)
{
	json_put_number(o, name, (double)(ns / 1000) / 1e3);
}

static void
add_latency(cJSON *o, const char *name, const struct hist *h)
{
	cJSON *item = json_put_object(o, name);

	add_ms(item, "p50", hist_quantile(h, 0.50));
	add_ms(item, "p99", hist_quantile(h, 0.99));
	add_ms(item, "p999", hist_quantile(h, 0.999));
	add_ms(item, "max", h->max);
}

static void
add_price(cJSON *list, const char *mode, const struct price *p)
{
	cJSON *item = cJSON_CreateObject();

	json_put_text(item, "mode", mode);
	add_count(item, "operations", p->latency.count);
	add_ms(item, "p50_ms", hist_quantile(&p->latency, 0.50));
	add_ms(item, "p99_ms", hist_quantile(&p->latency, 0.99));
	add_ms(item, "p999_ms", hist_quantile(&p->latency, 0.999));
	add_count(item, "retries", p->retries);
	add_count(item, "redeliveries", p->redeliveries);
	if (p->faults > 0) {
		add_count(item, "faults", p->faults);
		add_seconds(item, "outage_s", p->outage_ns);
		add_seconds(item, "outage_mean_s", p->outages_ns / p->faults);
		add_seconds(item, "heal_s", p->heal_ns);
	}
	json_append(list, item);
}

/* How busy the host was; histories without servers don't tell. */
static void
add_host(cJSON *o, const struct stats_host *h)
{
	cJSON *item;

	if (h->span_ns == 0)
		return;
	item = json_put_object(o, "host");
	json_put_number(item, "tasks_most", (double)h->most / 100);
	json_put_number(item, "late_ms", (double)(h->late_ns / CLOCK_MS));
	json_put_number(
	    item, "overloaded_s", (double)(h->busy_ns / CLOCK_MS) / 1e3);
	if (h->known_ns > 0)
		json_put_number(item, "pressure_percent",
		    (double)(h->pressure_ns * 100 / h->known_ns));
}

/* Nobody is served by a run without a load, or pays without a fault. */
static void
add_prices(cJSON *o, const struct stats *s)
{
	cJSON *list;
	unsigned i;

	if (s->prices == NULL || s->no_load || s->nmodes == 0)
		return;
	list = json_put_array(o, "prices");
	add_price(list, "none", &s->prices->none);
	for (i = 0; i < s->nmodes; i++)
		if (s->prices->modes[i].faults > 0)
			add_price(list, s->modes[i].name, &s->prices->modes[i]);
}

/* Which moments the faults met: by moment, and of each mode. */
static void
add_moments(cJSON *o, const struct stats *s)
{
	const struct stats_moment *m;
	cJSON *list, *item, *modes;
	unsigned i, j;

	if (s->nmoments == 0)
		return;
	list = json_put_array(o, "moments");
	for (i = 0; i < s->nmoments; i++) {
		m = &s->moments[i];
		item = cJSON_CreateObject();
		json_put_text(item, "moment", m->name);
		add_count(item, "came", m->came);
		add_count(item, "missed", m->missed);
		if (m->came > 0)
			add_latency(item, "distance_ms", &m->distance);
		modes = json_put_object(item, "modes");
		for (j = 0; j < s->nmodes; j++)
			if (m->modes[j] > 0)
				add_count(modes, s->modes[j].name, m->modes[j]);
		json_append(list, item);
	}
}

static void
add_limits(cJSON *o, const struct history *h)
{
	cJSON *list, *item;
	char measured[32];
	unsigned i;

	if (h->nlimits == 0)
		return;
	list = json_put_array(o, "limits");
	for (i = 0; i < h->nlimits; i++) {
		item = cJSON_CreateObject();
		threshold_measured(&h->limits[i], measured, sizeof(measured));
		json_put_text(item, "limit", h->limits[i].text);
		json_put_text(item, "measured", measured);
		json_put_text(item, "says", threshold_word(h->limits[i].says));
		json_append(list, item);
	}
}

static void
add_fault(cJSON *list, const struct stats *s, const struct stats_fault *f)
{
	cJSON *item = cJSON_CreateObject();
	uint64_t start = s->load_ns;

	add_count(item, "fault", f->fault);
	add_seconds(item, "t", f->due_ns > start ? f->due_ns - start : 0);
	json_put_text(item, "mode", f->mode);
	json_put_text(item, "target", f->target);
	json_put_bool(item, "applied", f->applied);
	json_put_bool(item, "healed", f->healed);
	add_seconds(item, "heal_s",
	    f->healed && f->applied_ns ? f->healed_ns - f->applied_ns : 0);
	add_seconds(item, "planned_t", f->planned_ns);
	if (f->moment[0] != '\0') {
		json_put_text(item, "moment", f->moment);
		if (f->distance_ns > 0)
			add_ms(item, "distance_ms", f->distance_ns);
	}
	if (f->price.operations > 0 || f->price.outage_ns > 0) {
		add_seconds(item, "outage_s", f->price.outage_ns);
		add_count(item, "operations", f->price.operations);
		add_ms(item, "p50_ms", f->price.p50_ns);
		add_ms(item, "p99_ms", f->price.p99_ns);
		add_ms(item, "p999_ms", f->price.p999_ns);
		add_count(item, "retries", f->price.retries);
		add_count(item, "redeliveries", f->price.redeliveries);
	}
	json_put_text(item, "applied_how", f->applied_how);
	json_put_text(item, "healed_how", f->healed_how);
	json_append(list, item);
}

static void
add_faults(cJSON *o, const struct stats *s)
{
	cJSON *list = json_put_array(o, "faults");
	size_t i;

	for (i = 0; i < s->nfaults; i++)
		add_fault(list, s, &s->faults[i]);
	if (s->faults_omitted > 0)
		add_count(o, "faults_omitted", s->faults_omitted);
}

/*
 * Faults that were in force while it came about, or just before; if there
 * was none, the last one before it.
 */
static void
add_around(cJSON *item, const struct stats *s, const struct evidence *e,
    const struct anomaly *a)
{
	cJSON *list = json_put_array(item, "faults");
	uint64_t from = e->first_ns ? e->first_ns : a->time_ns;
	const struct stats_fault *f, *before = NULL;
	size_t i;

	for (i = 0; i < s->nfaults; i++) {
		f = &s->faults[i];
		if (f->due_ns > a->time_ns)
			break;
		before = f;
		if (f->healed_ns != 0 && f->healed_ns + AROUND_NS < from)
			continue;
		if (cJSON_GetArraySize(list) == AROUND_MAX)
			cJSON_DeleteItemFromArray(list, 0);
		json_append(list, cJSON_CreateNumber(f->fault));
	}
	if (before != NULL && cJSON_GetArraySize(list) == 0)
		json_append(list, cJSON_CreateNumber(before->fault));
}

static cJSON *
anomaly_item(const struct history *h, const struct anomaly *a)
{
	cJSON *item = cJSON_CreateObject();

	json_put_text(item, "kind", anomaly_kind_name(a->kind));
	json_put_text(item, "class", anomaly_class_name(a->class));
	add_count(item, "count", judge_count(h->judge, a->kind, a->class));
	json_put_text(item, "check", a->check);
	json_put_text(item, "rule", a->rule);
	json_put_text(item, "says", a->says);
	add_seconds(item, "t",
	    a->time_ns > h->stats.load_ns ? a->time_ns - h->stats.load_ns : 0);
	return item;
}

/* False without memory. */
static bool
add_anomalies(cJSON *o, const struct history *h, const char *run_dir)
{
	cJSON *list = json_put_array(o, "anomalies"), *item;
	const struct anomaly *a;
	struct evidence *found;
	size_t n, i;

	for (n = 0; judge_anomaly(h->judge, n) != NULL; n++)
		;
	found = calloc(n + 1, sizeof(*found));
	if (found == NULL || list == NULL) {
		free(found);
		return false;
	}
	for (i = 0; i < n; i++) {
		item = anomaly_item(h, judge_anomaly(h->judge, i));
		found[i].events = json_put_array(item, "events");
		json_append(list, item);
	}
	if (run_dir == NULL)
		json_put_text(
		    o, "evidence", "the events are read when the run is over");
	else if (evidence_collect(h->judge, run_dir, found, n) < 0)
		json_put_text(o, "evidence", "the journal can't be read");
	item = list->child;
	for (i = 0; i < n && item != NULL; i++, item = item->next) {
		a = judge_anomaly(h->judge, i);
		if (found[i].omitted > 0)
			add_count(item, "events_omitted", found[i].omitted);
		add_around(item, &h->stats, &found[i], a);
	}
	free(found);
	return true;
}

/* What the journal on disk no longer holds. */
static void
add_dropped(cJSON *o, const struct history *h)
{
	const struct dropped *d = &h->dropped;
	cJSON *item;

	if (d->events == 0)
		return;
	item = json_put_object(o, "dropped");
	add_count(item, "events", d->events);
	add_count(item, "places", d->places);
	json_put_number(
	    item, "from_t", stats_since_load(&h->stats, d->first_ns));
	json_put_number(item, "to_t", stats_since_load(&h->stats, d->last_ns));
}

cJSON *
report_tree(const struct history *h, const char *run_dir)
{
	const struct stats *s = &h->stats;
	cJSON *o = cJSON_CreateObject(), *item;
	bool is_whole;

	json_begin();
	json_put_number(o, "schema", 1);
	json_put_text(o, "natsburn", NATSBURN_VERSION);
	add_run(o, h);
	add_reasons(o, h);
	add_servers(o, judge_config(h->judge), s);
	report_logs(o, s);
	add_counts(o, h);
	item = json_put_object(o, "latency_ms");
	add_latency(item, "publish", &s->publish);
	add_latency(item, "consume", &s->consume);
	add_latency(item, "round", &s->round);
	add_latency(item, "operation", &s->other);
	json_put_number(
	    o, "longest_stall_ms", (double)(s->longest_stall_ns / CLOCK_MS));
	json_put_number(o, "longest_ack_wait_stall_ms",
	    (double)(s->ack_wait_stall_ns / CLOCK_MS));
	add_host(o, &s->host);
	add_faults(o, s);
	add_moments(o, s);
	add_prices(o, s);
	add_limits(o, h);
	is_whole = add_anomalies(o, h, run_dir);
	add_checks(o, h);
	add_times(o, s);
	add_workers(o, s);
	json_put(o, "options", report_options(judge_config(h->judge)));
	item = json_put_object(o, "harness");
	add_count(item, "workers_died", s->workers_died);
	add_count(item, "events", s->events);
	add_count(item, "gaps", stats_seen(s, MESSAGE_CHILD_GAP));
	add_dropped(o, h);
	if (is_whole && json_is_whole())
		return o;
	cJSON_Delete(o);
	return NULL;
}
