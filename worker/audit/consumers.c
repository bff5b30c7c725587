/* SPDX-License-Identifier: ISC */
/*
 * What the consumers say of themselves after the load. All are asked, round
 * by round, until each one's leader says the same several times. One with
 * nothing left is done then. Another gets a client: the audit reads from it and
 * acks what comes, as any client may, until nothing is left or nothing has
 * changed for so long that its numbers are wrong, or it owes a delivery
 * (guarantees 15).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"

#define INFO_MS	    2000
#define QUIET_POLLS 3 /* equal answers before it is quiet */
#define FIRST_STEP  4 /* of the back-off: polls lie 160 ms and more apart */
#define PERSIST_NS  (60 * CLOCK_S)
#define GONE_NS	    (30 * CLOCK_S)
#define WAITS	    3 /* ack waits in which something has to come */
#define WAIT_MAX_NS (120 * CLOCK_S)
#define ANSWER_NS   (60 * CLOCK_S) /* for them to say anything */
#define SLACK_NS    (5 * CLOCK_S)  /* the last question, and its answer */
#define PULL_NS	    CLOCK_S
#define NOT_FOUND   10014 /* JSConsumerNotFoundErr */

/* A consumer that is asked. */
struct subject {
	struct worker *w;
	const struct worker_asked *asked;
	struct session_consumer name;
	struct msg_consumer_info last; /* without what is of the asking */
	unsigned polls;		       /* equal answers, of which */
	uint64_t first_ns, last_ns;    /* the first and the last came then */
	unsigned gone;		       /* "not found" in a row, likewise */
	uint64_t waiting; /* pull requests, when none was of the audit */
	bool is_limited;  /* MaxDeliver: some messages may stay for ever */
	uint64_t idle_ns; /* a client waits since then; 0 there is none */
	char deliver[96], group[64]; /* where it pushes to, if it does */
	struct pull pull;
	natsSubscription *push;
};

static void
note_gone(struct subject *s, uint64_t now)
{
	s->polls = 0;
	if (s->gone++ == 0)
		s->first_ns = now;
	s->last_ns = now;
}

static void
note_info(struct subject *s, const jsConsumerInfo *ci, uint64_t now)
{
	struct msg_consumer_info m;

	memset(&m, 0, sizeof(m)); /* compared as bytes */
	m.consumer = s->asked->consumer;
	m.created = (uint64_t)ci->Created;
	m.consumer_seq = ci->Delivered.Consumer;
	m.stream_seq = ci->Delivered.Stream;
	m.floor_consumer = ci->AckFloor.Consumer;
	m.floor_stream = ci->AckFloor.Stream;
	m.pending = ci->NumPending;
	m.ack_pending = (uint64_t)ci->NumAckPending;
	m.redelivered = (uint64_t)ci->NumRedelivered;
	if (ci->Cluster != NULL && ci->Cluster->Leader != NULL)
		text_set(m.server, sizeof(m.server), ci->Cluster->Leader);
	s->gone = 0;
	if (s->polls == 0 || memcmp(&m, &s->last, sizeof(m)) != 0) {
		s->polls = 0;
		s->first_ns = now;
	}
	s->last = m;
	if (s->idle_ns == 0)
		s->waiting = (uint64_t)ci->NumWaiting;
	s->polls++;
	s->last_ns = now;
	s->is_limited = ci->Config->MaxDeliver > 0;
	text_set(s->deliver, sizeof(s->deliver),
	    ci->Config->DeliverSubject != NULL ? ci->Config->DeliverSubject
					       : "");
	text_set(s->group, sizeof(s->group),
	    ci->Config->DeliverGroup != NULL ? ci->Config->DeliverGroup : "");
}

/* Ask once. */
static void
ask(struct subject *s)
{
	struct session *session = &s->w->session;
	jsConsumerInfo *ci = NULL;
	uint64_t now = clock_mono_ns();

	if (session_consumer_info(session, &s->name, INFO_MS, &ci) ==
	    OUTCOME_OK)
		note_info(s, ci, now);
	else if (session->code == NOT_FOUND)
		note_gone(s, now);
	else
		s->polls = s->gone = 0;
	jsConsumerInfo_Destroy(ci);
}

static bool
is_quiet(const struct subject *s)
{
	return s->polls >= QUIET_POLLS;
}

/* Nothing is left, and its numbers agree. */
static bool
is_plain(const struct subject *s)
{
	return s->last.pending == 0 && s->last.ack_pending == 0 &&
	       (s->is_limited ||
		   (s->last.floor_consumer == s->last.consumer_seq &&
		       s->last.floor_stream == s->last.stream_seq));
}

/* How long nothing may come before that says something. */
static uint64_t
patience(const struct subject *s)
{
	uint64_t ns = WAITS * s->asked->ack_wait_ns;

	if (ns > WAIT_MAX_NS)
		ns = WAIT_MAX_NS;
	return ns > PERSIST_NS ? ns : PERSIST_NS;
}

/* It says the same several times, or for long that it does not exist. */
static bool
is_answered(const struct subject *s)
{
	return is_quiet(s) ||
	       (s->gone > 0 && s->last_ns >= s->first_ns + GONE_NS);
}

/* A round; true when all of them are answered. */
static bool
ask_round(struct subject *all, uint32_t n)
{
	bool is_over = true;
	struct subject *s;

	for (s = all; s < all + n && !limit_is_over(s->w); s++) {
		if (is_answered(s))
			continue;
		ask(s);
		child_beat(&s->w->child);
		if (s->gone == 1)
			limit_prove(s->w, GONE_NS + SLACK_NS,
			    "a consumer is not found");
		is_over = is_over && is_answered(s);
	}
	return is_over;
}

static void
ask_until_answered(struct worker *w, struct subject *all)
{
	uint64_t begin_ns = clock_mono_ns();
	struct backoff b = {.step = FIRST_STEP};

	while (!ask_round(all, w->nasked) && !limit_is_over(w) &&
	       clock_mono_ns() < begin_ns + ANSWER_NS)
		session_backoff(&b, &w->child);
}

static int
open_client(struct subject *s)
{
	if (s->deliver[0] == '\0')
		return pull_open(&s->pull, &s->w->session);
	if (natsConnection_QueueSubscribeSync(
		&s->push, s->w->session.nc, s->deliver, s->group) != NATS_OK)
		return -1;
	return 0;
}

static void
close_client(struct subject *s)
{
	pull_close(&s->pull);
	natsSubscription_Destroy(s->push);
	s->push = NULL;
}

/* The next delivery within a second: 1, 0 or -errno. */
static int
next_delivery(struct subject *s, natsMsg **msg)
{
	if (s->push == NULL)
		return pull_next(s->w, &s->pull, &s->name, PULL_NS, msg);
	child_beat(&s->w->child);
	return natsSubscription_NextMsg(
		   msg, s->push, (int64_t)(PULL_NS / CLOCK_MS)) == NATS_OK;
}

static void
take(struct subject *s, natsMsg *msg)
{
	struct consumption c = {.stream = s->asked->stream,
	    .consumer = s->asked->consumer,
	    .ack_ns = 5 * CLOCK_S};

	if (consume_deliver(s->w, &c, msg) < 0)
		return;
	(void)consume_ack(s->w, &c, msg); /* its events say it all */
	s->idle_ns = clock_mono_ns();
}

/* Nothing has changed, and nothing has come, for so long. */
static bool
is_stuck(const struct subject *s, uint64_t ns)
{
	return is_quiet(s) && s->last_ns >= s->first_ns + ns &&
	       s->last_ns >= s->idle_ns + ns;
}

/* Read what it has left, until there is nothing, or nothing changes. */
static void
empty(struct subject *s)
{
	bool is_proving = false;
	natsMsg *msg;
	int got = open_client(s);

	if (got == 0)
		s->idle_ns = clock_mono_ns();
	while (got >= 0 && !limit_is_over(s->w)) {
		msg = NULL;
		got = next_delivery(s, &msg);
		if (got > 0)
			take(s, msg);
		natsMsg_Destroy(msg);
		if (got > 0)
			continue;
		ask(s);
		if ((is_quiet(s) && is_plain(s)) || is_stuck(s, patience(s)))
			break;
		if (is_proving || !is_stuck(s, SLACK_NS))
			continue;
		is_proving = true;
		limit_prove(s->w, patience(s), "a consumer has something left");
	}
	close_client(s);
}

static void
tell(struct subject *s)
{
	struct event ev = {.type = MESSAGE_CONSUMER_INFO};
	struct msg_consumer_state *m = &ev.u.consumer_state;

	if (s->gone >= QUIET_POLLS) {
		ev.type = MESSAGE_CONSUMER_GONE;
		ev.u.consumer_gone.consumer = s->asked->consumer;
		ev.u.consumer_gone.polls = s->gone;
		ev.u.consumer_gone.lasted_ns = s->last_ns - s->first_ns;
	} else if (s->polls == 0) {
		ev.type = MESSAGE_CONSUMER_SILENT;
		ev.u.consumer_silent.consumer = s->asked->consumer;
		text_set(ev.u.consumer_silent.why,
		    sizeof(ev.u.consumer_silent.why),
		    s->w->session.why[0] != '\0' ? s->w->session.why
						 : "no time was left");
	} else {
		ev.u.consumer_info = s->last;
		ev.u.consumer_info.polls = s->polls;
		ev.u.consumer_info.waiting = s->waiting;
		ev.u.consumer_info.lasted_ns = s->last_ns - s->first_ns;
		if (s->idle_ns != 0 && s->last_ns > s->idle_ns)
			ev.u.consumer_info.tried_ns = s->last_ns - s->idle_ns;
	}
	child_emit(&s->w->child, &ev);
	if (ev.type == MESSAGE_CONSUMER_INFO) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_CONSUMER_STATE;
		m->consumer = s->last.consumer;
		m->quiet = is_quiet(s);
		m->created = s->last.created;
		m->pending = s->last.pending;
		m->ack_pending = s->last.ack_pending;
		m->consumer_seq = s->last.consumer_seq;
		child_emit(&s->w->child, &ev);
	}
	child_flush(&s->w->child);
}

static const char *
stream_name(const struct worker *w, uint32_t stream)
{
	uint32_t i;

	for (i = 0; i < w->ntargets; i++)
		if (w->targets[i].stream == stream)
			return w->targets[i].name;
	return "";
}

void
consumers_ask(struct worker *w)
{
	struct subject *all, *s;
	uint32_t i;

	if (w->nasked == 0)
		return;
	all = calloc(w->nasked, sizeof(*all));
	if (all == NULL) {
		child_diag(&w->child, -ENOMEM, "cannot ask the consumers");
		return;
	}
	for (i = 0; i < w->nasked; i++) {
		all[i].w = w;
		all[i].asked = &w->asked[i];
		all[i].name = (struct session_consumer){
		    stream_name(w, w->asked[i].stream), w->asked[i].name};
	}
	ask_until_answered(w, all);
	for (s = all; s < all + w->nasked; s++) {
		if (is_quiet(s) && !is_plain(s))
			empty(s);
		tell(s);
	}
	free(all);
}
