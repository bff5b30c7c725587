/* SPDX-License-Identifier: ISC */
/*
 * kubernetes: the pods of a StatefulSet of somebody's cluster. Natsburn asks
 * the controllers for faults as an operator would, and puts back what it
 * changed. How the API is reached is in kube.h; the parts of the driver, from
 * the bottom up: kube_site.h, kube_rights.h, kube_reach.h, kube_pods.h,
 * kube_signal.h, kube_config.h, kube_reload.h, kube_set.h, kube_roll.h,
 * kube_links.h, kube_store.h, kube_dump.h. Here is their order at the start and
 * the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/account.h"
#include "chaos/cluster/kubernetes/kube_config.h"
#include "chaos/cluster/kubernetes/kube_dump.h"
#include "chaos/cluster/kubernetes/kube_links.h"
#include "chaos/cluster/kubernetes/kube_pods.h"
#include "chaos/cluster/kubernetes/kube_prove.h"
#include "chaos/cluster/kubernetes/kube_reach.h"
#include "chaos/cluster/kubernetes/kube_reload.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_roll.h"
#include "chaos/cluster/kubernetes/kube_set.h"
#include "chaos/cluster/kubernetes/kube_signal.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/cluster/kubernetes/kube_store.h"
#include "chaos/internal.h"
#include "chaos/health.h"
#include "chaos/monitor.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define READY_NS (150 * CLOCK_S) /* all servers, at start */

static bool
is_outside(void)
{
	return getenv("KUBERNETES_SERVICE_HOST") == NULL;
}

/* A name as Kubernetes has them: RFC 1123. */
static bool
is_label(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strlen(name);

	return len == 0 || (strspn(name, chars) == len && name[0] != '-' &&
			       name[len - 1] != '-' && len < KUBE_NAME_MAX);
}

static int
kubernetes_validate(const struct run_config *c, char *why)
{
	const char *const labels[][2] = {
	    {"k8s-statefulset", c->k8s_statefulset},
	    {"k8s-namespace", c->k8s_namespace},
	};
	unsigned i;

	why[0] = '\0';
	for (i = 0; i < 2 && why[0] == '\0'; i++)
		if (!is_label(labels[i][1]))
			text_add(why, OPTION_WHY_MAX,
			    "--%s \"%s\": must be letters a-z, digits and "
			    "dashes, no dash at either end",
			    labels[i][0], labels[i][1]);
	if (why[0] != '\0')
		return -EINVAL;
	if (c->k8s_kubeconfig[0] != '\0' && access(c->k8s_kubeconfig, R_OK) < 0)
		text_add(why, OPTION_WHY_MAX, "--k8s-kubeconfig \"%s\": %s",
		    c->k8s_kubeconfig, strerror(errno));
	else if (strcmp(c->k8s_reach, "proxy") == 0 && c->url[0] == '\0')
		text_add(why, OPTION_WHY_MAX,
		    "--k8s-reach proxy: goes with --url nats://..., for "
		    "clients can't go through the API");
	else if (strpbrk(c->k8s_image, " \t\n\"\\") != NULL)
		text_add(why, OPTION_WHY_MAX,
		    "--k8s-image \"%s\": must be the name of an image, "
		    "without blanks and quotes",
		    c->k8s_image);
	return why[0] == '\0' ? 0 : -EINVAL;
}

static bool
all_ready(struct cluster *c, char *why)
{
	unsigned i;

	for (i = 1; i <= c->n; i++)
		if (!kube_pods_is_ready(c, i) ||
		    c->nodes[i - 1].monitor[0] == '\0') {
			text_format(why, CLUSTER_WHY_MAX, "pod %s is not ready",
			    c->nodes[i - 1].name);
			return false;
		}
	return true;
}

/*
 * Some versions of nats-server form a meta group of two of three servers, which
 * never grows: say so.
 */
static void
tell_meta_size(struct cluster *c, uint64_t since_ns)
{
	unsigned size =
	    c->health != NULL ? health_meta_size(c->health, since_ns) : 0;

	if (size > 0 && size < c->n)
		text_add(c->why, sizeof(c->why),
		    "; it has %u of %u servers in its meta group", size, c->n);
}

/* Until pods are ready, and then until their servers are healthy. */
static int
wait_healthy(struct cluster *c)
{
	uint64_t begin = clock_mono_ns();
	char why[CLUSTER_WHY_MAX] = "";
	bool is_ready = false;

	while (!is_ready || !health_is_whole(c->health, begin, why)) {
		chaos_wait(c->chaos, 20);
		is_ready = all_ready(c, why);
		if (is_ready && c->monitor == NULL) {
			if (monitor_begin(c, chaos_child(c->chaos)) < 0)
				return -ENOMEM;
			monitor_hurry(c->monitor, true);
		}
		if (chaos_is_stopping(c->chaos))
			return -EINTR;
		if (clock_mono_ns() < begin + READY_NS)
			continue;
		text_add(c->why, sizeof(c->why), "after %llu s %s",
		    (unsigned long long)(READY_NS / CLOCK_S), why);
		tell_meta_size(c, begin);
		return -ETIMEDOUT;
	}
	return 0;
}

/*
 * Learn the names of the servers. A server without server_name has another name
 * after each restart, and could not be followed.
 */
static int
look_at_names(struct cluster *c)
{
	struct kubernetes *k = c->state;
	char url[CLUSTER_URL_MAX + 8], *answer;
	struct kube_ask ask = {.path = url};
	const char *name;
	cJSON *o;
	unsigned i;

	for (i = 0; i < c->n; i++) {
		kube_reach_page(c, i + 1, "/varz", url, sizeof(url));
		o = kube_site_ask(c, &ask, &answer) == KUBE_OK
			? cJSON_Parse(answer)
			: NULL;
		name = kube_object_text(o, "server_name");
		if (name[0] == '\0' ||
		    strcmp(name, kube_object_text(o, "server_id")) == 0)
			text_add(c->why, sizeof(c->why),
			    "the server in pod %s has no server_name: set it "
			    "to its pod's name",
			    k->nodes[i].seen.name);
		text_set(c->nodes[i].name, sizeof(c->nodes[i].name), name);
		text_set(c->nodes[i].version, sizeof(c->nodes[i].version),
		    kube_object_text(o, "version"));
		cJSON_Delete(o);
		free(answer);
	}
	return c->why[0] == '\0' ? 0 : -EINVAL;
}

static int
look_at_set(struct cluster *c)
{
	kube_set_look(c);
	return 0;
}

static int
look_at_config(struct cluster *c)
{
	kube_config_look(c);
	return 0;
}

static int
kubernetes_log_in(struct cluster *c)
{
	return account_is_given(c->config) ? account_open(c) : 0;
}

/* If faults need the system account, see that its login is taken. */
static int
look_at_system(struct cluster *c)
{
	unsigned needs = CLUSTER_CAN_ADMIN;
	int err;

	if (!kube_rights_have(c, RIGHTS_EXEC))
		needs |= CLUSTER_CAN_RELOAD;
	if ((c->needs & needs) == 0 || !account_is_given(c->config))
		return 0;
	err = account_open(c);
	return err < 0 ? err : account_try(c);
}

/*
 * Prove that links can be cut, and wait until all is healthy: the server that
 * was cut off may have begun an election.
 */
static int
prove_cuts(struct cluster *c)
{
	int err = kube_prove_cuts(c);

	return err == 0 && (c->needs & CLUSTER_CAN_CUT) != 0 ? wait_healthy(c)
							     : err;
}

static int
kubernetes_up(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_login login = {c->config->k8s_kubeconfig,
	    c->config->k8s_context, c->config->out, NULL};
	static int (*const steps[])(struct cluster *) = {kube_reach_choose,
	    kube_site_namespace, kube_site_open, kube_rights_first,
	    kube_site_find, kube_rights_all, kube_reach_rights,
	    kube_rights_faults, look_at_set, kube_site_take, kube_reach_begin,
	    kube_prove_begin, kube_pods_open, look_at_config, wait_healthy,
	    look_at_names, kube_store_look, look_at_system, kube_reload_look,
	    kube_pods_budgets, prove_cuts, kube_signal_look,
	    kube_config_finish};
	size_t i;
	int err = 0;

	k->api = kube_create(&login);
	if (k->api == NULL)
		return -ENOMEM;
	for (i = 0; err == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		err = steps[i](c);
	if (err < 0 && c->why[0] == '\0')
		text_add(c->why, sizeof(c->why), "cannot use this cluster: %s",
		    strerror(-err));
	k->begin_ns = clock_mono_ns();
	k->begin_requests = kube_requests(k->api);
	return err;
}

static void
kubernetes_tend(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	if (k->api == NULL)
		return;
	kube_step(k->api);
	kube_pods_step(c);
	for (i = 1; i <= c->n; i++)
		kube_reach_step(c, i, kube_pods_is_ready(c, i));
	kube_signal_step(c);
	kube_links_step(c);
	kube_reload_step(c);
	kube_roll_step(c);
	kube_logs_step(c);
	kube_end_step(c);
	kube_store_step(c);
}

static void
kubernetes_down(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t took;

	if (k->api == NULL)
		return;
	kube_signal_restore(c);
	kube_store_restore(c);
	kube_links_restore(c);
	kube_set_restore(c);
	kube_config_restore(c);
	took = clock_mono_ns() - k->begin_ns;
	if (k->begin_ns != 0 && took > 0)
		log_info("%llu requests to the Kubernetes API in %llu s",
		    (unsigned long long)(kube_requests(k->api) -
					 k->begin_requests),
		    (unsigned long long)(took / CLOCK_S));
	kube_signal_close(c);
	kube_reach_end(c);
	kube_pods_close(c);
	kube_destroy(k->api);
	kube_links_destroy(k->links);
	k->api = NULL;
	c->monitor_socket = NULL;
	k->links = NULL;
	cJSON_Delete(k->labels);
	k->labels = NULL;
	free(k->original);
	k->original = NULL;
}

static const char *const kubernetes_options[] = {ACCOUNT_OPTIONS,
    "k8s-statefulset", "k8s-namespace", "k8s-context", "k8s-kubeconfig",
    "k8s-reach", "k8s-image", NULL};

const struct cluster_ops cluster_kubernetes = {
    .name = "kubernetes",
    .summary = "the pods of a StatefulSet, reached through kubectl",
    .owner = OWNER_OTHERS,
    .is_slow = true,
    .hides_servers = true,
    .puts_back = true,
    .options = kubernetes_options,
    .program = {"kubectl", "outside of a pod", is_outside},
    .validate = kubernetes_validate,
    .state_size = sizeof(struct kubernetes),
    .up = kubernetes_up,
    .tend = kubernetes_tend,
    .node_start = kube_pods_start,
    .node_end = kube_signal_end,
    .node_delete = kube_signal_delete,
    .node_lose = kube_store_lose,
    .node_empty = kube_store_empty,
    .node_lame_duck = kube_signal_lame_duck,
    .node_reload = kube_reload_node,
    .node_pause = kube_signal_pause,
    .node_runs = kube_pods_runs,
    .node_crashed = kube_pods_crashed,
    .node_is_paused = kube_signal_is_paused,
    .check_upgrade = kube_roll_check,
    .log_in = kubernetes_log_in,
    .node_is_ready = kube_pods_is_ready,
    .node_how = kube_pods_how,
    .reload_how = kube_reload_how,
    .may_disrupt = kube_pods_may_disrupt,
    .roll = kube_roll_begin,
    .roll_state = kube_roll_state,
    .scale = kube_roll_scale,
    .link_set = kube_links_set,
    .link_flow = kube_links_flow,
    .dump = kube_dump,
    .down = kubernetes_down,
};
