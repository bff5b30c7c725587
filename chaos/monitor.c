/* SPDX-License-Identifier: ISC */
/* The monitor; see monitor.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chaos/monitor.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "proto/json.h"

#define ANSWER_MAX	 ((size_t)16 << 20)
#define TIMEOUT_MS	 2000L /* a stopped server's port accepts and hangs */
#define GROUPS_MAX	 4096  /* streams and consumers followed, a server */
#define REFRESH_NS	 (5 * CLOCK_S)
#define MONITOR_NAME_MAX 80
#define LEADERS_SENT	 64 /* groups whose leader is told now and then */

enum page {
	PAGE_HEALTH,
	PAGE_JSZ,
	PAGE_VARZ,
	PAGES
};

static const struct page_spec {
	const char *path;
	uint64_t slow_ns, fast_ns;
} page_specs[PAGES] = {
    [PAGE_HEALTH] = {"/healthz", CLOCK_S, 100 * CLOCK_MS},
    [PAGE_JSZ] = {"/jsz?streams=1&consumers=1&config=1", CLOCK_S,
	200 * CLOCK_MS},
    [PAGE_VARZ] = {"/varz", 2 * CLOCK_S, 200 * CLOCK_MS},
};

struct query {
	CURL *easy;
	unsigned node; /* from 1 */
	enum page page;
	bool is_running;
	uint64_t asked_ns, next_ns;
	struct curl_slist *to; /* of the request, or NULL */
	struct buf answer;
};

/* A stream or consumer as one server sees it. */
struct group {
	uint64_t hash;	 /* of its name */
	bool is_led;	 /* by this very server */
	bool is_current; /* all replicas are; known by the leader only */
	bool is_consumer;
	unsigned copies;		/* replicas, itself included */
	unsigned want;			/* that are configured; 0: not told */
	unsigned peers;			/* those that are nodes of ours, bits */
	unsigned lagging;		/* of them, those not current */
	uint64_t first, last, messages; /* of a stream, by its own store */
	char name[MONITOR_NAME_MAX];	/* stream or stream/consumer */
};

struct watched {
	uint64_t health_ns; /* asked at; 0 never answered */
	bool health_ok;
	char health_says[160]; /* its own words when it is not */
	uint64_t jsz_ns;
	bool leads_meta, meta_current;
	unsigned meta_size, meta_lagging;
	struct group *groups;
	unsigned ngroups;
	struct monitor_varz varz;
};

/* Leaders as they were last told upwards. */
struct told {
	uint64_t hash;
	char leader[CLUSTER_NAME_MAX];
	uint64_t told_ns;
};

struct monitor {
	struct cluster *cluster;
	struct child *child;
	CURLM *multi;
	bool hurry;
	struct query queries[CONFIG_NODES_MAX][PAGES];
	struct watched nodes[CONFIG_NODES_MAX];
	struct told told[LEADERS_SENT];
	unsigned ntold;
	char prefix[40]; /* of the run's streams */
};

static size_t
on_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct query *q = arg;

	return buf_append(&q->answer, data, size * n) == 0 ? size * n : 0;
}

/*
 * What is asked for. With --tls-hostname it is that name that is asked, and
 * only the connection goes to where the URL says; the list that says so is
 * returned, to be freed after the request, or NULL.
 */
static struct curl_slist *
set_url(CURL *easy, const struct run_config *c, const char *url)
{
	char renamed[CLUSTER_URL_MAX + 384] = "", to[CLUSTER_URL_MAX + 64] = "";
	struct curl_slist *list = NULL;
	const char *host = url + strlen("https://");
	size_t all, name;

	if (strncmp(url, "https://", 8) != 0 || c->tls_hostname[0] == '\0') {
		(void)curl_easy_setopt(easy, CURLOPT_URL, url);
		return NULL;
	}
	all = strcspn(host, "/");
	name = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	text_add(
	    to, sizeof(to), "::%.*s%s", (int)all, host, name == all ? ":" : "");
	text_add(renamed, sizeof(renamed), "https://%s%s", c->tls_hostname,
	    host + name);
	list = curl_slist_append(NULL, to);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, list);
	(void)curl_easy_setopt(easy, CURLOPT_URL, renamed);
	return list;
}

/* What all requests have in common. */
static void
set_common(CURL *easy, const struct cluster *cluster)
{
	const struct run_config *c = cluster->config;

	if (cluster->monitor_socket != NULL)
		(void)curl_easy_setopt(
		    easy, CURLOPT_UNIX_SOCKET_PATH, cluster->monitor_socket);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	if (c->tls_ca[0] != '\0')
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, c->tls_ca);
	if (c->tls_cert[0] == '\0')
		return;
	(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, c->tls_cert);
	(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, c->tls_key);
}

static int
query_init(struct monitor *m, struct query *q, unsigned node, enum page page)
{
	q->node = node;
	q->page = page;
	buf_init(&q->answer, ANSWER_MAX);
	q->easy = curl_easy_init();
	if (q->easy == NULL)
		return -ENOMEM;
	(void)curl_easy_setopt(q->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	(void)curl_easy_setopt(q->easy, CURLOPT_WRITEDATA, q);
	(void)curl_easy_setopt(q->easy, CURLOPT_PRIVATE, q);
	set_common(q->easy, m->cluster);
	return 0;
}

struct monitor *
monitor_create(struct cluster *cluster, struct child *child)
{
	struct monitor *m = calloc(1, sizeof(*m));
	unsigned i, p;

	if (m == NULL)
		return NULL;
	m->cluster = cluster;
	m->child = child;
	config_stream_prefix(cluster->config, m->prefix, sizeof(m->prefix));
	m->multi = curl_multi_init();
	if (m->multi == NULL) {
		monitor_destroy(m);
		return NULL;
	}
	for (i = 0; i < cluster->n; i++)
		for (p = 0; p < PAGES; p++)
			if (query_init(m, &m->queries[i][p], i + 1,
				(enum page)p) < 0) {
				monitor_destroy(m);
				return NULL;
			}
	return m;
}

void
monitor_destroy(struct monitor *m)
{
	struct query *q;
	unsigned i, p;

	if (m == NULL)
		return;
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		for (p = 0; p < PAGES; p++) {
			q = &m->queries[i][p];
			if (q->is_running)
				(void)curl_multi_remove_handle(
				    m->multi, q->easy);
			if (q->easy != NULL)
				curl_easy_cleanup(q->easy);
			curl_slist_free_all(q->to);
			buf_fini(&q->answer);
		}
		free(m->nodes[i].groups);
	}
	if (m->multi != NULL)
		(void)curl_multi_cleanup(m->multi);
	free(m);
}

void
monitor_hurry(struct monitor *m, bool hurry)
{
	unsigned i, p;

	if (hurry && !m->hurry)
		for (i = 0; i < m->cluster->n; i++)
			for (p = 0; p < PAGES; p++)
				m->queries[i][p].next_ns = 0;
	m->hurry = hurry;
}

static uint64_t
hash_name(const char *a, const char *b)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *a != '\0'; a++)
		h = (h ^ (uint8_t)*a) * UINT64_C(0x100000001b3);
	h = (h ^ '/') * UINT64_C(0x100000001b3);
	for (; *b != '\0'; b++)
		h = (h ^ (uint8_t)*b) * UINT64_C(0x100000001b3);
	return h;
}

/* Tell a leader upwards when it is new, or was not told for a while. */
static void
tell_leader(
    struct monitor *m, uint8_t what, const char *name, const char *leader)
{
	struct event ev = {.type = MESSAGE_LEADER};
	uint64_t hash = hash_name(what == 1 ? "meta" : "", name);
	uint64_t now = clock_mono_ns();
	struct told *t;
	unsigned i;

	for (i = 0; i < m->ntold; i++)
		if (m->told[i].hash == hash)
			break;
	if (i == LEADERS_SENT)
		return;
	t = &m->told[i];
	if (i == m->ntold)
		m->ntold++;
	else if (strcmp(t->leader, leader) == 0 &&
		 now < t->told_ns + REFRESH_NS)
		return;
	t->hash = hash;
	t->told_ns = now;
	text_set(t->leader, sizeof(t->leader), leader);
	ev.u.leader.what = what;
	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), name);
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), leader);
	child_emit(m->child, &ev);
}

/* Bits of those servers of ours that a group's cluster rows name. */
static unsigned
peers_of(const struct monitor *m, const cJSON *cluster)
{
	const char *leader = json_text(cluster, "leader");
	const cJSON *list, *row;
	unsigned i, peers = 0;

	list = json_get(cluster, "replicas");
	for (i = 0; i < m->cluster->n; i++) {
		if (strcmp(leader, m->cluster->nodes[i].name) == 0)
			peers |= 1U << i;
		cJSON_ArrayForEach (row, list)
			if (strcmp(json_text(row, "name"),
				m->cluster->nodes[i].name) == 0)
				peers |= 1U << i;
	}
	return peers;
}

/* What the rows of a group's replicas say. */
struct rows {
	unsigned n, lagging; /* bits of those of our servers that lag */
	bool all_current;
};

static struct rows
look_at_replicas(const struct monitor *m, const cJSON *cluster)
{
	struct rows r = {.all_current = true};
	const cJSON *list, *row;
	unsigned i;

	list = json_get(cluster, "replicas");
	cJSON_ArrayForEach (row, list) {
		r.n++;
		if (cJSON_IsTrue(json_get(row, "current")) &&
		    !cJSON_IsTrue(json_get(row, "offline")))
			continue;
		r.all_current = false;
		for (i = 0; i < m->cluster->n; i++)
			if (strcmp(json_text(row, "name"),
				m->cluster->nodes[i].name) == 0)
				r.lagging |= 1U << i;
	}
	return r;
}

/* A stream or consumer that the run made: the rest isn't ours. */
static bool
is_ours(const struct monitor *m, const struct group *g)
{
	const char *name = g->name;

	if (strncmp(name, "KV_", 3) == 0)
		name += 3;
	return m->prefix[0] != '\0' &&
	       strncmp(name, m->prefix, strlen(m->prefix)) == 0;
}

/* A consumer that says nothing has as many replicas as its stream. */
static unsigned
replicas_wanted(const cJSON *detail, const cJSON *stream)
{
	uint64_t n = json_count(json_get(detail, "config"), "num_replicas");

	if (n == 0 && stream != NULL)
		return replicas_wanted(stream, NULL);
	return (unsigned)n;
}

/* A stream, or with the stream that it is of a consumer. */
static void
add_group(struct monitor *m, struct watched *w, const char *node,
    const cJSON *detail, const cJSON *of)
{
	const cJSON *cluster = json_get(detail, "cluster");
	const char *name = json_text(detail, "name");
	const char *stream = of != NULL ? json_text(of, "name") : "";
	const char *leader = json_text(cluster, "leader");
	const cJSON *state = json_get(detail, "state");
	struct rows rows = look_at_replicas(m, cluster);
	struct group *g;

	if (w->ngroups == GROUPS_MAX)
		return;
	g = &w->groups[w->ngroups++];
	g->hash = hash_name(stream, name);
	/* R1 has no cluster rows: who has it leads it. */
	g->is_led = cluster == NULL || strcmp(leader, node) == 0;
	g->copies = rows.n + 1;
	g->want = replicas_wanted(detail, of);
	g->peers = peers_of(m, cluster);
	g->lagging = rows.lagging;
	g->is_consumer = of != NULL;
	g->first = json_count(state, "first_seq");
	g->last = json_count(state, "last_seq");
	g->messages = json_count(state, "messages");
	g->name[0] = '\0';
	text_add(g->name, sizeof(g->name), "%s%s%s", stream,
	    g->is_consumer ? "/" : "", name);
	/* What belongs to no raft group can't lack a replica. */
	g->is_current =
	    g->is_led && rows.all_current &&
	    (cluster == NULL || !is_ours(m, g) || g->copies >= g->want);
	if (g->is_led)
		tell_leader(m, g->is_consumer ? 3 : 2, g->name, node);
}

static void
take_account(struct monitor *m, struct watched *w, const char *node,
    const cJSON *account)
{
	const cJSON *streams, *stream, *consumers, *consumer;

	streams = json_get(account, "stream_detail");
	cJSON_ArrayForEach (stream, streams) {
		add_group(m, w, node, stream, NULL);
		consumers = json_get(stream, "consumer_detail");
		cJSON_ArrayForEach (consumer, consumers)
			add_group(m, w, node, consumer, stream);
	}
}

static void
take_jsz(struct monitor *m, struct watched *w, unsigned node, const cJSON *o)
{
	const char *name = m->cluster->nodes[node - 1].name;
	const cJSON *meta, *accounts, *account, *size;
	struct rows rows;

	if (w->groups == NULL)
		w->groups = calloc(GROUPS_MAX, sizeof(*w->groups));
	if (w->groups == NULL)
		return;
	w->ngroups = 0;
	meta = json_get(o, "meta_cluster");
	/* Only the leader's own rows are worth anything. */
	w->leads_meta = strcmp(json_text(meta, "leader"), name) == 0;
	rows = look_at_replicas(m, meta);
	w->meta_lagging = rows.lagging;
	size = json_get(meta, "cluster_size");
	w->meta_size = w->leads_meta && cJSON_IsNumber(size)
			   ? (unsigned)size->valueint
			   : 0;
	w->meta_current =
	    w->leads_meta && rows.all_current && rows.n + 1 == w->meta_size;
	if (w->leads_meta)
		tell_leader(m, 1, "", name);
	accounts = json_get(o, "account_details");
	cJSON_ArrayForEach (account, accounts)
		take_account(m, w, name, account);
}

static void
take_varz(struct watched *w, const cJSON *o, uint64_t asked_ns)
{
	w->varz.asked_ns = asked_ns;
	w->varz.max_connections = json_count(o, "max_connections");
	text_set(
	    w->varz.version, sizeof(w->varz.version), json_text(o, "version"));
	text_set(w->varz.id, sizeof(w->varz.id), json_text(o, "server_id"));
	text_set(w->varz.config_load_time, sizeof(w->varz.config_load_time),
	    json_text(o, "config_load_time"));
	o = json_get(json_get(o, "jetstream"), "config");
	w->varz.sync_interval_ns = json_count(o, "sync_interval");
	w->varz.sync_always = cJSON_IsTrue(json_get(o, "sync_always"));
	w->varz.max_memory = json_count(o, "max_memory");
	w->varz.max_storage = json_count(o, "max_storage");
}

static void
take_answer(struct monitor *m, struct query *q, bool ok)
{
	struct watched *w = &m->nodes[q->node - 1];
	cJSON *o = NULL;

	if (ok || q->page == PAGE_HEALTH)
		o = cJSON_ParseWithLength(
		    (const char *)buf_data(&q->answer), buf_len(&q->answer));
	if (q->page == PAGE_HEALTH) {
		w->health_ns = q->asked_ns;
		w->health_ok = ok;
		text_set(w->health_says, sizeof(w->health_says),
		    json_text(o, "error"));
	} else if (q->page == PAGE_JSZ) {
		w->jsz_ns = o != NULL ? q->asked_ns : 0;
		w->leads_meta = false;
		if (o != NULL)
			take_jsz(m, w, q->node, o);
	} else if (o != NULL)
		take_varz(w, o, q->asked_ns);
	cJSON_Delete(o);
}

static void
query_start(struct monitor *m, struct query *q, uint64_t now)
{
	const struct page_spec *spec = &page_specs[q->page];
	const struct cluster_node *node = &m->cluster->nodes[q->node - 1];
	char url[CLUSTER_URL_MAX + 64];

	q->next_ns = now + (m->hurry ? spec->fast_ns : spec->slow_ns);
	if (node->monitor[0] == '\0')
		return;
	url[0] = '\0';
	text_add(url, sizeof(url), "%s%s", node->monitor, spec->path);
	curl_slist_free_all(q->to);
	q->to = set_url(q->easy, m->cluster->config, url);
	buf_consume(&q->answer, buf_len(&q->answer));
	q->asked_ns = now;
	q->is_running = curl_multi_add_handle(m->multi, q->easy) == CURLM_OK;
}

static void
take_finished(struct monitor *m)
{
	struct query *q;
	CURLMsg *msg;
	CURLcode result;
	long code;
	int left;

	while ((msg = curl_multi_info_read(m->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		result = msg->data.result;
		code = 0;
		q = NULL;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &q);
		(void)curl_easy_getinfo(
		    msg->easy_handle, CURLINFO_RESPONSE_CODE, &code);
		(void)curl_multi_remove_handle(m->multi, msg->easy_handle);
		q->is_running = false;
		take_answer(m, q, result == CURLE_OK && code == 200);
	}
}

void
monitor_wait(
    struct monitor *m, struct curl_waitfd *extra, unsigned n, int timeout_ms)
{
	uint64_t now = clock_mono_ns();
	struct query *q;
	unsigned i, p;
	int running;

	for (i = 0; i < m->cluster->n; i++)
		for (p = 0; p < PAGES; p++) {
			q = &m->queries[i][p];
			if (!q->is_running && now >= q->next_ns)
				query_start(m, q, now);
		}
	(void)curl_multi_perform(m->multi, &running);
	(void)curl_multi_poll(m->multi, extra, n, timeout_ms, NULL);
	(void)curl_multi_perform(m->multi, &running);
	take_finished(m);
}

bool
monitor_node_is_ok(const struct monitor *m, unsigned node, uint64_t since_ns)
{
	const struct watched *w = &m->nodes[node - 1];

	if (m->cluster->nodes[node - 1].monitor[0] == '\0')
		return true; /* nobody to ask: the caller knows */
	return w->health_ok && w->health_ns > since_ns;
}

bool
monitor_node_is_bad(const struct monitor *m, unsigned node, uint64_t since_ns)
{
	const struct watched *w = &m->nodes[node - 1];

	return !w->health_ok && w->health_ns > since_ns;
}

/* The state of a stream or consumer over all servers. */
static bool
group_is_current(const struct monitor *m, uint64_t hash)
{
	const struct watched *w;
	unsigned i, k;

	for (i = 0; i < m->cluster->n; i++) {
		w = &m->nodes[i];
		for (k = 0; k < w->ngroups; k++)
			if (w->groups[k].hash == hash && w->groups[k].is_led)
				return w->groups[k].is_current;
	}
	return false; /* nobody leads it */
}

static bool
missing(char *why, const char *what, const char *name)
{
	why[0] = '\0';
	text_add(why, CLUSTER_WHY_MAX, "%s%s", name, what);
	return false;
}

static bool
groups_are_current(const struct monitor *m, char *why)
{
	const struct watched *w;
	unsigned i, k;

	for (i = 0; i < m->cluster->n; i++) {
		w = &m->nodes[i];
		for (k = 0; k < w->ngroups; k++)
			if (!group_is_current(m, w->groups[k].hash))
				return missing(
				    why, " is not current", w->groups[k].name);
	}
	return true;
}

static bool
is_unwell(char *why, const char *name, const struct watched *w)
{
	(void)missing(why, " is not healthy", name);
	if (w->health_says[0] != '\0')
		text_add(why, CLUSTER_WHY_MAX, " (%s)", w->health_says);
	return false;
}

bool
monitor_is_watching(const struct monitor *m)
{
	unsigned i;

	for (i = 0; i < m->cluster->n; i++)
		if (m->cluster->nodes[i].monitor[0] != '\0')
			return true;
	return false;
}

bool
monitor_is_healthy(const struct monitor *m, uint64_t since_ns, char *why)
{
	const struct watched *w;
	bool has_leader = m->cluster->n == 1;
	unsigned i;

	for (i = 0; i < m->cluster->n; i++) {
		w = &m->nodes[i];
		if (m->cluster->ops->node_is_ready != NULL &&
		    !m->cluster->ops->node_is_ready(m->cluster, i + 1))
			return missing(
			    why, " is not ready", m->cluster->nodes[i].name);
		if (m->cluster->nodes[i].monitor[0] == '\0')
			continue;
		if (!monitor_node_is_ok(m, i + 1, since_ns))
			return is_unwell(why, m->cluster->nodes[i].name, w);
		if (w->jsz_ns <= since_ns)
			return missing(why,
			    " does not tell its JetStream state",
			    m->cluster->nodes[i].name);
		has_leader |= w->leads_meta && w->meta_current &&
			      w->meta_size >= m->cluster->n;
	}
	if (!monitor_is_watching(m))
		return true;
	if (!has_leader)
		return missing(why,
		    "the meta leader does not see all servers current", "");
	if (!groups_are_current(m, why))
		return false;
	why[0] = '\0';
	return true;
}

unsigned
monitor_meta_leader(const struct monitor *m, uint64_t since_ns)
{
	unsigned i;

	for (i = 0; i < m->cluster->n; i++)
		if (m->nodes[i].leads_meta && m->nodes[i].jsz_ns > since_ns)
			return i + 1;
	return 0;
}

static bool
is_pickable(const struct monitor *m, const struct group *g, bool consumers)
{
	return g->is_led && g->is_consumer == consumers &&
	       (m->prefix[0] == '\0' || is_ours(m, g));
}

unsigned
monitor_pick_group(const struct monitor *m, bool consumers, uint64_t dice,
    char *name, size_t size)
{
	const struct watched *w;
	unsigned i, k, pass;
	uint64_t count = 0, at = 0;

	/* The first pass counts, the second takes the one that was chosen. */
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < m->cluster->n; i++) {
			w = &m->nodes[i];
			for (k = 0; w->jsz_ns != 0 && k < w->ngroups; k++) {
				if (!is_pickable(m, &w->groups[k], consumers))
					continue;
				if (pass == 0) {
					count++;
				} else if (at++ == dice % count) {
					text_set(name, size, w->groups[k].name);
					return i + 1;
				}
			}
		}
		if (count == 0)
			break;
	}
	return 0;
}

unsigned
monitor_group_leader(
    const struct monitor *m, const char *name, uint64_t since_ns)
{
	const struct watched *w;
	unsigned i, k;

	for (i = 0; i < m->cluster->n; i++) {
		w = &m->nodes[i];
		if (w->jsz_ns <= since_ns)
			continue;
		for (k = 0; k < w->ngroups; k++)
			if (w->groups[k].is_led &&
			    strcmp(w->groups[k].name, name) == 0)
				return i + 1;
	}
	return 0;
}

bool
monitor_varz(const struct monitor *m, unsigned node, struct monitor_varz *out)
{
	*out = m->nodes[node - 1].varz;
	return out->asked_ns != 0;
}

unsigned
monitor_meta_size(const struct monitor *m, uint64_t since_ns)
{
	unsigned i;

	for (i = 0; i < m->cluster->n; i++)
		if (m->nodes[i].leads_meta && m->nodes[i].jsz_ns > since_ns)
			return m->nodes[i].meta_size;
	return 0;
}

uint64_t
monitor_meta(const struct monitor *m, unsigned node, struct monitor_meta *out)
{
	const struct watched *w = &m->nodes[node - 1];

	out->is_led = w->leads_meta;
	out->is_current = w->leads_meta && w->meta_current;
	out->size = w->meta_size;
	out->lagging = w->meta_lagging;
	return w->jsz_ns;
}

bool
monitor_group(const struct monitor *m, unsigned node, unsigned *i,
    struct monitor_group *out)
{
	const struct watched *w = &m->nodes[node - 1];
	const struct group *g;

	while (*i < w->ngroups) {
		g = &w->groups[(*i)++];
		if (!is_ours(m, g))
			continue;
		out->id = g->hash;
		out->name = g->name;
		out->is_consumer = g->is_consumer;
		out->is_led = g->is_led;
		out->is_current = g->is_current;
		out->copies = g->copies;
		out->lagging = g->lagging;
		out->want = g->want;
		out->last = g->last;
		out->messages = g->messages;
		return true;
	}
	return false;
}

static void
stream_of(unsigned node, const struct group *g, struct monitor_stream *out)
{
	out->name = g->name;
	out->first = g->first;
	out->last = g->last;
	out->messages = g->messages;
	out->is_led = g->is_led;
	/* What has one copy names nobody. */
	out->peers = g->copies > 1 ? g->peers : 1U << (node - 1);
}

bool
monitor_stream(const struct monitor *m, unsigned node, unsigned *i,
    struct monitor_stream *out)
{
	const struct watched *w = &m->nodes[node - 1];
	const struct group *g;

	while (*i < w->ngroups) {
		g = &w->groups[(*i)++];
		if (g->is_consumer || !is_ours(m, g))
			continue;
		stream_of(node, g, out);
		return true;
	}
	return false;
}

bool
monitor_stream_of(const struct monitor *m, unsigned node, const char *name,
    struct monitor_stream *out)
{
	const struct watched *w = &m->nodes[node - 1];
	uint64_t hash = hash_name("", name);
	unsigned k;

	for (k = 0; k < w->ngroups; k++)
		if (w->groups[k].hash == hash && !w->groups[k].is_consumer &&
		    strcmp(w->groups[k].name, name) == 0) {
			stream_of(node, &w->groups[k], out);
			return true;
		}
	return false;
}

unsigned
monitor_tells_streams(
    const struct monitor *m, uint64_t since_ns, unsigned *silent)
{
	unsigned i, can = 0;

	*silent = 0;
	for (i = 0; i < m->cluster->n; i++) {
		if (m->cluster->nodes[i].monitor[0] == '\0')
			continue;
		can++;
		if (*silent == 0 && m->nodes[i].jsz_ns <= since_ns)
			*silent = i + 1;
	}
	return can;
}

static size_t
drop_bytes(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

int
monitor_try(const struct cluster *c, unsigned node, char *why)
{
	const char *monitor = c->nodes[node - 1].monitor;
	char url[CLUSTER_URL_MAX + 64] = "", text[CURL_ERROR_SIZE] = "";
	CURL *easy = curl_easy_init();
	struct curl_slist *to;
	CURLcode got;

	if (easy == NULL)
		return -ENOTCONN;
	text_add(url, sizeof(url), "%s/varz", monitor);
	set_common(easy, c);
	to = set_url(easy, c->config, url);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_bytes);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
	got = curl_easy_perform(easy);
	curl_easy_cleanup(easy);
	curl_slist_free_all(to);
	why[0] = '\0';
	switch ((int)got) {
	case CURLE_OK:
		return 0;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_PEER_FAILED_VERIFICATION:
		text_add(why, CLUSTER_WHY_MAX,
		    "no TLS with --monitor \"%.80s\": %.100s", monitor,
		    text[0] != '\0' ? text : curl_easy_strerror(got));
		return -EPROTO;
	default:
		return -ENOTCONN;
	}
}

static bool
save_page(const struct monitor *m, CURL *easy, const char *monitor,
    const char *page, const char *path)
{
	char url[CLUSTER_URL_MAX + 128] = "";
	FILE *f = fopen(path, "we");
	struct curl_slist *to;
	CURLcode got;

	if (f == NULL)
		return false;
	text_add(url, sizeof(url), "%s/%s", monitor, page);
	to = set_url(easy, m->cluster->config, url);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
	got = curl_easy_perform(easy);
	curl_slist_free_all(to);
	return fclose(f) == 0 && got == CURLE_OK;
}

unsigned
monitor_dump(struct monitor *m, const char *dir)
{
	static const char *const pages[][2] = {
	    {"varz", "varz"},
	    {"jsz?accounts=1&streams=1&consumers=1&config=1&raft=1", "jsz"},
	    {"connz?subs=1", "connz"},
	    {"routez", "routez"},
	    {"healthz", "healthz"},
	};
	char path[CONFIG_PATH_MAX + 128];
	CURL *easy = curl_easy_init();
	unsigned i, p, saved = 0;

	if (easy != NULL)
		set_common(easy, m->cluster);
	(void)mkdir(dir, 0755); /* the driver has made it, or nobody */
	for (i = 0; easy != NULL && i < m->cluster->n; i++) {
		if (m->cluster->nodes[i].monitor[0] == '\0')
			continue;
		path[0] = '\0';
		text_add(path, sizeof(path), "%s/%s", dir,
		    m->cluster->nodes[i].name);
		(void)mkdir(path, 0755); /* there already, most often */
		for (p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
			path[0] = '\0';
			text_add(path, sizeof(path), "%s/%s/%s.json", dir,
			    m->cluster->nodes[i].name, pages[p][1]);
			saved += save_page(m, easy,
			    m->cluster->nodes[i].monitor, pages[p][0], path);
			child_beat(m->child);
		}
	}
	if (easy != NULL)
		curl_easy_cleanup(easy);
	return saved;
}
