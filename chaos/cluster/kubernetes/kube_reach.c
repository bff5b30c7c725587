/* SPDX-License-Identifier: ISC */
/* How the pods are reached; see kube_reach.h. */
#include <errno.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_reach.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/health.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define API	  "http://localhost" /* by kubectl proxy's socket */
#define SILENT_NS (8 * CLOCK_S)	     /* after that a forward is taken to hang */

int
kube_reach_choose(struct cluster *c)
{
	struct kubernetes *k = c->state;
	const char *reach = c->config->k8s_reach;

	k->forwards = strcmp(reach, "forward") == 0 ||
		      (strcmp(reach, "auto") == 0 && !kube_is_inside(k->api));
	k->proxies = strcmp(reach, "proxy") == 0;
	if (!k->proxies || !kube_is_inside(k->api))
		return 0;
	text_add(c->why, sizeof(c->why),
	    "--k8s-reach proxy: in a pod the others are reached directly");
	return -EINVAL;
}

/*
 * When clients have addresses (--url) only the monitoring has to be reached,
 * and the proxy can do that.
 */
int
kube_reach_rights(struct cluster *c)
{
	struct kubernetes *k = c->state;
	bool is_auto = strcmp(c->config->k8s_reach, "auto") == 0;

	if (k->proxies)
		return kube_rights_refuse(
		    c, "--k8s-reach proxy", BIT(RIGHT_PROXY));
	if (k->forwards && is_auto && c->config->url[0] != '\0' &&
	    !kube_rights_have(c, BIT(RIGHT_FORWARD)) &&
	    kube_rights_have(c, BIT(RIGHT_PROXY))) {
		log_info("port-forwards are not allowed: the servers' "
			 "monitoring is reached through the API");
		k->forwards = false;
		k->proxies = true;
	}
	return k->forwards ? kube_rights_refuse(
				 c, "--k8s-reach forward", BIT(RIGHT_FORWARD))
			   : 0;
}

/* True when clients can use the names that the cluster's DNS gives to pods. */
static bool
has_names(const struct cluster *c)
{
	const struct kubernetes *k = c->state;

	return kube_is_inside(k->api) && k->set.service[0] != '\0' &&
	       c->config->url[0] == '\0';
}

/*
 * Clients learn new addresses from servers that they are connected to. If all
 * pods get new addresses at once, nobody tells them.
 */
static int
look_at_addresses(struct cluster *c)
{
	const struct kubernetes *k = c->state;

	if (k->forwards || has_names(c) || c->config->url[0] != '\0' ||
	    c->widest == NULL || mayhem_width(c->widest, c->n) < c->n)
		return 0;
	text_add(c->why, sizeof(c->why),
	    "mayhem %s can't be done with --k8s-reach direct from outside the "
	    "cluster: all pods would have other addresses at once; forward or "
	    "--url can",
	    c->widest->name);
	return -ENOTSUP;
}

/* By the API's proxy a pod is addressed by its name, which never changes. */
static void
set_proxied(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	struct cluster_node *n = &c->nodes[node - 1];

	c->monitor_socket = kube_socket(k->api);
	n->monitor[0] = '\0';
	text_add(n->monitor, sizeof(n->monitor),
	    API "/api/v1/namespaces/%s/pods/%s:%u/proxy", k->ns,
	    k->nodes[node - 1].seen.name, k->set.monitor_port);
	text_set(n->direct, sizeof(n->direct), n->url);
}

int
kube_reach_begin(struct cluster *c)
{
	struct kubernetes *k = c->state;
	const char *urls = c->config->url;
	char url[CLUSTER_URL_MAX] = "";
	struct kube_node *p;
	unsigned i;

	for (i = 0; i < c->n; i++) {
		p = &k->nodes[i];
		/* Fewer addresses than servers: the last serves the rest. */
		(void)text_next_item(&urls, url, sizeof(url));
		text_set(c->nodes[i].url, sizeof(c->nodes[i].url), url);
		kube_forward_init(
		    &p->forward, k->api, c->config->out, k->ns, p->seen.name);
		p->forward.ports[0] = k->set.client_port;
		p->forward.ports[1] = k->set.monitor_port;
		if (k->proxies)
			set_proxied(c, i + 1);
	}
	return look_at_addresses(c);
}

static void
set_address(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
	struct cluster_node *n = &c->nodes[node - 1];
	bool is_v6 = strchr(p->seen.ips[0], ':') != NULL;
	const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";

	if (k->forwards || k->proxies || p->seen.ips[0][0] == '\0')
		return;
	text_format(n->direct, sizeof(n->direct), "nats://%s%s%s:%u", open,
	    p->seen.ips[0], close, k->set.client_port);
	text_format(n->monitor, sizeof(n->monitor), "http://%s%s%s:%u", open,
	    p->seen.ips[0], close, k->set.monitor_port);
	/* Another pod has another address; only its name stays the same. */
	if (has_names(c))
		text_format(n->url, sizeof(n->url), "nats://%s.%s.%s.svc:%u",
		    p->seen.name, k->set.service, k->ns, k->set.client_port);
	else if (c->config->url[0] == '\0')
		text_set(n->url, sizeof(n->url), n->direct);
}

void
kube_reach_pod(struct cluster *c, unsigned node, bool is_other)
{
	struct kubernetes *k = c->state;

	set_address(c, node);
	if (is_other && k->forwards)
		kube_forward_renew(&k->nodes[node - 1].forward);
}

/*
 * kubectl 1.20 may run on though its tunnel opens no streams any more. A server
 * that is ready and does not answer is taken for one that the forward does not
 * reach.
 */
static bool
forward_hangs(struct cluster *c, unsigned node, bool is_ready)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
	uint64_t now = clock_mono_ns();
	struct health_varz v;

	if (!is_ready || p->is_stopped)
		p->renewed_ns = now;
	if (c->health == NULL || now < p->renewed_ns + SILENT_NS)
		return false;
	return !health_varz(c->health, node, &v) ||
	       now >= v.asked_ns + SILENT_NS;
}

void
kube_reach_step(struct cluster *c, unsigned node, bool is_ready)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
	struct cluster_node *n = &c->nodes[node - 1];

	if (!k->forwards)
		return;
	if (forward_hangs(c, node, is_ready)) {
		log_warn("the port-forward to pod %s hangs: it is begun anew",
		    p->seen.name);
		kube_forward_renew(&p->forward);
		p->renewed_ns = clock_mono_ns();
	}
	kube_forward_step(
	    &p->forward, p->is_there && p->seen.ips[0][0] != '\0');
	if (n->monitor[0] != '\0' || !kube_forward_is_open(&p->forward))
		return;
	text_format(n->direct, sizeof(n->direct), "nats://127.0.0.1:%u",
	    p->forward.local[0]);
	text_format(n->monitor, sizeof(n->monitor), "http://127.0.0.1:%u",
	    p->forward.local[1]);
	if (n->url[0] == '\0')
		text_set(n->url, sizeof(n->url), n->direct);
}

void
kube_reach_end(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++)
		kube_forward_fini(&k->nodes[i].forward);
}

void
kube_reach_page(const struct cluster *c, unsigned node, const char *page,
    char *out, size_t size)
{
	const struct kubernetes *k = c->state;
	const char *base = c->nodes[node - 1].monitor;

	out[0] = '\0';
	if (k->proxies)
		base += strlen(API);
	text_add(out, size, "%s%s", base, page);
}
