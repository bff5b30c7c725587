/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload atomic-batch, which operates as
 * worker/operate/operate.h has it:
 *
 *	ops.c	  the table of operations, and how each is drawn
 *	batch.c	  a batch: staged, and committed or given up
 *	fast.c	  a fast batch: its messages are stored one by one
 *	atomic_batch.c	the streams, options and the load
 */
#ifndef WORKER_ATOMIC_BATCH_H
#define WORKER_ATOMIC_BATCH_H

#include "worker/operate/operate.h"

#define BATCH_MOST     1000 /* messages; servers refuse more */
#define BATCH_SIZE_MAX 4000 /* bytes of a message */

struct batch_options {
	struct plain_options plain; /* first, as operate.h has it */
	uint64_t size[2];
	uint64_t counters; /* the last ones of the streams: they count */
};

struct batch_state {
	struct operate operate; /* first, as operate.h has it */
	uint64_t given_up_ns;	/* a batch was, last */
	uint64_t fast_ns;	/* a fast batch was sent, last */
};

/* ops.c: the table. */
extern const struct operate_ops batch_operate;

/*
 * batch.c: send op->batch messages as one batch; what op expects is expected
 * of the first. A batch that is given up is sent in part, and no more.
 */
void batch_send(struct worker *, struct operation *);
void batch_send_two(struct worker *, struct operation *);
void batch_give_up(struct worker *, struct operation *);

/*
 * fast.c: send op->batch messages as a fast batch, and look where they are
 * stored.
 */
void batch_send_fast(struct worker *, struct operation *);

/*
 * batch.c: what a message of a batch asks for, of id first + i: what op has,
 * for the first, else drawn by its id, so that it is the same each time.
 */
void batch_member(struct worker *, const struct operation *op, uint64_t first,
    uint32_t i, struct operation *out);

/* Does this stream count? Its messages add to counters then. */
bool batch_counts(const struct worker *, uint32_t stream);

#endif
