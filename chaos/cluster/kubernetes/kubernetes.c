/* SPDX-License-Identifier: ISC */
/*
 * kubernetes: the pods of a StatefulSet of somebody's cluster. Natsburn asks
 * the controllers for faults as an operator would, and puts back what it
 * changed; how the API is reached is in chaos/cluster/kubernetes/kube.h.
 *
 * What is known of the objects comes from watches. A server here is the
 * container of a pod: another pod, or a restarted container, is another one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chaos/account.h"
#include "chaos/cluster/kubernetes/kube_links.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/monitor.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define READY_NS     (150 * CLOCK_S) /* all servers, at start */
#define EXEC_NS	     (20 * CLOCK_S)
#define RELOAD_NS    (110 * CLOCK_S) /* a kubelet takes up to a minute */
#define PAUSE_MAX_NS (110 * CLOCK_S) /* CONTINUE_S ends it */
#define CONTINUE_S   "120"
#define SILENT_NS    (8 * CLOCK_S) /* a forward that hangs */

/* Pods */

unsigned
kube_site_node(const struct cluster *c, const struct kube_pod *p)
{
	const struct kubernetes *k = c->state;
	size_t len = strlen(k->set.name);

	if (strncmp(p->name, k->set.name, len) != 0 || p->name[len] != '-' ||
	    strchr(p->name + len + 1, '-') != NULL ||
	    p->ordinal < k->set.start || p->ordinal - k->set.start >= c->n)
		return 0;
	return p->ordinal - k->set.start + 1;
}

static void
set_address(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];
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
	if (kube_site_has_names(c))
		text_format(n->url, sizeof(n->url), "nats://%s.%s.%s.svc:%u",
		    p->seen.name, k->set.service, k->ns, k->set.client_port);
	else if (c->config->url[0] == '\0')
		text_set(n->url, sizeof(n->url), n->direct);
}

static void
container_ended(struct kubernetes *k, struct kube_site_pod *p)
{
	p->is_stopped = p->is_marked = p->is_deleting = false;
	if (p->told[0] != '\0' && strcmp(p->told, p->id) == 0)
		p->has_ended = true;
	else if (!k->is_rolling)
		p->is_crashed = true;
	p->id[0] = '\0';
}

static void
put_pod(struct cluster *c, const struct kube_pod *seen)
{
	struct kubernetes *k = c->state;
	unsigned node = kube_site_node(c, seen);
	struct kube_site_pod *p = &k->nodes[node > 0 ? node - 1 : 0];
	char id[KUBE_ID_MAX] = "";
	bool is_other;

	if (node == 0)
		return;
	text_add(id, sizeof(id), "%s/%u", seen->uid, seen->restarts);
	if (p->id[0] != '\0' && strcmp(p->id, id) != 0)
		container_ended(k, p);
	is_other = strcmp(p->seen.uid, seen->uid) != 0 ||
		   strcmp(p->seen.ips[0], seen->ips[0]) != 0 ||
		   p->seen.restarts != seen->restarts;
	text_set(p->id, sizeof(p->id), id);
	p->seen = *seen;
	p->is_there = p->was_put = true;
	set_address(c, node);
	if (is_other && k->forwards)
		kube_forward_renew(&p->forward);
}

static void
drop_pod(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];

	if (!p->is_there)
		return;
	p->is_there = false;
	if (p->id[0] != '\0')
		container_ended(k, p);
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
	/* Of a pod that has a successor already nothing is new. */
	else if (kube_site_node(c, &seen) != 0 &&
		 strcmp(k->nodes[kube_site_node(c, &seen) - 1].seen.uid,
		     seen.uid) == 0)
		drop_pod(c, kube_site_node(c, &seen));
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

static bool
kubernetes_may_disrupt(struct cluster *c, unsigned count)
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

static bool
is_refusal(const struct kube_watch *w)
{
	int error = w != NULL ? kube_watch_error(w) : 0; /* not yet begun */

	return error == 401 || error == 403;
}

static bool
kubernetes_node_is_ready(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	const struct kube_site_pod *p = &k->nodes[node - 1];

	/* We may look no longer: its server's own word has to do. */
	if (!kube_watch_is_live(k->pods) && is_refusal(k->pods))
		return true;
	return kube_watch_is_live(k->pods) && p->is_there && p->seen.is_ready &&
	       !p->seen.is_ending;
}

static bool
kubernetes_node_runs(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	const struct kube_site_pod *p = &k->nodes[node - 1];

	return !p->has_ended && !p->is_crashed;
}

static bool
kubernetes_node_crashed(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;

	return k->nodes[node - 1].is_crashed;
}

static bool
kubernetes_node_is_paused(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;

	return k->nodes[node - 1].is_stopped;
}

/* Its controller does it; we only stop holding that it is down. */
static int
kubernetes_node_start(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];

	p->told[0] = '\0';
	p->has_ended = p->is_crashed = false;
	return 0;
}

/* Faults */

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

/* The request says nothing of the pod: the one that is still awaited. */
static void
deleted(void *arg, int status, const char *body)
{
	struct cluster *c = arg;
	struct kubernetes *k = c->state;
	unsigned i, nodes = 0;

	if ((status >= KUBE_OK && status < 300) || status <= 0)
		return; /* without an answer it may have been done */
	for (i = 0; i < c->n; i++)
		if (k->nodes[i].is_deleting && !k->nodes[i].has_ended)
			nodes |= 1U << i;
	kube_site_refused(c, nodes, status, body);
	log_warn("a pod could not be deleted: %s", c->refused);
}

static int
delete_pod(struct cluster *c, unsigned node, bool is_forced)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];
	char path[KUBE_PATH_MAX] = "", body[256] = "";
	struct kube_ask ask = {.method = "DELETE",
	    .path = path,
	    .body = body,
	    .done = deleted,
	    .arg = c};

	if (!p->is_there)
		return -ESRCH;
	text_add(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", k->ns,
	    p->seen.name);
	/* This very pod, not one that has followed it meanwhile. */
	text_add(body, sizeof(body),
	    "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",%s"
	    "\"preconditions\":{\"uid\":\"%s\"}}",
	    is_forced ? "\"gracePeriodSeconds\":0," : "", p->seen.uid);
	text_set(p->told, sizeof(p->told), p->id);
	p->has_ended = false;
	p->is_deleting = true;
	p->how = is_forced ? "its pod was deleted with grace period 0; gone"
			   : "its pod was deleted with its grace period; gone";
	return kube_request(k->api, &ask);
}

/*
 * $1 is the signal. Prints the server's process id in its container and its
 * state after the signal, which takes its time to reach all threads. A stopped
 * server is continued later by the script itself, whatever has become of us.
 */
static const char signal_script[] =
    "for d in /proc/[0-9]*; do\n"
    "[ \"$(cat $d/comm 2>/dev/null)\" = nats-server ] && p=${d#/proc/}\n"
    "done\n"
    "[ -n \"$p\" ] || exit 8\n"
    "if [ -n \"$2\" ]; then\n"
    "i=0\n"
    "until [ $i -gt 90 ]; do\n"
    "case $2 in\n"
    "-) grep -q '# natsburn' \"$3\" || break ;;\n"
    "*) grep -q \"max_connections: $2 # natsburn\" \"$3\" && break ;;\n"
    "esac\n"
    "i=$((i+1)); sleep 1\n"
    "done\n"
    "[ $i -gt 90 ] && exit 9\n"
    "fi\n"
    "echo pid $p\n"
    "[ \"$1\" = 0 ] && exit 0\n"
    "kill -$1 $p || exit 10\n"
    "if [ \"$1\" = STOP ]; then\n"
    "(sleep " CONTINUE_S "; kill -CONT $p) </dev/null >/dev/null 2>&1 &\n"
    "fi\n"
    "[ \"$1\" = KILL ] && exit 0\n"
    "i=0\n"
    "while [ $i -lt 50 ]; do\n"
    "read -r l </proc/$p/stat\n"
    "l=${l##*) }\n"
    "l=${l%% *}\n"
    "case $1$l in STOPT|CONT[!T]|[!SC]*) break ;; esac\n"
    "i=$((i+1)); sleep 0.1 || sleep 1\n"
    "done\n"
    "echo state $l\n";

static const struct {
	int sig;
	const char *name;
} signal_names[] = {
    {0, "0"},
    {SIGHUP, "HUP"},
    {SIGKILL, "KILL"},
    {SIGSTOP, "STOP"},
    {SIGCONT, "CONT"},
    {SIGUSR2, "USR2"},
};

static const char *
signal_name(int sig)
{
	size_t i;

	for (i = 0; i < sizeof(signal_names) / sizeof(signal_names[0]); i++)
		if (signal_names[i].sig == sig)
			return signal_names[i].name;
	return NULL;
}

/* wanted: what the configuration must show first, "-" that it isn't ours. */
int
kube_site_signal(struct cluster *c, unsigned node, int sig, const char *wanted)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];
	const char *const script[] = {"sh", "-c", signal_script, "natsburn",
	    signal_name(sig), wanted, k->set.config_path, NULL};
	/* Without a shell nats-server itself sends what it knows. */
	const char *const plain[] = {
	    "nats-server", "--signal", "reload=1", NULL};
	struct kube_command command = {.ns = k->ns,
	    .pod = p->seen.name,
	    .container = k->set.container,
	    .argv = p->has_shell ? script : plain,
	    .timeout_ns = sig == SIGHUP ? RELOAD_NS : EXEC_NS};

	if (signal_name(sig) == NULL || (!p->has_shell && sig != SIGHUP))
		return -ENOTSUP;
	kube_exec_destroy(p->exec); /* the one before is nobody's any more */
	p->exec = kube_exec_create(k->api, &command);
	p->signal = sig;
	return p->exec != NULL ? 0 : -errno;
}

/* A signal that ends the server, by a command in its container. */
static int
end_by_signal(struct cluster *c, unsigned node, int sig, const char *how)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];

	if (!p->is_there)
		return -ESRCH;
	text_set(p->told, sizeof(p->told), p->id);
	p->has_ended = false;
	p->how = how;
	return kube_site_signal(c, node, sig, "");
}

static int
kubernetes_node_end(struct cluster *c, unsigned node, int sig)
{
	const struct kubernetes *k = c->state;
	const struct kube_site_pod *p = &k->nodes[node - 1];

	if (sig == SIGTERM)
		return delete_pod(c, node, false);
	/*
	 * Nobody may kill process 1 from within its own container; and a
	 * kubelet waits longer with every restart, but not with a new pod.
	 */
	if (!p->has_shell || p->pid <= 1 || p->seen.restarts > 1)
		return delete_pod(c, node, true);
	return end_by_signal(
	    c, node, SIGKILL, "SIGKILL in its container, which has ended");
}

static int
kubernetes_node_delete(struct cluster *c, unsigned node)
{
	return delete_pod(c, node, false);
}

static int
kubernetes_node_lame_duck(struct cluster *c, unsigned node)
{
	return end_by_signal(
	    c, node, SIGUSR2, "SIGUSR2 in its container, which has ended");
}

static int
kubernetes_node_pause(struct cluster *c, unsigned node, bool paused)
{
	const struct kubernetes *k = c->state;

	if (!k->nodes[node - 1].is_there)
		return -ESRCH;
	return kube_site_signal(c, node, paused ? SIGSTOP : SIGCONT, "");
}

static int
kubernetes_node_reload(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];
	char wanted[24] = "";
	int err = kube_config_change(c, node);

	if (err < 0)
		return err;
	if (!p->is_there)
		return -ESRCH;
	if ((k->allowed & RIGHTS_EXEC) != RIGHTS_EXEC) {
		kube_reload_ask(c, node);
		return 0;
	}
	p->reload_how = "SIGHUP in the pod";
	if (k->original != NULL && p->has_shell) {
		p->reload_how = "ConfigMap changed, SIGHUP in the pod";
		text_add(wanted, sizeof(wanted), "%llu",
		    (unsigned long long)c->nodes[node - 1].config_mark);
		p->is_marked = true;
	}
	return kube_site_signal(c, node, SIGHUP, wanted);
}

static const char *
kubernetes_node_how(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	const struct kube_site_pod *p = &k->nodes[node - 1];

	if (p->how != NULL)
		return p->how;
	return "its container was restarted";
}

static const char *
kubernetes_reload_how(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;

	return k->nodes[node - 1].reload_how;
}

static void
take_exec(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];
	int code = kube_exec_code(p->exec);
	const char *out = kube_exec_output(p->exec), *at;
	uint64_t pid = 0;
	char number[16] = "";

	at = strstr(out, "pid ");
	if (at != NULL) {
		text_set(number, sizeof(number), at + 4);
		number[strspn(number, "0123456789")] = '\0';
		if (text_to_u64(number, INT32_MAX, &pid) == 0)
			p->pid = (unsigned)pid;
	}
	if (p->signal == 0)
		p->has_shell = code == 0;
	/* A kill may break the connection that it came by. */
	else if (code != 0 && (p->signal != SIGKILL || code == -EACCES))
		log_warn("SIG%s in pod %s: %s %d: %.200s",
		    signal_name(p->signal), p->seen.name,
		    code > 0 ? "exit code" : "error", code, out);
	if (p->signal != 0 && code == -EACCES)
		kube_site_refused(c, 1U << (node - 1), 403,
		    "{\"message\":\"commands in this pod\"}");
	if (p->signal == SIGSTOP && code == 0)
		p->is_stopped = strstr(out, "state T") != NULL;
	if (p->signal == SIGCONT && code == 0)
		p->is_stopped = strstr(out, "state T") != NULL;
	kube_exec_destroy(p->exec);
	p->exec = NULL;
}

static void
rolled(void *arg, int status, const char *body)
{
	struct cluster *c = arg;
	struct kubernetes *k = c->state;
	cJSON *o = cJSON_Parse(body);

	if (status == KUBE_OK)
		k->roll_generation =
		    kube_object_number(o, "metadata.generation");
	if (k->roll_generation == 0) {
		k->roll = ROLL_FAILED;
		k->is_rolling = false;
		kube_object_message(body, k->roll_why, sizeof(k->roll_why));
		kube_site_refused(c, (1U << c->n) - 1, status, body);
	}
	cJSON_Delete(o);
}

static int
kubernetes_check_upgrade(const struct run_config *c, char *why)
{
	if (c->k8s_image[0] != '\0')
		return 0;
	text_set(why, OPTION_WHY_MAX,
	    "needs the image to change to, --k8s-image IMAGE");
	return -EINVAL;
}

static int
kubernetes_roll(struct cluster *c, unsigned binary)
{
	struct kubernetes *k = c->state;
	const char *image = binary != 0	       ? c->config->k8s_image
			    : k->is_image_ours ? k->image_before
					       : k->set.image;
	unsigned i;

	for (i = 0; i < c->n; i++)
		text_set(k->nodes[i].asked, sizeof(k->nodes[i].asked),
		    k->nodes[i].id);
	k->is_rolling = true;
	k->roll = ROLL_ASKED;
	k->roll_generation = 0;
	k->roll_why[0] = '\0';
	k->roll_binary = binary;
	return kube_set_roll(c, image, rolled);
}

static void
scaled(void *arg, int status, const char *body)
{
	struct cluster *c = arg;

	if (status == KUBE_OK)
		return;
	kube_site_refused(c, 1U << (c->n - 1), status, body);
	log_warn("the StatefulSet could not be scaled: %s", c->refused);
}

static int
kubernetes_scale(struct cluster *c, unsigned count)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p;
	unsigned i;

	for (i = count; i < c->n; i++) {
		p = &k->nodes[i];
		text_set(p->told, sizeof(p->told), p->id);
		p->has_ended = false;
		p->how = "the StatefulSet was scaled down; its pod is gone";
	}
	return kube_set_scale(c, count, scaled);
}

static void
look_at_roll(struct cluster *c)
{
	struct kubernetes *k = c->state;
	const struct kube_site_pod *p;
	unsigned i, others = 0;

	if (!k->is_rolling || k->roll_generation == 0)
		return;
	for (i = 0; i < c->n; i++) {
		p = &k->nodes[i];
		if (strcmp(p->id, p->asked) != 0 && p->is_there &&
		    strcmp(p->seen.revision, k->set.update) == 0)
			others++;
		if (k->roll == ROLL_ASKED && (p->seen.is_ending || others > 0))
			k->roll = ROLL_GOING;
	}
	if (k->set.generation < k->roll_generation ||
	    !kube_object_is_rolled(&k->set) || others + k->set.partition < c->n)
		return;
	for (i = 1; i <= c->n; i++)
		if (!kubernetes_node_is_ready(c, i))
			return;
	k->roll = ROLL_DONE;
	k->is_rolling = false;
	for (i = 0; i < c->n; i++)
		c->nodes[i].binary = k->roll_binary;
}

static enum cluster_roll
kubernetes_roll_state(struct cluster *c, char *how, size_t size)
{
	struct kubernetes *k = c->state;
	unsigned i, others = 0;

	look_at_roll(c);
	for (i = 0; i < c->n; i++)
		others += strcmp(k->nodes[i].id, k->nodes[i].asked) != 0 &&
			  k->nodes[i].is_there;
	how[0] = '\0';
	switch (k->roll) {
	case ROLL_ASKED:
		text_add(how, size, "restart asked for; no pod ends yet");
		break;
	case ROLL_GOING:
		text_add(how, size,
		    "restart asked for; %u of %u pods replaced so far", others,
		    c->n);
		break;
	case ROLL_DONE:
		text_add(how, size, "all %u pods replaced", c->n);
		break;
	case ROLL_FAILED:
		text_add(how, size, "the API refused: %.120s", k->roll_why);
		break;
	}
	return k->roll;
}

/* The command line */

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

/* Up */

/* Budgets are policy/v1 from 1.21 on, v1beta1 before. */
static const char *
budget_version(struct cluster *c)
{
	struct kube_ask ask = {.path = "/apis/policy/v1"};

	return kube_site_ask(c, &ask, NULL) == KUBE_OK ? "v1" : "v1beta1";
}

static int
open_watches(struct cluster *c)
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
	if ((k->allowed & RIGHTS_BUDGETS) == RIGHTS_BUDGETS) {
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

/*
 * What puts more servers out at once than a budget allows is refused. The
 * budget's own controller may still have to notice that all pods are ready.
 */
static int
look_at_budgets(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + KUBE_ANSWER_NS;
	unsigned i, width;

	width = c->widest != NULL ? mayhem_width(c->widest, c->n) : 0;
	while (!kubernetes_may_disrupt(c, width) &&
	       clock_mono_ns() < deadline && !chaos_is_stopping(c->chaos))
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
all_ready(struct cluster *c, char *why)
{
	unsigned i;

	for (i = 1; i <= c->n; i++)
		if (!kubernetes_node_is_ready(c, i) ||
		    c->nodes[i - 1].monitor[0] == '\0') {
			text_format(why, CLUSTER_WHY_MAX, "pod %s is not ready",
			    c->nodes[i - 1].name);
			return false;
		}
	return true;
}

/* Some versions form a group of two of three, for good. */
static void
tell_meta_size(struct cluster *c, uint64_t since_ns)
{
	unsigned size =
	    c->monitor != NULL ? monitor_meta_size(c->monitor, since_ns) : 0;

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

	while (!is_ready || !monitor_is_healthy(c->monitor, begin, why)) {
		chaos_wait(c->chaos, 20);
		is_ready = all_ready(c, why);
		if (is_ready && c->monitor == NULL) {
			c->monitor = monitor_create(c, chaos_child(c->chaos));
			if (c->monitor == NULL)
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

/* A name that changes with every restart could not be followed. */
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
		kube_site_page(c, i + 1, "/varz", url, sizeof(url));
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

/* Is there a shell, and is the server process 1? */
static int
look_inside(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i, left;

	if ((k->allowed & RIGHTS_EXEC) != RIGHTS_EXEC ||
	    (c->needs == 0 && !k->is_restored))
		return 0;
	for (i = 1; i <= c->n; i++) {
		k->nodes[i - 1].has_shell = true;
		if (kube_site_signal(c, i, 0, "") < 0)
			k->nodes[i - 1].has_shell = false;
	}
	do {
		chaos_wait(c->chaos, 5);
		for (i = 0, left = 0; i < c->n; i++)
			left += k->nodes[i].exec != NULL;
	} while (left > 0 && !chaos_is_stopping(c->chaos));
	if ((c->needs & CLUSTER_CAN_PAUSE) == 0)
		return 0;
	for (i = 0; i < c->n; i++)
		if (!k->nodes[i].has_shell || k->nodes[i].pid <= 1)
			break;
	if (i < c->n)
		text_add(c->why, sizeof(c->why),
		    "no server can be paused: in pod %s %s",
		    k->nodes[i].seen.name,
		    k->nodes[i].has_shell
			? "it is process 1 of its container, which SIGSTOP "
			  "does not reach (shareProcessNamespace would help)"
			: "there is no shell to send the signal with");
	else if (c->config->fault_duration.high > PAUSE_MAX_NS)
		text_add(c->why, sizeof(c->why),
		    "a pause of more than %llu s can't be done with --cluster "
		    "kubernetes",
		    (unsigned long long)(PAUSE_MAX_NS / CLOCK_S));
	return c->why[0] == '\0' ? 0 : -ENOTSUP;
}

static int
look_at_set(struct cluster *c)
{
	kube_set_look(c);
	return 0;
}

static int
kubernetes_log_in(struct cluster *c)
{
	return account_is_given(c->config) ? account_open(c) : 0;
}

/* What is asked as the system account, if there is a login of it. */
static int
look_at_system(struct cluster *c)
{
	const struct kubernetes *k = c->state;
	unsigned needs = CLUSTER_CAN_ADMIN;
	int err;

	if ((k->allowed & RIGHTS_EXEC) != RIGHTS_EXEC)
		needs |= CLUSTER_CAN_RELOAD;
	if ((c->needs & needs) == 0 || !account_is_given(c->config))
		return 0;
	err = account_open(c);
	return err < 0 ? err : account_try(c);
}

/* A server that was cut off may have begun an election since. */
static int
prove_cuts(struct cluster *c)
{
	int err = kube_links_prove(c);

	return err == 0 && (c->needs & CLUSTER_CAN_CUT) != 0 ? wait_healthy(c)
							     : err;
}

static int
kubernetes_up(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_login login = {c->config->k8s_kubeconfig,
	    c->config->k8s_context, c->config->out, NULL};
	static int (*const steps[])(struct cluster *) = {kube_site_namespace,
	    kube_site_reach, kube_site_first_rights, kube_site_find,
	    kube_site_rights, look_at_set, kube_site_take, kube_site_addresses,
	    kube_links_look, open_watches};
	size_t i;
	int err = 0;

	k->api = kube_create(&login);
	if (k->api == NULL)
		return -ENOMEM;
	k->forwards = strcmp(c->config->k8s_reach, "forward") == 0 ||
		      (strcmp(c->config->k8s_reach, "auto") == 0 &&
			  !kube_is_inside(k->api));
	k->proxies = strcmp(c->config->k8s_reach, "proxy") == 0;
	if (k->proxies && kube_is_inside(k->api)) {
		text_add(c->why, sizeof(c->why),
		    "--k8s-reach proxy: in a pod the others are reached "
		    "directly");
		return -EINVAL;
	}
	for (i = 0; err == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		err = steps[i](c);
	if (err == 0) {
		kube_config_look(c);
		err = wait_healthy(c);
	}
	if (err == 0)
		err = look_at_names(c);
	if (err == 0)
		err = look_at_system(c);
	if (err == 0)
		err = kube_reload_look(c);
	if (err == 0)
		err = look_at_budgets(c);
	if (err == 0)
		err = prove_cuts(c);
	if (err == 0)
		err = look_inside(c);
	if (err == 0)
		err = kube_config_finish(c);
	if (err < 0 && c->why[0] == '\0')
		text_add(c->why, sizeof(c->why), "cannot use this cluster: %s",
		    strerror(-err));
	k->begin_ns = clock_mono_ns();
	k->begin_requests = kube_requests(k->api);
	return err;
}

/*
 * Seen with kubectl 1.20: its tunnel no longer opens streams, and it runs
 * on. A server that is ready and does not answer is not reached by us.
 */
static bool
forward_hangs(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];
	uint64_t now = clock_mono_ns();
	struct monitor_varz v;

	if (!kubernetes_node_is_ready(c, node) || p->is_stopped)
		p->renewed_ns = now;
	if (c->monitor == NULL || now < p->renewed_ns + SILENT_NS)
		return false;
	return !monitor_varz(c->monitor, node, &v) ||
	       now >= v.asked_ns + SILENT_NS;
}

static void
tend_forward(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_site_pod *p = &k->nodes[node - 1];
	struct cluster_node *n = &c->nodes[node - 1];

	if (forward_hangs(c, node)) {
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

static void
kubernetes_tend(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	if (k->api == NULL)
		return;
	kube_step(k->api);
	if (k->pods != NULL)
		kube_watch_step(k->pods);
	if (k->sets != NULL)
		kube_watch_step(k->sets);
	if (k->budgets != NULL)
		kube_watch_step(k->budgets);
	for (i = 1; i <= c->n; i++) {
		if (k->forwards)
			tend_forward(c, i);
		if (k->nodes[i - 1].exec != NULL &&
		    kube_exec_step(k->nodes[i - 1].exec))
			take_exec(c, i);
	}
	kube_links_step(c);
	kube_reload_step(c);
	look_at_roll(c);
}

/* Down */

static void
continue_all(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + EXEC_NS;
	unsigned i, left;

	for (i = 1; i <= c->n; i++)
		if (k->nodes[i - 1].is_stopped)
			(void)kube_site_signal(c, i, SIGCONT, "");
	do {
		for (i = 0, left = 0; i < c->n; i++)
			left += k->nodes[i].is_stopped;
		if (left > 0)
			chaos_wait(c->chaos, 20);
	} while (left > 0 && clock_mono_ns() < deadline);
}

static void
kubernetes_down(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t took;
	unsigned i;

	if (k->api == NULL)
		return;
	continue_all(c);
	kube_links_restore(c);
	kube_set_restore(c);
	if (k->is_changed) {
		if (kube_config_restore(c, k->original) < 0)
			log_warn("%s", c->why);
		kube_config_reload(c);
	}
	took = clock_mono_ns() - k->begin_ns;
	if (k->begin_ns != 0 && took > 0)
		log_info("%llu requests to the Kubernetes API in %llu s",
		    (unsigned long long)(kube_requests(k->api) -
					 k->begin_requests),
		    (unsigned long long)(took / CLOCK_S));
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		kube_exec_destroy(k->nodes[i].exec);
		k->nodes[i].exec = NULL;
		kube_forward_fini(&k->nodes[i].forward);
	}
	kube_watch_destroy(k->pods);
	kube_watch_destroy(k->sets);
	kube_watch_destroy(k->budgets);
	kube_destroy(k->api);
	kube_links_destroy(k->links);
	k->api = NULL;
	c->monitor_socket = NULL;
	k->links = NULL;
	k->pods = k->sets = k->budgets = NULL;
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
    .node_start = kubernetes_node_start,
    .node_end = kubernetes_node_end,
    .node_delete = kubernetes_node_delete,
    .node_lame_duck = kubernetes_node_lame_duck,
    .node_reload = kubernetes_node_reload,
    .node_pause = kubernetes_node_pause,
    .node_runs = kubernetes_node_runs,
    .node_crashed = kubernetes_node_crashed,
    .node_is_paused = kubernetes_node_is_paused,
    .check_upgrade = kubernetes_check_upgrade,
    .log_in = kubernetes_log_in,
    .node_is_ready = kubernetes_node_is_ready,
    .node_how = kubernetes_node_how,
    .reload_how = kubernetes_reload_how,
    .may_disrupt = kubernetes_may_disrupt,
    .roll = kubernetes_roll,
    .roll_state = kubernetes_roll_state,
    .scale = kubernetes_scale,
    .link_set = kube_links_set,
    .link_flow = kube_links_flow,
    .dump = kube_dump,
    .down = kubernetes_down,
};
