/* SPDX-License-Identifier: ISC */
/*
 * The check "kv" against built histories: each plant must raise exactly the
 * anomaly that owns it and nothing else, each legal oddity of guarantees 10
 * and 11 nothing at all, or only what is documented. A random honest bucket
 * must pass whatever the order of its answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"

#define RUN	  7
#define LEADER	  1
#define DIRECT	  2
#define CONSUMER  3
#define A	  2 /* sources of two clients */
#define B	  3
#define WRONG_SEQ 10071

struct bench {
	struct judge *judge;
	uint64_t now;
	uint64_t ops[16]; /* reads, by source */
	uint64_t expected[ANOMALY_COUNT][CLASS_COUNT];
};

static void
feed(struct bench *b, uint32_t source, struct event *ev)
{
	b->now += CLOCK_MS;
	ev->time_ns = b->now;
	ev->source = source;
	assert_int_equal(judge_event(b->judge, ev), 0);
}

static void
passes(struct bench *b, uint64_t ns)
{
	struct event tick = {.type = MESSAGE_TICK};
	uint64_t end = b->now + ns;

	while (b->now < end) {
		b->now += CLOCK_S;
		feed(b, 0, &tick);
	}
}

/* A client neither works nor beats for so long, and the parent says so. */
static void
stands_still(struct bench *b, uint32_t source, uint64_t ns)
{
	struct event ev = {.type = MESSAGE_CHILD_SILENT};
	uint64_t begin_ns = b->now, end = b->now + ns;

	ev.u.child_silent.child = source;
	while (b->now < end) {
		passes(b, CLOCK_S);
		ev.u.child_silent.silent_ns = b->now - begin_ns;
		feed(b, 0, &ev);
	}
}

static void
option(struct bench *b, const char *name, const char *value)
{
	struct event ev = {.type = MESSAGE_OPTION};

	text_set(ev.u.option.name, sizeof(ev.u.option.name), name);
	text_set(ev.u.option.value, sizeof(ev.u.option.value), value);
	feed(b, 0, &ev);
}

static void
stream(struct bench *b, uint32_t replicas, const char *storage)
{
	struct event ev = {.type = MESSAGE_STREAM};

	ev.u.stream.replicas = replicas;
	ev.u.stream.created = 1000;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), "KV_x");
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage), storage);
	feed(b, 1, &ev);
}

static struct bench
begin(void)
{
	struct bench b = {.now = 1000 * CLOCK_S};
	struct event ev = {.type = MESSAGE_RUN};

	b.judge = judge_create(NULL, NULL);
	assert_non_null(b.judge);
	ev.u.run.run = RUN;
	feed(&b, 0, &ev);
	stream(&b, 3, "file");
	return b;
}

/* Nothing was raised but what the test expects. */
static void
end(struct bench *b)
{
	struct event over = {.type = MESSAGE_PHASE};
	struct judge_result r;
	unsigned kind, class;

	text_set(over.u.phase.name, sizeof(over.u.phase.name), "end");
	feed(b, 0, &over);
	judge_finish(b->judge, &r);
	for (kind = 0; kind < ANOMALY_COUNT; kind++)
		for (class = 0; class < CLASS_COUNT; class ++) {
			if (judge_count(b->judge, kind, class) ==
			    b->expected[kind][class])
				continue;
			print_error("%s (%s): %llu instead of %llu\n",
			    anomaly_kind_name(kind), anomaly_class_name(class),
			    (unsigned long long)judge_count(
				b->judge, kind, class),
			    (unsigned long long)b->expected[kind][class]);
			fail();
		}
	judge_destroy(b->judge);
}

static void
end_with(struct bench *b, enum anomaly_kind kind, enum anomaly_class class)
{
	b->expected[kind][class] = 1;
	end(b);
}

static uint64_t
sum_of(uint64_t id)
{
	return id * 31;
}

static void
update(struct bench *b, uint32_t source, uint64_t n, uint32_t key,
    uint64_t expected)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE};

	ev.u.kv_update.id = message_id(source, n);
	ev.u.kv_update.key = key;
	ev.u.kv_update.expected = expected;
	ev.u.kv_update.attempt = 1;
	ev.u.kv_update.sum = sum_of(ev.u.kv_update.id);
	feed(b, source, &ev);
}

static void
accepted(struct bench *b, uint32_t source, uint64_t n, uint32_t key,
    uint64_t revision)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_OK};

	ev.u.kv_update_ok.id = message_id(source, n);
	ev.u.kv_update_ok.key = key;
	ev.u.kv_update_ok.revision = revision;
	feed(b, source, &ev);
}

static void
duplicate(struct bench *b, uint32_t source, uint64_t n, uint32_t key,
    uint64_t revision)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_OK};

	ev.u.kv_update_ok.id = message_id(source, n);
	ev.u.kv_update_ok.key = key;
	ev.u.kv_update_ok.revision = revision;
	ev.u.kv_update_ok.duplicate = 1;
	feed(b, source, &ev);
}

static void
unknown(struct bench *b, uint32_t source, uint64_t n)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_UNKNOWN};

	ev.u.kv_update_unknown.id = message_id(source, n);
	feed(b, source, &ev);
}

static void
rejected(struct bench *b, uint32_t source, uint64_t n, uint32_t key)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_REJECTED};

	ev.u.kv_update_rejected.id = message_id(source, n);
	ev.u.kv_update_rejected.key = key;
	ev.u.kv_update_rejected.code = WRONG_SEQ;
	feed(b, source, &ev);
}

static void
over(struct bench *b, uint32_t source, uint64_t n, uint8_t outcome)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_END};

	ev.u.kv_update_end.id = message_id(source, n);
	ev.u.kv_update_end.outcome = outcome;
	feed(b, source, &ev);
}

/* An update that is accepted at once. */
static void
put(struct bench *b, uint32_t source, uint64_t n, uint32_t key,
    uint64_t expected, uint64_t revision)
{
	update(b, source, n, key, expected);
	accepted(b, source, n, key, revision);
}

/* An update whose outcome is never learned. */
static void
put_unknown(
    struct bench *b, uint32_t source, uint64_t n, uint32_t key, uint64_t expect)
{
	update(b, source, n, key, expect);
	unknown(b, source, n);
	over(b, source, n, 2);
}

static void
asks(struct bench *b, uint32_t source, uint32_t key, uint8_t path)
{
	struct event ev = {.type = MESSAGE_KV_READ};

	ev.u.kv_read.op = ++b->ops[source];
	ev.u.kv_read.key = key;
	ev.u.kv_read.path = path;
	feed(b, source, &ev);
}

static struct event
value(uint32_t key, uint8_t path, uint64_t revision, uint64_t id)
{
	struct event ev = {.type = MESSAGE_KV_VALUE};
	struct msg_kv_value *m = &ev.u.kv_value;

	m->key = key;
	m->path = path;
	m->found = revision != 0;
	m->revision = revision;
	m->id = id;
	m->run = RUN;
	m->sum = sum_of(id);
	m->intact = 1;
	return ev;
}

static void
answers(struct bench *b, uint32_t source, struct event ev)
{
	ev.u.kv_value.op = b->ops[source];
	feed(b, source, &ev);
}

static void
get(struct bench *b, uint8_t path, uint32_t key, uint64_t revision, uint64_t id)
{
	asks(b, A, key, path);
	answers(b, A, value(key, path, revision, id));
}

static void
final(
    struct bench *b, uint8_t path, uint32_t key, uint64_t revision, uint64_t id)
{
	struct event ev = {.type = MESSAGE_KV_FINAL};
	struct msg_kv_final *m = &ev.u.kv_final;

	m->key = key;
	m->path = path;
	m->found = revision != 0;
	m->revision = revision;
	m->id = id;
	m->run = RUN;
	m->sum = sum_of(id);
	m->intact = 1;
	feed(b, 9, &ev);
}

static void
scan_begins(struct bench *b)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	ev.u.scan_begin.created = 1000;
	feed(b, 9, &ev);
}

static void
scan_ends(struct bench *b)
{
	struct event ev = {.type = MESSAGE_SCAN_END};

	ev.u.scan_end.complete = 1;
	feed(b, 9, &ev);
}

/* The audit of key 0 by leader and consumer. */
static void
audit(struct bench *b, uint64_t leader, uint64_t leader_id, uint64_t consumer,
    uint64_t consumer_id)
{
	scan_begins(b);
	final(b, LEADER, 0, leader, leader_id);
	final(b, CONSUMER, 0, consumer, consumer_id);
	scan_ends(b);
}

static void
leads(struct bench *b, const char *who)
{
	struct event ev = {.type = MESSAGE_LEADER};

	ev.u.leader.what = 2;
	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), "KV_x");
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), who);
	feed(b, 1, &ev);
}

static void
fault(struct bench *b, bool stops_clock)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = 1;
	ev.u.fault_planned.stops_clock = stops_clock;
	feed(b, 1, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_FAULT_APPLIED;
	ev.u.fault_applied.fault = 1;
	ev.u.fault_applied.ok = 1;
	feed(b, 1, &ev);
}

static void
dies(struct bench *b, uint32_t source)
{
	struct event ev = {.type = MESSAGE_CHILD_EXIT};

	ev.u.child_exit.child = source;
	ev.u.child_exit.signal = 9;
	feed(b, 0, &ev);
}

#define ID(source, n) message_id(source, n)

/* plants */

static void
plant_two_on_one_expected(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	update(&b, A, 3, 0, 2);
	update(&b, B, 1, 0, 2);
	accepted(&b, A, 3, 0, 3);
	accepted(&b, B, 1, 0, 4);
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

/* The later revision is learned first. */
static void
plant_two_on_one_expected_reversed(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, A, 2, 0, 1);
	update(&b, B, 1, 0, 1);
	accepted(&b, B, 1, 0, 3);
	accepted(&b, A, 2, 0, 2);
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_two_creates(void **state)
{
	struct bench b = begin();

	(void)state;
	update(&b, A, 1, 0, 0);
	update(&b, B, 1, 0, 0);
	accepted(&b, A, 1, 0, 1);
	accepted(&b, B, 1, 0, 2);
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

/* One of the two was never acknowledged, but a read shows it. */
static void
plant_fork_seen_by_read(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put_unknown(&b, B, 1, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	get(&b, LEADER, 0, 3, ID(B, 1));
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_not_above_expected(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, B, 1, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	update(&b, A, 3, 0, 2);
	accepted(&b, A, 3, 0, 2);
	b.expected[ANOMALY_CAS_VIOLATED][CLASS_VIOLATION] = 2;
	end(&b); /* not above what it expects; given twice */
}

static void
plant_overlooked_revision(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	put(&b, A, 3, 0, 2, 3);
	update(&b, B, 1, 0, 1);
	accepted(&b, B, 1, 0, 4);
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_one_revision_twice(void **state)
{
	struct bench b = begin();

	(void)state;
	update(&b, A, 1, 0, 0);
	update(&b, B, 1, 0, 0);
	accepted(&b, A, 1, 0, 1);
	accepted(&b, B, 1, 0, 1);
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

/* Of another key, and out of real-time order. */
static void
plant_below_what_was_acked(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 2);
	put(&b, B, 1, 1, 0, 1);
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_acked_elsewhere_than_read(void **state)
{
	struct bench b = begin();

	(void)state;
	update(&b, A, 1, 0, 0);
	unknown(&b, A, 1);
	update(&b, A, 1, 0, 0);
	update(&b, A, 1, 0, 0);
	asks(&b, B, 0, LEADER);
	answers(&b, B, value(0, LEADER, 1, ID(A, 1)));
	duplicate(&b, A, 1, 0, 2);
	b.expected[ANOMALY_CAS_VIOLATED][CLASS_VIOLATION] = 2;
	end(&b); /* at two places; and twice on one expected */
}

static void
plant_revision_nobody_wrote(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	update(&b, A, 3, 0, 2);
	rejected(&b, A, 3, 0);
	over(&b, A, 3, 1);
	get(&b, LEADER, 0, 3, ID(A, 2)); /* ours, but it is at 2 */
	end_with(&b, ANOMALY_CAS_VIOLATED, CLASS_VIOLATION);
}

static void
plant_refused_but_stored(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	update(&b, B, 1, 0, 1);
	rejected(&b, B, 1, 0);
	over(&b, B, 1, 1);
	get(&b, LEADER, 0, 3, ID(B, 1));
	end_with(&b, ANOMALY_PHANTOM, CLASS_VIOLATION);
}

static void
plant_phantom(void **state)
{
	struct bench b = begin();
	struct event ev;

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 1, 0, 2);
	put_unknown(&b, A, 3, 1, 2);
	get(&b, LEADER, 0, 3, ID(A, 9)); /* never sent */
	get(&b, LEADER, 0, 3, ID(A, 3)); /* for another key */
	get(&b, LEADER, 1, 4, ID(A, 3)); /* above all attempts */
	get(&b, LEADER, 0, 1, ID(A, 2)); /* another is stored there */
	get(&b, DIRECT, 0, 2, ID(A, 1)); /* it is stored at 1 */
	ev = value(0, LEADER, 1, ID(A, 1));
	ev.u.kv_value.run = RUN + 1;
	asks(&b, A, 0, LEADER);
	answers(&b, A, ev);
	b.expected[ANOMALY_PHANTOM][CLASS_VIOLATION] = 6;
	end(&b);
}

static void
plant_corrupt(void **state)
{
	struct bench b = begin();
	struct event ev;

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put_unknown(&b, A, 2, 0, 1);
	ev = value(0, LEADER, 1, ID(A, 1));
	ev.u.kv_value.intact = 0;
	asks(&b, A, 0, LEADER);
	answers(&b, A, ev);
	ev = value(0, LEADER, 1, ID(A, 1));
	ev.u.kv_value.sum++;
	asks(&b, A, 0, LEADER);
	answers(&b, A, ev);
	ev = value(0, LEADER, 2, ID(A, 2));
	ev.u.kv_value.sum++;
	asks(&b, A, 0, LEADER);
	answers(&b, A, ev);
	b.expected[ANOMALY_CORRUPT][CLASS_VIOLATION] = 3;
	end(&b);
}

static void
plant_lost_while_quiet(void **state)
{
	struct bench b = begin();
	unsigned i;

	(void)state;
	leads(&b, "n1");
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	passes(&b, 30 * CLOCK_S);
	for (i = 0; i < 30; i++) {
		get(&b, LEADER, 0, 1, ID(A, 1));
		passes(&b, CLOCK_S / 2);
	}
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 30;
	end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
}

static void
plant_lost_at_audit(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	audit(&b, 1, ID(A, 1), 1, ID(A, 1));
	end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
}

static void
plant_key_gone_at_audit(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	scan_begins(&b);
	final(&b, LEADER, 0, 0, 0);
	scan_ends(&b);
	end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
}

static void
plant_bucket_anew(void **state)
{
	struct bench b = begin();
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	ev.u.scan_begin.created = 2000;
	feed(&b, 9, &ev);
	end_with(&b, ANOMALY_LOST_UPDATE, CLASS_VIOLATION);
}

/* The request to create it was sent twice: its time may be either's. */
static void
legal_another_creation_time(void **state)
{
	struct bench b = begin();
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	ev.u.scan_begin.created = 2000;
	ev.u.scan_begin.last = 1;
	feed(&b, 9, &ev);
	final(&b, LEADER, 0, 1, ID(A, 1));
	final(&b, CONSUMER, 0, 1, ID(A, 1));
	scan_ends(&b);
	end(&b);
}

static void
plant_paths_differ(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	audit(&b, 2, ID(A, 2), 1, ID(A, 1));
	end_with(&b, ANOMALY_DIVERGENCE, CLASS_VIOLATION);
}

static void
plant_leader_lags(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	audit(&b, 1, ID(A, 1), 2, ID(A, 2));
	end_with(&b, ANOMALY_DIVERGENCE, CLASS_VIOLATION);
}

static void
plant_one_update_twice(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, A, 2, 0, 1);
	unknown(&b, A, 2);
	update(&b, A, 2, 0, 1);
	asks(&b, B, 0, LEADER);
	answers(&b, B, value(0, LEADER, 2, ID(A, 2)));
	asks(&b, B, 0, LEADER);
	answers(&b, B, value(0, LEADER, 3, ID(A, 2)));
	end_with(&b, ANOMALY_PHANTOM, CLASS_VIOLATION);
}

static void
plant_one_server_differs(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	scan_begins(&b);
	final(&b, LEADER, 0, 2, ID(A, 2));
	final(&b, CONSUMER, 0, 2, ID(A, 2));
	final(&b, DIRECT, 0, 2, ID(A, 2));
	final(&b, DIRECT, 0, 1, ID(A, 1));
	final(&b, DIRECT, 0, 2, ID(A, 2));
	scan_ends(&b);
	end_with(&b, ANOMALY_DIVERGENCE, CLASS_VIOLATION);
}

/* One replica: there is nobody else who could have answered. */
static void
plant_stale_with_one_replica(void **state)
{
	struct bench b = begin();

	(void)state;
	stream(&b, 1, "file");
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	get(&b, LEADER, 0, 1, ID(A, 1));
	end_with(&b, ANOMALY_STALE_READ, CLASS_VIOLATION);
}

static void
plant_update_times_out(void **state)
{
	struct bench b = begin();

	(void)state;
	option(&b, "op-timeout", "30s");
	update(&b, A, 1, 0, 0);
	unknown(&b, A, 1);
	passes(&b, 60 * CLOCK_S);
	over(&b, A, 1, 2);
	end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_VIOLATION);
}

static void
plant_read_times_out(void **state)
{
	struct bench b = begin();
	struct event failed = {.type = MESSAGE_KV_READ_FAILED};
	unsigned i;

	(void)state;
	option(&b, "op-timeout", "30s");
	for (i = 0; i < 60; i++) {
		asks(&b, A, 0, LEADER);
		failed.u.kv_read_failed.op = b.ops[A];
		feed(&b, A, &failed);
		passes(&b, CLOCK_S);
	}
	end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_VIOLATION);
}

/* It has to be let go on, and then the server has its time again. */
static void
plant_times_out_after_silence(void **state)
{
	struct bench b = begin();

	(void)state;
	option(&b, "op-timeout", "30s");
	update(&b, A, 1, 0, 0);
	stands_still(&b, A, 40 * CLOCK_S);
	unknown(&b, A, 1);
	passes(&b, 51 * CLOCK_S);
	over(&b, A, 1, 2);
	end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_VIOLATION);
}

static void
plant_starved(void **state)
{
	struct bench b = begin();
	uint64_t n;

	(void)state;
	put(&b, B, 1, 0, 0, 1);
	for (n = 1; n < 130; n++) {
		update(&b, A, n, 0, 1);
		rejected(&b, A, n, 0);
		over(&b, A, n, 1);
		passes(&b, CLOCK_S);
	}
	end_with(&b, ANOMALY_OP_TIMEOUT, CLASS_WARNING);
}

/* legal oddities */

static void
legal_plain_run(void **state)
{
	struct bench b = begin();

	(void)state;
	get(&b, LEADER, 0, 0, 0);
	put(&b, A, 1, 0, 0, 1);
	get(&b, LEADER, 0, 1, ID(A, 1));
	put(&b, A, 2, 0, 1, 2);
	get(&b, LEADER, 1, 0, 0);
	put(&b, A, 3, 1, 0, 3);
	get(&b, LEADER, 0, 2, ID(A, 2));
	scan_begins(&b);
	final(&b, LEADER, 0, 2, ID(A, 2));
	final(&b, LEADER, 1, 3, ID(A, 3));
	final(&b, CONSUMER, 0, 2, ID(A, 2));
	final(&b, CONSUMER, 1, 3, ID(A, 3));
	final(&b, DIRECT, 0, 2, ID(A, 2));
	final(&b, DIRECT, 1, 3, ID(A, 3));
	scan_ends(&b);
	end(&b);
}

static void
legal_spurious_rejection(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, A, 2, 0, 1);
	rejected(&b, A, 2, 0);
	over(&b, A, 2, 1);
	get(&b, LEADER, 0, 1, ID(A, 1));
	put(&b, A, 3, 0, 1, 2);
	end(&b);
}

/* Refused because an attempt of its own was stored after all. */
static void
legal_own_unknown_attempt(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, A, 2, 0, 1);
	unknown(&b, A, 2);
	update(&b, A, 2, 0, 1);
	rejected(&b, A, 2, 0);
	get(&b, LEADER, 0, 2, ID(A, 2));
	over(&b, A, 2, 0);
	put(&b, A, 3, 0, 2, 3);
	get(&b, LEADER, 0, 3, ID(A, 3));
	end(&b);
}

static void
legal_duplicate_ack(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, A, 2, 0, 1);
	unknown(&b, A, 2);
	put(&b, B, 1, 1, 0, 3); /* another key goes on */
	update(&b, A, 2, 0, 1);
	duplicate(&b, A, 2, 0, 2);
	get(&b, LEADER, 0, 2, ID(A, 2));
	end(&b);
}

static void
legal_unknown_never_appears(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put_unknown(&b, A, 2, 0, 1);
	passes(&b, 300 * CLOCK_S);
	put(&b, A, 3, 0, 1, 2);
	audit(&b, 2, ID(A, 3), 2, ID(A, 3));
	end(&b);
}

static void
legal_unknown_appears_late(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put_unknown(&b, A, 2, 0, 1);
	passes(&b, 300 * CLOCK_S);
	get(&b, LEADER, 0, 2, ID(A, 2));
	put(&b, A, 3, 0, 2, 3);
	end(&b);
}

/* Learned from an old direct get only, after others were built on it. */
static void
legal_unknown_learned_last(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put_unknown(&b, A, 2, 0, 1);
	asks(&b, B, 0, LEADER);
	answers(&b, B, value(0, LEADER, 2, ID(A, 2)));
	put(&b, B, 1, 0, 2, 3);
	get(&b, DIRECT, 0, 2, ID(A, 2));
	end_with(&b, ANOMALY_STALE_READ, CLASS_DOCUMENTED);
}

static void
legal_killed_client(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, A, 2, 0, 1);
	asks(&b, B, 0, LEADER);
	dies(&b, A);
	dies(&b, B);
	passes(&b, 300 * CLOCK_S); /* neither is retried: no time-out */
	get(&b, LEADER, 0, 2, ID(A, 2));
	put(&b, A, 3, 0, 2, 3);
	end(&b);
}

/* Two clients learn of their successes in the other order. */
static void
legal_acks_cross(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	update(&b, A, 2, 0, 1);
	asks(&b, B, 0, LEADER);
	answers(&b, B, value(0, LEADER, 2, ID(A, 2)));
	put(&b, B, 1, 0, 2, 3);
	accepted(&b, A, 2, 0, 2);
	update(&b, A, 3, 0, 2);
	rejected(&b, A, 3, 0);
	over(&b, A, 3, 1);
	get(&b, LEADER, 0, 3, ID(B, 1));
	end(&b);
}

static void
legal_no_responders(void **state)
{
	struct bench b = begin();
	struct event ev = {.type = MESSAGE_KV_UPDATE_REJECTED};

	(void)state;
	update(&b, A, 1, 0, 0);
	ev.u.kv_update_rejected.id = ID(A, 1);
	feed(&b, A, &ev);
	update(&b, A, 1, 0, 0);
	accepted(&b, A, 1, 0, 1);
	get(&b, LEADER, 0, 1, ID(A, 1));
	end(&b);
}

static void
legal_direct_is_old(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	get(&b, DIRECT, 0, 1, ID(A, 1));
	get(&b, DIRECT, 0, 2, ID(A, 2));
	get(&b, DIRECT, 0, 0, 0); /* not there yet, after it was */
	get(&b, DIRECT, 0, 1, ID(A, 1));
	b.expected[ANOMALY_STALE_READ][CLASS_DOCUMENTED] = 3;
	end(&b);
}

/* Asked before the ack came: any answer is right. */
static void
legal_read_beside_update(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	asks(&b, A, 0, LEADER);
	put(&b, B, 1, 0, 1, 2);
	answers(&b, A, value(0, LEADER, 1, ID(A, 1)));
	end(&b);
}

static void
legal_leader_was_deposed(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	get(&b, LEADER, 0, 1, ID(A, 1));
	get(&b, LEADER, 0, 2, ID(A, 2));
	end_with(&b, ANOMALY_STALE_READ, CLASS_WARNING);
}

/* Old for long, but leaders changed meanwhile, and it healed. */
static void
legal_old_while_leaders_change(void **state)
{
	struct bench b = begin();
	unsigned i;

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	for (i = 0; i < 40; i++) {
		leads(&b, i % 10 < 5 ? "n1" : "n2");
		get(&b, LEADER, 0, 1, ID(A, 1));
		passes(&b, CLOCK_S);
	}
	get(&b, LEADER, 0, 2, ID(A, 2));
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 40;
	end(&b);
}

static void
legal_old_under_fault(void **state)
{
	struct bench b = begin();
	unsigned i;

	(void)state;
	leads(&b, "n1");
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	fault(&b, false);
	for (i = 0; i < 40; i++) {
		get(&b, LEADER, 0, 1, ID(A, 1));
		passes(&b, CLOCK_S);
	}
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 40;
	end(&b);
}

static void
legal_confirm_is_longer(void **state)
{
	struct bench b = begin();
	unsigned i;

	(void)state;
	option(&b, "o", "kv-cas.confirm=60s");
	leads(&b, "n1");
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	for (i = 0; i < 40; i++) {
		get(&b, LEADER, 0, 1, ID(A, 1));
		passes(&b, CLOCK_S);
	}
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 40;
	end(&b);
}

/* Twice, and right in between: no long time of being old. */
static void
legal_old_twice(void **state)
{
	struct bench b = begin();

	(void)state;
	leads(&b, "n1");
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	get(&b, LEADER, 0, 1, ID(A, 1));
	get(&b, LEADER, 0, 2, ID(A, 2));
	passes(&b, 60 * CLOCK_S);
	get(&b, LEADER, 0, 1, ID(A, 1));
	get(&b, LEADER, 0, 2, ID(A, 2));
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 2;
	end(&b);
}

static void
legal_clock_stands(void **state)
{
	struct bench b = begin();

	(void)state;
	option(&b, "op-timeout", "30s");
	fault(&b, true);
	update(&b, A, 1, 0, 0);
	asks(&b, B, 0, LEADER);
	unknown(&b, A, 1);
	passes(&b, 300 * CLOCK_S);
	update(&b, A, 1, 0, 0);
	accepted(&b, A, 1, 0, 1);
	answers(&b, B, value(0, LEADER, 1, ID(A, 1)));
	end(&b);
}

/* A client that stood still was not refused anything meanwhile. */
static void
legal_client_stands_still(void **state)
{
	struct bench b = begin();

	(void)state;
	option(&b, "op-timeout", "30s");
	update(&b, A, 1, 0, 0);
	stands_still(&b, A, 40 * CLOCK_S);
	accepted(&b, A, 1, 0, 1);
	asks(&b, B, 0, LEADER);
	stands_still(&b, B, 40 * CLOCK_S);
	answers(&b, B, value(0, LEADER, 1, ID(A, 1)));
	update(&b, B, 1, 0, 0);
	rejected(&b, B, 1, 0);
	over(&b, B, 1, 1);
	stands_still(&b, B, 130 * CLOCK_S);
	end(&b);
}

/* An old answer that is told late was old when it was asked for. */
static void
legal_old_answer_told_late(void **state)
{
	struct bench b = begin();

	(void)state;
	leads(&b, "n1");
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	passes(&b, 30 * CLOCK_S);
	get(&b, LEADER, 0, 1, ID(A, 1));
	asks(&b, A, 0, LEADER);
	stands_still(&b, A, 30 * CLOCK_S);
	answers(&b, A, value(0, LEADER, 1, ID(A, 1)));
	get(&b, LEADER, 0, 2, ID(A, 2));
	b.expected[ANOMALY_STALE_READ][CLASS_WARNING] = 2;
	end(&b);
}

static void
legal_memory_forgets(void **state)
{
	struct bench b = begin();

	(void)state;
	stream(&b, 3, "memory");
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	fault(&b, false);
	put(&b, A, 3, 0, 0, 1);
	get(&b, LEADER, 0, 1, ID(A, 3));
	put(&b, A, 4, 0, 1, 2);
	get(&b, LEADER, 0, 2, ID(A, 4));
	end_with(&b, ANOMALY_LOST_UPDATE, CLASS_DOCUMENTED);
}

static void
legal_read_but_never_acked(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put_unknown(&b, A, 2, 0, 1);
	get(&b, DIRECT, 0, 2, ID(A, 2));
	audit(&b, 1, ID(A, 1), 1, ID(A, 1));
	end_with(&b, ANOMALY_LOST_UPDATE, CLASS_WARNING);
}

static void
legal_not_settled(void **state)
{
	struct bench b = begin();
	struct event ev = {.type = MESSAGE_SETTLED};

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	feed(&b, 1, &ev);
	audit(&b, 2, ID(A, 2), 1, ID(A, 1));
	end_with(&b, ANOMALY_DIVERGENCE, CLASS_WARNING);
}

/* With history the consumer shows several revisions of a key. */
static void
legal_history(void **state)
{
	struct bench b = begin();

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put(&b, A, 2, 0, 1, 2);
	scan_begins(&b);
	final(&b, LEADER, 0, 2, ID(A, 2));
	final(&b, CONSUMER, 0, 1, ID(A, 1));
	final(&b, CONSUMER, 0, 2, ID(A, 2));
	scan_ends(&b);
	end(&b);
}

/* Refused for a while by the others' success. */
static void
legal_contention(void **state)
{
	struct bench b = begin();
	uint64_t n;

	(void)state;
	put(&b, B, 1, 0, 0, 1);
	for (n = 1; n < 60; n++) {
		update(&b, A, n, 0, n);
		put(&b, B, n + 1, 0, n, n + 1);
		rejected(&b, A, n, 0);
		over(&b, A, n, 1);
		passes(&b, CLOCK_S);
	}
	put(&b, A, 60, 0, 60, 61);
	end(&b);
}

/* Its retry is answered after thousands of others. */
static void
legal_very_late_ack(void **state)
{
	struct bench b = begin();
	uint64_t n;

	(void)state;
	option(&b, "op-timeout", "10m");
	put(&b, A, 1, 0, 0, 1);
	update(&b, B, 1, 0, 1);
	unknown(&b, B, 1);
	for (n = 3; n < 20000; n++)
		put(&b, A, n, 0, n - 1, n);
	update(&b, B, 1, 0, 1);
	duplicate(&b, B, 1, 0, 2);
	end(&b);
}

/* Longer ago than what is kept: counted, and nothing is concluded. */
static void
legal_very_old(void **state)
{
	struct bench b = begin();
	uint64_t n;

	(void)state;
	put(&b, A, 1, 0, 0, 1);
	put_unknown(&b, B, 1, 0, 1);
	put(&b, B, 2, 0, 2, 3); /* on what B:1 became, whoever told it */
	for (n = 4; n < 20000; n++)
		put(&b, A, n, 0, n - 1, n);
	get(&b, DIRECT, 0, 1, ID(A, 1));
	get(&b, DIRECT, 0, 2, ID(B, 1));
	get(&b, DIRECT, 0, 3, ID(A, 3)); /* no longer known to be B:2 */
	b.expected[ANOMALY_STALE_READ][CLASS_DOCUMENTED] = 3;
	end(&b);
}

/*
 * A random honest bucket. Requests take effect at some moment between their
 * sending and their answer; answers may be lost; lost requests may take
 * effect much later or never; direct gets answer from the past.
 */

#define KEYS	4
#define CLIENTS 4
#define PAST	64

struct stored {
	uint64_t revision, id;
};

struct request {
	bool sent, done, answered, accepted;
	uint64_t n, expected, revision;
	uint32_t key;
};

struct bucket {
	struct rng rng;
	uint64_t last;
	struct stored past[KEYS][PAST]; /* the last one first */
	struct request requests[CLIENTS], late[CLIENTS];
	uint64_t known[CLIENTS][KEYS], counters[CLIENTS];
	bool forks; /* the plant: expectations are not looked at once */
};

static void
take_effect(struct bucket *s, uint32_t source, struct request *r)
{
	struct stored *past = s->past[r->key];

	if (r->done)
		return;
	r->done = true;
	r->accepted = past[0].revision == r->expected;
	if (!r->accepted && s->forks && past[0].revision > r->expected &&
	    r->expected != 0) {
		r->accepted = true;
		s->forks = false;
	}
	if (!r->accepted)
		return;
	memmove(past + 1, past, (PAST - 1) * sizeof(*past));
	past[0].revision = r->revision = ++s->last;
	past[0].id = ID(source, r->n);
}

static void
client_sends(struct bucket *s, struct bench *b, uint32_t client)
{
	struct request *r = &s->requests[client];
	uint32_t source = A + client;

	memset(r, 0, sizeof(*r));
	r->sent = true;
	r->n = ++s->counters[client];
	r->key = (uint32_t)rng_below(&s->rng, KEYS);
	r->expected = s->known[client][r->key];
	update(b, source, r->n, r->key, r->expected);
}

static void
client_learns(struct bucket *s, struct bench *b, uint32_t client)
{
	struct request *r = &s->requests[client];
	uint32_t source = A + client;

	r->sent = false;
	if (rng_below(&s->rng, 8) == 0) {
		unknown(b, source, r->n);
		over(b, source, r->n, 2);
		if (!r->done)
			s->late[client] = *r;
		return;
	}
	take_effect(s, source, r);
	if (r->accepted) {
		accepted(b, source, r->n, r->key, r->revision);
		s->known[client][r->key] = r->revision;
		return;
	}
	rejected(b, source, r->n, r->key);
	over(b, source, r->n, 1);
}

static void
client_reads(struct bucket *s, struct bench *b, uint32_t client)
{
	uint32_t key = (uint32_t)rng_below(&s->rng, KEYS), source = A + client;
	bool direct = rng_below(&s->rng, 2) == 0;
	uint64_t age = direct ? rng_below(&s->rng, PAST / 2) : 0;
	const struct stored *v = &s->past[key][age];
	uint8_t path = direct ? DIRECT : LEADER;

	asks(b, source, key, path);
	answers(b, source, value(key, path, v->revision, v->id));
	if (v->revision > s->known[client][key])
		s->known[client][key] = v->revision;
}

static void
bucket_runs(struct bucket *s, struct bench *b, unsigned steps)
{
	struct request *r;
	uint32_t client;

	while (steps-- > 0) {
		client = (uint32_t)rng_below(&s->rng, CLIENTS);
		r = &s->requests[client];
		if (rng_below(&s->rng, 16) == 0 && s->late[client].sent)
			take_effect(s, A + client, &s->late[client]);
		if (!r->sent && rng_below(&s->rng, 2) == 0)
			client_reads(s, b, client);
		else if (!r->sent)
			client_sends(s, b, client);
		else if (rng_below(&s->rng, 2) == 0)
			take_effect(s, A + client, r);
		else
			client_learns(s, b, client);
	}
}

static void
bucket_is_audited(const struct bucket *s, struct bench *b)
{
	uint32_t key;

	scan_begins(b);
	for (key = 0; key < KEYS; key++) {
		final(b, LEADER, key, s->past[key][0].revision,
		    s->past[key][0].id);
		if (s->past[key][0].revision != 0)
			final(b, CONSUMER, key, s->past[key][0].revision,
			    s->past[key][0].id);
	}
	scan_ends(b);
}

static void
legal_chance(void **state)
{
	struct bucket *s = calloc(1, sizeof(*s));
	struct bench b;
	uint64_t seed;

	(void)state;
	assert_non_null(s);
	for (seed = 1; seed <= 40; seed++) {
		memset(s, 0, sizeof(*s));
		rng_init(&s->rng, seed, "honest");
		b = begin();
		bucket_runs(s, &b, 3000);
		bucket_is_audited(s, &b);
		b.expected[ANOMALY_STALE_READ][CLASS_DOCUMENTED] =
		    judge_count(b.judge, ANOMALY_STALE_READ, CLASS_DOCUMENTED);
		end(&b);
	}
	free(s);
}

/* One fork in such a bucket is always found. */
static void
plant_chance(void **state)
{
	struct bucket *s = calloc(1, sizeof(*s));
	struct bench b;
	uint64_t seed;

	(void)state;
	assert_non_null(s);
	for (seed = 1; seed <= 40; seed++) {
		memset(s, 0, sizeof(*s));
		rng_init(&s->rng, seed, "fork");
		b = begin();
		bucket_runs(s, &b, 1000);
		s->forks = true;
		bucket_runs(s, &b, 1000);
		bucket_is_audited(s, &b);
		assert_false(s->forks);
		assert_true(judge_count(b.judge, ANOMALY_CAS_VIOLATED,
				CLASS_VIOLATION) >= 1);
		judge_destroy(b.judge);
	}
	free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plant_two_on_one_expected),
	    cmocka_unit_test(plant_two_on_one_expected_reversed),
	    cmocka_unit_test(plant_two_creates),
	    cmocka_unit_test(plant_fork_seen_by_read),
	    cmocka_unit_test(plant_not_above_expected),
	    cmocka_unit_test(plant_overlooked_revision),
	    cmocka_unit_test(plant_one_revision_twice),
	    cmocka_unit_test(plant_below_what_was_acked),
	    cmocka_unit_test(plant_acked_elsewhere_than_read),
	    cmocka_unit_test(plant_revision_nobody_wrote),
	    cmocka_unit_test(plant_refused_but_stored),
	    cmocka_unit_test(plant_phantom),
	    cmocka_unit_test(plant_corrupt),
	    cmocka_unit_test(plant_lost_while_quiet),
	    cmocka_unit_test(plant_lost_at_audit),
	    cmocka_unit_test(plant_key_gone_at_audit),
	    cmocka_unit_test(plant_bucket_anew),
	    cmocka_unit_test(legal_another_creation_time),
	    cmocka_unit_test(plant_paths_differ),
	    cmocka_unit_test(plant_leader_lags),
	    cmocka_unit_test(plant_one_update_twice),
	    cmocka_unit_test(plant_one_server_differs),
	    cmocka_unit_test(plant_stale_with_one_replica),
	    cmocka_unit_test(plant_update_times_out),
	    cmocka_unit_test(plant_read_times_out),
	    cmocka_unit_test(plant_times_out_after_silence),
	    cmocka_unit_test(plant_starved),
	    cmocka_unit_test(plant_chance),
	    cmocka_unit_test(legal_plain_run),
	    cmocka_unit_test(legal_spurious_rejection),
	    cmocka_unit_test(legal_own_unknown_attempt),
	    cmocka_unit_test(legal_duplicate_ack),
	    cmocka_unit_test(legal_unknown_never_appears),
	    cmocka_unit_test(legal_unknown_appears_late),
	    cmocka_unit_test(legal_unknown_learned_last),
	    cmocka_unit_test(legal_killed_client),
	    cmocka_unit_test(legal_acks_cross),
	    cmocka_unit_test(legal_no_responders),
	    cmocka_unit_test(legal_direct_is_old),
	    cmocka_unit_test(legal_read_beside_update),
	    cmocka_unit_test(legal_leader_was_deposed),
	    cmocka_unit_test(legal_old_while_leaders_change),
	    cmocka_unit_test(legal_old_under_fault),
	    cmocka_unit_test(legal_confirm_is_longer),
	    cmocka_unit_test(legal_old_twice),
	    cmocka_unit_test(legal_clock_stands),
	    cmocka_unit_test(legal_client_stands_still),
	    cmocka_unit_test(legal_old_answer_told_late),
	    cmocka_unit_test(legal_memory_forgets),
	    cmocka_unit_test(legal_read_but_never_acked),
	    cmocka_unit_test(legal_not_settled),
	    cmocka_unit_test(legal_history),
	    cmocka_unit_test(legal_contention),
	    cmocka_unit_test(legal_very_late_ack),
	    cmocka_unit_test(legal_very_old),
	    cmocka_unit_test(legal_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
