/* SPDX-License-Identifier: ISC */
/*
 * Where released events go: to the figures, to the judge and, in a live
 * run, to the journal. "natsburn check" feeds it from the journal instead.
 */
#ifndef ORCHESTRATOR_HISTORY_H
#define ORCHESTRATOR_HISTORY_H

#include "orchestrator/history/stats.h"
#include "orchestrator/judge/judge.h"
#include "proto/journal.h"

/* What the journal on disk no longer holds, because of --journal-keep. */
struct dropped {
	uint64_t events, places;
	uint64_t first_ns, last_ns;
};

struct history {
	struct stats stats;
	struct judge *judge;
	judge_notice *notice;
	void *notice_arg;
	struct journal_writer *journal; /* NULL on replay; borrowed */
	struct judge_result result;	/* after history_finish */
	struct dropped dropped;
	uint64_t bytes;	    /* of all frames that were entered */
	bool torn, damaged; /* what a replay found at the end */
};

/* 0 or -errno. */
int history_init(struct history *, judge_notice *, void *arg);
void history_fini(struct history *);

/* Enter one event with its frame. 0 or the journal's -errno. */
int history_enter(
    struct history *, const struct event *, const uint8_t *raw, size_t raw_len);

/* Note that events were dropped from the journal. */
void history_dropped(struct history *, const struct msg_dropped *);

/* Set the result to what can be said while the history goes on. */
void history_look(struct history *);

/* No more events: judge. */
void history_finish(struct history *);

/* Enter a recorded journal and finish. 0 or -errno of opening it. */
int history_replay(struct history *, const char *run_dir);

#endif
