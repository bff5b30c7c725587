/* SPDX-License-Identifier: ISC */
/*
 * Where released events go: to the figures, to the judge and, in a live
 * run, to the journal. "natsburn check" feeds it from the journal instead.
 */
#ifndef ORCHESTRATOR_HISTORY_H
#define ORCHESTRATOR_HISTORY_H

#include "orchestrator/history/sequences.h"
#include "orchestrator/history/stats.h"
#include "orchestrator/history/thresholds.h"
#include "orchestrator/judge/judge.h"
#include "proto/journal.h"

/* Beyond it differences of times have no sign: 292 years. */
#define HISTORY_TIME_MAX ((uint64_t)INT64_MAX)

/* What the journal on disk no longer holds, because of --journal-keep. */
struct dropped {
	uint64_t events, places;
	uint64_t first_ns, last_ns;
};

struct history {
	struct stats stats;
	const char *run_dir; /* of its journal, borrowed; NULL: none */
	struct judge *judge;
	judge_notice *notice;
	void *notice_arg;
	struct journal_writer *journal;		 /* NULL on replay; borrowed */
	struct judge_result result;		 /* after history_finish */
	struct threshold limits[THRESHOLDS_MAX]; /* likewise */
	unsigned nlimits;
	struct dropped dropped;
	bool is_lost;	/* history_lose() was called */
	uint64_t bytes; /* of all frames; a replay's are those it read */
	bool torn;	/* a replay found the end of a killed writer */
	/*
	 * Something is missing, moved or changed, and damage says what: no
	 * check sees what came then. Once time is wrong nothing is entered.
	 */
	bool damaged, is_over;
	char damage[240];
	struct sequences sequences;
};

/* 0 or -errno. */
int history_init(struct history *, judge_notice *, void *arg);
void history_fini(struct history *);

/*
 * Enter one event with its frame. 0 or the journal's -errno. Looks whether it
 * follows from those before it, live as on replay, so that both say the same.
 */
int history_enter(
    struct history *, const struct event *, const uint8_t *raw, size_t raw_len);

/*
 * An event can't be entered, for lack of memory. Without it what follows
 * could convict an innocent: the judge convicts no more, and neither would
 * it again, for the journal ends here, with the reason in it.
 */
void history_lose(struct history *, const char *why);

/* Note that events were dropped from the journal. */
void history_dropped(struct history *, const struct msg_dropped *);

/* Set the result to what can be said while the history goes on. */
void history_look(struct history *);

/* No more events: judge. */
void history_finish(struct history *);

/* Enter a recorded journal and finish. 0 or -errno of opening it. */
int history_replay(struct history *, const char *run_dir);

/* The same of a journal that is open. */
void history_read(struct history *, struct journal_reader *);

#endif
