/* SPDX-License-Identifier: ISC */
/* Histories of the workload "pipeline"; see pipe_story.h. */
#include "tests/stories/pipe_story.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"

#define BEGIN_NS (1000 * CLOCK_S)
#define STEP_NS	 (50 * UINT64_C(1000)) /* a message */
#define FAULT_NS (5 * CLOCK_S)
#define LASTS_NS (2 * CLOCK_S)
#define AGAIN_NS (20 * CLOCK_MS)

void
pipe_story_init(struct pipe_story *s, uint64_t seed)
{
	uint32_t i;

	memset(s, 0, sizeof(*s));
	rng_init(&s->rng, seed, "pipe_story");
	s->publishers = s->durables = 2;
	s->burst = 16;
	s->acks = 1;
	s->max_ack_pending = 100000;
	s->now_ns = BEGIN_NS;
	s->tick_ns = BEGIN_NS + CLOCK_S;
	for (i = 0; i < PIPE_SOURCES; i++)
		s->incarnation[i] = 1;
}

void
pipe_story_fini(struct pipe_story *s)
{
	free(s->stored);
	s->stored = NULL;
}

static uint64_t
below(struct pipe_story *s, uint64_t bound)
{
	return rng_below(&s->rng, bound);
}

/* True for s->trouble out of a thousand calls. */
static bool
goes_wrong(struct pipe_story *s)
{
	return s->trouble > 0 && below(s, 1000) < s->trouble;
}

void
pipe_event(uint32_t source, enum message_type type, struct event *ev)
{
	memset(ev, 0, offsetof(struct event, u));
	memset(&ev->u, 0, message_spec(type)->size);
	ev->type = type;
	ev->source = source;
}

void
pipe_emit(struct pipe_story *s, struct event *ev)
{
	s->now_ns += 1 + below(s, 1000);
	ev->incarnation = s->incarnation[ev->source];
	ev->seq = ++s->sent[ev->source];
	ev->time_ns = s->now_ns;
	s->events++;
	s->sink(s->arg, ev);
}

static void
bare(struct pipe_story *s, uint32_t source, enum message_type type)
{
	struct event ev;

	pipe_event(source, type, &ev);
	pipe_emit(s, &ev);
}

void
pipe_pass(struct pipe_story *s, uint64_t ns)
{
	uint64_t until = s->now_ns + ns;

	while (s->tick_ns <= until) {
		if (s->tick_ns > s->now_ns)
			s->now_ns = s->tick_ns;
		s->tick_ns += CLOCK_S;
		bare(s, 0, MESSAGE_TICK);
	}
	if (until > s->now_ns)
		s->now_ns = until;
}

static void
phase(struct pipe_story *s, uint8_t number, const char *name)
{
	struct event ev;

	pipe_event(0, MESSAGE_PHASE, &ev);
	ev.u.phase.phase = number;
	text_set(ev.u.phase.name, sizeof(ev.u.phase.name), name);
	pipe_emit(s, &ev);
}

static void
option(struct pipe_story *s, const char *name, const char *value)
{
	struct event ev;

	pipe_event(0, MESSAGE_OPTION, &ev);
	text_set(ev.u.option.name, sizeof(ev.u.option.name), name);
	text_set(ev.u.option.value, sizeof(ev.u.option.value), value);
	pipe_emit(s, &ev);
}

static void
child_start(struct pipe_story *s, uint32_t source, const char *role)
{
	struct event ev;

	pipe_event(0, MESSAGE_CHILD_START, &ev);
	ev.u.child_start.child = source;
	ev.u.child_start.child_incarnation = s->incarnation[source];
	text_set(ev.u.child_start.role, sizeof(ev.u.child_start.role), role);
	pipe_emit(s, &ev);
	bare(s, source, MESSAGE_READY);
}

static void
child_exit(struct pipe_story *s, uint32_t source, bool expected)
{
	struct event ev;

	pipe_event(0, MESSAGE_CHILD_EXIT, &ev);
	ev.u.child_exit.child = source;
	ev.u.child_exit.child_incarnation = s->incarnation[source];
	ev.u.child_exit.signal = expected ? 0 : 9;
	ev.u.child_exit.expected = expected;
	ev.u.child_exit.last_seq = s->sent[source];
	pipe_emit(s, &ev);
}

static void
leader(struct pipe_story *s, uint8_t what, const char *name, const char *who)
{
	struct event ev;

	pipe_event(1, MESSAGE_LEADER, &ev);
	ev.u.leader.what = what;
	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), name);
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), who);
	pipe_emit(s, &ev);
}

void
pipe_leaders(struct pipe_story *s, const char *who)
{
	char name[64];
	uint32_t k;

	leader(s, 2, PIPE_NAME, who);
	for (k = 0; k < s->durables; k++) {
		text_format(name, sizeof(name), PIPE_NAME "/pipe%u", k);
		leader(s, 3, name, who);
	}
}

static uint32_t
subjects(const struct pipe_story *s)
{
	if (s->retention == 1)
		return s->durables;
	return s->filter ? 2 : 1;
}

/* The subject of durable k, when it takes only one. */
static bool
filtered(const struct pipe_story *s, uint32_t k, uint32_t *subject)
{
	*subject = s->retention == 1 ? k : 1;
	return s->retention == 1 || (s->filter && k % 2 == 1);
}

bool
pipe_takes(const struct pipe_story *s, uint32_t k, uint64_t id)
{
	uint32_t subject;

	return !filtered(s, k, &subject) ||
	       message_id_counter(id) % subjects(s) == subject;
}

static void
setup_durable(struct pipe_story *s, uint32_t k)
{
	struct event ev;
	struct msg_consumer_rules *m = &ev.u.consumer_rules;
	uint32_t n;

	pipe_event(2, MESSAGE_CONSUMER, &ev);
	ev.u.consumer.consumer = k;
	ev.u.consumer.created = PIPE_CREATED + 1 + k;
	ev.u.consumer.ack_wait_ns = 5 * CLOCK_S;
	text_format(
	    ev.u.consumer.name, sizeof(ev.u.consumer.name), "pipe%u", k);
	pipe_emit(s, &ev);
	for (n = 1; n <= 2 && s->has_backoff; n++) {
		pipe_event(2, MESSAGE_CONSUMER_WAIT, &ev);
		ev.u.consumer_wait.consumer = k;
		ev.u.consumer_wait.delivery = n;
		ev.u.consumer_wait.wait_ns = (n == 1 ? 1 : 3) * CLOCK_S;
		pipe_emit(s, &ev);
	}
	pipe_event(2, MESSAGE_CONSUMER_RULES, &ev);
	m->consumer = k;
	m->kind = 1;
	m->acks = s->acks;
	m->filtered = filtered(s, k, &m->subject);
	m->max_ack_pending = s->max_ack_pending;
	m->max_deliver = s->max_deliver;
	pipe_emit(s, &ev);
	if (s->retention != RETENTION_INTEREST || s->is_unknown)
		return;
	pipe_event(2, MESSAGE_CONSUMER_KNOWN, &ev);
	ev.u.consumer_known.consumer = k;
	pipe_emit(s, &ev);
}

static void
setup(struct pipe_story *s)
{
	struct event ev;
	uint32_t k;

	child_start(s, 2, "setup");
	pipe_event(2, MESSAGE_STREAM, &ev);
	ev.u.stream.created = PIPE_CREATED;
	ev.u.stream.dedupe_ns = 600 * CLOCK_S;
	ev.u.stream.replicas = 3;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), PIPE_NAME);
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage), "file");
	pipe_emit(s, &ev);
	pipe_event(2, MESSAGE_STREAM_RULES, &ev);
	ev.u.stream_rules.retention = s->retention;
	ev.u.stream_rules.subjects = subjects(s);
	pipe_emit(s, &ev);
	for (k = 0; k < s->durables; k++)
		setup_durable(s, k);
	child_exit(s, 2, true);
}

static uint32_t
reader_source(uint32_t durable, uint32_t reader)
{
	return PIPE_READER + durable * PIPE_READERS + reader;
}

static void
head(struct pipe_story *s)
{
	struct event ev;
	uint32_t i, k;

	pipe_event(0, MESSAGE_RUN, &ev);
	ev.u.run.run = PIPE_RUN;
	ev.u.run.wall_ns = PIPE_WALL_NS;
	pipe_emit(s, &ev);
	option(s, "test", "pipeline");
	option(s, "mayhem", s->faults ? "rolling_restart" : "none");
	option(s, "run", "2827");
	phase(s, 0, "up");
	child_start(s, 1, "chaos");
	pipe_event(1, MESSAGE_CLUSTER_UP, &ev);
	ev.u.cluster_up.size = 3;
	pipe_emit(s, &ev);
	phase(s, 1, "setup");
	setup(s);
	phase(s, 2, "start");
	for (i = 0; i < s->publishers; i++)
		child_start(s, PIPE_PUBLISHER + i, "publisher");
	for (k = 0; k < s->durables; k++)
		for (i = 0; i < PIPE_READERS; i++)
			child_start(s, reader_source(k, i), "consumer");
	pipe_leaders(s, "n1");
	phase(s, 3, "quiet");
	phase(s, 4, "mayhem");
	s->fault_ns = s->now_ns + (s->faults ? CLOCK_S / 100 : UINT64_MAX / 2);
}

/* publishers */

static uint64_t
sum_of(uint64_t id)
{
	return rng_mix(id + 1);
}

uint64_t
pipe_new_id(struct pipe_story *s, uint32_t publisher)
{
	return message_id(PIPE_PUBLISHER + publisher, ++s->counters[publisher]);
}

void
pipe_invoke(struct pipe_story *s, uint64_t id, uint32_t attempt)
{
	struct event ev;

	pipe_event(message_id_source(id), MESSAGE_PUBLISH_INVOKE, &ev);
	ev.u.publish_invoke.id = id;
	ev.u.publish_invoke.attempt = attempt;
	ev.u.publish_invoke.sum = sum_of(id);
	ev.u.publish_invoke.size = 128;
	pipe_emit(s, &ev);
}

uint64_t
pipe_store(struct pipe_story *s, uint64_t id)
{
	struct pipe_stored *grown;

	if (s->last + 2 > s->room) {
		s->room = s->room ? s->room * 2 : 1024;
		grown = realloc(s->stored, s->room * sizeof(*grown));
		if (grown == NULL)
			abort();
		s->stored = grown;
	}
	s->stored[++s->last] = (struct pipe_stored){.id = id};
	return s->last;
}

void
pipe_ok(struct pipe_story *s, uint64_t id, uint32_t attempt, uint64_t seq,
    bool duplicate)
{
	struct event ev;

	pipe_event(message_id_source(id), MESSAGE_PUBLISH_OK, &ev);
	ev.u.publish_ok.id = id;
	ev.u.publish_ok.attempt = attempt;
	ev.u.publish_ok.seq = seq;
	ev.u.publish_ok.duplicate = duplicate;
	pipe_emit(s, &ev);
}

void
pipe_unknown(struct pipe_story *s, uint64_t id, uint32_t attempt)
{
	struct event ev;

	pipe_event(message_id_source(id), MESSAGE_PUBLISH_UNKNOWN, &ev);
	ev.u.publish_unknown.id = id;
	ev.u.publish_unknown.attempt = attempt;
	text_set(ev.u.publish_unknown.why, sizeof(ev.u.publish_unknown.why),
	    "Timeout");
	pipe_emit(s, &ev);
}

void
pipe_end(struct pipe_story *s, uint64_t id)
{
	struct event ev;

	pipe_event(message_id_source(id), MESSAGE_PUBLISH_END, &ev);
	ev.u.publish_end.id = id;
	ev.u.publish_end.outcome = 2;
	pipe_emit(s, &ev);
}

/* An attempt without an answer: perhaps stored, perhaps tried again. */
static void
publish_troubled(struct pipe_story *s, uint64_t id)
{
	uint64_t seq = below(s, 2) ? pipe_store(s, id) : 0;

	pipe_unknown(s, id, 1);
	if (below(s, 4) == 0) {
		if (seq == 0 && below(s, 2) == 0)
			(void)pipe_store(s, id); /* recovered, later */
		pipe_end(s, id);
		return;
	}
	pipe_invoke(s, id, 2);
	if (seq != 0)
		pipe_ok(s, id, 2, seq, true);
	else
		pipe_ok(s, id, 2, pipe_store(s, id), false);
}

/* All publishers send a burst; the server stores it, interleaved. */
static void
publish_burst(struct pipe_story *s)
{
	uint64_t ids[PIPE_PUBLISHERS][64], seqs[PIPE_PUBLISHERS * 64];
	uint64_t order[PIPE_PUBLISHERS * 64];
	unsigned next[PIPE_PUBLISHERS] = {0}, n = 0, i, left;
	uint32_t p;

	for (p = 0; p < s->publishers; p++)
		for (i = 0; i < s->burst; i++) {
			ids[p][i] = pipe_new_id(s, p);
			pipe_invoke(s, ids[p][i], 1);
		}
	for (left = s->publishers * s->burst; left > 0; left--) {
		do
			p = (uint32_t)below(s, s->publishers);
		while (next[p] == s->burst);
		if (goes_wrong(s)) {
			publish_troubled(s, ids[p][next[p]++]);
			continue;
		}
		order[n] = ids[p][next[p]++];
		seqs[n] = pipe_store(s, order[n]);
		n++;
	}
	/* Now and then a delivery is told before the ack of its publish. */
	for (i = 0; i < n; i++)
		pipe_ok(s, order[i], 1, seqs[i], false);
	s->published += s->publishers * s->burst;
}

/* consumers */

static void
parcels_add(struct pipe_parcels *p, const struct pipe_parcel *one)
{
	if (p->n < PIPE_HELD)
		p->at[p->n++] = *one;
}

static void
parcels_drop(struct pipe_parcels *p, unsigned i)
{
	memmove(&p->at[i], &p->at[i + 1], (--p->n - i) * sizeof(p->at[0]));
}

void
pipe_deliver(struct pipe_story *s, uint32_t durable, uint32_t reader,
    const struct pipe_parcel *p)
{
	const struct pipe_stored *m = &s->stored[p->seq];
	struct event ev;
	struct msg_deliver *d = &ev.u.deliver;

	pipe_event(reader_source(durable, reader), MESSAGE_DELIVER, &ev);
	d->consumer = durable;
	d->seq = p->seq;
	d->consumer_seq = p->number;
	d->delivered = p->delivered;
	d->stamp_ns = PIPE_WALL_NS + (int64_t)(p->seq * STEP_NS);
	d->id = m->id;
	d->run = PIPE_RUN;
	d->sum = sum_of(m->id);
	d->intact = 1;
	pipe_emit(s, &ev);
}

void
pipe_acks_begin(
    struct pipe_story *s, uint32_t durable, uint32_t reader, uint32_t count)
{
	struct event ev;

	pipe_event(reader_source(durable, reader), MESSAGE_ACKS_BEGIN, &ev);
	ev.u.acks_begin.consumer = durable;
	ev.u.acks_begin.count = count;
	pipe_emit(s, &ev);
}

void
pipe_ack_ok(struct pipe_story *s, uint32_t durable, uint32_t reader,
    const struct pipe_parcel *p)
{
	struct event ev;

	pipe_event(reader_source(durable, reader), MESSAGE_ACK_OK, &ev);
	ev.u.ack_ok.consumer = durable;
	ev.u.ack_ok.seq = p->seq;
	ev.u.ack_ok.consumer_seq = p->number;
	ev.u.ack_ok.id = s->stored[p->seq].id;
	pipe_emit(s, &ev);
	s->stored[p->seq].acked |= (uint8_t)(1u << durable);
}

void
pipe_ack_unknown(struct pipe_story *s, uint32_t durable, uint32_t reader,
    const struct pipe_parcel *p)
{
	struct event ev;

	pipe_event(reader_source(durable, reader), MESSAGE_ACK_UNKNOWN, &ev);
	ev.u.ack_unknown.consumer = durable;
	ev.u.ack_unknown.seq = p->seq;
	ev.u.ack_unknown.consumer_seq = p->number;
	ev.u.ack_unknown.id = s->stored[p->seq].id;
	ev.u.ack_unknown.gave_up = 1;
	pipe_emit(s, &ev);
}

/* Readers are counted through all durables here. */
void
pipe_answer(struct pipe_story *s, uint32_t reader, const struct pipe_parcel *p,
    enum message_word how, uint64_t delay_ns)
{
	struct event ev;
	struct msg_answer_invoke *m = &ev.u.answer_invoke;

	pipe_event(PIPE_READER + reader, MESSAGE_ANSWER_INVOKE, &ev);
	m->consumer = reader / PIPE_READERS;
	m->seq = p->seq;
	m->consumer_seq = p->number;
	m->id = s->stored[p->seq].id;
	m->attempt = 1;
	m->how = (uint8_t)how;
	m->awaited = how != ANSWER_NOTHING;
	m->delay_ns = delay_ns;
	pipe_emit(s, &ev);
}

void
pipe_answer_end(struct pipe_story *s, uint32_t reader,
    const struct pipe_parcel *p, enum message_type type, enum message_word how)
{
	struct event ev;
	/* OK and UNKNOWN have the same fields. */
	struct msg_answer_unknown *m = &ev.u.answer_unknown;

	pipe_event(PIPE_READER + reader, type, &ev);
	m->consumer = reader / PIPE_READERS;
	m->seq = p->seq;
	m->consumer_seq = p->number;
	m->id = s->stored[p->seq].id;
	m->how = (uint8_t)how;
	if (type == MESSAGE_ANSWER_UNKNOWN)
		m->gave_up = 1;
	pipe_emit(s, &ev);
}

static void
send_again(
    struct pipe_story *s, struct pipe_durable *d, const struct pipe_parcel *p)
{
	struct pipe_parcel again = *p;
	uint32_t k = (uint32_t)(d - s->durable);

	if (s->stored[p->seq].acked & 1u << k)
		return; /* by another delivery of it */
	again.delivered++;
	again.due_ns = s->now_ns + below(s, AGAIN_NS);
	parcels_add(&d->again, &again);
}

/* One delivery of the server: told, lost on its way, or told much later. */
static bool
send_one(
    struct pipe_story *s, uint32_t k, uint32_t reader, struct pipe_parcel *p)
{
	struct pipe_durable *d = &s->durable[k];

	p->number = ++d->number;
	if (goes_wrong(s)) {
		send_again(s, d, p);
		if (below(s, 2) == 0) {
			/* It is not lost: it comes when the other was acked. */
			p->due_ns = s->now_ns + below(s, 2 * AGAIN_NS);
			parcels_add(&d->late, p);
		}
		return false;
	}
	pipe_deliver(s, k, reader, p);
	parcels_add(&d->held[reader], p);
	return true;
}

/* A batch for one reader: first what is due again, then what is new. */
static void
send_batch(struct pipe_story *s, uint32_t k, uint32_t reader, unsigned most)
{
	struct pipe_durable *d = &s->durable[k];
	struct pipe_parcel p;
	unsigned told = 0, i = 0;

	while (i < d->again.n && told < most && d->held[reader].n < PIPE_HELD) {
		if (d->again.at[i].due_ns > s->now_ns) {
			i++;
			continue;
		}
		p = d->again.at[i];
		parcels_drop(&d->again, i);
		if (s->stored[p.seq].acked & 1u << k)
			continue;
		told += send_one(s, k, reader, &p);
	}
	while (d->cursor < s->last && told < most &&
	       d->held[reader].n < PIPE_HELD && d->again.n < PIPE_HELD / 2) {
		p = (struct pipe_parcel){++d->cursor, 0, 1, 0};
		if (s->stored[p.seq].id != 0 &&
		    pipe_takes(s, k, s->stored[p.seq].id))
			told += send_one(s, k, reader, &p);
	}
	if (told > 0)
		pipe_acks_begin(s, k, reader, told);
}

static void
ack_one(struct pipe_story *s, uint32_t k, uint32_t reader,
    const struct pipe_parcel *p)
{
	s->stored[p->seq].acked |= (uint8_t)(1u << k);
	if (s->acks == 1)
		pipe_ack_ok(s, k, reader, p);
}

/* An ack without an answer: perhaps applied, otherwise sent again. */
static void
lose_ack(struct pipe_story *s, uint32_t k, const struct pipe_parcel *p)
{
	if (below(s, 2) == 0)
		send_again(s, &s->durable[k], p);
	else
		s->stored[p->seq].acked |= (uint8_t)(1u << k);
}

/* A nak, a term, or nothing: it comes again, or is over. */
static bool
answer_one(struct pipe_story *s, uint32_t k, uint32_t reader,
    const struct pipe_parcel *p)
{
	static const enum message_word hows[] = {
	    ANSWER_NAK, ANSWER_TERM, ANSWER_NOTHING};
	enum message_word how;

	if (s->answers == 0 || s->acks != 1 || below(s, 1000) >= s->answers)
		return false;
	how = hows[below(s, 3)];
	reader += k * PIPE_READERS;
	pipe_answer(s, reader, p, how, 0);
	if (how != ANSWER_NOTHING)
		pipe_answer_end(s, reader, p,
		    goes_wrong(s) ? MESSAGE_ANSWER_UNKNOWN : MESSAGE_ANSWER_OK,
		    how);
	if (how == ANSWER_TERM)
		s->stored[p->seq].acked |= (uint8_t)(1u << k);
	else
		send_again(s, &s->durable[k], p);
	return true;
}

/* What a reader holds is acked, in order; some of it with trouble. */
static void
ack_held(struct pipe_story *s, uint32_t k, uint32_t reader, unsigned keep)
{
	struct pipe_parcels *held = &s->durable[k].held[reader];
	struct pipe_parcel p;
	unsigned n = held->n > keep ? held->n - keep : 0, i;

	for (i = 0; i < n; i++) {
		p = held->at[i];
		if (answer_one(s, k, reader, &p))
			continue;
		if (!goes_wrong(s)) {
			ack_one(s, k, reader, &p);
			continue;
		}
		if (s->acks == 1)
			pipe_ack_unknown(s, k, reader, &p);
		lose_ack(s, k, &p);
	}
	memmove(held->at, &held->at[n], (held->n - n) * sizeof(held->at[0]));
	held->n -= n;
}

/* Those that were sent long ago and come now; they are acked like others. */
static void
tell_late(struct pipe_story *s, uint32_t k, bool all)
{
	struct pipe_durable *d = &s->durable[k];
	uint32_t reader;
	unsigned i = 0;

	while (i < d->late.n) {
		if (!all && d->late.at[i].due_ns > s->now_ns) {
			i++;
			continue;
		}
		reader = (uint32_t)below(s, PIPE_READERS);
		pipe_deliver(s, k, reader, &d->late.at[i]);
		pipe_acks_begin(s, k, reader, 1);
		ack_one(s, k, reader, &d->late.at[i]);
		parcels_drop(&d->late, i);
	}
}

void
pipe_kill(struct pipe_story *s, uint32_t durable, uint32_t reader)
{
	uint32_t source = reader_source(durable, reader);

	child_exit(s, source, false);
	s->incarnation[source]++;
	s->sent[source] = 0;
	child_start(s, source, "consumer");
}

static void
kill_reader(struct pipe_story *s)
{
	uint32_t k = (uint32_t)below(s, s->durables);
	uint32_t r = (uint32_t)below(s, PIPE_READERS);
	struct pipe_durable *d = &s->durable[k];
	unsigned i;

	pipe_kill(s, k, r);
	/* Its acks may have been applied, with nobody to say so. */
	for (i = 0; i < d->held[r].n; i++)
		lose_ack(s, k, &d->held[r].at[i]);
	d->held[r].n = 0;
}

static void
consume(struct pipe_story *s)
{
	uint32_t k, reader;

	for (k = 0; k < s->durables; k++) {
		tell_late(s, k, false);
		reader = (uint32_t)below(s, PIPE_READERS);
		send_batch(s, k, reader, s->publishers * s->burst * 2);
		ack_held(s, k, (uint32_t)below(s, PIPE_READERS),
		    (unsigned)below(s, s->burst + 1));
		if (s->durable[k].held[reader].n > PIPE_HELD / 2)
			ack_held(s, k, reader, 0);
	}
	if (s->trouble > 0 && below(s, 200) == 0)
		kill_reader(s);
}

static bool
is_drained(const struct pipe_story *s, uint32_t k)
{
	const struct pipe_durable *d = &s->durable[k];
	uint32_t r;

	for (r = 0; r < PIPE_READERS; r++)
		if (d->held[r].n > 0)
			return false;
	return d->cursor == s->last && d->again.n == 0 && d->late.n == 0;
}

void
pipe_catch_up(struct pipe_story *s)
{
	uint32_t k, r;

	for (k = 0; k < s->durables; k++)
		while (!is_drained(s, k)) {
			tell_late(s, k, true);
			r = (uint32_t)below(s, PIPE_READERS);
			send_batch(s, k, r, 64);
			for (r = 0; r < PIPE_READERS; r++)
				ack_held(s, k, r, 0);
			pipe_pass(s, AGAIN_NS / 4);
		}
}

/* faults, and the end */

static void
faults(struct pipe_story *s)
{
	struct event ev;

	if (s->heal_ns == 0 && s->now_ns >= s->fault_ns) {
		pipe_event(1, MESSAGE_FAULT_PLANNED, &ev);
		ev.u.fault_planned.fault = ++s->fault;
		ev.u.fault_planned.ends_server = 1;
		pipe_emit(s, &ev);
		pipe_event(1, MESSAGE_FAULT_APPLIED, &ev);
		ev.u.fault_applied.fault = s->fault;
		ev.u.fault_applied.ok = 1;
		pipe_emit(s, &ev);
		s->heal_ns = s->now_ns + LASTS_NS;
	}
	if (s->heal_ns != 0 && s->now_ns >= s->heal_ns) {
		pipe_event(1, MESSAGE_FAULT_HEALED, &ev);
		ev.u.fault_healed.fault = s->fault;
		ev.u.fault_healed.ok = 1;
		pipe_emit(s, &ev);
		s->heal_ns = 0;
		s->fault_ns = s->now_ns + FAULT_NS;
	}
}

static void
state_of(struct pipe_story *s, uint32_t k)
{
	struct msg_consumer_info m = {.consumer = k,
	    .polls = 3,
	    .lasted_ns = CLOCK_S / 2,
	    .created = PIPE_CREATED + 1 + k,
	    .consumer_seq = s->durable[k].number,
	    .stream_seq = s->durable[k].cursor,
	    .floor_consumer = s->durable[k].number,
	    .floor_stream = s->durable[k].cursor,
	    .server = "n1"};
	struct event ev;

	if (s->twist != NULL)
		s->twist(k, &m);
	pipe_pass(s, m.lasted_ns);
	pipe_event(PIPE_AUDIT, MESSAGE_CONSUMER_INFO, &ev);
	ev.u.consumer_info = m;
	pipe_emit(s, &ev);
	pipe_event(PIPE_AUDIT, MESSAGE_CONSUMER_STATE, &ev);
	ev.u.consumer_state.consumer = k;
	ev.u.consumer_state.quiet = 1;
	ev.u.consumer_state.created = m.created;
	ev.u.consumer_state.pending = m.pending;
	ev.u.consumer_state.ack_pending = m.ack_pending;
	ev.u.consumer_state.consumer_seq = m.consumer_seq;
	pipe_emit(s, &ev);
}

static void
states(struct pipe_story *s)
{
	uint32_t k;

	for (k = 0; k < s->durables && !s->no_states; k++)
		state_of(s, k);
}

static void
scan_one(struct pipe_story *s, uint64_t seq)
{
	const struct pipe_stored *m = &s->stored[seq];
	struct event ev;

	if (m->found == PIPE_GONE || m->id == 0) {
		pipe_event(PIPE_AUDIT, MESSAGE_SCAN_ABSENT, &ev);
		ev.u.scan_absent.seq = seq;
		ev.u.scan_absent.tries = 5;
		pipe_emit(s, &ev);
		return;
	}
	pipe_event(PIPE_AUDIT, MESSAGE_SCAN_MESSAGE, &ev);
	ev.u.scan_message.path = 1;
	ev.u.scan_message.seq = seq;
	ev.u.scan_message.stamp_ns = PIPE_WALL_NS + (int64_t)(seq * STEP_NS);
	ev.u.scan_message.id = m->scan_id != 0 ? m->scan_id : m->id;
	ev.u.scan_message.run = PIPE_RUN;
	ev.u.scan_message.sum = sum_of(ev.u.scan_message.id);
	ev.u.scan_message.intact = m->found != PIPE_DAMAGED;
	pipe_emit(s, &ev);
}

static void
scan_removed(struct pipe_story *s, uint64_t first, uint64_t last)
{
	struct event ev;

	if (first > last)
		return;
	pipe_event(PIPE_AUDIT, MESSAGE_SCAN_REMOVED, &ev);
	ev.u.scan_removed.first = first;
	ev.u.scan_removed.last = last;
	pipe_emit(s, &ev);
}

/* A stream that drops what was acked has only what a plant left in it. */
static void
scan_remains(struct pipe_story *s)
{
	uint64_t seq, from = 1;

	for (seq = 1; seq <= s->last; seq++)
		if (s->stored[seq].found == PIPE_LEFT) {
			scan_one(s, seq);
			scan_removed(s, from, seq - 1);
			from = seq + 1;
		}
	scan_removed(s, from, s->last);
}

static void
scan(struct pipe_story *s)
{
	struct event ev;
	uint64_t seq;

	pipe_event(PIPE_AUDIT, MESSAGE_SCAN_BEGIN, &ev);
	ev.u.scan_begin.first = 1;
	ev.u.scan_begin.last = s->last;
	ev.u.scan_begin.messages = s->last;
	ev.u.scan_begin.created = PIPE_CREATED;
	pipe_emit(s, &ev);
	if (s->retention != 0)
		scan_remains(s);
	else
		for (seq = 1; seq <= s->last; seq++)
			scan_one(s, seq);
	pipe_event(PIPE_AUDIT, MESSAGE_SCAN_END, &ev);
	ev.u.scan_end.complete = 1;
	ev.u.scan_end.messages = s->last;
	ev.u.scan_end.last = s->last;
	pipe_emit(s, &ev);
}

static void
tail(struct pipe_story *s)
{
	struct event ev;
	uint32_t i, k;

	phase(s, 5, "heal");
	s->fault_ns = UINT64_MAX;
	if (s->heal_ns != 0)
		pipe_pass(s, LASTS_NS);
	faults(s);
	phase(s, 6, "drain");
	for (i = 0; i < s->publishers; i++)
		child_exit(s, PIPE_PUBLISHER + i, true);
	pipe_catch_up(s);
	for (k = 0; k < s->durables; k++)
		for (i = 0; i < PIPE_READERS; i++)
			child_exit(s, reader_source(k, i), true);
	phase(s, 7, "settle");
	pipe_event(1, MESSAGE_SETTLED, &ev);
	ev.u.settled.ok = 1;
	pipe_emit(s, &ev);
	phase(s, 8, "audit");
	child_start(s, PIPE_AUDIT, "audit");
	states(s);
	scan(s);
	child_exit(s, PIPE_AUDIT, true);
	phase(s, 10, "down");
	child_exit(s, 1, true);
	phase(s, 11, "end");
}

void
pipe_story_tell(struct pipe_story *s)
{
	unsigned n = 0;

	head(s);
	while (s->published < s->messages) {
		if (n < s->nplants && s->published >= s->plant_at[n]) {
			s->plant(s);
			n++;
		}
		faults(s);
		publish_burst(s);
		consume(s);
		pipe_pass(s, s->publishers * s->burst * STEP_NS / 4);
	}
	for (; n < s->nplants; n++)
		s->plant(s);
	tail(s);
}
