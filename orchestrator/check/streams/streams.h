/* SPDX-License-Identifier: ISC */
/*
 * The parts of the check streams, whose rule stands in streams.c:
 *
 *	table.c    the streams and clients that are known
 *	flaw.c     wrong answers, and whether they persist
 *	answer.c   what one answer says of one stream
 *	op.c       operations of clients on their streams
 *	refused.c  refusals of what was there, or was done
 *	content.c  what a stream's messages say of whose they are
 *	listing.c  listings, row by row, and as a whole
 */
#ifndef CHECK_STREAMS_H
#define CHECK_STREAMS_H

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/hashmap.h"

/* What may be wrong with a stream that an answer shows, or lacks. */
enum flaw {
	FLAW_MISSING,
	FLAW_RESURRECTED,
	FLAW_SHORT,  /* acknowledged messages are gone */
	FLAW_MANY,   /* more messages than were put into it */
	FLAW_CONFIG, /* another configuration */
	FLAW_ANEW,   /* another creation time */
	FLAWS
};

/* A wrong answer, for as long as every answer repeats it. */
struct episode {
	uint64_t first_ns; /* 0: none */
	uint64_t since_ns; /* undisturbed since; 0: it is not */
	uint64_t long_ns;  /* when it had been so for long enough; 0: not yet */
	uint32_t polls;	   /* wrong answers since then */
	uint32_t total;
	bool told;
};

/* What a client is at with its stream. */
enum op {
	OP_NONE,
	OP_ADD,
	OP_FILL,
	OP_REMOVE
};

/* A stream that was added by this run, or that some listing showed. */
struct stream {
	struct stream *next; /* in its list, the newest first */
	struct stream *watched_next;
	bool is_watched; /* a listing that lacks it may say something */
	uint64_t id;	 /* 0: listed, and not of this run's ids */
	uint32_t source, variant;
	enum op op;
	uint32_t attempts;
	uint64_t op_ns;
	bool op_told, late_told;
	/* attempts that may have happened, or may still happen */
	uint32_t adds_open, removes_open;
	uint64_t added_ns, removed_ns; /* confirmed; 0 not yet */
	uint64_t seen_ns;   /* listed, without being confirmed before */
	bool is_threatened; /* an open delete of its name is older than it */
	/* Of the attempt that is going on, or the last one that was refused. */
	uint64_t asked_ns, refused_ns;
	uint32_t refused_code, adds_refused;
	bool misanswered;  /* told already */
	uint64_t shown_ns; /* when its state was shown last */
	uint64_t created, acked, last_seq, filled_ns;
	uint64_t created_now; /* as the latest state said */
	uint64_t fewest;      /* messages, while they were too few */
	uint64_t most;	      /* messages, while they were too many */
	/* Attempts to put a message in that nobody answered; those for earlier
	 * streams of its name, whose subject it has, too. */
	uint64_t unheard, unheard_before;
	bool content_told;
	uint64_t listing; /* the latest that showed it */
	struct episode flaws[FLAWS];
	char name[64];
};

/* A row of a listing that is going on. */
struct row {
	uint64_t id, messages, created;
	uint32_t variant;
	char name[64];
};

/* What a client is doing; every worker is one, by its source number. */
struct client {
	struct stream *current;
	bool is_listing;
	uint64_t list, begin_ns;
	char prefix[64];
	struct row *rows;
	uint32_t nrows, room;
	uint64_t failing_ns; /* since when listings fail */
	bool told;
};

/* All streams whose names have one hash. */
struct stream_list {
	uint64_t hash; /* the key in lists */
	struct stream *first;
};

/* The stream of an id. */
struct stream_id {
	uint64_t id; /* the key in ids */
	struct stream *stream;
};

struct streams_state {
	struct hashmap lists; /* struct stream_list */
	struct hashmap ids;   /* struct stream_id */
	struct stream *watched;
	struct client *clients;
	uint32_t nclients;
	uint64_t listings; /* judged so far */
};

/* table.c: a new stream, or NULL without memory. */
struct stream *streams_new(
    struct streams_state *, uint64_t id, const char *name);

/* The stream of a name that was added last, and the one before it; or NULL. */
struct stream *streams_newest(const struct streams_state *, const char *name);
struct stream *streams_older(const struct stream *);

struct stream *streams_find(const struct streams_state *, uint64_t id);

/* A walk over all streams, zeroed at first. None is removed meanwhile. */
struct streams_walk {
	size_t at;
	struct stream *next;
};

/* The next stream of a walk, or NULL at the end. */
struct stream *streams_next(
    const struct streams_state *, struct streams_walk *);

/*
 * Forget streams that are over at now_ns. A listing that goes on may have
 * begun before a delete was confirmed, and a client is often told of what it
 * did last: so they are kept for a time that is far longer than a request
 * lives.
 */
void streams_sweep(struct streams_state *, uint64_t now_ns);

void streams_free(struct streams_state *);

/* Look for it in listings, until it is over. */
void streams_watch(struct streams_state *, struct stream *);

/* Replicas of the meta group; 1 is a server alone. */
uint32_t streams_meta_replicas(const struct check *);

/* A client, zeroed at first. NULL without memory, or beyond the limit. */
struct client *streams_client_at(struct check *, uint32_t source);

/*
 * flaw.c: an answer asked for at begin_ns shows the flaw, or no longer shows
 * it; then end says why.
 */
void streams_wrong(
    struct check *, struct stream *, enum flaw, uint64_t begin_ns);
void streams_right(struct check *, struct stream *, enum flaw, const char *end);

/* Convict what was wrong for long enough, if it is known by now. */
void streams_judge_flaws(struct check *, struct stream *);

/* The history is over: tell what was still wrong. */
void streams_finish(struct check *);

/* answer.c: may an answer asked for at begin_ns show the stream? */
bool streams_may_be_there(const struct stream *, uint64_t begin_ns);

/* An answer asked for at begin_ns shows the stream so, or lacks it. */
void streams_judge_there(
    struct check *, struct stream *, const struct row *, uint64_t begin_ns);
void streams_judge_gone(struct check *, struct stream *, uint64_t begin_ns);

/* op.c: ADD, REMOVE, and the events that follow them. */
int streams_on_add(struct check *, const struct event *);
int streams_on_remove(struct check *, const struct event *);
void streams_on_op(struct check *, const struct event *);

/* Raise op_timeout if the stream's operation takes, or took, too long. */
void streams_judge_op(struct check *, struct stream *, bool is_over);

/* refused.c: an attempt was refused now, for certain or not. */
void streams_refused(
    struct check *, struct stream *, const struct msg_stream_op_failed *);

/* An answer asked for at begin_ns shows the stream, created at that time. */
void streams_judge_refusal(
    struct check *, struct stream *, uint64_t created, uint64_t begin_ns);

/* content.c: a message that the audit read in a stream. */
void streams_on_content(struct check *, const struct msg_stream_content *);

/* listing.c */
int streams_on_list(struct check *, const struct event *);
int streams_on_listed(struct check *, const struct event *);
int streams_on_list_end(struct check *, const struct event *);

/* Raise op_timeout if the client's listings fail, or failed, for too long. */
void streams_judge_failing(
    struct check *, struct client *, uint32_t source, bool is_over);

#endif
