/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload kv-store, which operates as
 * worker/operate/operate.h has it: keys are subjects, revisions sequences.
 *
 *	bucket.c    the buckets and their configurations, drawn by the seed
 *	ops.c       the table of operations, and how each is drawn
 *	watch.c     watches
 *	kv_store.c  the options, setup, and the load
 */
#ifndef WORKER_KV_STORE_H
#define WORKER_KV_STORE_H

#include "worker/operate/operate.h"

#define BUCKETS_MAX    64
#define BUCKET_GROUP   8 /* keys of a prefix */
#define BUCKET_FOREVER UINT64_MAX
#define WATCHES	       3 /* at one time; the first one is there all the time */

struct bucket_options {
	uint64_t buckets, keys, size[2];
	char weights[OPERATE_WEIGHTS_MAX];
};

struct bucket_config {
	uint64_t history, bytes, age_ns, dedupe_ns;
	uint64_t marker_ns; /* lifetime of markers; 0: none are made */
	bool allow_ttl, is_compressed, is_memory;
	/* Removals without a bound may be drawn: see bucket_config_draw(). */
	bool is_unbounded;
};

struct watch {
	bool is_open;
	enum message_word how;
	uint32_t first, last; /* keys */
	uint64_t from;	      /* sequence, of WATCH_FROM */
	bool is_bare;	      /* without values */
	bool is_brief;	      /* it ends when all that was there is shown */
	uint64_t end_ns;      /* or then; BUCKET_FOREVER: with the load */
	struct operate_shown shown;
	uint64_t highest; /* sequence that it has shown */
	/* its consumer, which is made anew when something is missing */
	natsSubscription *sub; /* NULL: there is none now */
	char consumer[64];
	uint32_t times;
	uint64_t consumer_seq; /* of what came last from it */
	uint64_t heard_ns, retry_ns, reconnects;
	bool is_initial; /* all that was there is shown */
};

struct bucket_state {
	struct operate operate;	       /* first, as operate.h has it */
	struct bucket_config *configs; /* by bucket */
	struct watch watches[WATCHES];
};

/*
 * bucket.c: the configuration of bucket number i, which the run's seed says.
 * What buckets must show is made certain by i: of 0 modulo 4 one revision of
 * a key is kept, values of 1 have an age, 2 holds so many bytes, and only on 3
 * are messages removed without a bound by sequence.
 * Of 0 markers last so long that one which lacks is noticed.
 */
void bucket_config_draw(
    const struct worker *, uint32_t i, struct bucket_config *);

/* Names of its stream, and of a key (0: the filter of all of them). */
void bucket_name(const struct worker *, uint32_t i, char out[80]);
void bucket_key(const struct worker *, uint32_t i, uint32_t key,
    char out[OPERATE_SUBJECT_MAX]);

/* The number of a key's name, or 0 when it is none of the bucket's. */
uint32_t bucket_key_read(
    const struct worker *, uint32_t i, const char *subject);

/* The filter of keys first to last: one, the group of first, or all. */
void bucket_filter(const struct worker *, uint32_t i, const struct watch *,
    char out[OPERATE_SUBJECT_MAX]);

/* The whole configuration as a request has it. */
void bucket_config_write(const struct worker *, uint32_t i,
    const struct bucket_config *, char out[OPERATE_TEXT_MAX]);

/* What a server's answer says of it, which may know less than we asked for. */
void bucket_config_read(struct bucket_config *, const cJSON *config);

/* Make a bucket, and tell of it. 0 or -ETIMEDOUT, which was logged. */
int bucket_setup(struct worker *, uint32_t i);

/* ops.c: the table. */
extern const struct operate_ops bucket_operate;

/*
 * watch.c: begin a watch, with its events; what it shows comes by
 * watch_take(), which takes what is here and makes its consumer (anew) when
 * it has none.
 */
void watch_begin(struct worker *, struct watch *, uint32_t bucket);
void watch_take(struct worker *, struct watch *);

/* Take until it ends by itself, or until end_ns. */
void watch_await(struct worker *, struct watch *);

/*
 * It is over. waited_for is the sequence that was waited for since then, or 0;
 * it has come if what was shown last is not below.
 */
void watch_end(
    struct worker *, struct watch *, uint64_t waited_for, uint64_t since_ns);

#endif
