/* SPDX-License-Identifier: ISC */
/*
 * A worker process from inside: what workloads work with. Everything here
 * belongs to the main thread; callbacks of the client library are not used.
 */
#ifndef WORKER_INTERNAL_H
#define WORKER_INTERNAL_H

#include "proto/child.h"
#include "proto/config.h"
#include "worker/payload.h"
#include "worker/session.h"
#include "worker/worker.h"

#define WORKER_STREAMS_MAX 4096

/* A stream that the parent asked to scan. */
struct worker_target {
	uint32_t stream;
	uint64_t last_acked;
	char name[64];
};

struct worker {
	struct child child;
	struct run_config config;
	const struct workload_ops *ops;
	char role[32];
	uint32_t source, incarnation;
	struct session session;
	void *state;	  /* the workload's, state_size bytes */
	void *options;	  /* the workload's, filled from -o */
	uint64_t counter; /* first counter to publish, from START */
	uint32_t index;	  /* which of its role, from 0, from START */
	bool is_started;
	struct worker_target *targets; /* audit only */
	unsigned ntargets;
};

/*
 * Take commands that have come; wait up to timeout_ms for the first.
 * Returns true when STOP has been received by now or earlier.
 */
bool worker_commands(struct worker *, int timeout_ms);

/* Name of a stream, and a subject, of this run: NB_<run>_<suffix>. */
void worker_stream_name(
    const struct worker *, const char *suffix, char *out, size_t size);
void worker_subject(
    const struct worker *, const char *suffix, char *out, size_t size);

/* setup.c: make things, trying again until they are there. */
struct worker_stream {
	uint32_t index;
	const char *suffix; /* names stream and subject */
	uint64_t dedupe_ns;
	jsRetentionPolicy retention;
};

/* Make a stream with the run's replicas and storage and emit STREAM. */
int setup_stream(struct worker *, const struct worker_stream *);

/* Make a consumer with the run's replicas and emit CONSUMER. */
int setup_consumer(struct worker *, uint32_t index, uint32_t stream_index,
    const char *stream_suffix, jsConsumerConfig *);

/* publish.c: one message, retried until its outcome stands. */
struct publication {
	uint32_t stream;
	const char *subject;
	uint64_t id;
	uint32_t size;
	uint64_t give_up_ns; /* longest to retry */
	bool given_up;	     /* set by the parent's GIVE_UP */
	uint64_t seq;	     /* from the ack */
};

/*
 * Publish, with all events; retried with back-off until acknowledged,
 * given up, or STOP was received and give_up_ns passed. Returns the
 * outcome of the message as a whole. Each attempt is in the parent's pipe
 * before it is sent; that it was acknowledged goes up with the next event
 * that is flushed, or when commands are looked for.
 */
enum outcome publish_message(struct worker *, struct publication *);

/* consume.c: one delivery, told before it is acked. */
struct consumption {
	uint32_t stream, consumer; /* set by the caller */
	uint64_t ack_ns;	   /* longest to retry; 0: --op-timeout */
	struct delivery delivery;  /* from its reply subject */
	struct payload payload;	   /* valid when intact */
	bool intact;
};

/*
 * Read a delivery and emit DELIVER. consume_ack() has it in the parent's
 * pipe before the ack leaves, so that a worker killed before its ack can't
 * fake a loss; without an ack the caller flushes. 0, or
 * -EINVAL when msg isn't a delivery (a status message, say).
 */
int consume_deliver(struct worker *, struct consumption *, natsMsg *msg);

/*
 * Ack with confirmation, with all events; retried with back-off for
 * --op-timeout, or a few times once STOP was received.
 */
enum outcome consume_ack(
    struct worker *, const struct consumption *, natsMsg *msg);

/* pull.c: pulling by raw requests; embedded in its owner. */
struct pull {
	natsSubscription *sub;
	char inbox[64];	      /* request n is answered at <inbox>.<n> */
	uint64_t number;      /* of the latest request */
	struct backoff pause; /* after refusals */
};

/* Listen for deliveries: 0 or -EIO; pull_close() in either case. */
int pull_open(struct pull *, struct session *);
void pull_close(struct pull *);

/*
 * The next delivery of a consumer, asked for when none is here already: 1
 * and *msg, which the caller destroys; 0 when none came within expires_ns;
 * -EIO when the connection is closed for good. What an earlier request
 * asked for may come late and counts like any other.
 */
int pull_next(struct worker *, struct pull *, const char *stream,
    const char *consumer, uint64_t expires_ns, natsMsg **msg);

/* audit.c: the scan that suits all streams. */
int audit_streams(struct worker *);

/* copies.c: compare every replica of the streams with the others. */
int audit_copies(struct worker *);
/* remains.c: the scan of streams that drop what was acked. */
int remains_streams(struct worker *);

/* setup.c: delete the streams that the parent named. */
int setup_clean(struct worker *);

#endif
