/* SPDX-License-Identifier: ISC */
/* Where released events go; see history.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
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
	sequences_init(&h->sequences);
	h->judge = judge_create(on_anomaly, h);
	return h->judge != NULL ? 0 : -ENOMEM;
}

void
history_fini(struct history *h)
{
	stats_fini(&h->stats);
	sequences_fini(&h->sequences);
	judge_destroy(h->judge);
	h->judge = NULL;
}

/* Nothing after since_ns proves anything, for this reason. */
static void __attribute__((format(printf, 3, 4)))
history_break(struct history *h, uint64_t since_ns, const char *fmt, ...)
{
	va_list ap;

	if (h->damaged)
		return; /* the first explains */
	h->damaged = true;
	va_start(ap, fmt);
	(void)vsnprintf(
	    h->damage, sizeof(h->damage), fmt, ap); /* cut is fine */
	va_end(ap);
	judge_distrust(h->judge, since_ns, h->damage);
}

static bool
is_in_time(const struct history *h, const struct event *ev)
{
	return ev->time_ns >= h->stats.last_ns &&
	       ev->time_ns <= HISTORY_TIME_MAX;
}

static void
look_at_order(struct history *h, const struct event *ev)
{
	unsigned long long n = h->stats.events;
	char why[160];

	if (!is_in_time(h, ev)) {
		h->is_over = true;
		history_break(h, ev->time_ns,
		    "the history is damaged after event %llu: time goes from "
		    "%llu to %llu ns",
		    n, (unsigned long long)h->stats.last_ns,
		    (unsigned long long)ev->time_ns);
	} else if (!h->damaged && !sequences_take(&h->sequences, ev)) {
		sequences_why(&h->sequences, ev, why, sizeof(why));
		history_break(h, sequences_since(&h->sequences, ev),
		    "the history is not whole after event %llu: %s", n, why);
	} else if (ev->type == MESSAGE_CHILD_GAP)
		judge_distrust(h->judge,
		    sequences_heard(&h->sequences, ev->u.child_gap.child), "");
}

int
history_enter(struct history *h, const struct event *ev, const uint8_t *raw,
    size_t raw_len)
{
	struct event printable;
	int err = 0;

	h->bytes += raw_len;
	if (h->journal != NULL && !h->is_lost)
		err = journal_append(h->journal, raw, raw_len);
	look_at_order(h, ev);
	if (h->is_over)
		return err;
	/* The journal has it as it was said; nobody is shown that. */
	if (!message_is_printable(ev)) {
		printable = *ev;
		message_make_printable(&printable);
		ev = &printable;
	}
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

/* A pass that is beyond a limit has a code of its own. */
static void
look_at_limits(struct history *h)
{
	char why[OPTION_WHY_MAX];
	struct judge_result *r = &h->result;
	int n = thresholds_parse(judge_config(h->judge)->limit, h->limits, why);
	char measured[32];
	unsigned i;

	/* A recorded history may say anything. */
	h->nlimits = n > 0 ? (unsigned)n : 0;
	if (thresholds_look(&h->stats, h->limits, h->nlimits) == 0 ||
	    r->exit_code != EXIT_PASS)
		return;
	r->exit_code = EXIT_LIMIT;
	for (i = 0; i < h->nlimits && r->nreasons < JUDGE_REASONS; i++) {
		if (h->limits[i].says == THRESHOLD_KEPT)
			continue;
		threshold_measured(&h->limits[i], measured, sizeof(measured));
		text_format(r->reasons[r->nreasons++], sizeof(r->reasons[0]),
		    "--limit %s: %s", h->limits[i].text, measured);
	}
}

void
history_finish(struct history *h)
{
	/* Reports count it also where no child was said to have it. */
	if (h->damaged && stats_seen(&h->stats, MESSAGE_CHILD_GAP) == 0)
		h->stats.seen[MESSAGE_CHILD_GAP][CASE_FIRST] = 1;
	judge_finish(h->judge, &h->result);
	look_at_limits(h);
}

void
history_read(struct history *h, struct journal_reader *reader)
{
	enum journal_state state = JOURNAL_EVENT;
	const uint8_t *raw;
	struct event ev;
	size_t len;

	h->sequences.has_beats = reader->has_beats;
	while (!h->is_over && (state = journal_next(reader, &ev, &raw, &len)) ==
				  JOURNAL_EVENT) {
		if (ev.type == MESSAGE_DROPPED)
			history_dropped(h, &ev.u.dropped);
		(void)history_enter(h, &ev, raw, len); /* no journal: 0 */
	}
	h->torn = state == JOURNAL_TORN;
	if (h->torn)
		judge_cut(h->judge);
	/* All before it was verified. */
	if (state == JOURNAL_DAMAGED)
		history_break(h, HISTORY_TIME_MAX,
		    "the journal is damaged after event %llu: segment %u: %s",
		    (unsigned long long)h->stats.events, reader->segment,
		    reader->why);
	history_finish(h);
}

int
history_replay(struct history *h, const char *run_dir)
{
	struct journal_reader reader;
	int err = journal_open(&reader, run_dir);

	h->run_dir = run_dir;
	if (err == 0)
		history_read(h, &reader);
	journal_reader_fini(&reader);
	return err;
}
