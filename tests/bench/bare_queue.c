/* SPDX-License-Identifier: ISC */
/*
 * queue-group-consumer: one publisher (the first process), N consumers in
 * processes of their own; a consumer tells the publisher through one shared
 * pipe that its ack was confirmed, which is the cheapest hand-over there is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "tests/bench/bare.h"

#define QUEUE	 "queue"
#define DURABLE	 "burn"
#define ROUND_MS 30000

static int
queue_set_up(struct bare *b)
{
	char stream[64], deliver[96];
	jsConsumerConfig cc;

	bare_stream_name(b, QUEUE, stream, sizeof(stream));
	bare_subject(b, "deliver", deliver, sizeof(deliver));
	(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
	cc.Durable = DURABLE;
	cc.DeliverSubject = deliver;
	cc.DeliverGroup = DURABLE;
	if (bare_set_up_stream(b, QUEUE) < 0)
		return -1;
	return bare_add_consumer(b, stream, &cc);
}

/* Receive, ack, tell; until the publisher is gone. */
static void
consume(struct bare *b, natsSubscription *sub)
{
	natsMsg *msg = NULL;
	uint64_t counter;
	natsStatus st;

	do {
		st = natsSubscription_NextMsg(&msg, sub, 1000);
		if (st == NATS_TIMEOUT)
			continue;
		if (st != NATS_OK) {
			(void)bare_fail("receive", st); /* and it ends */
			return;
		}
		if (natsMsg_GetDataLength(msg) < (int)sizeof(counter)) {
			natsMsg_Destroy(msg); /* a status message */
			continue;
		}
		memcpy(&counter, natsMsg_GetData(msg), sizeof(counter));
		bare_ack(b, natsMsg_GetReply(msg));
		natsMsg_Destroy(msg);
		if (!bare_tell(&counter, 1))
			return;
	} while (true);
}

static void
queue_child(struct bare *b, unsigned index)
{
	natsSubscription *sub = NULL;
	uint64_t ready = 0;
	char deliver[96];
	natsStatus st;

	(void)index; /* they are all alike */
	bare_subject(b, "deliver", deliver, sizeof(deliver));
	st = natsConnection_QueueSubscribeSync(&sub, b->nc, deliver, DURABLE);
	if (st == NATS_OK)
		st = natsConnection_FlushTimeout(b->nc, 5000);
	if (st != NATS_OK)
		(void)bare_fail("subscribe", st); /* and it ends */
	else if (bare_tell(&ready, 1))
		consume(b, sub);
	natsSubscription_Destroy(sub);
}

static int
one_round(struct bare *b, const char *subject, uint8_t *data)
{
	uint64_t begun = clock_mono_ns(), got, counter = ++b->rounds;
	char id[64];

	text_format(
	    id, sizeof(id), "%s-%llx", b->tag, (unsigned long long)counter);
	memcpy(data, &counter, sizeof(counter));
	bare_publish(b, subject, data, b->size, id);
	hist_add(&b->publish, clock_mono_ns() - begun);
	do
		if (bare_hear(b, &got, ROUND_MS) < 0) {
			fprintf(stderr,
			    "bench_bare: round %llu was not confirmed in "
			    "time\n",
			    (unsigned long long)counter);
			return -1;
		}
	while (got != counter);
	hist_add(&b->round, clock_mono_ns() - begun);
	return 0;
}

static int
queue_load(struct bare *b)
{
	uint64_t end = clock_mono_ns() + b->seconds * CLOCK_S;
	uint8_t *data = calloc(1, b->size);
	char subject[96];
	int err = 0;

	if (data == NULL)
		return -1;
	bare_subject(b, QUEUE, subject, sizeof(subject));
	while (err == 0 && clock_mono_ns() < end)
		err = one_round(b, subject, data);
	free(data);
	return err;
}

static void
queue_tear_down(struct bare *b)
{
	char stream[64];

	bare_stream_name(b, QUEUE, stream, sizeof(stream));
	(void)js_DeleteStream(b->js, stream, NULL, NULL); /* tidiness */
}

const struct bare_loop bare_queue = {
    .test = "queue-group-consumer",
    .has_children = true,
    .set_up = queue_set_up,
    .load = queue_load,
    .tear_down = queue_tear_down,
    .child = queue_child,
};
