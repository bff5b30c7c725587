/* SPDX-License-Identifier: ISC */
/*
 * Histories of a consumer that comes, changes and goes, told by hand, on a
 * stream of store_story.h, whose functions publish, remove and end. The
 * consumer's leader and the meta leader are seen each second.
 */
#ifndef TESTS_CHURN_STORY_H
#define TESTS_CHURN_STORY_H

#include "tests/stories/store_story.h"

#define CHURN_CONSUMER 3
#define CHURN_CREATED  UINT64_C(5000)

struct churn_story {
	struct store_story store;
	struct msg_consumer_terms terms; /* asked for in what follows */
	const char *name, *leader, *meta;
	bool is_led;		      /* the consumer has a leader */
	uint64_t created;	      /* what the server says of it */
	uint64_t number;	      /* of its last delivery */
	uint64_t pulls;		      /* number of the last request */
	uint64_t numbers[STORE_SEQS]; /* of the last of each sequence */
};

/* As store_begin(), and 40 s later 40 messages of subjects 1 to 4 in turn. */
void churn_begin(struct churn_story *);

/* Time passes, with leaders each second. */
void churn_pass(struct churn_story *, uint64_t ns);

/* An attempt (EDIT_...) with s->terms begins; its id. */
uint64_t churn_ask(struct churn_story *, uint8_t what);

/* It is answered (CHANGE_...), or all of it: it is made, changed, ended. */
void churn_answer(struct churn_story *, enum message_type, uint64_t id);
void churn_made(struct churn_story *, uint64_t id);
void churn_create(struct churn_story *);
void churn_update(struct churn_story *);
void churn_delete(struct churn_story *);
void churn_over(struct churn_story *);

/* It delivers a sequence; its client acks that with confirmation. */
void churn_deliver(struct churn_story *, uint64_t seq, uint64_t delivered);
void churn_ack(struct churn_story *, uint64_t seq);

/* Both, of all from first to last of the subjects that it takes. */
void churn_take(struct churn_story *, uint64_t first, uint64_t last);

/* Its client asks for messages; so much came of it. */
void churn_pull(struct churn_story *, uint32_t batch, uint64_t max_bytes);
void churn_pulled(struct churn_story *, uint32_t messages, uint64_t bytes);

/* Its client uses it no more. */
void churn_leave(struct churn_story *);

/* A request is of who holds a pin (0: none), and its messages name one. */
void churn_pinned(struct churn_story *, uint64_t sent, uint64_t got);

/* What is said of it when asked now: found, with zeros, and not drained. */
struct msg_consumer_seen churn_look(struct churn_story *);
void churn_seen(struct churn_story *, const struct msg_consumer_seen *);

/* It has nothing left, and its client nothing to do. */
void churn_drained(struct churn_story *);

/* 20 s later the history is over, and this was raised, or nothing. */
void churn_end(struct churn_story *);
void churn_end_with(
    struct churn_story *, enum anomaly_kind, enum anomaly_class);

#endif
