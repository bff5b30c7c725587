/* SPDX-License-Identifier: ISC */
/* How containers end; see kube_end.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_end.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "chaos/trace.h"
#include "proto/base/text.h"

/* A body is KUBE_BODY_MAX at the most. */
#define LOG_QUERY  "previous=true&tailLines=20000&limitBytes=4000000"
#define LINE_BYTES 512	  /* longer ones are cut */
#define LOG_MS	   30000L /* it may be 4 MB */
#define TRY_NS	   CLOCK_S
#define TRIES	   15
#define BY_SIGNAL  128 /* and its number, as exit code */

/* What the log says of the end. */
struct last_words {
	struct trace trace;
	bool is_shut, is_fatal;
	char error[256]; /* the last [FTL], or else the last [ERR] */
};

static void
take_error(struct last_words *w, const char *line)
{
	const char *fatal = strstr(line, "[FTL] ");
	const char *error = strstr(line, "[ERR] ");

	w->is_shut |= strstr(line, "[INF] Initiating Shutdown") != NULL;
	if (strncmp(line, "nats-server: ", strlen("nats-server: ")) == 0)
		fatal = line;
	if (fatal == NULL && (error == NULL || w->is_fatal))
		return;
	w->is_fatal |= fatal != NULL;
	trace_print(w->error, sizeof(w->error), fatal != NULL ? fatal : error);
}

static void
take_line(struct last_words *w, const char *line)
{
	/* "[1] 2026/...": of the log; the rest is of Go's runtime. */
	if (line[0] == '[' || strncmp(line, "nats-server: ", 13) == 0)
		take_error(w, line);
	else
		trace_line(&w->trace, line);
	/* It lives on after a data race, and there may be many. */
	if (w->trace.cause == CAUSE_RACE && w->trace.is_over)
		trace_reset(&w->trace);
}

static void
take_log(struct last_words *w, const char *text)
{
	char line[LINE_BYTES];
	size_t len;

	while (*text != '\0') {
		len = strcspn(text, "\n");
		text_format(line, sizeof(line), "%.*s", (int)len, text);
		take_line(w, line);
		text += len + (text[len] == '\n');
	}
	if (w->trace.cause == CAUSE_RACE)
		trace_reset(&w->trace);
}

/* What the log does not tell, Kubernetes and the exit code do. */
static void
find_cause(struct last_words *w, const struct kube_exit *e)
{
	struct trace *t = &w->trace;

	if (strcmp(e->reason, "OOMKilled") == 0) {
		t->cause = CAUSE_HOST;
		text_set(t->says, sizeof(t->says),
		    "OOMKilled: it had more memory than its container may "
		    "have");
		return;
	}
	if (t->cause != CAUSE_NONE)
		return;
	if (e->code > BY_SIGNAL)
		t->cause = CAUSE_SIGNAL;
	else if (w->is_shut)
		t->cause = CAUSE_SHUTDOWN;
	else if (trace_is_host(w->error) ||
		 strncmp(w->error, "nats-server: ", 13) == 0)
		t->cause = CAUSE_HOST;
	text_set(t->says, sizeof(t->says), w->error);
}

static void
emit(const struct kube_end *end, const struct last_words *w, bool is_read)
{
	struct event ev = {.type = MESSAGE_SERVER_ENDED};
	struct msg_server_ended *m = &ev.u.server_ended;
	const struct kube_exit *e = &end->exit;
	const struct kubernetes *k = end->cluster->state;
	uint8_t cause = w->trace.cause;
	bool is_crash = cause == CAUSE_PANIC || cause == CAUSE_FATAL;

	if ((end->was_told || k->begin_ns == 0) && !is_crash)
		return;
	m->node = end->node;
	if (e->code > BY_SIGNAL && e->code < BY_SIGNAL + 64)
		m->signal = (uint8_t)(e->code - BY_SIGNAL);
	else
		m->code = e->code;
	m->asked = end->was_told;
	m->cause = cause;
	m->is_read = is_read;
	m->lived_ns = e->lived_s * CLOCK_S;
	text_set(
	    m->name, sizeof(m->name), end->cluster->nodes[end->node - 1].name);
	text_set(m->says, sizeof(m->says), w->trace.says);
	text_set(m->frames, sizeof(m->frames), w->trace.frames);
	child_emit(chaos_child(end->cluster->chaos), &ev);
}

static void
heard(void *arg, int status, const char *body)
{
	struct kube_end *end = arg;
	struct last_words w = {0};
	bool is_refused = status == 401 || status == 403;

	end->is_asking = false;
	if (status != KUBE_OK && !is_refused && ++end->tries < TRIES)
		return;
	end->is_wanted = false;
	if (status == KUBE_OK)
		take_log(&w, body);
	find_cause(&w, &end->exit);
	emit(end, &w, status == KUBE_OK);
}

static void
ask(const struct kubernetes *k, struct kube_end *end)
{
	char path[KUBE_PATH_MAX] = "";
	struct kube_ask ask = {
	    .path = path, .timeout_ms = LOG_MS, .done = heard, .arg = end};

	text_add(path, sizeof(path),
	    "/api/v1/namespaces/%s/pods/%s/log?container=%s&" LOG_QUERY, k->ns,
	    k->nodes[end->node - 1].seen.name, k->set.container);
	end->next_ns = clock_mono_ns() + TRY_NS;
	end->is_asking = kube_request(k->api, &ask) == 0;
	if (!end->is_asking)
		heard(end, -ENOTCONN, "");
}

void
kube_end_step(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_end *end;
	unsigned i;

	for (i = 1; i <= c->n; i++) {
		end = &k->nodes[i - 1].end;
		if (end->is_wanted && !end->is_asking &&
		    clock_mono_ns() >= end->next_ns)
			ask(k, end);
	}
}

void
kube_end_restarted(
    struct cluster *c, unsigned node, const struct kube_pod *p, bool was_told)
{
	struct kubernetes *k = c->state;
	struct kube_end *end = &k->nodes[node - 1].end;

	/* What will be answered is of the last end: that is told. */
	end->was_told = was_told && (end->was_told || !end->is_wanted);
	end->cluster = c;
	end->node = node;
	end->exit = p->last;
	end->is_wanted = true;
	end->tries = 0;
	end->next_ns = clock_mono_ns() + TRY_NS;
}

void
kube_end_gone(struct cluster *c, unsigned node)
{
	struct kube_end end = {.cluster = c, .node = node};
	struct last_words w = {.trace = {.cause = CAUSE_SIGNAL}};

	end.exit.code =
	    BY_SIGNAL + SIGTERM; /* the first that a kubelet sends */
	text_set(w.trace.says, sizeof(w.trace.says),
	    "its pod was deleted or evicted");
	emit(&end, &w, false);
}
