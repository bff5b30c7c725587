/* SPDX-License-Identifier: ISC */
/* A StatefulSet of NATS: finding it, and what RBAC allows; see kube_site.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "chaos/account.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define SLOWER_NS     (60 * CLOCK_S)
#define SLOWER_POD_NS (60 * CLOCK_S)
#define MARK_BASE     60000
#define API	      "http://localhost" /* by kubectl proxy's socket */
#define POLICIES      "networking.k8s.io", "networkpolicies"

static const struct kube_right rights[RIGHTS] = {
    [RIGHT_LIST_PODS] = {"list", "", "pods", ""},
    [RIGHT_WATCH_PODS] = {"watch", "", "pods", ""},
    [RIGHT_LIST_SETS] = {"list", "apps", "statefulsets", ""},
    [RIGHT_WATCH_SETS] = {"watch", "apps", "statefulsets", ""},
    [RIGHT_PATCH_SETS] = {"patch", "apps", "statefulsets", ""},
    [RIGHT_DELETE_PODS] = {"delete", "", "pods", ""},
    [RIGHT_CREATE_EXEC] = {"create", "", "pods", "exec"},
    [RIGHT_GET_EXEC] = {"get", "", "pods", "exec"},
    [RIGHT_FORWARD] = {"create", "", "pods", "portforward"},
    [RIGHT_PROXY] = {"get", "", "pods", "proxy"},
    [RIGHT_LIST_BUDGETS] = {"list", "policy", "poddisruptionbudgets", ""},
    [RIGHT_WATCH_BUDGETS] = {"watch", "policy", "poddisruptionbudgets", ""},
    [RIGHT_GET_CONFIG] = {"get", "", "configmaps", ""},
    [RIGHT_PATCH_CONFIG] = {"patch", "", "configmaps", ""},
    [RIGHT_LIST_POLICIES] = {"list", POLICIES, ""},
    [RIGHT_CREATE_POLICIES] = {"create", POLICIES, ""},
    [RIGHT_DELETE_POLICIES] = {"delete", POLICIES, ""},
    [RIGHT_PATCH_PODS] = {"patch", "", "pods", ""},
};

/* What each of CLUSTER_CAN_* needs. */
static const unsigned ability_rights[CLUSTER_ABILITY_COUNT] = {
    [CLUSTER_ABILITY_RESTART] = BIT(RIGHT_DELETE_PODS),
    [CLUSTER_ABILITY_LAME_DUCK] = RIGHTS_EXEC,
    [CLUSTER_ABILITY_RELOAD] = RIGHTS_EXEC,
    [CLUSTER_ABILITY_PAUSE] = RIGHTS_EXEC,
    [CLUSTER_ABILITY_CUT] = RIGHTS_POLICIES,
    [CLUSTER_ABILITY_UPGRADE] = BIT(RIGHT_PATCH_SETS),
    [CLUSTER_ABILITY_ROLL] = BIT(RIGHT_PATCH_SETS),
    [CLUSTER_ABILITY_DELETE] = BIT(RIGHT_DELETE_PODS),
    [CLUSTER_ABILITY_SCALE] = BIT(RIGHT_PATCH_SETS),
};

struct answer {
	bool is_there;
	int status;
	char *body;
};

static void
take_answer(void *arg, int status, const char *body)
{
	struct answer *a = arg;

	a->is_there = true;
	a->status = status;
	a->body = strdup(body);
}

/*
 * Ask and wait: at the start and at the end only. The HTTP status or
 * -errno; *body (may be NULL) is the caller's to free.
 */
int
kube_site_ask(struct cluster *c, struct kube_ask *ask, char **body)
{
	struct kubernetes *k = c->state;
	struct answer *a = calloc(1, sizeof(*a));
	uint64_t deadline = clock_mono_ns() + KUBE_ANSWER_NS;
	int status;

	if (body != NULL)
		*body = NULL;
	if (a == NULL)
		return -ENOMEM;
	ask->done = take_answer;
	ask->arg = a;
	status = kube_request(k->api, ask);
	while (status == 0 && !a->is_there && clock_mono_ns() < deadline)
		chaos_wait(c->chaos, 2);
	if (!a->is_there)
		kube_forget(k->api, a);
	else
		status = a->status;
	if (body != NULL)
		*body = a->body;
	else
		free(a->body);
	free(a);
	return status != 0 ? status : -ETIMEDOUT;
}

/* Something was refused or did not work: said with the API's own words. */
int
kube_site_explain(
    struct cluster *c, const char *what, int status, const char *body)
{
	char said[256] = "";

	if (status > 0)
		kube_object_message(
		    body != NULL ? body : "", said, sizeof(said));
	else
		text_set(said, sizeof(said), strerror(-status));
	c->why[0] = '\0';
	text_add(c->why, sizeof(c->why), "%s: %s", what, said);
	return -EIO;
}

/* Rights */

/* Without commands in pods the system account may reload servers. */
static unsigned
rights_of(const struct run_config *c, enum cluster_ability a)
{
	return a == CLUSTER_ABILITY_RELOAD && account_is_given(c)
		   ? 0
		   : ability_rights[a];
}

/* What may be allowed for one object only. */
static const char *
right_object(const struct kubernetes *k, enum kube_site_right r)
{
	if (r == RIGHT_PATCH_SETS)
		return k->set.name;
	return (BIT(r) & RIGHTS_CONFIG) != 0 ? k->set.config_map : "";
}

static int
ask_right(struct cluster *c, enum kube_site_right r)
{
	struct kubernetes *k = c->state;
	char body[512], why[256], *answer = NULL;
	struct kube_ask ask = {
	    .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
	    .method = "POST",
	    .body = body};
	int status, got;

	kube_object_ask_right(
	    &rights[r], k->ns, right_object(k, r), body, sizeof(body));
	status = kube_site_ask(c, &ask, &answer);
	got = status == KUBE_OK || status == 201
		  ? kube_object_review(answer, why, sizeof(why))
		  : -EIO;
	if (got < 0)
		(void)kube_site_explain(c,
		    "cannot ask the API what natsburn may do", status, answer);
	else if (got == 1)
		k->allowed |= BIT(r);
	free(answer);
	return got < 0 ? -EIO : 0;
}

/* Refuse what RBAC will refuse, before anything is done. */
static int
refuse(struct cluster *c, const char *what, unsigned need)
{
	struct kubernetes *k = c->state;
	unsigned r, lacks = need & ~k->allowed;

	if (lacks == 0)
		return 0;
	c->why[0] = '\0';
	text_add(c->why, sizeof(c->why),
	    "%s can't be done in namespace %s: RBAC does not allow natsburn to",
	    what, k->ns);
	for (r = 0; r < RIGHTS; r++)
		if ((lacks & BIT(r)) != 0)
			text_add(c->why, sizeof(c->why), "%s %s %s%s%s",
			    lacks & (BIT(r) - 1) ? "," : "", rights[r].verb,
			    rights[r].resource,
			    rights[r].subresource[0] != '\0' ? "/" : "",
			    rights[r].subresource);
	return -ENOTSUP;
}

/* What is needed to look at anything; the rest is asked when it has names. */
int
kube_site_first_rights(struct cluster *c)
{
	unsigned r;
	int err = 0;

	for (r = 0; r < RIGHTS && err == 0; r++)
		if ((RIGHTS_ALWAYS & BIT(r)) != 0)
			err = ask_right(c, (enum kube_site_right)r);
	return err < 0 ? err : refuse(c, "--cluster kubernetes", RIGHTS_ALWAYS);
}

/* With addresses for clients only the monitoring has to be reached. */
static int
choose_reach(struct cluster *c)
{
	struct kubernetes *k = c->state;
	bool is_auto = strcmp(c->config->k8s_reach, "auto") == 0;

	if (k->proxies)
		return refuse(c, "--k8s-reach proxy", BIT(RIGHT_PROXY));
	if (k->forwards && is_auto && c->config->url[0] != '\0' &&
	    (k->allowed & BIT(RIGHT_FORWARD)) == 0 &&
	    (k->allowed & BIT(RIGHT_PROXY)) != 0) {
		log_info("port-forwards are not allowed: the servers' "
			 "monitoring is reached through the API");
		k->forwards = false;
		k->proxies = true;
	}
	return k->forwards
		   ? refuse(c, "--k8s-reach forward", BIT(RIGHT_FORWARD))
		   : 0;
}

int
kube_site_rights(struct cluster *c)
{
	unsigned r, a;
	char what[80];
	int err = 0;

	for (r = 0; r < RIGHTS && err == 0; r++)
		if ((RIGHTS_ALWAYS & BIT(r)) == 0)
			err = ask_right(c, (enum kube_site_right)r);
	if (err == 0)
		err = choose_reach(c);
	for (a = 0; err == 0 && a < CLUSTER_ABILITY_COUNT; a++) {
		if (c->needed_by[a] == NULL)
			continue;
		text_format(
		    what, sizeof(what), "mayhem %s", c->needed_by[a]->name);
		err = refuse(
		    c, what, rights_of(c->config, (enum cluster_ability)a));
	}
	return err;
}

/* The namespace of the context, as kubectl knows it. */
int
kube_site_namespace(struct cluster *c)
{
	static const char *const args[] = {
	    "config", "view", "--minify", "-o=jsonpath={..namespace}", NULL};
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + KUBE_ANSWER_NS;
	char path[CONFIG_PATH_MAX + 32] = "";
	int status = 0;
	pid_t pid;

	text_set(k->ns, sizeof(k->ns), c->config->k8s_namespace);
	text_add(path, sizeof(path), "%s/kubectl.log", c->config->out);
	if (kube_is_inside(k->api)) {
		if (k->ns[0] == '\0')
			kube_last_line("/var/run/secrets/kubernetes.io/"
				       "serviceaccount/namespace",
			    k->ns, sizeof(k->ns));
		return 0;
	}
	pid = kube_spawn(k->api, args, path);
	while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
		chaos_wait(c->chaos, 5);
		if (clock_mono_ns() < deadline)
			continue;
		(void)kill(pid, SIGKILL); /* not reaped: still ours */
		(void)waitpid(pid, &status, 0);
		break;
	}
	if (pid == -ENOENT)
		text_add(c->why, sizeof(c->why),
		    "--cluster kubernetes needs kubectl, which is not on PATH");
	else if (pid < 0)
		text_add(c->why, sizeof(c->why), "cannot start kubectl: %s",
		    strerror(-(int)pid));
	if (pid > 0 && status != 0) {
		text_add(c->why, sizeof(c->why), "kubectl says: ");
		kube_last_line(path, c->why + strlen(c->why),
		    sizeof(c->why) - strlen(c->why));
		return -EIO;
	}
	if (pid > 0 && k->ns[0] == '\0')
		kube_last_line(path, k->ns, sizeof(k->ns));
	if (k->ns[0] == '\0')
		text_set(k->ns, sizeof(k->ns), "default");
	return pid < 0 ? (int)pid : 0;
}

int
kube_site_reach(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + KUBE_ANSWER_NS;
	struct kube_ask ask = {.path = "/version"};
	char path[CONFIG_PATH_MAX + 32] = "", *answer = NULL;
	int status = kube_start(k->api);

	if (status < 0)
		return kube_site_explain(
		    c, "cannot start kubectl proxy", status, "");
	do {
		free(answer);
		chaos_wait(c->chaos, 20);
		status = kube_site_ask(c, &ask, &answer);
	} while (status != KUBE_OK && kube_is_running(k->api) &&
		 !chaos_is_stopping(c->chaos) && clock_mono_ns() < deadline);
	if (status != KUBE_OK) {
		(void)kube_site_explain(
		    c, "the Kubernetes API does not answer", status, answer);
		text_add(path, sizeof(path), "%s/kubectl.log", c->config->out);
		text_add(c->why, sizeof(c->why), "; kubectl said: ");
		kube_last_line(path, c->why + strlen(c->why),
		    sizeof(c->why) - strlen(c->why));
	}
	free(answer);
	return status == KUBE_OK ? 0 : -EIO;
}

/*
 * The one of that name, or without a name the only one of a list that serves
 * NATS; names says which there are.
 */
static const cJSON *
only_server(const cJSON *items, const char *name, char *names, size_t size)
{
	const cJSON *item, *found = NULL;
	struct kube_set set;
	unsigned n = 0;

	cJSON_ArrayForEach (item, items) {
		if (kube_object_set(item, &set) < 0 || set.client_port == 0)
			continue;
		if (strcmp(set.name, name) == 0)
			return item;
		found = item;
		n++;
		text_add(names, size, "%s%s", n > 1 ? ", " : "", set.name);
	}
	return n == 1 && name[0] == '\0' ? found : NULL;
}

int
kube_site_find(struct cluster *c)
{
	struct kubernetes *k = c->state;
	const char *name = c->config->k8s_statefulset;
	const char *query = name[0] != '\0'
				? ""
				: "?labelSelector=app.kubernetes.io%2Fname%3D"
				  "nats";
	char path[KUBE_PATH_MAX], names[256] = "", *answer = NULL;
	struct kube_ask ask = {.path = path};
	const cJSON *found = NULL;
	cJSON *o = NULL;
	int status, err = -ENOENT;

	for (;;) {
		path[0] = names[0] = '\0';
		text_add(path, sizeof(path),
		    "/apis/apps/v1/namespaces/%s/statefulsets%s", k->ns, query);
		status = kube_site_ask(c, &ask, &answer);
		o = status == KUBE_OK ? cJSON_Parse(answer) : NULL;
		found = only_server(
		    kube_object_at(o, "items"), name, names, sizeof(names));
		if (found != NULL || query[0] == '\0')
			break;
		query = ""; /* without the label, then */
		cJSON_Delete(o);
		free(answer);
	}
	if (status != KUBE_OK)
		err = kube_site_explain(
		    c, "cannot find the StatefulSet", status, answer);
	else if (found != NULL)
		err = kube_object_set(found, &k->set);
	else if (name[0] != '\0')
		text_add(c->why, sizeof(c->why),
		    "namespace %s has no StatefulSet \"%s\" that serves NATS "
		    "(a port 4222, or one of the name nats)%s%s",
		    k->ns, name, names[0] != '\0' ? "; there is " : "", names);
	else
		text_add(c->why, sizeof(c->why),
		    "%s StatefulSet of namespace %s serves NATS (a port 4222, "
		    "or one of the name nats)%s%s: name one with "
		    "--k8s-statefulset",
		    names[0] != '\0' ? "more than one" : "no", k->ns,
		    names[0] != '\0' ? ": " : "", names);
	if (err == 0)
		k->labels = cJSON_Duplicate(
		    kube_object_at(found, "spec.template.metadata.labels"),
		    true);
	cJSON_Delete(o);
	free(answer);
	return err;
}

/* What this StatefulSet is not made for; c->why says which and why. */
static void
look_at_needs(struct cluster *c)
{
	const struct kubernetes *k = c->state;
	unsigned n = k->set.replicas;

	if ((c->needs & CLUSTER_CAN_ROLL) != 0 &&
	    (k->set.is_on_delete || k->set.partition > 0))
		text_add(c->why, sizeof(c->why),
		    "mayhem %s can't be done: StatefulSet %s has %s",
		    c->needed_by[CLUSTER_ABILITY_ROLL]->name, k->set.name,
		    k->set.is_on_delete ? "the update strategy OnDelete"
					: "a partition in its update strategy");
	else if ((c->needs & CLUSTER_CAN_SCALE) != 0 && n < 3)
		text_add(c->why, sizeof(c->why),
		    "mayhem %s can't be done: one of %u pods less is no "
		    "majority of them",
		    c->needed_by[CLUSTER_ABILITY_SCALE]->name, n);
	else if ((c->needs & CLUSTER_CAN_SCALE) != 0 &&
		 n <= c->config->replicas)
		text_add(c->why, sizeof(c->why),
		    "mayhem %s can't be done: %u pods for --replicas %llu: it "
		    "needs one more, or fewer replicas",
		    c->needed_by[CLUSTER_ABILITY_SCALE]->name, n,
		    (unsigned long long)c->config->replicas);
	else if ((c->needs & CLUSTER_CAN_UPGRADE) != 0 &&
		 strcmp(c->config->k8s_image, k->set.image) == 0)
		text_add(c->why, sizeof(c->why),
		    "mayhem %s can't be done: StatefulSet %s has the image %s "
		    "already",
		    c->needed_by[CLUSTER_ABILITY_UPGRADE]->name, k->set.name,
		    k->set.image);
}

/* A pod's name is its address here: it never changes. */
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

void
kube_site_page(const struct cluster *c, unsigned node, const char *page,
    char *out, size_t size)
{
	const struct kubernetes *k = c->state;
	const char *base = c->nodes[node - 1].monitor;

	out[0] = '\0';
	if (k->proxies)
		base += strlen(API);
	text_add(out, size, "%s%s", base, page);
}

int
kube_site_take(struct cluster *c)
{
	struct kubernetes *k = c->state;
	const char *urls = c->config->url;
	char url[CLUSTER_URL_MAX] = "";
	unsigned i;

	if (k->set.replicas == 0 || k->set.replicas > CONFIG_NODES_MAX) {
		text_add(c->why, sizeof(c->why),
		    "StatefulSet %s has %u replicas: must be 1 to %d",
		    k->set.name, k->set.replicas, CONFIG_NODES_MAX);
		return -EINVAL;
	}
	if (c->config->replicas > k->set.replicas) {
		text_add(c->why, sizeof(c->why),
		    "--replicas %llu: StatefulSet %s has %u pods",
		    (unsigned long long)c->config->replicas, k->set.name,
		    k->set.replicas);
		return -EINVAL;
	}
	look_at_needs(c);
	if (c->why[0] != '\0')
		return -ENOTSUP;
	c->n = k->set.replicas;
	c->slower_ns = SLOWER_NS + c->n * SLOWER_POD_NS;
	k->mark = MARK_BASE;
	for (i = 0; i < c->n; i++) {
		text_add(k->nodes[i].seen.name, sizeof(k->nodes[i].seen.name),
		    "%s-%u", k->set.name, k->set.start + i);
		text_set(c->nodes[i].name, sizeof(c->nodes[i].name),
		    k->nodes[i].seen.name);
		/* Fewer addresses than servers: the last serves the rest. */
		(void)text_next_item(&urls, url, sizeof(url));
		text_set(c->nodes[i].url, sizeof(c->nodes[i].url), url);
		kube_forward_init(&k->nodes[i].forward, k->api, c->config->out,
		    k->ns, k->nodes[i].seen.name);
		k->nodes[i].forward.ports[0] = k->set.client_port;
		k->nodes[i].forward.ports[1] = k->set.monitor_port;
		if (k->proxies)
			set_proxied(c, i + 1);
	}
	return 0;
}

/* Within the cluster its DNS names every pod. */
bool
kube_site_has_names(const struct cluster *c)
{
	const struct kubernetes *k = c->state;

	return kube_is_inside(k->api) && k->set.service[0] != '\0' &&
	       c->config->url[0] == '\0';
}

/*
 * Clients learn new addresses from the servers that they are connected to.
 * When the last of them is gone they would look for it where it was.
 */
int
kube_site_addresses(struct cluster *c)
{
	const struct kubernetes *k = c->state;

	if (k->forwards || kube_site_has_names(c) ||
	    c->config->url[0] != '\0' || c->widest == NULL ||
	    mayhem_width(c->widest, c->n) < c->n)
		return 0;
	text_add(c->why, sizeof(c->why),
	    "mayhem %s can't be done with --k8s-reach direct from outside the "
	    "cluster: all pods would have other addresses at once; forward or "
	    "--url can",
	    c->widest->name);
	return -ENOTSUP;
}
