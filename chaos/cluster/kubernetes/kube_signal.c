/* SPDX-License-Identifier: ISC */
/* Signals to servers; see kube_signal.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_pods.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_signal.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define EXEC_NS	     (20 * CLOCK_S)
#define RELOAD_NS    (110 * CLOCK_S) /* a kubelet takes up to a minute */
#define PAUSE_MAX_NS (110 * CLOCK_S) /* CONTINUE_S ends it */
#define CONTINUE_S   "120"

/*
 * An answer does not name the pod: it is about those whose end is still
 * awaited.
 */
static void
deleted(void *arg, int status, const char *body)
{
	struct cluster *c = arg;
	struct kubernetes *k = c->state;
	unsigned i, nodes = 0;

	if ((status >= KUBE_OK && status < 300) || status <= 0)
		return; /* without an answer it may have been deleted */
	for (i = 0; i < c->n; i++)
		if (k->nodes[i].is_deleting && !k->nodes[i].has_ended)
			nodes |= 1U << i;
	kube_site_refused(c, nodes, status, body);
	log_warn("a pod could not be deleted: %s", c->refused);
}

/* grace: a member of DeleteOptions with its comma, or "". */
static int
delete_pod(struct cluster *c, unsigned node, const char *grace, const char *how)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
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
	/*
	 * By its uid it is this very pod, and not one that has replaced it
	 * meanwhile.
	 */
	text_add(body, sizeof(body),
	    "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",%s"
	    "\"preconditions\":{\"uid\":\"%s\"}}",
	    grace, p->seen.uid);
	kube_pods_told(c, node, how);
	p->is_deleting = true;
	return kube_request(k->api, &ask);
}

int
kube_signal_delete(struct cluster *c, unsigned node)
{
	return delete_pod(
	    c, node, "", "its pod was deleted with its grace period; gone");
}

int
kube_signal_end_pod(struct cluster *c, unsigned node)
{
	return delete_pod(c, node, "\"gracePeriodSeconds\":1,",
	    "its pod was deleted with grace period 1 s; gone");
}

/*
 * $1 is the signal; $2, if not empty, the value of max_connections that the
 * file $3 must show first ("-": none of ours). Prints the server's process id
 * in its container, and its state after the signal has reached all threads. A
 * server that was stopped is continued later by the script itself, in case that
 * natsburn has died.
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

int
kube_signal_send(struct cluster *c, unsigned node, int sig, const char *wanted)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
	const char *const script[] = {"sh", "-c", signal_script, "natsburn",
	    signal_name(sig), wanted, k->set.config_path, NULL};
	/* Without a shell, nats-server can send some signals to itself. */
	const char *const plain[] = {
	    "nats-server", "--signal", "reload=1", NULL};
	struct kube_command command = {.ns = k->ns,
	    .pod = p->seen.name,
	    .container = k->set.container,
	    .argv = p->has_shell ? script : plain,
	    .timeout_ns = sig == SIGHUP ? RELOAD_NS : EXEC_NS};

	if (signal_name(sig) == NULL || (!p->has_shell && sig != SIGHUP))
		return -ENOTSUP;
	kube_exec_destroy(p->exec); /* nobody waits for the one before */
	p->exec = kube_exec_create(k->api, &command);
	p->signal = sig;
	return p->exec != NULL ? 0 : -errno;
}

/* A signal that ends the server, by a command in its container. */
static int
end_by_signal(struct cluster *c, unsigned node, int sig, const char *how)
{
	const struct kubernetes *k = c->state;

	if (!k->nodes[node - 1].is_there)
		return -ESRCH;
	kube_pods_told(c, node, how);
	return kube_signal_send(c, node, sig, "");
}

int
kube_signal_end(struct cluster *c, unsigned node, int sig)
{
	const struct kubernetes *k = c->state;
	const struct kube_node *p = &k->nodes[node - 1];

	if (sig == SIGTERM)
		return kube_signal_delete(c, node);
	/*
	 * Process 1 can't be killed from within its own container. And a
	 * kubelet waits longer with each restart of a container, but not with a
	 * new pod.
	 */
	if (!p->has_shell || p->pid <= 1 || p->seen.restarts > 1)
		return delete_pod(c, node, "\"gracePeriodSeconds\":0,",
		    "its pod was deleted with grace period 0; gone");
	return end_by_signal(
	    c, node, SIGKILL, "SIGKILL in its container, which has ended");
}

int
kube_signal_lame_duck(struct cluster *c, unsigned node)
{
	return end_by_signal(
	    c, node, SIGUSR2, "SIGUSR2 in its container, which has ended");
}

int
kube_signal_pause(struct cluster *c, unsigned node, bool paused)
{
	const struct kubernetes *k = c->state;

	if (!k->nodes[node - 1].is_there)
		return -ESRCH;
	return kube_signal_send(c, node, paused ? SIGSTOP : SIGCONT, "");
}

bool
kube_signal_is_paused(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;

	return k->nodes[node - 1].is_stopped;
}

static void
take_exec(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
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
	/*
	 * When the server is killed the connection may break as well: that is
	 * no error.
	 */
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

void
kube_signal_step(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	for (i = 1; i <= c->n; i++)
		if (k->nodes[i - 1].exec != NULL &&
		    kube_exec_step(k->nodes[i - 1].exec))
			take_exec(c, i);
}

unsigned
kube_signal_open(const struct cluster *c)
{
	const struct kubernetes *k = c->state;
	unsigned i, count = 0;

	for (i = 0; i < c->n; i++)
		count += k->nodes[i].exec != NULL;
	return count;
}

int
kube_signal_look(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	if (!kube_rights_have(c, RIGHTS_EXEC) ||
	    (c->needs == 0 && !k->is_restored))
		return 0;
	for (i = 1; i <= c->n; i++) {
		k->nodes[i - 1].has_shell = true;
		if (kube_signal_send(c, i, 0, "") < 0)
			k->nodes[i - 1].has_shell = false;
	}
	do
		chaos_wait(c->chaos, 5);
	while (kube_signal_open(c) > 0 && !chaos_is_stopping(c->chaos));
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

void
kube_signal_restore(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + EXEC_NS;
	unsigned i, left;

	for (i = 1; i <= c->n; i++)
		if (k->nodes[i - 1].is_stopped)
			/*
			 * A server that can't be sent it stays stopped until
			 * the deadline.
			 */
			(void)kube_signal_send(c, i, SIGCONT, "");
	do {
		for (i = 0, left = 0; i < c->n; i++)
			left += k->nodes[i].is_stopped;
		if (left > 0)
			chaos_wait(c->chaos, 20);
	} while (left > 0 && clock_mono_ns() < deadline);
}

void
kube_signal_close(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		kube_exec_destroy(k->nodes[i].exec);
		k->nodes[i].exec = NULL;
	}
}
