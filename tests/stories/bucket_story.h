/* SPDX-License-Identifier: ISC */
/*
 * Histories of the workload kv-cas, told by hand: what clients of one bucket
 * do, and what its audit shows. The judge is fed at once, and the end
 * compares what it raised with what the test expects.
 */
#ifndef TESTS_BUCKET_STORY_H
#define TESTS_BUCKET_STORY_H

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "tests/support.h"

#define BUCKET_RUN 7

#define LEADER	 1
#define DIRECT	 2
#define CONSUMER 3
#define A	 2 /* sources of two clients */
#define B	 3

#define ID(source, n) message_id(source, n)

struct bucket_story {
	struct judge *judge;
	uint64_t now;
	uint64_t ops[16]; /* reads, by source */
	char leader[32];  /* whom monitoring names each second; "": nobody */
	uint64_t expected[ANOMALY_COUNT][CLASS_COUNT];
};

/* An event of a source, a millisecond later. */
void bucket_feed(struct bucket_story *b, uint32_t source, struct event *ev);

/* Time passes, with a tick and the leader each second. */
void bucket_pass(struct bucket_story *b, uint64_t ns);

/* A client neither works nor beats for so long, and the parent says so. */
void bucket_stand_still(struct bucket_story *b, uint32_t source, uint64_t ns);

/* An option of the run. */
void bucket_option(struct bucket_story *b, const char *name, const char *value);

/* The bucket, told anew with other properties. */
void bucket_stream(
    struct bucket_story *b, uint32_t replicas, const char *storage);

/* The head of a history, with a bucket of three replicas in files. */
struct bucket_story bucket_begin(void);

/* Nothing was raised but what the test expects. */
void bucket_end(struct bucket_story *b);

/* The same, but for one anomaly. */
void bucket_end_with(
    struct bucket_story *b, enum anomaly_kind kind, enum anomaly_class class);

/* The checksum of the value that update id writes. */
uint64_t bucket_sum_of(uint64_t id);

/* Update n of a source is sent, and what becomes of it. */
void bucket_update(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t expected);
void bucket_accept(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t revision);
void bucket_accept_again(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t revision);
void bucket_unknown(struct bucket_story *b, uint32_t source, uint64_t n);
void bucket_reject(
    struct bucket_story *b, uint32_t source, uint64_t n, uint32_t key);
void bucket_over(
    struct bucket_story *b, uint32_t source, uint64_t n, uint8_t outcome);

/* It is sent, and refused as one with a wrong last revision. */
void bucket_refused(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t expected);

/* An update that is accepted at once. */
void bucket_put(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t expected, uint64_t revision);

/* An update whose outcome is never learned. */
void bucket_put_unknown(struct bucket_story *b, uint32_t source, uint64_t n,
    uint32_t key, uint64_t expect);

/* A read of client A, in two halves or whole. */
void bucket_ask(
    struct bucket_story *b, uint32_t source, uint32_t key, uint8_t path);
struct event bucket_value(
    uint32_t key, uint8_t path, uint64_t revision, uint64_t id);
void bucket_answer(struct bucket_story *b, uint32_t source, struct event ev);
void bucket_get(struct bucket_story *b, uint8_t path, uint32_t key,
    uint64_t revision, uint64_t id);

/* The audit, event by event. */
void bucket_final(struct bucket_story *b, uint8_t path, uint32_t key,
    uint64_t revision, uint64_t id);
void bucket_scan_begin(struct bucket_story *b);
void bucket_scan_end(struct bucket_story *b);

/* The audit of key 0 by leader and consumer. */
void bucket_audit(struct bucket_story *b, uint64_t leader, uint64_t leader_id,
    uint64_t consumer, uint64_t consumer_id);

/* Leaders and faults; a client that dies. */
void bucket_lead(struct bucket_story *b, const char *who);
void bucket_fault(struct bucket_story *b, bool stops_clock);
void bucket_die(struct bucket_story *b, uint32_t source);

#endif
