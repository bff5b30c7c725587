/* SPDX-License-Identifier: ISC */
/* A publish, retried until its outcome stands; see operate.h. */
#include <string.h>

#include "proto/base/text.h"
#include "proto/refusal.h"
#include "worker/operate/put.h"

#define FULL 10077 /* the store failed: a limit, most of the time */

char *
put_header(struct sending *s, const char *key)
{
	s->headers[s->n].key = key;
	return s->headers[s->n++].value;
}

static void
add_number(struct sending *s, const char *key, uint64_t value)
{
	text_format(put_header(s, key), PUT_VALUE_MAX, "%llu",
	    (unsigned long long)value);
}

void
put_begin(struct worker *w, const struct operation *op, struct sending *s)
{
	const struct operate *st = w->state;
	char *fill;

	s->n = 0;
	s->reply = NULL;
	st->ops->subject(w, op->stream, op->subject, s->subject);
	publish_id(w, op->id, put_header(s, "Nats-Msg-Id"));
	if (op->expects_last)
		add_number(s, "Nats-Expected-Last-Sequence", op->last);
	if (op->expects_subject)
		add_number(
		    s, "Nats-Expected-Last-Subject-Sequence", op->subject_last);
	if (op->rolls != ROLLS_NOTHING)
		text_set(put_header(s, "Nats-Rollup"), PUT_VALUE_MAX,
		    op->rolls == ROLLS_ALL ? "all" : "sub");
	if (op->marks != NULL)
		text_set(
		    put_header(s, PAYLOAD_MARKS), PUT_VALUE_MAX, op->marks);
	if (op->adds)
		payload_increment(
		    w->config.run, op->id, put_header(s, PAYLOAD_ADDS));
	if (op->ttl_ns != 0)
		text_format(put_header(s, "Nats-TTL"), PUT_VALUE_MAX, "%llus",
		    (unsigned long long)(op->ttl_ns / CLOCK_S));
	if (op->extra != 0) {
		fill = put_header(s, "X-Fill");
		memset(fill, 'f', op->extra);
		fill[op->extra] = '\0';
	}
}

static uint32_t
bytes_stored(const struct operation *op, const struct sending *s)
{
	size_t headers = strlen("NATS/1.0\r\n\r\n"), all;
	unsigned i;

	for (i = 0; i < s->n; i++)
		headers += strlen(s->headers[i].key) +
			   strlen(s->headers[i].value) + strlen(": \r\n");
	all = strlen(s->subject) + headers + op->size;
	return (uint32_t)payload_stored(all, true, op->at->is_memory);
}

void
put_tell_terms(
    struct worker *w, const struct operation *op, const struct sending *s)
{
	struct event ev = {.type = MESSAGE_PUBLISH_TERMS};
	struct msg_publish_terms *m = &ev.u.publish_terms;

	m->stream = op->stream;
	m->id = op->id;
	m->subject = op->subject;
	m->stored = bytes_stored(op, s);
	m->rolls = (uint8_t)op->rolls;
	m->ttl_ns = op->ttl_ns;
	m->expects_last = op->expects_last;
	m->last = op->last;
	m->expects_subject = op->expects_subject;
	m->subject_last = op->subject_last;
	child_emit(&w->child, &ev);
}

natsStatus
put_message(struct worker *w, const struct operation *op,
    const struct sending *s, natsMsg **msg)
{
	const struct operate *st = w->state;
	char subject[SESSION_API_MAX];
	natsStatus status;
	unsigned i;

	session_put_subject(&w->session, s->subject, subject);
	status = natsMsg_Create(
	    msg, subject, s->reply, (const char *)st->data, (int)op->size);
	for (i = 0; i < s->n && status == NATS_OK; i++)
		status = natsMsgHeader_Set(
		    *msg, s->headers[i].key, s->headers[i].value);
	return status;
}

/* What an answer says of a counter. */
static void
tell_value(struct worker *w, const struct operation *op, const char *subject,
    uint64_t seq, const char *value)
{
	char adds[PAYLOAD_ADDS_MAX];
	struct counted c = {
	    op->stream, op->id, seq, COUNTED_ANSWER, subject, adds, value};

	payload_increment(w->config.run, op->id, adds);
	tell_count(w, &c);
}

static enum outcome
send_once(struct worker *w, const struct operation *op, const struct sending *s,
    uint64_t *seq, bool *duplicate)
{
	natsMsg *msg = NULL;
	enum outcome outcome;
	natsStatus st;
	cJSON *tree;

	*seq = 0;
	st = put_message(w, op, s, &msg);
	outcome =
	    request_message(&w->session, st, msg, OPERATE_ATTEMPT_MS, &tree);
	if (outcome != OUTCOME_OK)
		return outcome;
	*seq = json_count(tree, "seq");
	*duplicate = json_is_true(tree, "duplicate");
	if (op->adds && *seq != 0 && !*duplicate)
		tell_value(w, op, s->subject, *seq, json_text(tree, "val"));
	cJSON_Delete(tree);
	if (*seq != 0)
		return OUTCOME_OK;
	/* As session_publish() has it: nothing was promised. */
	text_set(w->session.why, sizeof(w->session.why),
	    "duplicate of a message that is not stored yet");
	return OUTCOME_UNKNOWN;
}

void
put_learn(struct operation *op, uint64_t seq, bool duplicate)
{
	struct operate_stream *t = op->at;

	t->is_full = false;
	if (duplicate)
		return; /* of a message that may be gone */
	operate_know(t, op->subject, seq);
	t->past[t->npast++ % OPERATE_PAST] = (struct operate_past){
	    op->id, seq, op->subject, op->size, op->attempt};
}

void
put_payload(struct worker *w, const struct operation *op, struct attempt *a)
{
	struct operate *st = w->state;
	struct payload p = {.run = w->config.run,
	    .id = op->id,
	    .incarnation = w->incarnation,
	    .size = op->size};
	char adds[PAYLOAD_ADDS_MAX];

	if (op->adds) {
		payload_increment(p.run, p.id, adds);
		payload_mark(&p, adds);
	} else if (op->marks != NULL)
		payload_mark(&p, op->marks);
	else
		payload_write(&p, st->data);
	a->sum = p.sum;
}

/* A code that is no matter of the moment: another attempt is of no use. */
static bool
is_final(const struct worker *w, enum outcome outcome)
{
	return (outcome == OUTCOME_FAIL && w->session.code != 0) ||
	       w->session.code == FULL;
}

void
operate_put(struct worker *w, struct operation *op)
{
	struct operate *st = w->state;
	struct attempt a = {.stream = op->stream, .size = op->size};
	enum outcome whole = OUTCOME_FAIL, outcome;
	/* A retry has to lie within the dedupe window of the first attempt. */
	uint64_t since = clock_mono_ns(), patience = op->at->dedupe_ns / 2, seq;
	struct sending s;
	struct backoff b = {0};
	bool duplicate = false;

	if (op->id == 0)
		op->id = operate_next_id(w);
	a.id = op->id;
	operate_at(st, op->id);
	put_begin(w, op, &s);
	put_payload(w, op, &a);
	for (;;) {
		a.number = ++op->attempt;
		put_tell_terms(w, op, &s);
		tell_invoke(w, &a);
		child_flush(&w->child);
		outcome = send_once(w, op, &s, &seq, &duplicate);
		if (outcome == OUTCOME_OK) {
			tell_published(w, &a, seq, duplicate);
			put_learn(op, seq, duplicate);
			break;
		}
		tell_failure(w, &a, outcome);
		op->at->is_full = w->session.code == FULL;
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		if (is_final(w, outcome) ||
		    operate_must_give_up(w, since, patience)) {
			tell_end(w, &a, whole);
			break;
		}
		session_backoff(&b, &w->child);
	}
	operate_at(st, 0);
}
