/* SPDX-License-Identifier: ISC */
/*
 * The two clocks. Every decision and every order in natsburn rests on the
 * monotonic clock of the one host; the wall clock is for people only.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_MS UINT64_C(1000000)
#define CLOCK_S	 UINT64_C(1000000000)

/* Nanoseconds of CLOCK_MONOTONIC; the same clock in every process. */
uint64_t clock_mono_ns(void);

/* Nanoseconds since the epoch, for people. */
int64_t clock_wall_ns(void);

/* Such a time in words, UTC: 2026-08-01T12:00:00Z; "" in no calendar. */
#define CLOCK_UTC_MAX 32
void clock_utc(int64_t wall_ns, char out[CLOCK_UTC_MAX]);

/* 2026-01-02T03:04:05.123456789Z in nanoseconds since the epoch, or 0. */
int64_t clock_from_utc(const char *text);

/*
 * Milliseconds from now until deadline_ns, rounded up, for poll(2): 0 when
 * it has passed, at most cap_ms.
 */
int clock_poll_ms(uint64_t now_ns, uint64_t deadline_ns, int cap_ms);

#endif
