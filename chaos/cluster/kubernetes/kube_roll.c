/* SPDX-License-Identifier: ISC */
/* Rollouts and sizes of the StatefulSet; see kube_roll.h. */
#include <errno.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_pods.h"
#include "chaos/cluster/kubernetes/kube_roll.h"
#include "chaos/cluster/kubernetes/kube_set.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

int
kube_roll_check(const struct run_config *c, char *why)
{
	if (c->k8s_image[0] != '\0')
		return 0;
	text_set(why, OPTION_WHY_MAX,
	    "needs the image to change to, --k8s-image IMAGE");
	return -EINVAL;
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

int
kube_roll_begin(struct cluster *c, unsigned binary)
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

int
kube_roll_scale(struct cluster *c, unsigned count)
{
	unsigned i;

	for (i = count; i < c->n; i++)
		kube_pods_told(c, i + 1,
		    "the StatefulSet was scaled down; its pod is gone");
	return kube_set_scale(c, count, scaled);
}

void
kube_roll_step(struct cluster *c)
{
	struct kubernetes *k = c->state;
	const struct kube_node *p;
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
		if (!kube_pods_is_ready(c, i))
			return;
	k->roll = ROLL_DONE;
	k->is_rolling = false;
	for (i = 0; i < c->n; i++)
		c->nodes[i].binary = k->roll_binary;
}

enum cluster_roll
kube_roll_state(struct cluster *c, char *how, size_t size)
{
	struct kubernetes *k = c->state;
	unsigned i, others = 0;

	kube_roll_step(c);
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
