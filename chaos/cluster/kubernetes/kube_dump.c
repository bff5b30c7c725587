/* SPDX-License-Identifier: ISC */
/*
 * What Kubernetes knows of the servers; see kube_dump.h. Each piece is
 * optional: RBAC may not allow it, and some may not exist, as the log of an
 * earlier container.
 */
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_dump.h"
#include "chaos/cluster/kubernetes/kube_scrub.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/internal.h"
#include "chaos/page.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define LOG_QUERY "timestamps=true&tailLines=20000&limitBytes=4000000"
#define COMMON	  "kubernetes" /* folder for what belongs to no single server */

struct dump {
	struct cluster *c;
	const char *dir;
	unsigned saved, refused;
};

static void
save(struct dump *d, const char *folder, const char *file, const char *text)
{
	char path[CONFIG_PATH_MAX + 256] = "";
	int err;

	text_add(path, sizeof(path), "%s/%s", d->dir, folder);
	err = file_make_dir(d->dir);
	if (err == 0)
		err = file_make_dir(path);
	text_add(path, sizeof(path), "/%s", file);
	if (err == 0)
		err = file_replace(path, text, strlen(text));
	if (err < 0)
		log_warn("cannot write \"%s\": %s", path, strerror(-err));
	else
		d->saved++;
}

/* The answer to a path below the namespace; NULL without one. */
static char *
ask(struct dump *d, const char *api, const char *what)
{
	const struct kubernetes *k = d->c->state;
	char path[KUBE_PATH_MAX] = "", *answer = NULL;
	struct kube_ask ask = {.path = path};
	int status;

	text_add(path, sizeof(path), "%s/namespaces/%s/%s", api, k->ns, what);
	status = kube_site_ask(d->c, &ask, &answer);
	if (status == KUBE_OK)
		return answer;
	d->refused += status == 403;
	free(answer);
	return NULL;
}

static void
save_object(struct dump *d, const char *api, const char *what,
    const char *folder, const char *file)
{
	char *answer = ask(d, api, what), *text = NULL;
	cJSON *o = answer != NULL ? cJSON_Parse(answer) : NULL;

	if (o != NULL) {
		kube_scrub(o);
		text = cJSON_Print(o);
	}
	if (text != NULL)
		save(d, folder, file, text);
	cJSON_free(text);
	cJSON_Delete(o);
	free(answer);
}

static void
save_log(struct dump *d, unsigned node, const char *more, const char *file)
{
	const struct kubernetes *k = d->c->state;
	char what[KUBE_PATH_MAX] = "", folder[CLUSTER_NAME_MAX + 16], *answer,
	     *text;

	text_add(what, sizeof(what), "pods/%s/log?container=%s&%s%s",
	    k->nodes[node - 1].seen.name, k->set.container, LOG_QUERY, more);
	answer = ask(d, "/api/v1", what);
	text = answer != NULL ? kube_scrub_text(answer, false) : NULL;
	page_folder(d->c, node, folder, sizeof(folder));
	if (text != NULL)
		save(d, folder, file, text);
	free(text);
	free(answer);
}

unsigned
kube_dump(struct cluster *c, const char *dir)
{
	struct kubernetes *k = c->state;
	struct dump d = {.c = c, .dir = dir};
	char what[KUBE_PATH_MAX], folder[CLUSTER_NAME_MAX + 16];
	unsigned i;

	if (k->api == NULL || k->set.name[0] == '\0')
		return 0;
	for (i = 1; i <= c->n; i++) {
		what[0] = '\0';
		text_add(
		    what, sizeof(what), "pods/%s", k->nodes[i - 1].seen.name);
		page_folder(c, i, folder, sizeof(folder));
		save_object(&d, "/api/v1", what, folder, "pod.json");
		save_log(&d, i, "", "pod.log");
		save_log(&d, i, "&previous=true", "pod-previous.log");
	}
	save_object(&d, "/api/v1", "events?limit=1000", COMMON, "events.json");
	what[0] = '\0';
	text_add(what, sizeof(what), "statefulsets/%s", k->set.name);
	save_object(&d, "/apis/apps/v1", what, COMMON, "statefulset.json");
	if (k->set.config_map[0] != '\0') {
		what[0] = '\0';
		text_add(
		    what, sizeof(what), "configmaps/%s", k->set.config_map);
		save_object(&d, "/api/v1", what, COMMON, "configmap.json");
	}
	if (d.refused > 0)
		log_warn("RBAC kept %u pieces of Kubernetes' evidence from "
			 "natsburn: get pods, pods/log, configmaps, "
			 "statefulsets, list events",
		    d.refused);
	return d.saved;
}
