/* SPDX-License-Identifier: ISC */
/*
 * durable-pull-consumer: N lanes, each a process with a stream and a durable
 * of its own: publish, pull one by a raw request (as worker/pull.c), ack
 * with confirmation. A lane tells the first process how long its rounds
 * took, many of them in one write.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "tests/bench/bare.h"

#define PULL	  "{\"batch\":1,\"expires\":1000000000}"
#define PULL_MS	  1250
#define AT_ONCE	  64 /* rounds told in one write */
#define REPORT_MS 30000

struct lane {
	char stream[64], subject[96], api[160], inbox[64];
	natsSubscription *sub;
	uint64_t pulls, counter;
	uint64_t told[AT_ONCE];
	size_t ntold;
};

static void
lane_name(unsigned index, char *out, size_t size)
{
	text_format(out, size, "lane%u", index);
}

static int
lanes_set_up(struct bare *b)
{
	char name[16], stream[64];
	jsConsumerConfig cc;
	unsigned i;

	for (i = 0; i < b->consumers; i++) {
		lane_name(i, name, sizeof(name));
		bare_stream_name(b, name, stream, sizeof(stream));
		(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
		cc.Durable = name;
		if (bare_set_up_stream(b, name) < 0 ||
		    bare_add_consumer(b, stream, &cc) < 0)
			return -1;
	}
	return 0;
}

static int
lane_open(struct bare *b, struct lane *l, unsigned index)
{
	char name[16], wild[sizeof(l->inbox) + 2] = "";
	natsInbox *inbox = NULL;
	natsStatus st = natsInbox_Create(&inbox);

	lane_name(index, name, sizeof(name));
	bare_stream_name(b, name, l->stream, sizeof(l->stream));
	bare_subject(b, name, l->subject, sizeof(l->subject));
	text_format(l->api, sizeof(l->api), "$JS.API.CONSUMER.MSG.NEXT.%s.%s",
	    l->stream, name);
	if (st == NATS_OK) {
		text_set(l->inbox, sizeof(l->inbox), inbox);
		text_add(wild, sizeof(wild), "%s.*", inbox);
		st = natsConnection_SubscribeSync(&l->sub, b->nc, wild);
	}
	if (st == NATS_OK)
		st = natsConnection_FlushTimeout(b->nc, 5000);
	natsInbox_Destroy(inbox);
	return st == NATS_OK ? 0 : bare_fail("listen for deliveries", st);
}

/* One message, acked; asked for again when none came. */
static void
take_one(struct bare *b, struct lane *l)
{
	char reply[sizeof(l->inbox) + 24];
	natsMsg *msg = NULL;
	bool is_delivery = false;

	while (!is_delivery) {
		text_format(reply, sizeof(reply), "%s.%llu", l->inbox,
		    (unsigned long long)++l->pulls);
		if (natsConnection_PublishRequestString(
			b->nc, l->api, reply, PULL) != NATS_OK ||
		    natsSubscription_NextMsg(&msg, l->sub, PULL_MS) != NATS_OK)
			continue;
		is_delivery = natsMsg_GetReply(msg) != NULL;
		if (is_delivery)
			bare_ack(b, natsMsg_GetReply(msg));
		natsMsg_Destroy(msg);
		msg = NULL;
	}
}

static bool
tell_rounds(struct lane *l)
{
	size_t n = l->ntold;

	l->ntold = 0;
	return bare_tell(l->told, n);
}

static void
lane_load(struct bare *b, struct lane *l, uint8_t *data)
{
	uint64_t now = clock_mono_ns(), end = now + b->seconds * CLOCK_S, begun;
	char id[64];

	while (now < end) {
		begun = now;
		l->counter++;
		text_format(id, sizeof(id), "%s-%llx-%llx", b->tag,
		    (unsigned long long)b->child,
		    (unsigned long long)l->counter);
		memcpy(data, &l->counter, sizeof(l->counter));
		bare_publish(b, l->subject, data, b->size, id);
		take_one(b, l);
		now = clock_mono_ns();
		l->told[l->ntold++] = now - begun;
		if (l->ntold == AT_ONCE && !tell_rounds(l))
			return;
	}
	(void)tell_rounds(l); /* if nobody listens it doesn't matter */
}

static void
lanes_child(struct bare *b, unsigned index)
{
	struct lane l = {.pulls = 0};
	uint8_t *data = calloc(1, b->size);
	uint64_t ready = 0;

	if (data != NULL && lane_open(b, &l, index) == 0 &&
	    bare_tell(&ready, 1)) {
		bare_await_go();
		lane_load(b, &l, data);
	}
	natsSubscription_Destroy(l.sub);
	free(data);
}

/* Until the last lane has closed its end. */
static int
lanes_load(struct bare *b)
{
	uint64_t took;

	while (bare_hear(b, &took, REPORT_MS) == 0) {
		b->rounds++;
		hist_add(&b->round, took);
	}
	return b->rounds > 0 ? 0 : -1;
}

static void
lanes_tear_down(struct bare *b)
{
	char name[16], stream[64];
	unsigned i;

	for (i = 0; i < b->consumers; i++) {
		lane_name(i, name, sizeof(name));
		bare_stream_name(b, name, stream, sizeof(stream));
		(void)js_DeleteStream(b->js, stream, NULL, NULL); /* tidiness */
	}
}

const struct bare_loop bare_lanes = {
    .test = "durable-pull-consumer",
    .has_children = true,
    .set_up = lanes_set_up,
    .load = lanes_load,
    .tear_down = lanes_tear_down,
    .child = lanes_child,
};
