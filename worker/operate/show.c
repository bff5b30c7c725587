/* SPDX-License-Identifier: ISC */
/* What a read shows, as events; see operate.h. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/operate/operate.h"

#define MARKER "Nats-Marker-Reason"

/* A message that was read, by whichever way. */
struct shown {
	const char *subject;
	uint64_t seq;
	int64_t stamp_ns;
	const void *data;
	size_t len;
	bool is_marker;
};

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
	e->intact = payload_read(&p, m->data, m->len);
	e->id = p.id;
	e->run = p.run;
	e->sum = p.sum;
	e->marker = m->is_marker;
	child_emit(&w->child, &ev);
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

void
operate_show_answer(
    struct worker *w, struct operate_shown *s, const cJSON *message)
{
	struct shown m = {.subject = json_text(message, "subject"),
	    .seq = json_count(message, "seq"),
	    .stamp_ns = request_time(json_text(message, "time"))};
	uint8_t *data = decode(json_text(message, "data"), &m.len);
	size_t headers_len;
	uint8_t *headers = decode(json_text(message, "hdrs"), &headers_len);

	m.data = data;
	m.is_marker =
	    headers != NULL && strstr((const char *)headers, MARKER) != NULL;
	if (data != NULL)
		tell_shown(w, s, &m);
	free(headers);
	free(data);
}

const char *
operate_header(natsMsg *msg, const char *key)
{
	const char *value = "";

	return natsMsgHeader_Get(msg, key, &value) == NATS_OK ? value : "";
}

/* A reply that a replica sent directly: the message itself. */
bool
operate_show_direct(struct worker *w, struct operate_shown *s, natsMsg *msg)
{
	struct shown m = {.subject = operate_header(msg, "Nats-Subject"),
	    .stamp_ns = request_time(operate_header(msg, "Nats-Time-Stamp")),
	    .data = natsMsg_GetData(msg),
	    .len = (size_t)natsMsg_GetDataLength(msg)};

	m.is_marker = operate_header(msg, MARKER)[0] != '\0';
	if (text_to_u64(
		operate_header(msg, "Nats-Sequence"), UINT64_MAX, &m.seq) < 0)
		return false;
	tell_shown(w, s, &m);
	return true;
}
