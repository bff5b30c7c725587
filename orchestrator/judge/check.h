/* SPDX-License-Identifier: ISC */
/*
 * Checks: pure judges of the one history. A check sees events in order,
 * reads the ledger, and raises anomalies; it has no clock, does no I/O and
 * knows no process, so it judges a recorded run exactly as the live one.
 *
 * A new check is one file here: its private state, its event hook, the rule
 * it stands on (docs/guarantees.md), and one const struct check_ops named
 * check_<file name> at the bottom. The build finds it.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "orchestrator/judge/contents.h"
#include "orchestrator/judge/faults.h"
#include "orchestrator/judge/leaders.h"
#include "orchestrator/judge/ledger.h"
#include "orchestrator/judge/lives.h"
#include "proto/config.h"
#include "proto/message.h"

/*
 * X(KIND, kind, command): the anomaly kinds of report.json, and the command
 * that tells the operation's client not to wait for what was judged. It is 0
 * where no client waits.
 */
#define ANOMALY_KINDS(X)                                                       \
	X(LOST, lost, 0)                                                       \
	X(PHANTOM, phantom, 0)                                                 \
	X(DUPLICATE, duplicate, 0)                                             \
	X(REORDER, reorder, 0)                                                 \
	X(CORRUPT, corrupt, 0)                                                 \
	X(SEQ_REUSE, seq_reuse, 0)                                             \
	X(REDELIVERED_AFTER_ACK, redelivered_after_ack, 0)                     \
	X(SKIPPED, skipped, 0)                                                 \
	X(STALE_READ, stale_read, 0)                                           \
	X(LOST_UPDATE, lost_update, MESSAGE_GIVE_UP)                           \
	X(CAS_VIOLATED, cas_violated, 0)                                       \
	X(STREAM_MISSING, stream_missing, MESSAGE_GIVE_UP)                     \
	X(STREAM_RESURRECTED, stream_resurrected, MESSAGE_GIVE_UP)             \
	X(DIVERGENCE, divergence, 0)                                           \
	X(STUCK, stuck, MESSAGE_DONE)                                          \
	X(OP_TIMEOUT, op_timeout, MESSAGE_GIVE_UP)                             \
	X(LIMIT_EXCEEDED, limit_exceeded, 0)                                   \
	X(NOT_REMOVED, not_removed, 0)                                         \
	X(NOT_RECOVERED, not_recovered, 0)                                     \
	X(MISANSWERED, misanswered, 0)                                         \
	X(CONSUMER_MISSING, consumer_missing, 0)                               \
	X(WRONG_STATE, wrong_state, 0)                                         \
	X(NOT_REDELIVERED, not_redelivered, 0)                                 \
	X(DELIVERED_TWICE, delivered_twice, 0)                                 \
	X(CONSUMER_RESET, consumer_reset, 0)                                   \
	X(REDELIVERED_EARLY, redelivered_early, 0)                             \
	X(CRASHED, crashed, 0)                                                 \
	X(LEAK, leak, 0)                                                       \
	X(MISDELIVERED, misdelivered, 0)                                       \
	X(UNDELETED, undeleted, 0)                                             \
	X(LIMIT_BROKEN, limit_broken, 0)                                       \
	X(EXPIRED_EARLY, expired_early, 0)                                     \
	X(EXPIRED_LATE, expired_late, 0)                                       \
	X(CONSUMER_RESURRECTED, consumer_resurrected, 0)                       \
	X(TORN_BATCH, torn_batch, 0)                                           \
	X(WRONG_COUNT, wrong_count, 0)                                         \
	X(NOT_COPIED, not_copied, 0)                                           \
	X(REMOVED_EARLY, removed_early, 0)                                     \
	X(MISFIRED, misfired, 0)                                               \
	X(BAD_BACKUP, bad_backup, 0)                                           \
	X(UNMARKED, unmarked, 0)

enum anomaly_kind {
#define X(KIND, kind, command) ANOMALY_##KIND,
	ANOMALY_KINDS(X)
#undef X
	ANOMALY_COUNT
};

enum anomaly_class {
	CLASS_VIOLATION,  /* a promise was broken: the run fails */
	CLASS_DOCUMENTED, /* a loss or weakness that the documents allow */
	CLASS_WARNING,	  /* not sound evidence by itself */
	CLASS_COUNT
};

/* One anomaly. The keys find the events that show it in the journal. */
struct anomaly {
	enum anomaly_kind kind;
	enum anomaly_class class;
	const char *rule;   /* the paragraph it stands on */
	const char *check;  /* name of the check that raised it */
	uint64_t time_ns;   /* of the event that completed the evidence */
	uint64_t raised_ns; /* of the event at which it was raised */
	uint32_t stream;
	uint64_t ids[2], seqs[2]; /* 0: none */
	uint64_t lowest;	  /* sequence that it is about; 0: seqs[0] */
	uint32_t fault;
	uint64_t more; /* so many further ones are told by this one */
	/* It convicts also where what was stored may be lost: check_raise(). */
	bool is_no_loss;
	char *says; /* one sentence with the numbers; the judge's own */
};

struct check;

struct check_ops {
	const char *name;    /* file name, and first kind it raises */
	const char *summary; /* one sentence for users */
	const char *rule;    /* paragraph of docs/guarantees.md */
	const enum message_type *types; /* events it wants; 0 ends */
	/*
	 * What it judges, in the plural, and the events that are one of them
	 * each, whether it wants them or not; 0 ends. Without such events the
	 * check says by check_judged() what it has judged. Where that is
	 * nothing the check is reported as not exercised.
	 */
	const char *unit;
	const enum message_type *judges;
	size_t state_size;
	int (*init)(struct check *); /* optional; 0 or -errno */
	/* Judge an event that the ledger has not entered yet. 0 or -errno. */
	int (*event)(struct check *, const struct event *);
	/*
	 * Optional: true while the history may still say something about the
	 * operation that this event is about, so that it must be kept.
	 */
	bool (*needs)(const struct check *, const struct event *);
	void (*finish)(struct check *); /* optional; the history is over */
	void (*fini)(struct check *);	/* optional; release the state */
	/*
	 * It convicts only by what the history holds, never by what it lacks,
	 * so it goes on behind events that --journal-keep dropped. The others
	 * end there.
	 */
	bool stands_alone;
	bool is_of_servers; /* and not of what they store */
};

/* What a running check sees. */
struct check {
	const struct check_ops *ops;
	void *state; /* state_size bytes, zeroed at first */
	const struct run_config *config;
	const struct ledger *ledger;
	const struct contents *contents;
	const struct lives *lives;
	const struct faults *faults;
	const struct leaders *leaders;
	struct judge *judge;
	uint64_t now_ns; /* time of the last event of the history */
	bool has_hole;	 /* events before this one were dropped */
};

/*
 * Raise an anomaly: kind, class and keys from proto, its sentence from
 * the format. Time and rule are filled in when they are 0.
 */
void check_raise(struct check *, const struct anomaly *proto, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Say that so many more things (ops->unit) were judged; see judges. */
void check_judged(struct check *, uint64_t n);

/*
 * Say that the history can't decide something that this check answers for:
 * the run is then inconclusive unless something worse applies.
 */
void check_doubt(struct check *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Of a check's arrays by source, stream or consumer (proto/base/array.h). */
#define CHECK_SLOTS_MAX 65536

/* True when the payload is whole and of this run: its id can be trusted. */
bool check_is_ours(const struct check *, uint64_t run, unsigned intact);

/* An operation that has so much time of the availability clock. */
struct check_time {
	uint64_t start_ns, limit_ns;
	bool is_over; /* it ends with this event */
};

/*
 * True when it took longer. Of one that goes on only what it used until
 * FAULTS_LAG_NS ago counts: whether one of natsburn's own processes has stood
 * still since then may not be known yet.
 */
bool check_is_late(const struct check *, const struct check_time *);

/*
 * As check_raise(), of an operation that is late; " within N s in which the
 * cluster could serve" is added to the sentence. One that is over is raised
 * when FAULTS_LAG_NS have passed, if it is late then still.
 */
void check_raise_late(struct check *, const struct anomaly *proto,
    const struct check_time *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * The one definition of steady: nothing disturbed JetStream (a fault, or a
 * process of natsburn that stood still) from 20 s before from_ns until to_ns,
 * and the group had one known leader all that time and was seen to have it
 * still. Of a stream or consumer, which the run has made, the first leader that
 * was ever told counts 5 s after that, whatever was before: a deposed one knows
 * it by then. A group of one replica has no other leader: on an external
 * cluster all servers have to be seen again, twice, as the same processes. The
 * name is a stream's, or "stream/consumer"; the meta group's does not matter.
 * YES comes 5 s after to_ns or later, when links that stood still were told.
 */
enum steadiness check_steady(const struct check *, enum leaders_group,
    const char *name, uint32_t replicas, uint64_t from_ns, uint64_t to_ns);

/* A consumer's name as check_steady() takes it, by its stream and own name. */
#define CHECK_CONSUMER_MAX 136
void check_consumer_name(const struct check *, uint32_t stream,
    const char *name, char out[CHECK_CONSUMER_MAX]);

/*
 * True when the server has dropped no delivery of this consumer since a moment:
 * one leader was steady (check_steady()) until 10 s ago. That nobody died who
 * was to receive them, or connected anew, the caller knows.
 */
bool check_drops_none(
    const struct check *, const struct ledger_consumer *, uint64_t since_ns);

/*
 * Of a consumer that has lost what it had confirmed, or numbers anew: with one
 * replica it confirms before it writes, so that is CLASS_DOCUMENTED when a
 * server may have ended since that moment, and CLASS_WARNING on an external
 * cluster where nobody sees whether one did. CLASS_VIOLATION: nothing of this
 * kind excuses it.
 */
enum anomaly_class check_lone_class(
    const struct check *, uint32_t stream, bool was_alone, uint64_t since_ns);

/*
 * True when a consumer with the creation time made is another one than that
 * with the time other. Before 2.11 each replica of a consumer has one of its
 * own by its own clock, which are 24 ms apart at most as measured.
 */
bool check_is_made_later(const struct check *, uint64_t made, uint64_t other);

/* What has to have been steady; see check_steady(). The name is copied. */
struct check_span {
	enum leaders_group what;
	const char *name;
	uint32_t replicas;
	uint64_t from_ns, to_ns;
	bool is_no_proof; /* it stays what it is, however steady */
};

/*
 * As check_raise(), of what is a violation if the group was steady, and
 * otherwise of the class that proto has; nothing if that is CLASS_COUNT. It
 * is raised when that is known. Of many of a group the first have their own
 * sentences, to which who led and which fault was in force is added, and the
 * others one together.
 */
void check_raise_steady(struct check *, const struct anomaly *proto,
    const struct check_span *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Of what convicts when a life's leader was steady from a moment until now;
 * its name goes to name, which has to last until it is raised.
 */
struct check_span check_life_span(const struct check *, const struct life *,
    uint64_t from_ns, char name[CHECK_CONSUMER_MAX]);

/* The same of the meta group, which makes and ends consumers. */
struct check_span check_meta_span(const struct check *, uint64_t from_ns);

/* check_lone_class() of a life, whose state may be in memory alone. */
enum anomaly_class check_life_class(const struct check *, const struct life *);

/* Of what does not convict because ledger_is_kept_for() says no. */
#define CHECK_NOT_KEPT                                                         \
	"; that each replica knew of this consumer when the message was sent " \
	"was not seen, and one that does not drops it"

const char *anomaly_kind_name(enum anomaly_kind);
const char *anomaly_class_name(enum anomaly_class);

/* What the operation's client is to be told, or 0: nothing. */
enum message_type anomaly_command(enum anomaly_kind);

/* All checks, NULL-terminated, in the order of their file names. */
extern const struct check_ops *const check_table[];

#endif
