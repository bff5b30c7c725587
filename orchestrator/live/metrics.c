/* SPDX-License-Identifier: ISC */
/* Metrics of a live run; see metrics.h. */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/live/metrics.h"
#include "orchestrator/live/run.h"
#include "orchestrator/report/report.h"
#include "proto/base/clock.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"

#define CONNECTIONS_MAX 16
#define PATIENCE_S	10
#define POLL_NS		(5 * CLOCK_MS) /* the loop may turn far oftener */
#define TYPE		"text/plain; version=0.0.4; charset=utf-8"

struct metrics {
	struct MHD_Daemon *daemon;
	const struct run *run;
	uint64_t next_ns;
	unsigned port;
};

/* The text */

static void
head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP natsburn_%s %s\n# TYPE natsburn_%s %s\n", name,
	    help, name, type);
}

static void
one(FILE *out, const char *name, const char *type, const char *help, double v)
{
	head(out, name, type, help);
	fprintf(out, "natsburn_%s %.15g\n", name, v);
}

static void
count(FILE *out, const char *name, const char *help, uint64_t v)
{
	head(out, name, "counter", help);
	fprintf(out, "natsburn_%s %llu\n", name, (unsigned long long)v);
}

/* A label's value: quotes, backslashes and line ends are escaped. */
static void
put_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value != '\0'; value++)
		if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else if (*value == '\n')
			fputs("\\n", out);
		else
			fputc(*value, out);
	fputc('"', out);
}

static void
with(FILE *out, const char *name, const char *label, const char *value,
    uint64_t v)
{
	fprintf(out, "natsburn_%s{", name);
	put_label(out, label, value);
	fprintf(out, "} %llu\n", (unsigned long long)v);
}

static void
write_hist(FILE *out, const char *name, const char *help, const struct hist *h)
{
	/* Seconds; ends of the histogram's steps lie near them. */
	static const double ends[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025,
	    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
	size_t i;

	head(out, name, "histogram", help);
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		fprintf(out, "natsburn_%s_bucket{le=\"%g\"} %llu\n", name,
		    ends[i],
		    (unsigned long long)hist_count_to(
			h, (uint64_t)(ends[i] * 1e9)));
	fprintf(out,
	    "natsburn_%s_bucket{le=\"+Inf\"} %llu\nnatsburn_%s_sum %.9g\n"
	    "natsburn_%s_count %llu\n",
	    name, (unsigned long long)h->count, name, (double)h->sum / 1e9,
	    name, (unsigned long long)h->count);
}

static void
write_run(const struct run *r, uint64_t now, FILE *out)
{
	const struct stats *s = &r->history.stats;
	unsigned i;

	head(out, "run_info", "gauge", "What is run; always 1.");
	fputs("natsburn_run_info{", out);
	put_label(out, "version", NATSBURN_VERSION);
	fputc(',', out);
	put_label(out, "test", r->config.test);
	fputc(',', out);
	put_label(out, "mayhem", r->config.mayhem);
	fputc(',', out);
	put_label(out, "cluster", r->config.cluster);
	fprintf(out, ",seed=\"%llu\"} 1\n", (unsigned long long)r->config.seed);
	head(out, "phase", "gauge", "1 for the phase that the run is in.");
	for (i = 0; i < PHASES; i++)
		with(out, "phase", "phase", phase_name(i), i == r->phase);
	one(out, "load_seconds", "gauge", "Time since the load began.",
	    s->load_ns != 0 && now > s->load_ns
		? (double)(now - s->load_ns) / 1e9
		: 0);
	count(out, "events_total", "Events of the history.", s->events);
	one(out, "events_waiting", "gauge",
	    "Events that wait for their place in the history.",
	    (double)merge_waiting(r->merge));
	one(out, "journal_bytes", "gauge", "Size of the journal on disk.",
	    (double)retain_bytes(&r->retain, &r->journal));
}

static void
write_host(const struct stats_host *h, FILE *out)
{
	if (h->span_ns == 0)
		return;
	one(out, "host_tasks", "gauge",
	    "Tasks that run or wait for a processor, for each one, lately.",
	    (double)h->tasks / 100);
	if (h->pressure <= 1000)
		one(out, "host_pressure", "gauge",
		    "Share of the time in which one waits for a processor.",
		    (double)h->pressure / 1000);
	one(out, "host_overloaded_seconds", "gauge",
	    "For how long the host was overloaded.", (double)h->busy_ns / 1e9);
}

static void
write_work(const struct stats *s, uint64_t now, FILE *out)
{
	uint64_t last = s->last_round_ns ? s->last_round_ns : s->load_ns;

	count(out, "rounds_total", "Rounds that were finished.", s->rounds);
	one(out, "last_round_age_seconds", "gauge",
	    "Time since a round was finished, during the load.",
	    last != 0 && s->load_end_ns == 0 && now > last
		? (double)(now - last) / 1e9
		: 0);
	one(out, "longest_stall_seconds", "gauge",
	    "Longest time without a finished round.",
	    (double)s->longest_stall_ns / 1e9);
	head(out, "publishes_total", "counter",
	    "Messages by what became of their publish.");
	with(out, "publishes_total", "outcome", "ok",
	    stats_seen(s, MESSAGE_PUBLISH_OK));
	with(out, "publishes_total", "outcome", "fail",
	    s->seen[MESSAGE_PUBLISH_END][CASE_FAILED]);
	with(out, "publishes_total", "outcome", "unknown",
	    s->seen[MESSAGE_PUBLISH_END][CASE_UNKNOWN]);
	count(out, "publish_retries_total", "Publish attempts after the first.",
	    s->seen[MESSAGE_PUBLISH_INVOKE][CASE_AGAIN]);
	count(out, "deliveries_total", "Messages received.",
	    stats_seen(s, MESSAGE_DELIVER));
	count(out, "redeliveries_total",
	    "Messages received with a delivery count above 1.",
	    s->seen[MESSAGE_DELIVER][CASE_AGAIN]);
	head(out, "acks_total", "counter", "Acks by outcome.");
	with(out, "acks_total", "outcome", "ok", stats_seen(s, MESSAGE_ACK_OK));
	with(out, "acks_total", "outcome", "unknown",
	    s->seen[MESSAGE_ACK_UNKNOWN][CASE_FINAL]);
	count(out, "key_reads_total", "Reads of keys.",
	    stats_seen(s, MESSAGE_KV_VALUE));
	head(out, "key_updates_total", "counter", "Updates of keys.");
	with(out, "key_updates_total", "outcome", "ok",
	    stats_seen(s, MESSAGE_KV_UPDATE_OK));
	with(out, "key_updates_total", "outcome", "rejected",
	    stats_seen(s, MESSAGE_KV_UPDATE_REJECTED));
	count(out, "streams_added_total", "Streams added by the test.",
	    stats_seen(s, MESSAGE_STREAM_ADD_OK));
	count(out, "streams_removed_total", "Streams deleted by the test.",
	    stats_seen(s, MESSAGE_STREAM_REMOVE_OK));
	count(out, "listings_total", "Whole listings of streams.",
	    s->seen[MESSAGE_STREAM_LIST_END][CASE_OK]);
	write_hist(out, "publish_latency_seconds",
	    "From the first attempt to publish to its ack.", &s->publish);
	write_hist(out, "consume_latency_seconds",
	    "From a publish ack to the confirmed ack of the consumer.",
	    &s->consume);
	write_hist(out, "operation_latency_seconds",
	    "Rounds that are one operation, from the first attempt to success.",
	    &s->other);
}

/* All that was told of operations, also of those without other figures. */
static void
write_messages(const struct stats *s, FILE *out)
{
	enum message_type type;

	head(out, "operation_events_total", "counter",
	    "Events of operations, by message.");
	for (type = 0; type < MESSAGE_TYPES; type++)
		if (message_class(type) & IS_OPERATION &&
		    stats_seen(s, type) > 0)
			with(out, "operation_events_total", "message",
			    message_spec(type)->name, stats_seen(s, type));
}

static void
write_anomalies(const struct history *h, FILE *out)
{
	unsigned k, c;

	head(out, "anomalies_total", "counter", "Anomalies by kind and class.");
	for (k = 0; k < ANOMALY_COUNT; k++)
		for (c = 0; c < CLASS_COUNT; c++)
			fprintf(out,
			    "natsburn_anomalies_total{kind=\"%s\","
			    "class=\"%s\"} %llu\n",
			    anomaly_kind_name(k), anomaly_class_name(c),
			    (unsigned long long)judge_count(h->judge, k, c));
}

static void
write_faults(const struct stats *s, FILE *out)
{
	static const char *const outcomes[] = {
	    "planned", "applied", "failed", "healed", "unhealed"};
	const struct stats_mode *m;
	unsigned i, o;

	head(out, "faults_total", "counter", "Faults by mode and outcome.");
	for (i = 0; i < s->nmodes; i++) {
		m = &s->modes[i];
		for (o = 0; o < 5; o++) {
			const uint64_t values[] = {m->planned, m->applied,
			    m->failed, m->healed, m->unhealed};

			fputs("natsburn_faults_total{", out);
			put_label(out, "mode", m->name);
			fprintf(out, ",outcome=\"%s\"} %llu\n", outcomes[o],
			    (unsigned long long)values[o]);
		}
	}
	one(out, "faults_in_force", "gauge",
	    "Faults that took effect and aren't healed.", (double)s->in_force);
}

static void
write_servers(const struct stats *s, FILE *out)
{
	unsigned i, w;

	head(out, "server_info", "gauge", "The servers; always 1.");
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if (s->servers[i].name[0] == '\0')
			continue;
		fputs("natsburn_server_info{", out);
		put_label(out, "server", s->servers[i].name);
		fputc(',', out);
		put_label(out, "version", s->servers[i].version);
		fputs("} 1\n", out);
	}
	head(out, "server_elections_total", "counter",
	    "Times a server came to lead.");
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		for (w = LEADS_META;
		     w <= LEADS_CONSUMER && s->servers[i].name[0] != '\0';
		     w++) {
			fputs("natsburn_server_elections_total{", out);
			put_label(out, "server", s->servers[i].name);
			fprintf(out, ",what=\"%s\"} %llu\n",
			    message_word(KEY_LEADS, w),
			    (unsigned long long)s->servers[i].leads[w]);
		}
}

/* Roles in the order of their first process; a handful. */
static void
write_workers(const struct stats *s, FILE *out)
{
	uint32_t i, k;
	uint64_t alive;

	head(out, "workers_alive", "gauge", "Processes that live, by role.");
	for (i = 1; i < s->nworkers; i++) {
		for (k = 1; k < i; k++)
			if (strcmp(s->workers[k].role, s->workers[i].role) == 0)
				break;
		if (k < i || s->workers[i].role[0] == '\0')
			continue;
		for (alive = 0; k < s->nworkers; k++)
			alive +=
			    s->workers[k].alive &&
			    strcmp(s->workers[k].role, s->workers[i].role) == 0;
		with(out, "workers_alive", "role", s->workers[i].role, alive);
	}
	count(out, "workers_died_total", "Processes that ended unexpectedly.",
	    s->workers_died);
	count(out, "history_gaps_total",
	    "Places where events of a process are missing.",
	    stats_seen(s, MESSAGE_CHILD_GAP));
}

void
metrics_write(const struct run *r, uint64_t now_ns, FILE *out)
{
	const struct stats *s = &r->history.stats;

	write_run(r, now_ns, out);
	write_host(&s->host, out);
	write_work(s, now_ns, out);
	write_messages(s, out);
	write_anomalies(&r->history, out);
	write_faults(s, out);
	write_servers(s, out);
	write_workers(s, out);
}

/* The server */

static enum MHD_Result
respond(struct MHD_Connection *c, unsigned status, const char *type, char *text,
    size_t len)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (response == NULL) {
		free(text);
		return MHD_NO;
	}
	/* Scrapers know the form without it, too. */
	(void)MHD_add_response_header(response, "Content-Type", type);
	result = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
respond_words(struct MHD_Connection *c, unsigned status, const char *words)
{
	char *text = strdup(words);

	return text != NULL
		   ? respond(c, status, "text/plain", text, strlen(text))
		   : MHD_NO;
}

static enum MHD_Result
answer(void *arg, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **state)
{
	static int seen;
	struct metrics *m = arg;
	struct stream out;
	size_t len;
	char *text;

	(void)version; /* any is served */
	(void)upload;
	if (*state == NULL) { /* the head only: wait for the rest */
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size != 0) {
		*upload_size = 0; /* not wanted */
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return respond_words(
		    c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (strcmp(url, "/") == 0)
		return respond_words(
		    c, MHD_HTTP_OK, "natsburn: see /metrics\n");
	if (strcmp(url, "/metrics") != 0)
		return respond_words(
		    c, MHD_HTTP_NOT_FOUND, "there is /metrics only\n");
	if (stream_open(&out) == NULL)
		return MHD_NO;
	metrics_write(m->run, clock_mono_ns(), out.file);
	if (stream_close(&out, &text, &len) < 0)
		return MHD_NO;
	return respond(c, MHD_HTTP_OK, TYPE, text, len);
}

/* "127.0.0.1:9600" or "[::1]:9600". 0 or -EINVAL. */
static int
split(const char *address, char *host, size_t host_size, char *port,
    size_t port_size)
{
	const char *colon = strrchr(address, ':'), *begin = address;
	size_t len;
	uint64_t number;

	if (colon == NULL || text_to_u64(colon + 1, 65535, &number) < 0 ||
	    !text_fits(port, port_size, colon + 1))
		return -EINVAL;
	len = (size_t)(colon - address);
	if (len >= 2 && begin[0] == '[' && begin[len - 1] == ']') {
		begin++;
		len -= 2;
	} else if (memchr(begin, ':', len) != NULL)
		return -EINVAL;
	if (len == 0 || len >= host_size)
		return -EINVAL;
	text_set(host, len + 1, begin);
	return 0;
}

static int
resolve(const char *address, struct addrinfo **found)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	char host[128], port[8];

	if (split(address, host, sizeof(host), port, sizeof(port)) < 0)
		return -EINVAL;
	/* Other names would make the start wait for somebody's DNS. */
	if (strcmp(host, "localhost") == 0)
		text_set(host, sizeof(host), "127.0.0.1");
	return getaddrinfo(host, port, &hints, found) == 0 ? 0 : -EINVAL;
}

struct metrics *
metrics_open(const char *address, const struct run *r, char *why, size_t size)
{
	struct metrics *m = calloc(1, sizeof(*m));
	const union MHD_DaemonInfo *info;
	struct addrinfo *at = NULL;

	why[0] = '\0';
	if (m == NULL || resolve(address, &at) < 0) {
		text_add(
		    why, size, "must be HOST:PORT, for example 127.0.0.1:9600");
		free(m);
		return NULL;
	}
	m->run = r;
	errno = 0;
	m->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | (at->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0), 0,
	    NULL, NULL, answer, m, MHD_OPTION_SOCK_ADDR, at->ai_addr,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)PATIENCE_S,
	    MHD_OPTION_END);
	freeaddrinfo(at);
	if (m->daemon == NULL) {
		text_add(why, size, "cannot listen there: %s",
		    strerror(errno != 0 ? errno : EIO));
		free(m);
		return NULL;
	}
	info = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_BIND_PORT);
	m->port = info != NULL ? info->port : 0;
	return m;
}

void
metrics_close(struct metrics *m)
{
	if (m == NULL)
		return;
	MHD_stop_daemon(m->daemon);
	free(m);
}

unsigned
metrics_port(const struct metrics *m)
{
	return m->port;
}

void
metrics_poll(struct metrics *m, uint64_t now_ns)
{
	if (m == NULL || now_ns < m->next_ns)
		return;
	m->next_ns = now_ns + POLL_NS;
	(void)MHD_run(m->daemon); /* fails only when it can't be polled */
}
