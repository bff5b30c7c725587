/* SPDX-License-Identifier: ISC */
/*
 * Any text as what Kubernetes' API answers: a line of a watch, an object, a
 * review, a status, a configuration. What is read of it fits and has its
 * name; one line of ours is put into a configuration, and only one; and a
 * scrubbed object or text holds no secret that stood behind its name.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_scrub.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define SECRET	    "Zq9xHushW7"
#define FITS(array) (strnlen(array, sizeof(array)) < sizeof(array))

static void
read_pod(const cJSON *o)
{
	struct kube_pod p;
	int err = kube_object_pod(o, "nats", &p);

	MUST(err == 0 || err == -EINVAL);
	MUST(FITS(p.name) && FITS(p.uid) && FITS(p.revision));
	MUST(FITS(p.ips[0]) && FITS(p.ips[1]));
	if (err == 0)
		MUST(p.uid[0] != '\0' && strchr(p.name, '-') != NULL);
}

static void
read_set(const cJSON *o)
{
	struct kube_set s;
	int err = kube_object_set(o, &s);

	MUST(err == 0 || err == -EINVAL);
	MUST(FITS(s.name) && FITS(s.uid) && FITS(s.selector));
	MUST(FITS(s.image) && FITS(s.config_path) && FITS(s.image_note));
	MUST(FITS(s.config_map) && FITS(s.config_key));
	/* No label lacks its name: such a list would select others' pods. */
	MUST(strstr(s.selector, "(null)") == NULL);
	MUST((s.config_map[0] != '\0') <= (s.config_key[0] != '\0'));
	if (err == 0 && kube_object_is_rolled(&s))
		MUST(s.ready >= s.replicas && s.observed >= s.generation);
}

static void
read_budget(const cJSON *o)
{
	const cJSON *labels =
	    kube_object_at(o, "spec.template.metadata.labels");
	struct kube_budget b;
	int err = kube_object_budget(o, labels, &b);

	MUST(err == 0 || err == -EINVAL);
	MUST((err == 0) == (b.name[0] != '\0') && FITS(b.name));
}

/* As text in an object, as it is there, and as the value of a variable. */
static void
scrub(const char *text)
{
	cJSON *o = cJSON_CreateObject(), *spec, *row;
	char *out;

	json_put_text(o, "data", text);
	json_put_text(o, "password", SECRET);
	spec = json_put_object(json_put_object(o, "spec"), "x");
	row = cJSON_CreateObject();
	json_put_text(row, "name", text);
	json_put_text(row, "value", SECRET);
	json_append(json_put_array(spec, "env"), row);
	kube_scrub(o);
	out = cJSON_PrintUnformatted(o);
	MUST(out != NULL && strstr(out, SECRET) == NULL);
	cJSON_free(out);
	cJSON_Delete(o);
}

static void
read_object(const char *text, size_t size)
{
	const cJSON *inner;
	cJSON *o;
	enum kube_event event = kube_object_event(text, size, &o, &inner);

	MUST((event == KUBE_MALFORMED) || cJSON_IsObject(inner));
	if (cJSON_IsObject(inner)) {
		read_pod(inner);
		read_set(inner);
		read_budget(inner);
	}
	read_pod(o);
	read_set(o);
	read_budget(o);
	kube_scrub(o);
	cJSON_Delete(o);
}

static void
read_answers(const char *text)
{
	char why[32], message[64];
	int got = kube_object_review(text, why, sizeof(why));

	MUST((got == -EINVAL || got == 0 || got == 1) && FITS(why));
	got = kube_object_exit_code(text);
	MUST(got == -EINVAL || (got >= 0 && got <= 255));
	kube_object_message(text, message, sizeof(message));
	MUST(FITS(message) && strpbrk(message, "\r\n") == NULL);
}

static void
mark(const char *text)
{
	char *once = kube_object_mark(text, 60001), *twice;

	if (once == NULL)
		return;
	MUST(strstr(once, "max_connections: 60001 # natsburn\n") != NULL);
	twice = kube_object_mark(once, 60001);
	/* The line may have been in what made it one that is in braces. */
	MUST(twice != NULL && strcmp(once, twice) == 0);
	free(twice);
	free(once);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char *clean;
	unsigned i;

	MUST(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	read_object((const char *)data, size);
	read_answers(text);
	mark(text);
	/* A fuzzer that finds the secret out puts it where nothing tells it. */
	if (strstr(text, SECRET) == NULL)
		scrub(text);
	for (i = 0; i < 2; i++) {
		clean = kube_scrub_text(text, i == 1);
		MUST(clean != NULL);
		free(clean);
	}
	free(text);
	return 0;
}
