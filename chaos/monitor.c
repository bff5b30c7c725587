/* SPDX-License-Identifier: ISC */
/* The monitor; see monitor.h. */
#include <errno.h>
#include <stdlib.h>

#include "chaos/health.h"
#include "chaos/monitor.h"
#include "chaos/page.h"
#include "chaos/transfer.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define HEADER_MAX ((size_t)64 << 10) /* bytes of all headers of a page */

static const struct page_spec {
	const char *path;
	uint64_t slow_ns, fast_ns;
} page_specs[HEALTH_PAGES] = {
    [HEALTH_HEALTHZ] = {"/healthz", CLOCK_S, 100 * CLOCK_MS},
    [HEALTH_JSZ] = {"/jsz?streams=1&consumers=1&config=1", CLOCK_S,
	200 * CLOCK_MS},
    [HEALTH_VARZ] = {"/varz", 2 * CLOCK_S, 200 * CLOCK_MS},
    /* All goroutines stand still for it, so it is never hurried. */
    [HEALTH_GOROUTINES] = {"/debug/pprof/goroutine?debug=1", 2 * CLOCK_S,
	CLOCK_S},
};

struct query {
	struct transfer transfer;
	unsigned node; /* from 1 */
	enum health_page page;
	uint64_t asked_ns, next_ns;
	struct buf answer;
	size_t headers;	     /* bytes of the answer's */
	const char *foreign; /* what is wrong with its answers, or NULL */
	uint64_t foreign_ns; /* since when; 0: nothing is */
};

struct monitor {
	struct cluster *cluster;
	CURLM *multi;
	bool hurry;
	struct query queries[CONFIG_NODES_MAX][HEALTH_PAGES];
};

static void
note_foreign(struct query *q, const char *what)
{
	if (what == NULL)
		q->foreign_ns = 0;
	else if (q->foreign_ns == 0)
		q->foreign_ns = q->asked_ns;
	q->foreign = what;
}

static size_t
on_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct query *q = arg;

	if (buf_append(&q->answer, data, size * n) == 0)
		return size * n;
	note_foreign(q, "is larger than 16 MiB");
	return 0;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct query *q = arg;

	(void)data; /* only its length counts */
	q->headers += size * n;
	if (q->headers <= HEADER_MAX)
		return size * n;
	note_foreign(q, "has more than 64 KiB of headers");
	return 0;
}

/* Make its transfer. 0 or -ENOMEM. */
static int
query_open(struct monitor *m, struct query *q)
{
	int err = page_open(&q->transfer, m->cluster, q);

	if (err < 0)
		return err;
	TRANSFER_SET(&q->transfer, CURLOPT_WRITEFUNCTION, on_bytes);
	TRANSFER_SET(&q->transfer, CURLOPT_WRITEDATA, q);
	TRANSFER_SET(&q->transfer, CURLOPT_HEADERFUNCTION, on_header);
	TRANSFER_SET(&q->transfer, CURLOPT_HEADERDATA, q);
	return 0;
}

int
monitor_begin(struct cluster *c, struct child *child)
{
	struct monitor *m = calloc(1, sizeof(*m));
	unsigned i, p;
	int err = 0;

	if (m == NULL)
		return -ENOMEM;
	c->monitor = m;
	m->cluster = c;
	m->multi = curl_multi_init();
	c->health = health_create(c, child);
	if (m->multi == NULL || c->health == NULL)
		err = -ENOMEM;
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		for (p = 0; p < HEALTH_PAGES; p++) {
			m->queries[i][p].node = i + 1;
			m->queries[i][p].page = (enum health_page)p;
			buf_init(&m->queries[i][p].answer, PAGE_MAX);
		}
	if (err < 0)
		monitor_end(c);
	return err;
}

void
monitor_end(struct cluster *c)
{
	struct monitor *m = c->monitor;
	struct query *q;
	unsigned i, p;

	if (m == NULL)
		return;
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		for (p = 0; p < HEALTH_PAGES; p++) {
			q = &m->queries[i][p];
			transfer_close(&q->transfer, m->multi);
			buf_fini(&q->answer);
		}
	if (m->multi != NULL)
		(void)curl_multi_cleanup(m->multi); /* nothing is in it */
	health_destroy(c->health);
	c->health = NULL;
	c->monitor = NULL;
	free(m);
}

void
monitor_hurry(struct monitor *m, bool hurry)
{
	unsigned i, p;

	if (hurry && !m->hurry)
		for (i = 0; i < m->cluster->n; i++)
			for (p = 0; p < HEALTH_PAGES; p++)
				m->queries[i][p].next_ns = 0;
	m->hurry = hurry;
}

static void
query_start(struct monitor *m, struct query *q, uint64_t now)
{
	const struct page_spec *spec = &page_specs[q->page];
	const struct cluster_node *node = &m->cluster->nodes[q->node - 1];
	const char *base =
	    q->page == HEALTH_GOROUTINES ? node->profile : node->monitor;
	char url[CLUSTER_URL_MAX + 64];

	q->next_ns = now + (m->hurry ? spec->fast_ns : spec->slow_ns);
	if (base[0] == '\0')
		return;
	url[0] = '\0';
	text_add(url, sizeof(url), "%s%s", base, spec->path);
	if (q->transfer.easy == NULL && query_open(m, q) < 0)
		return;
	page_set_url(&q->transfer, m->cluster->config, url);
	buf_consume(&q->answer, buf_len(&q->answer));
	q->asked_ns = now;
	q->headers = 0;
	/* What could not be started is made anew when it is due again. */
	if (transfer_start(&q->transfer, m->multi) < 0)
		transfer_close(&q->transfer, m->multi);
}

static void
take_finished(struct monitor *m)
{
	struct transfer_end end;
	struct query *q;
	bool is_page, ok;

	while (transfer_next(m->multi, &end)) {
		q = end.owner;
		transfer_stop(&q->transfer, m->multi);
		ok = end.result == CURLE_OK && end.status == 200;
		is_page = health_take(m->cluster->health,
		    &(struct health_answer){.node = q->node,
			.page = q->page,
			.asked_ns = q->asked_ns,
			.ok = ok,
			.text = (const char *)buf_data(&q->answer),
			.len = buf_len(&q->answer)});
		if (ok && q->page != HEALTH_HEALTHZ &&
		    q->page != HEALTH_GOROUTINES)
			note_foreign(q,
			    is_page ? NULL : "is no JSON of a nats-server's");
	}
}

void
monitor_wait(
    struct monitor *m, struct curl_waitfd *extra, unsigned n, int timeout_ms)
{
	uint64_t now = clock_mono_ns();
	struct query *q;
	unsigned i, p;

	for (i = 0; i < m->cluster->n; i++)
		for (p = 0; p < HEALTH_PAGES; p++) {
			q = &m->queries[i][p];
			if (!q->transfer.is_added && now >= q->next_ns)
				query_start(m, q, now);
		}
	transfer_step(m->multi);
	/* Without memory it returns at once: the caller comes again. */
	(void)curl_multi_poll(m->multi, extra, n, timeout_ms, NULL);
	transfer_step(m->multi);
	take_finished(m);
}

bool
monitor_is_foreign(const struct monitor *m, uint64_t for_ns, char *why)
{
	uint64_t now = clock_mono_ns();
	const struct query *q;
	unsigned i, p;

	for (i = 0; i < m->cluster->n; i++)
		for (p = 0; p < HEALTH_PAGES; p++) {
			q = &m->queries[i][p];
			if (q->foreign_ns == 0 || now < q->foreign_ns + for_ns)
				continue;
			why[0] = '\0';
			text_add(why, CLUSTER_WHY_MAX, "\"%.100s%s\" %s",
			    m->cluster->nodes[i].monitor, page_specs[p].path,
			    q->foreign);
			return true;
		}
	return false;
}
