/* SPDX-License-Identifier: ISC */
/* What RBAC allows; see kube_rights.h. */
#include <errno.h>
#include <stdlib.h>

#include "chaos/account.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/text.h"

#define POLICIES "networking.k8s.io", "networkpolicies"

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
    [RIGHT_GET_LOG] = {"get", "", "pods", "log"},
    [RIGHT_GET_CLAIMS] = {"get", "", "persistentvolumeclaims", ""},
    [RIGHT_DELETE_CLAIMS] = {"delete", "", "persistentvolumeclaims", ""},
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
    [CLUSTER_ABILITY_EMPTY] = RIGHTS_STORE,
    [CLUSTER_ABILITY_DELETE] = BIT(RIGHT_DELETE_PODS),
    [CLUSTER_ABILITY_SCALE] = BIT(RIGHT_PATCH_SETS),
};

bool
kube_rights_have(const struct cluster *c, unsigned need)
{
	const struct kubernetes *k = c->state;

	return (k->allowed & need) == need;
}

/*
 * What this ability needs. A reload needs no right when the system account can
 * ask for it.
 */
static unsigned
rights_of(const struct run_config *c, enum cluster_ability a)
{
	return a == CLUSTER_ABILITY_RELOAD && account_is_given(c)
		   ? 0
		   : ability_rights[a];
}

/* The name of the object that a rule may be limited to, or "". */
static const char *
right_object(const struct kubernetes *k, enum kube_right_index r)
{
	if (r == RIGHT_PATCH_SETS)
		return k->set.name;
	return (BIT(r) & RIGHTS_CONFIG) != 0 ? k->set.config_map : "";
}

static int
ask_right(struct cluster *c, enum kube_right_index r)
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
		kube_site_explain(c, "cannot ask the API what natsburn may do",
		    status, answer);
	else if (got == 1)
		k->allowed |= BIT(r);
	free(answer);
	return got < 0 ? -EIO : 0;
}

int
kube_rights_refuse(struct cluster *c, const char *what, unsigned need)
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

/* Ask for those that are, or aren't, what any run needs. */
static int
ask_rights(struct cluster *c, bool always)
{
	unsigned r;
	int err = 0;

	for (r = 0; r < RIGHTS && err == 0; r++)
		if (((RIGHTS_ALWAYS & BIT(r)) != 0) == always)
			err = ask_right(c, (enum kube_right_index)r);
	return err;
}

int
kube_rights_first(struct cluster *c)
{
	int err = ask_rights(c, true);

	return err < 0 ? err
		       : kube_rights_refuse(
			     c, "--cluster kubernetes", RIGHTS_ALWAYS);
}

int
kube_rights_all(struct cluster *c)
{
	return ask_rights(c, false);
}

int
kube_rights_faults(struct cluster *c)
{
	unsigned a;
	char what[80];
	int err = 0;

	for (a = 0; err == 0 && a < CLUSTER_ABILITY_COUNT; a++) {
		if (c->needed_by[a] == NULL)
			continue;
		text_format(
		    what, sizeof(what), "mayhem %s", c->needed_by[a]->name);
		err = kube_rights_refuse(
		    c, what, rights_of(c->config, (enum cluster_ability)a));
	}
	return err;
}
