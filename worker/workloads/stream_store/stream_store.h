/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload stream-store:
 *
 *	config.c   the streams and their configurations, drawn by the seed
 *	request.c  raw requests, and what their answers mean
 *	put.c      a publish, retried until its outcome stands
 *	change.c   a removal or a change of limits, likewise
 *	look.c     reads
 *	ops.c      the table of operations, and how each is drawn
 *	weights.c  which of them a client does how often
 *	program.c  what a client does many times in a row
 *	stream_store.c	the options, setup, and the load
 */
#ifndef WORKER_STREAM_STORE_H
#define WORKER_STREAM_STORE_H

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "worker/internal.h"
#include "worker/request.h"

#define STORE_STREAMS_MAX  64
#define STORE_SUBJECTS_MAX 64
#define STORE_PAST	   64	/* publishes of its own that a client keeps */
#define STORE_ATTEMPT_MS   1000 /* one request */
#define STORE_OPS_MAX	   32
#define STORE_WEIGHTS_MAX  160
#define STORE_SUBJECT_MAX  64
#define STORE_TEXT_MAX	   1024 /* of a request */

struct store_options {
	uint64_t streams, subjects, size[2];
	char weights[STORE_WEIGHTS_MAX];
};

/* What can be changed of a stream; of limits 0 is none. */
struct store_limits {
	uint64_t messages, bytes, age_ns, per_subject;
};

struct store_config {
	struct store_limits limits;
	uint64_t max_size, dedupe_ns, first_seq;
	bool discard_new, new_per_subject;
	bool deny_delete, deny_purge, allow_rollup, allow_ttl;
	bool is_compressed, is_memory;
	bool changes_limits; /* in the run */
	/* Removals without a bound may be drawn: see store_config_draw(). */
	bool is_unbounded;
};

/* A publish of this client that was acked. */
struct store_past {
	uint64_t id, seq;
	uint32_t subject, size, attempts;
};

/* A stream as this client knows it. */
struct store_stream {
	struct store_config config;
	char name[64];
	bool is_known;	      /* its state was told once */
	uint64_t level;	      /* of the API, as its servers say */
	uint64_t first, last; /* sequences; last: certainly acked */
	uint64_t subject_last[STORE_SUBJECTS_MAX + 1];
	struct store_past past[STORE_PAST];
	uint64_t npast; /* in all: a ring */
	bool is_full;	/* a publish was refused for that */
};

struct store_op;

/*
 * An operation. draw fills in what is drawn; false when the stream can't
 * have it now. send does it, with its events.
 */
struct store_row {
	const char *name;
	uint64_t weight; /* by default */
	uint64_t level;	 /* of the API at least; 0: every server */
	bool (*draw)(struct worker *, struct store_op *);
	void (*send)(struct worker *, struct store_op *);
};

/* One operation of one client. */
struct store_op {
	struct store_stream *at;
	uint32_t stream, subject; /* subject 0: all of them */
	uint64_t id;		  /* of a publish or a change */
	uint32_t attempt;
	/* publish */
	uint32_t size, extra; /* extra: bytes of a header of no meaning */
	enum message_word rolls;
	uint64_t ttl_ns, last, subject_last;
	bool expects_last, expects_subject;
	/* removal */
	enum message_word how;
	uint64_t remove_first, remove_last, keep;
	bool erases;
	/* change of limits */
	struct store_limits limits;
	/* read */
	enum message_word look;
	bool is_direct;
	uint64_t seq, up_to;
	uint32_t batch;
};

/* What a client does many times in a row. */
struct store_program {
	uint32_t kind, stream, left;
	uint64_t seq; /* where it goes on */
};

struct store_state {
	struct rng rng;
	struct store_stream *streams;
	uint64_t weights[STORE_OPS_MAX], weight; /* weight: their sum */
	uint64_t counter, looks;
	struct store_program program;
	struct backoff pause;
	uint64_t at; /* id of what is going on; 0: nothing */
	bool given_up;
	uint8_t *data;
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
    struct rng *, const struct store_config *, struct store_limits *);

/* Its name, and a subject (from 1; 0 is the filter of all of them). */
void store_name(const struct worker *, uint32_t i, char out[64]);
void store_subject(const struct worker *, uint32_t i, uint32_t subject,
    char out[STORE_SUBJECT_MAX]);

/* The number of a subject's name, or 0 when it is none of the stream's. */
uint32_t store_subject_read(
    const struct worker *, uint32_t i, const char *subject);

/* The whole configuration as a request has it, with these limits. */
void store_config_write(const struct worker *, uint32_t i,
    const struct store_config *, const struct store_limits *,
    char out[STORE_TEXT_MAX]);

/* What a server's answer says of it, which may know less than we asked for. */
void store_config_read(struct store_config *, const cJSON *config);

/* Make a stream, and tell of it. 0 or -ETIMEDOUT, which was logged. */
int store_config_setup(struct worker *, uint32_t i);

/* request.c: ask as request_send() does. */
enum outcome store_ask(struct worker *, const char *verb, const char *stream,
    const char *text, cJSON **tree);

/* An operation with an id is going on, or (0) is over. */
void store_at(struct store_state *, uint64_t id);

/* The next id of this process. */
uint64_t store_next_id(struct worker *);

/* Is there no sense in another attempt of what began then? */
bool store_must_give_up(
    struct worker *, uint64_t since_ns, uint64_t patience_ns);

/* put.c, change.c, look.c: do it, with all events. */
void store_put(struct worker *, struct store_op *);
void store_remove(struct worker *, struct store_op *);
void store_limit(struct worker *, struct store_op *);
void store_look(struct worker *, struct store_op *);
void store_look_state(struct worker *, struct store_op *);

/* A message is known to be at a sequence. */
void store_know(struct store_stream *, uint32_t subject, uint64_t seq);

/*
 * ops.c: the table. store_draw() fills in an operation of
 * a row for a stream: false when the stream can't have it.
 */
extern const struct store_row store_rows[];
extern const size_t store_rows_count;
bool store_draw(struct worker *, const struct store_row *, uint32_t stream,
    struct store_op *);

/* A publish to a subject, or the removal of one message, not drawn. */
void store_draw_publish(struct worker *, struct store_op *);
void store_set_delete(struct store_op *, uint64_t seq);
void store_set_purge(struct store_op *, uint64_t seq);

/*
 * weights.c: read "name:weight,...": what is not named is not done; empty is
 * every row's own weight. 0, or -EINVAL with why (OPTION_WHY_MAX bytes).
 */
int store_weights_read(
    const char *text, uint64_t weights[STORE_OPS_MAX], char *why);

/* A row by the weights; sum is what they add up to, not 0. */
const struct store_row *store_weights_pick(
    struct rng *, const uint64_t weights[STORE_OPS_MAX], uint64_t sum);

/*
 * program.c: begin one now and then; do its next step. False when none is
 * going on.
 */
void store_program_begin(struct worker *, uint32_t stream);
bool store_program_step(struct worker *);

#endif
