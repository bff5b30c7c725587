/* SPDX-License-Identifier: ISC */
/* Changes of the StatefulSet itself; see kube_set.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chaos/cluster/kubernetes/kube_set.h"
#include "chaos/cluster/kubernetes/kube_signal.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/json.h"

static void
set_path(const struct kubernetes *k, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "/apis/apps/v1/namespaces/%s/statefulsets/%s",
	    k->ns, k->set.name);
}

static void
add_note(cJSON *patch, const char *name, const char *note)
{
	cJSON *meta = json_get(patch, "metadata");
	cJSON *notes;

	if (meta == NULL)
		meta = json_put_object(patch, "metadata");
	notes = json_get(meta, "annotations");
	if (notes == NULL)
		notes = json_put_object(meta, "annotations");
	if (note != NULL)
		json_put_text(notes, name, note);
	else
		json_put(notes, name, cJSON_CreateNull());
}

static cJSON *
spec_of(cJSON *patch)
{
	cJSON *spec = json_get(patch, "spec");

	return spec != NULL ? spec : json_put_object(patch, "spec");
}

/*
 * Set the image. before is the image that is to come back later, for the
 * annotation; NULL removes the annotation.
 */
static void
add_image(const struct kubernetes *k, cJSON *patch, const char *image,
    const char *before)
{
	char note[2 * KUBE_IMAGE_MAX] = "";
	cJSON *template = json_put_object(spec_of(patch), "template");
	cJSON *spec = json_put_object(template, "spec");
	cJSON *list = json_put_array(spec, "containers");
	cJSON *row = cJSON_CreateObject();

	json_append(list, row);
	json_put_text(row, "name", k->set.container);
	json_put_text(row, "image", image);
	if (before != NULL)
		text_add(note, sizeof(note), "%s %s", before, image);
	add_note(patch, KUBE_IMAGE_NOTE, before != NULL ? note : NULL);
}

static void
add_replicas(cJSON *patch, unsigned count, unsigned before)
{
	char note[32] = "";

	json_put_number(spec_of(patch), "replicas", count);
	if (before != 0)
		text_add(note, sizeof(note), "%u %u", before, count);
	add_note(patch, KUBE_REPLICAS_NOTE, before != 0 ? note : NULL);
}

/* As "kubectl rollout restart" does it. */
static void
add_restart(cJSON *patch)
{
	cJSON *template = json_put_object(spec_of(patch), "template");
	cJSON *meta = json_put_object(template, "metadata");
	cJSON *notes = json_put_object(meta, "annotations");
	time_t now = time(NULL);
	char stamp[40];
	struct tm tm;

	(void)gmtime_r(&now, &tm); /* now is in range */
	(void)strftime(		   /* it fits */
	    stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_put_text(notes, "kubectl.kubernetes.io/restartedAt", stamp);
}

/* Send the patch, which is freed. 0 or -errno. */
static int
send_patch(struct cluster *c, cJSON *patch, kube_done *done)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX], *body = cJSON_PrintUnformatted(patch);
	struct kube_ask ask = {.method = "PATCH",
	    .path = path,
	    .body = body,
	    .type = KUBE_ROWS_TYPE,
	    .done = done,
	    .arg = c};
	int err = -ENOMEM;

	set_path(k, path, sizeof(path));
	if (body != NULL)
		err = kube_request(k->api, &ask);
	cJSON_free(body);
	cJSON_Delete(patch);
	return err;
}

int
kube_set_roll(struct cluster *c, const char *image, kube_done *done)
{
	struct kubernetes *k = c->state;
	const char *now =
	    k->is_image_ours ? c->config->k8s_image : k->set.image;
	cJSON *patch = cJSON_CreateObject();

	if (strcmp(image, now) == 0)
		add_restart(patch);
	else if (k->is_image_ours) {
		add_image(k, patch, image, NULL);
		k->is_image_ours = false;
	} else {
		text_set(k->image_before, sizeof(k->image_before), now);
		add_image(k, patch, image, now);
		k->is_image_ours = true;
	}
	return send_patch(c, patch, done);
}

int
kube_set_scale(struct cluster *c, unsigned count, kube_done *done)
{
	struct kubernetes *k = c->state;
	cJSON *patch = cJSON_CreateObject();
	bool is_back = count == c->n;

	if (is_back)
		add_replicas(patch, count, 0);
	else
		add_replicas(patch, count, c->n);
	k->replicas_before = c->n;
	k->is_scaled = !is_back;
	return send_patch(c, patch, done);
}

/*
 * Send the patch and wait for its answer. A failure is logged. True when it was
 * done.
 */
static bool
put_back(struct cluster *c, cJSON *patch)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX], *body = cJSON_PrintUnformatted(patch);
	char *answer = NULL;
	struct kube_ask ask = {.method = "PATCH",
	    .path = path,
	    .body = body,
	    .type = KUBE_ROWS_TYPE};
	int status;

	set_path(k, path, sizeof(path));
	status = body != NULL ? kube_site_ask(c, &ask, &answer) : -ENOMEM;
	if (status != KUBE_OK) {
		kube_site_explain(
		    c, "cannot put the StatefulSet back", status, answer);
		log_warn("%s", c->why);
		c->why[0] = '\0'; /* it was logged, and is no reason to end */
	}
	cJSON_free(body);
	cJSON_Delete(patch);
	free(answer);
	return status == KUBE_OK;
}

/* Split the annotation "BEFORE OURS". */
static bool
split_note(const char *note, char *before, char *ours, size_t size)
{
	size_t len = strcspn(note, " ");

	before[0] = ours[0] = '\0';
	if (len == 0 || note[len] != ' ' || len >= size)
		return false;
	text_set(before, len + 1, note);
	return text_fits(ours, size, note + len + 1);
}

/* If somebody has changed the value since, only the annotation is removed. */
void
kube_set_look(struct cluster *c)
{
	struct kubernetes *k = c->state;
	char before[KUBE_IMAGE_MAX], ours[KUBE_IMAGE_MAX], now[32] = "";
	cJSON *patch = cJSON_CreateObject();
	uint64_t count = 0;

	if (k->set.image_note[0] == '\0' && k->set.replicas_note[0] == '\0') {
		cJSON_Delete(patch);
		return;
	}
	log_warn("StatefulSet %s is as an earlier run left it: it is put back",
	    k->set.name);
	if (k->set.image_note[0] != '\0') {
		if (split_note(
			k->set.image_note, before, ours, sizeof(before)) &&
		    strcmp(ours, k->set.image) == 0)
			add_image(k, patch, before, NULL);
		else
			add_note(patch, KUBE_IMAGE_NOTE, NULL);
	}
	if (k->set.replicas_note[0] != '\0') {
		text_add(now, sizeof(now), "%u", k->set.replicas);
		if (split_note(
			k->set.replicas_note, before, ours, sizeof(before)) &&
		    strcmp(ours, now) == 0 &&
		    text_to_u64(before, CONFIG_NODES_MAX, &count) == 0)
			add_replicas(patch, (unsigned)count, 0);
		else
			add_note(patch, KUBE_REPLICAS_NOTE, NULL);
	}
	/* A patch may name spec.template and spec.replicas together. */
	if (put_back(c, patch) && count != 0)
		k->set.replicas = (unsigned)count;
}

/*
 * Delete pods that are not ready. The controller waits for them before it goes
 * on, and one whose image does not exist never becomes ready.
 */
static void
clear_way(struct cluster *c)
{
	const struct kubernetes *k = c->state;
	unsigned i;

	for (i = 1; i <= c->n; i++)
		if (k->nodes[i - 1].is_there &&
		    !k->nodes[i - 1].seen.is_ready &&
		    !k->nodes[i - 1].seen.is_ending)
			/* unless the pod is gone */
			(void)kube_signal_delete(c, i);
	chaos_wait(c->chaos, 200);
}

void
kube_set_restore(struct cluster *c)
{
	struct kubernetes *k = c->state;
	cJSON *patch;

	if (k->is_scaled) {
		patch = cJSON_CreateObject();
		add_replicas(patch, k->replicas_before, 0);
		k->is_scaled = !put_back(c, patch);
	}
	if (k->is_image_ours) {
		patch = cJSON_CreateObject();
		add_image(k, patch, k->image_before, NULL);
		if (put_back(c, patch))
			log_info("image %s again: its rollout goes on by "
				 "itself",
			    k->image_before);
		if (k->roll != ROLL_DONE)
			clear_way(c);
		k->is_image_ours = false;
	}
}
