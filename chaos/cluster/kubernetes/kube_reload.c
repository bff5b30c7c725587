/* SPDX-License-Identifier: ISC */
/* Reloads of servers; see kube_reload.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "chaos/admin.h"
#include "chaos/cluster/kubernetes/kube_config.h"
#include "chaos/cluster/kubernetes/kube_reload.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_signal.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/health.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define ANSWER_NS (5 * CLOCK_S)
#define PENDING_NS                                                             \
	(15 * CLOCK_S) /* so long it is tried to make the request              \
			*/
#define ANSWER_MAX 1024

/* 2.9 and before know no such request. */
static bool
is_older(const char *version)
{
	unsigned major, minor;

	return sscanf(version, "%3u.%3u", &major, &minor) == 2 &&
	       (major < 2 || (major == 2 && minor < 10));
}

int
kube_reload_look(struct cluster *c)
{
	unsigned i;

	if ((c->needs & CLUSTER_CAN_RELOAD) == 0 ||
	    kube_rights_have(c, RIGHTS_EXEC))
		return 0;
	for (i = 0; i < c->n; i++) {
		if (!is_older(c->nodes[i].version))
			continue;
		text_add(c->why, sizeof(c->why),
		    "mayhem random_reload can't be done: RBAC does not allow "
		    "natsburn to create pods/exec, and %s (%s) is older than "
		    "2.10 and takes no reload from the system account",
		    c->nodes[i].name, c->nodes[i].version);
		return -ENOTSUP;
	}
	return 0;
}

static void
ask_reload(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;

	k->nodes[node - 1].reload_ns = clock_mono_ns();
	k->nodes[node - 1].reload_how = "reload request of the system account";
}

int
kube_reload_node(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
	char wanted[24] = "";
	int err = kube_config_change(c, node);

	if (err < 0)
		return err;
	if (!p->is_there)
		return -ESRCH;
	if (!kube_rights_have(c, RIGHTS_EXEC)) {
		ask_reload(c, node);
		return 0;
	}
	p->reload_how = "SIGHUP in the pod";
	if (k->original != NULL && p->has_shell) {
		p->reload_how = "ConfigMap changed, SIGHUP in the pod";
		text_add(wanted, sizeof(wanted), "%llu",
		    (unsigned long long)c->nodes[node - 1].config_mark);
		p->is_marked = true;
	}
	return kube_signal_send(c, node, SIGHUP, wanted);
}

const char *
kube_reload_how(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;

	return k->nodes[node - 1].reload_how;
}

/* Only a refusal matters: that the reload took effect is seen in /varz. */
static void
take_answer(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[k->reloaded - 1];
	char answer[ANSWER_MAX];
	int n = admin_poll(c->admin, answer, sizeof(answer));
	bool is_late = clock_mono_ns() >= p->reload_ns + ANSWER_NS;

	if (n == -EAGAIN && !is_late)
		return;
	admin_done(c->admin);
	if (n >= 0 && strstr(answer, "\"error\"") != NULL) {
		c->refused_nodes |= 1U << (k->reloaded - 1);
		c->refused[0] = '\0';
		text_add(c->refused, sizeof(c->refused),
		    "the server refused to reload: %.90s",
		    strstr(answer, "\"error\""));
	} else if (n <= 0)
		log_warn("%s does not answer the reload request of the system "
			 "account",
		    c->nodes[k->reloaded - 1].name);
	p->reload_ns = 0;
	k->reloaded = 0;
}

static void
send_request(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_node *p = &k->nodes[node - 1];
	char subject[128] = "";
	struct health_varz v;
	int err = -ENOTCONN;

	if (health_varz(c->health, node, &v) && v.id[0] != '\0') {
		text_add(subject, sizeof(subject), "$SYS.REQ.SERVER.%s.RELOAD",
		    v.id);
		err = admin_request(c->admin, ADMIN_SYSTEM, 0, subject, "");
	}
	if (err == 0) {
		k->reloaded = node;
		p->reload_ns = clock_mono_ns();
	} else if (clock_mono_ns() >= p->reload_ns + PENDING_NS) {
		log_warn("%s could not be asked to reload: %s",
		    c->nodes[node - 1].name, strerror(-err));
		p->reload_ns = 0;
	}
}

void
kube_reload_step(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	if (c->admin == NULL)
		return;
	if (k->reloaded != 0)
		take_answer(c);
	/*
	 * One request at a time. admin_request() fails while another fault has
	 * one open, and then it is tried again.
	 */
	for (i = 1; i <= c->n && k->reloaded == 0; i++)
		if (k->nodes[i - 1].reload_ns != 0)
			send_request(c, i);
}
