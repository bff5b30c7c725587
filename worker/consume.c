/* SPDX-License-Identifier: ISC */
/*
 * Receiving and acking one message. The order is what makes the history
 * true: "delivered" is in the parent's pipe before the ack is sent, and
 * "confirmed" only follows the server's answer.
 */
#include <errno.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define ACK_NS	     CLOCK_S /* one request; retrying it is harmless */
#define ACKS_AT_STOP 3

int
consume_deliver(struct worker *w, struct consumption *c, natsMsg *msg)
{
	struct event ev; /* too large to be cleared for each message */
	struct msg_deliver *m = &ev.u.deliver;

	if (session_delivery(natsMsg_GetReply(msg), &c->delivery) < 0)
		return -EINVAL;
	c->intact = payload_read(&c->payload, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg));
	ev.type = MESSAGE_DELIVER;
	m->stream = c->stream;
	m->consumer = c->consumer;
	m->seq = c->delivery.seq;
	m->consumer_seq = c->delivery.consumer_seq;
	m->delivered = c->delivery.delivered;
	m->stamp_ns = c->delivery.stamp_ns;
	m->id = c->payload.id;
	m->run = c->payload.run;
	m->sum = c->payload.sum;
	m->intact = c->intact;
	child_emit(&w->child, &ev); /* emit_ack() flushes before the ack */
	return 0;
}

static void
emit_ack(struct worker *w, enum message_type type, const struct consumption *c,
    uint32_t attempt)
{
	struct event ev = {.type = type};

	/* The first four fields of the ack messages are the same. */
	ev.u.ack_invoke.consumer = c->consumer;
	ev.u.ack_invoke.seq = c->delivery.seq;
	ev.u.ack_invoke.consumer_seq = c->delivery.consumer_seq;
	ev.u.ack_invoke.id = c->payload.id;
	if (type == MESSAGE_ACK_INVOKE)
		ev.u.ack_invoke.attempt = attempt;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
emit_unknown(struct worker *w, const struct consumption *c, bool gave_up)
{
	struct event ev = {.type = MESSAGE_ACK_UNKNOWN};
	struct msg_ack_unknown *m = &ev.u.ack_unknown;

	m->consumer = c->consumer;
	m->seq = c->delivery.seq;
	m->consumer_seq = c->delivery.consumer_seq;
	m->id = c->payload.id;
	m->gave_up = gave_up;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

enum outcome
consume_ack(struct worker *w, const struct consumption *c, natsMsg *msg)
{
	uint64_t deadline =
	    clock_mono_ns() +
	    (c->ack_ns != 0 ? c->ack_ns : w->config.op_timeout_ns);
	const char *reply = natsMsg_GetReply(msg);
	struct backoff b = {0};
	uint32_t attempt = 0;
	bool gave_up = false;

	while (!gave_up) {
		emit_ack(w, MESSAGE_ACK_INVOKE, c, ++attempt);
		if (session_ack(&w->session, reply, ACK_NS) == OUTCOME_OK) {
			emit_ack(w, MESSAGE_ACK_OK, c, 0);
			return OUTCOME_OK;
		}
		gave_up = clock_mono_ns() >= deadline ||
			  (worker_commands(w, 0) && attempt > ACKS_AT_STOP);
		emit_unknown(w, c, gave_up);
		if (!gave_up)
			session_backoff(&b, &w->child);
	}
	return OUTCOME_UNKNOWN;
}
