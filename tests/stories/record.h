/* SPDX-License-Identifier: ISC */
/*
 * Record a story as a live run would: its events, source by source and in
 * uneven batches, through the merge into history and journal.
 */
#ifndef TESTS_RECORD_H
#define TESTS_RECORD_H

#include "orchestrator/history/history.h"
#include "tests/stories/story.h"

/* Journal in dir/journal; the history is judged, history_fini() it. */
void record(const struct story *, const char *dir, struct history *);

/* Take bytes off the end of a file. */
void record_cut(const char *path, long bytes);

#endif
