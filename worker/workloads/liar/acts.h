/* SPDX-License-Identifier: ISC */
/*
 * The liar's story as a list of acts: what a publisher, a consumer and a
 * perfect server would have done. The functions append acts to those of the
 * present round; twists are told with them.
 */
#ifndef WORKER_LIAR_ACTS_H
#define WORKER_LIAR_ACTS_H

#include "proto/base/clock.h"
#include "worker/internal.h"

#define CREATED_NS	 (INT64_C(1700000000) * (int64_t)CLOCK_S)
#define WINDOW_NS	 (120 * CLOCK_S) /* pretended dedupe window */
#define PROOF_ROUNDS	 3   /* behind a redelivery, until it is proven */
#define LATE_ROUNDS	 20U /* until an unknown one turns up */
#define ACTS_MAX	 256
#define LIAR_ACK_WAIT_NS (CLOCK_S / 5)

enum act_type {
	ACT_BATCH, /* it begins */
	ACT_INVOKE,
	ACT_OK,
	ACT_FAIL,
	ACT_UNKNOWN,
	ACT_END,
	ACT_REPEAT, /* sent again, and answered */
	ACT_COUNT,  /* a counter's value is told with it */
	ACT_SCHEDULE,
	ACT_BARE,  /* a consumer of headers alone, and what it sends */
	ACT_STORE, /* the pretended server stores: for the audit */
	ACT_DELIVER,
	ACT_ACK_INVOKE,
	ACT_ACK_OK,
	ACT_ACK_UNKNOWN,
	ACT_LEADER,
	ACT_PLANNED,
	ACT_APPLIED,
	ACT_UNDONE,
	ACT_HEALED,
	ACT_SICK,
	ACT_WELL,
	ACT_SILENT,
	ACT_ENDED,
	ACT_PAUSE,
	ACT_BREAK,
	ACT_TYPES
};

/* What is odd about a message as it is read. */
enum odd {
	ODD_NOT,
	ODD_ABSENT,   /* it is gone */
	ODD_SILENT,   /* the scan does not say */
	ODD_BROKEN,   /* does not pass its checksum */
	ODD_CHANGED,  /* passes, but is not what was published */
	ODD_FOREIGN,  /* of another run */
	ODD_UNCOPIED, /* the mirror of the stream lacks it */
	ODD_MISCOPIED /* or has another one in its place */
};

struct act {
	enum act_type type;
	enum odd odd;
	uint64_t counter, seq;
	/* Consumer sequence; or how long it takes, ns; or the first answer. */
	uint64_t number;
	uint32_t count; /* attempt, delivery count, outcome, messages */
	/* duplicate; a fast batch; the fault stops the clock; was not healed */
	bool flag;
	int64_t stamp_ns;
	const char *text;
	void (*how)(struct worker *); /* ACT_BREAK */
};

struct story;

/* What a plant or a legal oddity tells in place of some rounds. */
struct twist {
	const char *name;
	uint64_t rounds; /* that it tells */
	void (*tell)(struct story *);
};

struct story {
	struct act acts[ACTS_MAX]; /* of the present round or twist */
	unsigned n;
	uint64_t messages, rounds, twist_at;
	uint64_t counter, seq, number; /* the last that were used */
	int64_t skew_ns;	       /* of the pretended server's clock */
	uint64_t op_late_ns, consume_late_ns, recover_late_ns;
	const struct twist *plant, *legal;
	bool is_twisted;
};

/* A message at a place in the stream. */
struct copy {
	uint64_t counter, seq;
	int64_t stamp_ns;
};

/* Publishing, act by act. */
void act_invoke(struct story *, uint64_t counter, uint32_t attempt);
void act_ok(struct story *, uint64_t counter, uint32_t attempt, uint64_t seq);
void act_fail(struct story *, uint64_t counter, uint32_t attempt);
void act_unknown(struct story *, uint64_t counter, uint32_t attempt);
void act_end(struct story *, uint64_t counter, enum outcome);

/* So many messages of a batch begin: the counter of the first. */
uint64_t act_batch(struct story *, uint32_t n);

/* The same of a fast batch, which ends at a gap. */
uint64_t act_fast(struct story *, uint32_t n);

/* Its commit is not answered; and so many of its messages are stored. */
void act_batch_commit(struct story *, uint64_t first, uint32_t n);
void act_batch_store(struct story *, uint64_t first, uint32_t n);

/* It adds 1 to a counter: the answer (COUNTED_...), or a read, has a value. */
void act_count(
    struct story *, const struct copy *, enum message_word how, uint64_t value);

/* A schedule that sends its message this time before, or (0) at its time. */
void act_schedule(struct story *, uint64_t early_ns);

/* Another consumer sends headers alone, and so much payload all the same. */
void act_bare(struct story *, uint64_t payload);

/* It was acknowledged; it is sent again, and that is the answer. */
void act_repeat(
    struct story *, const struct copy *, uint64_t seq, bool duplicate);

/* The pretended server stores a message at the next sequence. */
struct copy act_store(struct story *, uint64_t counter, enum odd);

/* A new message: published, stored and acknowledged. */
struct copy act_publish(struct story *, enum odd);

/* A new message whose only attempt timed out: its counter. */
uint64_t act_time_out(struct story *);

/* A delivery, of a delivery count; read oddly; or with an older number. */
void act_deliver(struct story *, const struct copy *, uint32_t delivered);
void act_deliver_odd(struct story *, const struct copy *, enum odd);
void act_deliver_late(struct story *, const struct copy *, uint64_t number);

/*
 * A confirmed ack, with which the round of the message is over; one of a
 * message that was confirmed before; one act of those that make an ack.
 */
void act_ack(struct story *, const struct copy *);
void act_ack_again(struct story *, const struct copy *);
void act_ack_part(struct story *, const struct copy *, enum act_type);

/* First delivery and ack; and a whole round without anything odd. */
void act_consume(struct story *, const struct copy *);
void act_round(struct story *);

/* Two messages whose first deliveries are in the wrong order. */
void act_inversion(struct story *, const char *before, const char *after);

void act_pause(struct story *, uint64_t ns);
void act_leader(struct story *, const char *leader);
void act_fault(struct story *, bool stops_clock);
void act_heal(struct story *);

/* The cause of the fault is undone; and yet it was not seen healed. */
void act_undo(struct story *);
void act_heal_unseen(struct story *);

/* The stream's group lacks something for so long; it does no more. */
void act_sick(struct story *, uint64_t ns);
void act_well(struct story *);

/* A process of natsburn stood still for so long up to now. */
void act_silent(struct story *, uint64_t ns);

/* A server ended by itself, for this CAUSE. */
void act_ended(struct story *, uint64_t cause);

/* Break the harness; how is one of breaks.h. */
void act_break(struct story *, void (*how)(struct worker *));

/* Nothing happens, or it is the audit that lies. */
void act_nothing(struct story *);

/* The acts of the next round, or of the twists; false at the end. */
bool story_tell_next(struct story *);

#endif
