/* SPDX-License-Identifier: ISC */
/* Kubernetes' objects; see kube_object.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chaos/cluster/kubernetes/kube_object.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define CLIENT_PORT  4222
#define MONITOR_PORT 8222
#define MARK	     "# natsburn" /* ends the line that is ours */
#define GONE_CODE    410

const cJSON *
kube_object_at(const cJSON *o, const char *path)
{
	char name[64];
	size_t len;

	while (o != NULL && *path != '\0') {
		len = strcspn(path, ".");
		if (len >= sizeof(name))
			return NULL;
		memcpy(name, path, len);
		name[len] = '\0';
		o = json_get(o, name);
		path += len;
		if (*path == '.')
			path++;
	}
	return o;
}

const char *
kube_object_text(const cJSON *o, const char *path)
{
	const char *s = cJSON_GetStringValue(kube_object_at(o, path));

	return s != NULL ? s : "";
}

uint64_t
kube_object_number(const cJSON *o, const char *path)
{
	const cJSON *n = kube_object_at(o, path);

	if (!cJSON_IsNumber(n) || !(n->valuedouble > 0))
		return 0;
	return n->valuedouble < 0x1p64 ? (uint64_t)n->valuedouble : UINT64_MAX;
}

static unsigned
small(const cJSON *o, const char *path)
{
	uint64_t n = kube_object_number(o, path);

	return n < 1000000 ? (unsigned)n : 1000000;
}

/* The row of a list whose member key ("name", "type") has this value. */
static const cJSON *
find_row(const cJSON *list, const char *key, const char *name)
{
	const cJSON *row;

	cJSON_ArrayForEach (row, list)
		if (strcmp(kube_object_text(row, key), name) == 0)
			return row;
	return NULL;
}

/*
 * All addresses of a pod. The main one is the first, and may be the only one.
 */
static void
read_addresses(const cJSON *o, struct kube_pod *p)
{
	const cJSON *list = kube_object_at(o, "status.podIPs"), *row;
	const char *ip;
	unsigned n = 0;

	text_set(p->ips[n++], sizeof(p->ips[0]),
	    kube_object_text(o, "status.podIP"));
	cJSON_ArrayForEach (row, list) {
		ip = kube_object_text(row, "ip");
		if (n < KUBE_IPS_MAX && ip[0] != '\0' &&
		    strcmp(ip, p->ips[0]) != 0)
			text_set(p->ips[n++], sizeof(p->ips[0]), ip);
	}
}

/* "2026-11-29T11:04:28Z" in seconds; 0: it is none. */
static uint64_t
read_time(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	time_t t = end != NULL && *end == '\0' ? timegm(&tm) : 0;

	return t > 0 ? (uint64_t)t : 0;
}

static void
read_exit(const cJSON *status, struct kube_exit *e)
{
	const cJSON *o = kube_object_at(status, "lastState.terminated");
	uint64_t begin = read_time(kube_object_text(o, "startedAt"));
	uint64_t end = read_time(kube_object_text(o, "finishedAt"));

	e->code = small(o, "exitCode");
	text_set(e->reason, sizeof(e->reason), kube_object_text(o, "reason"));
	e->lived_s = begin > 0 && end > begin ? end - begin : 0;
}

int
kube_object_pod(const cJSON *o, const char *container, struct kube_pod *p)
{
	const cJSON *conditions, *statuses, *row;
	const char *dash;
	uint64_t ordinal;

	memset(p, 0, sizeof(*p));
	if (!text_fits(
		p->name, sizeof(p->name), kube_object_text(o, "metadata.name")))
		return -EINVAL;
	dash = strrchr(p->name, '-');
	if (dash == NULL || text_to_u64(dash + 1, 100000, &ordinal) < 0)
		return -EINVAL;
	p->ordinal = (unsigned)ordinal;
	text_set(p->uid, sizeof(p->uid), kube_object_text(o, "metadata.uid"));
	read_addresses(o, p);
	text_set(p->revision, sizeof(p->revision),
	    kube_object_text(o, "metadata.labels.controller-revision-hash"));
	p->is_ending =
	    kube_object_text(o, "metadata.deletionTimestamp")[0] != '\0';
	conditions = kube_object_at(o, "status.conditions");
	row = find_row(conditions, "type", "Ready");
	p->is_ready = strcmp(kube_object_text(row, "status"), "True") == 0;
	statuses = kube_object_at(o, "status.containerStatuses");
	row = container != NULL ? find_row(statuses, "name", container)
				: cJSON_GetArrayItem(statuses, 0);
	p->restarts = small(row, "restartCount");
	read_exit(row, &p->last);
	return p->uid[0] != '\0' ? 0 : -EINVAL;
}

static unsigned
find_port(const cJSON *container, const char *name, unsigned number)
{
	const cJSON *ports = kube_object_at(container, "ports"), *port;
	unsigned found = 0;

	cJSON_ArrayForEach (port, ports) {
		if (strcmp(kube_object_text(port, "name"), name) == 0)
			return small(port, "containerPort");
		if (small(port, "containerPort") == number)
			found = number;
	}
	return found;
}

static const cJSON *
find_container(const cJSON *o)
{
	const cJSON *list = kube_object_at(o, "spec.template.spec.containers"),
		    *row;

	cJSON_ArrayForEach (row, list)
		if (find_port(row, "nats", CLIENT_PORT) != 0)
			return row;
	return NULL;
}

/* The word behind -c or --config in the container's command. */
static void
find_config_path(const cJSON *container, char *out, size_t size)
{
	static const char *const lists[] = {"command", "args"};
	static const char equals[] = "--config=";
	const cJSON *word;
	const char *s;
	bool is_next = false;
	unsigned i;

	for (i = 0; i < 2; i++)
		cJSON_ArrayForEach (word, kube_object_at(container, lists[i])) {
			s = cJSON_GetStringValue(word);
			if (s == NULL)
				continue;
			if (is_next)
				text_set(out, size, s);
			is_next = strcmp(s, "-c") == 0 ||
				  strcmp(s, "-config") == 0 ||
				  strcmp(s, "--config") == 0;
			if (strncmp(s, equals, sizeof(equals) - 1) == 0)
				text_set(out, size, s + sizeof(equals) - 1);
		}
}

/* The ConfigMap and key behind a file of the container, if there is one. */
static void
find_config_map(const cJSON *o, const cJSON *container, struct kube_set *s)
{
	const cJSON *mounts = kube_object_at(container, "volumeMounts"), *mount;
	const cJSON *volumes = kube_object_at(o, "spec.template.spec.volumes");
	const cJSON *volume, *items;
	const char *path, *file = NULL;
	size_t len;

	volume = NULL;
	cJSON_ArrayForEach (mount, mounts) {
		path = kube_object_text(mount, "mountPath");
		len = strlen(path);
		while (len > 1 && path[len - 1] == '/')
			len--;
		/*
		 * A file that is mounted by subPath is never updated in a pod.
		 */
		if (strncmp(s->config_path, path, len) != 0 ||
		    s->config_path[len] != '/' ||
		    kube_object_text(mount, "subPath")[0] != '\0')
			continue;
		file = s->config_path + len + 1;
		volume =
		    find_row(volumes, "name", kube_object_text(mount, "name"));
	}
	if (volume == NULL || strchr(file, '/') != NULL)
		return;
	items = kube_object_at(volume, "configMap.items");
	if (items != NULL)
		file = kube_object_text(find_row(items, "path", file), "key");
	text_set(s->config_map, sizeof(s->config_map),
	    kube_object_text(volume, "configMap.name"));
	text_set(s->config_key, sizeof(s->config_key), file);
	if (s->config_key[0] == '\0')
		s->config_map[0] = '\0';
}

static void
read_mounts(const cJSON *o, const cJSON *container, struct kube_set *s)
{
	const cJSON *claims = kube_object_at(o, "spec.volumeClaimTemplates");
	const cJSON *mount;
	struct kube_mount *m;
	size_t len;

	cJSON_ArrayForEach (mount, kube_object_at(container, "volumeMounts")) {
		m = &s->mounts[s->nmounts];
		if (s->nmounts == KUBE_MOUNTS_MAX ||
		    !text_fits(m->path, sizeof(m->path),
			kube_object_text(mount, "mountPath")))
			continue;
		for (len = strlen(m->path); len > 0 && m->path[len - 1] == '/';)
			m->path[--len] = '\0';
		if (find_row(claims, "metadata.name",
			kube_object_text(mount, "name")) != NULL)
			text_set(m->claim, sizeof(m->claim),
			    kube_object_text(mount, "name"));
		s->nmounts++;
	}
}

const char *
kube_object_claim(const struct kube_set *s, const char *path)
{
	const char *claim = "";
	size_t len, best = 0;
	unsigned i;

	for (i = 0; i < s->nmounts; i++) {
		len = strlen(s->mounts[i].path);
		if (strncmp(path, s->mounts[i].path, len) != 0 ||
		    (path[len] != '\0' && path[len] != '/') || len < best)
			continue;
		best = len;
		claim = s->mounts[i].claim;
	}
	return claim;
}

static void
read_selector(const cJSON *o, struct kube_set *s)
{
	const cJSON *labels = kube_object_at(o, "spec.selector.matchLabels");
	const cJSON *label;

	if (!cJSON_IsObject(labels))
		return; /* a list's rows have no names */
	cJSON_ArrayForEach (label, labels)
		text_add(s->selector, sizeof(s->selector), "%s%s=%s",
		    s->selector[0] != '\0' ? "," : "", label->string,
		    cJSON_IsString(label) ? label->valuestring : "");
}

int
kube_object_set(const cJSON *o, struct kube_set *s)
{
	const cJSON *container = find_container(o);

	memset(s, 0, sizeof(*s));
	text_set(
	    s->name, sizeof(s->name), kube_object_text(o, "metadata.name"));
	text_set(s->uid, sizeof(s->uid), kube_object_text(o, "metadata.uid"));
	text_set(s->current, sizeof(s->current),
	    kube_object_text(o, "status.currentRevision"));
	text_set(s->update, sizeof(s->update),
	    kube_object_text(o, "status.updateRevision"));
	text_set(s->service, sizeof(s->service),
	    kube_object_text(o, "spec.serviceName"));
	s->generation = kube_object_number(o, "metadata.generation");
	s->observed = kube_object_number(o, "status.observedGeneration");
	s->start = small(o, "spec.ordinals.start");
	s->replicas = small(o, "spec.replicas");
	s->ready = small(o, "status.readyReplicas");
	s->updated = small(o, "status.updatedReplicas");
	s->partition = small(o, "spec.updateStrategy.rollingUpdate.partition");
	s->is_on_delete =
	    strcmp(kube_object_text(o, "spec.updateStrategy.type"),
		"OnDelete") == 0;
	read_selector(o, s);
	text_set(s->image_note, sizeof(s->image_note),
	    kube_object_text(o, "metadata.annotations." KUBE_IMAGE_NOTE));
	text_set(s->replicas_note, sizeof(s->replicas_note),
	    kube_object_text(o, "metadata.annotations." KUBE_REPLICAS_NOTE));
	if (s->name[0] == '\0' || s->uid[0] == '\0')
		return -EINVAL;
	if (container == NULL)
		return 0;
	text_set(s->container, sizeof(s->container),
	    kube_object_text(container, "name"));
	text_set(
	    s->image, sizeof(s->image), kube_object_text(container, "image"));
	s->client_port = find_port(container, "nats", CLIENT_PORT);
	s->monitor_port = find_port(container, "monitor", MONITOR_PORT);
	if (s->monitor_port == 0)
		s->monitor_port = MONITOR_PORT;
	find_config_path(container, s->config_path, sizeof(s->config_path));
	find_config_map(o, container, s);
	read_mounts(o, container, s);
	return 0;
}

bool
kube_object_has_labels(const cJSON *labels, const cJSON *all_of)
{
	const cJSON *label, *has;

	cJSON_ArrayForEach (label, all_of) {
		has = json_get(labels, label->string);
		if (!cJSON_IsString(has) || !cJSON_IsString(label) ||
		    strcmp(has->valuestring, label->valuestring) != 0)
			return false;
	}
	return true;
}

/*
 * A budget that selects by expressions, without matchLabels, is taken for
 * somebody else's.
 */
int
kube_object_budget(
    const cJSON *o, const cJSON *pod_labels, struct kube_budget *b)
{
	const cJSON *labels = kube_object_at(o, "spec.selector.matchLabels");

	memset(b, 0, sizeof(*b));
	text_set(
	    b->name, sizeof(b->name), kube_object_text(o, "metadata.name"));
	b->allowed = small(o, "status.disruptionsAllowed");
	b->most = small(o, "status.expectedPods");
	b->most -= b->most < small(o, "status.desiredHealthy")
		       ? b->most
		       : small(o, "status.desiredHealthy");
	b->is_ours = cJSON_GetArraySize(labels) > 0 &&
		     kube_object_has_labels(pod_labels, labels);
	return b->name[0] != '\0' ? 0 : -EINVAL;
}

bool
kube_object_is_rolled(const struct kube_set *s)
{
	if (s->observed < s->generation || s->ready < s->replicas)
		return false;
	if (s->partition > 0)
		return s->updated + s->partition >= s->replicas;
	return s->updated >= s->replicas && strcmp(s->current, s->update) == 0;
}

enum kube_event
kube_object_event(
    const char *line, size_t len, cJSON **object, const cJSON **inner)
{
	const char *type;

	*inner = NULL;
	*object = cJSON_ParseWithLength(line, len);
	type = kube_object_text(*object, "type");
	*inner = kube_object_at(*object, "object");
	if (!cJSON_IsObject(*inner))
		return KUBE_MALFORMED;
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		return KUBE_PUT;
	if (strcmp(type, "DELETED") == 0)
		return KUBE_GONE;
	if (strcmp(type, "BOOKMARK") == 0)
		return KUBE_BOOKMARK;
	if (strcmp(type, "ERROR") != 0)
		return KUBE_MALFORMED;
	return kube_object_number(*inner, "code") == GONE_CODE ? KUBE_EXPIRED
							       : KUBE_ERROR;
}

int
kube_object_review(const char *body, char *why, size_t size)
{
	cJSON *o = cJSON_Parse(body);
	const cJSON *allowed = kube_object_at(o, "status.allowed");
	int got = -EINVAL;

	why[0] = '\0';
	if (cJSON_IsBool(allowed)) {
		got = cJSON_IsTrue(allowed);
		text_set(why, size, kube_object_text(o, "status.reason"));
	}
	cJSON_Delete(o);
	return got;
}

void
kube_object_ask_right(const struct kube_right *r, const char *ns,
    const char *name, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size,
	    "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
	    "\"SelfSubjectAccessReview\",\"spec\":{\"resourceAttributes\":{"
	    "\"namespace\":\"%s\",\"name\":\"%s\",\"verb\":\"%s\",\"group\":\"%"
	    "s\","
	    "\"resource\":\"%s\",\"subresource\":\"%s\"}}}",
	    ns, name, r->verb, r->group, r->resource, r->subresource);
}

void
kube_object_message(const char *body, char *out, size_t size)
{
	cJSON *o = cJSON_Parse(body);
	const char *message = kube_object_text(o, "message");

	text_set(out, size, message[0] != '\0' ? message : body);
	out[strcspn(out, "\r\n")] = '\0';
	cJSON_Delete(o);
}

int
kube_object_exit_code(const char *body)
{
	cJSON *o = cJSON_Parse(body);
	const cJSON *cause;
	uint64_t code;
	int got = -EINVAL;

	if (strcmp(kube_object_text(o, "status"), "Success") == 0)
		got = 0;
	cause =
	    find_row(kube_object_at(o, "details.causes"), "reason", "ExitCode");
	if (got < 0 && cause != NULL &&
	    text_to_u64(kube_object_text(cause, "message"), 255, &code) == 0)
		got = (int)code;
	cJSON_Delete(o);
	return got;
}

/* The text without the lines that are ours. */
static char *
without_marks(const char *config)
{
	char *out = calloc(1, strlen(config) + 1), *to = out;
	const char *end;
	size_t len;

	for (; out != NULL && *config != '\0'; config = end) {
		end = strchr(config, '\n');
		end = end != NULL ? end + 1 : config + strlen(config);
		len = (size_t)(end - config);
		if (memmem(config, len, MARK, sizeof(MARK) - 1) != NULL)
			continue;
		memcpy(to, config, len);
		to += len;
	}
	return out;
}

/*
 * nats-server takes the last of two settings, so the line goes to the end. The
 * Helm chart puts the whole file in braces: there it goes before the closing
 * one.
 */
char *
kube_object_mark(const char *config, uint64_t max_connections)
{
	char *base = without_marks(config), *out, *end;
	size_t at, len, room;

	if (base == NULL)
		return NULL;
	len = at = strlen(base);
	if (base[strspn(base, " \t\r\n")] == '{') {
		end = strrchr(base, '}');
		if (end == NULL) {
			free(base);
			return NULL;
		}
		at = (size_t)(end - base);
	}
	room = len + 128;
	out = calloc(1, room);
	if (out != NULL)
		text_add(out, room, "%.*s%smax_connections: %llu " MARK "\n%s",
		    (int)at, base, at > 0 && base[at - 1] != '\n' ? "\n" : "",
		    (unsigned long long)max_connections, base + at);
	free(base);
	return out;
}
