/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload consumer-churn:
 *
 *	streams.c  the streams, drawn by the seed, and what is published
 *	terms.c    what a consumer is asked to be: drawn, written, compared
 *	edit.c     making, changing and ending one, retried until it stands
 *	take.c     pulling, and answering what came
 *	look.c     what the API says of a consumer
 *	ops.c      the table of operations, and how each is drawn
 *	consumer_churn.c	the options, setup, and the load
 *
 * A client has some places, each of which has a number that is unique in the
 * run. A consumer lives in a place from the attempt to make it until
 * CONSUMER_OVER; its client alone makes, changes, ends and reads it.
 */
#ifndef WORKER_CONSUMER_CHURN_H
#define WORKER_CONSUMER_CHURN_H

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "worker/internal.h"
#include "worker/request.h"

#define CHURN_STREAMS_MAX  16
#define CHURN_SUBJECTS_MAX 64 /* a bit of CONSUMER_TERMS.subjects each */
#define CHURN_PLACES_MAX   64
#define CHURN_SUBJECT_MAX  64
#define CHURN_CONFIG_MAX   6144 /* 64 filters */
#define CHURN_BATCH_MAX	   500
#define CHURN_ATTEMPT_MS   1000 /* one request */
#define CHURN_SUBS_MAX	   2
#define CHURN_REPLY_MAX	   512
#define CHURN_DIFFERS_MAX  256
#define CHURN_MEMBERS	   2 /* that contend for the pin of a consumer */
#define CHURN_NEVER	   UINT64_C(1000000000) /* so many are never there */
#define CHURN_PIN_MAX	   64			/* bytes of its name */
/* Behind the last request of its holder another one may have it. */
#define CHURN_PIN_NS (5 * CLOCK_S)

/* Servers by what they know; each knows what those before it do. */
enum churn_level {
	CHURN_2_9,
	CHURN_2_10, /* several filters, metadata, strict requests */
	CHURN_2_11  /* pauses */
};

struct churn_options {
	uint64_t streams, subjects, places, size[2], pause_ns;
	char retention[16];
	bool refilter;
};

/* What a stream is: drawn by the seed and its number. */
struct churn_kind {
	enum message_word retention; /* RETENTION_... */
	uint64_t messages;	     /* it keeps; 0: any number */
	/* With interest none may take the last subject. */
	bool has_unwanted;
};

/* A stream as this client knows it. */
struct churn_stream {
	char name[64];
	bool is_known;
	enum churn_level level;
	uint64_t last;	  /* a sequence that is or was there; 0: none seen */
	int64_t stamp_ns; /* a time of the servers, of a message; likewise */
	struct churn_kind kind;
	uint64_t counted_ns; /* a publisher asked how many it has ... */
	bool is_full;	     /* ... and they are enough */
};

enum churn_state {
	LIFE_NONE,
	LIFE_SURE,    /* it is there, as was confirmed last */
	LIFE_DOUBTED, /* an attempt was not answered: it is only ended */
	LIFE_ENDED,   /* it was deleted, and has to stay so for a while */
	LIFE_LEFT     /* nobody uses it, until it goes by itself */
};

/* So long after an end nothing that is shown can be late any more. */
#define CHURN_LATE_NS (11 * CLOCK_S)

/* How long nothing has come, although there is something to deliver. */
struct churn_wait {
	uint64_t since_ns; /* 0: something came, or there was nothing */
	uint64_t tried_ns; /* of that time, by a client that waited */
	uint32_t looks;
	uint64_t pending, ack_pending; /* as was said last */
};

struct churn_life {
	enum churn_state state;
	struct msg_consumer_terms terms; /* as confirmed last */
	char name[64];
	char config[CHURN_CONFIG_MAX]; /* likewise, as JSON */
	uint64_t created;	       /* on the server, ns */
	uint64_t unheard;	       /* attempts without an answer */
	uint64_t pulls;
	uint64_t pushed;    /* bytes of payloads, since it was made */
	uint64_t ended_ns;  /* or left */
	uint64_t looked_ns; /* at one that was left, last */
	uint64_t rests_ns;  /* nobody reads it until then */
	struct churn_wait wait;
	bool is_paused;
	/* It gives messages to one member at a time, who holds its pin. */
	bool is_pinned;
	bool is_overflow; /* it gives some clients only what is too much */
	char pins[CHURN_MEMBERS][CHURN_PIN_MAX]; /* "": it holds none */
	/* Of a queue group there are two, which share what is pushed. */
	natsSubscription *subs[CHURN_SUBS_MAX];
	unsigned nsubs, turn;
	char inbox[SESSION_INBOX_MAX];
};

struct churn_place {
	uint32_t consumer; /* its number in the run */
	uint64_t lives;	   /* so far */
	char again[64];	   /* the next life has this name, or "" ... */
	uint32_t stream;   /* ... and is in this stream */
	struct churn_life life;
};

/* An attempt to make, change or end a consumer. */
struct churn_edit {
	struct churn_place *at;
	enum message_word what;
	bool is_strict;
	int64_t until_ns; /* of a pause */
	struct msg_consumer_terms terms;
	char config[CHURN_CONFIG_MAX];
	uint64_t id;
	uint32_t attempt;
};

/* What is taken at a time. */
struct churn_take {
	uint32_t batch;
	uint64_t expires_ns;
	uint64_t max_bytes, heartbeat_ns; /* 0: none */
	bool is_instant;		  /* only what is there */
	bool is_one_shot; /* the request does not say how long it waits */
	bool is_last;	  /* everything is acked, to leave nothing */
	bool is_silent;	  /* nothing is answered */
};

/* How a delivery is answered; how 0: its consumer takes no answers. */
struct churn_answer {
	enum message_word how;
	uint64_t delay_ns;
	bool is_open; /* the server has to confirm it */
};

/* A delivery whose ack asks for more, and is not confirmed (+NXT). */
struct churn_next {
	bool is_held;
	struct ack ack;
	char reply[CHURN_REPLY_MAX]; /* where acks go */
};

/* What the API says of a consumer. */
struct churn_seen {
	bool found, is_paused;
	uint64_t pending, ack_pending;
};

struct churn {
	struct rng rng;
	bool is_started;
	struct churn_stream streams[CHURN_STREAMS_MAX];
	struct churn_place *places;
	uint64_t counter;
	struct publication now; /* a publisher's */
	struct backoff pause;
	struct churn_edit edit; /* the one that is going on */
	/* What came of one pull, and the address of the answers to acks. */
	natsMsg *batch[CHURN_BATCH_MAX];
	struct consumption told[CHURN_BATCH_MAX];
	struct churn_answer answer[CHURN_BATCH_MAX];
	struct churn_next next;
	uint32_t n;
	uint64_t answers_from; /* the address of the first */
	natsSubscription *answers;
	char inbox[SESSION_INBOX_MAX];
};

/*
 * An operation on a consumer: draw is false when it can't have it now. act
 * does it, with its events: 0, or -errno when the harness is broken.
 */
struct churn_row {
	const char *name;
	uint64_t weight;
	enum churn_level level; /* of its stream, at least */
	bool (*draw)(const struct churn_life *);
	int (*act)(struct worker *, struct churn_place *);
};

/* Names and subjects (from 1; 0 is the filter of all of them) of a stream. */
void churn_stream_name(const struct worker *, uint32_t i, char out[64]);
void churn_subject(const struct worker *, uint32_t i, uint32_t subject,
    char out[CHURN_SUBJECT_MAX]);

/* Make stream i, and tell of it. 0 or -ETIMEDOUT, which was logged. */
int churn_stream_setup(struct worker *, uint32_t i);

struct churn_kind churn_stream_kind(const struct worker *, uint32_t i);

/*
 * The subjects (bits) of stream i that the consumer of a place may take. Those
 * of a work queue must not overlap: every other place has some of its own.
 */
uint64_t churn_subjects_of(
    const struct worker *, uint32_t i, uint32_t consumer);

/* Bytes of its largest message: its payload, and room for all else. */
uint64_t churn_stream_largest(const struct worker *);

/* Bytes of a message as its stream counts them, by its payload. */
uint32_t churn_stored(
    const struct worker *, const char *subject, uint64_t id, uint64_t size);

/* Learn what a stream's server knows, unless it is known. */
void churn_stream_learn(struct worker *, struct churn_stream *);

/* Publish a message, and pause. */
void churn_publish(struct worker *);

/* The next id of this process. */
uint64_t churn_next_id(struct worker *);

/*
 * terms.c: what a new consumer of a place (stream and consumer say which) is,
 * and what a change makes of it.
 */
void churn_terms_draw(struct worker *, struct msg_consumer_terms *);
void churn_terms_vary(struct worker *, struct msg_consumer_terms *);

/* Where a consumer begins is another: what an existing one can't become. */
void churn_terms_spoil(struct msg_consumer_terms *);

/*
 * As a request has it, of a life that has its name and its inbox; revision is
 * kept by servers that know metadata.
 */
void churn_terms_write(const struct worker *, const struct churn_life *,
    const struct msg_consumer_terms *, uint64_t revision,
    char out[CHURN_CONFIG_MAX]);

/*
 * Does a configuration that a server says differ from one that was asked for?
 * The names of what does are written to differs.
 */
bool churn_terms_differ(const char asked[CHURN_CONFIG_MAX], const cJSON *said,
    char differs[CHURN_DIFFERS_MAX]);

/* What a push consumer sends to, below the inbox of its life. */
void churn_deliver_subject(
    const struct churn_life *, char out[SESSION_INBOX_MAX + 8]);

/* edit.c: the edit of the state, with its events: the outcome of it all. */
enum outcome churn_edit(struct worker *);

/* A new consumer in an empty place; it ends: 0 or -EIO. */
int churn_begin(struct worker *, struct churn_place *);
int churn_end(struct worker *, struct churn_place *);

/*
 * Use it no more. Its answers are 0, or -EIO: it ends when it stays for too
 * long.
 */
void churn_leave(struct worker *, struct churn_place *);
int churn_await_gone(struct worker *, struct churn_place *);

/* Look at one that was ended once more, when that is long ago. */
void churn_recheck(struct worker *, struct churn_place *);

/* Nothing more is told of the life in a place. */
void churn_over(struct worker *, struct churn_place *);

/* Listen for its deliveries no more. */
void churn_close(struct churn_life *);

/* take.c: take and answer messages: how many came, or -EIO. */
int churn_take(
    struct worker *, struct churn_place *, const struct churn_take *);

/*
 * Take until the server says that nothing is left, for so long at most, and
 * tell what it says then. 0 or -EIO.
 */
int churn_drain(struct worker *, struct churn_place *, uint64_t ns);

/* Tell how long nothing has come of it, if it has something to deliver. */
void churn_tell_wait(struct worker *, struct churn_place *);

/*
 * look.c: ask for a consumer and tell of it; is_drained when all that came is
 * settled. False when there was no answer.
 */
bool churn_see(struct worker *, struct churn_place *, bool is_drained,
    struct churn_seen *);

/*
 * Look at a new one until each replica of its stream is seen to have it, for
 * a while, and tell of that; where each goes by what it knows.
 */
void churn_hold(struct worker *, const struct churn_place *);

/* Ask for all names of a stream, and tell which of this client's are there. */
void churn_list(struct worker *, uint32_t stream);

/* Delete what an earlier process of this client has left. */
void churn_sweep(struct worker *);

/* ops.c: do something with a consumer that is there: 0 or -errno. */
int churn_operate(struct worker *, struct churn_place *);

#endif
