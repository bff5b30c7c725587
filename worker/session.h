/* SPDX-License-Identifier: ISC */
/*
 * One connection to the cluster, and the operations on it that workloads
 * use. Statuses of the client library stop here: what leaves this file is
 * an outcome (done, certainly not done, unknown) with a text.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <nats/nats.h>

#include "proto/child.h"
#include "proto/config.h"
#include "proto/nats_login.h"

enum outcome {
	OUTCOME_OK,
	OUTCOME_FAIL,	/* it certainly had no effect */
	OUTCOME_UNKNOWN /* it may have happened, or may still happen */
};

struct session {
	natsConnection *nc;
	jsCtx *js;
	char urls[CONFIG_NODES_MAX][256];
	unsigned nurls;
	char why[128];	/* text of the last outcome that isn't OK */
	char said[128]; /* a server's words in it, where JSON has told them */
	uint32_t code;	/* JetStream's error code of it, or 0 */
	natsStatus status;
	bool gives_up;	   /* session_open: not for ever against a refusal */
	char refusal[256]; /* why servers refused, for users; no secret */
	/* How subjects of its API and of answers to us begin. */
	const struct run_config *config;
};

/*
 * Connect, trying again until deadline_ns; beats on child meanwhile.
 * Reconnects by itself for ever afterwards. 0 or -errno: -ETIMEDOUT, or with
 * gives_up -EACCES when for some seconds servers were reached but let nobody
 * in (login, TLS); refusal then says it.
 */
int session_open(struct session *, struct child *, const struct run_config *,
    uint64_t deadline_ns);
void session_close(struct session *);

/*
 * Note a status of the library as the session's last outcome: with the text
 * and the code that go with it, and, where it is asked for, what it means for
 * an operation that has an effect.
 */
void session_note(struct session *, natsStatus, jsErrCode);
enum outcome session_outcome(struct session *, natsStatus, jsErrCode);

/* What was said of the last outcome, by the server if it has said something. */
const char *session_words(const struct session *);

/*
 * Options and configurations as the library fills them in, with what nearly
 * everybody sets. The strings are borrowed.
 */
void session_options(jsOptions *, int64_t wait_ms);
void session_publish_options(jsPubOptions *, const char *id, int64_t wait_ms);
void session_direct_options(jsDirectGetMsgOptions *, const char *subject);
void session_subscribe_options(jsSubOptions *);
void session_stream_config(jsStreamConfig *, const char *name);
void session_consumer_config(jsConsumerConfig *, const char *durable);

/* A consumer by its names, both borrowed. */
struct session_consumer {
	const char *stream, *name;
};

/*
 * Ask for, make or delete. What is got belongs to the caller, who asks
 * s->code and s->why when the outcome isn't OK.
 */
enum outcome session_stream_info(
    struct session *, const char *stream, int64_t wait_ms, jsStreamInfo **);
enum outcome session_consumer_info(struct session *,
    const struct session_consumer *, int64_t wait_ms, jsConsumerInfo **);
enum outcome session_add_consumer(struct session *, const char *stream,
    jsConsumerConfig *, int64_t wait_ms, jsConsumerInfo **);

/* Best effort: for consumers that end by themselves when nobody reads. */
void session_drop_consumer(
    struct session *, const struct session_consumer *, int64_t wait_ms);

/*
 * A subject of JetStream's API, for requests that the library doesn't make:
 * "STREAM.INFO.name" goes behind what the connection's API begins with. out has
 * SESSION_API_MAX bytes.
 */
#define SESSION_API_MAX 256
void session_api(const struct session *, char *out, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Where a message of that subject is sent to (SESSION_API_MAX bytes): those of
 * buckets don't pass leaf nodes between domains, or imports, but as a part of
 * the API do, which is how every client library sends them (ADR-8).
 */
void session_put_subject(
    const struct session *, const char *subject, char *out);

/*
 * Subscribe to all below a new inbox: 0 or -EIO. The caller destroys *sub,
 * which is NULL before, in either case.
 */
#define SESSION_INBOX_MAX NATS_INBOX_MAX
int session_listen(
    struct session *, natsSubscription **sub, char inbox[SESSION_INBOX_MAX]);

/*
 * The same, to the inbox itself: a server sends a push consumer's messages
 * only where somebody listens to that very subject.
 */
int session_listen_at(
    struct session *, natsSubscription **sub, char inbox[SESSION_INBOX_MAX]);

/*
 * Send without waiting, for what is as good as lost when it can't be sent:
 * its sender notices by the missing answer, or does not mind. reply may be
 * NULL.
 */
void session_send(
    struct session *, const char *subject, const char *reply, const char *text);

/* Ask a pull consumer for a batch, which comes to the reply subject. */
void session_pull(struct session *, const struct session_consumer *,
    const char *reply, uint64_t batch, uint64_t expires_ns);

/* Publish with a message id and wait for the ack. */
enum outcome session_publish(struct session *, const char *subject,
    const void *data, size_t len, const char *message_id, uint64_t timeout_ns,
    uint64_t *seq, bool *duplicate);

/*
 * Answer a delivery ("+ACK", "+WPI") and wait for the server's confirmation.
 */
enum outcome session_confirm(struct session *, const char *reply_subject,
    const char *ack, uint64_t timeout_ns);

/* What the reply subject of a delivery says. */
struct delivery {
	uint64_t delivered, seq, consumer_seq, pending;
	int64_t stamp_ns;
};

/* Parse it: 0 or -EINVAL when it isn't a delivery of JetStream. */
int session_delivery(const char *reply_subject, struct delivery *);

/* A pause that grows: 10 ms doubling to 500 ms; beats meanwhile. */
struct backoff {
	unsigned step;
};
void session_backoff(struct backoff *, struct child *);

#endif
