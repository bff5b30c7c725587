/* SPDX-License-Identifier: ISC */
/* Where released events go; see history.h. */
#include <errno.h>
#include <string.h>

#include "orchestrator/history/history.h"
#include "proto/base/text.h"
#include "proto/frame.h"

static void
on_anomaly(void *arg, const struct anomaly *a)
{
	struct history *h = arg;

	stats_anomaly(&h->stats);
	if (h->notice != NULL)
		h->notice(h->notice_arg, a);
}

int
history_init(struct history *h, judge_notice *notice, void *arg)
{
	memset(h, 0, sizeof(*h));
	stats_init(&h->stats);
	h->notice = notice;
	h->notice_arg = arg;
	h->judge = judge_create(on_anomaly, h);
	return h->judge != NULL ? 0 : -ENOMEM;
}

void
history_fini(struct history *h)
{
	stats_fini(&h->stats);
	judge_destroy(h->judge);
	h->judge = NULL;
}

int
history_enter(struct history *h, const struct event *ev, const uint8_t *raw,
    size_t raw_len)
{
	int err = 0;

	h->bytes += raw_len;
	if (h->journal != NULL && !h->is_lost)
		err = journal_append(h->journal, raw, raw_len);
	stats_event(&h->stats, judge_ledger(h->judge), ev);
	if (h->stats.ran_out)
		judge_forget(h->judge);
	(void)judge_event(h->judge, ev); /* its result says so */
	return err;
}

void
history_lose(struct history *h, const char *why)
{
	struct event ev = {.type = MESSAGE_HARNESS, .incarnation = 1};
	uint8_t frame[FRAME_MAX];
	int len;

	if (h->is_lost)
		return;
	judge_forget(h->judge);
	ev.time_ns = h->stats.last_ns;
	text_set(ev.u.harness.why, sizeof(ev.u.harness.why), why);
	len = frame_encode(&ev, frame);
	/* It fails as the event did, or the journal says so at its end. */
	(void)history_enter(h, &ev, frame, len > 0 ? (size_t)len : 0);
	h->is_lost = true;
}

void
history_dropped(struct history *h, const struct msg_dropped *m)
{
	if (h->dropped.places++ == 0 || m->first_ns < h->dropped.first_ns)
		h->dropped.first_ns = m->first_ns;
	if (m->last_ns > h->dropped.last_ns)
		h->dropped.last_ns = m->last_ns;
	h->dropped.events += m->events;
}

void
history_look(struct history *h)
{
	judge_look(h->judge, &h->result);
}

void
history_finish(struct history *h)
{
	judge_finish(h->judge, &h->result);
}

int
history_replay(struct history *h, const char *run_dir)
{
	struct journal_reader reader;
	enum journal_state state;
	const uint8_t *raw;
	struct event ev;
	size_t len;
	int err;

	err = journal_open(&reader, run_dir);
	if (err < 0) {
		journal_reader_fini(&reader);
		return err;
	}
	while (
	    (state = journal_next(&reader, &ev, &raw, &len)) == JOURNAL_EVENT) {
		if (ev.type == MESSAGE_DROPPED)
			history_dropped(h, &ev.u.dropped);
		(void)history_enter(h, &ev, raw, len); /* no journal: 0 */
	}
	h->torn = state == JOURNAL_TORN;
	h->damaged = state == JOURNAL_DAMAGED;
	if (h->damaged) {
		/* What is missing is unknown: the harness's fault, not a pass.
		 */
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_CHILD_GAP;
		ev.time_ns = h->stats.last_ns;
		(void)history_enter(h, &ev, NULL, 0); /* no journal: 0 */
	}
	journal_reader_fini(&reader);
	history_finish(h);
	return 0;
}
