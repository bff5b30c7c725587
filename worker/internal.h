/* SPDX-License-Identifier: ISC */
/*
 * A worker process from inside: what workloads work with. Everything here
 * belongs to the main thread; callbacks of the client library are not used.
 */
#ifndef WORKER_INTERNAL_H
#define WORKER_INTERNAL_H

#include "proto/child.h"
#include "proto/config.h"
#include "worker/audit/limit.h"
#include "worker/payload.h"
#include "worker/session.h"
#include "worker/worker.h"

#define WORKER_STREAMS_MAX   4096
#define WORKER_CONSUMERS_MAX 65536

/* A stream that the parent asked to scan. */
struct worker_target {
	uint32_t stream;
	uint64_t last_acked;
	char name[64];
};

/* A consumer that the parent asked to look at. */
struct worker_asked {
	uint32_t stream, consumer;
	uint64_t ack_wait_ns;
	char name[64];
};

struct scan_seen;

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
	uint32_t ntargets, targets_room;
	struct worker_asked *asked; /* audit only */
	uint32_t nasked, asked_room;
	struct limit limit; /* audit only */
	/* Tells of a message that a scan read, in place of SCAN_MESSAGE. */
	bool (*scanned)(struct worker *, uint32_t stream,
	    const struct scan_seen *, natsMsg *);
	natsStatistics *stats; /* of the connection */
	uint64_t reconnects;   /* as told last */
};

/* worker.c: take commands that have come; wait up to timeout_ms for one. */
void worker_commands(struct worker *, int timeout_ms);

/* Take them without waiting: true when STOP has come by now. */
bool worker_must_stop(struct worker *);

/* Name of a stream, and a subject, of this run: NB_<run>_<suffix>. */
void worker_stream_name(
    const struct worker *, const char *suffix, char *out, size_t size);
void worker_subject(
    const struct worker *, const char *suffix, char *out, size_t size);

/*
 * tell.c: what happened to a message, as events. They are queued; whoever
 * calls flushes where they must be in the pipe before something is sent.
 */
struct attempt {
	uint32_t stream, number; /* number 1 is the first attempt */
	uint64_t id, sum;
	uint32_t size;
};

/* Of a connection that the library has made anew since this was called. */
void tell_reconnects(struct worker *);

void tell_invoke(struct worker *, const struct attempt *);
void tell_published(
    struct worker *, const struct attempt *, uint64_t seq, bool duplicate);

/* The attempt's outcome is FAIL or UNKNOWN, for the reason in w->session. */
void tell_failure(struct worker *, const struct attempt *, enum outcome);

/* No attempt follows: FAIL or UNKNOWN is the outcome of the message. */
void tell_end(struct worker *, const struct attempt *, enum outcome);

/* The value of a counter with a message of it, as somebody says. */
struct counted {
	uint32_t stream;
	uint64_t id, seq;
	enum message_word how; /* COUNTED_... */
	const char *subject, *adds, *value;
};
void tell_count(struct worker *, const struct counted *);

/* A message that a server made by itself, and what its headers say. */
#define TELL_REASON "Nats-Marker-Reason"
#define TELL_TTL    "Nats-TTL"
struct marker {
	uint32_t stream, subject;
	uint64_t seq;
	int64_t stamp_ns;
	bool is_scanned;
	const char *reason, *ttl;
};
void tell_marker(struct worker *, const struct marker *);

struct consumption;
void tell_delivery(struct worker *, const struct consumption *);

/* An ack that is to be confirmed. */
struct ack {
	uint32_t consumer;
	uint64_t seq, consumer_seq, id;
};

void tell_ack_invoke(struct worker *, const struct ack *, uint32_t attempt);
void tell_confirmed(struct worker *, const struct ack *);

/* Its answer did not come, for the reason in w->session. */
void tell_unconfirmed(struct worker *, const struct ack *, bool gave_up);

/* An attempt to change a stream or a consumer: how it ended. */
struct changing {
	uint32_t stream, attempt;
	uint64_t id;
};

/* It did it: answer (JSON) may say how many messages that removed. */
struct cJSON;
void tell_changed(
    struct worker *, const struct changing *, const struct cJSON *answer);

/* It is FAIL or UNKNOWN, for the reason in w->session. */
void tell_unchanged(struct worker *, const struct changing *, enum outcome);

/* No attempt follows. */
void tell_change_over(
    struct worker *, const struct changing *, enum outcome whole);

/* A stream exists, with the run's replicas and storage. */
void tell_stream(struct worker *, uint32_t stream, const char *name,
    uint64_t created, uint64_t dedupe_ns);

/* setup.c: make things, trying again until they are there. */

/* The run's storage. */
jsStorageType setup_storage(const struct worker *);

/* A configuration with the run's replicas and storage. name is borrowed. */
void setup_stream_config(
    const struct worker *, const char *name, jsStreamConfig *);

/*
 * What a stream is asked to be, or is, as text: "name=value; ...". What the
 * server chooses by itself when nothing is asked is left out.
 */
#define SETUP_CONFIG_MAX 512
void setup_config_text(const jsStreamConfig *, char out[SETUP_CONFIG_MAX]);

/*
 * Make a stream and tell of it, and of its configuration as asked. 0, or
 * -EACCES when that was refused for good or did not succeed in time;
 * session.refusal then says why.
 */
int setup_add_stream(struct worker *, uint32_t index, jsStreamConfig *);

/*
 * For a test whose setup makes no stream: whether one can be made, which is
 * deleted again and which nobody is told of. 0 or -EACCES as above.
 */
int setup_try_stream(struct worker *);

/*
 * Make a consumer of a stream, trying again until deadline_ns. 0 with *ci,
 * which is the caller's, or -errno; session.why has the reason.
 */
int setup_add_consumer(struct worker *, const char *stream, jsConsumerConfig *,
    uint64_t deadline_ns, jsConsumerInfo **ci);

struct worker_stream {
	uint32_t index;
	const char *suffix; /* names stream and subject */
	uint64_t dedupe_ns;
	jsRetentionPolicy retention;
};

/* Make the stream of a subject and all below it, and tell of it. */
int setup_stream(struct worker *, const struct worker_stream *);

/* Make a consumer with its stream's replicas, tell of it, and imports_try(). */
int setup_consumer(struct worker *, uint32_t index, uint32_t stream_index,
    const char *stream_suffix, jsConsumerConfig *);

/*
 * imports.c: with --js-prefix, whether acks reach a consumer and what it pushes
 * reaches us. Other accounts' subjects have to be imported for that. 0, or
 * -EACCES when they did not in 10 s: session.refusal says what lacks.
 */
int imports_try(struct worker *, const char *stream, const jsConsumerConfig *);

/*
 * Wait until every replica has a consumer, some seconds at most, and tell of
 * it; what does not come is a line in the log.
 */
void setup_await_replicas(struct worker *, uint32_t index,
    const char *stream_suffix, const char *consumer);

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

/* The id that servers know message id by, Nats-Msg-Id. */
#define PUBLISH_ID_MAX PAYLOAD_ID_MAX
void publish_id(const struct worker *, uint64_t id, char out[PUBLISH_ID_MAX]);

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
	char inbox[SESSION_INBOX_MAX]; /* request n is answered at .<n> */
	uint64_t number;	       /* of the latest request */
	struct backoff pause;	       /* after refusals */
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
int pull_next(struct worker *, struct pull *, const struct session_consumer *,
    uint64_t expires_ns, natsMsg **msg);

/* setup.c: delete the streams that the parent named. */
int setup_clean(struct worker *);

#endif
