/* SPDX-License-Identifier: ISC */
/*
 * What natsburn reads of Kubernetes' objects, and what it writes. Pure:
 * text or cJSON in, flat structures out. Missing fields are 0 or empty, as
 * the API leaves out what is.
 */
#ifndef CHAOS_KUBE_OBJECT_H
#define CHAOS_KUBE_OBJECT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/cluster/kubernetes/kube.h"

#define KUBE_UID_MAX	  64
#define KUBE_SELECTOR_MAX 512
#define KUBE_VOLUME_MAX	  256
#define KUBE_MOUNTS_MAX	  16
/* addresses of a pod: IPv4 and IPv6 */
#define KUBE_IPS_MAX 2
/* annotation with the text before our change */
#define KUBE_ORIGINAL "natsburn/original"
/*
 * Annotations of the StatefulSet while it has a value of ours: "BEFORE OURS",
 * what it had and what we set.
 */
#define KUBE_IMAGE_NOTE	   "natsburn/image"
#define KUBE_REPLICAS_NOTE "natsburn/replicas"
#define KUBE_IMAGE_MAX	   256
#define KUBE_CONFIG_MAX	   200000 /* annotations hold 256 KiB at most */

/* How the container before the present one ended. */
struct kube_exit {
	unsigned code;	  /* 128 and more: by that signal */
	char reason[32];  /* "Error", "OOMKilled", ...; empty: not told */
	uint64_t lived_s; /* 0: not told */
};

struct kube_pod {
	char name[KUBE_NAME_MAX], uid[KUBE_UID_MAX];
	char ips[KUBE_IPS_MAX][48];   /* the first is its own, or empty */
	char revision[KUBE_NAME_MAX]; /* of its template */
	unsigned ordinal;	      /* behind the last dash */
	unsigned restarts;	      /* of its container */
	bool is_ready, is_ending;
	struct kube_exit last;
};

/* Where a volume is in the servers' container. */
struct kube_mount {
	char path[128];		   /* without a slash at its end */
	char claim[KUBE_NAME_MAX]; /* of the set's templates; empty: none */
};

struct kube_set {
	char name[KUBE_NAME_MAX], uid[KUBE_UID_MAX];
	char current[KUBE_NAME_MAX + 16], update[KUBE_NAME_MAX + 16];
	char selector[KUBE_SELECTOR_MAX]; /* "a=b,c=d" */
	char service[KUBE_NAME_MAX];	  /* that names its pods, or empty */
	uint64_t generation, observed;
	unsigned start; /* number of its first pod */
	unsigned replicas, ready, updated, partition;
	bool is_on_delete;
	char image_note[2 * KUBE_IMAGE_MAX], replicas_note[32];
	/* of the container that serves clients */
	char container[KUBE_NAME_MAX];
	char image[KUBE_IMAGE_MAX];
	unsigned client_port, monitor_port; /* client_port 0: serves none */
	char config_path[256];		    /* empty: not known */
	char config_map[KUBE_NAME_MAX], config_key[KUBE_NAME_MAX];
	struct kube_mount mounts[KUBE_MOUNTS_MAX];
	unsigned nmounts;
};

struct kube_budget {
	char name[KUBE_NAME_MAX];
	unsigned allowed; /* pods that may be disrupted now */
	unsigned most;	  /* likewise, when all pods are ready */
	bool is_ours;	  /* it selects our pods */
};

/* What a watch line says. */
enum kube_event {
	KUBE_MALFORMED,
	KUBE_PUT,      /* added or modified */
	KUBE_GONE,     /* deleted */
	KUBE_BOOKMARK, /* nothing but a newer resourceVersion */
	KUBE_EXPIRED,  /* too old: list again */
	KUBE_ERROR,
};

/* Members by name; "" or 0 when they aren't there or of another type. */
const cJSON *kube_object_at(const cJSON *, const char *path); /* "a.b.c" */
const char *kube_object_text(const cJSON *, const char *path);
uint64_t kube_object_number(const cJSON *, const char *path);

/*
 * Read an object: a pod, with the state of this container (NULL: the first); a
 * StatefulSet. 0, or -EINVAL when it is none.
 */
int kube_object_pod(const cJSON *, const char *container, struct kube_pod *);
int kube_object_set(const cJSON *, struct kube_set *);

/*
 * The template of the claim that this path of the container is on; "" when
 * it is on none.
 */
const char *kube_object_claim(const struct kube_set *, const char *path);

/* True when these labels have all of those (none: always). */
bool kube_object_has_labels(const cJSON *labels, const cJSON *all_of);

/*
 * Read a disruption budget. is_ours: it selects pods with these labels. 0 or
 * -EINVAL.
 */
int kube_object_budget(
    const cJSON *, const cJSON *pod_labels, struct kube_budget *);

/* True when a rollout is over: controller and pods are at its end. */
bool kube_object_is_rolled(const struct kube_set *);

/*
 * One line of a watch. *object is the whole line's JSON, which the caller
 * deletes, and *inner the object in it.
 */
enum kube_event kube_object_event(
    const char *line, size_t len, cJSON **object, const cJSON **inner);

/*
 * The answer to a SelfSubjectAccessReview: 1 allowed, 0 not, -EINVAL when
 * it isn't one. why gets the server's reason, if it gives one.
 */
int kube_object_review(const char *body, char *why, size_t size);

/*
 * The request for one, of the object of that name ("" is any): rules may be
 * for one object only.
 */
struct kube_right {
	const char *verb, *group, *resource, *subresource;
};
void kube_object_ask_right(const struct kube_right *, const char *ns,
    const char *name, char *out, size_t size);

/* The message of a Status object, else the beginning of the body. */
void kube_object_message(const char *body, char *out, size_t size);

/* The exit code that a Status says (0 success), or -EINVAL. */
int kube_object_exit_code(const char *body);

/*
 * A server's configuration with max_connections set by a line of our own,
 * the earlier one of ours taken out. The caller frees it; NULL without
 * memory or when it has no place for one.
 */
char *kube_object_mark(const char *config, uint64_t max_connections);

#endif
