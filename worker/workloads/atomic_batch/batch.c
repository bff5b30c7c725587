/* SPDX-License-Identifier: ISC */
/*
 * A batch: messages that are stored together or not at all (ADR-50). All but
 * the last are sent without waiting, and kept by the leader; the last commits
 * them. So none can be stored before that, and each is told as a publish that
 * begins when the last is sent, and has the outcome of the whole. Nothing is
 * tried again: nobody can know what became of a commit without an answer.
 *
 * The ids of a batch follow each other, in the order of its messages, and the
 * batch is told before the first is sent.
 */
#include <string.h>

#include "proto/base/text.h"
#include "worker/operate/put.h"
#include "worker/workloads/atomic_batch/atomic_batch.h"

#define COMMIT_MS 2000

struct batch {
	struct operation op; /* of the first message */
	uint64_t first;	     /* its id */
	uint32_t n, staged;
	bool is_closed; /* by a message that is not stored, behind the last */
	char name[64];
};

/* A message of it, as it goes out and as it is told. */
struct member {
	struct operation op;
	struct attempt told;
	struct sending sending;
};

void
batch_member(struct worker *w, const struct operation *op, uint64_t first,
    uint32_t i, struct operation *out)
{
	const struct batch_options *o = w->options;
	uint64_t drawn;

	*out = *op;
	out->id = first + i;
	out->attempt = 1;
	drawn = rng_mix(out->id ^ rng_mix(w->config.run));
	if (i > 0) {
		out->subject = 1 + (uint32_t)(drawn % o->plain.subjects);
		out->expects_last = out->expects_subject = false;
	}
	if (!out->adds)
		out->size =
		    (uint32_t)(o->size[0] +
			       (drawn >> 32) % (o->size[1] - o->size[0] + 1));
}

/* Message number i from 0 is the same each time that it is made. */
static void
member_make(
    struct worker *w, const struct batch *b, uint32_t i, struct member *m)
{
	struct sending *s = &m->sending;
	struct operation *op = &m->op;

	batch_member(w, &b->op, b->first, i, op);
	put_begin(w, op, s);
	text_set(put_header(s, "Nats-Batch-Id"), PUT_VALUE_MAX, b->name);
	text_format(
	    put_header(s, "Nats-Batch-Sequence"), PUT_VALUE_MAX, "%u", i + 1);
	if (i + 1 == b->n && !b->is_closed)
		text_set(
		    put_header(s, "Nats-Batch-Commit"), PUT_VALUE_MAX, "1");
	m->told = (struct attempt){
	    .stream = op->stream, .number = 1, .id = op->id, .size = op->size};
	put_payload(w, op, &m->told);
}

/* How many go out before the one that commits. */
static uint32_t
before_commit(const struct batch *b)
{
	return b->is_closed ? b->n : b->n - 1;
}

/*
 * What commits: the last message, or ("eob") one more, which says no more than
 * that.
 */
static natsStatus
commit_make(struct worker *w, const struct batch *b, natsMsg **msg)
{
	struct operation none = b->op;
	struct sending s = {.n = 0};
	struct member m;

	if (!b->is_closed) {
		member_make(w, b, b->n - 1, &m);
		return put_message(w, &m.op, &m.sending, msg);
	}
	none.size = 0;
	operate_subject(w, none.stream, none.subject, s.subject);
	text_set(put_header(&s, "Nats-Batch-Id"), PUT_VALUE_MAX, b->name);
	text_format(put_header(&s, "Nats-Batch-Sequence"), PUT_VALUE_MAX, "%u",
	    b->n + 1);
	text_set(put_header(&s, "Nats-Batch-Commit"), PUT_VALUE_MAX, "eob");
	return put_message(w, &none, &s, msg);
}

static void
tell_batch(struct worker *w, const struct batch *b)
{
	struct event ev = {.type = MESSAGE_BATCH};

	ev.u.batch.stream = b->op.stream;
	ev.u.batch.id = b->first + b->n - 1;
	ev.u.batch.count = b->n;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
begin(struct worker *w, struct batch *b, const struct operation *op)
{
	struct operate *st = w->state;
	uint32_t i;

	*b = (struct batch){
	    .op = *op, .n = op->batch, .is_closed = operate_below(w, 4) == 0};
	b->first = operate_next_id(w);
	for (i = 1; i < b->n; i++)
		(void)operate_next_id(w); /* they follow the first */
	publish_id(w, b->first, b->name);
	operate_at(st, b->first);
	tell_batch(w, b);
}

/*
 * Send the next message, and (asks) wait for the leader to say that it has
 * it. False when that was refused: the batch is over then.
 */
static bool
stage(struct worker *w, struct batch *b, bool asks)
{
	natsMsg *msg = NULL, *reply = NULL;
	struct member m;
	natsStatus st;

	member_make(w, b, b->staged++, &m);
	st = put_message(w, &m.op, &m.sending, &msg);
	if (st == NATS_OK && asks)
		st = natsConnection_RequestMsg(
		    &reply, w->session.nc, msg, OPERATE_ATTEMPT_MS);
	else if (st == NATS_OK)
		st = natsConnection_PublishMsg(w->session.nc, msg);
	natsMsg_Destroy(msg);
	/* It has no status and no payload when the leader has taken it. */
	if (st == NATS_OK && asks &&
	    (natsMsg_GetDataLength(reply) > 0 || request_status(reply) != 0))
		st = NATS_ERR;
	natsMsg_Destroy(reply);
	return st == NATS_OK;
}

static void
tell_begun(struct worker *w, const struct batch *b)
{
	struct member m;
	uint32_t i;

	for (i = 0; i < b->n; i++) {
		member_make(w, b, i, &m);
		put_tell_terms(w, &m.op, &m.sending);
		tell_invoke(w, &m.told);
	}
	child_flush(&w->child);
}

/* What the answer says of the batch. True when it names sequences. */
static bool
tell_answer(struct worker *w, const struct batch *b, const cJSON *tree)
{
	struct event ev = {.type = MESSAGE_BATCH_OK};
	struct msg_batch_ok *m = &ev.u.batch_ok;

	m->stream = b->op.stream;
	m->id = b->first + b->n - 1;
	m->seq = json_count(tree, "seq");
	m->count = (uint32_t)json_count(tree, "count");
	m->same = strcmp(json_text(tree, "batch"), b->name) == 0;
	child_emit(&w->child, &ev);
	return m->seq >= b->n;
}

/* The outcome of each message; last: the sequence of the last one, if OK. */
static void
tell_outcomes(struct worker *w, const struct batch *b, enum outcome outcome,
    uint64_t last)
{
	struct member m;
	uint64_t seq;
	uint32_t i;

	for (i = 0; i < b->n; i++) {
		member_make(w, b, i, &m);
		seq = last - b->n + 1 + i;
		if (outcome == OUTCOME_OK) {
			tell_published(w, &m.told, seq, false);
			put_learn(&m.op, seq, false);
			continue;
		}
		tell_failure(w, &m.told, outcome);
		tell_end(w, &m.told, outcome);
	}
}

/* All that go before it are staged. */
static void
commit(struct worker *w, struct batch *b)
{
	natsMsg *msg = NULL;
	enum outcome outcome;
	uint64_t last = 0;
	natsStatus st;
	cJSON *tree;

	tell_begun(w, b);
	st = commit_make(w, b, &msg);
	outcome = request_message(&w->session, st, msg, COMMIT_MS, &tree);
	if (outcome == OUTCOME_OK) {
		last = json_count(tree, "seq");
		if (!tell_answer(w, b, tree))
			outcome = OUTCOME_UNKNOWN;
		cJSON_Delete(tree);
	}
	tell_outcomes(w, b, outcome, last);
}

static void
over(struct worker *w, bool is_refused)
{
	struct operate *st = w->state;

	operate_at(st, 0);
	if (is_refused)
		session_backoff(&st->pause, &w->child);
	else
		st->pause.step = 0;
}

static bool
stage_upto(struct worker *w, struct batch *b, uint32_t n, bool asks)
{
	bool is_taken = true;

	while (is_taken && b->staged < n)
		is_taken = stage(w, b, asks && b->staged == 0);
	return is_taken;
}

bool
batch_counts(const struct worker *w, uint32_t stream)
{
	const struct batch_options *o = w->options;

	return stream + o->counters >= o->plain.streams;
}

void
batch_send(struct worker *w, struct operation *op)
{
	struct batch b;
	bool is_taken;

	begin(w, &b, op);
	is_taken =
	    stage_upto(w, &b, before_commit(&b), operate_below(w, 2) == 0);
	if (is_taken)
		commit(w, &b);
	over(w, !is_taken);
}

/* Their messages are sent in a mixed order, and the first is committed first.
 */
void
batch_send_two(struct worker *w, struct operation *op)
{
	struct batch both[2], *b;
	unsigned i;

	for (i = 0; i < 2; i++)
		begin(w, &both[i], op);
	while (both[0].staged + both[1].staged <
	       before_commit(&both[0]) + before_commit(&both[1])) {
		b = &both[operate_below(w, 2)];
		/* What isn't taken lacks in the end, and is refused then. */
		if (b->staged < before_commit(b))
			(void)stage(w, b, false);
	}
	for (i = 0; i < 2; i++)
		commit(w, &both[i]);
	over(w, false);
}

void
batch_give_up(struct worker *w, struct operation *op)
{
	struct batch b;

	begin(w, &b, op);
	over(w, !stage_upto(w, &b, 1 + (uint32_t)operate_below(w, b.n - 1),
		    operate_below(w, 2) == 0));
}
