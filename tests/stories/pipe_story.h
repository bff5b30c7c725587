/* SPDX-License-Identifier: ISC */
/*
 * Histories of the workload "pipeline", told event by event as they are made
 * up: publishers with many messages in flight, durables shared by reader
 * processes, a server in between. What comes out is legal, also where the
 * story is told to have trouble; a plant, called when a number of messages
 * was published, may add what isn't. The model remembers what each sequence
 * holds, for the scan; events are handed to the sink and forgotten.
 *
 * Sources: 0 the parent, 1 chaos, 2 setup, from 3 the publishers, then the
 * readers, then the audit.
 */
#ifndef TESTS_PIPE_STORY_H
#define TESTS_PIPE_STORY_H

#include <stdbool.h>

#include "proto/base/rng.h"
#include "proto/message.h"

#define PIPE_RUN	UINT64_C(0xb0b)
#define PIPE_CREATED	UINT64_C(77)
#define PIPE_WALL_NS	INT64_C(1700000000000000000)
#define PIPE_PUBLISHER	3
#define PIPE_PUBLISHERS 4 /* at most */
#define PIPE_DURABLES	4 /* at most */
#define PIPE_READERS	3 /* of each durable */
#define PIPE_READER	(PIPE_PUBLISHER + PIPE_PUBLISHERS)
#define PIPE_AUDIT	(PIPE_READER + PIPE_DURABLES * PIPE_READERS)
#define PIPE_SOURCES	(PIPE_AUDIT + 1)
#define PIPE_PLANTS	3
#define PIPE_HELD	512
#define PIPE_NAME	"NB_b0b_pipe"

/* What the scan shall find at a sequence. */
enum pipe_found {
	PIPE_STORED,
	PIPE_GONE,
	PIPE_DAMAGED,
	PIPE_LEFT
};

struct pipe_stored {
	uint64_t id;
	uint64_t scan_id; /* what the scan shows instead, or 0 */
	uint8_t found;
	uint8_t acked; /* bits of the durables that applied an ack */
};

/* A delivery: on its way, or waiting for its ack. */
struct pipe_parcel {
	uint64_t seq, number, delivered;
	uint64_t due_ns; /* when it is told, or sent again */
};

struct pipe_parcels {
	struct pipe_parcel at[PIPE_HELD];
	unsigned n;
};

struct pipe_durable {
	uint64_t cursor; /* sequences up to this were delivered once */
	uint64_t number; /* last consumer sequence */
	struct pipe_parcels held[PIPE_READERS]; /* told, and not acked */
	struct pipe_parcels again;		/* to be sent again */
	struct pipe_parcels late;		/* sent, and told when due */
};

struct pipe_story {
	void (*sink)(void *arg, struct event *);
	void *arg;
	/* set before pipe_story_tell() */
	uint64_t messages;
	uint32_t publishers, durables;
	unsigned burst;	   /* messages that a publisher sends at a time */
	unsigned trouble;  /* of 1000 messages, or deliveries, some */
	uint8_t retention; /* as in STREAM_RULES */
	uint8_t acks;	   /* as in CONSUMER_RULES */
	uint64_t max_ack_pending;
	bool filter, faults;
	unsigned answers; /* of 1000 deliveries that are answered, some */
	uint64_t max_deliver;
	bool has_backoff; /* of 1 s, then 3 s */
	bool is_unknown;  /* that every replica has the durables: not told */
	bool no_states;	  /* the audit says nothing of the durables */
	/* What a durable says of itself may be changed. */
	void (*twist)(uint32_t durable, struct msg_consumer_info *);
	uint64_t plant_at[PIPE_PLANTS]; /* messages, upwards */
	unsigned nplants;
	void (*plant)(struct pipe_story *);
	/* the model */
	struct rng rng;
	uint64_t now_ns, tick_ns, fault_ns, heal_ns;
	uint64_t sent[PIPE_SOURCES];
	uint32_t incarnation[PIPE_SOURCES];
	uint64_t counters[PIPE_PUBLISHERS];
	struct pipe_stored *stored; /* by sequence, from 1 */
	uint64_t last, room;
	uint64_t published;
	uint32_t fault;
	struct pipe_durable durable[PIPE_DURABLES];
	uint64_t events;
};

void pipe_story_init(struct pipe_story *, uint64_t seed);
void pipe_story_fini(struct pipe_story *);

/* The whole story, from its head to its end. */
void pipe_story_tell(struct pipe_story *);

/* For plants: one event of a source, with its stamp; then pipe_emit(). */
void pipe_event(uint32_t source, enum message_type, struct event *);
void pipe_emit(struct pipe_story *, struct event *);

/* Time passes, with a tick each second. */
void pipe_pass(struct pipe_story *, uint64_t ns);
void pipe_leaders(struct pipe_story *, const char *leader);

uint64_t pipe_new_id(struct pipe_story *, uint32_t publisher);
void pipe_invoke(struct pipe_story *, uint64_t id, uint32_t attempt);
uint64_t pipe_store(struct pipe_story *, uint64_t id);
void pipe_ok(struct pipe_story *, uint64_t id, uint32_t attempt, uint64_t seq,
    bool duplicate);
void pipe_unknown(struct pipe_story *, uint64_t id, uint32_t attempt);
void pipe_end(struct pipe_story *, uint64_t id);

/* Told by a reader of a durable; without any book-keeping. */
void pipe_deliver(struct pipe_story *, uint32_t durable, uint32_t reader,
    const struct pipe_parcel *);
/* A reader is killed, and started again; without any book-keeping, too. */
void pipe_kill(struct pipe_story *, uint32_t durable, uint32_t reader);
void pipe_acks_begin(
    struct pipe_story *, uint32_t durable, uint32_t reader, uint32_t count);
void pipe_ack_ok(struct pipe_story *, uint32_t durable, uint32_t reader,
    const struct pipe_parcel *);
void pipe_ack_unknown(struct pipe_story *, uint32_t durable, uint32_t reader,
    const struct pipe_parcel *);

/* An answer that is no ack, and what became of it (ANSWER_OK or _UNKNOWN). */
void pipe_answer(struct pipe_story *, uint32_t reader,
    const struct pipe_parcel *, enum message_word how, uint64_t delay_ns);
void pipe_answer_end(struct pipe_story *, uint32_t reader,
    const struct pipe_parcel *, enum message_type, enum message_word how);

/* Everything that is stored was delivered and acked, and nothing is open. */
void pipe_catch_up(struct pipe_story *);

/* Durable k takes this message. */
bool pipe_takes(const struct pipe_story *, uint32_t k, uint64_t id);

#endif
