/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload "pipeline":
 *
 *	names.c      what its options mean, and what its things are called
 *	publisher.c  a publisher process
 *	repeat.c     what it sends again after it was acknowledged
 *	consumer.c   a consumer process
 *	answers.c    how it answers, and how long the server waits for that
 *	pipeline.c   the options, setup, the audit, and who has which role
 */
#ifndef WORKER_PIPELINE_H
#define WORKER_PIPELINE_H

#include "proto/base/rng.h"
#include "worker/internal.h"

#define PIPE_SUFFIX	  "pipe"
#define PIPE_DURABLES_MAX 32
#define PIPE_WINDOW_MAX	  65536
#define PIPE_BATCH_MAX	  1000
#define PIPE_DEDUPE_NS	  (600 * CLOCK_S)
#define PIPE_LAZY_NS	  (5 * CLOCK_MS) /* events that nothing waits for */
#define PIPE_WAITS_MAX	  16		 /* of a back-off */
#define PIPE_LIST_MAX	  256

struct pipe_options {
	uint64_t durables, window, batch;
	uint64_t size[2]; /* bytes of a payload: least and most */
	uint64_t ack_wait_ns, churn_ns;
	uint64_t max_ack_pending, backlog;
	uint64_t repeat;      /* percent of the acknowledged messages */
	uint64_t max_deliver; /* 0: any number */
	char consumer[16], ack[8], retention[16];
	char answers[PIPE_LIST_MAX], backoff[PIPE_LIST_MAX];
	bool filter;
};

enum pipe_kind {
	PIPE_PULL = 1,
	PIPE_PUSH = 2,
	PIPE_ORDERED = 3
};

enum pipe_kind pipe_kind(const struct pipe_options *);
jsRetentionPolicy pipe_retention(const struct pipe_options *);

/* Acks without confirmation. */
bool pipe_is_plain(const struct pipe_options *);

/* Message n has subject n % this. */
uint32_t pipe_subjects(const struct pipe_options *);

/* Durable k takes one subject only: true and which. */
bool pipe_filter(const struct pipe_options *, uint32_t k, uint32_t *subject);

/* Names of durable k and of the subject that it is pushed to. */
void pipe_durable(uint32_t k, char *out, size_t size);
void pipe_deliver(const struct worker *, uint32_t k, char *out, size_t size);

/* Where consumers tell publishers how far behind they are: "k pending". */
void pipe_lag_subject(const struct worker *, char *out, size_t size);

/* Tell the rules (CONSUMER_RULES) of a consumer, which durable k is. */
void pipe_tell_rules(struct worker *, uint32_t consumer, uint32_t k);

/*
 * answers.c: what a consumer process says of a delivery. nak-delay is
 * ANSWER_NAK with a delay, and "in progress" is said until the message is
 * acked.
 */
enum pipe_answer_row {
	PIPE_ACK,
	PIPE_NAK,
	PIPE_NAK_DELAY,
	PIPE_TERM,
	PIPE_PROGRESS,
	PIPE_NONE,
	PIPE_ANSWERS
};

struct pipe_answers {
	uint64_t weights[PIPE_ANSWERS], sum; /* sum 0: everything is acked */
};

/*
 * Read -o pipeline.answers, "name:weight,...": what is not named is not said.
 * 0, or -EINVAL and the reason in why (OPTION_WHY_MAX).
 */
int pipe_answers_read(
    const struct pipe_options *, struct pipe_answers *, char *why);

/* Draw one. */
enum pipe_answer_row pipe_answers_draw(
    const struct pipe_answers *, struct rng *);

/*
 * Read -o pipeline.backoff, a list of at most PIPE_WAITS_MAX times in ns; *n is
 * 0 when there is none. 0, or -EINVAL and the reason in why (OPTION_WHY_MAX).
 */
int pipe_backoff_read(const struct pipe_options *,
    int64_t waits[PIPE_WAITS_MAX], int *n, char *why);

/* The shortest time that the server waits for an ack, likewise. */
int pipe_wait_read(const struct pipe_options *, uint64_t *ns, char *why);

/* Tell an answer that is no ack (ANSWER_INVOKE): how is ANSWER_... */
struct pipe_said {
	struct ack ack;
	enum message_word how;
	uint64_t delay_ns; /* of a nak */
	uint32_t attempt;
};
void pipe_tell_answer(struct worker *, const struct pipe_said *);

/* The server has confirmed it. */
void pipe_tell_answered(struct worker *, const struct pipe_said *);

/* It has not, for the reason in w->session. */
void pipe_tell_unanswered(struct worker *, const struct pipe_said *);

/* publisher.c */
struct pipe_publisher;
int pipe_publisher_begin(struct worker *, struct pipe_publisher **);
int pipe_publisher_step(struct worker *, struct pipe_publisher *);
int pipe_publisher_drain(struct worker *, struct pipe_publisher *);
void pipe_publisher_give_up(struct pipe_publisher *, uint64_t id);
void pipe_publisher_end(struct pipe_publisher *);

/* Write what a message is made of; a->size bytes. Its checksum. */
uint64_t pipe_fill(const struct worker *, const struct attempt *, uint8_t *out);

/*
 * Send a message with its id, to its subject below the stem; its answer goes
 * to reply. False when the library did not take it.
 */
bool pipe_send(struct worker *, const char *stem, const struct attempt *,
    const uint8_t *data, const char *reply);

/* The last token of an answer's address: PLACE-ID-ATTEMPT. */
struct pipe_place {
	uint64_t at, id; /* id is never 0 */
	uint32_t attempt;
};

/* Read ".PLACE-ID-ATTEMPT"; false when it is NULL or something else. */
bool pipe_place_read(const char *dot, struct pipe_place *);

/* What a server says of a publish. */
struct pipe_answer {
	uint64_t seq; /* 0: it was refused, or that can't be read */
	uint32_t code;
	bool duplicate;
};

/* Read it; false when there is nothing in it. */
bool pipe_answer_read(const natsMsg *, struct pipe_answer *);

/* repeat.c: *out is NULL when nothing is to be sent again. 0 or -errno. */
struct pipe_repeats;
int pipe_repeats_begin(struct worker *, struct pipe_repeats **out);

/* A message was acknowledged at seq; it was first tried at first_ns. */
void pipe_repeats_add(struct pipe_repeats *, const struct attempt *,
    uint64_t first_ns, uint64_t seq);

/* Take answers, and send what is due, without waiting: 0 or -EIO. */
int pipe_repeats_step(struct worker *, struct pipe_repeats *, uint64_t now);

/*
 * The load ends: what waits is due at once, and nothing is added. True when
 * none is open any more, some seconds later at the latest.
 */
bool pipe_repeats_drain(struct pipe_repeats *);
void pipe_repeats_end(struct pipe_repeats *);

/* consumer.c */
struct pipe_consumer;
int pipe_consumer_begin(struct worker *, struct pipe_consumer **);
int pipe_consumer_step(struct worker *, struct pipe_consumer *);
int pipe_consumer_drain(struct worker *, struct pipe_consumer *);
void pipe_consumer_end(struct pipe_consumer *);

#endif
