/* SPDX-License-Identifier: ISC */
/* The stores of the servers; see kube_store.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_pods.h"
#include "chaos/cluster/kubernetes/kube_reach.h"
#include "chaos/cluster/kubernetes/kube_signal.h"
#include "chaos/cluster/kubernetes/kube_site.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/cluster/kubernetes/kube_store.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define TRY_NS	   CLOCK_S
#define PAGE	   "/jsz?accounts=true&streams=true&config=true"
#define LEAST	   3   /* replicas, one of which may be lost */
#define CONFLICT   409 /* there is another one of the name */
#define RESTORE_NS (20 * CLOCK_S)

/* Ask a server for a page. The caller deletes it; NULL if it has none. */
static cJSON *
ask_page(struct cluster *c, unsigned node, const char *page)
{
	char url[CLUSTER_URL_MAX + 64], *answer;
	struct kube_ask ask = {.path = url};
	cJSON *o;

	kube_reach_page(c, node, page, url, sizeof(url));
	o = kube_site_ask(c, &ask, &answer) == KUBE_OK ? cJSON_Parse(answer)
						       : NULL;
	free(answer);
	return o;
}

static void
find_claim(struct cluster *c, unsigned node)
{
	struct kubernetes *k = c->state;
	struct kube_node *n = &k->nodes[node - 1];
	cJSON *o = ask_page(c, node, "/varz");
	const char *dir = kube_object_text(o, "jetstream.config.store_dir");
	const char *claim = kube_object_claim(&k->set, dir);

	n->store.cluster = c;
	n->store.node = node;
	text_format(n->store.claim, sizeof(n->store.claim), "%s-%s", claim,
	    n->seen.name);
	if (claim[0] == '\0')
		text_format(c->why, sizeof(c->why),
		    "mayhem %s can't be done: the server in pod %s stores in "
		    "\"%s\", which is on no volume of the StatefulSet's "
		    "volumeClaimTemplates",
		    c->needed_by[CLUSTER_ABILITY_EMPTY]->name, n->seen.name,
		    dir);
	cJSON_Delete(o);
}

/* A stream that would be lost, or may be, with the store of one server. */
static void
find_streams(struct cluster *c, unsigned node)
{
	cJSON *o = ask_page(c, node, PAGE);
	const cJSON *account, *stream;

	if (o == NULL)
		text_format(c->why, sizeof(c->why),
		    "the server in pod %s does not say which streams it has",
		    c->nodes[node - 1].name);
	cJSON_ArrayForEach (account, kube_object_at(o, "account_details"))
		cJSON_ArrayForEach (
		    stream, kube_object_at(account, "stream_detail"))
			if (kube_object_number(stream, "config.num_replicas") <
			    LEAST)
				text_format(c->why, sizeof(c->why),
				    "mayhem %s can't be done: stream %s of "
				    "account %s would not survive it, it has "
				    "fewer than %d replicas",
				    c->needed_by[CLUSTER_ABILITY_EMPTY]->name,
				    kube_object_text(stream, "name"),
				    kube_object_text(account, "name"), LEAST);
	cJSON_Delete(o);
}

int
kube_store_look(struct cluster *c)
{
	unsigned i;

	if ((c->needs & CLUSTER_CAN_EMPTY) == 0)
		return 0;
	for (i = 1; i <= c->n && c->why[0] == '\0'; i++) {
		find_claim(c, i);
		if (c->why[0] == '\0')
			find_streams(c, i);
	}
	return c->why[0] == '\0' ? 0 : -ENOTSUP;
}

int
kube_store_lose(struct cluster *c, unsigned node, uint64_t whole_ns)
{
	struct kubernetes *k = c->state;
	struct kube_store *s = &k->nodes[node - 1].store;

	if (!k->nodes[node - 1].is_there)
		return -ESRCH;
	s->whole_ns = whole_ns;
	s->step = STORE_IS_LOOKED_FOR;
	s->next_ns = 0;
	return 0;
}

int
kube_store_empty(struct cluster *c, unsigned node)
{
	const struct kubernetes *k = c->state;
	enum kube_store_step step = k->nodes[node - 1].store.step;

	if (step == STORE_IS_NEW)
		return 0;
	return step == STORE_IS_KEPT || step == STORE_IS_OLD ? -EIO : -EAGAIN;
}

/* It will be lost when the pod has ended; or it was refused. */
static void
tell_doomed(const struct kube_store *s, bool is_spared)
{
	struct event ev = {.type = MESSAGE_STORE_DOOMED};

	ev.u.store_doomed.node = s->node;
	ev.u.store_doomed.whole_ns = s->whole_ns;
	ev.u.store_doomed.spared = is_spared;
	child_emit(chaos_child(s->cluster->chaos), &ev);
}

static void
refuse(struct kube_store *s, int status, const char *body)
{
	s->step = STORE_IS_KEPT;
	kube_site_refused(s->cluster, 1U << (s->node - 1), status, body);
	log_warn("claim %s: %s", s->claim, s->cluster->refused);
}

static void
looked(void *arg, int status, const char *body)
{
	struct kube_store *s = arg;
	cJSON *o = cJSON_Parse(body);

	s->is_asking = false;
	if (status == KUBE_OK) {
		text_set(s->uid, sizeof(s->uid),
		    kube_object_text(o, "metadata.uid"));
		text_set(s->volume, sizeof(s->volume),
		    kube_object_text(o, "spec.volumeName"));
		s->step = STORE_IS_TO_GO;
		s->next_ns = 0;
		tell_doomed(s, false);
	} else if (kube_is_refusal(status))
		refuse(s, status, body);
	cJSON_Delete(o);
}

/* Without an answer it may be deleted, or not: it is asked for again. */
static void
dropped(void *arg, int status, const char *body)
{
	struct kube_store *s = arg;
	bool is_done = kube_is_deleted(status) || status == CONFLICT;

	s->is_asking = false;
	if (is_done) {
		s->step = STORE_IS_ENDING;
		s->next_ns = 0;
	} else if (kube_is_refusal(status)) {
		tell_doomed(s, true);
		refuse(s, status, body);
	}
}

static void
say(struct kube_store *s, enum kube_store_step step, const char *what)
{
	struct kubernetes *k = s->cluster->state;

	s->step = step;
	text_format(s->how, sizeof(s->how),
	    "its pod ended, and its claim %.48s is another one%s", s->claim,
	    what);
	k->nodes[s->node - 1].how = s->how;
}

static void
returned(void *arg, int status, const char *body)
{
	struct kube_store *s = arg;
	cJSON *o = cJSON_Parse(body);
	const char *volume = kube_object_text(o, "spec.volumeName");

	s->is_asking = false;
	if (status == KUBE_OK && volume[0] != '\0' &&
	    strcmp(kube_object_text(o, "metadata.uid"), s->uid) != 0) {
		if (strcmp(volume, s->volume) == 0)
			say(s, STORE_IS_OLD, " of the same volume");
		else
			say(s, STORE_IS_ANOTHER, "; its server is not ready");
	}
	cJSON_Delete(o);
}

/* In setupMetaGroup() of nats-server. */
static void
read_log(void *arg, int status, const char *body)
{
	struct kube_store *s = arg;

	s->is_asking = false;
	if (kube_is_refusal(status))
		say(s, STORE_IS_NEW, "; its log can't be read");
	if (status != KUBE_OK)
		return;
	if (strstr(body, "JetStream cluster bootstrapping") != NULL)
		say(s, STORE_IS_NEW, "; the server says that it has no state");
	else if (strstr(body, "JetStream cluster recovering state") != NULL)
		say(s, STORE_IS_OLD, ", but the server recovers a state");
	else
		say(s, STORE_IS_NEW, "; its log doesn't say what was there");
}

static void
ask_claim(struct kube_store *s, const char *method, kube_done *done)
{
	struct kubernetes *k = s->cluster->state;
	char path[KUBE_PATH_MAX], body[256];
	struct kube_ask ask = {
	    .method = method, .path = path, .done = done, .arg = s};

	text_format(path, sizeof(path),
	    "/api/v1/namespaces/%s/persistentvolumeclaims/%s", k->ns, s->claim);
	if (method != NULL) {
		text_format(body, sizeof(body),
		    "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
		    "\"preconditions\":{\"uid\":\"%s\"}}",
		    s->uid);
		ask.body = body;
	}
	s->is_asking = kube_request(k->api, &ask) == 0;
}

static void
ask_log(struct kube_store *s)
{
	struct kubernetes *k = s->cluster->state;
	const struct kube_pod *p = &k->nodes[s->node - 1].seen;
	char path[KUBE_PATH_MAX];
	struct kube_ask ask = {.path = path, .done = read_log, .arg = s};

	/* Of a container that was restarted the first log is the one before. */
	text_format(path, sizeof(path),
	    "/api/v1/namespaces/%s/pods/%s/log?container=%s&limitBytes=65536%s",
	    k->ns, p->name, k->set.container,
	    p->restarts > 0 ? "&previous=true" : "");
	s->is_asking = kube_request(k->api, &ask) == 0;
}

static void
step(struct kube_store *s)
{
	struct cluster *c = s->cluster;

	switch (s->step) {
	case STORE_IS_LOOKED_FOR:
		ask_claim(s, NULL, looked);
		break;
	case STORE_IS_TO_GO:
		ask_claim(s, "DELETE", dropped);
		break;
	case STORE_IS_ENDING:
		if (kube_signal_end_pod(c, s->node) == 0)
			s->step = STORE_IS_GOING;
		break;
	case STORE_IS_GOING:
		if (!kube_pods_runs(c, s->node))
			ask_claim(s, NULL, returned);
		break;
	case STORE_IS_ANOTHER:
		if (kube_pods_is_ready(c, s->node))
			ask_log(s);
		break;
	case STORE_IS_KEPT:
	case STORE_IS_NEW:
	case STORE_IS_OLD:
		break;
	}
}

void
kube_store_step(struct cluster *c)
{
	struct kubernetes *k = c->state;
	uint64_t now = clock_mono_ns();
	struct kube_store *s;
	unsigned i;

	for (i = 0; i < c->n; i++) {
		s = &k->nodes[i].store;
		if (s->step == STORE_IS_KEPT || s->is_asking ||
		    now < s->next_ns)
			continue;
		s->next_ns = now + TRY_NS;
		step(s);
	}
}

/* Its claim is to go, or goes, and its pod was not told to end. */
static bool
is_half_lost(const struct kube_store *s)
{
	return s->step == STORE_IS_TO_GO || s->step == STORE_IS_ENDING;
}

void
kube_store_restore(struct cluster *c)
{
	const struct kubernetes *k = c->state;
	uint64_t deadline = clock_mono_ns() + RESTORE_NS;
	unsigned i;

	for (i = 0; i < c->n; i++)
		while (is_half_lost(&k->nodes[i].store) &&
		       clock_mono_ns() < deadline)
			chaos_wait(c->chaos, 20);
}
