/* SPDX-License-Identifier: ISC */
/*
 * What was sent, and what still waits: schedules that come again and again are
 * removed first, then all is read. A schedule whose time comes meanwhile would
 * show as neither, so whether anything was stored since is asked afterwards.
 */
#include <string.h>

#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/scan.h"
#include "worker/workloads/schedule/schedule.h"

#define SCANS_MOST 3

static void
tell_waiting(struct worker *w, uint32_t stream, const struct scan_seen *seen)
{
	struct event ev = {.type = MESSAGE_SCHEDULED};
	struct msg_scheduled *m = &ev.u.scheduled;

	m->stream = stream;
	m->seq = seen->seq;
	m->stamp_ns = seen->stamp_ns;
	m->id = seen->payload.id;
	m->sum = seen->payload.sum;
	child_emit(&w->child, &ev);
}

/* "60s" as ns; 0 when there is none, or it is not in seconds. */
static uint64_t
ttl_read(const char *text)
{
	uint64_t ns;

	return text_to_duration(text, &ns) == 0 ? ns : 0;
}

static void
tell_fired(struct worker *w, uint32_t stream, const struct scan_seen *seen,
    natsMsg *msg)
{
	struct event ev = {.type = MESSAGE_FIRED};
	struct msg_fired *m = &ev.u.fired;
	char target[OPERATE_SUBJECT_MAX];

	m->stream = stream;
	m->seq = seen->seq;
	m->stamp_ns = seen->stamp_ns;
	m->id = seen->payload.id;
	m->sum = seen->payload.sum;
	m->group = schedule_group(request_header(msg, SCAN_SCHEDULER));
	schedule_target(w, stream, m->group, target);
	m->fits = strcmp(target, natsMsg_GetSubject(msg)) == 0;
	m->next_ns = request_time(request_header(msg, "Nats-Schedule-Next"));
	m->ttl_ns = ttl_read(request_header(msg, "Nats-TTL"));
	child_emit(&w->child, &ev);
}

static bool
tell_seen(struct worker *w, uint32_t stream, const struct scan_seen *seen,
    natsMsg *msg)
{
	if (!seen->intact || seen->payload.run != w->config.run)
		return false;
	if (request_header(msg, "Nats-Schedule")[0] != '\0')
		tell_waiting(w, stream, seen);
	else if (request_header(msg, SCAN_SCHEDULER)[0] != '\0')
		tell_fired(w, stream, seen, msg);
	else
		return false;
	return true;
}

/* The stream's last sequence, or 0 when nobody says it. */
static uint64_t
last_of(struct worker *w, const struct worker_target *target)
{
	struct scan s = {.w = w, .target = target};

	return scan_state(&s) == 0 ? s.last : 0;
}

static void
audit_one(struct worker *w, const struct worker_target *target)
{
	struct event ev = {.type = MESSAGE_SCHEDULES_READ};
	struct backoff b = {0};
	uint64_t before;
	unsigned scans = 0;

	while (!schedule_remove_repeats(w, target->stream) && !limit_is_over(w))
		session_backoff(&b, &w->child);
	do {
		before = last_of(w, target);
		audit_stream(w, target);
		ev.u.schedules_read.stream = target->stream;
		ev.u.schedules_read.last = last_of(w, target);
		child_emit(&w->child, &ev);
		child_flush(&w->child);
	} while (++scans < SCANS_MOST && !limit_is_over(w) &&
		 ev.u.schedules_read.last != before);
}

int
schedule_audit(struct worker *w)
{
	unsigned i;

	w->scanned = tell_seen;
	for (i = 0; i < w->ntargets; i++)
		audit_one(w, &w->targets[i]);
	return 0;
}
