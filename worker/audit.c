/* SPDX-License-Identifier: ISC */
/*
 * The audit: a full scan of every stream by a second path, after all faults
 * were healed. First a fresh pull consumer (as many replicas as the stream)
 * reads everything; it may lose deliveries on the way and may read from a
 * replica that is behind, so each sequence it did not show is then asked of
 * the stream leader by number, several times, before it is called absent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define BATCH	    256
#define QUIET_POLLS 3 /* equal answers before it is quiet */
#define QUIET_NS    (60 * CLOCK_S)
#define IDLE_PULLS  3 /* empty pulls before the path is over */
#define PULL_NS	    (2 * CLOCK_S)
#define GET_TRIES   5 /* "not found" answers that settle it */
#define GET_NS	    (90 * CLOCK_S)
#define REQUEST_MS  2000
#define MISSING_MAX 100000

/* A sequence that the consumer did not show. */
struct gap {
	uint64_t seq;
	uint32_t not_found; /* times the leader said so */
};

struct scan {
	struct worker *w;
	const struct worker_target *target;
	uint64_t first, last, messages, created;
	uint64_t next; /* lowest sequence the consumer has not shown */
	uint64_t read; /* messages read on either path */
	struct gap *missing;
	size_t nmissing;
	char why[128];
};

static bool
stream_state(struct scan *s, uint64_t *first, uint64_t *last, uint64_t *n)
{
	jsStreamInfo *si = NULL;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	st = js_GetStreamInfo(
	    &si, s->w->session.js, s->target->name, &jo, &code);
	if (st != NATS_OK) {
		(void)session_outcome(&s->w->session, st, code);
		(void)snprintf(s->why, sizeof(s->why), "no stream info: %.90s",
		    s->w->session.why);
		return false;
	}
	*first = si->State.FirstSeq;
	*last = si->State.LastSeq;
	*n = si->State.Msgs;
	s->created = (uint64_t)si->Created;
	jsStreamInfo_Destroy(si);
	return true;
}

/* After a restart the last entry may not be applied yet: wait for quiet. */
static int
wait_quiet(struct scan *s)
{
	uint64_t deadline = clock_mono_ns() + QUIET_NS, first, last, n;
	struct backoff b = {.step = 4}; /* polls lie 160 ms and more apart */
	unsigned same = 0;

	while (clock_mono_ns() < deadline) {
		if (!stream_state(s, &first, &last, &n))
			same = 0;
		else if (same > 0 && first == s->first && last == s->last &&
			 n == s->messages)
			same++;
		else
			same = 1;
		if (same > 0) {
			s->first = first;
			s->last = last;
			s->messages = n;
		}
		if (same >= QUIET_POLLS)
			return 0;
		session_backoff(&b, &s->w->child);
	}
	return -ETIMEDOUT;
}

static void
emit_message(
    struct scan *s, uint8_t path, uint64_t seq, int64_t stamp_ns, natsMsg *msg)
{
	struct event ev = {.type = MESSAGE_SCAN_MESSAGE};
	struct msg_scan_message *m = &ev.u.scan_message;
	struct payload p;

	m->intact = payload_read(
	    &p, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	m->stream = s->target->stream;
	m->path = path;
	m->seq = seq;
	m->stamp_ns = stamp_ns;
	m->id = p.id;
	m->run = p.run;
	m->sum = p.sum;
	child_emit(&s->w->child, &ev);
	s->read++;
}

static int
note_missing(struct scan *s, uint64_t from, uint64_t to)
{
	struct gap *grown;
	uint64_t seq;

	for (seq = from; seq <= to; seq++) {
		if (s->nmissing == MISSING_MAX) {
			(void)snprintf(s->why, sizeof(s->why),
			    "more than %d sequences are missing", MISSING_MAX);
			return -E2BIG;
		}
		if (s->nmissing % 1024 == 0) {
			grown = realloc(
			    s->missing, (s->nmissing + 1024) * sizeof(*grown));
			if (grown == NULL)
				return -ENOMEM;
			s->missing = grown;
		}
		s->missing[s->nmissing++] = (struct gap){seq, 0};
	}
	return 0;
}

/* One message of the consumer path: in order, or a gap before it. */
static int
take_message(struct scan *s, natsMsg *msg)
{
	struct delivery d;
	int err;

	if (session_delivery(natsMsg_GetReply(msg), &d) < 0 || d.seq < s->next)
		return 0; /* a status, or shown before */
	err = note_missing(s, s->next, d.seq - 1);
	if (err < 0)
		return err;
	emit_message(s, 1, d.seq, d.stamp_ns, msg);
	s->next = d.seq + 1;
	return 1;
}

/* One pull request: messages taken, or -errno. */
static int
pull_batch(
    struct scan *s, natsSubscription *sub, const char *api, const char *inbox)
{
	uint64_t deadline = clock_mono_ns() + PULL_NS;
	char request[64];
	natsMsg *msg;
	int taken = 0, got, wait_ms;

	(void)snprintf(request, sizeof(request),
	    "{\"batch\":%d,\"expires\":%llu}", BATCH,
	    (unsigned long long)PULL_NS);
	if (natsConnection_PublishRequestString(
		s->w->session.nc, api, inbox, request) != NATS_OK)
		return 0;
	while (taken < BATCH && s->next <= s->last) {
		wait_ms = clock_poll_ms(clock_mono_ns(), deadline, 500);
		if (wait_ms == 0)
			break;
		msg = NULL;
		if (natsSubscription_NextMsg(&msg, sub, wait_ms) != NATS_OK) {
			child_beat(&s->w->child);
			continue;
		}
		got = take_message(s, msg);
		natsMsg_Destroy(msg);
		if (got < 0)
			return got;
		taken += got;
	}
	child_beat(&s->w->child);
	return taken;
}

static int
make_reader(struct scan *s, char *api, size_t api_size)
{
	uint64_t deadline = clock_mono_ns() + QUIET_NS;
	struct backoff b = {0};
	jsConsumerConfig cc;
	jsErrCode code;
	jsOptions jo;
	natsStatus st;
	char name[64];

	(void)snprintf(name, sizeof(name), "natsburn_audit_%u_%u", s->w->source,
	    s->w->incarnation);
	(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
	cc.Durable = name;
	cc.AckPolicy = js_AckNone;
	cc.Replicas = (int64_t)s->w->config.replicas;
	cc.InactiveThreshold = (int64_t)(300 * CLOCK_S);
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	do {
		code = 0;
		st = js_AddConsumer(
		    NULL, s->w->session.js, s->target->name, &cc, &jo, &code);
		if (st == NATS_OK) {
			api[0] = '\0';
			(void)text_add(api, api_size,
			    "$JS.API.CONSUMER.MSG.NEXT.%s.%s", s->target->name,
			    name);
			return 0;
		}
		session_backoff(&b, &s->w->child);
	} while (clock_mono_ns() < deadline);
	(void)session_outcome(&s->w->session, st, code);
	(void)snprintf(s->why, sizeof(s->why), "no audit consumer: %.90s",
	    s->w->session.why);
	return -ETIMEDOUT;
}

/* The consumer path. What it does not show is left to the leader. */
static int
scan_by_consumer(struct scan *s)
{
	natsSubscription *sub = NULL;
	natsInbox *inbox = NULL;
	unsigned idle = 0;
	char api[192];
	int err, got;

	err = make_reader(s, api, sizeof(api));
	if (err < 0)
		return err;
	if (natsInbox_Create(&inbox) != NATS_OK ||
	    natsConnection_SubscribeSync(&sub, s->w->session.nc, inbox) !=
		NATS_OK)
		err = -EIO;
	while (err == 0 && s->next <= s->last && idle < IDLE_PULLS) {
		got = pull_batch(s, sub, api, inbox);
		if (got < 0)
			err = got;
		idle = got > 0 ? 0 : idle + 1;
	}
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
	return err;
}

static void
emit_absent(struct scan *s, uint64_t seq, uint32_t tries)
{
	struct event ev = {.type = MESSAGE_SCAN_ABSENT};

	ev.u.scan_absent.stream = s->target->stream;
	ev.u.scan_absent.seq = seq;
	ev.u.scan_absent.tries = tries;
	child_emit(&s->w->child, &ev);
}

/* Ask the leader: 1 found, 0 not found, -errno anything else. */
static int
get_by_number(struct scan *s, uint64_t seq)
{
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	st =
	    js_GetMsg(&msg, s->w->session.js, s->target->name, seq, &jo, &code);
	if (st == NATS_OK)
		emit_message(s, 2, seq, natsMsg_GetTime(msg), msg);
	natsMsg_Destroy(msg);
	child_beat(&s->w->child);
	if (st == NATS_OK)
		return 1;
	if (st == NATS_NOT_FOUND || code == JSNoMessageFoundErr)
		return 0;
	(void)session_outcome(&s->w->session, st, code);
	(void)snprintf(s->why, sizeof(s->why), "sequence %llu: %.80s",
	    (unsigned long long)seq, s->w->session.why);
	return -EIO;
}

/* One round over what is missing: what stays open is kept. */
static void
ask_leader(struct scan *s, uint64_t deadline)
{
	struct gap *g;
	size_t i, left = 0;
	int got;

	for (i = 0; i < s->nmissing; i++) {
		g = &s->missing[i];
		got = clock_mono_ns() < deadline ? get_by_number(s, g->seq)
						 : -ETIMEDOUT;
		g->not_found += got == 0;
		if (got == 1)
			continue;
		if (g->not_found >= GET_TRIES)
			emit_absent(s, g->seq, g->not_found);
		else
			s->missing[left++] = *g;
	}
	s->nmissing = left;
}

/* The leader path, for all that the consumer did not show. */
static int
scan_by_leader(struct scan *s)
{
	uint64_t deadline = clock_mono_ns() + GET_NS;
	struct backoff b = {0};

	/* Rounds, so that the answers of one sequence lie apart in time. */
	while (s->nmissing > 0) {
		ask_leader(s, deadline);
		if (s->nmissing > 0 && clock_mono_ns() >= deadline)
			return -ETIMEDOUT;
		session_backoff(&b, &s->w->child);
	}
	return 0;
}

static void
emit_begin(struct scan *s)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	ev.u.scan_begin.stream = s->target->stream;
	ev.u.scan_begin.first = s->first;
	ev.u.scan_begin.last = s->last;
	ev.u.scan_begin.messages = s->messages;
	ev.u.scan_begin.created = s->created;
	child_emit(&s->w->child, &ev);
}

static void
emit_end(struct scan *s, int err)
{
	struct event ev = {.type = MESSAGE_SCAN_END};
	struct msg_scan_end *m = &ev.u.scan_end;

	m->stream = s->target->stream;
	m->complete = err == 0;
	m->messages = s->read;
	m->last = s->last;
	if (err < 0)
		(void)text_copy(m->why, sizeof(m->why),
		    s->why[0] != '\0' ? s->why : strerror(-err));
	child_emit(&s->w->child, &ev);
	child_flush(&s->w->child);
}

static void
audit_stream(struct worker *w, const struct worker_target *target)
{
	struct scan s = {.w = w, .target = target, .next = 1};
	uint64_t last;
	int err;

	err = wait_quiet(&s);
	emit_begin(&s);
	if (err == 0)
		err = scan_by_consumer(&s);
	/* Acknowledged sequences beyond the end are asked for as well. */
	last = s.last > target->last_acked ? s.last : target->last_acked;
	if (err == 0 && s.next <= last)
		err = note_missing(&s, s.next, last);
	if (err == 0)
		err = scan_by_leader(&s);
	emit_end(&s, err);
	free(s.missing);
}

int
audit_streams(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		audit_stream(w, &w->targets[i]);
	return 0;
}
