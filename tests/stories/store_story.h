/* SPDX-License-Identifier: ISC */
/*
 * Histories of streams whose messages go away, told by hand: what clients of
 * one stream do, and what the audit shows. The judge is fed at once, and the
 * end compares what it raised with what the test expects.
 */
#ifndef TESTS_STORE_STORY_H
#define TESTS_STORE_STORY_H

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "tests/support.h"

#define STORE_RUN    7
#define STORE_STREAM 0
#define STORE_SEQS   8192

struct store_story {
	struct judge *judge;
	uint64_t now;
	uint64_t counter;	      /* of messages and changes */
	uint64_t last;		      /* sequence that was stored last */
	uint64_t ids[STORE_SEQS];     /* by sequence */
	bool is_gone[STORE_SEQS];     /* the audit finds nothing there */
	uint32_t markers[STORE_SEQS]; /* subjects of markers that it finds */
	uint64_t look;
	uint64_t end;	   /* the last sequence after the scan; 0: as before */
	uint8_t retention; /* RETENTION_... */
	uint64_t behind;   /* messages read that the leader does not count */
	bool is_uncounted; /* it does not say how many there are */
	void (*more)(struct store_story *); /* of the audit; or NULL */
	struct judge_result result;
	uint64_t expected[ANOMALY_COUNT][CLASS_COUNT];
};

/* An event of client, a millisecond later. */
void store_feed(struct store_story *, struct event *);

/* Time passes, with a tick and a leader each second. */
void store_pass(struct store_story *, uint64_t ns);

/* The head of a history, with a stream of three replicas in files. */
void store_begin(struct store_story *, const struct msg_contents *);

/* The same, with another --cluster. */
void store_begin_on(
    struct store_story *, const struct msg_contents *, const char *cluster);

/* The same, with one replica. */
void store_begin_alone(struct store_story *, const struct msg_contents *);

/* The stream drops what consumers have ended (RETENTION_...). */
void store_retain(struct store_story *, uint8_t retention);

/* A server is killed, and healed a second later. */
void store_fault(struct store_story *);

/* The client dies, and another process goes on as the same. */
void store_dies(struct store_story *);

/* Terms of a publish; publish it: sent, confirmed and over. */
struct msg_publish_terms store_terms(struct store_story *, uint32_t subject);
void store_told(struct store_story *, const struct msg_publish_terms *);
void store_sent(struct store_story *, const struct msg_publish_terms *);
void store_acked(
    struct store_story *, uint64_t id, uint64_t seq, bool duplicate);
void store_unknown(struct store_story *, uint64_t id, bool ends);
uint64_t store_put(struct store_story *, const struct msg_publish_terms *);
uint64_t store_publish(struct store_story *, uint32_t subject);
void store_publish_many(struct store_story *, unsigned n, uint32_t subjects);

/*
 * A batch of so many messages begins: the id of its first; its commit is sent;
 * it is stored and acknowledged; or it was refused or not answered.
 */
uint64_t store_batch(struct store_story *, uint32_t n);
void store_batch_begun(struct store_story *, uint64_t last_id, uint32_t n);
void store_batch_sent(struct store_story *, uint64_t first, uint32_t n);
void store_batch_ok(struct store_story *, uint64_t first, uint32_t n);
void store_batch_not(
    struct store_story *, enum message_type, uint64_t first, uint32_t n);

/* The answer to a commit says so many, and names the batch. */
void store_batch_told(
    struct store_story *, uint64_t last_id, uint32_t n, bool same);

/* A removal is asked for, and what becomes of it. */
uint64_t store_remove(struct store_story *, const struct msg_remove_invoke *);
void store_changed(struct store_story *, enum message_type, uint64_t id);
void store_purged(struct store_story *, uint64_t id, uint64_t removed);
void store_not_there(struct store_story *, uint64_t id);

/* One that is confirmed; the audit finds nothing of those sequences. */
void store_delete(struct store_story *, uint64_t seq);
void store_purge(struct store_story *, uint64_t last);

/* The audit finds nothing from first to last. */
void store_drop(struct store_story *, uint64_t first, uint64_t last);

/* Limits are changed. */
void store_limits(struct store_story *, uint64_t messages, uint64_t age_ns);

/* A read by the leader, with what it shows; 0: nothing. */
void store_look(struct store_story *, const struct msg_look *);
void store_shown(struct store_story *, uint32_t subject, uint64_t seq);
void store_looked(struct store_story *, uint32_t shown);

/* A marker is read, by the audit or otherwise. */
void store_marked(struct store_story *, const struct msg_marked *);

/* A stream's numbers. */
void store_numbers(struct store_story *, uint64_t messages, uint64_t bytes);

/* The audit, and the end: nothing was raised but what is expected. */
void store_end(struct store_story *);
void store_end_with(
    struct store_story *, enum anomaly_kind, enum anomaly_class);

#endif
