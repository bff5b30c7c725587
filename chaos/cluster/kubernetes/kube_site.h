/* SPDX-License-Identifier: ISC */
/*
 * A StatefulSet of NATS as its driver knows it
 * (chaos/cluster/kubernetes/kubernetes.c), and the parts of the driver: how it
 * is found and what RBAC allows (kube_site.c), its ConfigMap (kube_config.c),
 * its template and its size (kube_set.c), its pods' links (kube_links.h), and
 * what is saved of it (kube_dump.c). They wait for answers, and so are for the
 * start and the end of a run, but for what changes it.
 */
#ifndef CHAOS_KUBE_SITE_H
#define CHAOS_KUBE_SITE_H

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube_exec.h"
#include "chaos/cluster/kubernetes/kube_forward.h"
#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_watch.h"
#include "proto/base/clock.h"

#define KUBE_ANSWER_NS	 (20 * CLOCK_S) /* the API, at start */
#define KUBE_BUDGETS_MAX 8
#define KUBE_ID_MAX	 (KUBE_UID_MAX + 16)
#define KUBE_OK		 200

enum kube_site_right {
	RIGHT_LIST_PODS,
	RIGHT_WATCH_PODS,
	RIGHT_LIST_SETS,
	RIGHT_WATCH_SETS,
	RIGHT_PATCH_SETS,
	RIGHT_DELETE_PODS,
	RIGHT_CREATE_EXEC,
	RIGHT_GET_EXEC,
	RIGHT_FORWARD,
	RIGHT_PROXY,
	RIGHT_LIST_BUDGETS,
	RIGHT_WATCH_BUDGETS,
	RIGHT_GET_CONFIG,
	RIGHT_PATCH_CONFIG,
	RIGHT_LIST_POLICIES,
	RIGHT_CREATE_POLICIES,
	RIGHT_DELETE_POLICIES,
	RIGHT_PATCH_PODS,
	RIGHTS
};
#define BIT(r) (1U << (r))
#define RIGHTS_ALWAYS                                                          \
	(BIT(RIGHT_LIST_PODS) | BIT(RIGHT_WATCH_PODS) | BIT(RIGHT_LIST_SETS) | \
	    BIT(RIGHT_WATCH_SETS))
#define RIGHTS_EXEC    (BIT(RIGHT_CREATE_EXEC) | BIT(RIGHT_GET_EXEC))
#define RIGHTS_BUDGETS (BIT(RIGHT_LIST_BUDGETS) | BIT(RIGHT_WATCH_BUDGETS))
#define RIGHTS_CONFIG  (BIT(RIGHT_GET_CONFIG) | BIT(RIGHT_PATCH_CONFIG))
#define RIGHTS_POLICIES                                                        \
	(BIT(RIGHT_LIST_POLICIES) | BIT(RIGHT_CREATE_POLICIES) |               \
	    BIT(RIGHT_DELETE_POLICIES) | BIT(RIGHT_PATCH_PODS))

struct kube_site_pod {
	struct kube_pod seen;
	bool is_there;
	bool was_put;		 /* in the list that is being told */
	char id[KUBE_ID_MAX];	 /* of the container that was seen last */
	char told[KUBE_ID_MAX];	 /* of the one that was told to end */
	char asked[KUBE_ID_MAX]; /* of the one there was when a rollout began */
	bool has_ended;		 /* the one that was told */
	bool is_deleting;	 /* its pod, by us */
	bool is_crashed;
	bool has_shell;
	unsigned pid; /* of the server in its container; 0 not known */
	bool is_stopped;
	bool is_marked; /* it runs with a configuration of ours */
	const char *reload_how;
	uint64_t reload_ns; /* its reload request waits since then */
	struct kube_exec *exec;
	int signal;	 /* what exec is for */
	const char *how; /* it was told to end */
	struct kube_forward forward;
	uint64_t renewed_ns; /* it was, or there was no need for it */
};

struct kubernetes {
	struct kube *api;
	char ns[KUBE_NAME_MAX];
	unsigned allowed;	/* rights that we have, as bits */
	bool forwards, proxies; /* how pods are reached; neither: directly */
	struct kube_set set;
	bool has_set;
	struct kube_watch *sets, *pods, *budgets;
	struct kube_site_pod nodes[CONFIG_NODES_MAX];
	struct kube_budget budget[KUBE_BUDGETS_MAX];
	unsigned nbudgets;
	cJSON *labels; /* of the pods' template */
	struct kube_links *links;
	/* the rollout */
	bool is_rolling;
	enum cluster_roll roll;
	uint64_t roll_generation; /* 0: not answered yet */
	char roll_why[256];
	unsigned roll_binary;
	/* what the StatefulSet had before us, while it has ours */
	char image_before[KUBE_IMAGE_MAX];
	unsigned replicas_before;
	bool is_image_ours, is_scaled;
	/* the ConfigMap */
	char *original; /* NULL: it isn't ours to change */
	uint64_t mark;
	bool is_changed;   /* by us */
	bool is_restored;  /* what an earlier run left */
	unsigned reloaded; /* server that a request was sent to, 0 none */
	uint64_t begin_ns, begin_requests;
};

/*
 * Ask and wait. The HTTP status or -errno; *body (may be NULL) is the
 * caller's to free.
 */
int kube_site_ask(struct cluster *, struct kube_ask *, char **body);

/* Sets why: what could not be done, in the API's own words. -EIO. */
int kube_site_explain(
    struct cluster *, const char *what, int status, const char *body);

/* The steps of the way up: 0 or -errno with why. */
int kube_site_namespace(struct cluster *);
int kube_site_reach(struct cluster *);
int kube_site_first_rights(struct cluster *); /* to look at anything */
int kube_site_find(struct cluster *);
int kube_site_rights(struct cluster *); /* of the run's modes */
int kube_site_take(struct cluster *);
int kube_site_addresses(struct cluster *);

/* The address of a server's monitoring page, for kube_request(). */
void kube_site_page(const struct cluster *, unsigned node, const char *page,
    char *out, size_t size);

/* Within the cluster its DNS names every pod. */
bool kube_site_has_names(const struct cluster *);

/* The server of a pod, from 1; 0 when it is none of ours. */
unsigned kube_site_node(const struct cluster *, const struct kube_pod *);

/* Nothing will come of what was asked for these servers (bits): is told. */
void kube_site_refused(
    struct cluster *, unsigned nodes, int status, const char *body);

/*
 * Begin to send a signal by a command in the pod. wanted is the value that
 * the configuration must show first, "-" that it must not be ours, "" any.
 */
int kube_site_signal(
    struct cluster *, unsigned node, int sig, const char *wanted);

/*
 * What the ConfigMap holds; what an earlier run left in it is undone first.
 * Without the right to it nothing is changed: reloads only send SIGHUP.
 */
void kube_config_look(struct cluster *);

/* The driver's node_reconfigure. */
int kube_config_change(struct cluster *, unsigned node);

/* Put the text back that the annotation holds. 0, or -errno with why. */
int kube_config_restore(struct cluster *, const char *original);

/* The servers that took our configuration take the old one again. */
void kube_config_reload(struct cluster *);

/*
 * A reload without commands in pods: by the request of the system account
 * that 2.10 and later take. Can it be done where it has to? 0, or -ENOTSUP
 * with why. Begin it; do what is due.
 */
int kube_reload_look(struct cluster *);
void kube_reload_ask(struct cluster *, unsigned node);
void kube_reload_step(struct cluster *);

/*
 * Begin to change the StatefulSet: restart its pods, with this image if it
 * is another one; or have so many of them. done as of kube_request().
 */
int kube_set_roll(struct cluster *, const char *image, kube_done *done);
int kube_set_scale(struct cluster *, unsigned count, kube_done *done);

/*
 * Put the StatefulSet back: what an earlier run left, by its annotations,
 * at the start; or what we changed, at the end.
 */
void kube_set_look(struct cluster *);
void kube_set_restore(struct cluster *);

/* The driver's dump. */
unsigned kube_dump(struct cluster *, const char *dir);

/* What the servers of a run that was killed still have. 0. */
int kube_config_finish(struct cluster *);

#endif
