/* SPDX-License-Identifier: ISC */
/*
 * durable-pull-consumer: N lanes side by side, each one process with a
 * durable pull consumer of its own and one message in flight:
 *
 *	for i in 1..M { publish(i); consume(i) with a pull of 1; verify i;
 *	ack(i) confirmed }
 *
 * Whatever is delivered is told and acked, also what isn't i: the message
 * of a predecessor that died, a redelivery, an unknown publish that turns
 * up late. The lane waits for i until its ack was confirmed or the parent
 * says that it has been judged.
 *
 * An ack that stays without an answer has two causes that need opposite
 * cures. It was applied and only the answer was lost: then nothing comes
 * again, and the same ack has to be repeated. Or a new leader of the
 * consumer doesn't know of the delivery and ignores the ack: then the
 * message comes again, and only that can be acked. So unanswered acks are
 * kept and repeated in turn with pulls.
 */
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define SHARED	  "lane" /* suffix of the one stream */
#define DEDUPE_NS (600 * CLOCK_S)
#define PULL_NS	  CLOCK_S
#define ACK_NS	  CLOCK_S /* then a pull, then the ack again */
#define HELD_MAX  4
#define INFO_MS	  1000

struct lane_options {
	uint64_t size;
	uint64_t ack_wait_ns;
	bool shared;
};

/* What lane k is called. */
struct lane_names {
	uint32_t stream;	/* index */
	char stream_suffix[16]; /* of the stream's name */
	char subject_suffix[24];
	char durable[16];
};

/* A delivery whose ack was not answered. */
struct held {
	struct consumption c;
	natsMsg *msg; /* NULL: free */
};

struct lane_state {
	struct lane_names names;
	char stream[64], subject[96];
	struct pull pull;
	struct publication now;
	uint64_t next;	  /* counter; 0 before the first step */
	uint64_t awaited; /* id in flight, 0 none */
	uint64_t judged;  /* id that the parent told not to wait for */
	struct held held[HELD_MAX];
	unsigned oldest; /* of held: gives way when all are used */
};

static const struct option_spec options[] = {
    {"size", OPTION_U64, offsetof(struct lane_options, size), 8, "128",
	PAYLOAD_MIN, PAYLOAD_MAX, NULL, "BYTES", "payload of a message", false},
    {"ack-wait", OPTION_DURATION, offsetof(struct lane_options, ack_wait_ns), 8,
	"5s", CLOCK_S / 10, 3600 * CLOCK_S, NULL, "TIME",
	"redelivery of what was not acked", false},
    {"shared", OPTION_FLAG, offsetof(struct lane_options, shared), 1, "false",
	0, 0, NULL, NULL, "one stream, with a filter subject for each lane",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static void
names_make(const struct worker *w, uint32_t k, struct lane_names *n)
{
	const struct lane_options *o = w->options;

	memset(n, 0, sizeof(*n));
	text_add(n->durable, sizeof(n->durable), "lane%u", k);
	if (o->shared) {
		text_set(n->stream_suffix, sizeof(n->stream_suffix), SHARED);
		text_add(n->subject_suffix, sizeof(n->subject_suffix),
		    SHARED ".%u", k);
		return;
	}
	n->stream = k;
	text_set(n->stream_suffix, sizeof(n->stream_suffix), n->durable);
	text_set(n->subject_suffix, sizeof(n->subject_suffix), n->durable);
}

/* Lane k's consumer, and its stream unless that is there already. */
static int
lane_setup(struct worker *w, uint32_t k)
{
	const struct lane_options *o = w->options;
	struct worker_stream ws = {.dedupe_ns = DEDUPE_NS};
	struct lane_names n;
	char filter[96];
	jsConsumerConfig cc;
	int err = 0;

	names_make(w, k, &n);
	ws.index = n.stream;
	ws.suffix = n.stream_suffix;
	if (n.stream == k)
		err = setup_stream(w, &ws);
	if (err < 0)
		return err;
	worker_subject(w, n.subject_suffix, filter, sizeof(filter));
	session_consumer_config(&cc, n.durable);
	cc.AckPolicy = js_AckExplicit;
	cc.AckWait = (int64_t)o->ack_wait_ns;
	cc.MaxDeliver = -1;
	if (o->shared)
		cc.FilterSubject = filter;
	return setup_consumer(w, k, n.stream, n.stream_suffix, &cc);
}

static int
lanes_setup(struct worker *w)
{
	uint32_t k;
	int err = 0;

	for (k = 0; err == 0 && k < w->config.consumers; k++)
		err = lane_setup(w, k);
	return err;
}

static int
lane_begin(struct worker *w)
{
	struct lane_state *l = w->state;

	return pull_open(&l->pull, &w->session);
}

/* The lane's number comes with START, after begin. */
static void
lane_start(struct worker *w)
{
	struct lane_state *l = w->state;

	l->next = w->counter;
	names_make(w, w->index, &l->names);
	worker_stream_name(
	    w, l->names.stream_suffix, l->stream, sizeof(l->stream));
	worker_subject(
	    w, l->names.subject_suffix, l->subject, sizeof(l->subject));
}

static void
lane_publish(struct worker *w)
{
	const struct lane_options *o = w->options;
	struct lane_state *l = w->state;

	memset(&l->now, 0, sizeof(l->now));
	l->now.stream = l->names.stream;
	l->now.subject = l->subject;
	l->now.id = message_id(w->source, l->next++);
	l->now.size = (uint32_t)o->size;
	/* A retry must lie within the dedupe window of the first attempt. */
	l->now.give_up_ns = DEDUPE_NS / 2;
	/* After any other outcome it may come, or not: it is not waited for. */
	if (publish_message(w, &l->now) == OUTCOME_OK)
		l->awaited = l->now.id;
}

static void
held_release(struct held *h)
{
	natsMsg_Destroy(h->msg);
	h->msg = NULL;
}

/* Keep a delivery to ack it again; the latest of a sequence stands. */
static void
held_keep(struct lane_state *l, const struct consumption *c, natsMsg *msg)
{
	struct held *h = NULL;
	unsigned i;

	for (i = 0; i < HELD_MAX && h == NULL; i++)
		if (l->held[i].msg != NULL &&
		    l->held[i].c.delivery.seq == c->delivery.seq)
			h = &l->held[i];
	for (i = 0; i < HELD_MAX && h == NULL; i++)
		if (l->held[i].msg == NULL)
			h = &l->held[i];
	if (h == NULL)
		h = &l->held[l->oldest++ % HELD_MAX];
	held_release(h);
	h->c = *c;
	h->msg = msg;
}

/* This ack was confirmed: the lane goes on if it was the awaited one's. */
static void
lane_confirmed(struct lane_state *l, const struct consumption *c)
{
	unsigned i;

	for (i = 0; i < HELD_MAX; i++)
		if (l->held[i].c.delivery.seq == c->delivery.seq)
			held_release(&l->held[i]);
	if (c->payload.id == l->awaited)
		l->awaited = 0;
}

static bool
is_holding(const struct lane_state *l)
{
	unsigned i;

	for (i = 0; i < HELD_MAX; i++)
		if (l->held[i].msg != NULL)
			return true;
	return false;
}

static void
held_ack(struct worker *w)
{
	struct lane_state *l = w->state;
	struct held *h;

	for (h = l->held; h < l->held + HELD_MAX; h++) {
		if (h->msg == NULL)
			continue;
		if (h->c.payload.id == l->judged)
			held_release(h);
		else if (consume_ack(w, &h->c, h->msg) == OUTCOME_OK)
			lane_confirmed(l, &h->c);
	}
}

/* One pull of one message, and its ack; or the acks that are open. */
static int
lane_consume(struct worker *w)
{
	struct lane_state *l = w->state;
	struct consumption c = {
	    .stream = l->names.stream, .consumer = w->index, .ack_ns = ACK_NS};
	struct session_consumer from = {l->stream, l->names.durable};
	natsMsg *msg = NULL;
	int got = pull_next(w, &l->pull, &from, PULL_NS, &msg);

	if (got == 0)
		held_ack(w);
	if (got <= 0)
		return got;
	if (consume_deliver(w, &c, msg) < 0) {
		natsMsg_Destroy(msg);
		return 0;
	}
	if (consume_ack(w, &c, msg) == OUTCOME_OK) {
		lane_confirmed(l, &c);
		natsMsg_Destroy(msg);
	} else
		held_keep(l, &c, msg);
	return 0;
}

static int
lane_step(struct worker *w)
{
	struct lane_state *l = w->state;

	if (l->next == 0)
		lane_start(w);
	if (l->awaited == 0) {
		held_ack(w);
		lane_publish(w);
	}
	return l->awaited != 0 ? lane_consume(w) : 0;
}

static void
lane_command(struct worker *w, const struct event *cmd)
{
	struct lane_state *l = w->state;

	if (cmd->type == MESSAGE_DONE) {
		l->judged = cmd->u.done.id;
		if (l->judged == l->awaited)
			l->awaited = 0;
	} else if (cmd->type == MESSAGE_GIVE_UP &&
		   cmd->u.give_up.id == l->now.id)
		l->now.given_up = true;
}

/* True when the consumer has delivered everything and got every ack. */
static bool
is_drained(struct worker *w)
{
	const struct lane_state *l = w->state;
	struct session_consumer c = {l->stream, l->names.durable};
	jsConsumerInfo *ci = NULL;
	bool is_empty = false;

	if (l->awaited != 0 || is_holding(l))
		return false;
	if (session_consumer_info(&w->session, &c, INFO_MS, &ci) == OUTCOME_OK)
		is_empty = ci->NumPending == 0 && ci->NumAckPending == 0;
	jsConsumerInfo_Destroy(ci);
	return is_empty;
}

/* Take what is left in the consumer, which nobody else reads. */
static int
lane_drain(struct worker *w)
{
	uint64_t deadline = clock_mono_ns() + w->config.op_timeout_ns;
	struct lane_state *l = w->state;
	int err = 0;

	if (l->next == 0)
		lane_start(w);
	while (err == 0 && clock_mono_ns() < deadline && !is_drained(w))
		err = lane_consume(w);
	return err;
}

static void
lane_end(struct worker *w)
{
	struct lane_state *l = w->state;
	unsigned i;

	for (i = 0; i < HELD_MAX; i++)
		held_release(&l->held[i]);
	pull_close(&l->pull);
}

static const struct workload_role roles[] = {
    {"lane", WORKLOAD_CONSUMERS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_durable_pull_consumer = {
    .name = "durable-pull-consumer",
    .summary = "one message in flight through each durable pull consumer",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct lane_options),
    .state_size = sizeof(struct lane_state),
    .setup = lanes_setup,
    .begin = lane_begin,
    .step = lane_step,
    .command = lane_command,
    .drain = lane_drain,
    .end = lane_end,
};
