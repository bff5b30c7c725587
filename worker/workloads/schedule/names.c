/* SPDX-License-Identifier: ISC */
/* Subjects, and what stands in headers; see schedule.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/schedule/schedule.h"

#define TARGETS 8 /* subjects of a stream that schedules send to */

void
schedule_subject(
    const struct worker *w, const struct plan *p, char out[OPERATE_SUBJECT_MAX])
{
	char suffix[48];

	text_format(suffix, sizeof(suffix), "s%u.%s.%" PRIx64, p->stream,
	    p->times == TIMES_ONCE ? "once" : "again", p->group);
	worker_subject(w, suffix, out, OPERATE_SUBJECT_MAX);
}

void
schedule_repeats(
    const struct worker *w, uint32_t stream, char out[OPERATE_SUBJECT_MAX])
{
	char suffix[48];

	text_format(suffix, sizeof(suffix), "s%u.again.>", stream);
	worker_subject(w, suffix, out, OPERATE_SUBJECT_MAX);
}

void
schedule_target(const struct worker *w, uint32_t stream, uint64_t group,
    char out[OPERATE_SUBJECT_MAX])
{
	char suffix[48];

	text_format(
	    suffix, sizeof(suffix), "s%u.to.%" PRIu64, stream, group % TARGETS);
	worker_subject(w, suffix, out, OPERATE_SUBJECT_MAX);
}

uint64_t
schedule_group(const char *subject)
{
	const char *dot = strrchr(subject, '.');

	return dot != NULL ? strtoull(dot + 1, NULL, 16) : 0;
}

void
schedule_when(const struct plan *p, char out[SCHEDULE_TEXT_MAX])
{
	char utc[CLOCK_UTC_MAX];

	if (p->times == TIMES_EVERY)
		text_format(out, SCHEDULE_TEXT_MAX, "@every %" PRIu64 "ms",
		    p->every_ns / CLOCK_MS);
	else if (p->times == TIMES_CRON)
		text_format(out, SCHEDULE_TEXT_MAX, "*/%" PRIu64 " * * * * *",
		    p->every_ns / CLOCK_S);
	else {
		clock_utc(p->at_ns, utc);
		text_format(out, SCHEDULE_TEXT_MAX, "@at %.*s.%09" PRIu64 "Z",
		    (int)strcspn(utc, "Z"), utc, (uint64_t)p->at_ns % CLOCK_S);
	}
}
