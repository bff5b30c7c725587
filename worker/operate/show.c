/* SPDX-License-Identifier: ISC */
/* What a read shows, as events; see operate.h. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/audit/scan.h"
#include "worker/operate/operate.h"

/* A message that was read, by whichever way. */
struct shown {
	const char *subject;
	uint64_t seq;
	int64_t stamp_ns;
	struct payload_parts parts;
	const char *reason, *ttl; /* of a marker; "": it is none */
};

static void
tell_value(
    struct worker *w, const struct msg_look_shown *e, const struct shown *m)
{
	char value[PAYLOAD_ADDS_MAX];
	struct counted c = {e->stream, e->id, m->seq, COUNTED_READ, m->subject,
	    m->parts.adds, value};

	payload_value(m->parts.data, m->parts.len, value);
	tell_count(w, &c);
}

static void
tell_marker_of(
    struct worker *w, const struct msg_look_shown *e, const struct shown *m)
{
	struct marker marker = {e->stream, e->subject, m->seq, m->stamp_ns,
	    false, m->reason, m->ttl};

	tell_marker(w, &marker);
}

static void
tell_shown(struct worker *w, struct operate_shown *s, const struct shown *m)
{
	struct event ev = {.type = MESSAGE_LOOK_SHOWN};
	struct msg_look_shown *e = &ev.u.look_shown;
	const struct operate *op = w->state;
	struct payload p;

	e->stream = s->stream;
	e->look = s->look;
	e->subject = op->ops->subject_read(w, s->stream, m->subject);
	e->seq = m->seq;
	e->stamp_ns = m->stamp_ns;
	e->intact = payload_read_parts(&p, &m->parts);
	e->id = p.id;
	e->run = p.run;
	e->sum = p.sum;
	e->marker = m->reason[0] != '\0';
	child_emit(&w->child, &ev);
	if (e->marker)
		tell_marker_of(w, e, m);
	if (e->intact && m->parts.adds[0] != '\0')
		tell_value(w, e, m);
	s->count++;
	s->seq = m->seq;
	operate_know(&op->streams[s->stream], e->subject, m->seq);
}

/* What is base64 in the leader's answer; the caller frees it. */
static uint8_t *
decode(const char *text, size_t *len)
{
	size_t n = strlen(text);
	uint8_t *out = n % 4 == 0 ? malloc(n / 4 * 3 + 1) : NULL;

	*len = 0;
	if (out == NULL ||
	    EVP_DecodeBlock(out, (const uint8_t *)text, (int)n) < 0) {
		free(out);
		return NULL;
	}
	*len = n / 4 * 3;
	if (n > 0)
		*len -= (size_t)(text[n - 1] == '=') + (text[n - 2] == '=');
	out[*len] = '\0';
	return out;
}

/* The value of a header's line in out, "" when it has none. */
static const char *
line_of(const char *headers, const char *key, char out[PAYLOAD_ID_MAX])
{
	char begin[32];
	const char *at;

	text_format(begin, sizeof(begin), "\r\n%s: ", key);
	at = strstr(headers, begin);
	out[0] = '\0';
	if (at != NULL) {
		at += strlen(begin);
		text_format(
		    out, PAYLOAD_ID_MAX, "%.*s", (int)strcspn(at, "\r\n"), at);
	}
	return out;
}

void
operate_show_answer(
    struct worker *w, struct operate_shown *s, const cJSON *message)
{
	struct shown m = {.subject = json_text(message, "subject"),
	    .seq = json_count(message, "seq"),
	    .stamp_ns = request_time(json_text(message, "time"))};
	uint8_t *data = decode(json_text(message, "data"), &m.parts.len);
	char id[PAYLOAD_ID_MAX], marks[PAYLOAD_ID_MAX], adds[PAYLOAD_ID_MAX],
	    reason[PAYLOAD_ID_MAX], ttl[PAYLOAD_ID_MAX];
	size_t headers_len;
	uint8_t *headers = decode(json_text(message, "hdrs"), &headers_len);
	const char *lines = headers != NULL ? (const char *)headers : "";

	m.parts.data = data;
	m.parts.id = line_of(lines, "Nats-Msg-Id", id);
	m.parts.marks = line_of(lines, PAYLOAD_MARKS, marks);
	m.parts.adds = line_of(lines, PAYLOAD_ADDS, adds);
	m.reason = line_of(lines, TELL_REASON, reason);
	m.ttl = line_of(lines, TELL_TTL, ttl);
	if (data != NULL)
		tell_shown(w, s, &m);
	free(headers);
	free(data);
}

static struct shown
shown_of(natsMsg *msg, const char *subject)
{
	return (struct shown){.subject = subject,
	    .parts = {natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
		request_header(msg, "Nats-Msg-Id"),
		request_header(msg, PAYLOAD_MARKS),
		request_header(msg, PAYLOAD_ADDS)},
	    .reason = request_header(msg, TELL_REASON),
	    .ttl = request_header(msg, TELL_TTL)};
}

bool
operate_show_direct(struct worker *w, struct operate_shown *s, natsMsg *msg)
{
	struct shown m = shown_of(msg, request_header(msg, "Nats-Subject"));

	m.stamp_ns = request_time(request_header(msg, "Nats-Time-Stamp"));
	if (text_to_u64(
		request_header(msg, "Nats-Sequence"), UINT64_MAX, &m.seq) < 0)
		return false;
	tell_shown(w, s, &m);
	return true;
}

void
operate_show_delivery(struct worker *w, struct operate_shown *s, natsMsg *msg,
    const struct delivery *d)
{
	struct shown m = shown_of(msg, natsMsg_GetSubject(msg));

	m.stamp_ns = d->stamp_ns;
	m.seq = d->seq;
	tell_shown(w, s, &m);
}

bool
operate_show_marker(struct worker *w, uint32_t stream, uint32_t subject,
    const struct scan_seen *seen, natsMsg *msg)
{
	struct marker m = {stream, subject, seen->seq, seen->stamp_ns, true,
	    request_header(msg, TELL_REASON), request_header(msg, TELL_TTL)};

	if (m.reason[0] == '\0')
		return false;
	tell_marker(w, &m);
	return true;
}
