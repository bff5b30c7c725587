/* SPDX-License-Identifier: ISC */
/* Keeps the journal near a size; see retain.h. */
#include <errno.h>
#include <string.h>

#include "orchestrator/live/retain.h"
#include "proto/base/ensure.h"

#define SEGMENT_MIN ((uint64_t)128 << 10)
#define PARTS	    8	 /* segments that a kept journal is to have at least */
#define STEP	    2000 /* events: about a millisecond */

void
retain_init(struct retain *t, struct journal_writer *j, uint64_t keep)
{
	uint64_t size = keep / PARTS;

	memset(t, 0, sizeof(*t));
	t->keep = keep;
	t->next = 1;
	if (keep == 0)
		return;
	size = size > SEGMENT_MIN ? size : SEGMENT_MIN;
	if (size < j->segment_max)
		j->segment_max = size;
}

/* Log lines are not: a thousand clients say much in a week. */
bool
retain_is_frame(const struct event *ev)
{
	return message_class(ev->type) & (IS_FRAME | IS_FACT);
}

static bool
is_needed(
    const struct retain *t, const struct judge *judge, const struct event *ev)
{
	return retain_is_frame(ev) || judge_needs(judge, ev) ||
	       evidence_is_around(judge, &t->sieve, ev);
}

static void
look_for_anomalies(struct retain *t, const struct history *h)
{
	if (t->anomalies == h->stats.anomalies)
		return;
	t->anomalies = h->stats.anomalies;
	evidence_sieve_fill(&t->sieve, h->judge);
}

/* Segments that were finished since. */
static void
look_for_finished(struct retain *t, const struct journal_writer *j)
{
	while (t->nfinished + 1 < j->segment)
		t->finished += journal_segment_size(j->dir, ++t->nfinished);
}

uint64_t
retain_bytes(const struct retain *t, const struct journal_writer *j)
{
	return t->finished + j->segment_disk;
}

static bool
is_due(const struct retain *t, const struct journal_writer *j)
{
	return retain_bytes(t, j) > t->keep && t->next <= t->nfinished;
}

static void
close_both(struct retain *t, bool is_wanted, int *err)
{
	int end = journal_rewrite_end(&t->out, is_wanted ? &t->in : NULL);

	*err = *err < 0 ? *err : end;
	journal_reader_fini(&t->in);
	t->is_active = false;
}

static int
begin(struct retain *t, const struct journal_writer *j)
{
	const char *dir = j->dir;
	int err;

	ensure(t->next < j->segment); /* nobody writes to it any more */
	t->had = journal_segment_size(dir, t->next);
	hole_init(&t->hole);
	memset(&t->dropped, 0, sizeof(t->dropped));
	err = journal_open_segment(&t->in, dir, t->next);
	if (err == 0)
		err = journal_rewrite_begin(&t->out, &t->in);
	if (err < 0)
		journal_reader_fini(&t->in);
	t->is_active = err == 0;
	return err;
}

/* The note in place of what was left out. */
static int
put_hole(struct retain *t)
{
	const struct msg_dropped *m = &t->hole.note.u.dropped;

	if (m->events > 0) {
		if (t->dropped.places++ == 0)
			t->dropped.first_ns = m->first_ns;
		t->dropped.events += m->events;
		t->dropped.last_ns = m->last_ns;
	}
	return hole_put(&t->hole, &t->out);
}

static int
take(struct retain *t, const struct judge *judge, const struct event *ev,
    const uint8_t *raw, size_t len)
{
	int err;

	if (!is_needed(t, judge, ev)) {
		hole_add(&t->hole, ev);
		return 0;
	}
	err = put_hole(t);
	return err < 0 ? err : journal_append(&t->out, raw, len);
}

/* The segment is read: the new one takes its place, if it is worth it. */
static int
finish(struct retain *t, struct history *h)
{
	int err = put_hole(t);
	bool is_smaller;
	uint64_t has;

	if (err == 0)
		err = journal_flush(&t->out);
	is_smaller =
	    err == 0 && t->dropped.events > 0 && t->out.segment_disk < t->had;
	close_both(t, is_smaller, &err);
	if (err == 0 && is_smaller) {
		h->dropped.first_ns = h->dropped.places > 0
					  ? h->dropped.first_ns
					  : t->dropped.first_ns;
		h->dropped.events += t->dropped.events;
		h->dropped.places += t->dropped.places;
		h->dropped.last_ns = t->dropped.last_ns;
		has = journal_segment_size(h->journal->dir, t->next);
		t->finished -= t->had > has ? t->had - has : 0;
	}
	t->next++;
	return err;
}

static int
step(struct retain *t, struct history *h, uint64_t events)
{
	enum journal_state state;
	const uint8_t *raw;
	struct event ev;
	size_t len;
	int err = 0;

	while (err == 0 && events-- > 0) {
		state = journal_next(&t->in, &ev, &raw, &len);
		if (state == JOURNAL_END)
			return finish(t, h);
		if (state != JOURNAL_EVENT)
			return -EILSEQ;
		err = take(t, h->judge, &ev, raw, len);
	}
	return err;
}

int
retain_poll(struct retain *t, struct history *h)
{
	uint64_t came = h->stats.events - t->events;
	int err = 0;

	t->events = h->stats.events;
	look_for_finished(t, h->journal);
	if (t->keep == 0 || t->has_failed || h->journal->error < 0)
		return 0;
	look_for_anomalies(t, h);
	if (!t->is_active && is_due(t, h->journal))
		err = begin(t, h->journal);
	if (err == 0 && t->is_active)
		err = step(t, h, STEP + 2 * came);
	if (err == 0)
		return 0;
	t->has_failed = true;
	retain_fini(t);
	return err;
}

void
retain_fini(struct retain *t)
{
	int err = 0;

	if (t->is_active)
		close_both(t, false, &err);
}
