/* SPDX-License-Identifier: ISC */
/*
 * bench_bare: the calls of natsburn's workloads in bare loops over nats.c,
 * judging and recording nothing. They are what natsburn's rounds a second
 * are compared with. Streams, consumers and connections have the settings
 * of worker/setup.c, worker/session.c and the workload's own file under
 * worker/workloads, and a round makes the requests of a round there; who
 * changes those changes these.
 *
 * One file a loop, with its struct bare_loop at the bottom; bare.c has the
 * table of them, the command line and the processes.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <nats/nats.h>
#include <stdbool.h>
#include <sys/types.h>

#include "proto/base/hist.h"

#define BARE_URLS_MAX	  16
#define BARE_CHILDREN_MAX 512
#define BARE_SIZE_MIN	  40 /* of a payload, as worker/payload.h says */
#define BARE_FIRST	  3  /* natsburn's first source number of the load */
#define BARE_ATTEMPT_MS	  1000
#define BARE_DEDUPE_NS	  (600 * CLOCK_S)
#define BARE_ACK_WAIT_NS  (5 * CLOCK_S)

struct bare {
	char test[32], tag[32]; /* tag: in names of streams and subjects */
	char urls[BARE_URLS_MAX][256];
	unsigned nurls;
	uint64_t consumers, size, seconds, replicas, seed;
	uint64_t child; /* which, from 1; 0: the first process */
	natsConnection *nc;
	jsCtx *js;
	pid_t pids[BARE_CHILDREN_MAX];
	int in_fd; /* of the first process: what the children write */
	int go_fd; /* of the first process: closed when the load begins */
	uint64_t took_ns, rounds, adds, removes;
	struct hist publish, round;
};

struct bare_loop {
	const char *test; /* as natsburn calls it */
	bool has_children;
	int (*set_up)(struct bare *); /* connected; 0 or -1 */
	int (*load)(struct bare *);   /* counts rounds; 0 or -1 */
	void (*tear_down)(struct bare *);
	/* A child, from 0, connected; returns when there is no more to do. */
	void (*child)(struct bare *, unsigned index);
};

extern const struct bare_loop bare_queue, bare_lanes, bare_keys, bare_streams;

/* Complain: always -1. */
int bare_fail(const char *what, natsStatus);

/* A pause; one that is cut is fine. */
void bare_pause(int ms);

/* Names of this run. what may be "". */
void bare_stream_name(
    const struct bare *, const char *what, char *out, size_t size);
void bare_subject(
    const struct bare *, const char *what, char *out, size_t size);

/* Make things, trying again for a minute: 0 or -1. */
int bare_add_stream(struct bare *, jsStreamConfig *);
int bare_add_consumer(struct bare *, const char *stream, jsConsumerConfig *);

/* The stream that worker/setup.c makes for what. */
int bare_set_up_stream(struct bare *, const char *what);

/* Publish with a message id, again until it is acknowledged. */
void bare_publish(const struct bare *, const char *subject, const void *data,
    size_t len, const char *message_id);

/* Ack with confirmation, again until it is confirmed. */
void bare_ack(const struct bare *, const char *reply_subject);

/* Of a child: write a number for the first process; false: it is gone. */
bool bare_tell(const uint64_t *numbers, size_t n);

/* Of a child: wait until the load begins. */
void bare_await_go(void);

/* Of the first process: the next number of a child. 0 or -errno. */
int bare_hear(const struct bare *, uint64_t *number, int timeout_ms);

#endif
