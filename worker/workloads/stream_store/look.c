/* SPDX-License-Identifier: ISC */
/* Reads; see stream_store.h. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/stream_store/stream_store.h"

#define NO_MESSAGE 10037 /* the leader's word */
#define NOT_FOUND  404	 /* a direct answer's */
#define END_BATCH  204
#define MARKER	   "Nats-Marker-Reason"

/* A read that is going on. */
struct look {
	struct worker *w;
	struct store_op *op;
	uint64_t number;
	uint32_t shown;
};

/* A message that was read, by whichever way. */
struct shown {
	const char *subject;
	uint64_t seq;
	int64_t stamp_ns;
	const void *data;
	size_t len;
	bool is_marker;
};

void
store_know(struct store_stream *t, uint32_t subject, uint64_t seq)
{
	if (seq > t->last)
		t->last = seq;
	if (t->first == 0)
		t->first = seq;
	if (seq > t->subject_last[subject])
		t->subject_last[subject] = seq;
}

static void
tell_shown(struct look *l, const struct shown *m)
{
	struct event ev = {.type = MESSAGE_LOOK_SHOWN};
	struct msg_look_shown *e = &ev.u.look_shown;
	struct payload p;

	e->stream = l->op->stream;
	e->look = l->number;
	e->subject = store_subject_read(l->w, l->op->stream, m->subject);
	e->seq = m->seq;
	e->stamp_ns = m->stamp_ns;
	e->intact = payload_read(&p, m->data, m->len);
	e->id = p.id;
	e->run = p.run;
	e->sum = p.sum;
	e->marker = m->is_marker;
	child_emit(&l->w->child, &ev);
	l->shown++;
	store_know(l->op->at, e->subject, m->seq);
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

static void
show_answer(struct look *l, const cJSON *message)
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
		tell_shown(l, &m);
	free(headers);
	free(data);
}

static const char *
header(natsMsg *msg, const char *key)
{
	const char *value = "";

	return natsMsgHeader_Get(msg, key, &value) == NATS_OK ? value : "";
}

/* A reply that a replica sent directly: the message itself. */
static bool
show_direct(struct look *l, natsMsg *msg)
{
	struct shown m = {.subject = header(msg, "Nats-Subject"),
	    .stamp_ns = request_time(header(msg, "Nats-Time-Stamp")),
	    .data = natsMsg_GetData(msg),
	    .len = (size_t)natsMsg_GetDataLength(msg)};

	m.is_marker = header(msg, MARKER)[0] != '\0';
	if (text_to_u64(header(msg, "Nats-Sequence"), UINT64_MAX, &m.seq) < 0)
		return false;
	tell_shown(l, &m);
	return true;
}

static void
write_multi(const struct look *l, char *text)
{
	char subject[STORE_SUBJECT_MAX];
	uint32_t i;

	text_add(text, STORE_TEXT_MAX, "\"multi_last\":[");
	for (i = 0; i < l->op->batch; i++) {
		store_subject(l->w, l->op->stream, l->op->subject + i, subject);
		text_add(text, STORE_TEXT_MAX, "%s\"%s\"", i == 0 ? "" : ",",
		    subject);
	}
	text_add(text, STORE_TEXT_MAX, "]");
	if (l->op->up_to != 0)
		text_add(text, STORE_TEXT_MAX, ",\"up_to_seq\":%llu",
		    (unsigned long long)l->op->up_to);
}

static void
write_request(const struct look *l, char *text)
{
	const struct store_op *op = l->op;
	char subject[STORE_SUBJECT_MAX];

	store_subject(l->w, op->stream, op->subject, subject);
	text_set(text, STORE_TEXT_MAX, "{");
	if (op->look == LOOK_MULTI)
		write_multi(l, text);
	else if (op->look == LOOK_LAST)
		text_add(
		    text, STORE_TEXT_MAX, "\"last_by_subj\":\"%s\"", subject);
	else
		text_add(text, STORE_TEXT_MAX, "\"seq\":%llu",
		    (unsigned long long)op->seq);
	if (op->look == LOOK_NEXT ||
	    (op->look == LOOK_BATCH && op->subject != 0))
		text_add(
		    text, STORE_TEXT_MAX, ",\"next_by_subj\":\"%s\"", subject);
	if (op->look == LOOK_BATCH)
		text_add(text, STORE_TEXT_MAX, ",\"batch\":%u", op->batch);
	text_add(text, STORE_TEXT_MAX, "}");
}

/* The reads: true when there was an answer. */

static bool
look_leader(struct look *l, const char *text)
{
	cJSON *tree;

	if (store_ask(l->w, "STREAM.MSG.GET", l->op->at->name, text, &tree) !=
	    OUTCOME_OK)
		return l->w->session.code == NO_MESSAGE;
	show_answer(l, json_get(tree, "message"));
	cJSON_Delete(tree);
	return l->shown > 0;
}

static void
name_direct(const struct look *l, char api[SESSION_API_MAX])
{
	session_api(&l->w->session, api, "DIRECT.GET.%s", l->op->at->name);
}

/* The status of a direct answer becomes the session's. */
static bool
is_absence(struct look *l, natsMsg *msg)
{
	struct session *s = &l->w->session;

	session_note(s, NATS_NOT_FOUND, 0);
	s->code = request_status(msg);
	return s->code == NOT_FOUND;
}

static bool
look_direct(struct look *l, const char *text)
{
	natsMsg *reply = NULL;
	char api[SESSION_API_MAX];
	natsStatus st;
	bool is_answered;

	name_direct(l, api);
	st = natsConnection_RequestString(
	    &reply, l->w->session.nc, api, text, STORE_ATTEMPT_MS);
	session_note(&l->w->session, st, 0);
	is_answered =
	    st == NATS_OK && (show_direct(l, reply) || is_absence(l, reply));
	natsMsg_Destroy(reply);
	return is_answered;
}

/* 1: it is over, with an answer; -1: without; 0: there is more. */
static int
take_part(struct look *l, natsSubscription *sub, uint64_t deadline_ns)
{
	int wait_ms =
		clock_poll_ms(clock_mono_ns(), deadline_ns, STORE_ATTEMPT_MS),
	    over = -1;
	natsMsg *msg = NULL;
	natsStatus st = wait_ms == 0
			    ? NATS_TIMEOUT
			    : natsSubscription_NextMsg(&msg, sub, wait_ms);

	session_note(&l->w->session, st, 0);
	if (st == NATS_OK && request_status(msg) == END_BATCH)
		over = 1;
	else if (st == NATS_OK && show_direct(l, msg))
		over = 0;
	else if (st == NATS_OK && is_absence(l, msg))
		over = 1;
	natsMsg_Destroy(msg);
	return over;
}

static bool
look_many(struct look *l, const char *text)
{
	uint64_t deadline = clock_mono_ns() + STORE_ATTEMPT_MS * CLOCK_MS;
	char api[SESSION_API_MAX], inbox[SESSION_INBOX_MAX],
	    reply[SESSION_INBOX_MAX + 4];
	natsSubscription *sub = NULL;
	int over = -1;

	if (session_listen(&l->w->session, &sub, inbox) == 0) {
		name_direct(l, api);
		text_format(reply, sizeof(reply), "%s.1", inbox);
		session_send(&l->w->session, api, reply, text);
		do
			over = take_part(l, sub, deadline);
		while (over == 0);
	}
	natsSubscription_Destroy(sub);
	return over == 1;
}

static void
tell_look(const struct look *l)
{
	struct event ev = {.type = MESSAGE_LOOK};
	const struct store_op *op = l->op;
	struct msg_look *m = &ev.u.look;

	m->stream = op->stream;
	m->look = l->number;
	m->how = (uint8_t)op->look;
	m->direct = op->is_direct;
	m->subject = op->subject;
	m->seq = op->seq;
	m->up_to = op->up_to;
	m->batch = op->batch;
	child_emit(&l->w->child, &ev);
}

static void
tell_end_of(const struct look *l, bool is_answered)
{
	const struct session *s = &l->w->session;
	struct event ev = {.type = MESSAGE_LOOK_END};
	struct msg_look_end *m = &ev.u.look_end;

	m->stream = l->op->stream;
	m->look = l->number;
	m->ok = is_answered;
	m->shown = l->shown;
	if (!is_answered || l->shown == 0)
		m->code = s->code;
	if (!is_answered)
		text_set(m->why, sizeof(m->why), s->why);
	child_emit(&l->w->child, &ev);
}

void
store_look(struct worker *w, struct store_op *op)
{
	struct store_state *s = w->state;
	struct look l = {.w = w, .op = op, .number = ++s->looks};
	char text[STORE_TEXT_MAX];
	bool is_answered;

	write_request(&l, text);
	tell_look(&l);
	if (!op->is_direct)
		is_answered = look_leader(&l, text);
	else if (op->look == LOOK_BATCH || op->look == LOOK_MULTI)
		is_answered = look_many(&l, text);
	else
		is_answered = look_direct(&l, text);
	tell_end_of(&l, is_answered);
	/* Nothing was promised that a pause could break. */
	if (is_answered)
		s->pause.step = 0;
	else
		session_backoff(&s->pause, &w->child);
}

void
store_look_state(struct worker *w, struct store_op *op)
{
	struct event ev = {.type = MESSAGE_LOOK_STATE};
	struct msg_look_state *m = &ev.u.look_state;
	struct store_state *s = w->state;
	struct store_stream *t = op->at;
	const cJSON *state, *config;
	uint64_t level = 0;
	cJSON *tree;

	m->asked_ns = clock_mono_ns();
	if (store_ask(w, "STREAM.INFO", t->name, "{\"subjects_filter\":\">\"}",
		&tree) != OUTCOME_OK) {
		session_backoff(&s->pause, &w->child);
		return;
	}
	s->pause.step = 0;
	state = json_get(tree, "state");
	config = json_get(tree, "config");
	m->stream = op->stream;
	m->first = json_count(state, "first_seq");
	m->last = json_count(state, "last_seq");
	m->messages = json_count(state, "messages");
	m->bytes = json_count(state, "bytes");
	m->subjects = json_count(state, "num_subjects");
	child_emit(&w->child, &ev);
	store_config_read(&t->config, config);
	/* Not of servers before 2.11: level 0. */
	if (text_to_u64(json_text(json_get(config, "metadata"), "_nats.level"),
		999, &level) == 0)
		t->level = level;
	t->first = m->first;
	if (m->last > t->last)
		t->last = m->last;
	t->is_known = true;
	cJSON_Delete(tree);
}
