/* SPDX-License-Identifier: ISC */
/* The two clocks; see clock.h. */
#include <time.h>

#include "proto/base/clock.h"

uint64_t
clock_mono_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* can't fail: EINVAL only */
	return (uint64_t)ts.tv_sec * CLOCK_S + (uint64_t)ts.tv_nsec;
}

int64_t
clock_wall_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* can't fail: EINVAL only */
	return (int64_t)ts.tv_sec * (int64_t)CLOCK_S + ts.tv_nsec;
}

int
clock_poll_ms(uint64_t now_ns, uint64_t deadline_ns, int cap_ms)
{
	uint64_t ms;

	if (deadline_ns <= now_ns)
		return 0;
	ms = (deadline_ns - now_ns + CLOCK_MS - 1) / CLOCK_MS;
	return ms > (uint64_t)cap_ms ? cap_ms : (int)ms;
}

void
clock_utc(int64_t wall_ns, char out[CLOCK_UTC_MAX])
{
	time_t when = (time_t)(wall_ns / (int64_t)CLOCK_S);
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, CLOCK_UTC_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}

int64_t
clock_from_utc(const char *text)
{
	int64_t ns = 0, unit = CLOCK_S / 10;
	struct tm tm = {0};
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (p == NULL)
		return 0;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
			ns += (*p - '0') * unit;
	return *p == 'Z' ? (int64_t)timegm(&tm) * (int64_t)CLOCK_S + ns : 0;
}
