/* SPDX-License-Identifier: ISC */
/* Lists that are kept up to date; see kube_watch.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_watch.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define RETRY_NS     CLOCK_S
#define RETRY_MAX_NS (15 * CLOCK_S)
#define WATCH_S	     300 /* the API ends it then, and it is begun again */
#define OK	     200
#define GONE	     410

enum watch_state {
	WATCH_IDLE, /* the list is due at next_ns */
	WATCH_LISTING,
	WATCH_WATCHING
};

struct kube_watch {
	struct kube_job job;
	struct kube *kube;
	enum watch_state state;
	char path[KUBE_PATH_MAX], query[KUBE_PATH_MAX / 2];
	char version[64]; /* resourceVersion of the last object that came */
	kube_change_fn *fn;
	void *arg;
	struct buf in;
	uint64_t next_ns, delay_ns, begin_ns;
	bool is_expired, is_current;
	int error;
};

long
kube_watch_line(const struct buf *in, const char **line)
{
	const char *end;

	*line = (const char *)buf_data(in);
	end = buf_len(in) > 0 ? memchr(*line, '\n', buf_len(in)) : NULL;
	return end != NULL ? end - *line : -1;
}

/*
 * Something failed: take the list anew, after a time that doubles with each
 * failure.
 */
static void
fall_back(struct kube_watch *w, int status)
{
	if (w->error == 0 && w->is_current)
		log_warn("the watch of %s broke (%d): it is begun anew",
		    w->path, status);
	w->error = status;
	w->is_current = false;
	w->state = WATCH_IDLE;
	w->delay_ns = w->delay_ns == 0 ? RETRY_NS : 2 * w->delay_ns;
	if (w->delay_ns > RETRY_MAX_NS)
		w->delay_ns = RETRY_MAX_NS;
	w->next_ns = clock_mono_ns() + w->delay_ns;
}

static void
note_version(struct kube_watch *w, const cJSON *o)
{
	const char *version = kube_object_text(o, "metadata.resourceVersion");

	if (version[0] != '\0')
		text_set(w->version, sizeof(w->version), version);
}

static void
take_line(struct kube_watch *w, const char *line, size_t len)
{
	const cJSON *inner;
	cJSON *o;

	switch (kube_object_event(line, len, &o, &inner)) {
	case KUBE_PUT:
		note_version(w, inner);
		w->fn(w->arg, KUBE_IS_PUT, inner);
		break;
	case KUBE_GONE:
		note_version(w, inner);
		w->fn(w->arg, KUBE_IS_GONE, inner);
		break;
	case KUBE_BOOKMARK:
		note_version(w, inner);
		break;
	case KUBE_EXPIRED:
	case KUBE_ERROR:
	case KUBE_MALFORMED:
		w->is_expired = true; /* whatever it is, a new list mends it */
		break;
	}
	cJSON_Delete(o);
}

static size_t
on_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct kube_watch *w = arg;
	const char *line;
	long len;

	if (transfer_status(&w->job.transfer) != OK)
		return size * n;
	if (buf_append(&w->in, data, size * n) < 0)
		return 0;
	while (!w->is_expired && (len = kube_watch_line(&w->in, &line)) >= 0) {
		take_line(w, line, (size_t)len);
		buf_consume(&w->in, (size_t)len + 1);
	}
	return w->is_expired ? 0 : size * n;
}

static void watch(struct kube_watch *);

static void
watch_ended(struct kube_job *job, int status)
{
	struct kube_watch *w = (struct kube_watch *)job;
	bool is_expired = w->is_expired || status == GONE;

	kube_release(w->kube, &w->job);
	/*
	 * A watch that ended in order after its time goes on where it was. One
	 * that ends at once is an error: the list is taken anew, later.
	 */
	if (status == OK && !is_expired &&
	    clock_mono_ns() >= w->begin_ns + RETRY_NS) {
		watch(w);
		return;
	}
	fall_back(w, is_expired ? GONE : status);
	/* That a watch expires is no failure: list at once. */
	if (is_expired)
		w->next_ns = clock_mono_ns();
}

/* The line that says who we are, if one is needed. */
static void
add_login(const struct kube *k, struct transfer *t)
{
	char head[16384], *token, *end;

	kube_head(k, head, sizeof(head));
	token = strstr(head, "Authorization:");
	if (token == NULL)
		return;
	end = strstr(token, "\r\n");
	if (end != NULL)
		*end = '\0';
	transfer_add_header(t, token);
}

static void
watch(struct kube_watch *w)
{
	struct transfer *t = &w->job.transfer;
	char path[2 * KUBE_PATH_MAX] = "";
	int err;

	text_add(path, sizeof(path),
	    "%s?%s%swatch=1&allowWatchBookmarks=true&timeoutSeconds=%d"
	    "&resourceVersion=%s",
	    w->path, w->query, w->query[0] != '\0' ? "&" : "", WATCH_S,
	    w->version);
	w->is_expired = false;
	w->begin_ns = clock_mono_ns();
	buf_consume(&w->in, buf_len(&w->in));
	w->job.finished = watch_ended;
	err = kube_prepare(w->kube, &w->job, path);
	if (err == 0) {
		add_login(w->kube, t);
		TRANSFER_SET(t, CURLOPT_WRITEFUNCTION, on_bytes);
		TRANSFER_SET(t, CURLOPT_WRITEDATA, w);
		/* A connection that died silently is noticed by this. */
		TRANSFER_SET(t, CURLOPT_TIMEOUT, (long)WATCH_S + 30);
		err = kube_run(w->kube, &w->job);
	}
	if (err < 0) {
		kube_release(w->kube, &w->job);
		fall_back(w, err);
		return;
	}
	w->state = WATCH_WATCHING;
}

static void
listed(void *arg, int status, const char *body)
{
	struct kube_watch *w = arg;
	const cJSON *items, *item;
	cJSON *o = status == OK ? cJSON_Parse(body) : NULL;

	items = kube_object_at(o, "items");
	if (!cJSON_IsArray(items)) {
		fall_back(w, status == OK ? -EPROTO : status);
		cJSON_Delete(o);
		return;
	}
	note_version(w, o);
	w->fn(w->arg, KUBE_LIST_BEGINS, NULL);
	cJSON_ArrayForEach (item, items)
		w->fn(w->arg, KUBE_IS_PUT, item);
	w->fn(w->arg, KUBE_LIST_ENDS, NULL);
	cJSON_Delete(o);
	w->delay_ns = 0;
	w->error = 0;
	w->is_current = true;
	watch(w);
}

static void
list(struct kube_watch *w)
{
	char path[KUBE_PATH_MAX] = "";
	struct kube_ask ask = {.path = path, .done = listed, .arg = w};
	int err;

	text_add(path, sizeof(path), "%s%s%s", w->path,
	    w->query[0] != '\0' ? "?" : "", w->query);
	w->state = WATCH_LISTING;
	err = kube_request(w->kube, &ask);
	if (err < 0)
		fall_back(w, err);
}

struct kube_watch *
kube_watch_create(struct kube *k, const char *path, const char *query,
    kube_change_fn *fn, void *arg)
{
	struct kube_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->kube = k;
	w->fn = fn;
	w->arg = arg;
	text_set(w->path, sizeof(w->path), path);
	text_set(w->query, sizeof(w->query), query);
	buf_init(&w->in, KUBE_BODY_MAX);
	return w;
}

void
kube_watch_destroy(struct kube_watch *w)
{
	if (w == NULL)
		return;
	kube_forget(w->kube, w);
	kube_release(w->kube, &w->job);
	buf_fini(&w->in);
	free(w);
}

void
kube_watch_step(struct kube_watch *w)
{
	if (w->state == WATCH_IDLE && clock_mono_ns() >= w->next_ns)
		list(w);
}

bool
kube_watch_is_live(const struct kube_watch *w)
{
	return w != NULL && w->is_current;
}

int
kube_watch_error(const struct kube_watch *w)
{
	return w->error;
}
