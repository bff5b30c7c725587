/* SPDX-License-Identifier: ISC */
/*
 * Reading a stream through a pull consumer that was made for that alone,
 * batch by batch. Deliveries may get lost on the way: whoever takes them
 * looks at their numbers.
 */
#ifndef WORKER_READER_H
#define WORKER_READER_H

#include "worker/internal.h"

struct reader {
	struct worker *w;
	struct session_consumer consumer;
	unsigned batch; /* deliveries asked for at once */
	/* What to do with one: 1 taken, 0 passed over, or -errno. */
	int (*take)(struct reader *, natsMsg *, const struct delivery *);
	void *arg;    /* take's */
	bool is_over; /* set by take: no more is wanted */
	natsSubscription *sub;
	char inbox[SESSION_INBOX_MAX];
};

/* 0 or -EIO; reader_close() in either case. */
int reader_open(struct reader *);
void reader_close(struct reader *);

/*
 * Ask for a batch and take what comes within two seconds: how many were
 * taken, or the -errno of take.
 */
int reader_pull(struct reader *);

/*
 * So many messages at once, or fewer where a stream's are large: what waits
 * to be taken stays far below 100 MiB.
 */
unsigned reader_batch(unsigned most, uint64_t bytes, uint64_t messages);

/*
 * What such consumers have in common: no acks, and an end some minutes after
 * nobody reads any more. name is borrowed.
 */
void reader_config(jsConsumerConfig *, const char *name);

#endif
