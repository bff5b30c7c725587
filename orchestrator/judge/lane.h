/* SPDX-License-Identifier: ISC */
/*
 * The messages of one stream that are not certainly gone, in the order of
 * their sequences: all of them are a lane, and those of each subject are
 * another. A lane counts what limits look at: what is there for certain, what
 * may be there, and what may still come.
 *
 * How many publishes were stored of which nobody heard (strays) is known
 * later, if at all: each took a sequence that was not acknowledged. So what a
 * limit may have dropped is worked out for several numbers of them at a time,
 * the levels: none, one, a few, and as many as were counted.
 *
 * Memory: an entry for each message, which leaves when it is gone.
 */
#ifndef JUDGE_LANE_H
#define JUDGE_LANE_H

#include <stdbool.h>

#include "orchestrator/judge/hashmap.h"
#include "orchestrator/judge/seqmap.h"

enum lane_kind {
	LANE_STREAM,
	LANE_SUBJECT,
	LANE_KINDS
};

/* Why a message may be gone. */
#define TOUCHED_REMOVAL	    1u
#define TOUCHED_AGE	    2u /* it will be old within two seconds */
#define TOUCHED_PER_SUBJECT 4u
#define TOUCHED_LIMIT	    8u
#define TOUCHED_STRAY	    16u /* by a stray that replaces others */
#define TOUCHED_TAKEN	    32u /* consumers ended it, or none takes it */
#define TOUCHED_OLD	    64u /* its age may be over */

#define LANE_NO_LIMIT  UINT64_MAX
#define LANES_MAX      65536 /* subjects that have a lane */
#define LIVE_MAX       (1u << 26)
#define LANES_GONE_MAX 1024
#define LANE_LEVELS    9
#define LANE_ALL       (LANE_LEVELS - 1) /* all strays that were counted */

struct live {
	uint64_t seq; /* the key */
	uint64_t id, invoked_ns, acked_ns;
	uint64_t ttl_ns; /* 0: none; UINT64_MAX: it never expires */
	uint32_t subject, bytes;
	uint32_t open; /* removals that have it in scope and go on */
	unsigned touched;
	/* The lowest level at which a limit may have dropped it. */
	uint8_t drops_at[LANE_KINDS];
	bool rolls;				     /* it replaces others */
	uint64_t prev[LANE_KINDS], next[LANE_KINDS]; /* sequences, 0: none */
};

struct amount {
	uint64_t messages, bytes;
};

/* What a limit may have dropped, at one level. */
struct lane_mark {
	uint64_t seq;	      /* what is not above it may be dropped */
	uint64_t above_first; /* the lowest one above it, or 0 */
	struct amount above;  /* those */
};

struct lane {
	enum lane_kind kind;
	uint64_t first, last; /* sequences; 0: it is empty */
	struct lane_mark marks[LANE_LEVELS];
	struct amount proof;   /* only limits can have touched them */
	struct amount pending; /* publishes whose attempts go on */
	struct amount stray;   /* publishes that may be stored, unheard */
	struct amount stored;  /* messages that were entered so far */
	uint64_t removed;      /* messages that have left so far */
	uint64_t begun;	       /* publishes that began so far */
};

/* A message that left lately, and when. */
struct gone {
	uint64_t seq, ns;
};

struct lanes {
	struct hashmap live; /* struct live, by sequence */
	struct lane stream;
	struct lane *subjects;
	uint32_t nsubjects;
	struct gone gone[LANES_GONE_MAX]; /* a ring */
	uint64_t ngone;
	uint64_t dropped; /* the highest that lanes_drop() took away */
	bool no_memory;
};

void lanes_init(struct lanes *);
void lanes_fini(struct lanes *);

/* The lane of a subject (the stream's for 0), or NULL without room. */
struct lane *lanes_of(struct lanes *, uint32_t subject);

/* The message at a sequence, or NULL. Valid until one is added or leaves. */
struct live *lanes_find(const struct lanes *, uint64_t seq);

/* The lowest level that has so many strays; LANE_ALL: none has. */
unsigned lanes_level(uint64_t strays);

/* So many strays there may be in a lane at a level, of so many bytes each. */
struct amount lane_strays(
    const struct lane *, unsigned level, uint64_t largest);

/* Enter a message. Its links are ignored. */
void lanes_add(struct lanes *, const struct live *);

/* It is gone since now_ns. */
void lanes_remove(struct lanes *, struct live *, uint64_t now_ns);

/* It may be gone, for these reasons. */
void lanes_touch(struct lanes *, struct live *, unsigned why);

/* One more removal has it in scope, or (-1) one fewer. */
void lanes_open(struct lanes *, struct live *, int more);

/* Whether only limits can have removed it, as far as the lane's order goes. */
bool lane_is_proof(const struct lane *, const struct live *);

/*
 * True when a sequence that is not there had left by ns. What left so long ago
 * that it is not remembered counts as gone by then if something that left
 * later had.
 */
bool lanes_left_by(const struct lanes *, uint64_t seq, uint64_t ns);

/* How many have left since then; UINT64_MAX when that is not remembered. */
uint64_t lanes_left_since(const struct lanes *, uint64_t ns);

/*
 * The lane drops its oldest when it has more than this: mark those that may
 * have been dropped, with all that may be there beside them. No message has
 * more bytes than the largest.
 */
void lanes_mark(struct lanes *, struct lane *, const struct amount *limit,
    uint64_t largest);

/* The same of those that certainly were: they leave. */
void lanes_drop(
    struct lanes *, struct lane *, const struct amount *limit, uint64_t now_ns);

void amount_add(struct amount *, uint64_t messages, uint64_t bytes);
void amount_sub(struct amount *, uint64_t messages, uint64_t bytes);

#endif
