/* SPDX-License-Identifier: ISC */
/*
 * NetworkPolicies that cut pods off from each other, as text. Pure.
 *
 * A policy can only allow, and what one allows no other takes away: so ours
 * allow a pod to hear everybody except the pods across the cut, by labels of
 * our own (of those that a StatefulSet's pods have, some network plugins
 * let no policy use) and by addresses. Clients, probes, the monitoring and
 * the API are let in.
 */
#ifndef CHAOS_KUBE_POLICY_H
#define CHAOS_KUBE_POLICY_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "chaos/cluster/kubernetes/kube_object.h"
#include "proto/config.h"

#define KUBE_SET_LABEL	     "natsburn/set"    /* of policies: of which set */
#define KUBE_SERVER_LABEL    "natsburn/server" /* of pods: their names */
#define KUBE_POLICY_NAME_MAX 128

struct kube_policy {
	char name[KUBE_POLICY_NAME_MAX];
	const char *set;
	const char *pod; /* the one that hears less */
	unsigned n;	 /* of those it doesn't hear */
	const struct kube_pod *from[CONFIG_NODES_MAX];
};

/* The object to be made. The caller frees it; NULL without memory. */
char *kube_policy_text(const struct kube_policy *);

/*
 * A merge patch that gives this very pod its label, or takes it. The caller
 * frees it; NULL without memory.
 */
char *kube_policy_label(const struct kube_pod *, bool is_given);

/*
 * True when it limits what pods with these labels hear, or may: then it also
 * says what they hear.
 */
bool kube_policy_selects(const cJSON *policy, const cJSON *labels);

#endif
