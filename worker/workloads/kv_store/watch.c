/* SPDX-License-Identifier: ISC */
/*
 * Watches, as a KV client makes them: an ordered push consumer with one
 * replica in memory, without acks. Whatever is missing, a delivery, a
 * heartbeat or the connection, ends the consumer, and another one goes on
 * behind what was shown last. Each has a subscription of its own, so that
 * nothing of an older one is taken for it. See kv_store.h.
 */
#include "proto/base/text.h"
#include "worker/workloads/kv_store/kv_store.h"

#define HEARTBEAT_NS CLOCK_S
#define SILENCE_NS   (3 * HEARTBEAT_NS)
#define RETRY_NS     (CLOCK_S / 2)
#define TAKEN_MAX    256 /* messages at one time */
#define IDLE	     100 /* the status of a heartbeat, or of flow control */
#define AWAIT_MS     20

static void
tell_begin(struct worker *w, const struct watch *t)
{
	struct event ev = {.type = MESSAGE_WATCH};
	struct msg_watch *m = &ev.u.watch;

	m->stream = t->shown.stream;
	m->watch = t->shown.look;
	m->how = (uint8_t)t->how;
	m->first = t->first;
	m->last = t->last;
	m->from = t->from;
	child_emit(&w->child, &ev);
}

static void
tell_made(struct worker *w, const struct watch *t, const jsConsumerInfo *ci)
{
	struct event ev = {.type = MESSAGE_WATCH_MADE};
	struct msg_watch_made *m = &ev.u.watch_made;

	m->stream = t->shown.stream;
	m->watch = t->shown.look;
	m->times = t->times;
	m->from = t->shown.count > 0 ? t->highest + 1 : 0;
	m->pending = ci->NumPending;
	child_emit(&w->child, &ev);
}

static void
tell_initial(struct worker *w, struct watch *t)
{
	struct event ev = {.type = MESSAGE_WATCH_INITIAL};

	if (t->is_initial)
		return;
	t->is_initial = true;
	ev.u.watch_initial.stream = t->shown.stream;
	ev.u.watch_initial.watch = t->shown.look;
	child_emit(&w->child, &ev);
}

static void
tell_key(struct worker *w, struct watch *t, natsMsg *msg, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_WATCH_KEY};
	struct msg_watch_key *m = &ev.u.watch_key;
	struct payload p = {.id = 0};

	if (!payload_read_id(&p, request_header(msg, "Nats-Msg-Id")))
		p.id = p.run = 0;
	m->stream = t->shown.stream;
	m->watch = t->shown.look;
	m->subject =
	    bucket_key_read(w, t->shown.stream, natsMsg_GetSubject(msg));
	m->seq = seq;
	m->id = p.id;
	m->run = p.run;
	child_emit(&w->child, &ev);
	t->shown.count++;
}

void
watch_begin(struct worker *w, struct watch *t, uint32_t bucket)
{
	struct operate *s = w->state;

	t->is_open = true;
	t->shown = (struct operate_shown){bucket, ++s->looks, 0, 0};
	tell_begin(w, t);
}

/* Its consumer is no more, or will go by itself when nobody listens. */
static void
watch_drop(struct watch *t)
{
	natsSubscription_Destroy(t->sub);
	t->sub = NULL;
}

static void
consumer_config(const struct watch *t, const char *filter, jsConsumerConfig *cc)
{
	session_consumer_config(cc, NULL);
	cc->Name = t->consumer;
	cc->FilterSubject = filter;
	cc->AckPolicy = js_AckNone;
	cc->MaxDeliver = 1;
	cc->Replicas = 1;
	cc->MemoryStorage = true;
	cc->FlowControl = true;
	cc->Heartbeat = (int64_t)HEARTBEAT_NS;
	cc->HeadersOnly = t->is_bare;
	cc->DeliverPolicy = t->how == WATCH_ALL	   ? js_DeliverAll
			    : t->how == WATCH_NEW  ? js_DeliverNew
			    : t->how == WATCH_FROM ? js_DeliverByStartSequence
						   : js_DeliverLastPerSubject;
	if (t->how == WATCH_FROM)
		cc->OptStartSeq = t->from;
	if (t->shown.count > 0) {
		cc->DeliverPolicy = js_DeliverByStartSequence;
		cc->OptStartSeq = t->highest + 1;
	}
}

static void
watch_make(struct worker *w, struct watch *t)
{
	struct operate *s = w->state;
	char filter[OPERATE_SUBJECT_MAX], inbox[SESSION_INBOX_MAX];
	jsConsumerInfo *ci = NULL;
	jsConsumerConfig cc;

	bucket_filter(w, t->shown.stream, t, filter);
	t->times++;
	t->consumer_seq = 0;
	t->reconnects = w->reconnects;
	text_format(t->consumer, sizeof(t->consumer), "natsburn_%u_%u_%llu_%u",
	    w->source, w->incarnation, (unsigned long long)t->shown.look,
	    t->times);
	consumer_config(t, filter, &cc);
	if (session_listen_at(&w->session, &t->sub, inbox) == 0) {
		cc.DeliverSubject = inbox;
		if (session_add_consumer(&w->session,
			s->streams[t->shown.stream].name, &cc,
			OPERATE_ATTEMPT_MS, &ci) == OUTCOME_OK)
			tell_made(w, t, ci);
		else
			watch_drop(t);
	}
	t->heard_ns = clock_mono_ns();
	t->retry_ns = t->heard_ns + RETRY_NS;
	if (ci != NULL && (ci->NumPending == 0 || t->how == WATCH_NEW))
		tell_initial(w, t);
	jsConsumerInfo_Destroy(ci);
}

/* A heartbeat, or a question whether we are behind: false: we lack some. */
static bool
take_status(struct worker *w, const struct watch *t, natsMsg *msg)
{
	const char *reply = natsMsg_GetReply(msg);
	uint64_t last;

	if (reply == NULL)
		reply = request_header(msg, "Nats-Consumer-Stalled");
	if (reply[0] != '\0')
		session_send(&w->session, reply, NULL, "");
	return text_to_u64(request_header(msg, "Nats-Last-Consumer"),
		   UINT64_MAX, &last) < 0 ||
	       last == t->consumer_seq;
}

/* False: the consumer is of no use any more. */
static bool
take_message(struct worker *w, struct watch *t, natsMsg *msg)
{
	const char *reply = natsMsg_GetReply(msg);
	struct delivery d;

	if (request_status(msg) == IDLE)
		return take_status(w, t, msg);
	if (reply == NULL || session_delivery(reply, &d) < 0 ||
	    d.consumer_seq != t->consumer_seq + 1)
		return false;
	t->consumer_seq++;
	if (t->is_bare)
		tell_key(w, t, msg, d.seq);
	else
		operate_show_delivery(w, &t->shown, msg, &d);
	if (t->highest < d.seq)
		t->highest = d.seq;
	if (d.pending == 0)
		tell_initial(w, t);
	return true;
}

/* False when what was here is taken, or when it is of no use. */
static bool
take_one(struct worker *w, struct watch *t, uint64_t now_ns)
{
	natsMsg *msg = NULL;
	uint64_t queued = 0;
	bool is_good;

	/* It fails when the subscription has ended: then nothing is queued. */
	(void)natsSubscription_QueuedMsgs(t->sub, &queued);
	if (queued == 0 || natsSubscription_NextMsg(&msg, t->sub, 1) != NATS_OK)
		return false;
	t->heard_ns = now_ns;
	is_good = take_message(w, t, msg);
	natsMsg_Destroy(msg);
	if (!is_good)
		watch_drop(t);
	return is_good;
}

void
watch_take(struct worker *w, struct watch *t)
{
	uint64_t now = clock_mono_ns();
	unsigned n = 0;

	if (t->sub == NULL && now >= t->retry_ns)
		watch_make(w, t);
	if (t->sub != NULL && w->reconnects != t->reconnects)
		watch_drop(t);
	while (t->sub != NULL && n < TAKEN_MAX && take_one(w, t, now))
		n++;
	if (t->sub != NULL && now >= t->heard_ns + SILENCE_NS)
		watch_drop(t);
	if ((t->is_brief && t->is_initial) || now >= t->end_ns)
		watch_end(w, t, 0, 0);
}

void
watch_await(struct worker *w, struct watch *t)
{
	while (t->is_open) {
		watch_take(w, t);
		if (t->is_open)
			worker_commands(w, AWAIT_MS);
	}
}

void
watch_end(
    struct worker *w, struct watch *t, uint64_t waited_for, uint64_t since_ns)
{
	struct event ev = {.type = MESSAGE_WATCH_END};
	struct msg_watch_end *m = &ev.u.watch_end;
	const struct operate *s = w->state;
	struct session_consumer c = {
	    s->streams[t->shown.stream].name, t->consumer};

	if (t->sub != NULL)
		session_drop_consumer(&w->session, &c, OPERATE_ATTEMPT_MS);
	watch_drop(t);
	m->stream = t->shown.stream;
	m->watch = t->shown.look;
	m->ok = waited_for == 0 || t->highest >= waited_for;
	m->shown = t->shown.count;
	m->last = waited_for;
	m->since_ns = since_ns;
	child_emit(&w->child, &ev);
	t->is_open = false;
}
