/* SPDX-License-Identifier: ISC */
/*
 * The ledger: what the history has established so far about streams and
 * messages. The judge lets the checks see an event first and enters it
 * here afterwards, so a check compares an event with what was known before
 * it. Checks read the ledger and never write it.
 *
 * Memory: one entry for each message that is open (not yet acked, or not
 * yet confirmed by a consumer) or whose outcome is unknown; everything
 * settled shrinks to runs of sequences.
 */
#ifndef CHECK_LEDGER_H
#define CHECK_LEDGER_H

#include <stdbool.h>

#include "orchestrator/check/faults.h"
#include "orchestrator/check/seqmap.h"
#include "proto/message.h"

#define LEDGER_STREAMS_MAX 65536

/* A message that isn't settled. */
struct ledger_entry {
	uint64_t id; /* 0: free slot */
	uint32_t stream;
	uint32_t attempts;
	uint64_t sum;		/* of the payload */
	uint64_t invoked_ns;	/* first attempt */
	uint64_t invoked_stood; /* availability clock then */
	uint64_t acked_ns, acked_stood;
	uint64_t floor;	  /* highest sequence acked before the first attempt */
	uint64_t seq;	  /* where it was seen or acked; 0 not yet */
	int64_t stamp_ns; /* the server's time of that copy; 0 not known */
	bool is_unknown;  /* an attempt's outcome is unknown */
	bool is_acked, is_ended, is_confirmed;
	uint32_t acking;  /* source that has an ack open; 0 none */
	bool ack_unknown; /* an ack may have been committed unheard */
	bool told;	  /* a liveness anomaly was raised for it */
};

struct ledger_stream {
	bool exists;
	char name[64], storage[16];
	uint64_t created, dedupe_ns;
	uint32_t replicas, consumers;
	struct seqmap acked;   /* sequence -> id, acked and not duplicate */
	struct seqmap seen;    /* sequence -> id, read by anybody */
	struct seqmap scanned; /* sequence -> id, read by the audit */
	uint64_t max_acked;
};

struct ledger {
	uint64_t run;
	struct ledger_entry *entries; /* open addressing by id */
	size_t nentries, room;
	struct ledger_stream *streams;
	uint32_t nstreams;
	uint64_t *invoked; /* highest counter invoked, by source */
	uint32_t nsources;
	uint32_t *consumer_streams; /* by consumer */
	uint32_t nconsumers;
	bool no_memory; /* something could not be entered */
};

void ledger_init(struct ledger *);
void ledger_fini(struct ledger *);

/* Enter an event. */
void ledger_event(struct ledger *, const struct faults *, const struct event *);

/* The open or unknown message, or NULL. Valid until the next event. */
struct ledger_entry *ledger_find(const struct ledger *, uint64_t id);

/* The stream, or NULL when no STREAM event named it. */
const struct ledger_stream *ledger_stream(
    const struct ledger *, uint32_t stream);

/* True when this run did invoke a publish of id. */
bool ledger_was_invoked(const struct ledger *, uint64_t id);

/* The i-th slot: NULL when it is free; i below room. */
struct ledger_entry *ledger_slot(const struct ledger *, size_t i);

#endif
