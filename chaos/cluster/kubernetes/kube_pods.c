/* SPDX-License-Identifier: ISC */
/* The pods of the StatefulSet; see kube_pods.h. */
#include <errno.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_pods.h"
#include "chaos/cluster/kubernetes/kube_reach.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

unsigned
kube_pods_node(const struct cluster *c, const struct kube_pod *p)
{
	const struct kubernetes *k = c->state;
	size_t len = strlen(k->set.name);

	if (strncmp(p->name, k->set.name, len) != 0 || p->name[len] != '-' ||
	    strchr(p->name + len + 1, '-') != NULL ||
	    p->ordinal < k->set.start || p->ordinal - k->set.start >= c->n)
		return 0;
	return p->ordinal - k->set.start + 1;
}

/* now: the pod in which it was restarted; NULL: its pod is gone. */
static void
container_ended(struct cluster *c, unsigned node, const struct kube_pod *now)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
	bool was_told = p->told[0] != '\0' && strcmp(p->told, p->id) == 0;

	p->is_stopped = p->is_marked = p->is_deleting = false;
	if (was_told)
		p->has_ended = true;
	else if (!k->is_rolling)
		p->is_crashed = true;
	if (now != NULL)
		kube_end_restarted(c, node, now, was_told);
	else if (!was_told && !k->is_rolling)
		kube_end_gone(c, node);
	p->id[0] = '\0';
}

static void
put_pod(struct cluster *c, const struct kube_pod *seen)
{
	struct kubernetes *k = c->state;
	unsigned node = kube_pods_node(c, seen);
	struct kube_node *p = &k->nodes[node > 0 ? node - 1 : 0];
	char id[KUBE_ID_MAX] = "";
	bool is_other;

	if (node == 0)
		return;
	text_add(id, sizeof(id), "%s/%u", seen->uid, seen->restarts);
	if (p->id[0] != '\0' && strcmp(p->id, id) != 0)
		container_ended(
		    c, node, strcmp(p->seen.uid, seen->uid) == 0 ? seen : NULL);
	is_other = strcmp(p->seen.uid, seen->uid) != 0 ||
		   strcmp(p->seen.ips[0], seen->ips[0]) != 0 ||
		   p->seen.restarts != seen->restarts;
	text_set(p->id, sizeof(p->id), id);
	p->seen = *seen;
	p->is_there = p->was_put = true;
	kube_reach_pod(c, node, is_other);
}

static void
drop_pod(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];

	if (!p->is_there)
		return;
	p->is_there = false;
	if (p->id[0] != '\0')
		container_ended(c, node, NULL);
}

static void
on_pod(void *arg, enum kube_change change, const cJSON *object)
{
	struct cluster *c = arg;
	struct kubernetes *k = c->state;
	struct kube_pod seen;
	unsigned i;

	for (i = 1; i <= c->n && change == KUBE_LIST_BEGINS; i++)
		k->nodes[i - 1].was_put = false;
	for (i = 1; i <= c->n && change == KUBE_LIST_ENDS; i++)
		if (!k->nodes[i - 1].was_put)
			drop_pod(c, i);
	if (object == NULL ||
	    kube_object_pod(object, k->set.container, &seen) < 0)
		return;
	if (change == KUBE_IS_PUT)
		put_pod(c, &seen);
	/* The end of a pod that was replaced already changes nothing. */
	else if (kube_pods_node(c, &seen) != 0 &&
		 strcmp(k->nodes[kube_pods_node(c, &seen) - 1].seen.uid,
		     seen.uid) == 0)
		drop_pod(c, kube_pods_node(c, &seen));
}

static void
on_set(void *arg, enum kube_change change, const cJSON *object)
{
	struct cluster *c = arg;
	struct kubernetes *k = c->state;
	struct kube_set seen;

	if (change == KUBE_IS_GONE) {
		log_warn("StatefulSet %s was deleted", k->set.name);
		return;
	}
	if (change != KUBE_IS_PUT || kube_object_set(object, &seen) < 0 ||
	    strcmp(seen.name, k->set.name) != 0)
		return;
	if (seen.replicas != k->set.replicas && !k->is_scaled)
		log_warn("StatefulSet %s has %u replicas now, not %u",
		    seen.name, seen.replicas, k->set.replicas);
	k->set = seen;
	k->has_set = true;
}

static void
on_budget(void *arg, enum kube_change change, const cJSON *object)
{
	struct cluster *c = arg;
	struct kubernetes *k = c->state;
	struct kube_budget seen;
	unsigned i;

	if (change == KUBE_LIST_BEGINS)
		k->nbudgets = 0;
	if (object == NULL || kube_object_budget(object, k->labels, &seen) < 0)
		return;
	for (i = 0; i < k->nbudgets; i++)
		if (strcmp(k->budget[i].name, seen.name) == 0)
			break;
	if (i < k->nbudgets)
		k->budget[i] = k->budget[--k->nbudgets];
	if (change == KUBE_IS_PUT && seen.is_ours &&
	    k->nbudgets < KUBE_BUDGETS_MAX)
		k->budget[k->nbudgets++] = seen;
}

/* Budgets are policy/v1 from 1.21 on, v1beta1 before. */
static const char *
budget_version(struct cluster *c)
{
	struct kube_ask ask = {.path = "/apis/policy/v1"};

	return kube_site_ask(c, &ask, NULL) == KUBE_OK ? "v1" : "v1beta1";
}

int
kube_pods_open(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + KUBE_ANSWER_NS;
	char path[KUBE_PATH_MAX] = "", query[KUBE_SELECTOR_MAX + 32] = "";
	char *selector = curl_easy_escape(NULL, k->set.selector, 0);

	text_add(path, sizeof(path), "/api/v1/namespaces/%s/pods", k->ns);
	text_add(query, sizeof(query), "labelSelector=%s",
	    selector != NULL ? selector : "");
	curl_free(selector);
	k->pods = kube_watch_create(k->api, path, query, on_pod, c);
	path[0] = query[0] = '\0';
	text_add(path, sizeof(path), "/apis/apps/v1/namespaces/%s/statefulsets",
	    k->ns);
	text_add(query, sizeof(query), "fieldSelector=metadata.name%%3D%s",
	    k->set.name);
	k->sets = kube_watch_create(k->api, path, query, on_set, c);
	path[0] = '\0';
	if (kube_rights_have(c, RIGHTS_BUDGETS)) {
		text_add(path, sizeof(path),
		    "/apis/policy/%s/namespaces/%s/poddisruptionbudgets",
		    budget_version(c), k->ns);
		k->budgets = kube_watch_create(k->api, path, "", on_budget, c);
	} else
		log_warn("RBAC does not allow natsburn to watch "
			 "poddisruptionbudgets: none is heeded");
	if (k->pods == NULL || k->sets == NULL)
		return -ENOMEM;
	while (!kube_watch_is_live(k->pods) || !kube_watch_is_live(k->sets) ||
	       (k->budgets != NULL && !kube_watch_is_live(k->budgets))) {
		chaos_wait(c->chaos, 5);
		if (clock_mono_ns() >= deadline ||
		    chaos_is_stopping(c->chaos)) {
			text_add(c->why, sizeof(c->why),
			    "cannot watch the pods of namespace %s (%d)", k->ns,
			    kube_watch_error(k->pods));
			return -ETIMEDOUT;
		}
	}
	return 0;
}

void
kube_pods_close(struct cluster *c)
{
	struct kubernetes *k = c->state;

	kube_watch_destroy(k->pods);
	kube_watch_destroy(k->sets);
	kube_watch_destroy(k->budgets);
	k->pods = k->sets = k->budgets = NULL;
}

void
kube_pods_step(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_watch *const all[] = {k->pods, k->sets, k->budgets};
	unsigned i;

	for (i = 0; i < 3; i++)
		if (all[i] != NULL)
			kube_watch_step(all[i]);
}

void
kube_pods_told(struct cluster *c, unsigned node, const char *how)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];

	text_set(p->told, sizeof(p->told), p->id);
	p->has_ended = false;
	p->how = how;
}

bool
kube_pods_may_disrupt(struct cluster *c, unsigned count)
{
	const struct kubernetes *k = c->state;
	unsigned i;

	if (k->budgets != NULL && !kube_watch_is_live(k->budgets))
		return false;
	for (i = 0; i < k->nbudgets; i++)
		if (k->budget[i].allowed < count)
			return false;
	return true;
}

/* A budget's controller may still have to notice that all pods are ready. */
int
kube_pods_budgets(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + KUBE_ANSWER_NS;
	unsigned i, width;

	width = c->widest != NULL ? mayhem_width(c->widest, c->n) : 0;
	while (!kube_pods_may_disrupt(c, width) && clock_mono_ns() < deadline &&
	       !chaos_is_stopping(c->chaos))
		chaos_wait(c->chaos, 20);
	for (i = 0; i < k->nbudgets; i++) {
		if (c->most_out == 0 || k->budget[i].most < c->most_out)
			c->most_out = k->budget[i].most;
		if (width <= k->budget[i].allowed)
			continue;
		text_add(c->why, sizeof(c->why),
		    "mayhem %s can't be done: PodDisruptionBudget %s allows %u "
		    "disruptions now",
		    c->widest->name, k->budget[i].name, k->budget[i].allowed);
		return -ENOTSUP;
	}
	return 0;
}

static bool
is_refusal(const struct kube_watch *w)
{
	/* the watch does not exist yet */
	int error = w != NULL ? kube_watch_error(w) : 0;

	return error == 401 || error == 403;
}

bool
kube_pods_is_ready(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	const struct kube_node *p = &k->nodes[node - 1];

	/*
	 * RBAC took the right to look away in the middle of the run: only the
	 * server's own pages can tell.
	 */
	if (!kube_watch_is_live(k->pods) && is_refusal(k->pods))
		return true;
	return kube_watch_is_live(k->pods) && p->is_there && p->seen.is_ready &&
	       !p->seen.is_ending;
}

bool
kube_pods_runs(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	const struct kube_node *p = &k->nodes[node - 1];

	return !p->has_ended && !p->is_crashed;
}

bool
kube_pods_crashed(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;

	return k->nodes[node - 1].is_crashed;
}

/* The controller starts it; only forget that it was down. */
int
kube_pods_start(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];

	p->told[0] = '\0';
	p->has_ended = p->is_crashed = false;
	return 0;
}

const char *
kube_pods_how(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	const struct kube_node *p = &k->nodes[node - 1];

	if (p->how != NULL)
		return p->how;
	return "its container was restarted";
}
