/* SPDX-License-Identifier: ISC */
/* That policies cut links; see kube_prove.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_links.h"
#include "chaos/cluster/kubernetes/kube_pods.h"
#include "chaos/cluster/kubernetes/kube_policy.h"
#include "chaos/cluster/kubernetes/kube_prove.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "chaos/health.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define PROVE_NS (30 * CLOCK_S) /* to see that nothing passes */
#define OPEN_NS	 (90 * CLOCK_S) /* ... and that it does again */

/* What earlier runs left */

/*
 * Ask for a change and wait for it. A failure is logged. True when it was done.
 */
static bool
undo(struct cluster *c, struct kube_ask *ask)
{
	char *answer = NULL;
	int status = kube_site_ask(c, ask, &answer);
	bool ok = kube_is_deleted(status);

	if (!ok) {
		kube_site_explain(c, "cannot take away what a partition left",
		    status, answer);
		log_warn("%s", c->why);
		c->why[0] = '\0'; /* it was logged, and is no reason to end */
	}
	free(answer);
	return ok;
}

static cJSON *
list_of(struct cluster *c, const char *path)
{
	struct kube_ask ask = {.path = path};
	char *answer = NULL;
	cJSON *o = NULL;

	if (kube_site_ask(c, &ask, &answer) == KUBE_OK)
		o = cJSON_Parse(answer);
	free(answer);
	return o;
}

static unsigned
look_at_policies(struct cluster *c)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX] = "";
	struct kube_ask ask = {.method = "DELETE", .path = path};
	const cJSON *item;
	const char *set;
	unsigned count = 0;
	cJSON *o;

	text_add(path, sizeof(path), KUBE_LINKS_POLICIES, k->ns);
	o = list_of(c, path);
	cJSON_ArrayForEach (item, kube_object_at(o, "items")) {
		set = kube_object_text(item, "metadata.labels." KUBE_SET_LABEL);
		if (strcmp(set, k->set.name) == 0) {
			path[0] = '\0';
			text_add(path, sizeof(path), KUBE_LINKS_POLICIES "/%s",
			    k->ns, kube_object_text(item, "metadata.name"));
			count += undo(c, &ask);
		} else if (kube_policy_selects(item, k->labels))
			text_set(k->foreign, sizeof(k->foreign),
			    kube_object_text(item, "metadata.name"));
	}
	cJSON_Delete(o);
	return count;
}

static unsigned
look_at_labels(struct cluster *c)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX] = "", *body;
	struct kube_ask ask = {
	    .method = "PATCH", .path = path, .type = KUBE_MERGE_TYPE};
	const cJSON *item;
	struct kube_pod pod;
	unsigned count = 0;
	cJSON *o;

	text_add(path, sizeof(path),
	    "/api/v1/namespaces/%s/pods?labelSelector=natsburn%%2Fserver",
	    k->ns);
	o = list_of(c, path);
	cJSON_ArrayForEach (item, kube_object_at(o, "items")) {
		if (kube_object_pod(item, NULL, &pod) < 0 ||
		    kube_pods_node(c, &pod) == 0)
			continue;
		path[0] = '\0';
		text_add(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s",
		    k->ns, pod.name);
		body = kube_policy_label(&pod, false);
		ask.body = body;
		count += undo(c, &ask);
		cJSON_free(body);
	}
	cJSON_Delete(o);
	return count;
}

int
kube_prove_begin(struct cluster *c)
{
	unsigned policies, labels;
	int err = kube_links_create(c);

	/*
	 * Without these rights no earlier run of this account can have left
	 * anything.
	 */
	if (err < 0 || !kube_rights_have(c, RIGHTS_POLICIES))
		return err;
	policies = look_at_policies(c);
	labels = look_at_labels(c);
	if (policies > 0 || labels > 0)
		log_warn("a partition of an earlier run was left in force: %u "
			 "NetworkPolicies and %u labels are taken away",
		    policies, labels);
	return 0;
}

/* The proof */

static void
set_node(struct cluster *c, unsigned node, enum link_cut cut)
{
	struct link_policy policy = {cut, 0, 0};
	unsigned i;

	for (i = 1; i <= c->n; i++) {
		if (i == node)
			continue;
		/* These can't fail: the policy only cuts or opens. */
		(void)kube_links_set(c, i, node, &policy);
		(void)kube_links_set(c, node, i, &policy);
	}
}

/*
 * Add up what this server sends to the others (sums[0]) and hears of them
 * (sums[1]). False while some have not told yet.
 */
static bool
sum_node(struct cluster *c, unsigned node, struct link_flow sums[2])
{
	struct link_flow flow;
	bool all = true;
	unsigned i, way;

	memset(sums, 0, 2 * sizeof(*sums));
	for (i = 1; i <= c->n; i++)
		for (way = 0; way < 2 && i != node; way++) {
			all &= kube_links_flow(
			    c, way == 0 ? node : i, way == 0 ? i : node, &flow);
			sums[way].passed += flow.passed;
			sums[way].held += flow.held + flow.refused;
		}
	return all;
}

static bool
is_cut_off(struct cluster *c, unsigned node)
{
	struct link_flow sums[2];

	return sum_node(c, node, sums) && sums[0].passed == 0 &&
	       sums[1].passed == 0 && sums[0].held > 0 && sums[1].held > 0;
}

static bool
is_open(struct cluster *c, unsigned node)
{
	struct link_flow sums[2];

	return kube_links_are_settled(c) && sum_node(c, node, sums) &&
	       sums[0].passed > 0 && sums[1].passed > 0;
}

static bool
await(struct cluster *c, unsigned node,
    bool (*is_done)(struct cluster *, unsigned), uint64_t patience_ns)
{
	uint64_t deadline = clock_mono_ns() + patience_ns;

	while (!is_done(c, node)) {
		if (clock_mono_ns() >= deadline || c->refused_nodes != 0 ||
		    chaos_is_stopping(c->chaos))
			return false;
		chaos_wait(c->chaos, 20);
	}
	return true;
}

/* Say in c->why why nothing was cut. It has to fit into a SKIPPED message. */
static void
explain(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	const char *name = c->nodes[node - 1].name;
	uint64_t leaked = kube_links_leaked(c, node);

	text_add(c->why, sizeof(c->why), "mayhem partition can't be done: ");
	if (c->refused_nodes != 0) {
		text_add(c->why, sizeof(c->why), "%s", c->refused);
		return;
	}
	text_add(c->why, sizeof(c->why),
	    "a NetworkPolicy that cuts %.40s off was accepted, but in %d s ",
	    name, (int)(PROVE_NS / CLOCK_S));
	if (leaked == 0)
		text_add(
		    c->why, sizeof(c->why), "nothing was seen that it stopped");
	else if (k->foreign[0] != '\0')
		text_add(c->why, sizeof(c->why),
		    "%llu bytes came through; NetworkPolicy %.40s may allow "
		    "them, and no other can forbid that",
		    (unsigned long long)leaked, k->foreign);
	else
		text_add(c->why, sizeof(c->why),
		    "%llu bytes came through: nothing enforces it here, or "
		    "open connections are left alone",
		    (unsigned long long)leaked);
}

int
kube_prove_cuts(struct cluster *c)
{
	uint64_t begin = clock_mono_ns();
	unsigned leader, node;

	if ((c->needs & CLUSTER_CAN_CUT) == 0 || c->n < 2)
		return 0;
	/*
	 * Cut off the server behind the leader: a leader speaks to all others
	 * once a second, so that something is stopped.
	 */
	leader = health_meta_leader(c->health, 0);
	node = 1 + leader % c->n;
	c->refused_nodes = 0;
	set_node(c, node, LINK_CUT);
	if (!await(c, node, is_cut_off, PROVE_NS)) {
		explain(c, node);
		return -ENOTSUP;
	}
	log_info("NetworkPolicies cut: %s was cut off after %.1f s",
	    c->nodes[node - 1].name,
	    (double)(clock_mono_ns() - begin) / (double)CLOCK_S);
	set_node(c, node, LINK_OPEN);
	if (await(c, node, is_open, OPEN_NS))
		return 0;
	text_add(c->why, sizeof(c->why),
	    "mayhem partition can't be done: %.40s was cut off by a "
	    "NetworkPolicy, and not heard again within %d s of its end",
	    c->nodes[node - 1].name, (int)(OPEN_NS / CLOCK_S));
	return -ENOTSUP;
}
