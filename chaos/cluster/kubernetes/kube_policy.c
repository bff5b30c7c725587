/* SPDX-License-Identifier: ISC */
/* NetworkPolicies as text; see kube_policy.h. */
#include <string.h>

#include "chaos/cluster/kubernetes/kube_policy.h"
#include "proto/base/text.h"
#include "proto/json.h"

static void
add_labels(cJSON *parent, const char *of, const char *name, const char *value)
{
	json_put_text(json_put_object(parent, of), name, value);
}

static cJSON *
add_row(cJSON *list)
{
	cJSON *row = cJSON_CreateObject();

	json_append(list, row);
	return row;
}

/* Allow all pods, of any namespace, except those with one of the labels. */
static void
add_pods(cJSON *from, const struct kube_policy *p)
{
	cJSON *row = add_row(from), *pods, *rule, *values;
	unsigned i;

	json_put(row, "namespaceSelector", cJSON_CreateObject());
	pods = json_put_object(row, "podSelector");
	rule = add_row(json_put_array(pods, "matchExpressions"));
	json_put_text(rule, "key", KUBE_SERVER_LABEL);
	json_put_text(rule, "operator", "NotIn");
	values = json_put_array(rule, "values");
	for (i = 0; i < p->n; i++)
		json_append(values, cJSON_CreateString(p->from[i]->name));
}

static void
except_address(cJSON *list, const char *ip, bool is_v6)
{
	char cidr[64] = "";

	if (ip[0] == '\0' || (strchr(ip, ':') != NULL) != is_v6)
		return;
	text_add(cidr, sizeof(cidr), "%s/%d", ip, is_v6 ? 128 : 32);
	json_append(list, cJSON_CreateString(cidr));
}

/* Allow all addresses except those of the pods across the cut. */
static void
add_block(cJSON *from, const struct kube_policy *p, bool is_v6)
{
	cJSON *block = json_put_object(add_row(from), "ipBlock");
	cJSON *list;
	unsigned i, k;

	json_put_text(block, "cidr", is_v6 ? "::/0" : "0.0.0.0/0");
	list = cJSON_CreateArray();
	for (i = 0; i < p->n; i++)
		for (k = 0; k < KUBE_IPS_MAX; k++)
			except_address(list, p->from[i]->ips[k], is_v6);
	if (cJSON_GetArraySize(list) > 0)
		json_put(block, "except", list);
	else
		cJSON_Delete(list);
}

char *
kube_policy_text(const struct kube_policy *p)
{
	cJSON *o = cJSON_CreateObject(), *meta, *spec, *list;
	char *out;

	json_put_text(o, "apiVersion", "networking.k8s.io/v1");
	json_put_text(o, "kind", "NetworkPolicy");
	meta = json_put_object(o, "metadata");
	json_put_text(meta, "name", p->name);
	add_labels(meta, "labels", KUBE_SET_LABEL, p->set);
	spec = json_put_object(o, "spec");
	add_labels(json_put_object(spec, "podSelector"), "matchLabels",
	    KUBE_SERVER_LABEL, p->pod);
	list = json_put_array(spec, "policyTypes");
	json_append(list, cJSON_CreateString("Ingress"));
	list = json_put_array(add_row(json_put_array(spec, "ingress")), "from");
	add_pods(list, p);
	add_block(list, p, false);
	add_block(list, p, true);
	out = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return out;
}

char *
kube_policy_label(const struct kube_pod *pod, bool is_given)
{
	cJSON *o = cJSON_CreateObject(), *meta, *labels;
	char *out;

	meta = json_put_object(o, "metadata");
	/*
	 * With another uid the API refuses the patch: the pod was replaced
	 * meanwhile.
	 */
	json_put_text(meta, "uid", pod->uid);
	labels = json_put_object(meta, "labels");
	if (is_given)
		json_put_text(labels, KUBE_SERVER_LABEL, pod->name);
	else
		json_put(labels, KUBE_SERVER_LABEL, cJSON_CreateNull());
	out = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return out;
}

bool
kube_policy_selects(const cJSON *policy, const cJSON *labels)
{
	const cJSON *list = kube_object_at(policy, "spec.policyTypes"), *type;
	bool limits = cJSON_GetArraySize(list) == 0; /* the default */

	cJSON_ArrayForEach (type, list)
		limits |= strcmp(kube_object_text(type, ""), "Ingress") == 0;
	return limits &&
	       kube_object_has_labels(labels,
		   kube_object_at(policy, "spec.podSelector.matchLabels"));
}
