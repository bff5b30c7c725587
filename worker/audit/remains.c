/* SPDX-License-Identifier: ISC */
/*
 * The audit of a stream that drops what was acked (work queue, interest):
 * a scan through a consumer can't be had there, and the stream should be
 * all but empty. What is left is found through the leader, from one message
 * to the next; what lies between holds nothing.
 */
#include <errno.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/scan.h"

#define TRIES_NS (30 * CLOCK_S)
#define LEFT_MAX 100000 /* messages; more is not worth reading */
#define ENDS	 3	/* answers that nothing comes any more */

static void
emit_removed(struct scan *s, uint64_t first, uint64_t last)
{
	struct event ev = {.type = MESSAGE_SCAN_REMOVED};

	if (first > last)
		return;
	ev.u.scan_removed.stream = s->target->stream;
	ev.u.scan_removed.first = first;
	ev.u.scan_removed.last = last;
	child_emit(&s->w->child, &ev);
}

/*
 * From message to message until the end. That there is no next one is asked
 * several times, apart: a server says so whatever keeps it from its store.
 */
static int
walk(struct scan *s, uint64_t last)
{
	uint64_t deadline = clock_mono_ns() + TRIES_NS, from = 1, seq = 0;
	struct backoff b = {0};
	unsigned ends = 0;
	int got;

	while (from <= last && s->read < LEFT_MAX) {
		if (limit_is_over(s->w))
			return scan_is_late(s, "to look at what is left");
		got = scan_next(s, from, &seq);
		if (got == 1 && seq <= last)
			got = scan_get(s, seq) == 1 ? 1 : -EIO;
		if (got < 0) {
			if (clock_mono_ns() >= deadline)
				return -ETIMEDOUT;
			session_backoff(&b, &s->w->child);
			continue;
		}
		deadline = clock_mono_ns() + TRIES_NS;
		child_beat(&s->w->child);
		if (got == 0 && ++ends < ENDS) {
			session_backoff(&b, &s->w->child);
			continue;
		}
		if (got == 0 || seq > last) {
			emit_removed(s, from, last);
			return 0;
		}
		b.step = ends = 0;
		emit_removed(s, from, seq - 1);
		from = seq + 1;
	}
	if (from > last)
		return 0;
	text_format(
	    s->why, sizeof(s->why), "more than %d messages are left", LEFT_MAX);
	return -E2BIG;
}

void
remains_stream(struct worker *w, const struct worker_target *target)
{
	struct scan s = {.w = w, .target = target};
	int err = scan_begin(&s);

	if (err == 0)
		err = walk(&s, scan_last(&s));
	if (err == 0)
		err = tally_tell(&s);
	scan_end(&s, err);
}

int
remains_streams(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		remains_stream(w, &w->targets[i]);
	return 0;
}
