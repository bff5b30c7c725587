/* SPDX-License-Identifier: ISC */
/*
 * torn_batch: a batch is stored in part, or otherwise than as a whole.
 *
 * Rule (guarantees 28): the messages of a batch are stored when it is
 * committed, with sequences that follow each other, or none of them is. It
 * convicts when the audit's whole scan read some messages of a batch and not
 * all; when a message was seen of a batch whose commit was never sent; when two
 * messages of one stand apart otherwise than in the batch; and when an answer
 * says that another number of them was stored. Of a batch that was acknowledged
 * lost and seq_reuse judge each message.
 *
 * A fast batch is stored one by one, in its order, and one that does not go on
 * behind a gap ends there: of that it convicts when a message is stored behind
 * one that is not, or is not stored although an answer said that all up to it
 * are; of any when two stand in another order than in the batch.
 *
 * Why no legal behaviour trips it: a commit without an answer leaves both
 * states open, for ever, but no third one; whoever shows a message has
 * applied the commit; what was read is never forgotten for another try of the
 * scan, but counted anew. Streams from which messages may go away are left
 * out. Where the cluster did not settle an absence is a warning only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/contents.h"
#include "proto/base/array.h"
#include "proto/refusal.h"

#define GROUPS_MAX (1u << 16) /* of a process */
#define BITS	   1024	      /* messages of a batch; servers take 1000 */
#define WORD	   64

/* Codes of refusals: too many messages; an id was there before. */
#define TOO_LARGE   10199
#define REPEATED_ID 10201

/* A batch that was not acknowledged as a whole. */
struct group {
	uint64_t id;  /* first: of its last message, as array_lower() has it */
	uint64_t low; /* where its first message stands (of a fast one: that
		       * which was shown last); 0: not known */
	uint64_t begun_ns, ended_ns; /* the commit, and its answer; 0: none */
	uint32_t stream, count;
	uint32_t seen; /* in this scan */
	bool is_refused, is_told;
	bool is_fast, lets_gaps;
	/* Of a fast one: the last that is stored with all before it, those
	 * acknowledged one by one, and what was shown last, by its number. */
	uint32_t upto, oks, shown;
	uint64_t *bits; /* of those; NULL: none was */
};

/* Those of one process, by their ids. */
struct source {
	struct group *groups;
	uint32_t n, room;
};

struct torn_state {
	struct source *sources;
	uint32_t n;
	bool *lets_go; /* by stream: messages may go away */
	uint32_t nstreams;
};

static uint64_t
first_of(const struct group *g)
{
	return g->id - g->count + 1;
}

/* The batch of a message, or NULL. */
static struct group *
group_find(const struct torn_state *st, uint64_t id)
{
	uint32_t source = message_id_source(id), i;
	const struct source *s;

	if (source >= st->n)
		return NULL;
	s = &st->sources[source];
	i = array_lower(s->groups, s->n, sizeof(*s->groups), id);
	return i < s->n && first_of(&s->groups[i]) <= id ? &s->groups[i] : NULL;
}

/* Batches that were acknowledged, or that make room for others. */
static void
group_forget(struct torn_state *st, struct group *g)
{
	struct source *s = &st->sources[message_id_source(g->id)];
	size_t behind = (size_t)(&s->groups[s->n] - (g + 1));

	free(g->bits);
	memmove(g, g + 1, behind * sizeof(*g));
	s->n--;
}

/*
 * The oldest that was given up is judged no more: a message of it, should it
 * be stored, is still one that nobody published.
 */
static void
make_room(struct check *c, struct source *s)
{
	uint32_t i = 0;

	if (s->n < GROUPS_MAX)
		return;
	while (i < s->n && s->groups[i].begun_ns != 0 && !s->groups[i].is_fast)
		i++;
	if (i == s->n) {
		i = 0;
		check_doubt(c, "batches whose commits were not answered are "
			       "too many to be judged");
	}
	group_forget(c->state, &s->groups[i]);
}

/* gaps: 1 of a fast batch that goes on behind them. */
static int
on_batch(struct check *c, const struct msg_fast_batch *m, bool is_fast)
{
	struct torn_state *st = c->state;
	struct source *s = array_at(&st->sources, &st->n,
	    message_id_source(m->id), sizeof(*s), CHECK_SLOTS_MAX);
	struct group *g;

	if (s == NULL)
		return -ENOMEM;
	/* Ids only grow, and what can't be a batch is none. */
	if (m->count == 0 || m->count > BITS ||
	    m->count > message_id_counter(m->id) ||
	    (s->n > 0 && s->groups[s->n - 1].id > m->id - m->count))
		return 0;
	make_room(c, s);
	if (array_reserve(
		&s->groups, &s->room, s->n + 1, sizeof(*g), GROUPS_MAX) < 0)
		return -ENOMEM;
	g = &s->groups[s->n++];
	memset(g, 0, sizeof(*g));
	g->id = m->id;
	g->stream = m->stream;
	g->count = m->count;
	g->is_fast = is_fast;
	g->lets_gaps = is_fast && m->gaps != 0;
	return 0;
}

static void
on_ok(struct check *c, const struct msg_batch_ok *m)
{
	struct anomaly a = {.kind = ANOMALY_TORN_BATCH,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq}};
	const struct group *g = group_find(c->state, m->id);

	if (g == NULL)
		return;
	check_judged(c, 1);
	if (m->count != g->count || !m->same || m->seq < m->count)
		check_raise(c, &a,
		    "the answer to the commit of a batch of %u messages, of "
		    "which %u:%llu is the last, says that %u are stored up to "
		    "sequence %llu%s",
		    g->count, message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id), m->count,
		    (unsigned long long)m->seq,
		    m->same ? "" : ", and names another batch");
}

static void
on_fast_ack(struct check *c, const struct msg_fast_ack *m)
{
	struct group *g = group_find(c->state, m->id);
	struct anomaly a = {
	    .kind = ANOMALY_TORN_BATCH, .stream = m->stream, .ids = {m->id}};

	if (g == NULL || !g->is_fast)
		return;
	check_judged(c, 1);
	g->upto = m->upto;
	g->is_told |= m->upto > g->count || !m->same;
	if (m->upto > g->count || !m->same)
		check_raise(c, &a,
		    "the answers to a fast batch of %u messages, of which "
		    "%u:%llu is the last, say that %u are stored%s",
		    g->count, message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id), m->upto,
		    m->same ? "" : ", and name another batch");
}

/* Of a fast batch: its messages stand in their order. */
static void
on_seen_fast(struct check *c, struct group *g, uint64_t id, uint64_t seq)
{
	uint32_t number = (uint32_t)(id - first_of(g)) + 1;
	struct anomaly a = {.kind = ANOMALY_TORN_BATCH,
	    .stream = g->stream,
	    .ids = {id, first_of(g) + g->shown - 1},
	    .seqs = {seq, g->low}};

	if (g->shown != 0 && number != g->shown &&
	    (number > g->shown) != (seq > g->low)) {
		g->is_told = true;
		check_raise(c, &a,
		    "message %u:%llu, number %u of a fast batch of %u, is at "
		    "sequence %llu, and number %u at %llu",
		    message_id_source(id),
		    (unsigned long long)message_id_counter(id), number,
		    g->count, (unsigned long long)seq, g->shown,
		    (unsigned long long)g->low);
	}
	g->shown = number;
	g->low = seq;
}

/* One message of it is shown by somebody. */
static void
on_seen(struct check *c, uint64_t id, uint64_t seq)
{
	struct group *g = group_find(c->state, id);
	struct anomaly a = {
	    .kind = ANOMALY_TORN_BATCH, .ids = {id}, .seqs = {seq}};
	uint64_t low;

	if (g == NULL || g->is_told)
		return;
	if (g->is_fast) {
		on_seen_fast(c, g, id, seq);
		return;
	}
	a.stream = g->stream;
	a.ids[1] = g->id;
	low = seq - (id - first_of(g));
	if (g->begun_ns == 0) {
		g->is_told = true;
		if (!ledger_was_invoked(c->ledger, id))
			return; /* a phantom */
		check_raise(c, &a,
		    "sequence %llu holds message %u:%llu, of a batch of %u "
		    "whose commit was never sent",
		    (unsigned long long)seq, message_id_source(id),
		    (unsigned long long)message_id_counter(id), g->count);
	} else if (g->low != 0 && g->low != low) {
		g->is_told = true;
		a.seqs[1] = g->low;
		check_raise(c, &a,
		    "message %u:%llu, number %llu of a batch of %u, is at "
		    "sequence %llu, but another one shows that the batch "
		    "begins at %llu",
		    message_id_source(id),
		    (unsigned long long)message_id_counter(id),
		    (unsigned long long)(id - first_of(g) + 1), g->count,
		    (unsigned long long)seq, (unsigned long long)g->low);
	}
	g->low = low;
}

static int
on_scan(struct check *c, const struct msg_scan_message *m)
{
	struct group *g;
	uint64_t at, bit;

	if (!check_is_ours(c, m->run, m->intact))
		return 0;
	on_seen(c, m->id, m->seq);
	g = group_find(c->state, m->id);
	if (g == NULL)
		return 0;
	if (g->bits == NULL)
		g->bits = calloc(BITS / WORD, sizeof(*g->bits));
	if (g->bits == NULL)
		return -ENOMEM;
	at = m->id - first_of(g);
	bit = UINT64_C(1) << at % WORD;
	g->seen += (g->bits[at / WORD] & bit) == 0;
	g->bits[at / WORD] |= bit;
	return 0;
}

static bool
was_seen(const struct group *g, uint32_t i)
{
	return g->bits != NULL && (g->bits[i / WORD] >> i % WORD & 1) != 0;
}

/* Of the refusal as too large: it says how many messages are allowed. */
static bool
is_too_large(const struct group *g, const struct msg_publish_fail *m)
{
	const char *number = strstr(m->why, ": ");

	/* One more may have committed them. */
	return number == NULL || g->count + 1 > strtoul(number + 2, NULL, 10);
}

/* Does the publish, which is open, expect a last sequence? */
static bool
expects(const struct check *c, uint64_t id)
{
	const struct publishing *p = contents_publishing(c->contents, id);

	return p == NULL || !p->has_terms || p->terms.expects_last ||
	       p->terms.expects_subject;
}

/*
 * A batch was refused for what it is not; told of each of its messages. Of an
 * id it is a violation if one leader was steady.
 */
static void
judge_reason(
    struct check *c, const struct group *g, const struct msg_publish_fail *m)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, g->stream);
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .stream = g->stream,
	    .ids = {g->id},
	    .is_no_loss = true};
	struct check_span span = {
	    .what = LEADERS_STREAM, .from_ns = g->begun_ns, .to_ns = c->now_ns};

	if (s == NULL || g->is_fast || m->id != first_of(g))
		return;
	check_judged(c, 1);
	if ((m->code == TOO_LARGE && !is_too_large(g, m)) ||
	    (refusal_is_wrong_last(m->code) && !expects(c, m->id))) {
		check_raise(c, &a,
		    "a batch of %u messages to %s was refused (\"%s\"): it has "
		    "no more than that, and expects no last sequence",
		    g->count, s->name, m->why);
		return;
	}
	if (m->code != REPEATED_ID)
		return;
	a.class = CLASS_WARNING;
	span.name = s->name;
	span.replicas = s->replicas;
	check_raise_steady(c, &a, &span,
	    "a batch of %u messages to %s was refused (\"%s\"), and none of "
	    "their ids was ever sent before",
	    g->count, s->name, m->why);
}

/* A commit was refused, and done. */
static void
raise_refused(struct check *c, const struct group *g)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, g->stream);
	struct anomaly a = {.kind = ANOMALY_MISANSWERED,
	    .class =
		c->config->strict_answers ? CLASS_VIOLATION : CLASS_DOCUMENTED,
	    .rule = "guarantees 0",
	    .stream = g->stream,
	    .ids = {g->id},
	    .seqs = {g->low}};
	struct check_span span = {.what = LEADERS_STREAM,
	    .from_ns = g->begun_ns,
	    .to_ns = g->ended_ns};

	if (s == NULL)
		return;
	span.name = s->name;
	span.replicas = s->replicas;
	check_raise_steady(c, &a, &span,
	    "the commit of a batch of %u messages was refused, and all of them "
	    "are stored in %s from sequence %llu on",
	    g->count, s->name, (unsigned long long)g->low);
}

static void
raise_torn(struct check *c, const struct group *g)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, g->stream);
	struct anomaly a = {.kind = ANOMALY_TORN_BATCH,
	    .class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION,
	    .stream = g->stream,
	    .ids = {g->id},
	    .seqs = {g->low}};
	uint32_t i = 0;

	while (i < g->count && was_seen(g, i))
		i++;
	a.seqs[1] = g->low + i;
	check_raise(c, &a,
	    "%u of the %u messages of a batch, of which %u:%llu is the last, "
	    "are stored in %s, from sequence %llu on; number %u is the first "
	    "that is not%s",
	    g->seen, g->count, message_id_source(g->id),
	    (unsigned long long)message_id_counter(g->id),
	    s != NULL ? s->name : "", (unsigned long long)g->low, i + 1,
	    g->is_refused ? "; its commit was refused"
			  : "; its commit was not answered");
}

/* What is there of a fast batch: all up to one, and nothing behind that. */
static void
judge_fast(struct check *c, struct group *g)
{
	struct anomaly a = {.kind = ANOMALY_TORN_BATCH,
	    .class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION,
	    .stream = g->stream};
	uint32_t i = 0, behind;

	while (i < g->count && was_seen(g, i))
		i++;
	if (g->lets_gaps || (i >= g->upto && i == g->seen))
		return;
	g->is_told = true;
	a.ids[0] = first_of(g) + i;
	if (i < g->upto) {
		check_raise(c, &a,
		    "message %u:%llu, number %u of a fast batch of %u, is not "
		    "stored: an answer said that all up to number %u are",
		    message_id_source(a.ids[0]),
		    (unsigned long long)message_id_counter(a.ids[0]), i + 1,
		    g->count, g->upto);
		return;
	}
	for (behind = i + 1; !was_seen(g, behind);)
		behind++;
	a.ids[1] = first_of(g) + behind;
	check_raise(c, &a,
	    "number %u of a fast batch of %u, of which %u:%llu is the last, is "
	    "stored, and number %u is not: such a batch ends at a gap",
	    behind + 1, g->count, message_id_source(g->id),
	    (unsigned long long)message_id_counter(g->id), i + 1);
}

static bool
lets_go(const struct check *c, uint32_t stream)
{
	const struct torn_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);

	return (s != NULL && s->retention != RETENTION_LIMITS) ||
	       (stream < st->nstreams && st->lets_go[stream]);
}

/* A whole scan is over, or (is_begin) one begins. */
static void
scan_step(struct check *c, uint32_t stream, bool is_begin)
{
	const struct torn_state *st = c->state;
	struct group *g;
	uint32_t i, j;

	for (i = 0; i < st->n; i++)
		for (j = 0; j < st->sources[i].n; j++) {
			g = &st->sources[i].groups[j];
			if (g->stream != stream)
				continue;
			if (is_begin) {
				g->seen = 0;
				free(g->bits);
				g->bits = NULL;
				continue;
			}
			check_judged(c, 1);
			if (g->is_told || lets_go(c, stream))
				continue;
			if (g->is_fast) {
				judge_fast(c, g);
				continue;
			}
			if (g->seen == 0 && g->low == 0)
				continue;
			g->is_told = true;
			if (g->seen < g->count)
				raise_torn(c, g);
			else if (g->is_refused)
				raise_refused(c, g);
		}
}

/* What may remove messages of a stream. */
static int
on_rules(struct check *c, const struct event *ev)
{
	struct torn_state *st = c->state;
	const struct msg_contents *m = &ev->u.contents;
	const struct msg_publish_terms *t = &ev->u.publish_terms;
	bool *at;

	if (ev->type == MESSAGE_CONTENTS &&
	    (m->max_messages | m->max_bytes | m->max_age_ns | m->per_subject) ==
		0)
		return 0;
	if (ev->type == MESSAGE_PUBLISH_TERMS && t->rolls == ROLLS_NOTHING &&
	    t->ttl_ns == 0)
		return 0;
	/* The stream is the first field of all of them. */
	at = array_at(&st->lets_go, &st->nstreams, m->stream, sizeof(*at),
	    CHECK_SLOTS_MAX);
	if (at == NULL)
		return -ENOMEM;
	*at = true;
	return 0;
}

/* What a publish that is in a batch has come to. */
static void
on_publish(struct check *c, const struct event *ev)
{
	struct group *g = group_find(c->state, message_id_of(ev));

	if (g == NULL)
		return;
	if (ev->type == MESSAGE_PUBLISH_OK) {
		on_seen(c, ev->u.publish_ok.id, ev->u.publish_ok.seq);
		if (g->is_fast ? ++g->oks == g->count
			       : ev->u.publish_ok.id == g->id)
			group_forget(c->state, g);
	} else if (ev->type == MESSAGE_PUBLISH_FAIL ||
		   ev->type == MESSAGE_PUBLISH_UNKNOWN)
		/* They have the same fields. */
		judge_reason(c, g, &ev->u.publish_fail);
	else if (ev->type == MESSAGE_PUBLISH_INVOKE && g->begun_ns == 0)
		g->begun_ns = c->now_ns;
	else if (ev->type == MESSAGE_PUBLISH_END && g->ended_ns == 0) {
		g->ended_ns = c->now_ns;
		g->is_refused = ev->u.publish_end.outcome == ENDED_FAILED;
	}
}

static int
torn_event(struct check *c, const struct event *ev)
{
	const struct msg_deliver *d = &ev->u.deliver;
	const struct msg_look_shown *l = &ev->u.look_shown;
	struct msg_fast_batch batch;

	switch ((unsigned)ev->type) {
	case MESSAGE_BATCH:
		batch = (struct msg_fast_batch){
		    ev->u.batch.stream, ev->u.batch.id, ev->u.batch.count, 0};
		return on_batch(c, &batch, false);
	case MESSAGE_FAST_BATCH:
		return on_batch(c, &ev->u.fast_batch, true);
	case MESSAGE_FAST_ACK:
		on_fast_ack(c, &ev->u.fast_ack);
		return 0;
	case MESSAGE_BATCH_OK:
		on_ok(c, &ev->u.batch_ok);
		return 0;
	case MESSAGE_PUBLISH_INVOKE:
	case MESSAGE_PUBLISH_OK:
	case MESSAGE_PUBLISH_FAIL:
	case MESSAGE_PUBLISH_UNKNOWN:
	case MESSAGE_PUBLISH_END:
		on_publish(c, ev);
		return 0;
	case MESSAGE_DELIVER:
		if (check_is_ours(c, d->run, d->intact))
			on_seen(c, d->id, d->seq);
		return 0;
	case MESSAGE_LOOK_SHOWN:
		if (check_is_ours(c, l->run, l->intact))
			on_seen(c, l->id, l->seq);
		return 0;
	case MESSAGE_SCAN_MESSAGE:
		return on_scan(c, &ev->u.scan_message);
	case MESSAGE_SCAN_BEGIN:
		scan_step(c, ev->u.scan_begin.stream, true);
		return 0;
	case MESSAGE_SCAN_END:
		if (ev->u.scan_end.complete)
			scan_step(c, ev->u.scan_end.stream, false);
		return 0;
	default:
		return on_rules(c, ev);
	}
}

static void
torn_fini(struct check *c)
{
	struct torn_state *st = c->state;
	uint32_t i, j;

	for (i = 0; i < st->n; i++) {
		for (j = 0; j < st->sources[i].n; j++)
			free(st->sources[i].groups[j].bits);
		free(st->sources[i].groups);
	}
	free(st->sources);
	free(st->lets_go);
}

static const enum message_type types[] = {MESSAGE_BATCH, MESSAGE_BATCH_OK,
    MESSAGE_PUBLISH_INVOKE, MESSAGE_PUBLISH_OK, MESSAGE_PUBLISH_FAIL,
    MESSAGE_PUBLISH_UNKNOWN, MESSAGE_PUBLISH_END, MESSAGE_DELIVER,
    MESSAGE_LOOK_SHOWN, MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_MESSAGE,
    MESSAGE_SCAN_END, MESSAGE_CONTENTS, MESSAGE_PUBLISH_TERMS,
    MESSAGE_REMOVE_INVOKE, MESSAGE_LIMITS_INVOKE, MESSAGE_FAST_BATCH,
    MESSAGE_FAST_ACK, 0};

const struct check_ops check_torn_batch = {
    .name = "torn_batch",
    .summary = "a batch is stored as a whole, in its order, or not at all",
    .rule = "guarantees 28",
    .types = types,
    .unit = "batches",
    .state_size = sizeof(struct torn_state),
    .event = torn_event,
    .fini = torn_fini,
};
