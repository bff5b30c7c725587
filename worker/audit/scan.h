/* SPDX-License-Identifier: ISC */
/*
 * What every way to read a stream in the audit has in common: wait until
 * the stream is quiet, tell of the beginning, of each message and of the end
 * (SCAN_BEGIN, SCAN_MESSAGE, SCAN_END).
 */
#ifndef WORKER_SCAN_H
#define WORKER_SCAN_H

#include "worker/audit/tally.h"
#include "worker/internal.h"

#define SCAN_REQUEST_MS 2000	       /* of one request to the server */
#define SCAN_QUIET_NS	(60 * CLOCK_S) /* if the limit is not sooner */
/* A header of what a schedule has sent, which has no id of its own. */
#define SCAN_SCHEDULER "Nats-Scheduler"

struct scan {
	struct worker *w;
	const struct worker_target *target;
	uint64_t first, last, messages, created; /* as the leader said */
	uint64_t bytes, subjects, deleted, consumers;
	int64_t replicas;
	char server[64]; /* the leader, where there are several */
	/* Equal answers up to the latest. */
	unsigned polls, config_polls;
	uint64_t since_ns;	       /* the first of them */
	uint64_t read;		       /* messages told of */
	char config[SETUP_CONFIG_MAX]; /* as setup_config_text() */
	struct tally tally;
	bool is_backed_up;
	char why[128]; /* of the last failure, or empty */
};

/* By which way a message was read: SCAN_MESSAGE.path. */
enum scan_path {
	SCAN_CONSUMER = 1,
	SCAN_LEADER = 2
};

/* Ask the leader for the stream's state: 0, or -EIO with why. */
int scan_state(struct scan *);

/* Note as why that no time is left, to do what: -ETIMEDOUT. */
int scan_is_late(struct scan *, const char *what);

/* Tell SCAN_BEGIN, with the state as it was asked for last. */
void scan_tell_begin(const struct scan *);

/*
 * Ask until the state is the same several times, for removal lags behind acks
 * and the last entry may not be applied yet; then tell SCAN_BEGIN and
 * SCAN_STATE. 0; -ETIMEDOUT after SCAN_QUIET_NS or when the part of the audit
 * has no more time; -ENOENT when for 55 s every answer was that there is no
 * such stream, which SCAN_GONE tells. The beginning is told all the same.
 */
int scan_begin(struct scan *);

/* The highest sequence to look at: the end, or what was acknowledged. */
uint64_t scan_last(const struct scan *);

/* A message that was read. */
struct scan_seen {
	enum scan_path path;
	uint64_t seq;
	int64_t stamp_ns;
	struct payload payload; /* as payload_read() leaves it */
	bool intact;
};

/* Tell of it, or that there is none after so many questions. */
void scan_tell(struct scan *, const struct scan_seen *);
void scan_tell_absent(struct scan *, uint64_t seq, uint32_t tries);

/* As scan_tell_absent(), of all sequences from first to last. */
void scan_tell_range(
    struct scan *, uint64_t first, uint64_t last, uint32_t tries);

/* The payload of a message, or what stands for it: true when it is whole. */
bool scan_payload(natsMsg *, struct payload *);

/* Count a message as the library has it, and tell of it. */
void scan_message(
    struct scan *, enum scan_path, uint64_t seq, int64_t stamp_ns, natsMsg *);

/*
 * Ask the leader for a sequence, and tell of what it has: 1, 0 when it says
 * that there is no such message, -EIO for any other answer.
 */
int scan_get(struct scan *, uint64_t seq);

/*
 * Ask the leader for the sequence of the first message from one on: 1, 0 when
 * there is none, -EIO for any other answer.
 */
int scan_next(struct scan *, uint64_t from, uint64_t *seq);

#define SCAN_API_MAX  SESSION_API_MAX
#define SCAN_TEXT_MAX 80 /* and of a request */

/*
 * The same as a request that the caller sends: its subject and text, for what
 * the leader has at seq, or for the next message from there on.
 */
void scan_question(const struct scan *, uint64_t seq, bool is_next,
    char api[SCAN_API_MAX], char text[SCAN_TEXT_MAX]);

/* What it answers: as scan_next(). */
int scan_answer(const natsMsg *, uint64_t from, uint64_t *seq);

/*
 * Tell SCAN_END, and flush: complete when err is 0, otherwise why not. What
 * was counted is forgotten.
 */
void scan_end(struct scan *, int err);

#endif
