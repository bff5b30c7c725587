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
	char why[128]; /* text of the last outcome that isn't OK */
	uint32_t code; /* JetStream's error code of it, or 0 */
	natsStatus status;
	bool gives_up;	   /* session_open: not for ever against a refusal */
	char refusal[256]; /* why servers refused, for users; no secret */
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

/* Note a status of the library as the session's last outcome. */
enum outcome session_outcome(struct session *, natsStatus, jsErrCode);

/* Publish with a message id and wait for the ack. */
enum outcome session_publish(struct session *, const char *subject,
    const void *data, size_t len, const char *message_id, uint64_t timeout_ns,
    uint64_t *seq, bool *duplicate);

/* Ack a delivery and wait for the server's confirmation. */
enum outcome session_ack(
    struct session *, const char *reply_subject, uint64_t timeout_ns);

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
