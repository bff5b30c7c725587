/* SPDX-License-Identifier: ISC */
/*
 * Streams with very many holes: in one answer the leader lists all sequences
 * that hold nothing. That is its word for each of them, as the answer to a
 * question about one is.
 */
#ifndef WORKER_LISTED_H
#define WORKER_LISTED_H

#include "worker/audit/gaps.h"
#include "worker/audit/scan.h"

/*
 * Ask for the list some times, apart in time. A gap of which it says each
 * time that all of it is empty has one round more for each. What can't be
 * had counts nothing.
 */
void listed_ask(struct scan *, struct gaps *, unsigned times);

/*
 * The same of one answer as text, which ends with a NUL. False when it is not
 * such an answer; nothing is counted then.
 */
bool listed_count(struct gaps *, const char *text);

#endif
