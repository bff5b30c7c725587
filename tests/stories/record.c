/* SPDX-License-Identifier: ISC */
/* Record a story as a live run would; see record.h. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/live/merge.h"
#include "tests/stories/record.h"

static void
release(struct merge *m, struct history *h)
{
	const uint8_t *raw;
	struct event ev;
	size_t len;

	while (merge_next(m, &ev, &raw, &len))
		assert_int_equal(history_enter(h, &ev, raw, len), 0);
}

static void
push(struct merge *m, const struct event *ev)
{
	uint8_t frame[FRAME_MAX];
	int len = frame_encode(ev, frame);

	assert_true(len > 0);
	assert_int_equal(merge_push(m, ev, frame, (size_t)len), 0);
}

/*
 * Each source's events in order, but the sources one after the other within
 * a stretch of the history; then all say that they are past its end.
 */
static void
push_stretch(const struct story *s, size_t from, size_t to, struct merge *m)
{
	uint32_t source;
	size_t i;

	for (source = STORY_SOURCES; source-- > 0;) {
		for (i = from; i < to; i++)
			if (s->events[i].source == source)
				push(m, &s->events[i]);
		merge_mark(m, source, s->events[to - 1].time_ns);
	}
}

void
record(const struct story *s, const char *dir, struct history *h)
{
	struct merge *m = merge_create();
	struct journal_writer journal;
	struct rng rng;
	uint32_t source;
	size_t from = 0, to;

	assert_non_null(m);
	rng_init(&rng, s->seed, "record");
	assert_int_equal(journal_create(&journal, dir, STORY_RUN), 0);
	assert_int_equal(history_init(h, NULL, NULL), 0);
	h->journal = &journal;
	for (source = 0; source < STORY_SOURCES; source++)
		assert_int_equal(merge_open(m, source, 0), 0);
	while (from < s->n) {
		to = from + 1 + (size_t)rng_below(&rng, 60);
		to = to < s->n ? to : s->n;
		push_stretch(s, from, to, m);
		release(m, h);
		from = to;
	}
	for (source = 0; source < STORY_SOURCES; source++)
		merge_close(m, source);
	release(m, h);
	assert_int_equal(merge_waiting(m), 0);
	assert_int_equal(journal_close(&journal), 0);
	h->journal = NULL;
	history_finish(h);
	merge_destroy(m);
}

void
record_cut(const char *path, long bytes)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - bytes), 0);
}
