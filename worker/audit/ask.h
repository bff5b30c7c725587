/* SPDX-License-Identifier: ISC */
/*
 * Questions to the stream leader, many at a time: what does a sequence hold,
 * and which message is the next from a sequence on.
 */
#ifndef WORKER_ASK_H
#define WORKER_ASK_H

#include "worker/audit/scan.h"

enum ask_answer {
	ASK_NONE,    /* none came, or one that says nothing */
	ASK_ABSENT,  /* there is no such message */
	ASK_PRESENT, /* there is: question.found */
};

struct question {
	uint64_t seq;
	bool is_next; /* the first message from seq on, not the one at seq */
	enum ask_answer answer;
	uint64_t found;
	uint32_t of; /* the caller's */
};

struct ask {
	struct scan *scan;
	natsSubscription *sub;
	char inbox[SESSION_INBOX_MAX];
	uint64_t number; /* of the next request: late answers are known */
};

/* 0 or -EIO; ask_close() in either case. */
int ask_open(struct ask *, struct scan *);
void ask_close(struct ask *);

/*
 * Ask n questions, each once, until deadline_ns at the longest; an answer has
 * SCAN_REQUEST_MS.
 */
void ask_leader(
    struct ask *, struct question *, size_t n, uint64_t deadline_ns);

#endif
