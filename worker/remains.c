/* SPDX-License-Identifier: ISC */
/*
 * The audit of a stream that drops what was acked (work queue, interest):
 * a scan through a consumer can't be had there, and the stream should be
 * all but empty. What is left is found through the leader, from one message
 * to the next; what lies between holds nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define REQUEST_MS  2000
#define QUIET_POLLS 3
#define QUIET_NS    (60 * CLOCK_S)
#define TRIES_NS    (30 * CLOCK_S)
#define LEFT_MAX    100000 /* messages; more is not worth reading */

struct remains {
	struct worker *w;
	const struct worker_target *target;
	uint64_t first, last, messages, created, read;
	char why[128];
};

static bool
ask_state(struct remains *r, uint64_t *first, uint64_t *last, uint64_t *n)
{
	jsStreamInfo *si = NULL;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	st = js_GetStreamInfo(
	    &si, r->w->session.js, r->target->name, &jo, &code);
	if (st != NATS_OK) {
		(void)session_outcome(&r->w->session, st, code);
		(void)snprintf(r->why, sizeof(r->why), "no stream info: %.90s",
		    r->w->session.why);
		return false;
	}
	*first = si->State.FirstSeq;
	*last = si->State.LastSeq;
	*n = si->State.Msgs;
	r->created = (uint64_t)si->Created;
	jsStreamInfo_Destroy(si);
	return true;
}

/* Removal lags behind the acks: wait until it stays the same. */
static int
wait_quiet(struct remains *r)
{
	uint64_t deadline = clock_mono_ns() + QUIET_NS, first, last, n;
	struct backoff b = {.step = 5};
	unsigned same = 0;

	while (same < QUIET_POLLS && clock_mono_ns() < deadline) {
		if (!ask_state(r, &first, &last, &n))
			same = 0;
		else if (same > 0 && first == r->first && last == r->last &&
			 n == r->messages)
			same++;
		else {
			r->first = first;
			r->last = last;
			r->messages = n;
			same = 1;
		}
		session_backoff(&b, &r->w->child);
	}
	return same >= QUIET_POLLS ? 0 : -ETIMEDOUT;
}

static void
emit_message(struct remains *r, uint64_t seq, natsMsg *msg)
{
	struct event ev = {.type = MESSAGE_SCAN_MESSAGE};
	struct msg_scan_message *m = &ev.u.scan_message;
	struct payload p;

	m->intact = payload_read(
	    &p, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	m->stream = r->target->stream;
	m->path = 2;
	m->seq = seq;
	m->stamp_ns = natsMsg_GetTime(msg);
	m->id = p.id;
	m->run = p.run;
	m->sum = p.sum;
	child_emit(&r->w->child, &ev);
	r->read++;
}

static void
emit_removed(struct remains *r, uint64_t first, uint64_t last)
{
	struct event ev = {.type = MESSAGE_SCAN_REMOVED};

	if (first > last)
		return;
	ev.u.scan_removed.stream = r->target->stream;
	ev.u.scan_removed.first = first;
	ev.u.scan_removed.last = last;
	child_emit(&r->w->child, &ev);
}

/* The sequence of the first message from one on: 1, 0 none, or -errno. */
static int
next_from(struct remains *r, uint64_t from, uint64_t *seq)
{
	char api[96] = "", request[80], json[256];
	natsMsg *reply = NULL;
	const char *at;
	natsStatus st;
	int len;

	(void)text_add(
	    api, sizeof(api), "$JS.API.STREAM.MSG.GET.%s", r->target->name);
	(void)snprintf(request, sizeof(request),
	    "{\"seq\":%llu,\"next_by_subj\":\">\"}", (unsigned long long)from);
	st = natsConnection_RequestString(
	    &reply, r->w->session.nc, api, request, REQUEST_MS);
	(void)session_outcome(&r->w->session, st, 0);
	if (st != NATS_OK)
		return -EIO;
	len = natsMsg_GetDataLength(reply);
	if ((size_t)len >= sizeof(json))
		len = sizeof(json) - 1;
	memcpy(json, natsMsg_GetData(reply), (size_t)len);
	json[len] = '\0';
	natsMsg_Destroy(reply);
	if (strstr(json, "\"error\"") != NULL)
		return strstr(json, "10037") != NULL ? 0 : -EIO;
	at = strstr(json, "\"seq\":");
	if (at == NULL)
		return -EIO;
	*seq = strtoull(at + 6, NULL, 10);
	return *seq >= from ? 1 : -EIO;
}

static int
read_one(struct remains *r, uint64_t seq)
{
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	st =
	    js_GetMsg(&msg, r->w->session.js, r->target->name, seq, &jo, &code);
	(void)session_outcome(&r->w->session, st, code);
	if (st == NATS_OK)
		emit_message(r, seq, msg);
	natsMsg_Destroy(msg);
	return st == NATS_OK ? 0 : -EIO;
}

/* From message to message until the end. */
static int
walk(struct remains *r, uint64_t last)
{
	uint64_t deadline = clock_mono_ns() + TRIES_NS, from = 1, seq = 0;
	struct backoff b = {0};
	int got;

	while (from <= last && r->read < LEFT_MAX) {
		got = next_from(r, from, &seq);
		if (got == 1 && seq <= last)
			got = read_one(r, seq) < 0 ? -EIO : 1;
		if (got < 0) {
			if (clock_mono_ns() >= deadline)
				return -ETIMEDOUT;
			session_backoff(&b, &r->w->child);
			continue;
		}
		b.step = 0;
		deadline = clock_mono_ns() + TRIES_NS;
		child_beat(&r->w->child);
		if (got == 0 || seq > last) {
			emit_removed(r, from, last);
			return 0;
		}
		emit_removed(r, from, seq - 1);
		from = seq + 1;
	}
	if (from > last)
		return 0;
	(void)snprintf(
	    r->why, sizeof(r->why), "more than %d messages are left", LEFT_MAX);
	return -E2BIG;
}

static void
emit_begin(struct remains *r)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	ev.u.scan_begin.stream = r->target->stream;
	ev.u.scan_begin.first = r->first;
	ev.u.scan_begin.last = r->last;
	ev.u.scan_begin.messages = r->messages;
	ev.u.scan_begin.created = r->created;
	child_emit(&r->w->child, &ev);
}

static void
emit_end(struct remains *r, int err)
{
	struct event ev = {.type = MESSAGE_SCAN_END};
	struct msg_scan_end *m = &ev.u.scan_end;

	m->stream = r->target->stream;
	m->complete = err == 0;
	m->messages = r->read;
	m->last = r->last;
	if (err < 0)
		(void)text_copy(m->why, sizeof(m->why),
		    r->why[0] != '\0' ? r->why : strerror(-err));
	child_emit(&r->w->child, &ev);
	child_flush(&r->w->child);
}

int
remains_streams(struct worker *w)
{
	struct remains r;
	unsigned i;
	int err;

	for (i = 0; i < w->ntargets; i++) {
		memset(&r, 0, sizeof(r));
		r.w = w;
		r.target = &w->targets[i];
		err = wait_quiet(&r);
		emit_begin(&r);
		if (err == 0)
			err = walk(&r, r.last > r.target->last_acked
					   ? r.last
					   : r.target->last_acked);
		emit_end(&r, err);
	}
	return 0;
}
