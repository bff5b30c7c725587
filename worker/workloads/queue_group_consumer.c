/* SPDX-License-Identifier: ISC */
/*
 * queue-group-consumer: one publisher, N consumers in a queue group on one
 * durable push consumer, one message in flight:
 *
 *	for i in 1..M { publish(i); wait until one consumer received i and
 *	its ack was confirmed }
 *
 * The publisher learns from the parent that i is done. A consumer tells the
 * parent what it received before it acks, so that a worker killed between
 * the two can't fake a loss.
 */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "worker/internal.h"

#define SUFFIX	  "queue"
#define DURABLE	  "burn"
#define NEXT_MS	  100
#define DEDUPE_NS (600 * CLOCK_S)

struct queue_options {
	uint64_t size;
	uint64_t ack_wait_ns;
};

struct queue_state {
	char subject[96], deliver[96];
	natsSubscription *sub;	/* consumers */
	struct publication now; /* publisher */
	uint64_t next, awaited; /* counters; awaited 0: none in flight */
};

static const struct option_spec options[] = {
    {"size", OPTION_U64, offsetof(struct queue_options, size), 8, "128",
	PAYLOAD_MIN, PAYLOAD_MAX, NULL, "BYTES", "payload of a message", false},
    {"ack-wait", OPTION_DURATION, offsetof(struct queue_options, ack_wait_ns),
	8, "5s", CLOCK_S / 10, 3600 * CLOCK_S, NULL, "TIME",
	"redelivery of what was not acked", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
queue_setup(struct worker *w)
{
	const struct queue_options *o = w->options;
	struct worker_stream ws = {.suffix = SUFFIX, .dedupe_ns = DEDUPE_NS};
	char deliver[96];
	jsConsumerConfig cc;
	int err = setup_stream(w, &ws);

	if (err < 0)
		return err;
	worker_subject(w, "deliver", deliver, sizeof(deliver));
	session_consumer_config(&cc, DURABLE);
	cc.DeliverSubject = deliver;
	cc.DeliverGroup = DURABLE;
	cc.AckPolicy = js_AckExplicit;
	cc.AckWait = (int64_t)o->ack_wait_ns;
	cc.MaxDeliver = -1;
	return setup_consumer(w, 0, 0, SUFFIX, &cc);
}

static int
queue_begin(struct worker *w)
{
	struct queue_state *q = w->state;
	natsStatus st = NATS_OK;

	worker_subject(w, SUFFIX, q->subject, sizeof(q->subject));
	worker_subject(w, "deliver", q->deliver, sizeof(q->deliver));
	if (strcmp(w->role, "consumer") == 0) {
		st = natsConnection_QueueSubscribeSync(
		    &q->sub, w->session.nc, q->deliver, DURABLE);
		/* READY means that the server knows the interest. */
		if (st == NATS_OK)
			st = natsConnection_FlushTimeout(w->session.nc, 5000);
	}
	if (st != NATS_OK)
		log_error("cannot subscribe to \"%s\": %s", q->deliver,
		    natsStatus_GetText(st));
	return st == NATS_OK ? 0 : -EIO;
}

static int
publisher_step(struct worker *w)
{
	struct queue_state *q = w->state;
	const struct queue_options *o = w->options;
	enum outcome outcome;

	if (q->awaited != 0) {
		worker_commands(w, 100);
		return 0;
	}
	if (q->next == 0)
		q->next = w->counter;
	memset(&q->now, 0, sizeof(q->now));
	q->now.subject = q->subject;
	q->now.id = message_id(w->source, q->next);
	q->now.size = (uint32_t)o->size;
	/* A retry must lie within the dedupe window of the first attempt. */
	q->now.give_up_ns = DEDUPE_NS / 2;
	q->awaited = q->next++;
	outcome = publish_message(w, &q->now);
	if (outcome != OUTCOME_OK)
		q->awaited = 0; /* it may come, or not */
	return 0;
}

static void
queue_command(struct worker *w, const struct event *cmd)
{
	struct queue_state *q = w->state;
	uint64_t counter = message_id_counter(cmd->u.done.id);

	if (cmd->type == MESSAGE_DONE && counter == q->awaited)
		q->awaited = 0;
	else if (cmd->type == MESSAGE_GIVE_UP && cmd->u.give_up.id == q->now.id)
		q->now.given_up = true;
}

static int
consumer_step(struct worker *w)
{
	struct queue_state *q = w->state;
	const struct queue_options *o = w->options;
	/*
	 * A new consumer leader that doesn't know of the delivery ignores
	 * its ack for ever (nats-server PR 6792); only the redelivery, which
	 * comes after the ack wait, can then be acked.
	 */
	struct consumption c = {.ack_ns = 2 * o->ack_wait_ns};
	natsMsg *msg = NULL;
	natsStatus st = natsSubscription_NextMsg(&msg, q->sub, NEXT_MS);

	if (st == NATS_TIMEOUT)
		return 0;
	if (st != NATS_OK) {
		log_error("cannot receive: %s", natsStatus_GetText(st));
		return -EIO;
	}
	if (consume_deliver(w, &c, msg) == 0)
		(void)consume_ack(w, &c, msg); /* its events say it all */
	natsMsg_Destroy(msg);
	return 0;
}

static int
queue_step(struct worker *w)
{
	if (strcmp(w->role, "publisher") == 0)
		return publisher_step(w);
	return consumer_step(w);
}

static void
queue_end(struct worker *w)
{
	struct queue_state *q = w->state;

	natsSubscription_Destroy(q->sub);
}

static const struct workload_role roles[] = {
    {"publisher", WORKLOAD_ONE, true},
    {"consumer", WORKLOAD_CONSUMERS, false},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_queue_group_consumer = {
    .name = "queue-group-consumer",
    .summary = "one message in flight through a durable push queue group",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct queue_options),
    .state_size = sizeof(struct queue_state),
    .is_steered = true,
    .setup = queue_setup,
    .begin = queue_begin,
    .step = queue_step,
    .command = queue_command,
    .end = queue_end,
};
