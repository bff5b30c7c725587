/* SPDX-License-Identifier: ISC */
/*
 * A recorded journal as the byte streams that its sources once wrote, cut
 * into windows of time: in a live run every source is heard at least each
 * CHILD_BEAT_NS, so that much of the history waits in the merge at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/live/merge.h"
#include "proto/child.h"
#include "proto/journal.h"
#include "tests/bench/central.h"

#define WINDOW_NS  CHILD_BEAT_NS
#define SOURCE_MAX ((size_t)16 << 30)

struct loader {
	struct feed *feed;
	size_t pieces_room, windows_room;
};

static int
add_source(struct feed *f, uint32_t source)
{
	uint32_t n = source + 1, i;
	struct feed_source *sources;

	if (source >= MERGE_SOURCES_MAX)
		return -E2BIG;
	if (source < f->nsources)
		return 0;
	sources = realloc(f->sources, n * sizeof(*sources));
	if (sources == NULL)
		return -ENOMEM;
	f->sources = sources;
	for (i = f->nsources; i < n; i++) {
		buf_init(&sources[i].bytes, SOURCE_MAX);
		sources[i].begun = 0;
	}
	f->nsources = n;
	return 0;
}

static int
add_piece(struct loader *l, uint32_t source)
{
	struct feed *f = l->feed;
	struct feed_source *s = &f->sources[source];
	size_t end = buf_len(&s->bytes);
	struct feed_piece *pieces;

	if (end == s->begun)
		return 0;
	if (f->npieces == l->pieces_room) {
		l->pieces_room = l->pieces_room ? l->pieces_room * 2 : 1024;
		pieces =
		    realloc(f->pieces, l->pieces_room * sizeof(*f->pieces));
		if (pieces == NULL)
			return -ENOMEM;
		f->pieces = pieces;
	}
	f->pieces[f->npieces++] =
	    (struct feed_piece){f->nwindows, source, s->begun, end - s->begun};
	s->begun = end;
	return 0;
}

static int
end_window(struct loader *l, uint64_t end_ns)
{
	struct feed *f = l->feed;
	uint64_t *ends;
	uint32_t i;
	int err = 0;

	for (i = 0; i < f->nsources && err == 0; i++)
		err = add_piece(l, i);
	if (err < 0)
		return err;
	if (f->nwindows == l->windows_room) {
		l->windows_room = l->windows_room ? l->windows_room * 2 : 256;
		ends = realloc(
		    f->window_ends, l->windows_room * sizeof(*f->window_ends));
		if (ends == NULL)
			return -ENOMEM;
		f->window_ends = ends;
	}
	f->window_ends[f->nwindows++] = end_ns;
	return 0;
}

static int
take_frame(
    struct loader *l, const struct event *ev, const uint8_t *raw, size_t len)
{
	struct feed *f = l->feed;
	uint64_t end = f->nwindows > 0 ? f->window_ends[f->nwindows - 1] : 0;
	int err;

	if (f->events++ == 0)
		f->first_ns = end = ev->time_ns;
	else if (end == 0)
		end = f->first_ns;
	if (ev->time_ns >= end + WINDOW_NS) {
		err = end_window(l, ev->time_ns);
		if (err < 0)
			return err;
	}
	err = add_source(f, ev->source);
	if (err < 0)
		return err;
	f->bytes += len;
	return buf_append(&f->sources[ev->source].bytes, raw, len);
}

int
feed_load(struct feed *f, const char *run_dir)
{
	struct loader l = {.feed = f};
	struct journal_reader reader;
	enum journal_state state;
	const uint8_t *raw;
	struct event ev;
	size_t len;
	int err;

	memset(f, 0, sizeof(*f));
	err = journal_open(&reader, run_dir);
	while (err == 0 && (state = journal_next(&reader, &ev, &raw, &len)) ==
			       JOURNAL_EVENT)
		err = take_frame(&l, &ev, raw, len);
	if (err == 0 && state == JOURNAL_DAMAGED)
		err = -EILSEQ;
	if (err == 0)
		err = end_window(&l, UINT64_MAX);
	journal_reader_fini(&reader);
	return err;
}

void
feed_fini(struct feed *f)
{
	uint32_t i;

	for (i = 0; i < f->nsources; i++)
		buf_fini(&f->sources[i].bytes);
	free(f->sources);
	free(f->pieces);
	free(f->window_ends);
	memset(f, 0, sizeof(*f));
}
