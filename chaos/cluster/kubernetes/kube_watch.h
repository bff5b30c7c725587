/* SPDX-License-Identifier: ISC */
/*
 * A list of objects that is kept up to date: listed once, then watched.
 * When the watch breaks or its place in history is gone (410) the list is
 * taken anew.
 */
#ifndef CHAOS_KUBE_WATCH_H
#define CHAOS_KUBE_WATCH_H

#include <cjson/cJSON.h>

#include "chaos/cluster/kubernetes/kube.h"
#include "proto/base/buf.h"

struct kube_watch;

enum kube_change {
	KUBE_LIST_BEGINS, /* what is not put until it ends is gone */
	KUBE_LIST_ENDS,
	KUBE_IS_PUT,
	KUBE_IS_GONE,
};

/* object is NULL for the list's own. */
typedef void kube_change_fn(void *arg, enum kube_change, const cJSON *object);

/*
 * Begin. path is a collection's, query what limits it ("" or "a=b&c=d").
 * NULL without memory.
 */
struct kube_watch *kube_watch_create(struct kube *, const char *path,
    const char *query, kube_change_fn *fn, void *arg);
void kube_watch_destroy(struct kube_watch *);

/* Do what is due. */
void kube_watch_step(struct kube_watch *);

/* True while what was told is up to date, as far as can be known. */
bool kube_watch_is_live(const struct kube_watch *);

/* The HTTP status or -errno of the last failure, 0 if there was none. */
int kube_watch_error(const struct kube_watch *);

/*
 * The next whole line of what came: its length without the line end, with
 * *line set, or -1. The caller consumes length + 1 bytes.
 */
long kube_watch_line(const struct buf *, const char **line);

#endif
