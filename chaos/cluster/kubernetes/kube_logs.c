/* SPDX-License-Identifier: ISC */
/* The logs of the pods; see kube_logs.h. */
#include <string.h>

#include "chaos/cluster/kubernetes/kube_logs.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "proto/base/text.h"

#define LINE_BYTES 600 /* with its time stamp; longer ones are cut */
#define OVERLAP_S  10  /* seconds that are asked for twice: clocks differ */

/*
 * "2026-11-29T11:44:06.123456789Z text". Time stamps of one format are in the
 * order of their letters.
 */
static void
take_line(struct kube_logs *l, const char *line)
{
	size_t len = strcspn(line, " ");
	char stamp[sizeof(l->last)];

	if (line[len] == '\0' || len >= sizeof(stamp))
		return;
	text_format(stamp, sizeof(stamp), "%.*s", (int)len, line);
	if (strcmp(stamp, l->last) <= 0)
		return;
	text_set(l->last, sizeof(l->last), stamp);
	chaos_take_log(l->cluster->chaos, l->node, line + len + 1);
}

static void
heard(void *arg, int status, const char *body)
{
	struct kube_logs *l = arg;
	char line[LINE_BYTES];
	size_t len;

	l->is_asking = false;
	l->is_refused = status == 401 || status == 403;
	if (status != KUBE_OK)
		return;
	l->asked_ns = l->next_ns - LOGS_NS;
	for (; *body != '\0'; body += len + (body[len] == '\n')) {
		len = strcspn(body, "\n");
		text_format(line, sizeof(line), "%.*s", (int)len, body);
		take_line(l, line);
	}
}

static void
ask(struct kubernetes *k, struct kube_logs *l, uint64_t now)
{
	char path[KUBE_PATH_MAX] = "";
	struct kube_ask ask = {.path = path, .done = heard, .arg = l};
	uint64_t since_s = OVERLAP_S;

	if (l->asked_ns != 0)
		since_s += (now - l->asked_ns) / CLOCK_S;
	text_add(path, sizeof(path),
	    "/api/v1/namespaces/%s/pods/%s/log?container=%s&timestamps=true&"
	    "sinceSeconds=%llu&limitBytes=1000000",
	    k->ns, k->nodes[l->node - 1].seen.name, k->set.container,
	    (unsigned long long)since_s);
	l->next_ns = now + LOGS_NS;
	l->is_asking = kube_request(k->api, &ask) == 0;
}

void
kube_logs_step(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t now = clock_mono_ns();
	struct kube_logs *l;
	unsigned i;

	for (i = 1; i <= c->n && k->begin_ns != 0; i++) {
		l = &k->nodes[i - 1].logs;
		l->cluster = c;
		l->node = i;
		if (k->nodes[i - 1].is_there && !l->is_asking &&
		    !l->is_refused && now >= l->next_ns)
			ask(k, l, now);
	}
}
