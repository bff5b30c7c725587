/* SPDX-License-Identifier: ISC */
/* Reading a stream in the audit; see scan.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/label.h"
#include "worker/audit/scan.h"
#include "worker/request.h"

#define QUIET_POLLS 3 /* equal answers before it is quiet */
#define FIRST_STEP  4 /* of the back-off: polls lie 160 ms and more apart */
#define JSON_MAX    512
#define GONE_POLLS  20 /* "no such stream", and nothing else */
/*
 * Likewise. The judge wants a meta leader that was steady for 30 s and told
 * twice in the 20 s after; the settling of the cluster is 5 s of the former.
 */
#define GONE_NS	      (55 * CLOCK_S)
#define GONE_SLACK_NS (3 * CLOCK_S) /* the last question, and its answer */

static void
note_config(struct scan *s, const jsStreamConfig *sc)
{
	char text[SETUP_CONFIG_MAX];

	setup_config_text(sc, text);
	s->config_polls =
	    strcmp(text, s->config) == 0 ? s->config_polls + 1 : 1;
	text_set(s->config, sizeof(s->config), text);
}

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
	s->bytes = si->State.Bytes;
	s->subjects = (uint64_t)si->State.NumSubjects;
	s->deleted = (uint64_t)si->State.NumDeleted;
	s->consumers = (uint64_t)si->State.Consumers;
	s->replicas = si->Config->Replicas;
	text_set(s->server, sizeof(s->server),
	    si->Cluster != NULL && si->Cluster->Leader != NULL
		? si->Cluster->Leader
		: "");
	note_config(s, si->Config);
	jsStreamInfo_Destroy(si);
	return 0;
}

int
scan_is_late(struct scan *s, const char *what)
{
	text_format(s->why, sizeof(s->why),
	    "no time was left %s (--settle-timeout)", what);
	return -ETIMEDOUT;
}

/* The stream as one answer has it. */
static bool
is_same(const struct scan *a, const struct scan *b)
{
	return a->first == b->first && a->last == b->last &&
	       a->messages == b->messages;
}

static void
tell_state(const struct scan *s)
{
	struct event ev = {.type = MESSAGE_SCAN_STATE};
	struct msg_scan_state *m = &ev.u.scan_state;

	m->stream = s->target->stream;
	m->polls = s->polls;
	m->first = s->first;
	m->last = s->last;
	m->messages = s->messages;
	m->bytes = s->bytes;
	m->subjects = s->subjects;
	m->deleted = s->deleted;
	m->consumers = s->consumers;
	m->created = s->created;
	m->lasted_ns = clock_mono_ns() - s->since_ns;
	child_emit(&s->w->child, &ev);
}

/* For how long every answer was that there is no such stream. */
struct gone {
	uint64_t since_ns;
	unsigned polls;
};

static bool
is_gone(const struct scan *s, struct gone *g, int err)
{
	uint64_t now = clock_mono_ns();
	struct event ev = {.type = MESSAGE_SCAN_GONE};

	if (err == 0)
		g->polls = 0;
	else if (s->w->session.code == JSStreamNotFoundErr && g->polls++ == 0) {
		g->since_ns = now;
		limit_prove(
		    s->w, GONE_NS + GONE_SLACK_NS, "a stream is not found");
	}
	if (g->polls < GONE_POLLS || now < g->since_ns + GONE_NS)
		return false;
	ev.u.scan_gone.stream = s->target->stream;
	ev.u.scan_gone.polls = g->polls;
	ev.u.scan_gone.lasted_ns = now - g->since_ns;
	child_emit(&s->w->child, &ev);
	return true;
}

static int
wait_quiet(struct scan *s)
{
	uint64_t begin_ns = clock_mono_ns();
	struct backoff b = {.step = FIRST_STEP};
	struct gone gone = {0};
	struct scan was;
	int err;

	while (clock_mono_ns() < begin_ns + SCAN_QUIET_NS &&
	       !limit_is_over(s->w)) {
		was = *s;
		err = scan_state(s);
		if (err < 0)
			s->polls = 0;
		else if (s->polls++ == 0 || !is_same(&was, s)) {
			s->polls = 1;
			s->since_ns = clock_mono_ns();
		}
		if (s->polls >= QUIET_POLLS)
			return 0;
		if (is_gone(s, &gone, err))
			return -ENOENT;
		session_backoff(&b, &s->w->child);
	}
	return s->why[0] != '\0' ? -ETIMEDOUT
				 : scan_is_late(s, "to see it quiet");
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

	s->is_backed_up = restores_are_due(s->w, s->target->name);
	scan_tell_begin(s);
	if (err == 0)
		tell_state(s);
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

static void
tell_value(struct scan *s, const struct scan_seen *seen,
    const struct payload_parts *parts, const char *subject)
{
	char value[PAYLOAD_ADDS_MAX];
	struct counted c = {s->target->stream, seen->payload.id, seen->seq,
	    COUNTED_SCAN, subject, parts->adds, value};

	payload_value(parts->data, parts->len, value);
	tell_count(s->w, &c);
}

/* What there is of a message, borrowed from it. */
static struct payload_parts
parts_of(natsMsg *msg)
{
	return (struct payload_parts){natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg),
	    request_header(msg, "Nats-Msg-Id"),
	    request_header(msg, PAYLOAD_MARKS),
	    request_header(msg, PAYLOAD_ADDS)};
}

bool
scan_payload(natsMsg *msg, struct payload *payload)
{
	struct payload_parts parts = parts_of(msg);

	return payload_read_parts(payload, &parts);
}

void
scan_message(struct scan *s, enum scan_path path, uint64_t seq,
    int64_t stamp_ns, natsMsg *msg)
{
	struct scan_seen seen = {
	    .path = path, .seq = seq, .stamp_ns = stamp_ns};
	struct payload_parts parts = parts_of(msg);
	char id[PUBLISH_ID_MAX];
	bool is_ours, has_id;

	seen.intact = payload_read_parts(&seen.payload, &parts);
	is_ours = seen.intact && seen.payload.run == s->w->config.run;
	publish_id(s->w, seen.payload.id, id);
	has_id = request_header(msg, SCAN_SCHEDULER)[0] == '\0';
	tally_add(s, seq, msg, is_ours && has_id ? id : NULL);
	if (is_ours && s->is_backed_up)
		label_tell(s->w,
		    &(struct msg_labelled){.stream = s->target->stream,
			.seq = seq,
			.stamp_ns = stamp_ns,
			.id = seen.payload.id},
		    msg);
	if (s->w->scanned != NULL &&
	    s->w->scanned(s->w, s->target->stream, &seen, msg))
		s->read++;
	else
		scan_tell(s, &seen);
	if (is_ours && parts.adds[0] != '\0')
		tell_value(s, &seen, &parts, natsMsg_GetSubject(msg));
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

void
scan_tell_range(struct scan *s, uint64_t first, uint64_t last, uint32_t tries)
{
	struct event ev = {.type = MESSAGE_SCAN_ABSENT_RANGE};

	ev.u.scan_absent_range.stream = s->target->stream;
	ev.u.scan_absent_range.first = first;
	ev.u.scan_absent_range.last = last;
	ev.u.scan_absent_range.tries = tries;
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
scan_question(const struct scan *s, uint64_t seq, bool is_next,
    char api[SCAN_API_MAX], char text[SCAN_TEXT_MAX])
{
	session_api(&s->w->session, api, "STREAM.MSG.GET.%s", s->target->name);
	text_format(text, SCAN_TEXT_MAX, "{\"seq\":%llu%s}",
	    (unsigned long long)seq, is_next ? ",\"next_by_subj\":\">\"" : "");
}

/* The beginning of an answer says it all; its content is base64. */
int
scan_answer(const natsMsg *msg, uint64_t from, uint64_t *seq)
{
	size_t len = (size_t)natsMsg_GetDataLength(msg);
	char json[JSON_MAX];
	const char *at;

	if (len >= sizeof(json))
		len = sizeof(json) - 1;
	if (len > 0)
		memcpy(json, natsMsg_GetData(msg), len);
	json[len] = '\0';
	if (strstr(json, "\"error\"") != NULL)
		return strstr(json, "10037") != NULL ? 0 : -EIO;
	at = strstr(json, "\"seq\":");
	if (at == NULL)
		return -EIO;
	*seq = strtoull(at + 6, NULL, 10);
	return *seq >= from ? 1 : -EIO;
}

int
scan_next(struct scan *s, uint64_t from, uint64_t *seq)
{
	char api[SCAN_API_MAX], text[SCAN_TEXT_MAX];
	natsMsg *reply = NULL;
	natsStatus st;
	int got;

	scan_question(s, from, true, api, text);
	st = natsConnection_RequestString(
	    &reply, s->w->session.nc, api, text, SCAN_REQUEST_MS);
	session_note(&s->w->session, st, 0);
	if (st != NATS_OK)
		return -EIO;
	got = scan_answer(reply, from, seq);
	natsMsg_Destroy(reply);
	return got;
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
	tally_reset(&s->tally);
}
