/* SPDX-License-Identifier: ISC */
/* Asking the API, and finding the StatefulSet; see kube_site.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define SLOWER_NS     (60 * CLOCK_S)
#define SLOWER_POD_NS (60 * CLOCK_S)
#define MARK_BASE     60000

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

void
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
}

void
kube_site_refused(
    struct cluster *c, unsigned nodes, int status, const char *body)
{
	char said[256] = "no answer";

	if (status > 0)
		kube_object_message(body, said, sizeof(said));
	c->refused_nodes |= nodes;
	c->refused[0] = '\0';
	text_add(c->refused, sizeof(c->refused), "the API refused (%d): %.90s",
	    status, said);
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
		spawn_end(pid);
		status = SIGKILL;
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
kube_site_open(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + KUBE_ANSWER_NS;
	struct kube_ask ask = {.path = "/version"};
	char path[CONFIG_PATH_MAX + 32] = "", *answer = NULL;
	int status = kube_start(k->api);

	if (status < 0) {
		kube_site_explain(c, "cannot start kubectl proxy", status, "");
		return -EIO;
	}
	do {
		free(answer);
		chaos_wait(c->chaos, 20);
		status = kube_site_ask(c, &ask, &answer);
	} while (status != KUBE_OK && kube_is_running(k->api) &&
		 !chaos_is_stopping(c->chaos) && clock_mono_ns() < deadline);
	if (status != KUBE_OK) {
		kube_site_explain(
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
 * Of the StatefulSets that serve NATS: the one of that name, or without a name
 * the only one. names gets the names of all of them.
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
		query = ""; /* look once more, without the label */
		cJSON_Delete(o);
		free(answer);
	}
	if (status != KUBE_OK) {
		err = -EIO;
		kube_site_explain(
		    c, "cannot find the StatefulSet", status, answer);
	} else if (found != NULL)
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
	else if ((c->needs & CLUSTER_CAN_EMPTY) != 0 && n < 3)
		text_add(c->why, sizeof(c->why),
		    "mayhem %s can't be done: of %u pods no majority is left "
		    "that knows what streams there are",
		    c->needed_by[CLUSTER_ABILITY_EMPTY]->name, n);
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

int
kube_site_take(struct cluster *c)
{
	struct kubernetes *k = c->state;
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
	}
	return 0;
}
