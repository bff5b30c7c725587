/* SPDX-License-Identifier: ISC */
/*
 * Receiving and acking one message. The order is what makes the history
 * true: "delivered" is in the parent's pipe before the ack is sent, and
 * "confirmed" only follows the server's answer.
 */
#include <errno.h>

#include "proto/base/clock.h"
#include "worker/denial.h"
#include "worker/internal.h"

#define ACK_NS	     CLOCK_S /* one request; retrying it is harmless */
#define ACKS_AT_STOP 3

int
consume_deliver(struct worker *w, struct consumption *c, natsMsg *msg)
{
	if (session_delivery(natsMsg_GetReply(msg), &c->delivery) < 0)
		return -EINVAL;
	c->intact = payload_read(&c->payload, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg));
	tell_reconnects(w); /* it may have come by the new one */
	tell_delivery(w, c);
	return 0;
}

enum outcome
consume_ack(struct worker *w, const struct consumption *c, natsMsg *msg)
{
	const struct ack a = {c->consumer, c->delivery.seq,
	    c->delivery.consumer_seq, c->payload.id};
	uint64_t deadline =
	    clock_mono_ns() +
	    (c->ack_ns != 0 ? c->ack_ns : w->config.op_timeout_ns);
	const char *reply = natsMsg_GetReply(msg);
	struct backoff b = {0};
	uint32_t attempt = 0;
	bool gave_up = false;

	while (!gave_up) {
		tell_ack_invoke(w, &a, ++attempt);
		child_flush(&w->child); /* and the delivery before it */
		if (session_confirm(&w->session, reply, "+ACK", ACK_NS) ==
		    OUTCOME_OK) {
			tell_confirmed(w, &a);
			child_flush(&w->child);
			return OUTCOME_OK;
		}
		gave_up = clock_mono_ns() >= deadline || denial_look(w) < 0 ||
			  (worker_must_stop(w) && attempt > ACKS_AT_STOP);
		tell_unconfirmed(w, &a, gave_up);
		child_flush(&w->child);
		if (!gave_up)
			session_backoff(&b, &w->child);
	}
	return OUTCOME_UNKNOWN;
}
