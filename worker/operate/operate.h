/* SPDX-License-Identifier: ISC */
/*
 * Operations on streams whose messages go away, for workloads that draw them
 * by weights: a workload has a table of rows, and what is drawn is sent here,
 * with all events. Raw requests and headers are used, so that it does not
 * depend on what the client library knows.
 *
 *	operate.c  what goes on at the moment, and for how long it is tried
 *	put.c      a publish, retried until its outcome stands; put.h its parts
 *	change.c   a removal or a change of limits, likewise
 *	make.c     streams, and their names
 *	plain.c    streams from which nothing is removed
 *	look.c     reads
 *	show.c     what a read shows, as events
 *	draw.c     what is drawn of the messages that a client knows
 *	weights.c  which rows a client does how often
 *
 * The state of such a workload begins with struct operate, and its options
 * are its own.
 */
#ifndef WORKER_OPERATE_H
#define WORKER_OPERATE_H

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "worker/internal.h"
#include "worker/request.h"

#define OPERATE_SUBJECTS_MAX 64
#define OPERATE_PAST	     64	  /* publishes of its own that a client keeps */
#define OPERATE_ATTEMPT_MS   1000 /* one request */
#define OPERATE_ROWS_MAX     32
#define OPERATE_WEIGHTS_MAX  160
#define OPERATE_SUBJECT_MAX  96
#define OPERATE_TEXT_MAX     1024 /* of a request */
/* JetStream can't for the moment: what is asked for may be tried again. */
#define OPERATE_UNAVAILABLE 10008

/* What can be changed of a stream; of limits 0 is none. */
struct operate_limits {
	uint64_t messages, bytes, age_ns, per_subject;
};

/* A publish of this client that was acked. */
struct operate_past {
	uint64_t id, seq;
	uint32_t subject, size, attempts;
};

/* A stream as this client knows it. */
struct operate_stream {
	char name[80];
	uint64_t dedupe_ns; /* as configured, and the next */
	bool is_memory;
	bool is_known;	      /* its state was told once */
	uint64_t level;	      /* of the API, as its servers say */
	uint64_t first, last; /* sequences; last: certainly acked */
	uint64_t subject_last[OPERATE_SUBJECTS_MAX + 1];
	struct operate_past past[OPERATE_PAST];
	uint64_t npast; /* in all: a ring */
	bool is_full;	/* a publish was refused for that */
};

struct operation;

/*
 * An operation. draw fills in what is drawn; false when the stream can't
 * have it now. send does it, with its events.
 */
struct operate_row {
	const char *name;
	uint64_t weight; /* by default */
	uint64_t level;	 /* of the API at least; 0: every server */
	bool (*draw)(struct worker *, struct operation *);
	void (*send)(struct worker *, struct operation *);
};

/* What a workload has of its own. */
struct operate_ops {
	const char *option; /* its name for weights, as users type it */
	const struct operate_row *rows;
	size_t nrows;
	/* The name of a subject (from 1; 0 is the filter of all of them). */
	void (*subject)(const struct worker *, uint32_t stream,
	    uint32_t subject, char out[OPERATE_SUBJECT_MAX]);
	/* Its number, or 0 when it is none of the stream's. */
	uint32_t (*subject_read)(
	    const struct worker *, uint32_t stream, const char *subject);
	/* What a server's answer says of a stream's configuration. */
	void (*config_read)(
	    struct worker *, uint32_t stream, const cJSON *config);
};

/* One operation of one client. */
struct operation {
	struct operate_stream *at;
	uint32_t stream, subject; /* subject 0: all of them */
	uint64_t id;		  /* of a publish or a change */
	uint32_t attempt;
	/* publish */
	uint32_t size, extra; /* extra: bytes of a header of no meaning */
	enum message_word rolls;
	uint64_t ttl_ns, last, subject_last;
	bool expects_last, expects_subject;
	const char *marks; /* DEL or PURGE: it has no payload; or NULL */
	bool adds;	   /* to a counter, what its id says */
	/* removal */
	enum message_word how;
	uint64_t remove_first, remove_last, keep;
	bool erases;
	/* change of limits */
	struct operate_limits limits;
	/* read */
	enum message_word look;
	bool is_direct;
	uint64_t seq, up_to;
	uint32_t batch;
};

/* A workload's state begins with it. */
struct operate {
	const struct operate_ops *ops;
	struct rng rng;
	struct operate_stream *streams;
	uint64_t weights[OPERATE_ROWS_MAX], weight; /* weight: their sum */
	uint64_t counter, looks;
	struct backoff pause;
	uint64_t at; /* id of what is going on; 0: nothing */
	bool given_up;
	uint8_t *data; /* PAYLOAD_MAX bytes */
};

/*
 * operate.c: begin with so many streams, whose names and configurations the
 * caller fills in; 0 or -errno, operate_fini() in either case.
 */
int operate_init(struct worker *, const struct operate_ops *,
    const char *weights, uint64_t streams);
void operate_fini(struct worker *);

/* A command came. */
void operate_command(struct worker *, const struct event *);

/*
 * Draw an operation of a row for a stream: false when the stream can't have
 * it.
 */
bool operate_draw(struct worker *, const struct operate_row *, uint32_t stream,
    struct operation *);

/*
 * One operation by the weights, that suits the stream. A stream that is full
 * gets room, most of the time: publishes that are refused show little.
 */
void operate_step(struct worker *, uint32_t stream);

/* Ask as request_send() does. */
enum outcome operate_ask(struct worker *, const char *verb, const char *stream,
    const char *text, cJSON **tree);

/* An operation with an id is going on, or (0) is over. */
void operate_at(struct operate *, uint64_t id);

/* The next id of this process. */
uint64_t operate_next_id(struct worker *);

/* Is there no sense in another attempt of what began then? */
bool operate_must_give_up(
    struct worker *, uint64_t since_ns, uint64_t patience_ns);

/* put.c, change.c, look.c: do it, with all events. */
void operate_put(struct worker *, struct operation *);
void operate_remove(struct worker *, struct operation *);
void operate_look(struct worker *, struct operation *);
void operate_look_state(struct worker *, struct operation *);

/*
 * make.c: the name of stream number i, a subject of it (from 1; 0 is the filter
 * of all of them), and a subject's number, or 0 when it is none of so many.
 */
void operate_name(const struct worker *, uint32_t i, char out[64]);
void operate_subject(const struct worker *, uint32_t i, uint32_t subject,
    char out[OPERATE_SUBJECT_MAX]);
uint32_t operate_subject_read(
    const struct worker *, uint32_t i, uint64_t subjects, const char *subject);

/*
 * Make a stream by this request. 0 with the answer, which is the
 * caller's to delete, and when it was created; or -ETIMEDOUT, which was logged.
 */
int operate_make(struct worker *, const char *name, const char *text,
    cJSON **answer, uint64_t *created);

/*
 * Do the servers know what came with this level of JetStream's API? 0; or
 * -ENOTSUP, and the session has what is lacking, in words; or -ETIMEDOUT.
 */
int operate_require(struct worker *, uint64_t level, const char *what);

/* A change of a stream, and how it is told before each attempt. */
struct operate_change {
	void (*tell)(
	    struct worker *, const void *what, const struct changing *);
	const void *what;
	const char *verb, *name, *text; /* name: the stream's */
	uint64_t patience_ns;
	bool insists; /* also when the answer is that it failed */
};

/*
 * Ask for it with a new id until its outcome stands, with all events: true
 * when JetStream did it.
 */
bool operate_change(
    struct worker *, uint32_t stream, const struct operate_change *);

/* Ask for other limits with this request for an update. */
void operate_limit(struct worker *, struct operation *, const char *text);

/* Ask for a seal with one: true when it is confirmed. */
bool operate_seal(struct worker *, struct operation *, const char *text);

/*
 * show.c: a message that a read shows, out of the leader's answer, as a
 * replica sends it (false when that is none), or as a consumer delivers it.
 */
struct operate_shown {
	uint32_t stream;
	uint64_t look;
	uint32_t count;
	uint64_t seq; /* of the one that was shown last */
};
void operate_show_answer(
    struct worker *, struct operate_shown *, const cJSON *message);
bool operate_show_direct(struct worker *, struct operate_shown *, natsMsg *);
void operate_show_delivery(struct worker *, struct operate_shown *, natsMsg *,
    const struct delivery *);

/*
 * Tell of what a scan read, of this subject, if it is a message that the
 * server made by itself; false when it is none.
 */
bool operate_show_marker(struct worker *, uint32_t stream, uint32_t subject,
    const struct scan_seen *, natsMsg *);

/* plain.c: what the options of a test of plain streams begin with. */
struct plain_options {
	uint64_t streams, subjects; /* so many, and of each stream */
	char weights[OPERATE_WEIGHTS_MAX];
};

/*
 * Make those of these streams from one number up to another, which is not made,
 * without limits; their configuration has what is in the text as well
 * ("\"allow_atomic\":true"). Begin with all; and the hook step, one operation
 * on one of them.
 */
int plain_setup(struct worker *, uint64_t from, uint64_t to, const char *text);
int plain_begin(struct worker *, const struct operate_ops *);
int plain_step(struct worker *);

/* The number of a subject's name, or 0 when it is none of the stream's. */
uint32_t plain_subject_read(
    const struct worker *, uint32_t stream, const char *subject);

/* What rows of such a workload draw: a read by sequence, a state. */
bool plain_draw_get(struct worker *, struct operation *);
bool plain_draw_state(struct worker *, struct operation *);

/* Nothing of a configuration is of use to a client. */
void plain_config_read(struct worker *, uint32_t stream, const cJSON *);

/* draw.c: a number below n. */
uint64_t operate_below(struct worker *, uint64_t n);

/*
 * For streams whose servers make markers: a subject to write to, of which every
 * second one rests for 15 s in turn, so that its last message grows old.
 */
uint32_t operate_draw_awake(struct worker *, uint64_t subjects);

/* A publish of this client that was acked, to be sent again. */
bool operate_draw_repeat(struct worker *, struct operation *);

/* A publish of this client, of which it keeps the latest, or NULL. */
const struct operate_past *operate_draw_past(
    struct worker *, const struct operate_stream *);

/* A sequence that is or was used: its own, near the end, or anywhere. */
bool operate_draw_seq(
    struct worker *, const struct operate_stream *, uint64_t *seq);

/* A message is known to be at a sequence. */
void operate_know(struct operate_stream *, uint32_t subject, uint64_t seq);

/* The removal of one message, or (purge) of all below seq, which is not 1. */
void operate_set_delete(struct operation *, uint64_t seq);
void operate_set_purge(struct operation *, uint64_t seq);

/*
 * weights.c: read "name:weight,...": what is not named is not done; empty is
 * every row's own weight. 0, or -EINVAL with why (OPTION_WHY_MAX bytes).
 */
int operate_weights_read(const struct operate_ops *, const char *text,
    uint64_t weights[OPERATE_ROWS_MAX], char *why);

/* A row by the weights; sum is what they add up to, not 0. */
const struct operate_row *operate_weights_pick(const struct operate_ops *,
    struct rng *, const uint64_t weights[OPERATE_ROWS_MAX], uint64_t sum);

#endif
