/* SPDX-License-Identifier: ISC */
/* Reads; see operate.h. */
#include <string.h>

#include "proto/base/text.h"
#include "worker/operate/operate.h"

#define NO_MESSAGE 10037 /* the leader's word */
#define NOT_FOUND  404	 /* a direct answer's */
#define END_BATCH  204

/* A read that is going on. */
struct look {
	struct worker *w;
	struct operation *op;
	struct operate_shown shown;
};

static void
name_subject(
    const struct look *l, uint32_t subject, char out[OPERATE_SUBJECT_MAX])
{
	const struct operate *s = l->w->state;

	s->ops->subject(l->w, l->op->stream, subject, out);
}

static void
write_multi(const struct look *l, char *text)
{
	char subject[OPERATE_SUBJECT_MAX];
	uint32_t i;

	text_add(text, OPERATE_TEXT_MAX, "\"multi_last\":[");
	for (i = 0; i < l->op->batch; i++) {
		name_subject(l, l->op->subject + i, subject);
		text_add(text, OPERATE_TEXT_MAX, "%s\"%s\"", i == 0 ? "" : ",",
		    subject);
	}
	text_add(text, OPERATE_TEXT_MAX, "]");
	if (l->op->up_to != 0)
		text_add(text, OPERATE_TEXT_MAX, ",\"up_to_seq\":%llu",
		    (unsigned long long)l->op->up_to);
}

static void
write_request(const struct look *l, char *text)
{
	const struct operation *op = l->op;
	char subject[OPERATE_SUBJECT_MAX];

	name_subject(l, op->subject, subject);
	text_set(text, OPERATE_TEXT_MAX, "{");
	if (op->look == LOOK_MULTI)
		write_multi(l, text);
	else if (op->look == LOOK_LAST)
		text_add(
		    text, OPERATE_TEXT_MAX, "\"last_by_subj\":\"%s\"", subject);
	else
		text_add(text, OPERATE_TEXT_MAX, "\"seq\":%llu",
		    (unsigned long long)op->seq);
	if (op->look == LOOK_NEXT ||
	    (op->look == LOOK_BATCH && op->subject != 0))
		text_add(text, OPERATE_TEXT_MAX, ",\"next_by_subj\":\"%s\"",
		    subject);
	if (op->look == LOOK_BATCH)
		text_add(text, OPERATE_TEXT_MAX, ",\"batch\":%u", op->batch);
	text_add(text, OPERATE_TEXT_MAX, "}");
}

/* The reads: true when there was an answer. */

static bool
look_leader(struct look *l, const char *text)
{
	cJSON *tree;

	if (operate_ask(l->w, "STREAM.MSG.GET", l->op->at->name, text, &tree) !=
	    OUTCOME_OK)
		return l->w->session.code == NO_MESSAGE;
	operate_show_answer(l->w, &l->shown, json_get(tree, "message"));
	cJSON_Delete(tree);
	return l->shown.count > 0;
}

static void
name_direct(const struct look *l, char *api, size_t size)
{
	api[0] = '\0';
	text_add(api, size, "$JS.API.DIRECT.GET.%s", l->op->at->name);
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
	char api[128];
	natsStatus st;
	bool is_answered;

	name_direct(l, api, sizeof(api));
	st = natsConnection_RequestString(
	    &reply, l->w->session.nc, api, text, OPERATE_ATTEMPT_MS);
	session_note(&l->w->session, st, 0);
	is_answered =
	    st == NATS_OK && (operate_show_direct(l->w, &l->shown, reply) ||
				 is_absence(l, reply));
	natsMsg_Destroy(reply);
	return is_answered;
}

/* 1: it is over, with an answer; -1: without; 0: there is more. */
static int
take_part(struct look *l, natsSubscription *sub, uint64_t deadline_ns)
{
	int wait_ms =
		clock_poll_ms(clock_mono_ns(), deadline_ns, OPERATE_ATTEMPT_MS),
	    over = -1;
	natsMsg *msg = NULL;
	natsStatus st = wait_ms == 0
			    ? NATS_TIMEOUT
			    : natsSubscription_NextMsg(&msg, sub, wait_ms);

	session_note(&l->w->session, st, 0);
	if (st == NATS_OK && request_status(msg) == END_BATCH)
		over = 1;
	else if (st == NATS_OK && operate_show_direct(l->w, &l->shown, msg))
		over = 0;
	else if (st == NATS_OK && is_absence(l, msg))
		over = 1;
	natsMsg_Destroy(msg);
	return over;
}

static bool
look_many(struct look *l, const char *text)
{
	uint64_t deadline = clock_mono_ns() + OPERATE_ATTEMPT_MS * CLOCK_MS;
	char api[128], inbox[SESSION_INBOX_MAX], reply[SESSION_INBOX_MAX + 4];
	natsSubscription *sub = NULL;
	int over = -1;

	if (session_listen(&l->w->session, &sub, inbox) == 0) {
		name_direct(l, api, sizeof(api));
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
	const struct operation *op = l->op;
	struct msg_look *m = &ev.u.look;

	m->stream = op->stream;
	m->look = l->shown.look;
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
	m->look = l->shown.look;
	m->ok = is_answered;
	m->shown = l->shown.count;
	if (!is_answered || l->shown.count == 0)
		m->code = s->code;
	if (!is_answered)
		text_set(m->why, sizeof(m->why), s->why);
	child_emit(&l->w->child, &ev);
}

void
operate_look(struct worker *w, struct operation *op)
{
	struct operate *s = w->state;
	struct look l = {
	    .w = w, .op = op, .shown = {op->stream, ++s->looks, 0, 0}};
	char text[OPERATE_TEXT_MAX];
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
operate_look_state(struct worker *w, struct operation *op)
{
	struct event ev = {.type = MESSAGE_LOOK_STATE};
	struct msg_look_state *m = &ev.u.look_state;
	struct operate *s = w->state;
	struct operate_stream *t = op->at;
	const cJSON *state, *config;
	uint64_t level = 0;
	cJSON *tree;

	m->asked_ns = clock_mono_ns();
	if (operate_ask(w, "STREAM.INFO", t->name,
		"{\"subjects_filter\":\">\"}", &tree) != OUTCOME_OK) {
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
	s->ops->config_read(w, op->stream, config);
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
