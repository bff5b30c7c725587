/* SPDX-License-Identifier: ISC */
/*
 * Stories: histories told by hand. A story keeps the events of a run that
 * never was, with a model of the server behind it (what is stored where,
 * the consumer's numbers), so that honest rounds, planted violations and
 * planted legal oddities are a line each. The events are then judged, or
 * sent through merge and journal, or tampered with first.
 *
 * Sources: 0 the parent, 1 chaos, 2 setup, 3 the publisher, from 4 on the
 * consumers, behind them the audit. The story owns its events.
 */
#ifndef TESTS_STORY_H
#define TESTS_STORY_H

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "tests/support.h"

#define STORY_CHAOS	1
#define STORY_SETUP	2
#define STORY_PUBLISHER 3
#define STORY_CONSUMER	4 /* the first of them */
#define STORY_CONSUMERS 4
#define STORY_AUDIT	(STORY_CONSUMER + STORY_CONSUMERS)
#define STORY_SOURCES	(STORY_AUDIT + 4)
#define STORY_RUN	UINT64_C(0xb0b)
#define STORY_DEDUPE_NS (600 * CLOCK_S)
#define STORY_WAIT_NS	(5 * CLOCK_S) /* ack wait */

enum story_state {
	STORY_HOLE, /* no message has this sequence */
	STORY_STORED,
	STORY_GONE,    /* the scan does not find it any more */
	STORY_DAMAGED, /* the scan reads other bytes */
	STORY_UNREAD   /* the scan passes over it without a word */
};

struct story_message {
	enum story_state state;
	uint64_t id, run;
	int64_t stamp_ns;
};

struct story {
	struct event *events;
	size_t n;
	uint32_t room;
	uint64_t seed;
	struct rng rng;
	uint64_t now_ns, tick_ns;
	uint64_t sent[STORY_SOURCES];
	uint32_t incarnation[STORY_SOURCES];
	/* the server: index is the sequence, 0 is not used */
	struct story_message *stored;
	size_t last;
	uint32_t stored_room;
	uint64_t number;      /* last consumer sequence given */
	uint64_t counter;     /* the publisher's */
	uint64_t outage_seqs; /* the next this many sequences are holes */
	uint32_t faults;
	uint64_t created;
	char leader[32];
	/* As which the servers of somebody else are seen, each 5 s; 0: not. */
	uint64_t process;
	/* set before story_open() */
	const char *mayhem, *storage;
	const char *options[4][2]; /* further ones, by name */
	uint32_t replicas;
	bool strict;
	uint64_t ack_wait_ns;
	/* set before story_close() */
	bool is_anew; /* the stream was created anew, and is empty */
	bool no_audit, no_end;
	void (*before_scan)(struct story *); /* the audit's, or NULL */
	void (*audit)(struct story *);	     /* instead of the honest scan */
};

/* What the judge says of it. */
struct story_verdict {
	struct judge_result result;
	uint64_t counts[ANOMALY_COUNT][CLASS_COUNT];
	char says[8192]; /* the anomalies, reasons and notes, a line each */
};

void story_init(struct story *, uint64_t seed);
void story_fini(struct story *);

/* Append an event of a source, stamped; valid until the next one. */
struct event *story_add(struct story *, uint32_t source, enum message_type);

/* Append one that has no fields. */
void story_say(struct story *, uint32_t source, enum message_type);

/* Time passes, with a tick each second. */
void story_pass(struct story *, uint64_t ns);

void story_phase(struct story *, const char *name);

/* Everything before the load, and everything after it. */
void story_open(struct story *);
void story_close(struct story *);

/* One honest round, and n of them. */
uint64_t story_round(struct story *);
void story_rounds(struct story *, unsigned n);

/* A fault's life; returns its number. */
uint32_t story_fault(struct story *, bool stops_clock);
void story_healed(struct story *, uint32_t fault, bool ok);
void story_leader(struct story *, const char *leader);

/* Its cause is undone; the cluster is whole after one not seen healed. */
void story_undone(struct story *, uint32_t fault, uint64_t patience_ns);
void story_whole(struct story *);

/* Time passes in which our link proxies stand still, which chaos tells. */
void story_silence(struct story *, uint64_t ns);

/* All servers answer, or one of them; a group is sick for so long. */
void story_answers(struct story *);
void story_answer(struct story *, uint32_t node, bool ok);
void story_sick(
    struct story *, uint8_t what, const char *name, uint64_t sick_ns);

/* The publisher. An id is new, or an earlier one for another attempt. */
uint64_t story_new_id(struct story *);
void story_invoke(struct story *, uint64_t id, uint32_t attempt);
void story_ok(struct story *, uint64_t id, uint64_t seq, bool duplicate);
void story_unknown(struct story *, uint64_t id, uint32_t attempt);
void story_fail(struct story *, uint64_t id, uint32_t attempt);
void story_publish_end(struct story *, uint64_t id, uint8_t outcome);

/* The server stores a message; no event says so. Returns its sequence. */
uint64_t story_store(struct story *, uint64_t id);

/* The checksum of a message's payload. */
uint64_t story_sum(uint64_t id);

/* What the scan shall find at a sequence. */
void story_mark(struct story *, uint64_t seq, enum story_state);

/* Publish honestly; returns the sequence. */
uint64_t story_publish(struct story *);

/*
 * A consumer process receives what is stored at a sequence: as the server's
 * next number, which is returned; with a number of one's own; or so, for
 * those who then change the event.
 */
uint64_t story_deliver(
    struct story *, uint32_t source, uint64_t seq, uint64_t delivered);
void story_deliver_as(struct story *, uint32_t source, uint64_t seq,
    uint64_t number, uint64_t delivered);
struct event *story_deliver_event(struct story *, uint32_t source, uint64_t seq,
    uint64_t number, uint64_t delivered);

void story_ack_invoke(
    struct story *, uint32_t source, uint64_t seq, uint64_t number);
void story_ack_ok(
    struct story *, uint32_t source, uint64_t seq, uint64_t number);
void story_ack_unknown(struct story *, uint32_t source, uint64_t seq,
    uint64_t number, bool gave_up);

/* Deliver once and ack with confirmation. */
void story_consume(struct story *, uint64_t seq);

/* A consumer process at random. */
uint32_t story_consumer(struct story *);

/* A process is killed, and started again. */
void story_kill(struct story *, uint32_t source);
void story_restart(struct story *, uint32_t source);
void story_restart_slowly(
    struct story *, uint32_t source, uint64_t connects_ns);

/* The scan of the stream alone, as story_close() does it. */
void story_scan(struct story *, uint32_t source);

/*
 * For before_scan: the consumer says that it delivered up to the end, and that
 * nothing awaits its ack.
 */
void story_drained(struct story *);

/* Judge the events. */
void story_judge(const struct story *, struct story_verdict *);

/* Fail if a check that found a violation says that it judged nothing. */
void story_expect_judged(const struct judge *);

/* Violations of all kinds but one. */
uint64_t story_other_violations(
    const struct story_verdict *, enum anomaly_kind but);

/* Print the last events of it, for a test that failed. */
void story_dump(const struct story *, size_t last);

/*
 * chance.c: a random legal history of a lossy cluster with changing
 * leaders: late and lost deliveries, retries, unknown outcomes, colliding
 * numbers, dead workers. Opens and closes the story by itself.
 */
void story_chance(struct story *, unsigned steps);

#endif
