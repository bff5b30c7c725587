/* SPDX-License-Identifier: ISC */
/*
 * What consumers must deliver, may deliver and can't deliver that come, change
 * and go. The number of a consumer is that of a place: what is told there of
 * one consumer, up to CONSUMER_OVER, is a life. One process owns it: it alone
 * makes, changes and ends the consumer, and receives from it, so its events
 * come in their order.
 *
 * What is known of a life are intervals. It exists for certain from the answer
 * to its creation until its end is asked for, and certainly no more from the
 * answer to that on. Of its configuration what was confirmed last is in force;
 * what is asked for may be, and what was never answered may come into force at
 * any time, for ever.
 *
 * - It must deliver what every configuration takes that it may ever have had,
 *   what was published after its creation was confirmed, or (where it begins
 *   at a sequence, a time, or with all) was acknowledged before that was asked
 *   for, and what is in the stream all that time.
 * - It may deliver what some configuration takes that may be in force since
 *   the message was published, from where it begins.
 *
 * Everything between is neither. A consumer that awaits no ack of its own for
 * each message owes nothing: what is lost on the way is lost.
 *
 * Its client tells of each ack and term before it sends it. So what it told of
 * none is not ended, whatever else happened:
 *
 * - A work queue, whose servers take consumers with explicit acks only, keeps
 *   what no life has ended. But servers take for acked what lies behind where
 *   a consumer has come when it is changed to take it: stock.h has since when
 *   that is.
 * - An interest stream keeps what one life has to deliver and has not ended.
 *   Each replica goes by the consumers that it knows of, so that counts from
 *   when every one was seen to have the consumer. One that goes by itself, or
 *   that is in memory, keeps nothing for certain.
 *
 * Memory: a life for each place, the sequences that it has delivered and ended
 * and that its stream still has, and the changes that are open. What lies in
 * such a stream for long, kept by none for certain, is forgotten.
 */
#ifndef JUDGE_LIVES_H
#define JUDGE_LIVES_H

#include "orchestrator/judge/contents.h"

#define LIVES_MAX      65536
#define LIVES_SUBJECTS 64 /* that a life's filters can tell apart */
#define LIVES_NEVER    UINT64_MAX
#define LIVES_HELD_NS  UINT64_C(1000000000) /* a replica begins with it */
#define LIVES_SWEEP_NS UINT64_C(30000000000)
/* What was acknowledged so long ago is on every server, without a fault. */
#define LIVES_SPREAD_NS UINT64_C(10000000000)

/* Of all configurations that may ever have been in force. */
struct life_range {
	uint64_t always, ever; /* subjects that all take, and that one does */
	uint64_t start_low, start_high;	     /* sequences */
	int64_t start_ns_low, start_ns_high; /* times of the servers */
	uint64_t max_deliver;		     /* the highest; 0: one has none */
	uint64_t max_ack_pending;	     /* likewise */
	uint64_t ack_wait_ns;		     /* the longest */
	uint64_t rate;			     /* as max_deliver */
	/* Unused for so long it goes, ns; 0: that is not said of one. */
	uint64_t idle_low, idle_high;
	unsigned policies, acks, kinds; /* bits by their numbers */
	bool is_any;			/* there was one */
	bool is_bounded, may_go, is_memory, is_bare, is_full; /* one is */
	uint32_t most;		       /* replicas, where they are told */
	bool was_single, is_as_stream; /* one has one, or no number */
};

/* What is asked for and not answered yet. */
struct life_change {
	uint64_t id; /* 0: nothing is */
	uint64_t asked_ns;
	uint64_t regained; /* subjects that it did not take always */
	uint8_t what;
	int64_t until_ns;
	struct msg_consumer_terms terms;
};

/* The life before, if it had the same name. */
struct life_former {
	uint64_t created, ended_ns; /* 0: there was none */
};

struct life {
	uint64_t number; /* of all lives of the run, from 1; 0: there is none */
	uint32_t stream, owner; /* owner: the source of its events */
	char name[64];
	/* An earlier one may go on under its name, or its owner died ... */
	bool is_vague;
	bool is_unclear; /* ... or it went unused, and was made once more */
	/* Since when; LIVES_NEVER: that has not happened. */
	uint64_t asked_ns;   /* its creation was asked for, first */
	uint64_t made_ns;    /* that was confirmed, first */
	uint64_t ending_ns;  /* its end was asked for, first */
	uint64_t ended_ns;   /* that was confirmed */
	uint64_t changed_ns; /* a configuration was confirmed, last */
	uint64_t paused_ns;  /* it was seen to be paused */
	uint64_t created;    /* on the server, as it was told first; 0: never */
	struct life_former former;
	/* Attempts that were never answered: to make it, to change it. */
	unsigned lost_makes, lost_changes, lost_pauses;
	/* Refused ones, of which a late copy is not when nothing is there. */
	unsigned refused_makes;
	struct msg_consumer_terms told; /* for the attempt that follows */
	struct life_change open;
	uint64_t stray; /* subjects that such a change would let in */
	struct life_range range;
	/* By subject - 1: no configuration takes it since; 0: one may. */
	uint64_t left_ns[LIVES_SUBJECTS];
	uint64_t floor;	     /* what lies below was there before it began */
	uint64_t until_ns;   /* the pause ends, of CLOCK_MONOTONIC */
	struct seqmap taken; /* sequences that it has delivered */
	struct seqmap again; /* ... more than once; the lowest are forgotten */
	uint64_t firm;	     /* the lowest whose ack was confirmed; 0: none */
	uint64_t held_ns;    /* every replica was seen to have it */
	struct seqmap ended; /* sequences that it was asked to end */
	uint64_t ended_low;  /* below it some of them are forgotten */
};

struct lives {
	struct life *at; /* by consumer */
	uint32_t n;
	uint64_t born;	 /* lives so far */
	int64_t wall_ns; /* wall clock less CLOCK_MONOTONIC */
	uint64_t swept_ns;
	bool has_hole;
	bool no_memory;
};

void lives_init(struct lives *);
void lives_fini(struct lives *);

/*
 * Enter an event (any type), when contents have it and the ledger has not.
 * Contents are told what a consumer may have removed by taking it.
 */
void lives_event(struct lives *, const struct event *, struct contents *);

/* The life at a place, or NULL. Valid until the next event. */
const struct life *life_of(const struct lives *, uint32_t consumer);

/* The one of which a change is open, or NULL. */
const struct life *life_changing(const struct lives *, uint64_t id);

/* True while it certainly exists, and nobody has asked for its end. */
bool life_is_certain(const struct life *);

/* True when it certainly existed when the change that is open was asked for. */
bool life_was_there(const struct life *);

/*
 * True when its end was confirmed, and no attempt without an answer can make
 * it again; the second, when nor can what was refused while it was there.
 */
bool life_is_over(const struct life *);
bool life_is_over_for_good(const struct life *);

/* The highest limits that it may ever have had; 0: none is known. */
uint64_t life_max_deliver(const struct life *);
uint64_t life_max_ack_pending(const struct life *);
uint64_t life_rate(const struct life *); /* bits a second */

/* True when it may ever have taken a subject; 0: one that is not known. */
bool life_ever_takes(const struct life *, uint32_t subject);

/* True when all its configurations have this policy of acks. */
bool life_acks(const struct life *, enum message_word acks);

/* True when it may receive so (KIND_...). */
bool life_is_of(const struct life *, enum message_word kind);

/* True when what comes there may be, or has to be, headers alone. */
bool life_is_bare(const struct lives *, uint32_t consumer);
bool life_is_always_bare(const struct life *);

/* Its replicas, the most that it may have had. */
uint32_t life_replicas(const struct life *, const struct ledger *);

/* True when it may have had one replica, or its state in memory alone. */
bool life_was_alone(const struct life *, const struct ledger *);

enum life_debt {
	DEBT_NONE,   /* it need not deliver this */
	DEBT_STEADY, /* if one leader was in office since it was published */
	DEBT_SURE
};

/* Has it to deliver a message of its stream, which is there? */
enum life_debt life_must(const struct lives *, const struct contents *,
    const struct life *, const struct live *);

/* True when its client may have acked or ended it. */
bool life_has_ended(const struct life *, uint64_t seq);

/* True when a message is in its stream, as far as it has not ended it. */
bool life_finds(const struct lives *, const struct contents *,
    const struct life *, const struct live *, uint64_t now_ns);

/*
 * What a life that was asked for its numbers must deliver, and its client has
 * not ended, of what is there and was LIVES_SPREAD_NS before.
 */
struct life_owed {
	uint64_t n;	   /* messages */
	uint64_t taken;	   /* of these, delivered */
	uint64_t again;	   /* of these, more than once ... */
	uint64_t again_ns; /* ... of which the first was published then */
	uint64_t lowest;   /* sequence of those; 0: none */
	uint64_t since_ns; /* if one leader was in office; UINT64_MAX: anyhow */
};

struct life_owed life_owes(const struct lives *, const struct contents *,
    const struct life *, uint64_t asked_ns, uint64_t now_ns);

/*
 * Must its stream, which has interest, keep a message for it? Only what
 * consumers can't have removed otherwise: contents_is_whole().
 */
enum life_debt life_keeps(const struct lives *, const struct contents *,
    const struct life *, const struct live *);

/* A life for which it must do so, the surest, or NULL. */
const struct life *lives_keeper(const struct lives *, const struct contents *,
    uint32_t stream, const struct live *, enum life_debt *);

enum life_flaw {
	FLAW_NONE,
	FLAW_SUBJECT, /* no configuration takes its subject */
	FLAW_LEFT,    /* none that may be in force since it was published */
	FLAW_BELOW,   /* it lies before the sequence at which it begins */
	FLAW_EARLY,   /* ... before the time */
	FLAW_OLD,   /* it was there before what begins with the new, the last */
	FLAW_ENDED, /* it was published after the consumer's end */
	FLAW_PAUSED /* ... while it was paused, which lasts */
};

/*
 * Why a delivery at now_ns can't be one of its; *since_ns is when that began,
 * or 0 when no leader can explain it.
 */
enum life_flaw life_flaw(const struct lives *, const struct contents *,
    const struct msg_deliver *, uint64_t now_ns, uint64_t *since_ns);

#endif
