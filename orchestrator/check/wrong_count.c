/* SPDX-License-Identifier: ISC */
/*
 * wrong_count: a counter has a value that its messages do not add up to.
 *
 * Rule (guarantees 29): each message of a counter holds the sum of what all up
 * to it add, in the order of their sequences; the answer to a publish, and
 * whoever reads, shows the same value with it. The audit reads all of them, so
 * it convicts when one is not the value of the one before it and what it adds;
 * when a sequence has two values; and when what a client adds to a counter of
 * its own right after its purge was confirmed does not begin with nothing. A
 * stream that adds up counters of others has the sums of their values. That
 * what was acknowledged is there, once, and in the order of time, is for the
 * other checks of publishes.
 *
 * Why no legal behaviour trips it: what is in the stream is there for ever, and
 * a message that was never answered counts if it is there. Behind a gap in
 * the sequences (something is lost) each counter begins anew. It does not where
 * all that lacks is known to have been of counters that were purged, and the
 * counter itself never was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/contents.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define VALUES_MAX (1u << 20) /* that were told before the audit */
#define TOTALS_MAX (1u << 20)
#define OWNED_MAX  (1u << 16)
#define DIGITS	   38 /* fit into 128 bits with a sign */
#define SEQ_BITS   48
#define GAP_MAX	   4096 /* sequences that are looked at */

#define COUNTERS_MAX 64
#define STALL_NS     (150 * CLOCK_S) /* guarantees 27 */

typedef __int128 count_value;

/* What was told of a sequence. */
struct told {
	uint64_t at;	  /* the key: stream and sequence */
	uint64_t counter; /* that of struct owned; 0: not known */
	count_value value;
};

/* Of a counter, as far as it was read. */
struct total {
	uint64_t counter; /* the key: stream and subject */
	uint64_t gaps, losses, seq;
	count_value value;
};

struct reading {
	uint64_t gaps;	 /* in the sequences so far */
	uint64_t losses; /* of these, what is not known to be purged */
	uint64_t at;	 /* the last sequence that was read */
	bool is_complete;
};

/* A counter, as far as it may be reset. */
struct owned {
	uint64_t counter; /* the key: stream and number of the subject */
	uint32_t source;
	/* Others add to it; or what was never answered may be added yet. */
	bool is_shared, is_unsure;
	bool is_purged; /* a purge was sent */
};

/* What a client does at the moment. */
struct doing {
	uint64_t publish;	/* that is open; 0: none */
	uint64_t latest;	/* the last that was sent */
	uint64_t at;		/* its counter */
	uint64_t purge, purged; /* its id, and counter */
	uint64_t empty;		/* a counter that is certainly empty; 0: none */
	uint64_t first;		/* the publish that begins it */
};

struct count_state {
	struct hashmap told, totals, owned;
	struct doing *lanes; /* by source */
	uint32_t nlanes;
	struct reading *readings; /* by stream */
	uint32_t n;
};

static bool
value_read(const char *text, count_value *value)
{
	bool is_negative = *text == '-';
	unsigned n = 0;

	*value = 0;
	text += *text == '-' || *text == '+';
	for (; *text >= '0' && *text <= '9' && n < DIGITS; text++, n++)
		*value = *value * 10 + (*text - '0');
	if (is_negative)
		*value = -*value;
	return n > 0 && *text == '\0';
}

static uint64_t
key_of(uint32_t stream, uint64_t number)
{
	return (uint64_t)(stream + 1) << SEQ_BITS |
	       (number & ((UINT64_C(1) << SEQ_BITS) - 1));
}

/* FNV-1a of the last token of a subject, which names the counter. */
static uint64_t
counter_at(uint32_t stream, const char *subject)
{
	uint64_t h = UINT64_C(14695981039346656037);
	const char *dot = strrchr(subject, '.'), *p;

	for (p = dot != NULL ? dot + 1 : subject; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
	return key_of(stream, h);
}

static uint64_t
counter_of(const struct msg_counted *m)
{
	return counter_at(m->stream, m->subject);
}

static struct anomaly
anomaly_of(const struct msg_counted *m)
{
	return (struct anomaly){.kind = ANOMALY_WRONG_COUNT,
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq}};
}

/* Compare with what was told of the same sequence before. */
static int
judge_same(struct check *c, const struct msg_counted *m, count_value value)
{
	struct count_state *st = c->state;
	uint64_t key = key_of(m->stream, m->seq);
	struct told *t = hashmap_find(&st->told, key);
	struct anomaly a = anomaly_of(m);
	const struct doing *l;

	check_judged(c, 1);
	if (t == NULL && m->how != COUNTED_SCAN && st->told.n < VALUES_MAX) {
		t = hashmap_add(&st->told, key);
		if (t == NULL)
			return -ENOMEM;
		t->value = value;
	}
	if (t != NULL && m->how == COUNTED_ANSWER &&
	    message_id_source(m->id) < st->nlanes) {
		l = &st->lanes[message_id_source(m->id)];
		t->counter = l->latest == m->id ? l->at : t->counter;
	}
	if (t != NULL && t->value != value)
		check_raise(c, &a,
		    "the %s of sequence %llu, message %u:%llu, which adds %s "
		    "to %s, has the value %s, and another value was told of it "
		    "before",
		    message_word(KEY_COUNTED, m->how),
		    (unsigned long long)m->seq, message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id), m->adds,
		    m->subject, m->value);
	return 0;
}

/* The counter of what was acknowledged there, or NULL: not known. */
static const struct owned *
owned_at(const struct count_state *st, uint32_t stream, uint64_t seq)
{
	const struct told *t = hashmap_find(&st->told, key_of(stream, seq));

	return t != NULL ? hashmap_find(&st->owned, t->counter) : NULL;
}

/* Was all that was stored from first to last of counters that were purged? */
static bool
are_purged(const struct count_state *st, uint32_t stream, uint64_t first,
    uint64_t last)
{
	const struct owned *o;

	if (last - first >= GAP_MAX)
		return false;
	for (; first <= last; first++) {
		o = owned_at(st, stream, first);
		if (o == NULL || !o->is_purged)
			return false;
	}
	return true;
}

/* Is all of the counter there, from the message that is its latest? */
static bool
is_whole(const struct count_state *st, const struct msg_counted *m,
    const struct total *t, const struct reading *r)
{
	const struct owned *o = owned_at(st, m->stream, m->seq);

	return o != NULL && !o->is_purged ? t->losses == r->losses
					  : t->gaps == r->gaps;
}

/* Compare with the message of the counter that stands before it. */
static int
judge_sum(struct check *c, const struct msg_counted *m, count_value adds,
    count_value value)
{
	struct count_state *st = c->state;
	struct reading *r = &st->readings[m->stream];
	struct anomaly a = anomaly_of(m);
	struct total *t;
	count_value before;
	bool is_known;

	if (m->seq <= r->at)
		return 0; /* a second look at some */
	if (m->seq != r->at + 1) {
		r->gaps++;
		r->losses += !are_purged(st, m->stream, r->at + 1, m->seq - 1);
	}
	r->at = m->seq;
	t = hashmap_find(&st->totals, counter_of(m));
	if (t == NULL) /* it begins with nothing, before the first gap */
		t = hashmap_add(&st->totals, counter_of(m));
	if (t == NULL)
		return -ENOMEM;
	is_known = is_whole(st, m, t, r);
	before = t->value;
	a.seqs[1] = t->seq;
	t->gaps = r->gaps;
	t->losses = r->losses;
	t->seq = m->seq;
	t->value = value;
	if (is_known && before + adds != value)
		check_raise(c, &a,
		    "sequence %llu, message %u:%llu, adds %s to %s and holds "
		    "%s: that is not the sum with the value before it, at "
		    "sequence %llu",
		    (unsigned long long)m->seq, message_id_source(m->id),
		    (unsigned long long)message_id_counter(m->id), m->adds,
		    m->subject, m->value, (unsigned long long)a.seqs[1]);
	return 0;
}

/* The counter, which this source does something with; NULL: not known. */
static struct owned *
owned_by(struct count_state *st, uint64_t counter, uint32_t source)
{
	struct owned *o = hashmap_find(&st->owned, counter);

	if (o == NULL) {
		o = hashmap_add(&st->owned, counter);
		if (o != NULL)
			o->source = source;
	}
	if (o != NULL)
		o->is_shared |= o->source != source;
	return o;
}

/* What was not answered may be added at any later time. */
static void
leave_open(struct count_state *st, struct doing *l)
{
	struct owned *o = hashmap_find(&st->owned, l->at);

	if (l->publish != 0 && o != NULL)
		o->is_unsure = true;
	l->publish = 0;
}

static void
on_terms(struct count_state *st, struct doing *l, uint32_t source,
    const struct msg_publish_terms *m)
{
	uint64_t counter = key_of(m->stream, m->subject);
	const struct owned *o = owned_by(st, counter, source);

	if (l->publish == m->id)
		return; /* another attempt */
	leave_open(st, l);
	l->publish = l->latest = m->id;
	l->at = counter;
	l->first =
	    l->empty == counter && o != NULL && !o->is_shared && !o->is_unsure
		? m->id
		: 0;
	l->empty = l->empty == counter ? 0 : l->empty;
}

static void
on_purge(struct count_state *st, struct doing *l, uint32_t source,
    const struct msg_remove_invoke *m)
{
	uint64_t counter = key_of(m->stream, m->subject);
	struct owned *o;

	l->purge = 0;
	l->empty = 0;
	if (m->how != REMOVER_PURGE || m->subject == 0 || m->last != 0 ||
	    m->keep != 0)
		return;
	o = owned_by(st, counter, source);
	if (o == NULL)
		return;
	o->is_purged = true;
	l->purge = m->id;
	l->purged = counter;
}

/* What one client does, which is one thing after the other. */
static int
on_client(struct check *c, const struct event *ev)
{
	struct count_state *st = c->state;
	uint32_t source = ev->type == MESSAGE_CHILD_EXIT
			      ? ev->u.child_exit.child
			      : ev->source;
	struct doing *l = array_at(
	    &st->lanes, &st->nlanes, source, sizeof(*l), CHECK_SLOTS_MAX);

	if (l == NULL)
		return -ENOMEM;
	if (ev->type == MESSAGE_PUBLISH_TERMS)
		on_terms(st, l, source, &ev->u.publish_terms);
	else if (ev->type == MESSAGE_REMOVE_INVOKE)
		on_purge(st, l, source, &ev->u.remove_invoke);
	else if (ev->type == MESSAGE_CHANGE_OK &&
		 ev->u.change_ok.id == l->purge)
		l->empty = l->purged;
	else if (ev->type == MESSAGE_CHILD_EXIT ||
		 (ev->type == MESSAGE_PUBLISH_END &&
		     ev->u.publish_end.outcome == ENDED_UNKNOWN))
		leave_open(st, l);
	else if (ev->type == MESSAGE_PUBLISH_OK ||
		 ev->type == MESSAGE_PUBLISH_END)
		l->publish = 0;
	return 0;
}

/* The first that was added behind a purge. */
static void
judge_first(struct check *c, const struct msg_counted *m, count_value adds,
    count_value value)
{
	const struct count_state *st = c->state;
	uint32_t source = message_id_source(m->id);
	struct anomaly a = anomaly_of(m);
	const struct owned *o;

	if (m->how != COUNTED_ANSWER || source >= st->nlanes ||
	    st->lanes[source].first != m->id || adds == value)
		return;
	o = hashmap_find(&st->owned, st->lanes[source].at);
	if (o == NULL || o->is_shared) /* by now */
		return;
	check_raise(c, &a,
	    "the %s of sequence %llu, message %u:%llu, says %s: it is the "
	    "first that was added to %s after its purge was confirmed, and "
	    "adds %s",
	    message_word(KEY_COUNTED, m->how), (unsigned long long)m->seq,
	    message_id_source(m->id),
	    (unsigned long long)message_id_counter(m->id), m->value, m->subject,
	    m->adds);
}

static int
on_counted(struct check *c, const struct msg_counted *m)
{
	struct anomaly a = anomaly_of(m);
	count_value adds, value;
	int err;

	if (!value_read(m->value, &value) || !value_read(m->adds, &adds)) {
		check_raise(c, &a,
		    "the %s of sequence %llu, which adds \"%s\" to %s, has the "
		    "value \"%s\", which is none",
		    message_word(KEY_COUNTED, m->how),
		    (unsigned long long)m->seq, m->adds, m->subject, m->value);
		return 0;
	}
	judge_first(c, m, adds, value);
	err = judge_same(c, m, value);
	if (err == 0 && m->how == COUNTED_SCAN)
		err = judge_sum(c, m, adds, value);
	return err;
}

static count_value
total_at(const struct count_state *st, uint32_t stream, const char *counter)
{
	const struct total *t =
	    hashmap_find(&st->totals, counter_at(stream, counter));

	return t != NULL ? t->value : 0;
}

/* A stream that adds up others has been read, and they before it. */
static void
judge_sums(struct check *c, const struct msg_summed *m)
{
	const struct count_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_WRONG_COUNT,
	    .class = c->faults->is_unsettled ? CLASS_WARNING : CLASS_VIOLATION,
	    .stream = m->stream};
	char name[16];
	count_value sum;
	uint32_t i, k;

	/* It is read behind its sources. */
	if (!m->steady ||
	    (!m->same &&
		m->stalled_ns < STALL_NS + contents_apart_ns(c->contents)) ||
	    m->stream >= st->n || m->sources > m->stream)
		return;
	for (i = 0; i <= m->sources; i++)
		if (!st->readings[i == m->sources ? m->stream : i].is_complete)
			return;
	for (k = 1; k <= m->counters && k <= COUNTERS_MAX; k++) {
		text_format(name, sizeof(name), "k%u", k);
		for (sum = 0, i = 0; i < m->sources; i++)
			sum += total_at(st, i, name);
		check_judged(c, 1);
		if (sum == total_at(st, m->stream, name))
			continue;
		check_raise(c, &a,
		    "counter %s, which adds up those of that name of %u "
		    "streams, is not the sum of their values; %s",
		    name, m->sources,
		    m->same ? "it had as many messages as they have"
			    : "nothing had come to it for long");
	}
}

/* Another try of the audit begins with the first sequence again. */
static void
read_anew(struct count_state *st, struct reading *r, uint32_t stream)
{
	struct total *t;
	size_t at = 0;

	while ((t = hashmap_next(&st->totals, &at)) != NULL)
		if (t->counter >> SEQ_BITS == stream + UINT64_C(1)) {
			hashmap_remove(&st->totals, t);
			at--;
		}
	*r = (struct reading){0};
}

static int
count_init(struct check *c)
{
	struct count_state *st = c->state;

	hashmap_init(&st->told, sizeof(struct told), VALUES_MAX);
	hashmap_init(&st->totals, sizeof(struct total), TOTALS_MAX);
	hashmap_init(&st->owned, sizeof(struct owned), OWNED_MAX);
	return 0;
}

static int
count_event(struct check *c, const struct event *ev)
{
	struct count_state *st = c->state;
	uint32_t stream = ev->u.counted.stream; /* the first field of all */

	if (ev->type == MESSAGE_SUMMED) {
		judge_sums(c, &ev->u.summed);
		return 0;
	}
	if (ev->type == MESSAGE_SCAN_END) {
		if (stream < st->n)
			st->readings[stream].is_complete =
			    ev->u.scan_end.complete != 0;
		return 0;
	}
	if (ev->type == MESSAGE_SCAN_BEGIN) {
		if (stream < st->n) /* it was read before */
			read_anew(st, &st->readings[stream], stream);
		return 0;
	}
	if (ev->type != MESSAGE_COUNTED)
		return on_client(c, ev);
	if (array_at(&st->readings, &st->n, stream, sizeof(*st->readings),
		LEDGER_STREAMS_MAX - 1) == NULL)
		return -ENOMEM;
	return on_counted(c, &ev->u.counted);
}

static void
count_fini(struct check *c)
{
	struct count_state *st = c->state;

	hashmap_fini(&st->told);
	hashmap_fini(&st->totals);
	hashmap_fini(&st->owned);
	free(st->lanes);
	free(st->readings);
}

static const enum message_type types[] = {MESSAGE_COUNTED, MESSAGE_SCAN_BEGIN,
    MESSAGE_PUBLISH_TERMS, MESSAGE_PUBLISH_OK, MESSAGE_PUBLISH_END,
    MESSAGE_REMOVE_INVOKE, MESSAGE_CHANGE_OK, MESSAGE_CHILD_EXIT,
    MESSAGE_SCAN_END, MESSAGE_SUMMED, 0};

const struct check_ops check_wrong_count = {
    .name = "wrong_count",
    .summary = "a counter is the sum of what was added, in every answer",
    .rule = "guarantees 29",
    .types = types,
    .unit = "values of counters",
    .state_size = sizeof(struct count_state),
    .init = count_init,
    .event = count_event,
    .fini = count_fini,
};
