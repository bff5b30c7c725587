/* SPDX-License-Identifier: ISC */
/*
 * Must fail, and must not, with many messages in flight: each anomaly
 * planted at the very start, in the middle and at the very end of a million
 * messages; long legal histories with trouble all along; and random short
 * ones, each judged as it is and again with one illegal change.
 * NATSBURN_TEST_SEED and NATSBURN_TEST_ROUNDS choose other short ones,
 * NATSBURN_TEST_MESSAGES the length of the long ones.
 */
#include "tests/stories/pipe_story.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "tests/stories/story.h"
#include "tests/support.h"

/* Sanitizers make it some ten times slower. */
#ifdef __SANITIZE_ADDRESS__
#define MESSAGES 100000
#define ROUNDS	 5000
#else
#define MESSAGES 1000000
#define ROUNDS	 100000
#endif

struct finding {
	struct judge_result result;
	uint64_t counts[ANOMALY_COUNT][CLASS_COUNT];
	char says[2048];
};

static uint64_t
number_of(const char *name, uint64_t n)
{
	const char *text = getenv(name);

	if (text != NULL)
		assert_int_equal(text_to_u64(text, UINT32_MAX, &n), 0);
	return n;
}

static void
sink(void *arg, struct event *ev)
{
	assert_int_equal(judge_event(arg, ev), 0);
}

static void
conclude(struct judge *j, struct finding *v)
{
	const struct anomaly *a;
	unsigned k, class;
	size_t i;

	memset(v, 0, sizeof(*v));
	judge_finish(j, &v->result);
	story_expect_judged(j);
	for (k = 0; k < ANOMALY_COUNT; k++)
		for (class = 0; class < CLASS_COUNT; class ++)
			v->counts[k][class] = judge_count(j, k, class);
	for (i = 0; (a = judge_anomaly(j, i)) != NULL; i++)
		text_add(v->says, sizeof(v->says), "%s (%s): %s\n",
		    anomaly_kind_name(a->kind), anomaly_class_name(a->class),
		    a->says);
}

/* Tell a story to a judge. */
static void
tell(struct pipe_story *s, struct finding *v)
{
	struct judge *j = judge_create(NULL, NULL);

	assert_non_null(j);
	s->sink = sink;
	s->arg = j;
	pipe_story_tell(s);
	conclude(j, v);
	judge_destroy(j);
}

/* plants */

static uint64_t
publish(struct pipe_story *s, uint32_t publisher)
{
	uint64_t id = pipe_new_id(s, publisher), seq;

	pipe_invoke(s, id, 1);
	seq = pipe_store(s, id);
	pipe_ok(s, id, 1, seq, false);
	return seq;
}

static void
publish_some(struct pipe_story *s, uint32_t publisher, unsigned n)
{
	for (; n > 0; n--)
		(void)publish(s, publisher); /* which sequence is the same */
}

static void
plant_lost(struct pipe_story *s)
{
	uint64_t seq = publish(s, 0);

	s->stored[seq].found = PIPE_GONE;
}

static void
plant_phantom(struct pipe_story *s)
{
	/* Only the scan sees it. */
	(void)pipe_store(s, message_id(PIPE_PUBLISHER, 1000000000 + s->last));
}

/* A second copy of what was just published, or of one of the very first. */
static void
plant_duplicate(struct pipe_story *s)
{
	uint64_t of = publish(s, 1);

	pipe_catch_up(s);
	if (of > 1000)
		of = of > s->messages * 3 / 4 ? 10 : 20;
	(void)pipe_store(s, s->stored[of].id); /* only scanned */
}

/* Steady leaders, and no fault for long. */
static void
calm(struct pipe_story *s)
{
	pipe_catch_up(s);
	pipe_pass(s, 25 * CLOCK_S);
	pipe_leaders(s, "n1");
}

/* A fault that ends a server, and all is well again. */
static void
restart_server(struct pipe_story *s)
{
	struct event ev;

	pipe_event(1, MESSAGE_FAULT_PLANNED, &ev);
	ev.u.fault_planned.fault = ++s->fault;
	ev.u.fault_planned.ends_server = 1;
	pipe_emit(s, &ev);
	pipe_event(1, MESSAGE_FAULT_HEALED, &ev);
	ev.u.fault_healed.fault = s->fault;
	ev.u.fault_healed.ok = 1;
	pipe_emit(s, &ev);
}

/* The first attempt was stored, unheard; the second one is stored again. */
static void
publish_twice(struct pipe_story *s, bool is_taken, bool is_restarted)
{
	uint64_t id = pipe_new_id(s, 0);

	pipe_invoke(s, id, 1);
	(void)pipe_store(s, id); /* nobody hears where */
	pipe_unknown(s, id, 1);
	if (is_taken)
		pipe_catch_up(s);
	if (is_restarted)
		restart_server(s);
	pipe_invoke(s, id, 2);
	pipe_ok(s, id, 2, pipe_store(s, id), false);
	pipe_catch_up(s);
}

/* The first copy was acked and gone: the server forgot its id, lawfully. */
static void
plant_twice_forgotten(struct pipe_story *s)
{
	publish_twice(s, true, true);
}

/* The same leader, in perfect quiet, knows it still. */
static void
plant_twice_quiet(struct pipe_story *s)
{
	calm(s);
	publish_twice(s, true, false);
	pipe_leaders(s, "n1");
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	pipe_pass(s, 5 * CLOCK_S);
}

/* The same, but the leader changes, with no fault of ours. */
static void
plant_twice_led_anew(struct pipe_story *s)
{
	calm(s);
	publish_twice(s, true, false);
	pipe_leaders(s, "n2");
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	pipe_pass(s, 25 * CLOCK_S);
	pipe_leaders(s, "n1");
}

/* Both are there at once: nobody had received the first. */
static void
plant_twice_untaken(struct pipe_story *s)
{
	uint64_t id = pipe_new_id(s, 0), seq;

	pipe_catch_up(s);
	pipe_invoke(s, id, 1);
	seq = pipe_store(s, id);
	pipe_ok(s, id, 1, seq, false);
	restart_server(s);
	pipe_invoke(s, id, 2);
	pipe_ok(s, id, 2, pipe_store(s, id), false);
	pipe_catch_up(s);
}

/* Both are there at once: the audit reads them. */
static void
plant_twice_left(struct pipe_story *s)
{
	plant_twice_forgotten(s);
	s->stored[s->last].found = PIPE_LEFT;
	s->stored[s->last - 1].found = PIPE_LEFT;
}

static void
plant_reorder_stream(struct pipe_story *s)
{
	uint64_t a = pipe_new_id(s, 0), b = pipe_new_id(s, 1), low, high;

	pipe_invoke(s, a, 1);
	low = pipe_store(s, b);
	high = pipe_store(s, a);
	pipe_ok(s, a, 1, high, false);
	pipe_invoke(s, b, 1);
	pipe_ok(s, b, 1, low, false);
}

static void
plant_reorder_publisher(struct pipe_story *s)
{
	uint64_t a = pipe_new_id(s, 0), b = pipe_new_id(s, 0), low, high;

	calm(s);
	pipe_invoke(s, a, 1);
	pipe_invoke(s, b, 1);
	low = pipe_store(s, b);
	high = pipe_store(s, a);
	pipe_ok(s, b, 1, low, false);
	pipe_ok(s, a, 1, high, false);
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
}

static void
plant_reorder_consumer(struct pipe_story *s)
{
	struct pipe_durable *d = &s->durable[0];
	struct pipe_parcel p = {.delivered = 1};

	calm(s);
	p.seq = publish(s, 0);
	publish_some(s, 1, 1);
	d->cursor += 2;
	d->number += 2;
	/* The later one first; told by two readers in the other order. */
	p.number = d->number;
	pipe_deliver(s, 0, 0, &p);
	p.seq++;
	p.number--;
	pipe_deliver(s, 0, 1, &p);
	pipe_ack_ok(s, 0, 1, &p);
	p.seq--;
	p.number++;
	pipe_ack_ok(s, 0, 0, &p);
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
}

static void
plant_corrupt(struct pipe_story *s)
{
	uint64_t seq = publish(s, 0);

	s->stored[seq].found = PIPE_DAMAGED;
}

/* The scan reads an unknown message where another was acknowledged. */
static void
plant_seq_reuse(struct pipe_story *s)
{
	uint64_t id = pipe_new_id(s, 0), seq = publish(s, 1);

	pipe_invoke(s, id, 1);
	pipe_unknown(s, id, 1);
	pipe_end(s, id);
	s->stored[seq].scan_id = id;
}

/* Two messages have changed places. */
static void
plant_swapped(struct pipe_story *s)
{
	uint64_t a = publish(s, 0), b = publish(s, 0);

	s->stored[a].scan_id = s->stored[b].id;
	s->stored[b].scan_id = s->stored[a].id;
}

static void
plant_redelivered(struct pipe_story *s)
{
	struct pipe_parcel p = {.seq = publish(s, 0), .delivered = 2};
	int i;

	pipe_catch_up(s);
	publish_some(s, 1, 1);
	pipe_catch_up(s);
	p.number = ++s->durable[0].number;
	pipe_deliver(s, 0, 0, &p);
	pipe_acks_begin(s, 0, 0, 1);
	pipe_ack_ok(s, 0, 0, &p);
	for (i = 0; i < 3; i++) {
		publish_some(s, 1, 1);
		pipe_catch_up(s);
	}
}

/* Of a message that was confirmed a million messages ago. */
static void
plant_redelivered_old(struct pipe_story *s)
{
	struct pipe_parcel p = {.seq = 1, .delivered = 2};

	publish_some(s, 0, 1);
	pipe_catch_up(s);
	publish_some(s, 0, 1);
	pipe_catch_up(s);
	p.number = ++s->durable[0].number;
	pipe_deliver(s, 0, 0, &p);
	pipe_acks_begin(s, 0, 0, 1);
	pipe_ack_ok(s, 0, 0, &p);
	for (p.seq = 0; p.seq < 3; p.seq++) {
		publish_some(s, 1, 1);
		pipe_catch_up(s);
	}
}

/* Delivered by a durable, as the number that comes next. */
static void
deliver_next(struct pipe_story *s, uint32_t durable, struct pipe_parcel *p)
{
	p->number = ++s->durable[durable].number;
	pipe_deliver(s, durable, 0, p);
	pipe_acks_begin(s, durable, 0, 1);
}

/*
 * Durable 0 confirmed it, nobody heard whether 1 did; and long after that one
 * of them delivers it again.
 */
static void
redeliver_unsure(struct pipe_story *s, uint32_t durable)
{
	struct pipe_parcel p = {.delivered = 1};

	pipe_catch_up(s);
	p.seq = publish(s, 0);
	s->durable[0].cursor++;
	s->durable[1].cursor++;
	deliver_next(s, 0, &p);
	pipe_ack_ok(s, 0, 0, &p);
	deliver_next(s, 1, &p);
	pipe_ack_unknown(s, 1, 0, &p);
	pipe_pass(s, 40 * CLOCK_S);
	publish_some(s, 1, 1);
	pipe_catch_up(s);
	p.delivered = 2;
	deliver_next(s, durable, &p);
	s->stored[p.seq].acked |= 3;
}

static void
plant_redelivered_unsure(struct pipe_story *s)
{
	int i;

	redeliver_unsure(s, 0);
	for (i = 0; i < 3; i++) {
		publish_some(s, 1, 1);
		pipe_catch_up(s);
	}
}

/* It came again, and then nothing more is heard of it. */
static void
plant_stuck_again(struct pipe_story *s)
{
	redeliver_unsure(s, 1);
	pipe_pass(s, 32 * CLOCK_S + FAULTS_LAG_NS);
}

/* Legal: its ack was lost after all, and it is acked now. */
static void
plant_unsure_again(struct pipe_story *s)
{
	struct pipe_parcel p = {.delivered = 2};
	int i;

	redeliver_unsure(s, 1);
	p.seq = s->last - 1; /* behind it one more was published */
	p.number = s->durable[1].number;
	pipe_ack_ok(s, 1, 0, &p);
	for (i = 0; i < 3; i++) {
		publish_some(s, 1, 1);
		pipe_catch_up(s);
	}
}

static void
plant_skipped(struct pipe_story *s)
{
	pipe_catch_up(s);
	publish_some(s, 0, 1);
	s->durable[0].cursor++;
}

/* Stored, as nobody heard, and no durable delivers it. */
static void
plant_skipped_unknown(struct pipe_story *s)
{
	uint64_t id = pipe_new_id(s, 0);
	uint32_t k;

	pipe_catch_up(s);
	pipe_invoke(s, id, 1);
	(void)pipe_store(s, id); /* only the scan sees it */
	pipe_unknown(s, id, 1);
	pipe_end(s, id);
	for (k = 0; k < s->durables; k++)
		s->durable[k].cursor++;
}

/*
 * A message waits behind others that come again and again, whose acks nobody
 * hears: the durable moves, and does not get on.
 */
static void
plant_stuck_behind(struct pipe_story *s)
{
	struct pipe_parcel p = {.delivered = 1};
	unsigned i;

	pipe_catch_up(s);
	p.seq = publish(s, 0);
	publish_some(s, 0, 1);
	for (i = 0; i < 16; i++) {
		p.number = ++s->durable[0].number;
		pipe_deliver(s, 0, 0, &p);
		pipe_acks_begin(s, 0, 0, 1);
		pipe_pass(s, 5 * CLOCK_S);
		p.delivered++;
	}
	s->durable[0].cursor++;
	pipe_ack_ok(s, 0, 0, &p);
}

static void
plant_stuck(struct pipe_story *s)
{
	plant_skipped(s);
	pipe_pass(s, 32 * CLOCK_S + FAULTS_LAG_NS);
}

static void
plant_pending(struct pipe_story *s)
{
	struct pipe_parcel p[200] = {{.seq = 0}};
	unsigned i;

	calm(s);
	for (i = 0; i < 200; i++) {
		p[i].seq = publish(s, 0);
		p[i].number = ++s->durable[0].number;
		p[i].delivered = 1;
		s->durable[0].cursor++;
		pipe_deliver(s, 0, i % 3, &p[i]);
	}
	for (i = 0; i < 3; i++)
		pipe_acks_begin(s, 0, i, 67);
	for (i = 0; i < 200; i++)
		pipe_ack_ok(s, 0, i % 3, &p[i]);
}

/*
 * 60 messages of one leader are out, and as many of the next; after each of
 * these parts monitoring names who leads. The limit is 100.
 */
static void
pending_over(struct pipe_story *s, const char *next)
{
	struct pipe_parcel p[120] = {{.seq = 0}};
	unsigned i;

	calm(s);
	for (i = 0; i < 120; i++) {
		if (i == 60)
			pipe_leaders(s, next);
		p[i].seq = publish(s, 0);
		p[i].number = ++s->durable[0].number;
		p[i].delivered = 1;
		s->durable[0].cursor++;
		pipe_deliver(s, 0, 0, &p[i]);
	}
	pipe_acks_begin(s, 0, 0, 120);
	for (i = 0; i < 120; i++)
		pipe_ack_ok(s, 0, 0, &p[i]);
	for (i = 0; i < 3; i++) {
		pipe_leaders(s, next);
		pipe_pass(s, 3 * CLOCK_S);
	}
}

static void
plant_pending_steady(struct pipe_story *s)
{
	pending_over(s, "n1");
}

static void
plant_pending_led_anew(struct pipe_story *s)
{
	pending_over(s, "n2");
}

/*
 * A reader stands still before it acks what it told of. All of it comes again
 * to another one, who acks it, so the server sends as many new ones.
 */
static void
plant_slow_reader(struct pipe_story *s)
{
	struct pipe_parcel p[200] = {{.seq = 0}};
	unsigned i;

	calm(s);
	for (i = 0; i < 200; i++) {
		p[i].seq = publish(s, 0);
		p[i].delivered = 1;
		s->durable[0].cursor++;
	}
	for (i = 0; i < 100; i++) {
		p[i].number = ++s->durable[0].number;
		pipe_deliver(s, 0, 0, &p[i]);
	}
	pipe_pass(s, 5 * CLOCK_S);
	for (i = 0; i < 100; i++) {
		p[i].number = ++s->durable[0].number;
		p[i].delivered = 2;
		pipe_deliver(s, 0, 1, &p[i]);
	}
	pipe_acks_begin(s, 0, 1, 100);
	for (i = 0; i < 100; i++)
		pipe_ack_ok(s, 0, 1, &p[i]);
	for (i = 100; i < 200; i++) {
		p[i].number = ++s->durable[0].number;
		pipe_deliver(s, 0, 1, &p[i]);
	}
	pipe_acks_begin(s, 0, 0, 100);
	pipe_acks_begin(s, 0, 1, 100);
	for (i = 100; i < 200; i++)
		pipe_ack_ok(s, 0, 1, &p[i]);
	pipe_leaders(s, "n1");
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	pipe_pass(s, 6 * CLOCK_S);
	pipe_leaders(s, "n1");
}

static void
plant_deliver_limit(struct pipe_story *s)
{
	struct pipe_parcel p = {.delivered = 1};

	pipe_catch_up(s);
	p.seq = publish(s, 0);
	for (; p.delivered <= 6; p.delivered++) {
		p.number = ++s->durable[0].number;
		pipe_deliver(s, 0, 0, &p);
		pipe_acks_begin(s, 0, 0, 1);
	}
	s->durable[0].cursor++;
	pipe_ack_ok(s, 0, 0, &p);
}

static void
plant_not_removed(struct pipe_story *s)
{
	uint64_t seq = publish(s, 0);

	s->stored[seq].found = PIPE_LEFT;
}

/* One that another durable takes, by its subject. */
static void
plant_misdelivered(struct pipe_story *s)
{
	struct pipe_parcel p = {.seq = publish(s, 0), .delivered = 1};
	uint32_t k = pipe_takes(s, 0, s->stored[p.seq].id) ? 1 : 0;

	p.number = ++s->durable[k].number;
	pipe_deliver(s, k, 0, &p);
	pipe_acks_begin(s, k, 0, 1);
	pipe_ack_ok(s, k, 0, &p);
}

/* A message that only a reader received which then dies; and is removed. */
static void
deliver_and_die(struct pipe_story *s, bool acks)
{
	struct pipe_parcel p = {.delivered = 1};
	uint32_t k;

	pipe_catch_up(s);
	p.seq = publish(s, 0);
	for (k = 0; k < s->durables; k++) {
		s->durable[k].cursor++;
		if (!pipe_takes(s, k, s->stored[p.seq].id))
			continue;
		p.number = ++s->durable[k].number;
		pipe_deliver(s, k, 0, &p);
		if (acks)
			pipe_acks_begin(s, k, 0, 1);
		pipe_kill(s, k, 0);
	}
}

static void
plant_removed_unacked(struct pipe_story *s)
{
	deliver_and_die(s, false); /* the audit reads no such message */
}

/* The ack of the one that died may have been sent, and applied. */
static void
plant_removed_acked(struct pipe_story *s)
{
	deliver_and_die(s, true); /* nor does it here, lawfully */
}

static const struct plant {
	const char *name;
	enum anomaly_kind kind, also; /* also: comes with it, or the same */
	uint64_t count;		      /* violations of kind */
	uint8_t retention;
	void (*go)(struct pipe_story *);
} plants[] = {
    {"lost", ANOMALY_LOST, ANOMALY_LOST, 3, 0, plant_lost},
    {"phantom", ANOMALY_PHANTOM, ANOMALY_PHANTOM, 9, 0, plant_phantom},
    {"duplicate", ANOMALY_DUPLICATE, ANOMALY_DUPLICATE, 3, 0, plant_duplicate},
    {"duplicate in a quiet work queue", ANOMALY_DUPLICATE, ANOMALY_DUPLICATE, 3,
	1, plant_twice_quiet},
    {"duplicate in quiet interest", ANOMALY_DUPLICATE, ANOMALY_DUPLICATE, 3, 2,
	plant_twice_quiet},
    {"duplicate of what a work queue holds", ANOMALY_DUPLICATE,
	ANOMALY_DUPLICATE, 3, 1, plant_twice_untaken},
    {"duplicate of what interest holds", ANOMALY_DUPLICATE, ANOMALY_DUPLICATE,
	3, 2, plant_twice_untaken},
    {"duplicate, both left", ANOMALY_DUPLICATE, ANOMALY_NOT_REMOVED, 3, 1,
	plant_twice_left},
    {"reorder in the stream", ANOMALY_REORDER, ANOMALY_REORDER, 3, 0,
	plant_reorder_stream},
    {"reorder of a publisher", ANOMALY_REORDER, ANOMALY_REORDER, 3, 0,
	plant_reorder_publisher},
    {"reorder of first deliveries", ANOMALY_REORDER, ANOMALY_REORDER, 3, 0,
	plant_reorder_consumer},
    {"corrupt", ANOMALY_CORRUPT, ANOMALY_CORRUPT, 3, 0, plant_corrupt},
    {"seq_reuse", ANOMALY_SEQ_REUSE, ANOMALY_SEQ_REUSE, 3, 0, plant_seq_reuse},
    {"swapped", ANOMALY_SEQ_REUSE, ANOMALY_DUPLICATE, 3, 0, plant_swapped},
    {"redelivered_after_ack", ANOMALY_REDELIVERED_AFTER_ACK,
	ANOMALY_REDELIVERED_AFTER_ACK, 3, 0, plant_redelivered},
    {"redelivered, acked long ago", ANOMALY_REDELIVERED_AFTER_ACK,
	ANOMALY_REDELIVERED_AFTER_ACK, 3, 0, plant_redelivered_old},
    {"redelivered, another one's ack unknown", ANOMALY_REDELIVERED_AFTER_ACK,
	ANOMALY_REDELIVERED_AFTER_ACK, 3, 0, plant_redelivered_unsure},
    {"skipped", ANOMALY_SKIPPED, ANOMALY_SKIPPED, 3, 0, plant_skipped},
    {"skipped, its publish unknown", ANOMALY_SKIPPED, ANOMALY_SKIPPED, 6, 0,
	plant_skipped_unknown},
    {"stuck behind redeliveries", ANOMALY_STUCK, ANOMALY_STUCK, 3, 0,
	plant_stuck_behind},
    {"stuck", ANOMALY_STUCK, ANOMALY_SKIPPED, 3, 0, plant_stuck},
    {"stuck when it came again", ANOMALY_STUCK, ANOMALY_STUCK, 3, 0,
	plant_stuck_again},
    {"MaxAckPending", ANOMALY_LIMIT_EXCEEDED, ANOMALY_LIMIT_EXCEEDED, 1, 0,
	plant_pending},
    {"MaxDeliver", ANOMALY_LIMIT_EXCEEDED, ANOMALY_LIMIT_EXCEEDED, 3, 0,
	plant_deliver_limit},
    {"not_removed", ANOMALY_NOT_REMOVED, ANOMALY_NOT_REMOVED, 3, 2,
	plant_not_removed},
    {"misdelivered", ANOMALY_MISDELIVERED, ANOMALY_MISDELIVERED, 3, 1,
	plant_misdelivered},
    {"removed from a work queue, unacked", ANOMALY_LOST, ANOMALY_LOST, 3, 1,
	plant_removed_unacked},
    {"removed from interest, unacked", ANOMALY_LOST, ANOMALY_LOST, 3, 2,
	plant_removed_unacked},
    {"lost from a stream with interest", ANOMALY_LOST, ANOMALY_SKIPPED, 3, 2,
	plant_skipped},
};

#define PLANTS (sizeof(plants) / sizeof(plants[0]))

static bool
only_those(const struct finding *v, const struct plant *p)
{
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		if (k != p->kind && k != p->also &&
		    v->counts[k][CLASS_VIOLATION] > 0)
			return false;
	return true;
}

static void
test_plant(void **state)
{
	const struct plant *p = *state;
	uint64_t n = number_of("NATSBURN_TEST_MESSAGES", MESSAGES);
	struct pipe_story s;
	struct finding v;

	pipe_story_init(&s, support_seed());
	s.messages = n;
	s.retention = p->retention;
	s.max_ack_pending = 100;
	s.max_deliver = p->go == plant_deliver_limit ? 5 : 0;
	s.plant = p->go;
	s.nplants = 3;
	s.plant_at[1] = n / 2;
	s.plant_at[2] = UINT64_MAX;
	/* At the start there is nothing yet that lies long ago. */
	if (p->go == plant_redelivered_old)
		s.plant_at[0] = n / 4;
	tell(&s, &v);
	if (v.counts[p->kind][CLASS_VIOLATION] < p->count ||
	    v.result.exit_code != EXIT_VIOLATION || !only_those(&v, p))
		fail_msg("planted %s: exit %d, %llu\n%s", p->name,
		    v.result.exit_code,
		    (unsigned long long)v.counts[p->kind][CLASS_VIOLATION],
		    v.says);
	pipe_story_fini(&s);
}

/*
 * A replica that does not know of a durable yet drops what it has to take,
 * and may lead later. What nobody saw it know convicts for nothing.
 */
static void
test_unknown_consumers(void **state)
{
	static const struct {
		void (*go)(struct pipe_story *);
		enum anomaly_kind kind;
	} rows[] = {{plant_skipped, ANOMALY_LOST},
	    {plant_skipped, ANOMALY_SKIPPED},
	    {plant_twice_untaken, ANOMALY_DUPLICATE}};
	struct pipe_story s;
	struct finding v;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pipe_story_init(&s, support_seed());
		s.messages = 1000;
		s.retention = RETENTION_INTEREST;
		s.is_unknown = true;
		s.plant = rows[i].go;
		s.nplants = 1;
		s.plant_at[0] = 500;
		tell(&s, &v);
		assert_true(v.counts[rows[i].kind][CLASS_WARNING] > 0);
		for (k = 0; k < ANOMALY_COUNT; k++)
			assert_int_equal(v.counts[k][CLASS_VIOLATION], 0);
		pipe_story_fini(&s);
	}
}

/* A reader that died may have sent its ack: what it had may be gone. */
static void
test_legal_removed(void **state)
{
	struct pipe_story s;
	struct finding v;
	uint8_t retention;

	(void)state;
	for (retention = 1; retention <= 2; retention++) {
		pipe_story_init(&s, support_seed());
		s.messages = 1000;
		s.retention = retention;
		s.plant = plant_removed_acked;
		s.nplants = 1;
		s.plant_at[0] = 500;
		tell(&s, &v);
		assert_int_equal(v.result.exit_code, EXIT_PASS);
		pipe_story_fini(&s);
	}
}

/* Long histories in which much goes wrong, all of it legal. */
static void
test_legal_long(void **state)
{
	static const struct kind {
		uint8_t retention, acks;
		bool filter;
	} kinds[] = {{0, 1, true}, {0, 2, false}, {1, 1, false}, {2, 1, true}};
	struct pipe_story s;
	struct finding v;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		pipe_story_init(&s, support_seed() + i);
		s.messages = number_of("NATSBURN_TEST_MESSAGES", MESSAGES) / 2;
		s.publishers = 3;
		s.durables = 3;
		s.trouble = 20;
		s.faults = true;
		s.retention = kinds[i].retention;
		s.acks = kinds[i].acks;
		s.answers = i == 0 ? 0 : 50;
		s.filter = kinds[i].filter;
		tell(&s, &v);
		if (v.result.exit_code != EXIT_PASS)
			fail_msg("history %u: exit %d: %s\n%s", i,
			    v.result.exit_code, v.result.reasons[0], v.says);
		pipe_story_fini(&s);
	}
}

/* A message whose ack may have been committed comes again a minute later. */
static void
test_legal_unsure(void **state)
{
	struct pipe_story s;
	struct finding v;

	(void)state;
	pipe_story_init(&s, support_seed());
	s.messages = 10000;
	s.plant = plant_unsure_again;
	s.nplants = 3;
	s.plant_at[1] = 5000;
	s.plant_at[2] = UINT64_MAX;
	tell(&s, &v);
	if (v.result.exit_code != EXIT_PASS)
		fail_msg("exit %d: %s\n%s", v.result.exit_code,
		    v.result.reasons[0], v.says);
	pipe_story_fini(&s);
}

static void
test_legal_slow_reader(void **state)
{
	struct pipe_story s;
	struct finding v;

	(void)state;
	pipe_story_init(&s, support_seed());
	s.messages = 1000;
	s.max_ack_pending = 100;
	s.burst = 4;
	s.plant = plant_slow_reader;
	s.nplants = 1;
	s.plant_at[0] = UINT64_MAX;
	tell(&s, &v);
	if (v.result.exit_code != EXIT_PASS ||
	    v.counts[ANOMALY_LIMIT_EXCEEDED][CLASS_WARNING] != 0)
		fail_msg("exit %d: %s\n%s", v.result.exit_code,
		    v.result.reasons[0], v.says);
	pipe_story_fini(&s);
}

/* More than MaxAckPending over a change of leader (review, P10), or not. */
static void
test_pending_led_anew(void **state)
{
	static void (*const plants_of[])(struct pipe_story *) = {
	    plant_pending_led_anew, plant_pending_steady};
	const uint64_t *n;
	struct pipe_story s;
	struct finding v;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		pipe_story_init(&s, support_seed());
		s.messages = 1000;
		s.max_ack_pending = 100;
		s.plant = plants_of[i];
		s.nplants = 1;
		s.plant_at[0] = 500;
		tell(&s, &v);
		n = v.counts[ANOMALY_LIMIT_EXCEEDED];
		if (n[CLASS_WARNING] != (i == 0) ||
		    n[CLASS_VIOLATION] != (i == 1) ||
		    v.result.exit_code != (i == 0 ? EXIT_PASS : EXIT_VIOLATION))
			fail_msg("history %u: exit %d: %s\n%s", i,
			    v.result.exit_code, v.result.reasons[0], v.says);
		pipe_story_fini(&s);
	}
}

/* Its second message is in another stream, where sequences are higher. */
static void
plant_two_streams(struct pipe_story *s)
{
	uint64_t a = pipe_new_id(s, 0), b = pipe_new_id(s, 0);
	struct event ev;

	calm(s);
	pipe_event(1, MESSAGE_PUBLISH_INVOKE, &ev);
	ev.u.publish_invoke.stream = 1;
	ev.u.publish_invoke.id = a;
	ev.u.publish_invoke.attempt = 1;
	pipe_emit(s, &ev);
	pipe_invoke(s, b, 1);
	pipe_event(1, MESSAGE_PUBLISH_OK, &ev);
	ev.u.publish_ok.stream = 1;
	ev.u.publish_ok.id = a;
	ev.u.publish_ok.attempt = 1;
	ev.u.publish_ok.seq = 1000000;
	pipe_emit(s, &ev);
	pipe_ok(s, b, 1, pipe_store(s, b), false);
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
	pipe_pass(s, CLOCK_S);
	pipe_leaders(s, "n1");
}

static void
test_legal_two_streams(void **state)
{
	struct pipe_story s;
	struct finding v;

	(void)state;
	pipe_story_init(&s, support_seed());
	s.messages = 1000;
	s.plant = plant_two_streams;
	s.nplants = 1;
	s.plant_at[0] = 500;
	tell(&s, &v);
	if (v.counts[ANOMALY_REORDER][CLASS_VIOLATION] != 0)
		fail_msg("exit %d: %s\n%s", v.result.exit_code,
		    v.result.reasons[0], v.says);
	pipe_story_fini(&s);
}

/*
 * A message is stored again where the first copy was acked away: a warning
 * each, even more often than the check remembers pairs.
 */
static void
test_legal_twice(void **state)
{
	static void (*const plants_of[])(struct pipe_story *) = {
	    plant_twice_forgotten, plant_twice_led_anew};
	struct pipe_story s;
	struct finding v;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		pipe_story_init(&s, support_seed());
		s.messages = 10000;
		s.retention = (uint8_t)(1 + i % 2);
		s.plant = plants_of[i / 2];
		s.nplants = 3;
		s.plant_at[1] = 5000;
		s.plant_at[2] = UINT64_MAX;
		tell(&s, &v);
		if (v.result.exit_code != EXIT_PASS ||
		    v.counts[ANOMALY_DUPLICATE][CLASS_WARNING] != 3)
			fail_msg("history %u: exit %d: %s\n%s", i,
			    v.result.exit_code, v.result.reasons[0], v.says);
		pipe_story_fini(&s);
	}
}

static void
plant_twice_many(struct pipe_story *s)
{
	unsigned i;

	for (i = 0; i < 5000; i++)
		plant_twice_forgotten(s);
	plant_twice_quiet(s);
}

/* Thousands of warnings leave room for what convicts behind them. */
static void
test_twice_many(void **state)
{
	struct pipe_story s;
	struct finding v;

	(void)state;
	pipe_story_init(&s, support_seed());
	s.messages = 1000;
	s.retention = 1;
	s.plant = plant_twice_many;
	s.nplants = 1;
	tell(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DUPLICATE][CLASS_WARNING], 5000);
	assert_int_equal(v.counts[ANOMALY_DUPLICATE][CLASS_VIOLATION], 1);
	pipe_story_fini(&s);
}

/* Of long and short histories the judge needs the same memory. */
static void
test_memory(void **state)
{
	uint64_t n = number_of("NATSBURN_TEST_MESSAGES", MESSAGES);
	struct pipe_story s;
	struct judge *j;
	size_t used[2], before;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		pipe_story_init(&s, 1);
		s.messages = i == 0 ? n / 5 : n;
		/* What the story itself keeps is not counted. */
		s.room = n + 1000;
		s.stored = calloc(s.room, sizeof(*s.stored));
		before = mallinfo2().uordblks;
		j = judge_create(NULL, NULL);
		s.sink = sink;
		s.arg = j;
		pipe_story_tell(&s);
		used[i] = mallinfo2().uordblks - before;
		judge_destroy(j);
		pipe_story_fini(&s);
	}
	print_message("%zu KiB after %llu messages, %zu KiB after %llu\n",
	    used[0] / 1024, (unsigned long long)n / 5, used[1] / 1024,
	    (unsigned long long)n);
#ifndef __SANITIZE_ADDRESS__
	assert_true(used[1] < used[0] + used[0] / 4 + 200000);
#endif
}

/* Short random ones: kept whole, so that one event can be changed. */

struct record {
	struct event *events;
	size_t n, room;
};

static void
keep(void *arg, struct event *ev)
{
	struct record *r = arg;

	if (r->n == r->room) {
		r->room = r->room ? r->room * 2 : 2048;
		r->events = realloc(r->events, r->room * sizeof(*r->events));
		assert_non_null(r->events);
	}
	memcpy(&r->events[r->n], ev, offsetof(struct event, u));
	memcpy(&r->events[r->n++].u, &ev->u, message_spec(ev->type)->size);
}

static void
judge_record(const struct record *r, struct finding *v)
{
	struct judge *j = judge_create(NULL, NULL);
	size_t i;

	assert_non_null(j);
	for (i = 0; i < r->n; i++)
		assert_int_equal(judge_event(j, &r->events[i]), 0);
	conclude(j, v);
	judge_destroy(j);
}

static void
random_story(struct pipe_story *s, uint64_t seed, struct record *r)
{
	pipe_story_init(s, seed);
	r->n = 0;
	s->sink = keep;
	s->arg = r;
	s->messages = 10 + rng_below(&s->rng, 40);
	s->publishers = 1 + (uint32_t)rng_below(&s->rng, 3);
	s->durables = 1 + (uint32_t)rng_below(&s->rng, 3);
	s->burst = 1 + (unsigned)rng_below(&s->rng, 6);
	s->trouble = (unsigned)rng_below(&s->rng, 150);
	s->retention = (uint8_t)rng_below(&s->rng, 3);
	s->acks = rng_below(&s->rng, 4) == 0 ? 2 : 1;
	s->filter = s->retention != 1 && rng_below(&s->rng, 2) == 0;
	s->faults = rng_below(&s->rng, 2) == 0;
	s->answers = rng_below(&s->rng, 3) == 0 ? 300 : 0;
	pipe_story_tell(s);
}

/* A random event of a type that suits, or NULL. */
static struct event *
pick(struct record *r, struct pipe_story *s, enum message_type type,
    bool (*suits)(
	const struct pipe_story *, const struct record *, const struct event *))
{
	struct event *found = NULL;
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->events[i].type == type &&
		    (suits == NULL || suits(s, r, &r->events[i])) &&
		    rng_below(&s->rng, ++n) == 0)
			found = &r->events[i];
	return found;
}

static bool
was_acked(const struct record *r, uint64_t seq)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->events[i].type == MESSAGE_PUBLISH_OK &&
		    r->events[i].u.publish_ok.seq == seq)
			return true;
	return false;
}

static bool
scan_of_acked(
    const struct pipe_story *s, const struct record *r, const struct event *ev)
{
	(void)s;
	return was_acked(r, ev->u.scan_message.seq);
}

static bool
tamper_lost(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_SCAN_MESSAGE, scan_of_acked);
	uint64_t seq;

	if (ev == NULL)
		return false;
	seq = ev->u.scan_message.seq;
	ev->type = MESSAGE_SCAN_ABSENT;
	memset(&ev->u, 0, sizeof(ev->u.scan_absent));
	ev->u.scan_absent.seq = seq;
	ev->u.scan_absent.tries = 5;
	return true;
}

static bool
tamper_phantom(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_DELIVER, NULL);

	if (ev == NULL)
		return false;
	ev->u.deliver.id = message_id(PIPE_PUBLISHER, 1000000);
	return true;
}

static bool
tamper_corrupt(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_DELIVER, NULL);

	if (ev == NULL)
		return false;
	ev->u.deliver.intact = 0;
	return true;
}

static bool
not_first(
    const struct pipe_story *s, const struct record *r, const struct event *ev)
{
	(void)s;
	(void)r;
	return ev->u.publish_ok.seq != 1 && !ev->u.publish_ok.duplicate;
}

static bool
tamper_seq_reuse(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_PUBLISH_OK, not_first);

	if (ev == NULL || !was_acked(r, 1))
		return false;
	ev->u.publish_ok.seq = 1;
	return true;
}

static bool
tamper_content(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_SCAN_MESSAGE, scan_of_acked);

	if (ev == NULL || ev->u.scan_message.seq == 1)
		return false;
	ev->u.scan_message.id = s->stored[1].id;
	return true;
}

/* The stream sequence that an event names, or NULL. */
static uint64_t *
seq_of(struct event *ev)
{
	if (ev->type == MESSAGE_PUBLISH_OK)
		return &ev->u.publish_ok.seq;
	if (ev->type == MESSAGE_DELIVER)
		return &ev->u.deliver.seq;
	if (ev->type == MESSAGE_ACK_OK)
		return &ev->u.ack_ok.seq;
	if (ev->type == MESSAGE_SCAN_MESSAGE)
		return &ev->u.scan_message.seq;
	return NULL;
}

/* The server gave two messages each other's places, for all to see. */
static bool
tamper_order(struct pipe_story *s, struct record *r)
{
	struct event *ok = pick(r, s, MESSAGE_PUBLISH_OK, not_first), *ev;
	uint64_t low, high = 0, *seq;
	size_t i;

	if (ok == NULL)
		return false;
	low = ok->u.publish_ok.seq;
	/* The first that was invoked when the other had been acked. */
	for (ev = ok; ev < r->events + r->n && high == 0; ev++) {
		if (ev->type != MESSAGE_PUBLISH_INVOKE ||
		    ev->u.publish_invoke.attempt != 1)
			continue;
		for (i = 0; i < r->n; i++)
			if (r->events[i].type == MESSAGE_PUBLISH_OK &&
			    r->events[i].u.publish_ok.id ==
				ev->u.publish_invoke.id &&
			    !r->events[i].u.publish_ok.duplicate)
				high = r->events[i].u.publish_ok.seq;
	}
	if (high <= low)
		return false;
	for (i = 0; i < r->n; i++) {
		seq = seq_of(&r->events[i]);
		if (seq != NULL && (*seq == low || *seq == high))
			*seq = *seq == low ? high : low;
	}
	return true;
}

/* A consumer never delivers a message: each trace of it there is gone. */
static bool
tamper_skipped(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_DELIVER, NULL);
	uint32_t consumer;
	uint64_t seq;
	size_t i, n = 0;
	bool gone;

	if (ev == NULL || !was_acked(r, ev->u.deliver.seq))
		return false;
	consumer = ev->u.deliver.consumer;
	seq = ev->u.deliver.seq;
	for (i = 0; i < r->n; i++) {
		ev = &r->events[i];
		gone = (ev->type == MESSAGE_DELIVER &&
			   ev->u.deliver.consumer == consumer &&
			   ev->u.deliver.seq == seq) ||
		       ((ev->type == MESSAGE_ACK_OK ||
			    ev->type == MESSAGE_ACK_UNKNOWN ||
			    ev->type == MESSAGE_ANSWER_INVOKE ||
			    ev->type == MESSAGE_ANSWER_OK ||
			    ev->type == MESSAGE_ANSWER_UNKNOWN) &&
			   ev->u.ack_ok.consumer == consumer &&
			   ev->u.ack_ok.seq == seq);
		if (!gone)
			r->events[n++] = *ev;
	}
	r->n = n;
	return true;
}

static bool
scan_of_confirmed(
    const struct pipe_story *s, const struct record *r, const struct event *ev)
{
	(void)s;
	(void)r;
	return ev->u.scan_removed.first < ev->u.scan_removed.last;
}

static bool
confirmed_by_all(
    const struct pipe_story *s, const struct record *r, uint64_t seq)
{
	uint8_t need = 0, has = 0;
	uint32_t k;
	size_t i;

	for (k = 0; k < s->durables; k++)
		need |= (uint8_t)(pipe_takes(s, k, s->stored[seq].id) << k);
	for (i = 0; i < r->n; i++)
		if (r->events[i].type == MESSAGE_ACK_OK &&
		    r->events[i].u.ack_ok.seq == seq)
			has |= (uint8_t)(1u << r->events[i].u.ack_ok.consumer);
	return need != 0 && (need & ~has) == 0;
}

/* What every consumer had confirmed is still there. */
static bool
tamper_not_removed(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_SCAN_REMOVED, scan_of_confirmed);
	uint64_t seq;

	if (ev == NULL)
		return false;
	seq = ev->u.scan_removed.first;
	if (!confirmed_by_all(s, r, seq) || !was_acked(r, seq))
		return false;
	ev->type = MESSAGE_SCAN_MESSAGE;
	memset(&ev->u, 0, sizeof(ev->u.scan_message));
	ev->u.scan_message.path = 2;
	ev->u.scan_message.seq = seq;
	ev->u.scan_message.id = s->stored[seq].id;
	ev->u.scan_message.run = PIPE_RUN;
	ev->u.scan_message.sum = rng_mix(s->stored[seq].id + 1);
	ev->u.scan_message.intact = 1;
	return true;
}

static bool
tamper_limit(struct pipe_story *s, struct record *r)
{
	struct event *ev = pick(r, s, MESSAGE_CONSUMER_RULES, NULL);
	struct event *d = pick(r, s, MESSAGE_DELIVER, NULL);

	if (ev == NULL || d == NULL)
		return false;
	ev->u.consumer_rules.max_deliver = 20;
	if (ev->u.consumer_rules.consumer != d->u.deliver.consumer)
		return false;
	d->u.deliver.delivered = 21;
	return true;
}

/* A second copy of the first message, at the end, that the scan finds. */
static bool
tamper_duplicate(struct pipe_story *s, struct record *r)
{
	struct event *last = NULL;
	size_t i;

	if (s->retention != 0 || !was_acked(r, 1))
		return false;
	for (i = 0; i < r->n; i++)
		if (r->events[i].type == MESSAGE_SCAN_MESSAGE)
			last = &r->events[i];
	/* In the place of one that nobody promised and nobody read. */
	if (last == NULL)
		return false;
	memmove(last + 2, last + 1,
	    (size_t)(r->events + r->n - last - 1) * sizeof(*last));
	r->n++;
	last[1] = last[0];
	last[1].u.scan_message.seq = s->last + 1;
	last[1].u.scan_message.id = s->stored[1].id;
	last[1].u.scan_message.sum = rng_mix(s->stored[1].id + 1);
	return true;
}

static const struct tampering {
	const char *name;
	enum anomaly_kind kind;
	bool (*go)(struct pipe_story *, struct record *);
} tamperings[] = {
    {"lost", ANOMALY_LOST, tamper_lost},
    {"phantom", ANOMALY_PHANTOM, tamper_phantom},
    {"corrupt", ANOMALY_CORRUPT, tamper_corrupt},
    {"seq_reuse", ANOMALY_SEQ_REUSE, tamper_seq_reuse},
    {"content", ANOMALY_SEQ_REUSE, tamper_content},
    {"order", ANOMALY_REORDER, tamper_order},
    {"skipped", ANOMALY_SKIPPED, tamper_skipped},
    {"not_removed", ANOMALY_NOT_REMOVED, tamper_not_removed},
    {"limit", ANOMALY_LIMIT_EXCEEDED, tamper_limit},
    {"duplicate", ANOMALY_DUPLICATE, tamper_duplicate},
};

#define TAMPERINGS (sizeof(tamperings) / sizeof(tamperings[0]))

static uint64_t
violations(const struct finding *v)
{
	uint64_t n = 0;
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		n += v->counts[k][CLASS_VIOLATION];
	return n;
}

static bool
judge_both(uint64_t seed, struct record *r, uint64_t *changed)
{
	const struct tampering *t = &tamperings[seed % TAMPERINGS];
	struct pipe_story s;
	struct finding v;
	bool good;

	random_story(&s, seed, r);
	judge_record(r, &v);
	good = violations(&v) == 0;
	if (!good)
		print_message(
		    "seed %llu, legal:\n%s", (unsigned long long)seed, v.says);
	keep(r, &r->events[0]); /* room for one more */
	r->n--;
	if (good && t->go(&s, r)) {
		judge_record(r, &v);
		good = v.counts[t->kind][CLASS_VIOLATION] > 0 &&
		       v.result.exit_code == EXIT_VIOLATION;
		(*changed)++;
		if (!good)
			print_message("seed %llu: %s is not caught\n%s",
			    (unsigned long long)seed, t->name, v.says);
	}
	pipe_story_fini(&s);
	return good;
}

static void
test_random(void **state)
{
	uint64_t first = support_seed() * 1000000, i, changed = 0, wrong = 0;
	uint64_t n = number_of("NATSBURN_TEST_ROUNDS", ROUNDS);
	struct record r = {NULL, 0, 0};

	(void)state;
	for (i = 0; i < n && wrong < 5; i++)
		wrong += !judge_both(first + i, &r, &changed);
	free(r.events);
	print_message("seeds %llu to %llu: all legal ones pass, %llu changed "
		      "ones are convicted\n",
	    (unsigned long long)first, (unsigned long long)(first + i - 1),
	    (unsigned long long)changed);
	assert_int_equal(wrong, 0);
	assert_true(changed > n / 3);
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
	    cmocka_unit_test(test_unknown_consumers),
	    cmocka_unit_test(test_legal_removed),
	    cmocka_unit_test(test_legal_long),
	    cmocka_unit_test(test_legal_unsure),
	    cmocka_unit_test(test_legal_slow_reader),
	    cmocka_unit_test(test_pending_led_anew),
	    cmocka_unit_test(test_legal_two_streams),
	    cmocka_unit_test(test_legal_twice),
	    cmocka_unit_test(test_twice_many),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_random),
	};
	enum {
		OTHERS = sizeof(others) / sizeof(others[0])
	};
	struct CMUnitTest tests[OTHERS + PLANTS];
	size_t i;

	memset(tests, 0, sizeof(tests));
	memcpy(tests, others, sizeof(others));
	for (i = 0; i < PLANTS; i++) {
		tests[OTHERS + i].name = plants[i].name;
		tests[OTHERS + i].test_func = test_plant;
		tests[OTHERS + i].initial_state = (void *)(uintptr_t)&plants[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
