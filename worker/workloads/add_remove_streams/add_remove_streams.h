/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload add-remove-streams:
 *
 *	names.c    what streams are called, and their configurations
 *	listing.c  one listing, with its events
 *	held.c     the streams of a client, compared with a listing
 *	operate.c  adding and deleting them
 *	audit.c    the last listings
 *	add_remove_streams.c	the options, and the load
 */
#ifndef WORKER_ADD_REMOVE_STREAMS_H
#define WORKER_ADD_REMOVE_STREAMS_H

#include "proto/base/rng.h"
#include "worker/internal.h"

#define STATE_MS 2000 /* of one question for a stream's state */
#define USED_MAX 8
#define VARIANTS 8
/* The check wants 20 s without a fault, 30 s, and some to see the leader. */
#define AUDIT_WRONG_NS (60 * CLOCK_S)

struct ar_options {
	uint64_t min, max, messages, again;
};

enum ar_held_state {
	HELD_GOOD,     /* must be there */
	HELD_DOUBTFUL, /* may be there: an attempt was not answered */
	HELD_STRAY,    /* listed, and nobody has it */
	HELD_IGNORED   /* stayed wrong for too long */
};

/* A stream of this client. */
struct ar_held {
	uint64_t id;
	enum ar_held_state state;
	uint32_t variant, attempts;
	uint64_t filled, created;
	uint64_t unheard;	  /* messages put in that nobody answered for */
	bool is_listed, is_wrong; /* in the latest listing */
	char name[64], subject[96];
};

struct ar_used {
	char name[64], subject[96];
};

/* A row of a listing. */
struct ar_row {
	char name[64];
	uint64_t id, messages, created;
	uint32_t variant;
};

struct ar_view {
	struct ar_row *rows;
	size_t n;
	bool is_thorough;	/* wait for states, ask for those that lack */
	bool has_states;	/* of every row */
	uint64_t names_only_ns; /* until then states are not asked for */
	char stateless[64];
};

struct ar_state {
	struct rng rng;
	uint64_t next, names, listings;
	struct ar_held *held;
	uint32_t nheld, room;
	struct ar_used used[USED_MAX]; /* names fit to be used again */
	uint32_t nused;
	struct ar_view view; /* the latest listing */
	uint64_t wrong_ns;   /* since when listings are wrong; 0: they aren't */
	struct backoff pause, failing;
	uint64_t at;   /* id of the operation that is going on */
	bool given_up; /* by the parent */
	uint64_t stop_ns;
};

/* names.c: prefixes of all names of the run, and of one client's. */
void ar_prefix_whole(const struct worker *, char *name, size_t size);
void ar_prefix_own(const struct worker *, char *name, size_t size);

/* A subject that all streams of a listing have. */
void ar_filter(const struct worker *, bool is_whole, char *out, size_t size);

/* Is it a name that only this process uses? */
bool ar_is_own_name(const struct worker *, const char *name);

/* Name a stream by a name that was used once and cleanly, or a new one. */
void ar_name_pick(struct worker *, struct ar_held *);

/* Its name is free again: nothing of its life can still come. */
void ar_name_return(struct ar_state *, const struct ar_held *);

/* The configuration of a stream, whose strings are borrowed. */
void ar_config(const struct worker *, const struct ar_held *, jsStreamConfig *,
    char *description, size_t size);

/* Which of our configurations it is, all its parts agreeing; and whose. */
uint32_t ar_variant(const struct worker *, const jsStreamConfig *);
uint64_t ar_id(const jsStreamConfig *);

/* listing.c: one listing with its events: 0 and the view, or -errno. */
int ar_list(struct worker *, struct ar_view *, uint64_t list, bool is_whole);
void ar_view_clear(struct ar_view *);

/* Rows by their names, for qsort() and bsearch(). */
int ar_row_order(const void *, const void *);

/* held.c: add a copy: where it stands, or NULL without memory. */
struct ar_held *ar_held_add(struct ar_state *, const struct ar_held *);
void ar_held_drop(struct ar_state *, uint32_t i);

/* Streams that must be there. */
uint32_t ar_held_good(const struct ar_state *);

/* List and verify; notes since when listings are wrong. 0 or -errno. */
int ar_list_verify(struct worker *);

/* What stayed wrong is no longer waited for; the check goes on with it. */
void ar_ignore_wrong(struct ar_state *);

/* operate.c: add a stream, delete one, or do nothing. 0 or -ENOMEM. */
int ar_operate(struct worker *);

/* audit.c: the audit hook. */
int ar_audit(struct worker *);

#endif
