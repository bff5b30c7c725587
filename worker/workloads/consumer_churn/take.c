/* SPDX-License-Identifier: ISC */
/*
 * Pulling, and answering what came; see consumer_churn.h. All that a request
 * brings is told before the first of it is answered. An ack that stays without
 * its answer is not repeated: if it was not applied the message comes again.
 *
 * A message does not say which request it answers, so each request has an
 * inbox of its own, and what comes late for one that was given up is lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/audit/label.h"
#include "worker/workloads/consumer_churn/consumer_churn.h"

#define SLICE_MS  50
#define GRACE_NS  (CLOCK_S / 4) /* a request is lost so long after its end */
#define ANSWER_NS CLOCK_S	/* for the answers to all acks of a batch */
#define DRAIN_NS  (CLOCK_S / 4) /* of a request that may bring nothing */

#define LATE_MS	  50
#define WRONG_PIN 423 /* a status */

#define NEXT_OF	   8 /* one batch of so many ends with +NXT ... */
#define NEXT_BATCH 20
#define NEXT_NS	   (CLOCK_S / 10)

#define PULL_TEXT_MAX 256

/* A request for messages that is under way. */
struct round {
	struct churn_place *at;
	const struct churn_take *take;
	uint32_t batch;	 /* taken at most */
	uint64_t number; /* 0: what is pushed is taken */
	uint64_t begun_ns;
	uint64_t messages, bytes;  /* that came */
	unsigned member;	   /* who asks, where one has to be pinned */
	uint64_t sent, got;	   /* hashes of pins; 0: none */
	uint64_t least, least_out; /* that have to be there; 0: any number */
	uint32_t status;
	bool is_over;
	bool is_behind; /* more was pushed than is in the batch */
	bool is_next;	/* the ack of the message that is held asks for it */
	char why[64];
};

/* Who may hold the pin asks to leave nothing, elsewhere any of them. */
static void
draw_member(struct churn *s, struct round *r)
{
	const struct churn_life *l = &r->at->life;

	r->member = (unsigned)rng_below(&s->rng, CHURN_MEMBERS);
	if (r->take->is_last && l->pins[r->member][0] == '\0')
		r->member = (r->member + 1) % CHURN_MEMBERS;
}

static uint64_t
hash_of(const char *pin)
{
	return pin[0] != '\0' ? XXH64(pin, strlen(pin), 0) : 0;
}

/* It wants some only while so many are pending, or are not acked. */
static void
draw_least(struct churn *s, struct round *r)
{
	if (!r->at->life.is_overflow || r->take->is_last ||
	    rng_below(&s->rng, 2) == 0)
		return;
	if (rng_below(&s->rng, 2) == 0)
		r->least = rng_below(&s->rng, 2) == 0 ? CHURN_NEVER : 1;
	else
		r->least_out = rng_below(&s->rng, 2) == 0 ? CHURN_NEVER : 1;
}

static void
write_pull(struct round *r, char text[PULL_TEXT_MAX])
{
	const struct churn_life *l = &r->at->life;
	const struct churn_take *t = r->take;
	const char *pin = l->pins[r->member];

	text_format(text, PULL_TEXT_MAX, "{\"batch\":%u", t->batch);
	if (!t->is_one_shot)
		text_add(text, PULL_TEXT_MAX, ",\"expires\":%llu",
		    (unsigned long long)t->expires_ns);
	if (t->is_instant)
		text_add(text, PULL_TEXT_MAX, ",\"no_wait\":true");
	/* Servers add the pin to what they have counted. */
	if (t->max_bytes != 0 && !l->is_pinned)
		text_add(text, PULL_TEXT_MAX, ",\"max_bytes\":%llu",
		    (unsigned long long)t->max_bytes);
	if (t->heartbeat_ns != 0)
		text_add(text, PULL_TEXT_MAX, ",\"idle_heartbeat\":%llu",
		    (unsigned long long)t->heartbeat_ns);
	if (l->is_pinned || l->is_overflow)
		text_add(text, PULL_TEXT_MAX, ",\"group\":\"g\"");
	if (r->least != 0)
		text_add(text, PULL_TEXT_MAX, ",\"min_pending\":%llu",
		    (unsigned long long)r->least);
	if (r->least_out != 0)
		text_add(text, PULL_TEXT_MAX, ",\"min_ack_pending\":%llu",
		    (unsigned long long)r->least_out);
	if (l->is_pinned && pin[0] != '\0')
		text_add(text, PULL_TEXT_MAX, ",\"id\":\"%s\"", pin);
	r->sent = hash_of(pin);
	text_add(text, PULL_TEXT_MAX, "}");
}

static void
tell_request(struct worker *w, const struct round *r)
{
	const struct churn_take *t = r->take;
	struct event ev = {.type = MESSAGE_PULL};

	ev.u.pull = (struct msg_pull){.consumer = r->at->consumer,
	    .pull = r->number,
	    .batch = t->batch,
	    .max_bytes = r->at->life.is_pinned ? 0 : t->max_bytes,
	    .expires_ns = t->is_one_shot ? 0 : t->expires_ns,
	    .no_wait = t->is_instant,
	    .heartbeat_ns = t->heartbeat_ns};
	child_emit(&w->child, &ev);
	if (r->least == 0 && r->least_out == 0)
		return;
	ev = (struct event){.type = MESSAGE_PULL_MIN};
	ev.u.pull_min = (struct msg_pull_min){
	    r->at->consumer, r->number, r->least, r->least_out};
	child_emit(&w->child, &ev);
}

/* An ack that asks for more: nothing but that says that it was heard. */
static void
send_next(struct worker *w, const char *reply, const char *pull)
{
	struct churn *s = w->state;
	char text[PULL_TEXT_MAX + 8];

	text_format(text, sizeof(text), "+NXT %s", pull);
	s->next.is_held = false;
	tell_ack_invoke(w, &s->next.ack, 1);
	child_flush(&w->child);
	session_send(&w->session, s->next.reply, reply, text);
	tell_unconfirmed(w, &s->next.ack, true);
}

/* 0, or -EIO when nobody would hear the answers. */
static int
send_request(struct worker *w, struct round *r)
{
	struct churn *s = w->state;
	struct churn_life *l = &r->at->life;
	char api[SESSION_API_MAX], reply[SESSION_INBOX_MAX + 24];
	char text[PULL_TEXT_MAX];
	natsStatus st;

	r->number = ++l->pulls;
	text_format(reply, sizeof(reply), "%s.p%llu", l->inbox,
	    (unsigned long long)r->number);
	churn_close(l);
	st = natsConnection_SubscribeSync(&l->subs[0], w->session.nc, reply);
	if (st == NATS_OK) {
		l->nsubs = 1;
		st = natsSubscription_SetPendingLimits(l->subs[0], -1, -1);
	}
	if (st != NATS_OK) {
		log_error(
		    "cannot listen for deliveries: %s", natsStatus_GetText(st));
		return -EIO;
	}
	draw_least(s, r);
	tell_request(w, r);
	session_api(&w->session, api, "CONSUMER.MSG.NEXT.%s.%s",
	    s->streams[l->terms.stream].name, l->name);
	draw_member(s, r);
	write_pull(r, text);
	if (r->is_next)
		send_next(w, reply, text);
	else
		session_send(&w->session, api, reply, text);
	return 0;
}

/* A status ends the request that it answers; others are over already. */
static void
take_status(struct round *r, natsMsg *msg)
{
	const char *dot = strrchr(natsMsg_GetSubject(msg), '.'), *why = "";
	char number[24];

	text_format(
	    number, sizeof(number), "p%llu", (unsigned long long)r->number);
	if (dot == NULL || strcmp(dot + 1, number) != 0)
		return;
	r->status = request_status(msg);
	if (r->status == 0 || r->status == 100)
		return; /* a sign of life */
	if (natsMsgHeader_Get(msg, "Description", &why) == NATS_OK)
		text_set(r->why, sizeof(r->why), why);
	if (r->status == WRONG_PIN)
		r->at->life.pins[r->member][0] = '\0';
	r->is_over = true;
}

/*
 * Of headers alone the id says which message it was; false when there is a
 * payload all the same, or no id.
 */
static bool
read_headers(const struct worker *w, natsMsg *msg, struct payload *p)
{
	const char *id = "";
	char *end = NULL;

	memset(p, 0, sizeof(*p));
	if (natsMsg_GetDataLength(msg) != 0 ||
	    natsMsgHeader_Get(msg, "Nats-Msg-Id", &id) != NATS_OK)
		return false;
	p->run = strtoull(id, &end, 16);
	if (p->run != w->config.run || *end != '-')
		return false;
	p->id = strtoull(end + 1, &end, 16);
	return *end == '\0';
}

/* Tell what came in place of a payload that was left out. */
static void
tell_bare(struct worker *w, const struct consumption *c, natsMsg *msg)
{
	struct event ev = {.type = MESSAGE_BARE};
	struct msg_bare *m = &ev.u.bare;
	const char *size = "";

	*m = (struct msg_bare){.stream = c->stream,
	    .consumer = c->consumer,
	    .seq = c->delivery.seq,
	    .id = c->payload.id,
	    .payload = (uint32_t)natsMsg_GetDataLength(msg)};
	if (natsMsgHeader_Get(msg, "Nats-Msg-Size", &size) == NATS_OK &&
	    text_to_u64(size, UINT32_MAX, &m->size) == 0)
		m->stored = churn_stored(
		    w, natsMsg_GetSubject(msg), c->payload.id, m->size);
	child_emit(&w->child, &ev);
}

/* Tell of a delivery: false when it is none. */
static bool
tell_taken(struct worker *w, const struct round *r, struct consumption *c,
    natsMsg *msg)
{
	memset(c, 0, sizeof(*c));
	c->stream = r->at->life.terms.stream;
	c->consumer = r->at->consumer;
	if (!r->at->life.terms.headers_only)
		return consume_deliver(w, c, msg) == 0;
	if (session_delivery(natsMsg_GetReply(msg), &c->delivery) < 0)
		return false;
	c->intact = read_headers(w, msg, &c->payload);
	tell_reconnects(w); /* it may have come by the new one */
	tell_delivery(w, c);
	tell_bare(w, c, msg);
	return true;
}

/* A message names the pin of who gets it. */
static void
note_pin(struct round *r, natsMsg *msg)
{
	const char *pin = "";

	if (!r->at->life.is_pinned ||
	    natsMsgHeader_Get(msg, "Nats-Pin-Id", &pin) != NATS_OK)
		return;
	text_set(r->at->life.pins[r->member], CHURN_PIN_MAX, pin);
	r->got = hash_of(pin);
}

/* As servers count what a request may bring. */
static uint64_t
counted_bytes(natsMsg *msg)
{
	struct label l;

	label_read(&l, msg);
	return l.subject_len + l.header_len + strlen(natsMsg_GetReply(msg)) +
	       (uint64_t)natsMsg_GetDataLength(msg);
}

static void
take_message(struct worker *w, struct round *r, natsMsg *msg)
{
	struct churn *s = w->state;
	struct churn_stream *t = &s->streams[r->at->life.terms.stream];
	struct consumption *c = &s->told[s->n];

	if (natsMsg_GetReply(msg) == NULL || !tell_taken(w, r, c, msg)) {
		take_status(r, msg);
		natsMsg_Destroy(msg);
		return;
	}
	if (c->delivery.seq > t->last)
		t->last = c->delivery.seq;
	t->stamp_ns = c->delivery.stamp_ns;
	memset(&r->at->life.wait, 0, sizeof(r->at->life.wait));
	note_pin(r, msg);
	r->messages++;
	r->bytes += counted_bytes(msg);
	r->at->life.pushed += (uint64_t)natsMsg_GetDataLength(msg);
	s->batch[s->n++] = msg;
}

/* The next message of a life, for which that one waits in turn. */
static natsStatus
next_message(struct churn_life *l, natsMsg **msg, int wait_ms)
{
	natsStatus st = NATS_TIMEOUT;
	unsigned n;

	*msg = NULL;
	for (n = 0; n < l->nsubs && st == NATS_TIMEOUT; n++)
		st = natsSubscription_NextMsg(msg,
		    l->subs[l->turn++ % l->nsubs], wait_ms / (int)l->nsubs);
	return st;
}

/* Has more been pushed than was read? */
static bool
is_behind(const struct churn_life *l)
{
	uint64_t queued = 0;
	unsigned n;

	/* It fails when the subscription has ended: then nothing is queued. */
	for (n = 0; n < l->nsubs && queued == 0; n++)
		(void)natsSubscription_QueuedMsgs(l->subs[n], &queued);
	return l->terms.kind != KIND_PULL && queued > 0;
}

/* Until the request is over, or as long as it would last: 0 or -EIO. */
static int
receive(struct worker *w, struct round *r)
{
	uint64_t deadline = r->begun_ns + r->take->expires_ns;
	struct churn *s = w->state;
	natsMsg *msg;
	natsStatus st;
	int wait_ms;

	if (r->number != 0)
		deadline += GRACE_NS;
	while (!r->is_over && s->n < r->batch) {
		wait_ms = clock_poll_ms(clock_mono_ns(), deadline, SLICE_MS);
		if (wait_ms == 0 && !is_behind(&r->at->life))
			return 0;
		st = next_message(&r->at->life, &msg, wait_ms);
		if (st == NATS_TIMEOUT) {
			worker_commands(w, 0); /* and a sign of life */
		} else if (st == NATS_NO_RESPONDERS) {
			r->status = 503;
			r->is_over = true;
		} else if (st != NATS_OK) {
			log_error("cannot receive: %s", natsStatus_GetText(st));
			return -EIO;
		} else {
			take_message(w, r, msg);
		}
	}
	return 0;
}

static void
tell_request_over(struct worker *w, const struct round *r)
{
	struct event ev = {.type = MESSAGE_PULL_END};
	struct msg_pull_end *m = &ev.u.pull_end;

	m->consumer = r->at->consumer;
	m->pull = r->number;
	m->status = r->status;
	m->messages = (uint32_t)r->messages;
	m->bytes = r->bytes;
	m->waited_ns = clock_mono_ns() - r->begun_ns;
	text_set(m->why, sizeof(m->why), r->why);
	child_emit(&w->child, &ev);
}

static void
tell_pushed(struct worker *w, const struct round *r)
{
	struct event ev = {.type = MESSAGE_PUSHED};

	ev.u.pushed = (struct msg_pushed){.consumer = r->at->consumer,
	    .bytes = r->at->life.pushed,
	    .burst = churn_stream_largest(w)};
	child_emit(&w->child, &ev);
}

static void
tell_pin(struct worker *w, const struct round *r)
{
	struct event ev = {.type = MESSAGE_PULL_PIN};

	ev.u.pull_pin = (struct msg_pull_pin){.consumer = r->at->consumer,
	    .pull = r->number,
	    .sent = r->sent,
	    .got = r->got,
	    .held = r->status == 404 || r->status == 408,
	    .lasts_ns = CHURN_PIN_NS};
	child_emit(&w->child, &ev);
}

static struct ack
ack_of(const struct consumption *c)
{
	return (struct ack){c->consumer, c->delivery.seq,
	    c->delivery.consumer_seq, c->payload.id};
}

/*
 * Another of the batch stands for it: the latest delivery of its message, for
 * servers leave answers to earlier ones alone; or the highest sequence, where
 * one ack does for all.
 */
static bool
is_passed_over(const struct round *r, const struct churn *s, uint32_t i)
{
	bool is_all = r->at->life.terms.acks == ACK_POLICY_ALL;
	const struct delivery *a = &s->told[i].delivery, *b;
	uint32_t k;

	for (k = 0; k < s->n; k++) {
		b = &s->told[k].delivery;
		if ((b->seq == a->seq && b->consumer_seq > a->consumer_seq) ||
		    (is_all && b->seq > a->seq))
			return true;
	}
	return false;
}

/*
 * Nothing is acked while there is more to read: it may be the same messages
 * once more, sent before the ack, which would look as if sent after it.
 */
static enum message_word
draw_how(struct worker *w, const struct round *r, uint32_t i)
{
	/* Most are acked. */
	static const enum message_word others[] = {ANSWER_NAK, ANSWER_NAK,
	    ANSWER_TERM, ANSWER_PROGRESS, ANSWER_NOTHING, ANSWER_NOTHING};
	struct churn *s = w->state;

	if (r->is_behind || r->take->is_silent || is_passed_over(r, s, i))
		return ANSWER_NOTHING;
	if (r->take->is_last || rng_below(&s->rng, 6) != 0)
		return ANSWER_ACK;
	return r->at->life.terms.acks == ACK_POLICY_ALL
		   ? ANSWER_NOTHING
		   : others[rng_below(&s->rng, 6)];
}

/* Its ack goes out later, and asks for more. */
static void
hold(struct churn *s, uint32_t i)
{
	s->answer[i].how = 0;
	s->next.is_held = true;
	s->next.ack = ack_of(&s->told[i]);
	text_set(s->next.reply, sizeof(s->next.reply),
	    natsMsg_GetReply(s->batch[i]));
}

static void
draw_answer(struct worker *w, const struct round *r, uint32_t i)
{
	struct churn *s = w->state;
	struct churn_answer *a = &s->answer[i];
	const struct churn_life *l = &r->at->life;
	bool may_hold = r->number != 0 && !r->is_next && !r->take->is_last &&
			!l->is_pinned && !l->is_overflow && !s->next.is_held;

	memset(a, 0, sizeof(*a));
	if (r->at->life.terms.acks == ACK_POLICY_NONE)
		return;
	a->how = draw_how(w, r, i);
	if (a->how == ANSWER_NAK && rng_below(&s->rng, 2) == 0)
		a->delay_ns = (1 + rng_below(&s->rng, 20)) * CLOCK_S / 10;
	if (a->how == ANSWER_ACK && may_hold && i + 1 == s->n &&
	    rng_below(&s->rng, NEXT_OF) == 0)
		hold(s, i);
}

static void
tell_answer(struct worker *w, uint32_t i)
{
	struct event ev = {.type = MESSAGE_ANSWER_INVOKE};
	struct msg_answer_invoke *m = &ev.u.answer_invoke;
	const struct churn *s = w->state;
	const struct ack a = ack_of(&s->told[i]);

	if (s->answer[i].how == ANSWER_ACK)
		tell_ack_invoke(w, &a, 1);
	if (s->answer[i].how == ANSWER_ACK || s->answer[i].how == 0)
		return;
	m->consumer = a.consumer;
	m->seq = a.seq;
	m->consumer_seq = a.consumer_seq;
	m->id = a.id;
	m->attempt = 1;
	m->how = (uint8_t)s->answer[i].how;
	m->awaited = s->answer[i].how != ANSWER_NOTHING;
	m->delay_ns = s->answer[i].delay_ns;
	child_emit(&w->child, &ev);
}

/* How it ended: as ANSWER_OK, or as ANSWER_UNKNOWN for good. */
static void
tell_outcome(struct worker *w, uint32_t i, bool is_confirmed)
{
	struct event ev = {.type = MESSAGE_ANSWER_UNKNOWN};
	struct msg_answer_unknown *m = &ev.u.answer_unknown;
	const struct churn *s = w->state;
	const struct ack a = ack_of(&s->told[i]);

	if (s->answer[i].how == ANSWER_ACK && is_confirmed)
		tell_confirmed(w, &a);
	else if (s->answer[i].how == ANSWER_ACK)
		tell_unconfirmed(w, &a, true);
	if (s->answer[i].how == ANSWER_ACK)
		return;
	/* Both begin alike. */
	m->consumer = a.consumer;
	m->seq = a.seq;
	m->consumer_seq = a.consumer_seq;
	m->id = a.id;
	m->how = (uint8_t)s->answer[i].how;
	if (is_confirmed) {
		ev.type = MESSAGE_ANSWER_OK;
	} else {
		m->gave_up = 1;
		text_set(m->why, sizeof(m->why), w->session.why);
	}
	child_emit(&w->child, &ev);
}

static void
send_answer(struct worker *w, uint32_t i)
{
	static const char *const words[] = {[ANSWER_ACK] = "+ACK",
	    [ANSWER_NAK] = "-NAK",
	    [ANSWER_TERM] = "+TERM",
	    [ANSWER_PROGRESS] = "+WPI"};
	struct churn *s = w->state;
	struct churn_answer *a = &s->answer[i];
	char reply[SESSION_INBOX_MAX + 24], text[64];

	if (a->how == 0 || a->how == ANSWER_NOTHING)
		return;
	a->is_open = true;
	text_set(text, sizeof(text), words[a->how]);
	if (a->delay_ns != 0)
		text_add(text, sizeof(text), " {\"delay\":%llu}",
		    (unsigned long long)a->delay_ns);
	text_format(reply, sizeof(reply), "%s.%llu", s->inbox,
	    (unsigned long long)(s->answers_from + i));
	session_send(&w->session, natsMsg_GetReply(s->batch[i]), reply, text);
}

/* Which answer a message confirms; s->n: of none. */
static uint32_t
which_answer(const struct churn *s, natsMsg *msg)
{
	const char *dot = strrchr(natsMsg_GetSubject(msg), '.');
	uint64_t token;

	if (dot == NULL || text_to_u64(dot + 1, UINT64_MAX, &token) < 0 ||
	    token < s->answers_from || token >= s->answers_from + s->n ||
	    natsMsg_GetDataLength(msg) != 0 || request_status(msg) != 0)
		return s->n;
	return (uint32_t)(token - s->answers_from);
}

/* Wait for what the server confirms; what does not come is unknown. */
static void
await_confirmed(struct worker *w, uint32_t open)
{
	uint64_t deadline = clock_mono_ns() + ANSWER_NS;
	struct churn *s = w->state;
	natsMsg *msg;
	natsStatus st;
	uint32_t i;
	int wait_ms;

	while (open > 0) {
		wait_ms = clock_poll_ms(clock_mono_ns(), deadline, SLICE_MS);
		if (wait_ms == 0)
			break;
		msg = NULL;
		st = natsSubscription_NextMsg(&msg, s->answers, wait_ms);
		if (st == NATS_TIMEOUT)
			worker_commands(w, 0); /* and a sign of life */
		i = st == NATS_OK ? which_answer(s, msg) : s->n;
		natsMsg_Destroy(msg);
		if (i == s->n || !s->answer[i].is_open)
			continue; /* of an earlier one, or it went nowhere */
		s->answer[i].is_open = false;
		open--;
		tell_outcome(w, i, true);
	}
	session_note(&w->session, NATS_TIMEOUT, 0);
	for (i = 0; i < s->n; i++)
		if (s->answer[i].is_open)
			tell_outcome(w, i, false);
}

/* Answer what came. "Delivered" is in the pipe when the first answer leaves. */
static void
answer(struct worker *w, const struct round *r)
{
	struct churn *s = w->state;
	uint32_t i, open = 0;

	for (i = 0; i < s->n; i++) {
		draw_answer(w, r, i);
		tell_answer(w, i);
	}
	child_flush(&w->child);
	for (i = 0; i < s->n; i++) {
		send_answer(w, i);
		open += s->answer[i].is_open;
	}
	await_confirmed(w, open);
	for (i = 0; i < s->n; i++)
		natsMsg_Destroy(s->batch[i]);
	s->answers_from += s->n;
	s->n = 0;
}

/*
 * What comes behind the end of a request. That more bytes do not fit servers
 * (2.15.1) say at once, before they send what waits for its quorum.
 */
static void
take_rest(struct worker *w, struct round *r)
{
	struct churn *s = w->state;
	int wait_ms = r->status == 409 ? LATE_MS : 0;
	natsMsg *msg;

	while (s->n < CHURN_BATCH_MAX &&
	       next_message(&r->at->life, &msg, wait_ms) == NATS_OK)
		take_message(w, r, msg);
	if (s->n > 0)
		answer(w, r);
}

/* An answer that says more than that there was nothing to send. */
static bool
is_refusal(const struct round *r)
{
	return r->is_over && r->status != 404 && r->status != 408 &&
	       r->status != WRONG_PIN &&
	       (r->status != 409 || r->take->max_bytes == 0);
}

static int
take_round(struct worker *w, struct round *r)
{
	struct churn_place *p = r->at;
	struct churn *s = w->state;
	int err = 0;

	r->begun_ns = clock_mono_ns();
	if (p->life.terms.kind == KIND_PULL)
		err = send_request(w, r);
	else
		r->batch = CHURN_BATCH_MAX;
	if (err == 0)
		err = receive(w, r);
	r->is_behind = is_behind(&p->life);
	answer(w, r);
	if (r->number != 0) {
		take_rest(w, r);
		tell_reconnects(w); /* a request may have been sent twice */
		if (p->life.is_pinned)
			tell_pin(w, r);
		tell_request_over(w, r);
	}
	if (p->life.terms.rate != 0)
		tell_pushed(w, r);
	child_flush(&w->child);
	if (is_refusal(r))
		session_backoff(&s->pause, &w->child);
	else
		s->pause.step = 0;
	return err < 0 ? err : (int)r->messages;
}

int
churn_take(
    struct worker *w, struct churn_place *p, const struct churn_take *take)
{
	static const struct churn_take more = {
	    .batch = NEXT_BATCH, .expires_ns = NEXT_NS};
	const struct churn *s = w->state;
	struct round r = {.at = p, .take = take, .batch = take->batch};
	struct round next = {
	    .at = p, .take = &more, .batch = NEXT_BATCH, .is_next = true};
	int got = take_round(w, &r), got_next = 0;

	if (got >= 0 && s->next.is_held)
		got_next = take_round(w, &next);
	return got_next < 0 ? got_next : got + got_next;
}

/* Nothing came since the client began to wait, and this is said of it. */
static void
note_wait(struct churn_life *l, const struct churn_seen *seen, uint64_t from_ns)
{
	struct churn_wait *t = &l->wait;

	if (!seen->found || seen->is_paused ||
	    seen->pending + seen->ack_pending == 0) {
		memset(t, 0, sizeof(*t));
		return;
	}
	if (t->since_ns == 0)
		t->since_ns = from_ns;
	t->tried_ns += clock_mono_ns() - from_ns;
	t->looks++;
	t->pending = seen->pending;
	t->ack_pending = seen->ack_pending;
}

int
churn_drain(struct worker *w, struct churn_place *p, uint64_t ns)
{
	const struct churn_take take = {.batch = CHURN_BATCH_MAX,
	    .expires_ns = DRAIN_NS,
	    .is_instant = true,
	    .is_last = true};
	uint64_t deadline = clock_mono_ns() + ns, from;
	struct churn_seen seen = {.found = true, .pending = 1};
	struct backoff b = {0};
	int got;

	do {
		from = clock_mono_ns();
		got = churn_take(w, p, &take);
		if (got < 0)
			return got;
		if (got > 0)
			continue;
		if (churn_see(w, p, true, &seen)) {
			note_wait(&p->life, &seen, from);
			if (!seen.found || seen.pending + seen.ack_pending == 0)
				break;
		}
		session_backoff(&b, &w->child); /* what was not acked comes */
	} while (clock_mono_ns() < deadline);
	return 0;
}

void
churn_tell_wait(struct worker *w, struct churn_place *p)
{
	struct event ev = {.type = MESSAGE_CONSUMER_WAITED};
	const struct churn_wait *t = &p->life.wait;

	if (t->since_ns == 0)
		return;
	tell_reconnects(w); /* what was sent then may be lost */
	ev.u.consumer_waited =
	    (struct msg_consumer_waited){.stream = p->life.terms.stream,
		.consumer = p->consumer,
		.since_ns = t->since_ns,
		.tried_ns = t->tried_ns,
		.looks = t->looks,
		.pending = t->pending,
		.ack_pending = t->ack_pending};
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}
