/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload stream-store, which operates as
 * worker/operate/operate.h has it:
 *
 *	config.c   the streams and their configurations, drawn by the seed
 *	ops.c      the table of operations, and how each is drawn
 *	program.c  what a client does many times in a row
 *	stream_store.c	the options, setup, and the load
 */
#ifndef WORKER_STREAM_STORE_H
#define WORKER_STREAM_STORE_H

#include "worker/operate/operate.h"

#define STORE_STREAMS_MAX 64

struct store_options {
	uint64_t streams, subjects, size[2];
	char weights[OPERATE_WEIGHTS_MAX];
	bool from_one; /* the first sequence of all is 1; no option */
};

struct store_config {
	struct operate_limits limits;
	uint64_t max_size, dedupe_ns, first_seq;
	uint64_t marker_ns; /* lifetime of markers; 0: none are made */
	bool discard_new, new_per_subject;
	bool deny_delete, deny_purge, allow_rollup, allow_ttl;
	bool is_compressed, is_memory;
	bool changes_limits; /* in the run */
	/* Removals without a bound may be drawn: see store_config_draw(). */
	bool is_unbounded;
	bool is_sealed; /* in the end; then nothing in it may grow old */
};

/* What a client does many times in a row. */
struct store_program {
	uint32_t kind, stream, left;
	uint64_t seq; /* where it goes on */
};

struct store_state {
	struct operate operate;	      /* first, as operate.h has it */
	struct store_config *configs; /* by stream */
	struct store_program program;
};

/*
 * config.c: the configuration of stream number i, which the run's seed says.
 * What streams must show is made certain by i: of 0 modulo 4 nothing is
 * limited, 1 has limits and discards old messages, 2 discards new ones, and
 * only on 3 are messages removed without a bound by sequence. Where limits are
 * changed less can be judged, so that is every other stream that has any.
 */
void store_config_draw(
    const struct worker *, uint32_t i, struct store_config *);

/* Other limits for a stream, of the kind that it has. */
void store_limits_draw(
    struct rng *, const struct store_config *, struct operate_limits *);

/* The number of a subject's name, or 0 when it is none of the stream's. */
uint32_t store_subject_read(
    const struct worker *, uint32_t i, const char *subject);

/* The whole configuration as a request has it, with these limits. */
void store_config_write(const struct worker *, uint32_t i,
    const struct store_config *, const struct operate_limits *,
    char out[OPERATE_TEXT_MAX]);

/* What a server's answer says of it, which may know less than we asked for. */
void store_config_read(struct store_config *, const cJSON *config);

/* Make a stream, and tell of it. 0 or -ETIMEDOUT, which was logged. */
int store_config_setup(struct worker *, uint32_t i);

/* The configuration of a stream as this client knows it. */
const struct store_config *store_config(const struct worker *, uint32_t i);

/* ops.c: the table. */
extern const struct operate_ops store_operate;

/* Seal a stream: true when that is confirmed. */
bool store_seal(struct worker *, struct operation *);

/* A publish to a subject, not drawn by a row. */
void store_draw_publish(struct worker *, struct operation *);

/*
 * program.c: begin one now and then; do its next step. False when none is
 * going on.
 */
void store_program_begin(struct worker *, uint32_t stream);
bool store_program_step(struct worker *);

/*
 * stream_store.c: the load, for other tests whose options and state begin with
 * these. Begin with weights as operate_weights_read() takes them: 0 or -errno,
 * store_end() in either case. One step never fails.
 */
int store_begin(struct worker *, const char *weights);
int store_step(struct worker *);
void store_end(struct worker *);

#endif
