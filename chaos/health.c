/* SPDX-License-Identifier: ISC */
/* What the servers said of themselves; see health.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/health.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "proto/json.h"

#define NESTING_MAX 64	 /* arrays and objects; a server's pages have 8 */
#define GROUPS_MAX  4096 /* streams and consumers followed, a server */
#define REFRESH_NS  (5 * CLOCK_S)
/* For so long an election can't come and go unseen: it takes 4 s at least. */
#define BLIND_NS     (3 * CLOCK_S)
#define GONE_NS	     (30 * CLOCK_S) /* a group that nobody has named since */
#define PROCESS_NS   (2 * CLOCK_S)
#define GROUP_NAME   80
#define LEADERS_SENT 512 /* groups whose leaders go into the history */

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
	uint64_t bytes, subjects;
	uint64_t delivered, floor, ack_pending; /* of a consumer */
	uint64_t made;				/* hash of its creation time */
	char name[GROUP_NAME];			/* stream or stream/consumer */
};

struct watched {
	uint64_t health_ns; /* asked at; 0 never answered */
	bool health_ok;
	char health_says[160]; /* its own words when it is not */
	uint64_t jsz_ns;
	bool leads_meta, meta_current;
	unsigned meta_size, meta_lagging;
	uint64_t meta_lags[CONFIG_NODES_MAX];
	struct group *groups;
	uint32_t ngroups, room;
	uint64_t assets, stored;
	uint64_t goroutines;
	struct health_varz varz;
	uint64_t process, process_ns; /* as told last, and when */
	uint32_t gateways, leafs;     /* as told last */
};

/* The leader of a group as it was emitted last, and when it was seen last. */
struct told {
	uint64_t hash;
	char leader[CLUSTER_NAME_MAX];
	uint64_t told_ns, seen_ns;
};

struct health {
	struct cluster *cluster;
	struct child *child;
	struct watched nodes[CONFIG_NODES_MAX];
	struct told told[LEADERS_SENT];
	unsigned ntold;
	char prefix[40]; /* of the run's streams */
};

struct health *
health_create(struct cluster *cluster, struct child *child)
{
	struct health *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->cluster = cluster;
	h->child = child;
	config_stream_prefix(cluster->config, h->prefix, sizeof(h->prefix));
	return h;
}

void
health_destroy(struct health *h)
{
	unsigned i;

	for (i = 0; h != NULL && i < CONFIG_NODES_MAX; i++)
		free(h->nodes[i].groups);
	free(h);
}

static uint64_t
hash_name(const char *a, const char *b)
{
	return text_hash(text_hash(text_hash(TEXT_HASH, a), "/"), b);
}

/* The place of a group: its own, a free one, or that of one that is gone. */
static struct told *
told_of(struct health *h, uint64_t hash, uint64_t now)
{
	struct told *oldest = NULL;
	bool is_full = h->ntold == LEADERS_SENT;
	unsigned i;

	for (i = 0; i < h->ntold; i++) {
		if (h->told[i].hash == hash)
			return &h->told[i];
		if (oldest == NULL || h->told[i].seen_ns < oldest->seen_ns)
			oldest = &h->told[i];
	}
	if (!is_full)
		oldest = &h->told[h->ntold++];
	else if (now < oldest->seen_ns + GONE_NS)
		return NULL;
	/* One that had to go may be back: it was not seen for long. */
	*oldest = (struct told){.hash = hash, .seen_ns = is_full ? 1 : 0};
	return oldest;
}

static void
emit_leader(const struct health *h, struct msg_leader m)
{
	struct event ev = {.type = MESSAGE_LEADER, .u.leader = m};

	child_emit(h->child, &ev);
}

/*
 * Emit who leads a group when that has changed, or was not said for REFRESH_NS.
 * One that was not seen for long may have lost it and won it again meanwhile:
 * then none was known.
 */
static void
tell_leader(
    struct health *h, uint8_t what, const char *name, const char *leader)
{
	uint64_t hash = hash_name(what == 1 ? "meta" : "", name);
	uint64_t now = clock_mono_ns();
	struct told *t = told_of(h, hash, now);
	struct msg_leader m = {.what = what};
	bool is_same, was_blind;

	if (t == NULL)
		return;
	is_same = strcmp(t->leader, leader) == 0;
	was_blind = t->seen_ns != 0 && now > t->seen_ns + BLIND_NS;
	t->seen_ns = now;
	if (is_same && !was_blind && now < t->told_ns + REFRESH_NS)
		return;
	text_set(m.name, sizeof(m.name), name);
	if (was_blind)
		emit_leader(h, m);
	t->told_ns = now;
	text_set(t->leader, sizeof(t->leader), leader);
	text_set(m.leader, sizeof(m.leader), leader);
	emit_leader(h, m);
}

/* Bits of those servers of ours that a group's cluster rows name. */
static unsigned
peers_of(const struct health *h, const cJSON *cluster)
{
	const char *leader = json_text(cluster, "leader");
	const cJSON *list, *row;
	unsigned i, peers = 0;

	list = json_get(cluster, "replicas");
	for (i = 0; i < h->cluster->n; i++) {
		if (strcmp(leader, h->cluster->nodes[i].name) == 0)
			peers |= 1U << i;
		cJSON_ArrayForEach (row, list)
			if (strcmp(json_text(row, "name"),
				h->cluster->nodes[i].name) == 0)
				peers |= 1U << i;
	}
	return peers;
}

/* What the rows of a group's replicas say. */
struct rows {
	unsigned n, lagging; /* bits of those of our servers that lag */
	uint64_t lags[CONFIG_NODES_MAX]; /* of these */
	bool all_current;
};

static struct rows
look_at_replicas(const struct health *h, const cJSON *cluster)
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
		for (i = 0; i < h->cluster->n; i++)
			if (strcmp(json_text(row, "name"),
				h->cluster->nodes[i].name) == 0) {
				r.lagging |= 1U << i;
				r.lags[i] = json_count(row, "lag");
			}
	}
	return r;
}

/* A stream or consumer that the run made: the rest isn't ours. */
static bool
is_ours(const struct health *h, const struct group *g)
{
	const char *name = g->name;

	if (strncmp(name, "KV_", 3) == 0)
		name += 3;
	return h->prefix[0] != '\0' &&
	       strncmp(name, h->prefix, strlen(h->prefix)) == 0;
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
add_group(struct health *h, struct watched *w, const char *node,
    const cJSON *detail, const cJSON *of)
{
	const cJSON *cluster = json_get(detail, "cluster");
	const char *name = json_text(detail, "name");
	const char *stream = of != NULL ? json_text(of, "name") : "";
	const char *leader = json_text(cluster, "leader");
	const cJSON *state = json_get(detail, "state");
	struct rows rows = look_at_replicas(h, cluster);
	struct group *g;

	if (array_reserve(&w->groups, &w->room, w->ngroups + 1,
		sizeof(*w->groups), GROUPS_MAX) < 0)
		return;
	g = &w->groups[w->ngroups++];
	g->hash = hash_name(stream, name);
	g->made = hash_name("", json_text(detail, "created"));
	/* R1 has no cluster rows: who has it leads it. */
	g->is_led = cluster == NULL || strcmp(leader, node) == 0;
	g->copies = rows.n + 1;
	g->want = replicas_wanted(detail, of);
	g->peers = peers_of(h, cluster);
	g->lagging = rows.lagging;
	g->is_consumer = of != NULL;
	g->first = json_count(state, "first_seq");
	g->last = json_count(state, "last_seq");
	g->messages = json_count(state, "messages");
	g->bytes = json_count(state, "bytes");
	g->subjects = json_count(state, "num_subjects");
	g->delivered =
	    json_count(json_get(detail, "delivered"), "consumer_seq");
	g->floor = json_count(json_get(detail, "ack_floor"), "consumer_seq");
	g->ack_pending = json_count(detail, "num_ack_pending");
	g->name[0] = '\0';
	text_add(g->name, sizeof(g->name), "%s%s%s", stream,
	    g->is_consumer ? "/" : "", name);
	/* What belongs to no raft group can't lack a replica. */
	g->is_current =
	    g->is_led && rows.all_current &&
	    (cluster == NULL || !is_ours(h, g) || g->copies >= g->want);
	if (g->is_led)
		tell_leader(h, g->is_consumer ? 3 : 2, g->name, node);
}

static void
take_account(
    struct health *h, struct watched *w, const char *node, const cJSON *account)
{
	const cJSON *streams, *stream, *consumers, *consumer;

	streams = json_get(account, "stream_detail");
	cJSON_ArrayForEach (stream, streams) {
		add_group(h, w, node, stream, NULL);
		consumers = json_get(stream, "consumer_detail");
		cJSON_ArrayForEach (consumer, consumers)
			add_group(h, w, node, consumer, stream);
	}
}

static void
take_jsz(struct health *h, struct watched *w, unsigned node, const cJSON *o)
{
	const char *name = h->cluster->nodes[node - 1].name;
	const cJSON *meta, *accounts, *account, *size;
	struct rows rows;

	w->ngroups = 0;
	meta = json_get(o, "meta_cluster");
	/*
	 * What a server says of its replicas is up to date only on the leader.
	 */
	w->leads_meta = strcmp(json_text(meta, "leader"), name) == 0;
	rows = look_at_replicas(h, meta);
	w->meta_lagging = rows.lagging;
	memcpy(w->meta_lags, rows.lags, sizeof(w->meta_lags));
	size = json_get(meta, "cluster_size");
	w->meta_size = w->leads_meta && cJSON_IsNumber(size)
			   ? (unsigned)size->valueint
			   : 0;
	w->meta_current =
	    w->leads_meta && rows.all_current && rows.n + 1 == w->meta_size;
	if (w->leads_meta && !h->cluster->nodes[node - 1].is_apart)
		tell_leader(h, 1, "", name);
	w->assets = json_count(o, "streams") + json_count(o, "consumers");
	w->stored = json_count(o, "memory");
	accounts = json_get(o, "account_details");
	cJSON_ArrayForEach (account, accounts)
		take_account(h, w, name, account);
}

/*
 * Who restarts a server of somebody else does not tell us: it has another id
 * then. Emit it when that has changed, or was not said for PROCESS_NS.
 */
static void
tell_process(struct health *h, unsigned node)
{
	struct watched *w = &h->nodes[node - 1];
	struct event ev = {.type = MESSAGE_SERVER_SEEN};
	struct msg_server_seen *m = &ev.u.server_seen;
	uint64_t process = text_hash(TEXT_HASH, w->varz.id);
	uint64_t now = clock_mono_ns();

	if (h->cluster->ops->owner != OWNER_OTHERS || w->varz.id[0] == '\0' ||
	    (process == w->process && now < w->process_ns + PROCESS_NS))
		return;
	w->process = process;
	w->process_ns = now;
	m->node = node;
	m->process = process;
	text_set(m->name, sizeof(m->name), h->cluster->nodes[node - 1].name);
	child_emit(h->child, &ev);
}

/*
 * What comes through gateways and leaf nodes is judged otherwise. Emit how many
 * there are when that has changed; before it was said there are none.
 */
static void
tell_remotes(struct health *h, unsigned node, const cJSON *o)
{
	struct watched *w = &h->nodes[node - 1];
	struct event ev = {.type = MESSAGE_SERVER_REMOTES};
	struct msg_server_remotes *m = &ev.u.server_remotes;

	m->gateways = (uint32_t)cJSON_GetArraySize(
	    json_get(json_get(o, "gateway"), "gateways"));
	m->leafs = (uint32_t)json_count(o, "leafnodes");
	if (m->gateways == w->gateways && m->leafs == w->leafs)
		return;
	w->gateways = m->gateways;
	w->leafs = m->leafs;
	m->node = node;
	child_emit(h->child, &ev);
}

static void
take_varz(struct watched *w, const cJSON *o, uint64_t asked_ns)
{
	w->varz.asked_ns = asked_ns;
	w->varz.max_connections = json_count(o, "max_connections");
	text_set(
	    w->varz.version, sizeof(w->varz.version), json_text(o, "version"));
	text_set(w->varz.id, sizeof(w->varz.id), json_text(o, "server_id"));
	w->varz.boot = text_hash(TEXT_HASH, w->varz.id) | 1;
	w->varz.memory = json_count(o, "mem");
	w->varz.subscriptions = json_count(o, "subscriptions");
	w->varz.connections = json_count(o, "connections");
	w->varz.now_ns = clock_from_utc(json_text(o, "now"));
	w->varz.ahead_ns = w->varz.now_ns - clock_wall_ns();
	w->varz.took_ns = clock_mono_ns() - asked_ns;
	text_set(w->varz.config_load_time, sizeof(w->varz.config_load_time),
	    json_text(o, "config_load_time"));
	o = json_get(json_get(o, "jetstream"), "config");
	w->varz.sync_interval_ns = json_count(o, "sync_interval");
	w->varz.sync_always = cJSON_IsTrue(json_get(o, "sync_always"));
	w->varz.max_memory = json_count(o, "max_memory");
	w->varz.max_storage = json_count(o, "max_storage");
}

/* "goroutine profile: total 93" */
static bool
take_goroutines(struct watched *w, const struct health_answer *a)
{
	static const char head[] = "goroutine profile: total ";
	size_t i = sizeof(head) - 1;

	w->goroutines = 0;
	if (!a->ok)
		return true;
	if (a->len < i || memcmp(a->text, head, i) != 0)
		return false;
	for (; i < a->len && a->text[i] >= '0' && a->text[i] <= '9'; i++)
		w->goroutines =
		    10 * w->goroutines + (uint64_t)(a->text[i] - '0');
	return true;
}

bool
health_take(struct health *h, const struct health_answer *a)
{
	struct watched *w = &h->nodes[a->node - 1];
	cJSON *o = NULL;
	bool is_page;

	if (a->page == HEALTH_GOROUTINES)
		return take_goroutines(w, a);
	if (a->ok || a->page == HEALTH_HEALTHZ)
		o = json_parse(a->text, a->len, NESTING_MAX);
	if (!cJSON_IsObject(o)) {
		cJSON_Delete(o);
		o = NULL; /* it tells nothing, not that there is nothing */
	}
	is_page = !a->ok || a->page == HEALTH_HEALTHZ || o != NULL;
	if (a->page == HEALTH_HEALTHZ) {
		w->health_ns = a->asked_ns;
		w->health_ok = a->ok;
		text_set(w->health_says, sizeof(w->health_says),
		    json_text(o, "error"));
	} else if (a->page == HEALTH_JSZ) {
		w->jsz_ns = o != NULL ? a->asked_ns : 0;
		w->leads_meta = false;
		if (o != NULL)
			take_jsz(h, w, a->node, o);
	} else if (o != NULL) {
		take_varz(w, o, a->asked_ns);
		tell_process(h, a->node);
		tell_remotes(h, a->node, o);
	}
	cJSON_Delete(o);
	return is_page;
}

bool
health_node_is_ok(const struct health *h, unsigned node, uint64_t since_ns)
{
	const struct watched *w = &h->nodes[node - 1];

	if (h->cluster->nodes[node - 1].monitor[0] == '\0')
		return true; /* there is nobody to ask */
	return w->health_ok && w->health_ns > since_ns;
}

bool
health_node_is_bad(const struct health *h, unsigned node, uint64_t since_ns)
{
	const struct watched *w = &h->nodes[node - 1];

	return !w->health_ok && w->health_ns > since_ns;
}

/*
 * True when the leader of this stream or consumer, on whichever server, sees
 * all replicas current.
 */
static bool
group_is_current(const struct health *h, uint64_t hash)
{
	const struct watched *w;
	unsigned i, k;

	for (i = 0; i < h->cluster->n; i++) {
		w = &h->nodes[i];
		for (k = 0; k < w->ngroups; k++)
			if (w->groups[k].hash == hash && w->groups[k].is_led)
				return w->groups[k].is_current;
	}
	return false; /* nobody leads it */
}

static void
say_missing(char *why, const char *what, const char *name)
{
	why[0] = '\0';
	text_add(why, CLUSTER_WHY_MAX, "%s%s", name, what);
}

static bool
groups_are_current(const struct health *h, char *why)
{
	const struct watched *w;
	unsigned i, k;

	for (i = 0; i < h->cluster->n; i++) {
		w = &h->nodes[i];
		for (k = 0; k < w->ngroups; k++)
			if (!group_is_current(h, w->groups[k].hash)) {
				say_missing(
				    why, " is not current", w->groups[k].name);
				return false;
			}
	}
	return true;
}

static void
say_unwell(char *why, const char *name, const struct watched *w)
{
	say_missing(why, " is not healthy", name);
	if (w->health_says[0] != '\0')
		text_add(why, CLUSTER_WHY_MAX, " (%s)", w->health_says);
}

/* What this server lacks to be whole: why stays empty if it is nothing. */
static void
say_lacks(const struct health *h, unsigned node, uint64_t since_ns, char *why)
{
	const struct cluster_node *n = &h->cluster->nodes[node - 1];
	const struct watched *w = &h->nodes[node - 1];

	if (n->monitor[0] == '\0')
		return; /* there is nobody to ask */
	if (!health_node_is_ok(h, node, since_ns))
		say_unwell(why, n->name, w);
	else if (w->jsz_ns <= since_ns)
		say_missing(why, " does not tell its JetStream state", n->name);
}

bool
health_is_watching(const struct health *h)
{
	unsigned i;

	for (i = 0; i < h->cluster->n; i++)
		if (h->cluster->nodes[i].monitor[0] != '\0')
			return true;
	return false;
}

/* Does the leader of this node's meta group see all of it current? */
static bool
meta_is_whole(const struct health *h, unsigned node)
{
	const struct cluster *c = h->cluster;
	unsigned group = c->nodes[node - 1].group, i;
	unsigned size = cluster_group_size(c, group);
	const struct watched *w;

	for (i = 0; i < c->n; i++) {
		w = &h->nodes[i];
		if (c->nodes[i].group == group && w->leads_meta &&
		    w->meta_current && w->meta_size >= size)
			return true;
	}
	return size == 1; /* there is none then */
}

bool
health_is_whole(const struct health *h, uint64_t since_ns, char *why)
{
	const struct cluster *c = h->cluster;
	bool has_leader = true;
	unsigned i;

	why[0] = '\0';
	for (i = 1; i <= c->n && why[0] == '\0'; i++) {
		if (c->ops->node_is_ready != NULL &&
		    !c->ops->node_is_ready(h->cluster, i))
			say_missing(why, " is not ready", c->nodes[i - 1].name);
		else
			say_lacks(h, i, since_ns, why);
		has_leader &= meta_is_whole(h, i);
	}
	if (why[0] != '\0' || !health_is_watching(h))
		return why[0] == '\0';
	if (!has_leader)
		say_missing(why,
		    "the meta leader does not see all servers current", "");
	return why[0] == '\0' && groups_are_current(h, why);
}

unsigned
health_meta_leader(const struct health *h, uint64_t since_ns)
{
	unsigned i;

	for (i = 0; i < h->cluster->n; i++)
		if (h->nodes[i].leads_meta && h->nodes[i].jsz_ns > since_ns &&
		    !h->cluster->nodes[i].is_apart)
			return i + 1;
	return 0;
}

static bool
is_pickable(const struct health *h, const struct group *g, bool consumers)
{
	return g->is_led && g->is_consumer == consumers &&
	       (h->prefix[0] == '\0' || is_ours(h, g));
}

unsigned
health_pick_group(const struct health *h, bool consumers, uint64_t dice,
    char *name, size_t size)
{
	const struct watched *w;
	unsigned i, k, pass;
	uint64_t count = 0, at = 0;

	/* The first pass counts, the second takes the one that was chosen. */
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < h->cluster->n; i++) {
			w = &h->nodes[i];
			for (k = 0; w->jsz_ns != 0 && k < w->ngroups; k++) {
				if (!is_pickable(h, &w->groups[k], consumers))
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
health_group_leader(const struct health *h, const char *name, uint64_t since_ns)
{
	const struct watched *w;
	unsigned i, k;

	for (i = 0; i < h->cluster->n; i++) {
		w = &h->nodes[i];
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
health_varz(const struct health *h, unsigned node, struct health_varz *out)
{
	*out = h->nodes[node - 1].varz;
	return out->asked_ns != 0;
}

uint64_t
health_goroutines(const struct health *h, unsigned node)
{
	return h->nodes[node - 1].goroutines;
}

void
health_assets(
    const struct health *h, unsigned node, uint64_t *assets, uint64_t *stored)
{
	*assets = h->nodes[node - 1].assets;
	*stored = h->nodes[node - 1].stored;
}

unsigned
health_meta_size(const struct health *h, uint64_t since_ns)
{
	unsigned leader = health_meta_leader(h, since_ns);

	return leader != 0 ? h->nodes[leader - 1].meta_size : 0;
}

uint64_t
health_meta(const struct health *h, unsigned node, struct health_meta *out)
{
	const struct watched *w = &h->nodes[node - 1];

	out->is_led = w->leads_meta;
	out->is_current = w->leads_meta && w->meta_current;
	out->size = w->meta_size;
	out->lagging = w->meta_lagging;
	memcpy(out->lags, w->meta_lags, sizeof(out->lags));
	return w->jsz_ns;
}

/* The factors keep what goes up from hiding what goes down. */
static uint64_t
moves_of(const struct group *g)
{
	return g->last + 3 * g->messages + 7 * g->delivered + 13 * g->floor +
	       29 * g->ack_pending;
}

bool
health_group(const struct health *h, unsigned node, unsigned *i,
    struct health_group *out)
{
	const struct watched *w = &h->nodes[node - 1];
	const struct group *g;

	while (*i < w->ngroups) {
		g = &w->groups[(*i)++];
		if (!is_ours(h, g))
			continue;
		out->id = g->hash;
		out->made = g->made;
		out->name = g->name;
		out->is_consumer = g->is_consumer;
		out->is_led = g->is_led;
		out->is_current = g->is_current;
		out->copies = g->copies;
		out->lagging = g->lagging;
		out->want = g->want;
		out->last = g->last;
		out->messages = g->messages;
		out->moves = moves_of(g);
		return true;
	}
	return false;
}

/*
 * Older servers tell numbers of a consumer that they don't lead which were true
 * when they led it last (seen: 2.9.10), or other ack floors (PR #6232).
 */
static bool
tells_of_followers(const char *version)
{
	unsigned major, minor, patch;

	if (sscanf(version, "%3u.%3u.%3u", &major, &minor, &patch) != 3)
		return false;
	return major * 1000000 + minor * 1000 + patch >= 2010027;
}

/* Not those of the audit, which come and go. */
static bool
is_compared(const struct health *h, const struct group *g)
{
	const char *consumer = strchr(g->name, '/');
	unsigned i;

	if (!is_ours(h, g))
		return false;
	if (consumer == NULL)
		return true;
	for (i = 0; i < h->cluster->n; i++)
		if (!tells_of_followers(h->nodes[i].varz.version))
			return false;
	return g->want > 1 && strlen(g->name) < GROUP_NAME - 1 &&
	       strncmp(consumer, "/natsburn_", 10) != 0;
}

static void
stream_of(unsigned node, const struct group *g, struct health_stream *out)
{
	out->name = g->name;
	out->first = g->first;
	out->last = g->last;
	out->messages = g->messages;
	out->is_led = g->is_led;
	/* With one replica no peers are named: it is this server itself. */
	out->peers = g->copies > 1 ? g->peers : 1U << (node - 1);
	out->bytes = g->bytes;
	out->subjects = g->subjects;
	out->is_consumer = g->is_consumer;
	out->delivered = g->delivered;
	out->floor = g->floor;
	out->ack_pending = g->ack_pending;
}

bool
health_stream(const struct health *h, unsigned node, unsigned *i,
    struct health_stream *out)
{
	const struct watched *w = &h->nodes[node - 1];
	const struct group *g;

	while (*i < w->ngroups) {
		g = &w->groups[(*i)++];
		if (!is_compared(h, g))
			continue;
		stream_of(node, g, out);
		return true;
	}
	return false;
}

bool
health_stream_of(const struct health *h, unsigned node, const char *name,
    struct health_stream *out)
{
	const struct watched *w = &h->nodes[node - 1];
	const char *consumer = strchr(name, '/');
	char stream[GROUP_NAME] = "";
	uint64_t hash;
	unsigned k;

	if (consumer != NULL)
		text_add(stream, sizeof(stream), "%.*s", (int)(consumer - name),
		    name);
	hash = hash_name(stream, consumer != NULL ? consumer + 1 : name);

	for (k = 0; k < w->ngroups; k++)
		if (w->groups[k].hash == hash &&
		    strcmp(w->groups[k].name, name) == 0) {
			stream_of(node, &w->groups[k], out);
			return true;
		}
	return false;
}

unsigned
health_tells_streams(
    const struct health *h, uint64_t since_ns, unsigned *silent)
{
	unsigned i, can = 0;

	*silent = 0;
	for (i = 0; i < h->cluster->n; i++) {
		if (h->cluster->nodes[i].monitor[0] == '\0')
			continue;
		can++;
		if (*silent == 0 && h->nodes[i].jsz_ns <= since_ns)
			*silent = i + 1;
	}
	return can;
}
