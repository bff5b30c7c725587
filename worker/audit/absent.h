/* SPDX-License-Identifier: ISC */
/*
 * The leader path of a scan: what the consumer did not show is asked of the
 * stream leader. A range is empty when the leader said so in five rounds that
 * lie apart in time: asked for the next message from its first sequence on,
 * and for some of its sequences by number, others in each round. What it has
 * after all is read and told. Where there are thousands of ranges three of the
 * rounds are lists of all that is empty (listed.h).
 */
#ifndef WORKER_ABSENT_H
#define WORKER_ABSENT_H

#include "worker/audit/gaps.h"
#include "worker/audit/scan.h"

/*
 * Settle all gaps, and tell of each as soon as it is known (SCAN_MESSAGE,
 * SCAN_ABSENT, SCAN_ABSENT_RANGE). 0; -ETIMEDOUT when deadline_ns was there
 * first, -ENOMEM, -EIO or -E2BIG, with the rest left in gaps.
 */
int absent_settle(struct scan *, struct gaps *, uint64_t deadline_ns);

#endif
