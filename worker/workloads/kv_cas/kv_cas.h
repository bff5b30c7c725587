/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload kv-cas:
 *
 *	read.c    names, and reading keys
 *	update.c  an update, retried until its outcome stands
 *	audit.c   what every path shows of the keys in the end
 *	kv_cas.c  the options, setup, and the load
 */
#ifndef WORKER_KV_CAS_H
#define WORKER_KV_CAS_H

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "worker/internal.h"

#define KEYS_MAX   256
#define ATTEMPT_MS 1000 /* one request; retrying it is harmless */
#define DEDUPE_NS  (600 * CLOCK_S)

/* KV_READ.path and the like. */
enum kv_path {
	PATH_LEADER = 1,
	PATH_DIRECT,
	PATH_CONSUMER
};

enum read_mode {
	READ_LEADER,
	READ_DIRECT,
	READ_MIXED
};

struct kv_options {
	uint64_t keys, size, history, confirm_ns;
	char read[8];
};

/* What this client knows of a key. */
struct kv_key {
	uint64_t revision, id; /* last known to be committed; 0 none */
};

/* What a read returned. */
struct kv_reading {
	bool found, intact;
	uint64_t revision;
	struct payload payload;
};

struct kv_update {
	uint64_t id, expected, sum, revision;
	uint32_t key, size, attempt;
	bool is_unknown; /* the outcome of an attempt is */
	bool given_up;	 /* the parent's GIVE_UP, or too late */
	char subject[96], message_id[PUBLISH_ID_MAX];
	uint8_t *data;
};

struct kv_state {
	char bucket[64], stream[72];
	enum read_mode mode;
	struct rng rng;
	struct kv_key keys[KEYS_MAX];
	uint64_t counter, reads;
	struct kv_update now;
	uint32_t key;	   /* being worked on */
	uint64_t doubt_ns; /* since when its reads are too old; 0: not */
	unsigned rereads;
	struct backoff pause;
	uint8_t *data;
};

/* read.c: fill in the names of the bucket and who is to be asked. */
void kv_names(struct worker *);
void kv_key_subject(
    const struct kv_state *, uint32_t key, char *out, size_t size);

/* What a message holds; NULL is a key without a value. */
void kv_take(struct kv_reading *, natsMsg *);

/*
 * One request for the last value of a key: 1 it has one, 0 it has none,
 * -EIO no answer. An absence only counts when the server says so in words:
 * "no stream" or "no responders" are no answers about the key.
 */
int kv_get(struct session *, const struct kv_state *, uint32_t key,
    enum kv_path, struct kv_reading *);

/*
 * A read with its events. 0 or -EIO when there was no answer. A read changes
 * nothing, so its events may go up with what follows it: an update flushes
 * before it is sent, a pause at its begin.
 */
int kv_read_key(
    struct worker *, uint32_t key, enum kv_path, struct kv_reading *);

/* The revision of a key that is known to be committed. */
void kv_know(struct kv_key *, uint64_t revision, uint64_t id);

/* update.c: one update of a key, with its events. */
void kv_update_key(struct worker *, uint32_t key);

/* audit.c: the audit hook. */
int kv_audit(struct worker *);

#endif
