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
#include "worker/scan.h"

#define BATCH	    256
#define IDLE_PULLS  3 /* empty pulls before the path is over */
#define PULL_NS	    (2 * CLOCK_S)
#define GET_TRIES   5 /* "not found" answers that settle it */
#define GET_NS	    (90 * CLOCK_S)
#define MISSING_MAX 100000

/* A sequence that the consumer did not show. */
struct gap {
	uint64_t seq;
	uint32_t not_found; /* times the leader said so */
};

struct audit {
	struct scan scan;
	uint64_t next; /* lowest sequence the consumer has not shown */
	struct gap *missing;
	size_t nmissing;
};

static int
note_missing(struct audit *a, uint64_t from, uint64_t to)
{
	struct gap *grown;
	uint64_t seq;

	for (seq = from; seq <= to; seq++) {
		if (a->nmissing == MISSING_MAX) {
			text_format(a->scan.why, sizeof(a->scan.why),
			    "more than %d sequences are missing", MISSING_MAX);
			return -E2BIG;
		}
		if (a->nmissing % 1024 == 0) {
			grown = realloc(
			    a->missing, (a->nmissing + 1024) * sizeof(*grown));
			if (grown == NULL)
				return -ENOMEM;
			a->missing = grown;
		}
		a->missing[a->nmissing++] = (struct gap){seq, 0};
	}
	return 0;
}

/* One message of the consumer path: in order, or a gap before it. */
static int
take_message(struct audit *a, natsMsg *msg)
{
	struct delivery d;
	int err;

	if (session_delivery(natsMsg_GetReply(msg), &d) < 0 || d.seq < a->next)
		return 0; /* a status, or shown before */
	err = note_missing(a, a->next, d.seq - 1);
	if (err < 0)
		return err;
	scan_message(&a->scan, SCAN_CONSUMER, d.seq, d.stamp_ns, msg);
	a->next = d.seq + 1;
	return 1;
}

/* One pull request: messages taken, or -errno. */
static int
pull_batch(
    struct audit *a, natsSubscription *sub, const char *api, const char *inbox)
{
	uint64_t deadline = clock_mono_ns() + PULL_NS;
	char request[64];
	natsMsg *msg;
	int taken = 0, got, wait_ms;

	text_format(request, sizeof(request), "{\"batch\":%d,\"expires\":%llu}",
	    BATCH, (unsigned long long)PULL_NS);
	if (natsConnection_PublishRequestString(
		a->scan.w->session.nc, api, inbox, request) != NATS_OK)
		return 0;
	while (taken < BATCH && a->next <= a->scan.last) {
		wait_ms = clock_poll_ms(clock_mono_ns(), deadline, 500);
		if (wait_ms == 0)
			break;
		msg = NULL;
		if (natsSubscription_NextMsg(&msg, sub, wait_ms) != NATS_OK) {
			child_beat(&a->scan.w->child);
			continue;
		}
		got = take_message(a, msg);
		natsMsg_Destroy(msg);
		if (got < 0)
			return got;
		taken += got;
	}
	child_beat(&a->scan.w->child);
	return taken;
}

static int
make_reader(struct audit *a, char *api, size_t api_size)
{
	uint64_t deadline = clock_mono_ns() + SCAN_QUIET_NS;
	struct backoff b = {0};
	jsConsumerConfig cc;
	jsErrCode code;
	jsOptions jo;
	natsStatus st;
	char name[64];

	text_format(name, sizeof(name), "natsburn_audit_%u_%u",
	    a->scan.w->source, a->scan.w->incarnation);
	(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
	cc.Durable = name;
	cc.AckPolicy = js_AckNone;
	cc.Replicas = (int64_t)a->scan.w->config.replicas;
	cc.InactiveThreshold = (int64_t)(300 * CLOCK_S);
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SCAN_REQUEST_MS;
	do {
		code = 0;
		st = js_AddConsumer(NULL, a->scan.w->session.js,
		    a->scan.target->name, &cc, &jo, &code);
		if (st == NATS_OK) {
			api[0] = '\0';
			text_add(api, api_size,
			    "$JS.API.CONSUMER.MSG.NEXT.%s.%s",
			    a->scan.target->name, name);
			return 0;
		}
		session_backoff(&b, &a->scan.w->child);
	} while (clock_mono_ns() < deadline);
	(void)session_outcome(&a->scan.w->session, st, code);
	text_format(a->scan.why, sizeof(a->scan.why),
	    "no audit consumer: %.90s", a->scan.w->session.why);
	return -ETIMEDOUT;
}

/* The consumer path. What it does not show is left to the leader. */
static int
scan_by_consumer(struct audit *a)
{
	natsSubscription *sub = NULL;
	natsInbox *inbox = NULL;
	unsigned idle = 0;
	char api[192];
	int err, got;

	err = make_reader(a, api, sizeof(api));
	if (err < 0)
		return err;
	if (natsInbox_Create(&inbox) != NATS_OK ||
	    natsConnection_SubscribeSync(&sub, a->scan.w->session.nc, inbox) !=
		NATS_OK)
		err = -EIO;
	while (err == 0 && a->next <= a->scan.last && idle < IDLE_PULLS) {
		got = pull_batch(a, sub, api, inbox);
		if (got < 0)
			err = got;
		idle = got > 0 ? 0 : idle + 1;
	}
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
	return err;
}

static void
emit_absent(struct audit *a, uint64_t seq, uint32_t tries)
{
	struct event ev = {.type = MESSAGE_SCAN_ABSENT};

	ev.u.scan_absent.stream = a->scan.target->stream;
	ev.u.scan_absent.seq = seq;
	ev.u.scan_absent.tries = tries;
	child_emit(&a->scan.w->child, &ev);
}

/* One round over what is missing: what stays open is kept. */
static void
ask_leader(struct audit *a, uint64_t deadline)
{
	struct gap *g;
	size_t i, left = 0;
	int got;

	for (i = 0; i < a->nmissing; i++) {
		g = &a->missing[i];
		got = clock_mono_ns() < deadline ? scan_get(&a->scan, g->seq)
						 : -ETIMEDOUT;
		g->not_found += got == 0;
		if (got == 1)
			continue;
		if (g->not_found >= GET_TRIES)
			emit_absent(a, g->seq, g->not_found);
		else
			a->missing[left++] = *g;
	}
	a->nmissing = left;
}

/* The leader path, for all that the consumer did not show. */
static int
scan_by_leader(struct audit *a)
{
	uint64_t deadline = clock_mono_ns() + GET_NS;
	struct backoff b = {0};

	/* Rounds, so that the answers of one sequence lie apart in time. */
	while (a->nmissing > 0) {
		ask_leader(a, deadline);
		if (a->nmissing > 0 && clock_mono_ns() >= deadline)
			return -ETIMEDOUT;
		session_backoff(&b, &a->scan.w->child);
	}
	return 0;
}

static void
audit_stream(struct worker *w, const struct worker_target *target)
{
	struct audit a = {.scan = {.w = w, .target = target}, .next = 1};
	uint64_t last;
	int err;

	err = scan_begin(&a.scan);
	if (err == 0)
		err = scan_by_consumer(&a);
	/* Acknowledged sequences beyond the end are asked for as well. */
	last = scan_last(&a.scan);
	if (err == 0 && a.next <= last)
		err = note_missing(&a, a.next, last);
	if (err == 0)
		err = scan_by_leader(&a);
	scan_end(&a.scan, err);
	free(a.missing);
}

int
audit_streams(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		audit_stream(w, &w->targets[i]);
	return 0;
}
