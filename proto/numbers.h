/* SPDX-License-Identifier: ISC */
/*
 * What the numbers of a quiet stream must satisfy (guarantees 13): those that
 * its leader tells among themselves, and beside what a scan read. The audit
 * asks again while they don't; the judge says what it means.
 */
#ifndef PROTO_NUMBERS_H
#define PROTO_NUMBERS_H

#include "proto/base/clock.h"
#include "proto/message.h"

/* So long numbers have to be wrong, and the same, to be more than passing. */
#define NUMBERS_LONG_NS (10 * CLOCK_S)
#define NUMBERS_POLLS	5

/* What is wrong in the leader's numbers alone: a phrase, or NULL. */
const char *numbers_own_flaw(const struct msg_scan_tally *);

/* The same, and what is wrong beside what was read. */
const char *numbers_flaw(const struct msg_scan_tally *);

#endif
