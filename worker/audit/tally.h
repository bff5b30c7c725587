/* SPDX-License-Identifier: ISC */
/*
 * What a scan reads of a stream, counted, beside what the stream's leader says
 * of it before and after the scan (SCAN_TALLY). Zeroed at first.
 */
#ifndef WORKER_TALLY_H
#define WORKER_TALLY_H

#include <nats/nats.h>
#include <stdint.h>

#define TALLY_SUBJECTS 4096 /* that are counted */

struct scan;

struct tally {
	uint64_t read, first, last, bytes;
	uint64_t mislabelled, mislabelled_seq;
	uint64_t *subjects; /* hashes, sorted */
	uint32_t nsubjects, room;
	bool has_more; /* subjects than are counted */
};

/*
 * Count a message. id is the Nats-Msg-Id that it should have; NULL when that is
 * not known.
 */
void tally_add(struct scan *, uint64_t seq, natsMsg *, const char *id);

/*
 * After a scan that settled everything: ask the leader for its numbers, again
 * for some seconds while they do not fit, and tell both, and its configuration.
 * 0, or -EIO with the scan's why when it does not answer.
 */
int tally_tell(struct scan *);

/* Forget what was counted; also gives the memory back. */
void tally_reset(struct tally *);

#endif
