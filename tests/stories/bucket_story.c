/* SPDX-License-Identifier: ISC */
/* Histories of kv-cas, told by hand; see bucket_story.h. */
#include "tests/stories/bucket_story.h"

#include <string.h>

#include "proto/base/text.h"
#include "tests/stories/story.h"

#define WRONG_SEQ 10071

void
bucket_feed(struct bucket_story *b, uint32_t source, struct event *ev)
{
	b->now += CLOCK_MS;
	ev->time_ns = b->now;
	ev->source = source;
	assert_int_equal(judge_event(b->judge, ev), 0);
}

void
bucket_pass(struct bucket_story *b, uint64_t ns)
{
	struct event tick = {.type = MESSAGE_TICK};
	uint64_t end = b->now + ns;

	while (b->now < end) {
		b->now += CLOCK_S;
		bucket_feed(b, 0, &tick);
		if (b->leader[0] != '\0')
			bucket_lead(b, b->leader);
	}
}

void
bucket_stand_still(struct bucket_story *b, uint32_t source, uint64_t ns)
{
	struct event ev = {.type = MESSAGE_CHILD_SILENT};
	uint64_t begin_ns = b->now, end = b->now + ns;

	ev.u.child_silent.child = source;
	while (b->now < end) {
		bucket_pass(b, CLOCK_S);
		ev.u.child_silent.silent_ns = b->now - begin_ns;
		bucket_feed(b, 0, &ev);
	}
}

void
bucket_option(struct bucket_story *b, const char *name, const char *value)
{
	struct event ev = {.type = MESSAGE_OPTION};

	text_set(ev.u.option.name, sizeof(ev.u.option.name), name);
	text_set(ev.u.option.value, sizeof(ev.u.option.value), value);
	bucket_feed(b, 0, &ev);
}

void
bucket_stream(struct bucket_story *b, uint32_t replicas, const char *storage)
{
	struct event ev = {.type = MESSAGE_STREAM};

	ev.u.stream.replicas = replicas;
	ev.u.stream.created = 1000;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), "KV_x");
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage), storage);
	bucket_feed(b, 1, &ev);
}

struct bucket_story
bucket_begin(void)
{
	struct bucket_story b = {.now = 1000 * CLOCK_S};
	struct event ev = {.type = MESSAGE_RUN};

	b.judge = judge_create(NULL, NULL);
	assert_non_null(b.judge);
	ev.u.run.run = BUCKET_RUN;
	bucket_feed(&b, 0, &ev);
	bucket_stream(&b, 3, "file");
	return b;
}

void
bucket_end(struct bucket_story *b)
{
	struct event over = {.type = MESSAGE_PHASE};
	struct judge_result r;
	unsigned kind, class;

	text_set(over.u.phase.name, sizeof(over.u.phase.name), "end");
	bucket_feed(b, 0, &over);
	judge_finish(b->judge, &r);
	story_expect_judged(b->judge);
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

void
bucket_end_with(
    struct bucket_story *b, enum anomaly_kind kind, enum anomaly_class class)
{
	b->expected[kind][class] = 1;
	bucket_end(b);
}

uint64_t
bucket_sum_of(uint64_t id)
{
	return id * 31;
}

void
bucket_update(struct bucket_story *b, uint32_t source, uint64_t n, uint32_t key,
    uint64_t expected)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE};

	ev.u.kv_update.id = message_id(source, n);
	ev.u.kv_update.key = key;
	ev.u.kv_update.expected = expected;
	ev.u.kv_update.attempt = 1;
	ev.u.kv_update.sum = bucket_sum_of(ev.u.kv_update.id);
	bucket_feed(b, source, &ev);
}

void
bucket_accept(struct bucket_story *b, uint32_t source, uint64_t n, uint32_t key,
    uint64_t revision)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_OK};

	ev.u.kv_update_ok.id = message_id(source, n);
	ev.u.kv_update_ok.key = key;
	ev.u.kv_update_ok.revision = revision;
	bucket_feed(b, source, &ev);
}

void
bucket_accept_again(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t revision)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_OK};

	ev.u.kv_update_ok.id = message_id(source, n);
	ev.u.kv_update_ok.key = key;
	ev.u.kv_update_ok.revision = revision;
	ev.u.kv_update_ok.duplicate = 1;
	bucket_feed(b, source, &ev);
}

void
bucket_unknown(struct bucket_story *b, uint32_t source, uint64_t n)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_UNKNOWN};

	ev.u.kv_update_unknown.id = message_id(source, n);
	bucket_feed(b, source, &ev);
}

void
bucket_reject(struct bucket_story *b, uint32_t source, uint64_t n, uint32_t key)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_REJECTED};

	ev.u.kv_update_rejected.id = message_id(source, n);
	ev.u.kv_update_rejected.key = key;
	ev.u.kv_update_rejected.code = WRONG_SEQ;
	bucket_feed(b, source, &ev);
}

void
bucket_over(
    struct bucket_story *b, uint32_t source, uint64_t n, uint8_t outcome)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_END};

	ev.u.kv_update_end.id = message_id(source, n);
	ev.u.kv_update_end.outcome = outcome;
	bucket_feed(b, source, &ev);
}

void
bucket_refused(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t expected)
{
	bucket_update(b, source, n, key, expected);
	bucket_reject(b, source, n, key);
	bucket_over(b, source, n, ENDED_FAILED);
}

void
bucket_put(struct bucket_story *b, uint32_t source, uint64_t n, uint32_t key,
    uint64_t expected, uint64_t revision)
{
	bucket_update(b, source, n, key, expected);
	bucket_accept(b, source, n, key, revision);
}

void
bucket_put_unknown(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t expect)
{
	bucket_update(b, source, n, key, expect);
	bucket_unknown(b, source, n);
	bucket_over(b, source, n, 2);
}

void
bucket_ask(struct bucket_story *b, uint32_t source, uint32_t key, uint8_t path)
{
	struct event ev = {.type = MESSAGE_KV_READ};

	ev.u.kv_read.op = ++b->ops[source];
	ev.u.kv_read.key = key;
	ev.u.kv_read.path = path;
	bucket_feed(b, source, &ev);
}

struct event
bucket_value(uint32_t key, uint8_t path, uint64_t revision, uint64_t id)
{
	struct event ev = {.type = MESSAGE_KV_VALUE};
	struct msg_kv_value *m = &ev.u.kv_value;

	m->key = key;
	m->path = path;
	m->found = revision != 0;
	m->revision = revision;
	m->id = id;
	m->run = BUCKET_RUN;
	m->sum = bucket_sum_of(id);
	m->intact = 1;
	return ev;
}

void
bucket_answer(struct bucket_story *b, uint32_t source, struct event ev)
{
	ev.u.kv_value.op = b->ops[source];
	bucket_feed(b, source, &ev);
}

void
bucket_get(struct bucket_story *b, uint8_t path, uint32_t key,
    uint64_t revision, uint64_t id)
{
	bucket_ask(b, A, key, path);
	bucket_answer(b, A, bucket_value(key, path, revision, id));
}

void
bucket_final(struct bucket_story *b, uint8_t path, uint32_t key,
    uint64_t revision, uint64_t id)
{
	struct event ev = {.type = MESSAGE_KV_FINAL};
	struct msg_kv_final *m = &ev.u.kv_final;

	m->key = key;
	m->path = path;
	m->found = revision != 0;
	m->revision = revision;
	m->id = id;
	m->run = BUCKET_RUN;
	m->sum = bucket_sum_of(id);
	m->intact = 1;
	bucket_feed(b, 9, &ev);
}

void
bucket_scan_begin(struct bucket_story *b)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};

	ev.u.scan_begin.created = 1000;
	bucket_feed(b, 9, &ev);
}

void
bucket_scan_end(struct bucket_story *b)
{
	struct event ev = {.type = MESSAGE_SCAN_END};

	ev.u.scan_end.complete = 1;
	bucket_feed(b, 9, &ev);
}

void
bucket_audit(struct bucket_story *b, uint64_t leader, uint64_t leader_id,
    uint64_t consumer, uint64_t consumer_id)
{
	bucket_scan_begin(b);
	bucket_final(b, LEADER, 0, leader, leader_id);
	bucket_final(b, CONSUMER, 0, consumer, consumer_id);
	bucket_scan_end(b);
}

void
bucket_lead(struct bucket_story *b, const char *who)
{
	struct event ev = {.type = MESSAGE_LEADER};

	ev.u.leader.what = 2;
	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), "KV_x");
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), who);
	memcpy(b->leader, ev.u.leader.leader, sizeof(b->leader));
	bucket_feed(b, 1, &ev);
}

void
bucket_fault(struct bucket_story *b, bool stops_clock)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = 1;
	ev.u.fault_planned.stops_clock = stops_clock;
	bucket_feed(b, 1, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_FAULT_APPLIED;
	ev.u.fault_applied.fault = 1;
	ev.u.fault_applied.ok = 1;
	bucket_feed(b, 1, &ev);
}

void
bucket_die(struct bucket_story *b, uint32_t source)
{
	struct event ev = {.type = MESSAGE_CHILD_EXIT};

	ev.u.child_exit.child = source;
	ev.u.child_exit.signal = 9;
	bucket_feed(b, 0, &ev);
}
