/* SPDX-License-Identifier: ISC */
/*
 * What streams must hold, may hold and can't hold whose messages go away: by
 * removals, by limits, by age. Only streams of which a CONTENTS event was
 * told are followed; all others hold what was acknowledged for ever.
 *
 * A message that was acknowledged is PRESENT until something may have removed
 * it, then MAYBE, and GONE when something certainly has. What that takes:
 *
 * - A removal that was confirmed has removed what was in its scope and was
 *   acknowledged before it was asked for. What was published meanwhile may be
 *   gone; what was published afterwards is there. With "keep N" gone is what N
 *   newer ones are certainly there beside, and kept what can't have so many.
 *   One whose outcome is unknown may happen at any time, for ever.
 * - A message that replaces others (rollup) has removed those with lower
 *   sequences, when its acknowledgement says that it was not a duplicate.
 * - A limit drops the oldest first: gone is what has as many newer ones that
 *   only limits can have touched as the loosest limit in force allows; maybe
 *   gone is what may have as many as the tightest one allows, with all whose
 *   publish is open or unknown. When the audit has read the stream and asked
 *   its leader for the last sequence once more, there are no more unknown ones
 *   behind a message than sequences which were not acknowledged.
 * - A work queue drops what its consumer has acked, so maybe gone is what was
 *   delivered, or where each ack is told (lives.h), what one was asked to end;
 *   a stream with interest drops also, or never stores, what no consumer takes:
 *   there everything is, and lives.h says which of it a consumer keeps.
 * - A change of limits reaches each of several replicas by itself, at any time.
 *   So the tightest limit that ever was may have dropped a message, and what
 *   a limit has dropped may still be there when it was made looser later.
 * - Age: maybe gone from the publish and its age on, less a margin, and less
 *   what clocks of servers may differ by: those on several hosts do, and a
 *   fault may set one apart. A message is stamped by one server and dropped by
 *   another, at any time later, so all that clocks were ever apart counts.
 *
 * The judge lets the checks see an event first and enters it here before the
 * ledger has it. Memory: the messages that are not certainly gone, and
 * what is open or unknown.
 */
#ifndef JUDGE_CONTENTS_H
#define JUDGE_CONTENTS_H

#include "orchestrator/judge/faults.h"
#include "orchestrator/judge/ledger.h"
#include "orchestrator/judge/stock.h"

enum presence {
	PRESENT,
	MAYBE_PRESENT,
	AGED, /* it has to be gone, for it is too old */
	GONE
};

/* A publish that is open, or whose outcome is unknown. */
struct publishing {
	uint64_t id; /* the key */
	struct msg_publish_terms terms;
	uint64_t invoked_ns;  /* the first attempt */
	uint64_t sent_ns;     /* the last one */
	struct amount stored; /* in the stream when it began ... */
	uint64_t of_subject;  /* ... and messages of its subject */
	uint64_t strays;      /* that are counted in its lanes */
	/* Publishes that had begun in its lanes with it; 0: others were open.
	 */
	uint64_t alone[LANE_KINDS];
	uint32_t stream, unknowns;
	uint32_t doubted; /* attempts whose refusal proves nothing */
	bool has_terms, is_pending;
	bool was_unknown; /* it had ended so */
};

struct contents {
	struct stock **stocks; /* by stream; NULL: it is not followed */
	uint32_t nstocks;
	struct hashmap publishing;   /* struct publishing, by id */
	const struct ledger *ledger; /* of the last event */
	uint64_t swept_ns;
	uint64_t skew_ns; /* clocks of servers differ by so much at most */
	/* Faults may have set them ahead of the host's by that much, ever. */
	int64_t least_ahead_ns, most_ahead_ns;
	bool has_hole; /* something was dropped: nothing is sure */
	/*
	 * Set before a PUBLISH_FAIL is entered that proves nothing: whoever
	 * refused it may have been deposed, and another leader store it.
	 */
	bool is_doubted;
	bool no_memory;
};

void contents_init(struct contents *);
void contents_fini(struct contents *);

/* Enter an event (any type), before the ledger has it. */
void contents_event(struct contents *, const struct event *,
    const struct ledger *, const struct faults *);

/* True when messages of the stream may go away. */
bool contents_has(const struct contents *, uint32_t stream);

/* What is told of an acknowledged sequence of a stream at now_ns. */
enum presence contents_presence(
    const struct contents *, uint32_t stream, uint64_t seq, uint64_t now_ns);

/* True when a sequence that is GONE certainly was so by ns. */
bool contents_gone_by(
    const struct contents *, uint32_t stream, uint64_t seq, uint64_t ns);

/* The message there that is not certainly gone, or NULL. */
const struct live *contents_find(
    const struct contents *, uint32_t stream, uint64_t seq);

/* True when it is PRESENT, unless consumers are why it is not. */
bool contents_is_whole(const struct contents *, uint32_t stream,
    const struct live *, uint64_t now_ns);

/* A consumer of the stream may take these subjects (bit n - 1: subject n). */
void contents_wanted(struct contents *, uint32_t stream, uint64_t subjects);

/*
 * A consumer was changed at now_ns (UINT64_MAX: may be so at any time) to take
 * subjects that it did not take always; and whether such a change may have
 * put a message behind it.
 */
void contents_regained(
    struct contents *, uint32_t stream, uint64_t subjects, uint64_t now_ns);
bool contents_is_regained(const struct stock *, const struct live *);

/* Whoever received a message may end it, and will not tell of that. */
void contents_taken(struct contents *, uint32_t stream, uint64_t seq);

/* Of a work queue: a consumer is asked to end a message; it has ended it. */
void contents_ended(struct contents *, uint32_t stream, uint64_t seq);
void contents_settled(
    struct contents *, uint32_t stream, uint64_t seq, uint64_t now_ns);

/* Nothing will be known of it any more: it leaves, and may be there. */
void contents_forget(
    struct contents *, uint32_t stream, uint64_t seq, uint64_t now_ns);

/*
 * The message behind seq (0: the first) that is not certainly gone, or NULL.
 * seq is that of such a message.
 */
const struct live *contents_next(
    const struct contents *, uint32_t stream, uint64_t seq);

/* How far faults may have set clocks of servers apart, ever. */
uint64_t contents_apart_ns(const struct contents *);

/*
 * True when a fault may have set the clock of a server apart, by which each of
 * them drops messages of this stream that are too old.
 */
bool contents_ages_apart(const struct contents *, uint32_t stream);

/* The stream's, or NULL: for limits_loose() and its like. */
const struct stock *contents_stock(const struct contents *, uint32_t stream);

/* The publish, open or unknown, or NULL. */
const struct publishing *contents_publishing(
    const struct contents *, uint64_t id);

/*
 * True when an error code says of a publish, or may say, that what it expects
 * is not so. (By no code leaders of 2.10 refuse what they can't compare yet.)
 */
bool publishing_is_refused(const struct publishing *, uint32_t code);

/*
 * True when the sequence that an open publish expects was certainly the last
 * one all the time since it began, and nothing else was under way that may
 * have been stored.
 */
bool contents_meet(
    const struct contents *, const struct publishing *, uint64_t now_ns);

/* A question for what is PRESENT among some sequences. */
struct contents_query {
	uint32_t stream, subject; /* subject 0: any */
	uint64_t first, last;
	uint64_t acked_by_ns; /* acknowledged before this */
	uint64_t now_ns;
	uint32_t open; /* so many open removals that have it in scope are left
			  out of account */
};
struct seqmap_part contents_present(
    const struct contents *, const struct contents_query *);

/*
 * The most messages that a stream (or, not 0, a subject of it) can have had at
 * any time since then, with all that is open or unknown; UINT64_MAX: that is
 * not known.
 */
uint64_t contents_most(const struct contents *, uint32_t stream,
    uint32_t subject, uint64_t since_ns);

/* The removal that is open, or NULL. */
const struct removal *contents_removal(
    const struct contents *, uint32_t stream, uint64_t id, uint32_t attempt);

/* How many messages one that is open has removed, if it is over now. */
struct contents_bounds {
	uint64_t least, most;
};
struct contents_bounds contents_removable(const struct contents *,
    uint32_t stream, const struct removal *, uint64_t now_ns);

#endif
