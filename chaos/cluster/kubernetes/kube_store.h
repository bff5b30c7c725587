/* SPDX-License-Identifier: ISC */
/*
 * The stores of the servers: each is a volume, by a claim that the StatefulSet
 * makes for its pod. A server loses it when the claim is deleted, which takes
 * effect when its pod has ended; the next pod has a claim of the same name and
 * an empty volume. That is believed when the claim has another uid and another
 * volume, and the server doesn't say that it found something there.
 */
#ifndef CHAOS_KUBE_STORE_H
#define CHAOS_KUBE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/kubernetes/kube_object.h"

#define KUBE_HOW_MAX 160

enum kube_store_step {
	STORE_IS_KEPT,
	STORE_IS_LOOKED_FOR,
	STORE_IS_TO_GO,	  /* its claim is being deleted */
	STORE_IS_ENDING,  /* and so has the pod to be */
	STORE_IS_GOING,	  /* another claim is waited for */
	STORE_IS_ANOTHER, /* what the server says of it is waited for */
	STORE_IS_NEW,
	STORE_IS_OLD /* for all that */
};

/* Of one server. */
struct kube_store {
	struct cluster *cluster;
	unsigned node;
	enum kube_store_step step;
	char claim[2 * KUBE_NAME_MAX];
	char uid[KUBE_UID_MAX], volume[KUBE_VOLUME_MAX]; /* before */
	uint64_t whole_ns, next_ns;
	bool is_asking;
	char how[KUBE_HOW_MAX]; /* for the report */
};

/*
 * A step of the way up, if a fault takes stores: find the claims, by where the
 * servers say that they store; refuse when there is none, and when streams of
 * others have fewer replicas than survive the loss of one. 0, or -errno.
 */
int kube_store_look(struct cluster *);

/*
 * Have a server lose its store, and end. When the API refuses that it keeps
 * both. whole_ns: every replica was current when asked after that.
 */
int kube_store_lose(struct cluster *, unsigned node, uint64_t whole_ns);

/* 0 when its store is gone and another one there, -EAGAIN, or -EIO: it isn't.
 */
int kube_store_empty(struct cluster *, unsigned node);

/* Do what is due. */
void kube_store_step(struct cluster *);

/*
 * Wait until each pod whose claim was deleted is told to end: else the store
 * would be lost whenever that pod ends next.
 */
void kube_store_restore(struct cluster *);

#endif
