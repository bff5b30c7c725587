/* SPDX-License-Identifier: ISC */
/* The links between pods; see kube_links.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_links.h"
#include "chaos/cluster/kubernetes/kube_policy.h"
#include "chaos/cluster/kubernetes/kube_reach.h"
#include "chaos/cluster/kubernetes/kube_routes.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define BACK_NS	 (30 * CLOCK_S) /* to take everything away */
#define RETRY_NS (2 * CLOCK_S)
#define PAGE_NS	 CLOCK_S
#define PAGE_MS	 2000L
/* so long the probe goes on after link_flow was last called */
#define PROBE_NS     (10 * CLOCK_S)
#define POLICIES_MAX (2 * CONFIG_NODES_MAX)

/*
 * A round of changes goes through these in order; each waits for the answers to
 * its requests.
 */
enum links_stage {
	LINKS_IDLE,
	LINKS_LABEL,
	LINKS_MAKE,
	LINKS_REMOVE,
	LINKS_UNLABEL
};

struct links_pod {
	struct cluster *c;
	unsigned node;
	char labelled[KUBE_UID_MAX]; /* the pod that has our label */
	char asked[KUBE_UID_MAX];
	struct kube_pod used; /* as the policies have it */
	bool is_page_asked;
	uint64_t page_ns; /* when its /routez was asked for last */
};

struct links_policy {
	struct cluster *c;
	char name[KUBE_POLICY_NAME_MAX]; /* empty: none */
	unsigned round;
};

struct kube_links {
	struct kube_routes routes;
	bool cut[CONFIG_NODES_MAX][CONFIG_NODES_MAX]; /* as asked for */
	struct links_pod pods[CONFIG_NODES_MAX];
	struct links_policy policies[POLICIES_MAX];
	enum links_stage stage;
	unsigned round; /* of changes, in names of policies */
	unsigned open;	/* requests without an answer */
	bool is_dirty, has_failed, is_failure_told;
	bool is_leak_told, was_quiet;
	uint64_t next_ns, probe_ns;
};

static struct kube_links *
links_of(const struct cluster *c)
{
	const struct kubernetes *k = c->state;

	return k->links;
}

/* How many links of a server are cut. */
static unsigned
cuts_of(const struct kube_links *l, unsigned n, unsigned node)
{
	unsigned i, count = 0;

	for (i = 0; i < n; i++)
		count += l->cut[i][node - 1] || l->cut[node - 1][i];
	return count;
}

/*
 * The servers that were cut off: those that have lost the most links, as bits.
 */
static unsigned
cut_off(const struct kube_links *l, unsigned n)
{
	unsigned i, most = 1, count, nodes = 0;

	for (i = 1; i <= n; i++) {
		count = cuts_of(l, n, i);
		if (count > most)
			nodes = 0;
		if (count >= most) {
			most = count;
			nodes |= 1U << (i - 1);
		}
	}
	return nodes;
}

/*
 * True when the API says, in one of several ways, that the pod is gone or is
 * another one now.
 */
static bool
is_gone(int status)
{
	return status == 404 || status == 409 || status == 422;
}

static void
note_failure(struct cluster *c, const char *what, int status, const char *body)
{
	struct kube_links *l = links_of(c);
	char said[200] = "no answer";

	if (status > 0)
		kube_object_message(body, said, sizeof(said));
	if (!l->is_failure_told)
		log_warn("%s (%d): %s", what, status, said);
	l->has_failed = l->is_failure_told = true;
	if (!kube_is_refusal(status) || cut_off(l, c->n) == 0)
		return;
	/* The fault is told that it failed, so nothing may be cut later. */
	kube_site_refused(c, cut_off(l, c->n), status, body);
	memset(l->cut, 0, sizeof(l->cut));
}

/* Labels */

static void
labelled(void *arg, int status, const char *body)
{
	struct links_pod *p = arg;
	struct kube_links *l = links_of(p->c);

	l->open--;
	if (status == KUBE_OK)
		text_set(p->labelled, sizeof(p->labelled), p->asked);
	/*
	 * If the pod is gone, the one that follows it is labelled in the next
	 * round.
	 */
	else if (!is_gone(status))
		note_failure(p->c, "a pod could not be labelled", status, body);
}

static void
unlabelled(void *arg, int status, const char *body)
{
	struct links_pod *p = arg;
	struct kube_links *l = links_of(p->c);

	l->open--;
	if (status == KUBE_OK || is_gone(status))
		p->labelled[0] = '\0';
	else
		note_failure(
		    p->c, "a pod's label could not be taken", status, body);
}

static void
ask_label(struct cluster *c, unsigned node, bool is_given)
{
	struct kubernetes *k = c->state;
	struct kube_links *l = k->links;
	struct links_pod *p = &l->pods[node - 1];
	struct kube_pod pod = k->nodes[node - 1].seen;
	char path[KUBE_PATH_MAX] = "", *body;
	struct kube_ask ask = {.method = "PATCH",
	    .path = path,
	    .type = KUBE_MERGE_TYPE,
	    .done = is_given ? labelled : unlabelled,
	    .arg = p};

	if (!is_given)
		text_set(pod.uid, sizeof(pod.uid), p->labelled);
	text_set(p->asked, sizeof(p->asked), pod.uid);
	text_add(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", k->ns,
	    pod.name);
	body = kube_policy_label(&pod, is_given);
	ask.body = body;
	if (body != NULL && kube_request(k->api, &ask) == 0)
		l->open++;
	else
		l->has_failed = true;
	cJSON_free(body);
}

/* Policies */

static void
made(void *arg, int status, const char *body)
{
	struct links_policy *p = arg;
	struct kube_links *l = links_of(p->c);

	l->open--;
	if (status >= 200 && status < 300)
		return;
	/*
	 * Unless it was clearly refused, the policy may exist and must be
	 * removed later.
	 */
	if (kube_is_refusal(status))
		p->name[0] = '\0';
	note_failure(p->c, "no NetworkPolicy could be made", status, body);
}

static void
removed(void *arg, int status, const char *body)
{
	struct links_policy *p = arg;
	struct kube_links *l = links_of(p->c);

	l->open--;
	if (kube_is_deleted(status))
		p->name[0] = '\0';
	else
		note_failure(
		    p->c, "a NetworkPolicy could not be removed", status, body);
}

static struct links_policy *
free_policy(struct kube_links *l)
{
	unsigned i;

	for (i = 0; i < POLICIES_MAX; i++)
		if (l->policies[i].name[0] == '\0')
			return &l->policies[i];
	return NULL;
}

static void
ask_make(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_links *l = k->links;
	struct links_policy *p = free_policy(l);
	struct kube_policy policy = {
	    .set = k->set.name, .pod = k->nodes[node - 1].seen.name};
	char path[KUBE_PATH_MAX] = "", *body;
	struct kube_ask ask = {
	    .method = "POST", .path = path, .done = made, .arg = p};
	unsigned i;

	if (p == NULL) { /* all places are taken until some are removed */
		l->has_failed = true;
		return;
	}
	text_add(policy.name, sizeof(policy.name), "natsburn-%s-%u", policy.pod,
	    l->round);
	for (i = 0; i < c->n; i++)
		if (l->cut[i][node - 1] || l->cut[node - 1][i])
			policy.from[policy.n++] = &l->pods[i].used;
	text_add(path, sizeof(path), KUBE_LINKS_POLICIES, k->ns);
	body = kube_policy_text(&policy);
	ask.body = body;
	text_set(p->name, sizeof(p->name), policy.name);
	p->round = l->round;
	if (body != NULL && kube_request(k->api, &ask) == 0) {
		l->open++;
	} else {
		p->name[0] = '\0';
		l->has_failed = true;
	}
	cJSON_free(body);
}

static void
ask_remove(struct cluster *c, struct links_policy *p)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX] = "";
	struct kube_ask ask = {
	    .method = "DELETE", .path = path, .done = removed, .arg = p};

	text_add(path, sizeof(path), KUBE_LINKS_POLICIES "/%s", k->ns, p->name);
	if (kube_request(k->api, &ask) == 0)
		k->links->open++;
	else
		k->links->has_failed = true;
}

/* Rounds of changes */

/*
 * True when a pod whose links are cut was replaced, or has another address,
 * since the policies were made.
 */
static bool
pods_have_changed(const struct cluster *c)
{
	const struct kubernetes *k = c->state;
	const struct kube_links *l = k->links;
	const struct kube_pod *seen, *used;
	unsigned i;

	for (i = 1; i <= c->n; i++) {
		seen = &k->nodes[i - 1].seen;
		used = &l->pods[i - 1].used;
		if (cuts_of(l, c->n, i) > 0 && k->nodes[i - 1].is_there &&
		    (strcmp(seen->uid, used->uid) != 0 ||
			memcmp(seen->ips, used->ips, sizeof(seen->ips)) != 0))
			return true;
	}
	return false;
}

static void
begin_round(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_links *l = k->links;
	unsigned i;

	l->is_dirty = false;
	l->round++;
	l->stage = LINKS_LABEL;
	for (i = 0; i < c->n; i++)
		l->pods[i].used = k->nodes[i].seen;
}

static void
ask_stage(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_links *l = k->links;
	const struct links_pod *p;
	unsigned i;

	for (i = 1; i <= c->n; i++) {
		p = &l->pods[i - 1];
		if (l->stage == LINKS_LABEL && cuts_of(l, c->n, i) > 0 &&
		    k->nodes[i - 1].is_there &&
		    strcmp(p->labelled, p->used.uid) != 0)
			ask_label(c, i, true);
		else if (l->stage == LINKS_MAKE && cuts_of(l, c->n, i) > 0)
			ask_make(c, i);
		else if (l->stage == LINKS_UNLABEL && p->labelled[0] != '\0' &&
			 cuts_of(l, c->n, i) == 0)
			ask_label(c, i, false);
	}
	for (i = 0; i < POLICIES_MAX && l->stage == LINKS_REMOVE; i++)
		if (l->policies[i].name[0] != '\0' &&
		    l->policies[i].round != l->round)
			ask_remove(c, &l->policies[i]);
}

bool
kube_links_are_settled(const struct cluster *c)
{
	const struct kube_links *l = links_of(c);

	return l->stage == LINKS_IDLE && !l->is_dirty && l->open == 0;
}

static void
step_round(struct cluster *c)
{
	struct kube_links *l = links_of(c);
	uint64_t now = clock_mono_ns();

	if (l->open > 0)
		return;
	if (l->has_failed) { /* a later round does all of it again */
		l->has_failed = false;
		l->is_dirty = true;
		l->stage = LINKS_IDLE;
		l->next_ns = now + RETRY_NS;
	}
	if (l->stage == LINKS_IDLE) {
		l->is_dirty |= pods_have_changed(c);
		if (!l->is_dirty || now < l->next_ns)
			return;
		begin_round(c);
		ask_stage(c);
		return;
	}
	l->stage = l->stage == LINKS_UNLABEL ? LINKS_IDLE
					     : (enum links_stage)(l->stage + 1);
	ask_stage(c);
}

/* The probe */

/*
 * Warn, once for each cut, when bytes come through links that were cut and
 * quiet before.
 */
static void
look_for_leaks(struct cluster *c)
{
	struct kube_links *l = links_of(c);
	bool is_quiet = true, is_told = true, is_cut = false;
	struct link_flow flow;
	unsigned from, to;

	for (from = 1; from <= c->n; from++)
		for (to = 1; to <= c->n; to++) {
			if (!l->routes.links[from - 1][to - 1].is_cut)
				continue;
			is_cut = true;
			is_told &=
			    kube_routes_flow(&l->routes, from, to, &flow);
			is_quiet &= flow.passed == 0;
		}
	if (l->was_quiet && is_cut && !is_quiet && !l->is_leak_told) {
		log_warn("servers hear each other again though "
			 "NetworkPolicies cut them off");
		l->is_leak_told = true;
	}
	l->was_quiet = is_cut && is_told && is_quiet;
}

static void
page_came(void *arg, int status, const char *body)
{
	struct links_pod *p = arg;
	struct kube_links *l = links_of(p->c);
	cJSON *o = status == KUBE_OK ? cJSON_Parse(body) : NULL;

	p->is_page_asked = false;
	if (kube_routes_take(&l->routes, p->node, o, p->page_ns) == 0)
		look_for_leaks(p->c);
	cJSON_Delete(o);
}

static void
ask_pages(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_links *l = k->links;
	uint64_t now = clock_mono_ns();
	char path[CLUSTER_URL_MAX + 16];
	struct kube_ask ask = {
	    .path = path, .done = page_came, .timeout_ms = PAGE_MS};
	struct links_pod *p;
	unsigned i;

	for (i = 0; i < c->n; i++) {
		p = &l->pods[i];
		if (p->is_page_asked || now < p->page_ns + PAGE_NS ||
		    c->nodes[i].monitor[0] == '\0')
			continue;
		kube_reach_page(c, i + 1, "/routez", path, sizeof(path));
		ask.arg = p;
		p->page_ns = now;
		p->is_page_asked = kube_request(k->api, &ask) == 0;
	}
}

uint64_t
kube_links_leaked(const struct cluster *c, unsigned node)
{
	const struct kube_links *l = links_of(c);
	uint64_t leaked = 0;
	unsigned i;

	for (i = 0; i < c->n; i++)
		leaked += l->routes.links[i][node - 1].leaked +
			  l->routes.links[node - 1][i].leaked;
	return leaked;
}

/* The driver */

void
kube_links_step(struct cluster *c)
{
	struct kube_links *l = links_of(c);

	if (l == NULL)
		return;
	step_round(c);
	if (cut_off(l, c->n) != 0 ||
	    (l->probe_ns != 0 && clock_mono_ns() < l->probe_ns + PROBE_NS))
		ask_pages(c);
}

int
kube_links_set(struct cluster *c, unsigned from, unsigned to,
    const struct link_policy *policy)
{
	struct kube_links *l = links_of(c);
	bool is_cut = policy->cut == LINK_CUT;

	if (l == NULL || (policy->cut != LINK_OPEN && !is_cut) ||
	    policy->delay_ns > 0 || policy->jitter_ns > 0)
		return -ENOTSUP;
	l->probe_ns = clock_mono_ns();
	if (l->cut[from - 1][to - 1] != is_cut) {
		l->is_dirty = true;
		l->is_failure_told = false;
		l->next_ns = 0;
	}
	l->cut[from - 1][to - 1] = is_cut;
	if (is_cut)
		l->is_leak_told = l->was_quiet = false;
	l->routes.nodes = c->nodes;
	kube_routes_begin(&l->routes, from, to, is_cut, l->probe_ns);
	return 0;
}

bool
kube_links_flow(
    struct cluster *c, unsigned from, unsigned to, struct link_flow *out)
{
	struct kube_links *l = links_of(c);

	if (l == NULL)
		return false;
	l->probe_ns = clock_mono_ns();
	return kube_routes_flow(&l->routes, from, to, out);
}

int
kube_links_create(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_links *l = calloc(1, sizeof(*l));
	unsigned i;

	k->links = l;
	if (l == NULL)
		return -ENOMEM;
	kube_routes_init(&l->routes, c->nodes, c->n);
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		l->pods[i].c = c;
		l->pods[i].node = i + 1;
	}
	for (i = 0; i < POLICIES_MAX; i++)
		l->policies[i].c = c;
	return 0;
}

void
kube_links_restore(struct cluster *c)
{
	struct kube_links *l = links_of(c);
	uint64_t deadline = clock_mono_ns() + BACK_NS;
	unsigned i, left = 0;

	if (l == NULL || l->round == 0)
		return;
	memset(l->cut, 0, sizeof(l->cut));
	l->is_dirty = true;
	l->next_ns = 0;
	while (!kube_links_are_settled(c) && clock_mono_ns() < deadline)
		chaos_wait(c->chaos, 20);
	for (i = 0; i < POLICIES_MAX; i++)
		left += l->policies[i].name[0] != '\0';
	if (left > 0)
		log_warn("%u NetworkPolicies are left: \"natsburn cluster "
			 "down --cluster kubernetes\" takes them away",
		    left);
}

void
kube_links_destroy(struct kube_links *l)
{
	free(l);
}
