/* SPDX-License-Identifier: ISC */
/*
 * The API of a Kubernetes cluster, as chaos reaches it: through a "kubectl
 * proxy" of its own, so that every kubeconfig, context and login plug-in
 * works, or from within a pod with the service account's token. Requests
 * never block: their answers come out of kube_step().
 */
#ifndef CHAOS_KUBE_H
#define CHAOS_KUBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chaos/transfer.h"

#define KUBE_NAME_MAX	64 /* of objects; a label has 63 bytes at most */
#define KUBE_PATH_MAX	1024
#define KUBE_BODY_MAX	((size_t)4 << 20)
#define KUBE_ARGS_MAX	16
#define KUBE_MERGE_TYPE "application/merge-patch+json"
/* As a merge patch, but rows of lists are found by their names. */
#define KUBE_ROWS_TYPE "application/strategic-merge-patch+json"

struct kube;

struct kube_login {
	const char *kubeconfig, *context; /* empty: kubectl's own choice */
	const char *dir;		  /* for its socket and its output */
	const char *base; /* NULL, or for tests: http://host:port, no kubectl */
};

/* A transfer; the first member of what it belongs to. */
struct kube_job {
	struct transfer transfer;
	/* It ended: HTTP status, or -errno without one. May free its owner. */
	void (*finished)(struct kube_job *, int status);
};

/*
 * The answer to a request: its HTTP status and its body (with a NUL behind
 * it), or -errno when there was none.
 */
typedef void kube_done(void *arg, int status, const char *body);

struct kube_ask {
	const char *method; /* NULL: GET */
	const char *path;   /* from "/" on, or a whole http:// url */
	const char *body;   /* or NULL */
	const char *type;   /* of the body; NULL: application/json */
	long timeout_ms;    /* 0: 10 s */
	kube_done *done;    /* or NULL */
	void *arg;
};

/* NULL without memory. The login's texts are copied. */
struct kube *kube_create(const struct kube_login *);

/* Also ends its kubectl; no done is called. */
void kube_destroy(struct kube *);

/*
 * Start kubectl proxy, or find the service account when we are a pod.
 * 0 or -errno; whether it answers is asked with kube_request().
 */
int kube_start(struct kube *);

/* True while kubectl proxy runs (or isn't needed). */
bool kube_is_running(const struct kube *);

/* True when natsburn runs in a pod and uses its service account. */
bool kube_is_inside(const struct kube *);

/* Where kubectl proxy listens: a unix socket of ours; empty without one. */
const char *kube_socket(const struct kube *);

/* Ask something. 0 or -errno; done is called later, never from here. */
int kube_request(struct kube *, const struct kube_ask *);

/*
 * Of the status of an answer: the API will not do it, and asking again will not
 * help; or what was to be deleted is, or has been.
 */
bool kube_is_refusal(int status);
bool kube_is_deleted(int status);

/* Requests of this arg that are open go on, but their done is not called. */
void kube_forget(struct kube *, const void *arg);

/* Take in what came. */
void kube_step(struct kube *);

/* Requests made so far, exec and watches too. */
uint64_t kube_requests(const struct kube *);

/*
 * For jobs: open its transfer, with the address of path; start it, -EINVAL
 * when a setting of it was not taken; end it. 0 or -errno.
 */
int kube_prepare(struct kube *, struct kube_job *, const char *path);
int kube_run(struct kube *, struct kube_job *);
void kube_release(struct kube *, struct kube_job *);

/*
 * The lines Host and Authorization of a request, for who writes its head by
 * hand.
 */
void kube_head(const struct kube *, char *out, size_t size);

/*
 * Start kubectl with these arguments behind the login's; its output goes to
 * the file. The pid, or -errno.
 */
pid_t kube_spawn(
    const struct kube *, const char *const *args, const char *output);

/* The file's last line of text, for messages; empty if there is none. */
void kube_last_line(const char *path, char *out, size_t size);

#endif
