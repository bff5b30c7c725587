/* SPDX-License-Identifier: ISC */
/*
 * What one stream holds whose messages go away: the messages, what removes
 * them (removal.c), the limits that drop them (limits.c), and what a server
 * puts in their place (marking.c). contents.h has
 * the streams of a run and what is asked of them.
 */
#ifndef JUDGE_STOCK_H
#define JUDGE_STOCK_H

#include "orchestrator/judge/lane.h"
#include "proto/message.h"

#define STOCK_CHANGES  16  /* of limits, open at one time */
#define STOCK_GHOSTS   512 /* then they become coarse */
#define STOCK_REMOVALS 65536
#define STOCK_EARLY_NS UINT64_C(250000000) /* an age may be so short */
/*
 * And so long: who reads a message may stand still for 6 s before it tells of
 * it, and nobody notices.
 */
#define STOCK_LATE_NS	UINT64_C(10000000000)
#define STOCK_SKEW_NS	UINT64_C(5000000000) /* of clocks of several hosts */
#define STOCK_SWEEP_NS	UINT64_C(1000000000)
#define STOCK_AGED_RUNS ((size_t)65536) /* and of those consumers settled */

/* Limits; LANE_NO_LIMIT is none. */
struct limits {
	uint64_t messages, bytes, per_subject, age_ns;
};

/* A change of limits whose outcome is open. */
struct limits_change {
	uint64_t id, from_ns;
	uint32_t attempt;
	struct limits to;
};

/* Which messages a removal is about. */
struct scope {
	uint32_t subject;     /* 0: all */
	uint64_t first, last; /* sequences */
};

/* A removal whose outcome is open. */
struct removal {
	uint64_t id, from_ns, keep;
	uint32_t attempt; /* 0: a message that replaces others */
	struct scope scope;
	uint64_t removed;    /* messages that had left its lane when it began */
	bool spares_markers; /* it is of one message of the run */
	bool deletes;	     /* not a purge */
};

/*
 * What is over, or unknown, and may have removed messages that are entered
 * later: those of the scope whose publish began by before_ns.
 */
struct ghost {
	struct scope scope;
	uint64_t before_ns;
	unsigned why;
};

/* Of a subject, or (0) of all, whose last message a marker may replace. */
struct marking {
	uint64_t may_ns; /* some may be old by then, by one clock; 0: none */
	uint64_t removed_ns; /* a removal that may take a marker was open */
	uint64_t seq;	     /* it grew old as the only one of its subject */
};

struct stock {
	struct msg_contents terms;
	uint64_t skew_ns; /* as contents.h has it */
	struct lanes lanes;
	struct removal *removals;
	uint32_t nremovals, removals_room;
	struct ghost *ghosts;
	uint32_t nghosts, ghosts_room;
	struct limits in_force;	    /* the last that was confirmed */
	struct limits loose, tight; /* of those that are unknown */
	struct limits widest;	    /* of all that ever were */
	struct limits narrowest;    /* likewise */
	uint64_t lifted;  /* of what limits dropped up to it some may be kept */
	uint64_t largest; /* bytes of a message, at most, so far */
	uint64_t end;	  /* nothing is stored behind it; 0: not known */
	uint64_t recovered;    /* acknowledged after they had ended unknown */
	uint64_t confirmed_ns; /* when in_force was */
	uint64_t tightened_ns; /* when the loosest of all were last */
	bool per_subject_changed;
	bool is_replicated; /* several replicas */
	struct limits_change changes[STOCK_CHANGES];
	unsigned nchanges;
	struct seqmap aged; /* sequences that left because of their age */
	/* Consumers may remove what they take, or what none of them takes. */
	enum message_word retention; /* RETENTION_... */
	struct seqmap settled;	     /* that left since a consumer was done */
	uint64_t settled_low;	     /* below it some of them are forgotten */
	uint64_t wanted; /* bits of subjects that a consumer may ever take */
	/*
	 * By subject - 1: what was published by then may lie behind where a
	 * consumer has come that was changed to take it; UINT64_MAX: anything.
	 */
	uint64_t regained_ns[64];
	struct marking *markings; /* by subject */
	uint32_t nmarkings;
};

/* Removals. Its scope is as it was asked for; last 0 becomes no bound. */
void removals_begin(struct stock *, const struct removal *);
void removals_ok(
    struct stock *, uint64_t id, uint32_t attempt, uint64_t now_ns);
void removals_fail(struct stock *, uint64_t id, uint32_t attempt);
void removals_unknown(struct stock *, uint64_t id, uint32_t attempt);

/* What a process had open when it ended. */
void removals_exit(struct stock *, uint32_t source);

/*
 * A message that replaces others stands at seq. is_exact: it was stored and
 * removed them at once; is_single: it can't be stored anywhere else, too.
 */
struct rolled {
	uint64_t id, seq, now_ns;
	bool is_exact, is_single;
};
void removals_rolled(struct stock *, const struct rolled *);

/* What they may have done to a message that is entered now. */
void removals_enter(struct stock *, struct live *);

/* No publish that may still be confirmed began before this. */
void removals_prune(struct stock *, uint64_t oldest_ns);

/* The limits that the stream begins with. */
void limits_init(struct stock *);
void limits_begin(struct stock *, const struct limits_change *);
void limits_ok(struct stock *, uint64_t id, uint32_t attempt, uint64_t now_ns);
void limits_fail(struct stock *, uint64_t id, uint32_t attempt);
void limits_unknown(struct stock *, uint64_t id, uint32_t attempt);
void limits_exit(struct stock *, uint32_t source);

/*
 * Somebody seals the stream, and sends the limits that it began with: what is
 * beyond these may be dropped, or may not.
 */
void limits_seal(struct stock *, uint64_t now_ns);

/*
 * The loosest and the tightest that may be in force. Each replica takes a
 * change over when it hears of it, which is not ordered with what it stores: so
 * of several one may go by the tightest that there ever was.
 */
struct limits limits_loose(const struct stock *);
struct limits limits_tight(const struct stock *);

/* What ages and changes of limits may have done to one that is entered now. */
void limits_enter(const struct stock *, struct live *);

/* True when limits were ever changed, and each replica did so by itself. */
bool limits_are_unordered(const struct stock *);

/* True when a subject's oldest may ever have been dropped for newer ones. */
bool limits_drop_of_subject(const struct stock *);

/* What limits may have dropped, and have dropped, of all or of a subject. */
void limits_weigh(struct stock *, uint32_t subject, uint64_t now_ns);

/* The same of every subject. */
void limits_weigh_all(struct stock *, uint64_t now_ns);

/*
 * When a message may be too old (before it is it has to be there), and when
 * it has to be gone on a server that works; UINT64_MAX: never.
 */
uint64_t limits_early_ns(const struct stock *, const struct live *);
uint64_t limits_late_ns(const struct stock *, const struct live *);

/*
 * The same of what a marker replaces: where one message of a subject is kept
 * a lifetime may be shorter than that of markers (since 2.11.3).
 */
uint64_t limits_replaced_ns(const struct stock *, const struct live *);

/*
 * Look for messages that grow old. Those that should have gone long ago leave
 * when the cluster is quiet.
 */
void limits_sweep(struct stock *, uint64_t now_ns, bool is_quiet);

/*
 * Markers (marking.c), of a stream that asks for them: a server makes one when
 * the last message of a subject grows old, in its place. A message is sent
 * that may grow old; one has grown old; and a removal of such a subject (0: of
 * any) is over by now_ns (UINT64_MAX: never).
 */
void marking_sent(struct stock *, const struct live *);
void marking_grown_old(struct stock *, const struct live *);
void marking_removed(struct stock *, uint32_t subject, uint64_t now_ns);

/*
 * When a marker of the subject may be made at the earliest; 0: never. At any
 * time where limits were ever changed.
 */
uint64_t marking_may_ns(const struct stock *, uint32_t subject);

/*
 * The last message of a subject that may be too old, if nothing but that can
 * have taken it away: it is there, or a marker is, until *until_ns at least.
 * Otherwise NULL.
 */
const struct live *marking_due(
    const struct stock *, uint32_t subject, uint64_t *until_ns);

#endif
