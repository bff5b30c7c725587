/* SPDX-License-Identifier: ISC */
/* Reading a stream in the audit; see scan.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/scan.h"

#define QUIET_POLLS 3 /* equal answers before it is quiet */
#define FIRST_STEP  4 /* of the back-off: polls lie 160 ms and more apart */

int
scan_state(struct scan *s)
{
	jsStreamInfo *si = NULL;

	if (session_stream_info(&s->w->session, s->target->name,
		SCAN_REQUEST_MS, &si) != OUTCOME_OK) {
		text_format(s->why, sizeof(s->why), "no stream info: %.90s",
		    s->w->session.why);
		return -EIO;
	}
	s->first = si->State.FirstSeq;
	s->last = si->State.LastSeq;
	s->messages = si->State.Msgs;
	s->created = (uint64_t)si->Created;
	jsStreamInfo_Destroy(si);
	return 0;
}

static int
wait_quiet(struct scan *s)
{
	uint64_t deadline = clock_mono_ns() + SCAN_QUIET_NS;
	struct backoff b = {.step = FIRST_STEP};
	uint64_t first, last, messages;
	unsigned same = 0;

	while (clock_mono_ns() < deadline) {
		first = s->first;
		last = s->last;
		messages = s->messages;
		if (scan_state(s) < 0)
			same = 0;
		else if (same > 0 && first == s->first && last == s->last &&
			 messages == s->messages)
			same++;
		else
			same = 1;
		if (same >= QUIET_POLLS)
			return 0;
		session_backoff(&b, &s->w->child);
	}
	return -ETIMEDOUT;
}

void
scan_tell_begin(const struct scan *s)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	ev.u.scan_begin.stream = s->target->stream;
	ev.u.scan_begin.first = s->first;
	ev.u.scan_begin.last = s->last;
	ev.u.scan_begin.messages = s->messages;
	ev.u.scan_begin.created = s->created;
	child_emit(&s->w->child, &ev);
}

int
scan_begin(struct scan *s)
{
	int err = wait_quiet(s);

	scan_tell_begin(s);
	return err;
}

uint64_t
scan_last(const struct scan *s)
{
	return s->last > s->target->last_acked ? s->last
					       : s->target->last_acked;
}

void
scan_tell(struct scan *s, const struct scan_seen *seen)
{
	struct event ev = {.type = MESSAGE_SCAN_MESSAGE};
	struct msg_scan_message *m = &ev.u.scan_message;

	m->stream = s->target->stream;
	m->path = (uint8_t)seen->path;
	m->seq = seen->seq;
	m->stamp_ns = seen->stamp_ns;
	m->id = seen->payload.id;
	m->run = seen->payload.run;
	m->sum = seen->payload.sum;
	m->intact = seen->intact;
	child_emit(&s->w->child, &ev);
	s->read++;
}

void
scan_message(struct scan *s, enum scan_path path, uint64_t seq,
    int64_t stamp_ns, natsMsg *msg)
{
	struct scan_seen seen = {
	    .path = path, .seq = seq, .stamp_ns = stamp_ns};

	seen.intact = payload_read(&seen.payload, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg));
	scan_tell(s, &seen);
}

void
scan_tell_absent(struct scan *s, uint64_t seq, uint32_t tries)
{
	struct event ev = {.type = MESSAGE_SCAN_ABSENT};

	ev.u.scan_absent.stream = s->target->stream;
	ev.u.scan_absent.seq = seq;
	ev.u.scan_absent.tries = tries;
	child_emit(&s->w->child, &ev);
}

int
scan_get(struct scan *s, uint64_t seq)
{
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	session_options(&jo, SCAN_REQUEST_MS);
	st =
	    js_GetMsg(&msg, s->w->session.js, s->target->name, seq, &jo, &code);
	if (st == NATS_OK)
		scan_message(s, SCAN_LEADER, seq, natsMsg_GetTime(msg), msg);
	natsMsg_Destroy(msg);
	child_beat(&s->w->child);
	if (st == NATS_OK)
		return 1;
	if (st == NATS_NOT_FOUND || code == JSNoMessageFoundErr)
		return 0;
	session_note(&s->w->session, st, code);
	text_format(s->why, sizeof(s->why), "sequence %llu: %.80s",
	    (unsigned long long)seq, s->w->session.why);
	return -EIO;
}

void
scan_end(struct scan *s, int err)
{
	struct event ev = {.type = MESSAGE_SCAN_END};
	struct msg_scan_end *m = &ev.u.scan_end;

	m->stream = s->target->stream;
	m->complete = err == 0;
	m->messages = s->read;
	m->last = s->last;
	if (err < 0)
		text_set(m->why, sizeof(m->why),
		    s->why[0] != '\0' ? s->why : strerror(-err));
	child_emit(&s->w->child, &ev);
	child_flush(&s->w->child);
}
