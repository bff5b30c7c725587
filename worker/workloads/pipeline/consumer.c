/* SPDX-License-Identifier: ISC */
/*
 * A consumer process of the workload "pipeline". It takes what has come,
 * up to a batch, tells the parent of all of it in one write, and only then
 * acks it: a worker that is killed in between can't fake a loss.
 *
 * Pulls are raw requests with a reply subject each, two under way, and
 * deliveries are taken from whatever request they answer (see pull.c). An
 * ack that is to be confirmed has an answer address of its own; many are
 * open at a time. One that stays without an answer is sent again until
 * twice the ack wait has passed: a new consumer leader may not know of the
 * delivery, and then only the redelivery can be acked. So is a term. A nak is
 * sent once; what becomes of it shows in what is delivered again. Who says "in
 * progress" says it again after half of the wait, some times, and then acks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/option.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "worker/workloads/pipeline/pipeline.h"

#define PULL_NS	     CLOCK_S	     /* and more where many pull */
#define PULL_MANY_NS (20 * CLOCK_MS) /* for each process of the durable */
#define PULL_MAX_NS  (10 * CLOCK_S)
#define GRACE_NS     (CLOCK_S / 4) /* a request is lost this long after its end */
#define PULLS	     2
#define ACK_NS	     CLOCK_S /* then it is sent again */
#define LOOK_NS	     (20 * CLOCK_MS)
#define LAG_NS	     (50 * CLOCK_MS)
#define REPORTERS    4 /* processes of a durable that tell its lag */
#define IDLE_MS	     10
#define DRAIN_NS     (3 * CLOCK_S)
#define CONNECT_NS   (30 * CLOCK_S)
#define REPLY_MAX    192
#define TAKE_MAX     2000 /* at a time */
#define PROGRESSES   2	  /* times that it is said again */
#define DELAY_MIN_NS (CLOCK_S / 5)
#define ADVISORY_MAX 4 /* nesting of their JSON */

/* An ack, or another answer, that is to be confirmed. */
struct open_ack {
	struct pipe_said said;
	bool was_answered; /* "in progress", which is said again when due */
	uint64_t first_ns, due_ns;
	uint32_t token; /* of its answer address; 0: free */
	char reply[REPLY_MAX];
};

struct request {
	uint64_t number; /* 0: none */
	uint64_t left;	 /* messages that it may still give */
	uint64_t end_ns;
};

struct pipe_consumer {
	uint32_t consumer; /* index in the history */
	bool is_started;
	natsSubscription *sub;	      /* inbox: pulls, answers to acks */
	natsSubscription *push;	      /* pushed deliveries, or NULL */
	natsSubscription *advisories; /* of MaxDeliver, or NULL */
	char inbox[SESSION_INBOX_MAX], stream[64], durable[24];
	struct request pulls[PULLS];
	uint64_t number; /* of the latest request */
	struct open_ack *acks;
	uint32_t *free, nfree, nacks, token;
	natsMsg *batch[PIPE_BATCH_MAX];
	struct consumption told[PIPE_BATCH_MAX + 1]; /* one to look at */
	struct pipe_said said[PIPE_BATCH_MAX];
	unsigned n;
	struct pipe_answers answers;
	uint64_t wait_ns;   /* the shortest of the server's for an ack */
	uint64_t pending;   /* at the latest delivery */
	uint64_t first_seq; /* an ordered consumer goes on here */
	uint64_t look_ns, lag_ns, churn_ns, pause_ns;
	uint64_t churned; /* times so far */
	struct rng rng;
};

static int
subscribe_push(struct worker *w, struct pipe_consumer *p)
{
	char deliver[96];
	natsStatus st;

	pipe_deliver(w, p->consumer, deliver, sizeof(deliver));
	st = natsConnection_QueueSubscribeSync(
	    &p->push, w->session.nc, deliver, p->durable);
	if (st == NATS_OK)
		st = natsSubscription_SetPendingLimits(p->push, -1, -1);
	if (st == NATS_OK)
		return 0;
	log_error(
	    "cannot subscribe to \"%s\": %s", deliver, natsStatus_GetText(st));
	return -EIO;
}

/* The library makes it, and another one when a delivery is missing. */
static int
subscribe_ordered(struct worker *w, struct pipe_consumer *p)
{
	char subject[100];
	jsSubOptions so;
	jsErrCode code = 0;
	natsStatus st;

	worker_subject(w, PIPE_SUFFIX, subject, sizeof(subject));
	text_add(subject, sizeof(subject), ".>");
	session_subscribe_options(&so);
	so.Ordered = true;
	so.Stream = p->stream;
	so.Config.DeliverPolicy = js_DeliverByStartSequence;
	so.Config.OptStartSeq = p->first_seq;
	st = js_SubscribeSync(
	    &p->push, w->session.js, subject, NULL, &so, &code);
	if (st == NATS_OK)
		st = natsSubscription_SetPendingLimits(p->push, -1, -1);
	if (st == NATS_OK)
		return 0;
	session_note(&w->session, st, code);
	natsSubscription_Destroy(p->push);
	p->push = NULL;
	p->pause_ns = clock_mono_ns() + CLOCK_S / 2;
	return 0; /* it is tried again: without a leader it can't be made */
}

/* One process of each durable listens to what the server gives up. */
static int
subscribe_advisories(struct worker *w, struct pipe_consumer *p)
{
	const struct pipe_options *o = w->options;
	char subject[160];
	natsStatus st;

	if (o->max_deliver == 0 || w->index >= o->durables)
		return 0;
	text_format(subject, sizeof(subject),
	    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.%s.%s", p->stream,
	    p->durable);
	st = natsConnection_SubscribeSync(
	    &p->advisories, w->session.nc, subject);
	if (st == NATS_OK)
		return 0;
	log_error(
	    "cannot subscribe to \"%s\": %s", subject, natsStatus_GetText(st));
	return -EIO;
}

static int
open_intake(struct worker *w, struct pipe_consumer *p)
{
	const struct pipe_options *o = w->options;
	int err = session_listen(&w->session, &p->sub, p->inbox);

	if (err == 0 &&
	    natsSubscription_SetPendingLimits(p->sub, -1, -1) != NATS_OK) {
		log_error("cannot listen for more than comes at once");
		err = -EIO;
	}
	if (err == 0 && pipe_kind(o) == PIPE_PUSH)
		err = subscribe_push(w, p);
	if (err == 0 && pipe_kind(o) == PIPE_ORDERED)
		err = subscribe_ordered(w, p);
	if (err == 0)
		err = subscribe_advisories(w, p);
	/*
	 * Interest is known to the server before it is counted on. If not, what
	 * is sent to nobody meanwhile comes again.
	 */
	if (err == 0)
		(void)natsConnection_FlushTimeout(w->session.nc, 5000);
	return err;
}

static void
close_intake(struct pipe_consumer *p)
{
	natsSubscription_Destroy(p->sub);
	natsSubscription_Destroy(p->push);
	natsSubscription_Destroy(p->advisories);
	p->sub = p->push = p->advisories = NULL;
	memset(p->pulls, 0, sizeof(p->pulls));
}

int
pipe_consumer_begin(struct worker *w, struct pipe_consumer **out)
{
	const struct pipe_options *o = w->options;
	struct pipe_consumer *p = calloc(1, sizeof(*p));
	char why[OPTION_WHY_MAX];
	uint32_t i;

	*out = p;
	if (p == NULL)
		return -ENOMEM;
	w->child.lazy_ns = PIPE_LAZY_NS;
	/* As many as can come before the server waits for acks. */
	p->nacks = (uint32_t)(o->max_ack_pending + o->batch);
	p->acks = calloc(p->nacks, sizeof(*p->acks));
	p->free = calloc(p->nacks, sizeof(*p->free));
	if (p->acks == NULL || p->free == NULL)
		return -ENOMEM;
	for (i = p->nacks; i-- > 0;)
		p->free[p->nfree++] = i;
	/* What they say was looked at before the run. */
	if (pipe_answers_read(o, &p->answers, why) < 0 ||
	    pipe_wait_read(o, &p->wait_ns, why) < 0)
		return -EINVAL;
	rng_init(&p->rng, w->config.run ^ w->source, "pipe_consumer");
	worker_stream_name(w, PIPE_SUFFIX, p->stream, sizeof(p->stream));
	p->first_seq = 1;
	return 0;
}

/* An ordered consumer begins anew with each process: told as a new one. */
static void
tell_ordered(struct worker *w, const struct pipe_consumer *p)
{
	struct event ev = {.type = MESSAGE_CONSUMER};
	struct msg_consumer *m = &ev.u.consumer;

	m->consumer = p->consumer;
	text_add(m->name, sizeof(m->name), "ordered%u", p->consumer);
	child_emit(&w->child, &ev);
	pipe_tell_rules(w, p->consumer, 0);
}

/* Which durable it serves is known with START. */
static int
consumer_start(struct worker *w, struct pipe_consumer *p)
{
	const struct pipe_options *o = w->options;

	p->is_started = true;
	p->consumer = w->index;
	if (pipe_kind(o) != PIPE_ORDERED)
		p->consumer = w->index % (uint32_t)o->durables;
	else
		tell_ordered(w, p);
	pipe_durable(p->consumer, p->durable, sizeof(p->durable));
	p->churn_ns = clock_mono_ns() + o->churn_ns / 2 +
		      rng_below(&p->rng, o->churn_ns + 1);
	return open_intake(w, p);
}

static void
ack_free(struct pipe_consumer *p, struct open_ack *a)
{
	a->token = 0;
	p->free[p->nfree++] = (uint32_t)(a - p->acks);
}

static void
ack_send(struct worker *w, struct pipe_consumer *p, struct open_ack *a)
{
	static const char *const texts[] = {[ANSWER_ACK] = "+ACK",
	    [ANSWER_NAK] = "-NAK",
	    [ANSWER_TERM] = "+TERM",
	    [ANSWER_PROGRESS] = "+WPI"};
	char reply[sizeof(p->inbox) + 32], text[64];

	text_set(text, sizeof(text), texts[a->said.how]);
	if (a->said.delay_ns != 0)
		text_add(text, sizeof(text), " {\"delay\": %llu}",
		    (unsigned long long)a->said.delay_ns);
	text_format(reply, sizeof(reply), "%s.a%u-%u", p->inbox,
	    (unsigned)(a - p->acks), a->token);
	a->due_ns = clock_mono_ns() + ACK_NS;
	session_send(&w->session, a->reply, reply, text);
}

/* It had no answer, for the reason in w->session, and is not sent again. */
static void
ack_give_up(struct worker *w, struct pipe_consumer *p, struct open_ack *a)
{
	if (a->said.how == ANSWER_ACK)
		tell_unconfirmed(w, &a->said.ack, true);
	else
		pipe_tell_unanswered(w, &a->said);
	ack_free(p, a);
}

/* Every open ack may have been applied unheard, for all we know. */
static void
acks_give_up(struct worker *w, struct pipe_consumer *p, const char *why)
{
	uint32_t i;

	text_set(w->session.why, sizeof(w->session.why), why);
	for (i = 0; i < p->nacks; i++)
		if (p->acks[i].token != 0)
			ack_give_up(w, p, &p->acks[i]);
}

/* "In progress" is due again, or the ack that follows it. */
static void
progress(struct worker *w, struct pipe_consumer *p, struct open_ack *a)
{
	if (!a->was_answered) {
		session_note(&w->session, NATS_TIMEOUT, 0);
		pipe_tell_unanswered(w, &a->said);
	}
	if (a->was_answered && a->said.attempt <= PROGRESSES) {
		a->said.attempt++;
		a->was_answered = false;
		pipe_tell_answer(w, &a->said);
		child_flush(&w->child);
	} else {
		a->said.how = ANSWER_ACK;
		a->first_ns = clock_mono_ns();
	}
	ack_send(w, p, a);
}

static void
look_at_acks(struct worker *w, struct pipe_consumer *p, uint64_t now)
{
	const struct pipe_options *o = w->options;
	struct open_ack *a;
	uint32_t i;

	if (now < p->look_ns || p->nfree == p->nacks)
		return;
	p->look_ns = now + LOOK_NS;
	for (i = 0; i < p->nacks; i++) {
		a = &p->acks[i];
		if (a->token == 0 || now < a->due_ns)
			continue;
		if (a->said.how == ANSWER_PROGRESS)
			progress(w, p, a);
		else if (a->said.how != ANSWER_NAK &&
			 now < a->first_ns + 2 * o->ack_wait_ns)
			ack_send(w, p, a);
		else {
			session_note(&w->session, NATS_TIMEOUT, 0);
			ack_give_up(w, p, a);
		}
	}
}

/* Its answer has come. */
static void
ack_end(struct worker *w, struct pipe_consumer *p, struct open_ack *a)
{
	if (a->said.how == ANSWER_ACK)
		tell_confirmed(w, &a->said.ack);
	else if (!a->was_answered)
		pipe_tell_answered(w, &a->said);
	if (a->said.how != ANSWER_PROGRESS) {
		ack_free(p, a);
		return;
	}
	a->was_answered = true;
	a->due_ns = clock_mono_ns() + p->wait_ns / 2;
}

/* An answer to an ack: empty, or a status that says it went nowhere. */
static void
take_answer(struct worker *w, struct pipe_consumer *p, const char *address,
    natsMsg *msg)
{
	const char *status = NULL;
	struct open_ack *a;
	unsigned long i, token;
	char *end;

	i = strtoul(address + 1, &end, 10);
	if (*end != '-' || i >= p->nacks)
		return;
	token = strtoul(end + 1, NULL, 10);
	a = &p->acks[i];
	if (a->token != token || token == 0 ||
	    natsMsgHeader_Get(msg, "Status", &status) == NATS_OK)
		return;
	ack_end(w, p, a);
}

/* A status ends the request that it answers. */
static void
end_request(struct pipe_consumer *p, const char *address, natsMsg *msg)
{
	const char *status = NULL;
	uint64_t number = strtoull(address + 1, NULL, 10);
	unsigned i;

	if (address[0] != 'p' ||
	    natsMsgHeader_Get(msg, "Status", &status) != NATS_OK)
		return;
	for (i = 0; i < PULLS; i++)
		if (p->pulls[i].number == number)
			p->pulls[i].number = 0;
	/* 404 and 408: nothing there. Others: not again at once. */
	if (strcmp(status, "404") != 0 && strcmp(status, "408") != 0)
		p->pause_ns = clock_mono_ns() + CLOCK_S / 20;
}

/*
 * A delivery has the subject of its message and doesn't say which request it
 * answers. It is counted for the older one: the sum is what matters.
 */
static void
count_delivery(struct pipe_consumer *p)
{
	struct request *r = NULL;
	unsigned i;

	for (i = 0; i < PULLS; i++)
		if (p->pulls[i].number != 0 &&
		    (r == NULL || p->pulls[i].number < r->number))
			r = &p->pulls[i];
	if (r != NULL && --r->left == 0)
		r->number = 0;
}

/* Keep a delivery for the batch; anything else is dealt with at once. */
static void
take(struct worker *w, struct pipe_consumer *p, natsMsg *msg)
{
	const char *dot;
	struct consumption *c = &p->told[p->n];

	memset(c, 0, sizeof(*c));
	c->consumer = p->consumer;
	if (natsMsg_GetReply(msg) != NULL && consume_deliver(w, c, msg) == 0) {
		count_delivery(p);
		p->pending = c->delivery.pending;
		p->first_seq = c->delivery.seq + 1;
		p->batch[p->n++] = msg;
		return;
	}
	dot = strrchr(natsMsg_GetSubject(msg), '.');
	if (dot != NULL && dot[1] == 'a')
		take_answer(w, p, dot + 1, msg);
	else if (dot != NULL)
		end_request(p, dot + 1, msg);
	natsMsg_Destroy(msg);
}

/* Deliveries that may still be taken: each needs room for its ack. */
static bool
has_room(const struct worker *w, const struct pipe_consumer *p)
{
	const struct pipe_options *o = w->options;

	return p->n < o->batch &&
	       (pipe_kind(o) != PIPE_PUSH || p->n < p->nfree);
}

/* What has come on a subscription, waiting for the first up to wait_ms. */
static int
take_all(
    struct worker *w, struct pipe_consumer *p, natsSubscription *sub, int ms)
{
	/* When deliveries are pushed the inbox has answers, which need no room.
	 */
	bool is_answers = p->push != NULL && sub == p->sub;
	natsMsg *msg;
	natsStatus st;
	unsigned n;

	for (n = 0; n < TAKE_MAX && (is_answers || has_room(w, p)); n++) {
		msg = NULL;
		st = natsSubscription_NextMsg(&msg, sub, n ? 0 : ms);
		if (st == NATS_TIMEOUT)
			return 0;
		if (st == NATS_NO_RESPONDERS) {
			/* Of a pull or of an ack: the library does not say. */
			p->pause_ns = clock_mono_ns() + CLOCK_S / 20;
			memset(p->pulls, 0, sizeof(p->pulls));
			continue;
		}
		if (st != NATS_OK)
			return st == NATS_CONNECTION_CLOSED ? -EIO : -EAGAIN;
		take(w, p, msg);
	}
	return 0;
}

/*
 * How long a request stays with the server. Hundreds of processes that renew
 * theirs each second would leave it no time for anything else.
 */
static uint64_t
pull_ns(const struct worker *w)
{
	const struct pipe_options *o = w->options;
	uint64_t ns = w->config.consumers / o->durables * PULL_MANY_NS;

	if (ns > PULL_MAX_NS)
		return PULL_MAX_NS;
	return ns > PULL_NS ? ns : PULL_NS;
}

static void
send_request(
    struct worker *w, struct pipe_consumer *p, struct request *r, uint64_t now)
{
	const struct pipe_options *o = w->options;
	struct session_consumer c = {p->stream, p->durable};
	char reply[sizeof(p->inbox) + 24];

	r->number = ++p->number;
	r->left = o->batch;
	r->end_ns = now + pull_ns(w) + GRACE_NS;
	text_format(reply, sizeof(reply), "%s.p%llu", p->inbox,
	    (unsigned long long)r->number);
	session_pull(&w->session, &c, reply, o->batch, pull_ns(w));
}

static void
send_requests(struct worker *w, struct pipe_consumer *p, uint64_t now)
{
	const struct pipe_options *o = w->options;
	unsigned i;

	if (pipe_kind(o) != PIPE_PULL || now < p->pause_ns)
		return;
	for (i = 0; i < PULLS; i++) {
		if (p->pulls[i].number != 0 && now < p->pulls[i].end_ns)
			continue;
		p->pulls[i].number = 0;
		/* Ask for no more than there is room for in acks. */
		if (p->nfree >= (i + 1) * o->batch || p->nfree == p->nacks)
			send_request(w, p, &p->pulls[i], now);
	}
}

/* What is said of each delivery of the batch; it is told if it is no ack. */
static void
draw_answers(struct worker *w, struct pipe_consumer *p)
{
	static const enum message_word hows[PIPE_ANSWERS] = {
	    [PIPE_ACK] = ANSWER_ACK,
	    [PIPE_NAK] = ANSWER_NAK,
	    [PIPE_NAK_DELAY] = ANSWER_NAK,
	    [PIPE_TERM] = ANSWER_TERM,
	    [PIPE_PROGRESS] = ANSWER_PROGRESS,
	    [PIPE_NONE] = ANSWER_NOTHING};
	enum pipe_answer_row row;
	struct pipe_said *s;
	unsigned i;

	for (i = 0; i < p->n; i++) {
		row = pipe_answers_draw(&p->answers, &p->rng);
		s = &p->said[i];
		*s = (struct pipe_said){
		    .ack = {p->consumer, p->told[i].delivery.seq,
			p->told[i].delivery.consumer_seq,
			p->told[i].payload.id},
		    .how = hows[row],
		    .attempt = 1};
		if (row == PIPE_NAK_DELAY)
			s->delay_ns =
			    DELAY_MIN_NS + rng_below(&p->rng, 2 * p->wait_ns);
		if (row != PIPE_ACK)
			pipe_tell_answer(w, s);
	}
}

static void
ack_batch(struct worker *w, struct pipe_consumer *p)
{
	const struct pipe_options *o = w->options;
	uint64_t now = clock_mono_ns();
	struct open_ack *a;
	unsigned i;

	for (i = 0; i < p->n; i++) {
		if (pipe_is_plain(o)) {
			session_send(&w->session, natsMsg_GetReply(p->batch[i]),
			    NULL, "+ACK");
			continue;
		}
		if (p->said[i].how == ANSWER_NOTHING)
			continue;
		if (p->nfree == 0)
			break; /* those that are left come again */
		a = &p->acks[p->free[--p->nfree]];
		a->said = p->said[i];
		a->was_answered = false;
		a->first_ns = now;
		if (++p->token == 0)
			p->token = 1;
		a->token = p->token;
		text_set(
		    a->reply, sizeof(a->reply), natsMsg_GetReply(p->batch[i]));
		ack_send(w, p, a);
	}
}

/* "delivered" is in the pipe when the first ack leaves. */
static void
settle_batch(struct worker *w, struct pipe_consumer *p)
{
	const struct pipe_options *o = w->options;
	struct event ev;
	unsigned i;

	if (p->n == 0)
		return;
	if (pipe_kind(o) != PIPE_ORDERED) {
		draw_answers(w, p);
		ev.type = MESSAGE_ACKS_BEGIN;
		ev.u.acks_begin.consumer = p->consumer;
		ev.u.acks_begin.count = p->n;
		child_emit(&w->child, &ev);
	}
	child_flush(&w->child);
	if (pipe_kind(o) != PIPE_ORDERED)
		ack_batch(w, p);
	for (i = 0; i < p->n; i++)
		natsMsg_Destroy(p->batch[i]);
	p->n = 0;
}

static void
take_advisories(struct worker *w, struct pipe_consumer *p)
{
	struct event ev;
	struct msg_advisory *m = &ev.u.advisory;
	natsMsg *msg = NULL;
	cJSON *tree;

	while (p->advisories != NULL &&
	       natsSubscription_NextMsg(&msg, p->advisories, 0) == NATS_OK) {
		tree = json_parse(natsMsg_GetData(msg),
		    (size_t)natsMsg_GetDataLength(msg), ADVISORY_MAX);
		ev.type = MESSAGE_ADVISORY;
		m->consumer = p->consumer;
		m->seq = json_count(tree, "stream_seq");
		m->deliveries = json_count(tree, "deliveries");
		m->how = ANSWER_NOTHING;
		if (m->seq != 0)
			child_emit(&w->child, &ev);
		cJSON_Delete(tree);
		natsMsg_Destroy(msg);
	}
}

/* Publishers wait for consumers that are far behind. */
static void
tell_lag(struct worker *w, struct pipe_consumer *p, uint64_t now)
{
	const struct pipe_options *o = w->options;
	char subject[96], text[48];

	if (now < p->lag_ns || p->pending == 0 ||
	    w->index / o->durables >= REPORTERS)
		return;
	p->lag_ns = now + LAG_NS;
	pipe_lag_subject(w, subject, sizeof(subject));
	text_format(text, sizeof(text), "%u %llu", p->consumer,
	    (unsigned long long)p->pending);
	session_send(&w->session, subject, NULL, text);
}

/* Close the connection, as a client that ends does, and come back. */
static int
churn(struct worker *w, struct pipe_consumer *p, uint64_t now)
{
	const struct pipe_options *o = w->options;
	struct event ev = {.type = MESSAGE_RECONNECTED};
	int err;

	if (o->churn_ns == 0 || now < p->churn_ns)
		return 0;
	acks_give_up(w, p, "the connection was closed");
	ev.u.reconnected.times = ++p->churned;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	close_intake(p);
	session_close(&w->session);
	w->reconnects = 0; /* the next one counts anew */
	err = session_open(
	    &w->session, &w->child, &w->config, clock_mono_ns() + CONNECT_NS);
	if (err == 0)
		err = open_intake(w, p);
	p->churn_ns = clock_mono_ns() + o->churn_ns / 2 +
		      rng_below(&p->rng, o->churn_ns + 1);
	return err;
}

static int
take_deliveries(struct worker *w, struct pipe_consumer *p, uint64_t now)
{
	const struct pipe_options *o = w->options;
	int err = 0;

	if (pipe_kind(o) == PIPE_PULL)
		return take_all(w, p, p->sub, IDLE_MS);
	if (p->push == NULL && now >= p->pause_ns)
		err = subscribe_ordered(w, p);
	if (err == 0 && p->push != NULL)
		err = take_all(w, p, p->push, IDLE_MS);
	/* An ordered subscription may end for good: then a new one. */
	if (err == -EAGAIN && pipe_kind(o) == PIPE_ORDERED) {
		natsSubscription_Destroy(p->push);
		p->push = NULL;
		p->pause_ns = now + CLOCK_S / 2;
		err = 0;
	}
	if (err == 0)
		err = take_all(w, p, p->sub, p->push == NULL ? IDLE_MS : 0);
	return err;
}

static int
consumer_work(struct worker *w, struct pipe_consumer *p)
{
	uint64_t now = clock_mono_ns();
	int err = take_deliveries(w, p, now);

	settle_batch(w, p);
	take_advisories(w, p);
	look_at_acks(w, p, now);
	child_beat(&w->child);
	if (err < 0)
		log_error("cannot receive");
	return err < 0 ? -EIO : 0;
}

int
pipe_consumer_step(struct worker *w, struct pipe_consumer *p)
{
	uint64_t now = clock_mono_ns();
	int err = 0;

	if (!p->is_started)
		err = consumer_start(w, p);
	if (err == 0)
		err = churn(w, p, now);
	if (err < 0)
		return err;
	send_requests(w, p, now);
	tell_lag(w, p, now);
	return consumer_work(w, p);
}

/* The acks that are open get their answers, if they come soon. */
int
pipe_consumer_drain(struct worker *w, struct pipe_consumer *p)
{
	uint64_t deadline = clock_mono_ns() + DRAIN_NS;
	int err = 0;

	while (err == 0 && p->is_started && p->nfree < p->nacks &&
	       clock_mono_ns() < deadline) {
		err = consumer_work(w, p);
		child_beat(&w->child);
	}
	acks_give_up(w, p, "the run ended");
	child_flush(&w->child);
	return err;
}

void
pipe_consumer_end(struct pipe_consumer *p)
{
	if (p == NULL)
		return;
	close_intake(p);
	free(p->acks);
	free(p->free);
	free(p);
}
