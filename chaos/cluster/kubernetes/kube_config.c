/* SPDX-License-Identifier: ISC */
/* The ConfigMap of a StatefulSet of NATS; see kube_config.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_config.h"
#include "chaos/cluster/kubernetes/kube_rights.h"
#include "chaos/cluster/kubernetes/kube_signal.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "chaos/health.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define BACK_NS (60 * CLOCK_S) /* to put everything back */

static void
config_path(const struct kubernetes *k, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "/api/v1/namespaces/%s/configmaps/%s", k->ns,
	    k->set.config_map);
}

/*
 * A merge patch that sets the text (NULL: leaves it) and the annotation with
 * the original (NULL: removes it).
 */
static char *
config_patch(const struct kubernetes *k, const char *text, const char *original)
{
	cJSON *o = cJSON_CreateObject(), *meta, *notes, *data;
	char *out;

	meta = json_put_object(o, "metadata");
	notes = json_put_object(meta, "annotations");
	if (original != NULL)
		json_put_text(notes, KUBE_ORIGINAL, original);
	else
		json_put(notes, KUBE_ORIGINAL, cJSON_CreateNull());
	if (text != NULL) {
		data = json_put_object(o, "data");
		json_put_text(data, k->set.config_key, text);
	}
	out = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return out;
}

static void
patched(void *arg, int status, const char *body)
{
	char said[256];

	(void)arg;
	if (status == KUBE_OK)
		return;
	kube_object_message(body, said, sizeof(said));
	log_warn("the ConfigMap could not be changed (%d): %s", status, said);
}

int
kube_config_change(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX], *text, *body = NULL;
	struct kube_ask ask = {.method = "PATCH",
	    .path = path,
	    .type = KUBE_MERGE_TYPE,
	    .done = patched,
	    .arg = c};
	struct health_varz v;
	int err = -ENOMEM;

	if (k->original == NULL || !k->nodes[node - 1].has_shell) {
		/*
		 * Nothing is changed, and only the signal is sent. That it was
		 * read shows by config_load_time.
		 */
		if (health_varz(c->health, node, &v))
			c->nodes[node - 1].config_mark = v.max_connections;
		return 0;
	}
	c->nodes[node - 1].config_mark = ++k->mark;
	config_path(k, path, sizeof(path));
	text = kube_object_mark(k->original, k->mark);
	if (text != NULL)
		body = config_patch(k, text, k->original);
	if (body != NULL) {
		k->is_changed = true;
		ask.body = body;
		err = kube_request(k->api, &ask);
	}
	free(text);
	cJSON_free(body);
	return err;
}

/* Put the text back that the annotation holds. 0, or -errno with why. */
static int
put_back(struct cluster *c, const char *original)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX], *answer = NULL,
				  *body = config_patch(k, original, NULL);
	struct kube_ask ask = {.method = "PATCH",
	    .path = path,
	    .body = body,
	    .type = KUBE_MERGE_TYPE};
	int status;

	config_path(k, path, sizeof(path));
	status = body != NULL ? kube_site_ask(c, &ask, &answer) : -ENOMEM;
	if (status != KUBE_OK)
		kube_site_explain(
		    c, "cannot put the ConfigMap back", status, answer);
	cJSON_free(body);
	free(answer);
	return status == KUBE_OK ? 0 : -EIO;
}

void
kube_config_look(struct cluster *c)
{
	struct kubernetes *k = c->state;
	char path[KUBE_PATH_MAX], *answer = NULL;
	struct kube_ask ask = {.path = path};
	const char *text, *before;
	const cJSON *data;
	cJSON *o = NULL;

	if (k->set.config_map[0] == '\0' || !kube_rights_have(c, RIGHTS_CONFIG))
		return;
	config_path(k, path, sizeof(path));
	if (kube_site_ask(c, &ask, &answer) == KUBE_OK)
		o = cJSON_Parse(answer);
	free(answer);
	data = kube_object_at(o, "data");
	text = cJSON_GetStringValue(json_get(data, k->set.config_key));
	before = cJSON_GetStringValue(
	    json_get(kube_object_at(o, "metadata.annotations"), KUBE_ORIGINAL));
	if (before != NULL && text != NULL) {
		/*
		 * The text is not ours when somebody has written another one
		 * since; then only the annotation goes.
		 */
		if (strstr(text, "# natsburn") == NULL)
			before = text;
		log_warn("ConfigMap %s holds what an earlier run left: it is "
			 "put back",
		    k->set.config_map);
		if (put_back(c, before) == 0) {
			text = before;
			k->is_restored = true;
		} else
			log_warn("%s", c->why);
		c->why[0] = '\0'; /* it was logged, and is no reason to end */
	}
	if (text != NULL && strlen(text) < KUBE_CONFIG_MAX &&
	    (c->needs & CLUSTER_CAN_RELOAD) != 0)
		k->original = strdup(text);
	cJSON_Delete(o);
}

/* Have the servers that read our configuration read the old one again. */
static void
reload_marked(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + BACK_NS;
	unsigned i, left;

	for (i = 1; i <= c->n; i++)
		/* A command that can't be begun is not waited for. */
		if (k->nodes[i - 1].is_marked && k->nodes[i - 1].is_there)
			(void)kube_signal_send(c, i, SIGHUP, "-");
	do {
		chaos_wait(c->chaos, 20);
		left = kube_signal_open(c);
	} while (left > 0 && clock_mono_ns() < deadline);
	for (i = 0; i < c->n; i++)
		k->nodes[i].is_marked = false;
	if (left > 0)
		log_warn("%u servers keep natsburn's max_connections until "
			 "they are reloaded or restarted",
		    left);
}

void
kube_config_restore(struct cluster *c)
{
	const struct kubernetes *k = c->state;

	if (!k->is_changed)
		return;
	if (put_back(c, k->original) < 0)
		log_warn("%s", c->why);
	reload_marked(c);
}

int
kube_config_finish(struct cluster *c)
{
	struct kubernetes *k = c->state;
	unsigned i;

	for (i = 0; i < c->n && k->is_restored; i++)
		k->nodes[i].is_marked = k->nodes[i].has_shell;
	if (k->is_restored)
		reload_marked(c);
	return 0;
}
