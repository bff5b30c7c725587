/* SPDX-License-Identifier: ISC */
/*
 * The ledger: what the history has established so far about streams and
 * messages. The judge lets the checks see an event first and enters it
 * here afterwards, so a check compares an event with what was known before
 * it. Checks read the ledger and never write it.
 *
 * Memory: one entry for each message that is open (not yet acked, or not
 * yet confirmed by every consumer that has to) or whose outcome is unknown;
 * everything settled shrinks to runs of sequences, or to digests. What nobody
 * waits for but may come again, because an ack was perhaps committed unheard,
 * is parked after a while (see parked.h) and entered again when it comes.
 */
#ifndef CHECK_LEDGER_H
#define CHECK_LEDGER_H

#include <stdbool.h>

#include "orchestrator/judge/hashmap.h"
#include "orchestrator/judge/parked.h"
#include "orchestrator/judge/scales.h"
#include "orchestrator/judge/seqlog.h"
#include "orchestrator/judge/seqmap.h"
#include "proto/message.h"

#define LEDGER_STREAMS_MAX 65536

/* A message that isn't settled. */
struct ledger_entry {
	uint64_t id; /* the key in entries */
	uint32_t stream;
	uint32_t attempts;
	uint64_t sum;	     /* of the payload */
	uint64_t invoked_ns; /* first attempt */
	uint64_t late_ns;    /* by --rate it was due so long before */
	uint64_t acked_ns;
	uint64_t floor;	  /* highest sequence acked before the first attempt */
	uint64_t seq;	  /* where it was seen or acked; 0 not yet */
	int64_t stamp_ns; /* the server's time of that copy; 0 not known */
	bool is_unknown;  /* an attempt's outcome is unknown */
	bool is_acked, is_ended, is_confirmed;
	uint32_t acking;  /* source that has an ack open; 0 none */
	bool ack_unknown; /* an ack may have been committed unheard */
	bool was_parked;  /* acked_ns is only when it came again */
	/* Where consumers have rules: bits of consumers, see ledger_consumer */
	uint64_t required;  /* have to confirm it; 0: anybody, once */
	uint64_t delivered; /* have received it */
	uint64_t ackable;   /* and may have sent an ack of it since */
	uint64_t confirmed; /* have had it confirmed, or ack without */
	uint64_t unsure;    /* may have had an ack committed unheard */
};

/* What was said of a message that is no ack, and what follows from it. */
struct ledger_answer {
	uint64_t id;	  /* the key in answers */
	uint64_t kept_ns; /* workers keep it from being done until then */
	/* Bits of consumers: */
	uint64_t nakked; /* a nak was sent */
	uint64_t spent;	 /* MaxDeliver is reached: nothing more is owed */
	uint64_t risked; /* an ack or a term may have been committed unheard */
};

struct ledger_consumer {
	bool exists, has_rules;
	uint32_t stream;
	char name[64];
	uint64_t bit; /* in the masks of entries, 0 without rules */
	enum message_word kind, acks; /* KIND_..., ACKS_... */
	bool is_filtered;
	uint32_t subject;	       /* when it is filtered */
	uint64_t created, ack_wait_ns; /* as CONSUMER told them last */
	uint64_t longest_ns;	       /* of its waits for an ack */
	uint64_t max_ack_pending, max_deliver;
	uint64_t known_ns; /* when every replica had it; 0: that is not known */
	uint64_t frontier; /* highest sequence that it has delivered */
	uint64_t moved_ns; /* when that rose, or an ack was confirmed anew */
};

struct ledger_stream {
	bool exists;
	char name[64], storage[16];
	uint64_t created, dedupe_ns;
	uint32_t replicas, consumers;
	struct scales scales;	     /* faults that change replicas */
	uint32_t copies;	     /* streams that copy it */
	enum message_word retention; /* RETENTION_... */
	uint32_t subjects;	     /* message n is of subject n % this */
	uint32_t bits;		     /* given to consumers with rules */
	struct seqlog known; /* what its sequences hold, acked or read */
	struct seqmap acked; /* set of the sequences that were acked */
	uint64_t max_acked;
};

/* What was looked for last: all checks ask for the same message. */
struct ledger_hint {
	uint64_t id;
	struct ledger_entry *entry;
};

/* A process that receives from consumers with rules. */
struct ledger_reader {
	uint64_t bits; /* of these consumers */
	/* Messages received since it began to ack last. */
	uint64_t *held;
	uint32_t nheld, room;
};

struct ledger {
	uint64_t run;
	struct hashmap entries; /* struct ledger_entry, by id */
	struct hashmap answers; /* struct ledger_answer, of some entries */
	struct parked parked;
	uint64_t recovered; /* settled without an ack of their publish */
	uint64_t park_ns;   /* when to look again for what can be parked */
	struct ledger_hint *hint; /* made with the first entry */
	struct ledger_stream *streams;
	uint32_t nstreams;
	struct ledger_consumer *consumers;
	uint32_t nconsumers;
	struct ledger_reader *readers; /* by source */
	uint32_t nreaders;
	uint64_t *invoked; /* highest counter invoked, by source */
	uint32_t nsources;
	/* Servers that join, or come back with nothing. */
	struct scales joins;
	uint32_t joining; /* the fault */
	bool no_memory;	  /* something could not be entered */
};

void ledger_init(struct ledger *);
void ledger_fini(struct ledger *);

/* Enter an event. */
void ledger_event(struct ledger *, const struct event *);

/* The open or unknown message, or NULL. Valid until the next event. */
struct ledger_entry *ledger_find(const struct ledger *, uint64_t id);

/* The stream, or NULL when no STREAM event named it. */
const struct ledger_stream *ledger_stream(
    const struct ledger *, uint32_t stream);

/* The consumer, or NULL when no CONSUMER event named it. */
const struct ledger_consumer *ledger_consumer(
    const struct ledger *, uint32_t consumer);

/* What is known of the answers to a message with an entry, or NULL: none. */
const struct ledger_answer *ledger_answer(const struct ledger *, uint64_t id);

/*
 * Of a message without an entry: true when it isn't settled, for not all who
 * had to confirm it did. Those who did are *confirmed.
 */
bool ledger_is_parked(const struct ledger *, uint64_t id, uint64_t *confirmed);

/* Replicas of a stream, the most it may have; 0 when that is not known. */
uint32_t ledger_replicas(const struct ledger *, uint32_t stream);

/* The fewest that it may have had since a moment; 0 when it is not known. */
uint32_t ledger_fewest(
    const struct ledger *, uint32_t stream, uint64_t since_ns);

/* The stream of that name, or of a consumer "stream/consumer", or NULL. */
const struct ledger_stream *ledger_stream_named(
    const struct ledger *, const char *name);

/*
 * A limit for operations on a stream, in ns: one delivery that is lost, or
 * one ack that the server ignores, costs up to two ack waits. Where these are
 * more than half of the limit they are added to it.
 */
uint64_t ledger_limit(
    const struct ledger *, uint32_t stream, uint64_t limit_ns);

/* Bits of the consumers that message id of a stream has to reach. */
uint64_t ledger_required(const struct ledger *, uint32_t stream, uint64_t id);

/*
 * Was there, or may there have been, a replica of the stream at a moment of
 * this span that was new, and so may not have known the stream's consumers?
 * A message is stored at some moment from its first attempt to its answer.
 */
bool ledger_has_newcomer(
    const struct ledger *, uint32_t stream, uint64_t from_ns, uint64_t to_ns);

/*
 * True when a message has to be stored as long as one of these consumers (bits
 * of those that have to take it) has not received it. In a stream with
 * interest each replica drops what none of the consumers takes that it knows
 * of. So there one of them has to have been known to every replica before the
 * message was first sent.
 */
bool ledger_is_kept_for(
    const struct ledger *, const struct ledger_entry *, uint64_t bits);

/*
 * True while an acknowledged message waits for a consumer: *missing are the
 * bits of those, or 0 where consumers have no rules. One whose MaxDeliver is
 * reached is waited for no more.
 */
bool ledger_awaits(
    const struct ledger *, const struct ledger_entry *, uint64_t *missing);

/*
 * True when message id, which was delivered, was confirmed before by this
 * consumer, as far as the ledger can tell: not where acks are plain.
 */
bool ledger_was_confirmed(
    const struct ledger *, uint32_t consumer, uint64_t id);

/* True when this run did invoke a publish, schedule or update of a key, id. */
bool ledger_was_invoked(const struct ledger *, uint64_t id);

/* The next entry; *at is 0 at first, and then left alone. NULL at the end. */
struct ledger_entry *ledger_next(const struct ledger *, size_t *at);

#endif
