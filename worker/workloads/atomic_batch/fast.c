/* SPDX-License-Identifier: ISC */
/*
 * A fast batch (ADR-50): its messages are stored one by one, in their order,
 * and answers say how far. What each is (number, whether it begins or ends the
 * batch, what a gap means) stands in its reply subject. Nothing is tried again.
 *
 * Answers name no sequences but the last. So the messages are read when the
 * batch is over, and one that is stored and was found is told as acknowledged
 * at its sequence. Of all others nothing is known, but what FAST_ACK says.
 */
#include <string.h>

#include "proto/base/text.h"
#include "worker/operate/put.h"
#include "worker/workloads/atomic_batch/atomic_batch.h"

#define FLOW_MOST 10 /* messages between two answers */
#define OWED_MOST 2  /* answers that are waited for at a time */
#define WAIT_MS	  1000
#define COMMIT_MS 2000
#define OTHERS	  32 /* messages of others between those of a batch */
#define REPLY_MAX (SESSION_INBOX_MAX + 48)

/* What a message does in the batch, as its reply subject has it. */
enum part {
	PART_START = 0,
	PART_APPEND = 1,
	PART_COMMIT = 2,
	PART_CLOSE = 3 /* commits, and is not stored */
};

struct fast {
	struct operation op; /* of the first message */
	natsSubscription *sub;
	char inbox[SESSION_INBOX_MAX];
	uint64_t first; /* id of the first message */
	uint32_t n, sent, flow;
	uint32_t skipped; /* the number that is not sent; 0: none */
	bool lets_gaps, is_closed;
	/* As the answers have it. */
	uint32_t stored; /* all up to this number are */
	uint64_t last;	 /* sequence of the last; 0: not told */
	bool is_over, is_other;
};

static void
tell_batch(struct worker *w, const struct fast *f)
{
	struct event ev = {.type = MESSAGE_FAST_BATCH};

	ev.u.fast_batch.stream = f->op.stream;
	ev.u.fast_batch.id = f->first + f->n - 1;
	ev.u.fast_batch.count = f->n;
	ev.u.fast_batch.gaps = f->lets_gaps;
	child_emit(&w->child, &ev);
}

static void
attempt_make(struct worker *w, const struct operation *op, struct attempt *a)
{
	*a = (struct attempt){
	    .stream = op->stream, .number = 1, .id = op->id, .size = op->size};
	put_payload(w, op, a);
}

/* All that may be sent is told before the first is. */
static void
tell_begun(struct worker *w, const struct fast *f)
{
	struct operation op;
	struct attempt a;
	struct sending s;
	uint32_t i;

	for (i = 0; i < f->n; i++) {
		if (i + 1 == f->skipped)
			continue;
		batch_member(w, &f->op, f->first, i, &op);
		put_begin(w, &op, &s);
		attempt_make(w, &op, &a);
		put_tell_terms(w, &op, &s);
		tell_invoke(w, &a);
	}
	child_flush(&w->child);
}

/* Message number i from 0, or behind the last the one that closes. */
static natsStatus
send_one(struct worker *w, struct fast *f, uint32_t i)
{
	enum part part = i == 0 ? PART_START : PART_APPEND;
	struct sending s = {.n = 0};
	char reply[REPLY_MAX];
	struct operation op = f->op;
	natsMsg *msg = NULL;
	struct attempt a;
	natsStatus st;

	if (i == f->n) {
		part = PART_CLOSE;
		op.size = 0;
		operate_subject(w, op.stream, op.subject, s.subject);
	} else {
		if (i + 1 == f->n && !f->is_closed)
			part = PART_COMMIT;
		batch_member(w, &f->op, f->first, i, &op);
		put_begin(w, &op, &s);
		attempt_make(w, &op, &a);
	}
	text_format(reply, sizeof(reply), "%s.%u.%s.%u.%d.$FI", f->inbox,
	    f->flow, f->lets_gaps ? "ok" : "fail", i + 1, (int)part);
	s.reply = reply;
	st = put_message(w, &op, &s, &msg);
	if (st == NATS_OK)
		st = natsConnection_PublishMsg(w->session.nc, msg);
	natsMsg_Destroy(msg);
	return st;
}

/* The last answer: the batch is over, whatever became of it. */
static void
take_last(struct fast *f, const cJSON *tree)
{
	uint64_t count = json_count(tree, "count");
	const char *name = strrchr(f->inbox, '.') + 1;

	f->is_over = true;
	if (json_get(tree, "error") != NULL)
		return;
	f->is_other = strcmp(json_text(tree, "batch"), name) != 0;
	/* Behind a gap, or one that was refused, it says less. */
	if (count != f->n || f->sent < f->n)
		return;
	f->stored = f->n;
	f->last = json_count(tree, "seq");
}

/* Take an answer, if one comes in that time: false when none did. */
static bool
take(struct fast *f, int64_t wait_ms)
{
	natsMsg *msg = NULL;
	const char *type;
	uint64_t upto;
	cJSON *tree;

	if (natsSubscription_NextMsg(&msg, f->sub, wait_ms) != NATS_OK)
		return false;
	tree = json_parse(natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg), REQUEST_NESTING_MAX);
	natsMsg_Destroy(msg);
	type = json_text(tree, "type");
	upto = json_count(tree, "seq");
	if (tree == NULL) /* nobody was there to take it */
		f->is_over = true;
	else if (strcmp(type, "ack") == 0)
		f->stored = upto > f->stored ? (uint32_t)upto : f->stored;
	else if (type[0] == '\0')
		take_last(f, tree);
	cJSON_Delete(tree);
	return true;
}

/* Answers are owed for no more than that; the first is waited for. */
static bool
must_wait(const struct fast *f, bool is_answered)
{
	return !f->is_over &&
	       (!is_answered || f->sent >= f->stored + f->flow * OWED_MOST);
}

static void
send_all(struct worker *w, struct fast *f)
{
	uint32_t total = f->n + f->is_closed, i;
	bool is_answered = false;

	for (i = 0; i < total && !f->is_over; i++) {
		if (i + 1 == f->skipped)
			continue;
		if (send_one(w, f, i) != NATS_OK)
			return;
		f->sent = i + 1 < f->n ? i + 1 : f->n;
		while (take(f, 0))
			is_answered = true;
		if (i + 1 == total)
			break;
		while (must_wait(f, is_answered)) {
			if (!take(f, WAIT_MS))
				return; /* it is given up */
			is_answered = true;
		}
	}
	while (!f->is_over && take(f, COMMIT_MS))
		;
}

static void
tell_ack(struct worker *w, const struct fast *f)
{
	struct event ev = {.type = MESSAGE_FAST_ACK};

	ev.u.fast_ack.stream = f->op.stream;
	ev.u.fast_ack.id = f->first + f->n - 1;
	/* Where gaps are let be, it is not said which are stored. */
	ev.u.fast_ack.upto = f->lets_gaps ? 0 : f->stored;
	ev.u.fast_ack.same = !f->is_other;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* The batch's message that is stored at a sequence: its number from 0, or n. */
static uint32_t
read_one(struct worker *w, const struct fast *f, uint64_t seq)
{
	natsMsg *msg = NULL;
	struct payload p;
	uint32_t i = f->n;
	jsOptions jo;

	session_options(&jo, OPERATE_ATTEMPT_MS);
	if (js_GetMsg(&msg, w->session.js, f->op.at->name, seq, &jo, NULL) ==
		NATS_OK &&
	    payload_read(
		&p, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)) &&
	    p.run == w->config.run && p.id >= f->first &&
	    p.id < f->first + f->n)
		i = (uint32_t)(p.id - f->first);
	natsMsg_Destroy(msg);
	child_beat(&w->child);
	return i;
}

/* Look for them from the last one on downwards. */
static void
tell_found(struct worker *w, const struct fast *f, bool found[BATCH_MOST])
{
	uint64_t seq = f->last, end = seq - f->n - OTHERS;
	struct operation op;
	struct attempt a;
	uint32_t i, left = f->n - (f->skipped != 0);

	if (f->last < f->n + OTHERS)
		end = 0;
	for (; seq > end && left > 0 && !worker_must_stop(w); seq--) {
		i = read_one(w, f, seq);
		if (i == f->n || found[i])
			continue;
		found[i] = true;
		left--;
		batch_member(w, &f->op, f->first, i, &op);
		attempt_make(w, &op, &a);
		tell_published(w, &a, seq, false);
		put_learn(&op, seq, false);
	}
}

static void
tell_outcomes(struct worker *w, const struct fast *f)
{
	bool found[BATCH_MOST] = {false};
	enum outcome outcome;
	struct operation op;
	struct attempt a;
	uint32_t i;

	if (f->last != 0)
		tell_found(w, f, found);
	session_note(&w->session, NATS_TIMEOUT, 0);
	for (i = 0; i < f->n; i++) {
		if (found[i] || i + 1 == f->skipped)
			continue;
		batch_member(w, &f->op, f->first, i, &op);
		attempt_make(w, &op, &a);
		/* What was not sent can't be stored. */
		outcome = i < f->sent ? OUTCOME_UNKNOWN : OUTCOME_FAIL;
		tell_failure(w, &a, outcome);
		tell_end(w, &a, outcome);
	}
}

void
batch_send_fast(struct worker *w, struct operation *op)
{
	struct fast f = {.op = *op, .n = op->batch};
	struct operate *st = w->state;
	uint32_t i;

	f.flow = 1 + (uint32_t)operate_below(w, FLOW_MOST);
	f.lets_gaps = operate_below(w, 4) == 0;
	f.is_closed = operate_below(w, 2) == 0;
	if (f.n > 2 && operate_below(w, 16) == 0)
		f.skipped = 2 + (uint32_t)operate_below(w, f.n - 2);
	f.first = operate_next_id(w);
	for (i = 1; i < f.n; i++)
		(void)operate_next_id(w); /* they follow the first */
	operate_at(st, f.first);
	if (session_listen(&w->session, &f.sub, f.inbox) == 0) {
		tell_batch(w, &f);
		tell_begun(w, &f);
		send_all(w, &f);
		tell_ack(w, &f);
		tell_outcomes(w, &f);
	}
	natsSubscription_Destroy(f.sub);
	operate_at(st, 0);
}
