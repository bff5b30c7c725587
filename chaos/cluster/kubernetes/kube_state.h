/* SPDX-License-Identifier: ISC */
/*
 * What the Kubernetes driver knows of the StatefulSet and its pods. All of
 * its parts share this one structure, cluster->state; each part's header says
 * what it does with it.
 */
#ifndef CHAOS_KUBE_STATE_H
#define CHAOS_KUBE_STATE_H

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube_end.h"
#include "chaos/cluster/kubernetes/kube_exec.h"
#include "chaos/cluster/kubernetes/kube_forward.h"
#include "chaos/cluster/kubernetes/kube_logs.h"
#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_store.h"
#include "chaos/cluster/kubernetes/kube_watch.h"
#include "proto/base/clock.h"

#define KUBE_ANSWER_NS	 (20 * CLOCK_S) /* the API, at start */
#define KUBE_BUDGETS_MAX 8
#define KUBE_ID_MAX	 (KUBE_UID_MAX + 16)
#define KUBE_OK		 200

struct kube_node {
	struct kube_pod seen;
	bool is_there;
	bool was_put;		 /* in the list that a watch is taking */
	char id[KUBE_ID_MAX];	 /* of the container that was seen last */
	char told[KUBE_ID_MAX];	 /* of the container that was told to end */
	char asked[KUBE_ID_MAX]; /* of the container when a rollout began */
	/* the container that was told to end has ended */
	bool has_ended;
	bool is_deleting; /* we have asked to delete its pod */
	bool is_crashed;
	struct kube_end end;
	struct kube_logs logs;
	struct kube_store store;
	bool has_shell;
	unsigned pid; /* of the server in its container; 0 not known */
	bool is_stopped;
	bool is_marked; /* it runs with a configuration of ours */
	const char *reload_how;
	uint64_t reload_ns; /* since when its reload request waits; 0: none */
	struct kube_exec *exec;
	int signal;	 /* what exec is for */
	const char *how; /* in words, for the report: how it was ended */
	struct kube_forward forward;
	/* when the forward was renewed, or was not needed */
	uint64_t renewed_ns;
};

struct kubernetes {
	struct kube *api;
	char ns[KUBE_NAME_MAX];
	unsigned allowed;	/* rights that we have, as bits */
	bool forwards, proxies; /* how pods are reached; neither: directly */
	struct kube_set set;
	bool has_set;
	struct kube_watch *sets, *pods, *budgets;
	struct kube_node nodes[CONFIG_NODES_MAX];
	struct kube_budget budget[KUBE_BUDGETS_MAX];
	unsigned nbudgets;
	cJSON *labels; /* of the pods' template */
	struct kube_links *links;
	/* a policy of others that may let in what ours cut */
	char foreign[KUBE_NAME_MAX];
	/* the rollout */
	bool is_rolling;
	enum cluster_roll roll;
	/* generation of the set after the change; 0: not answered yet */
	uint64_t roll_generation;
	char roll_why[256];
	unsigned roll_binary;
	/* what the StatefulSet had before us, while it has ours */
	char image_before[KUBE_IMAGE_MAX];
	unsigned replicas_before;
	bool is_image_ours, is_scaled;
	/* the ConfigMap */
	char *original; /* NULL: it isn't ours to change */
	uint64_t mark;
	bool is_changed;   /* we have changed it */
	bool is_restored;  /* what an earlier run left was put back */
	unsigned reloaded; /* server that a request was sent to, 0 none */
	uint64_t begin_ns, begin_requests;
};

#endif
