/* SPDX-License-Identifier: ISC */
/*
 * A journal as a run of pipeline leaves it, of any length: the histories of
 * tests/stories/pipe_story.c with some trouble, written as they are told.
 */
#include <errno.h>

#include "proto/journal.h"
#include "tests/bench/central.h"
#include "tests/stories/pipe_story.h"

#define EVENTS_A_MESSAGE 8
#define SEED		 UINT64_C(1)

struct writer {
	struct journal_writer out;
	int err;
};

static void
write_event(void *arg, struct event *ev)
{
	struct writer *w = arg;
	uint8_t frame[FRAME_MAX];
	int len = frame_encode(ev, frame);

	if (w->err == 0)
		w->err =
		    len < 0 ? len : journal_append(&w->out, frame, (size_t)len);
}

int
generate_pipeline(const char *dir, uint64_t events)
{
	struct pipe_story s;
	struct writer w = {.err = 0};
	int err;

	w.err = journal_create(&w.out, dir, 1);
	pipe_story_init(&s, SEED);
	s.sink = write_event;
	s.arg = &w;
	s.messages = events / EVENTS_A_MESSAGE + 1;
	s.faults = true;
	s.trouble = 2;
	pipe_story_tell(&s);
	pipe_story_fini(&s);
	err = journal_close(&w.out);
	return w.err < 0 ? w.err : err;
}
