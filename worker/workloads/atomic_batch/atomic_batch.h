/* SPDX-License-Identifier: ISC */
/*
 * The parts of the workload atomic-batch, which operates as
 * worker/operate/operate.h has it:
 *
 *	ops.c	  the table of operations, and how each is drawn
 *	batch.c	  a batch: staged, and committed or given up
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

/* Does this stream count? Its messages add to counters then. */
bool batch_counts(const struct worker *, uint32_t stream);

#endif
