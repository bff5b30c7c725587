/* SPDX-License-Identifier: ISC */
/*
 * How long the audit may take, whatever the servers do. The parent says it
 * (AUDIT_LIMIT), and each part of the audit has its share; what a part does
 * not use is left to those after it. Time in which this process stood still
 * does not count. A finding that convicts only by how long it lasts may
 * prolong that, out of a store that is given once for the whole audit.
 */
#ifndef WORKER_LIMIT_H
#define WORKER_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct msg_audit_limit;
struct worker;

enum limit_part {
	LIMIT_CONSUMERS, /* a third of what is not for reading */
	LIMIT_SCANS,	 /* another, and to read each stream once */
	LIMIT_COPIES,	 /* all that is left */
	LIMIT_PARTS
};

struct limit {
	/* CLOCK_MONOTONIC; later by what child.stood_ns is meanwhile */
	uint64_t ends_ns[LIMIT_PARTS];
	uint64_t proof_ns; /* that may still be added */
	enum limit_part part;
};

void limit_begin(struct worker *, const struct msg_audit_limit *);

/* From here on it is this part's time. */
void limit_enter(struct worker *, enum limit_part);

/* CLOCK_MONOTONIC: in so many ns, or when the part's time is over. */
uint64_t limit_deadline(const struct worker *, uint64_t ns);

bool limit_is_over(const struct worker *);

/*
 * The part needs ns more, from now on, to prove something: it gets what can
 * be had of them, and so much later is the end of the parts after it.
 */
void limit_prove(struct worker *, uint64_t ns, const char *what);

#endif
