/* SPDX-License-Identifier: ISC */
/* Reading through a consumer; see reader.h. */
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/reader.h"

#define PULL_NS	    (2 * CLOCK_S)
#define SLICE_MS    500
#define BATCH_BYTES (UINT64_C(32) << 20) /* of messages of the mean size */
#define BATCH_LEAST 8
#define INACTIVE_NS (300 * CLOCK_S)

void
reader_config(jsConsumerConfig *cc, const char *name)
{
	session_consumer_config(cc, name);
	cc->AckPolicy = js_AckNone;
	cc->InactiveThreshold = (int64_t)INACTIVE_NS;
}

unsigned
reader_batch(unsigned most, uint64_t bytes, uint64_t messages)
{
	uint64_t mean = messages > 0 ? bytes / messages : 0;
	uint64_t fit = mean > 0 ? BATCH_BYTES / mean : most;

	if (fit < BATCH_LEAST)
		fit = BATCH_LEAST;
	return fit < most ? (unsigned)fit : most;
}

int
reader_open(struct reader *r)
{
	return session_listen(&r->w->session, &r->sub, r->inbox);
}

void
reader_close(struct reader *r)
{
	natsSubscription_Destroy(r->sub);
	r->sub = NULL;
}

static int
take(struct reader *r, natsMsg *msg)
{
	struct delivery d;

	if (session_delivery(natsMsg_GetReply(msg), &d) < 0)
		return 0; /* a status */
	return r->take(r, msg, &d);
}

int
reader_pull(struct reader *r)
{
	uint64_t deadline = clock_mono_ns() + PULL_NS;
	char reply[sizeof(r->inbox) + 4];
	unsigned taken = 0;
	natsMsg *msg;
	int got, wait_ms;

	text_format(reply, sizeof(reply), "%s.r", r->inbox);
	session_pull(&r->w->session, &r->consumer, reply, r->batch, PULL_NS);
	while (taken < r->batch && !r->is_over) {
		wait_ms = clock_poll_ms(clock_mono_ns(), deadline, SLICE_MS);
		if (wait_ms == 0)
			break;
		msg = NULL;
		if (natsSubscription_NextMsg(&msg, r->sub, wait_ms) !=
		    NATS_OK) {
			child_beat(&r->w->child);
			continue;
		}
		got = take(r, msg);
		natsMsg_Destroy(msg);
		if (got < 0)
			return got;
		taken += (unsigned)got;
	}
	child_beat(&r->w->child);
	return (int)taken;
}
