/* SPDX-License-Identifier: ISC */
/*
 * bench_central: what an event costs the orchestrator, from a source's
 * bytes to the judge, on a recorded journal. The journal is read into memory
 * first and taken apart into what each source sent; what is measured are the
 * very functions of a live run (channel_next, merge_push, merge_next,
 * history_enter), without the read(2) of the pipes. Each stage does what
 * the one before it does, and more.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "orchestrator/history/history.h"
#include "orchestrator/live/merge.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/channel.h"
#include "tests/bench/central.h"

#define ROUND_MAX_MS 86400000
#define REPEAT_MAX   1000
#define READ_MAX     ((size_t)32768) /* what one read of a pipe gives at most */

enum stage {
	STAGE_DECODE,
	STAGE_MERGE,
	STAGE_JOURNAL,
	STAGE_CHECKS,
	STAGES
};

static const char *const stage_names[STAGES] = {
    "decode", "decode, merge", "decode, merge, journal", "all, with checks"};

struct bench {
	struct feed feed;
	enum stage stage;
	struct merge *merge;
	struct channel_in *channels; /* by source */
	struct history history;
	struct journal_writer journal;
	char dir[512]; /* of the journal that is written */
	uint64_t decoded, released;
	enum verdict verdict;
};

static uint64_t
cpu_ns(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u); /* can't fail: valid arguments */
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * CLOCK_S +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static int
release(struct bench *b)
{
	const uint8_t *raw;
	struct event ev;
	size_t len;
	int err = 0;

	while (err == 0 && merge_next(b->merge, &ev, &raw, &len)) {
		b->released++;
		if (b->stage == STAGE_JOURNAL)
			err = journal_append(&b->journal, raw, len);
		else if (b->stage == STAGE_CHECKS)
			err = history_enter(&b->history, &ev, raw, len);
	}
	return err;
}

/* One read's worth of a source's bytes, as slot_read() takes it in. */
static int
take_bytes(struct bench *b, struct channel_in *c, const uint8_t *at, size_t len)
{
	enum frame_state state;
	const uint8_t *raw;
	struct event ev;
	size_t raw_len;
	int err = buf_append(&c->buf, at, len);

	while (err == 0 &&
	       (state = channel_next(c, &ev, &raw, &raw_len)) == FRAME_WHOLE) {
		b->decoded++;
		if (b->stage != STAGE_DECODE)
			err = merge_push(b->merge, &ev, raw, raw_len);
	}
	return err == 0 && state == FRAME_MALFORMED ? -EILSEQ : err;
}

static int
take_piece(struct bench *b, const struct feed_piece *p)
{
	const struct buf *bytes = &b->feed.sources[p->source].bytes;
	const uint8_t *at = buf_data(bytes) + p->offset;
	size_t left = p->len, len;
	int err = 0;

	for (; left > 0 && err == 0; left -= len, at += len) {
		len = left < READ_MAX ? left : READ_MAX;
		err = take_bytes(b, &b->channels[p->source], at, len);
	}
	return err;
}

static int
play(struct bench *b)
{
	const struct feed *f = &b->feed;
	size_t piece = 0;
	uint32_t w, i;
	int err = 0;

	for (w = 0; w < f->nwindows && err == 0; w++) {
		while (err == 0 && piece < f->npieces &&
		       f->pieces[piece].window == w)
			err = take_piece(b, &f->pieces[piece++]);
		if (err < 0 || b->stage == STAGE_DECODE)
			continue;
		/* The heartbeats: every source is past this window. */
		for (i = 0; i < f->nsources; i++)
			if (w + 1 < f->nwindows)
				merge_mark(b->merge, i, f->window_ends[w]);
			else
				merge_close(b->merge, i);
		err = release(b);
	}
	return err;
}

static int
begin(struct bench *b)
{
	uint32_t i;
	int err;

	b->decoded = b->released = 0;
	b->merge = merge_create();
	b->channels = calloc(b->feed.nsources, sizeof(*b->channels));
	if (b->merge == NULL || b->channels == NULL)
		return -ENOMEM;
	err = history_init(&b->history, NULL, NULL);
	for (i = 0; i < b->feed.nsources && err == 0; i++) {
		channel_in_init(&b->channels[i], -1);
		err = merge_open(b->merge, i, b->feed.first_ns);
	}
	if (err == 0)
		err = journal_create(&b->journal, b->dir, 1);
	b->history.journal = &b->journal;
	return err;
}

/* Remove the journal that was written. */
static void
sweep(struct bench *b)
{
	char path[sizeof(b->dir) + 32];
	unsigned i;

	for (i = 1; i <= b->journal.segment; i++) {
		text_format(
		    path, sizeof(path), "%s/journal/%06u.nbj.zst", b->dir, i);
		(void)unlink(path); /* a temporary file */
	}
	text_format(path, sizeof(path), "%s/journal", b->dir);
	(void)rmdir(path); /* likewise */
}

static int
end(struct bench *b, int err)
{
	uint32_t i;

	if (err == 0)
		err = journal_close(&b->journal);
	b->history.journal = NULL;
	if (err == 0 && b->stage == STAGE_CHECKS) {
		history_finish(&b->history);
		b->verdict = b->history.result.verdict;
	}
	if (err == 0 && b->decoded != b->feed.events)
		err = -EBADMSG;
	if (err == 0 && b->stage != STAGE_DECODE &&
	    b->released != b->feed.events)
		err = -EBADMSG;
	history_fini(&b->history);
	merge_destroy(b->merge);
	for (i = 0; b->channels != NULL && i < b->feed.nsources; i++)
		channel_in_fini(&b->channels[i]);
	free(b->channels);
	return err;
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Best and median CPU time of a stage, in nanoseconds. */
static int
measure(struct bench *b, unsigned repeat, uint64_t *best, uint64_t *median)
{
	uint64_t took[REPEAT_MAX];
	unsigned i;
	int err = 0;

	for (i = 0; i < repeat && err == 0; i++) {
		took[i] = cpu_ns();
		err = begin(b);
		if (err == 0)
			err = play(b);
		err = end(b, err);
		took[i] = cpu_ns() - took[i];
		sweep(b);
	}
	if (err < 0)
		return err;
	qsort(took, repeat, sizeof(*took), by_size);
	*best = took[0];
	*median = took[repeat / 2];
	return 0;
}

static int
run_stages(struct bench *b, unsigned repeat, int only)
{
	double n = (double)b->feed.events;
	uint64_t best, median;
	int err = 0, stage;

	for (stage = 0; stage < STAGES && err == 0; stage++) {
		if (only >= 0 && stage != only)
			continue;
		b->stage = (enum stage)stage;
		err = measure(b, repeat, &best, &median);
		if (err == 0)
			printf("central: %-24s %6.1f ns/event, %.2f M events/s "
			       "(best %.1f ns)\n",
			    stage_names[stage], (double)median / n,
			    n * 1e3 / (double)median, (double)best / n);
	}
	return err;
}

static int
bench_journal(const char *run_dir, unsigned repeat, int only)
{
	const char *temp = getenv("TMPDIR");
	struct bench *b = calloc(1, sizeof(*b));
	struct rusage u;
	int err;

	if (b == NULL)
		return -ENOMEM;
	text_format(b->dir, sizeof(b->dir), "%s/bench_central.XXXXXX",
	    temp != NULL ? temp : "/tmp");
	err = feed_load(&b->feed, run_dir);
	if (err == 0 && mkdtemp(b->dir) == NULL)
		err = -errno;
	if (err == 0) {
		printf("central: %llu events of %u sources, %.1f bytes each\n",
		    (unsigned long long)b->feed.events, b->feed.nsources,
		    (double)b->feed.bytes / (double)b->feed.events);
		err = run_stages(b, repeat, only);
		(void)rmdir(b->dir); /* a temporary folder */
	}
	(void)getrusage(RUSAGE_SELF, &u); /* can't fail: valid arguments */
	if (err == 0)
		printf("central: verdict %s, peak memory %ld KiB with the "
		       "journal of %llu KiB in it\n",
		    verdict_name(b->verdict), u.ru_maxrss,
		    (unsigned long long)(b->feed.bytes >> 10));
	feed_fini(&b->feed);
	free(b);
	frame_cleanup();
	return err;
}

static int
usage(void)
{
	fputs(
	    "bench_central RUN_DIR [REPEAT [STAGE]]  what an event costs\n"
	    "bench_central --generate N DIR [MS]     write a journal: a round "
	    "each MS [3]\n"
	    "bench_central --generate-pipeline N DIR the same of pipeline\n"
	    "bench_central --generate-store N DIR    the same of stream-store\n"
	    "bench_central --figures RUN_DIR         phases and sizes\n"
	    "bench_central --measure PROGRAM...      time and memory\n",
	    stderr);
	return 64;
}

int
main(int argc, char **argv)
{
	uint64_t n = 5, stage = STAGES, ms = 3;
	int err;

	if ((argc == 4 || argc == 5) && strcmp(argv[1], "--generate") == 0 &&
	    text_to_u64(argv[2], UINT64_MAX, &n) == 0 &&
	    (argc == 4 || text_to_u64(argv[4], ROUND_MAX_MS, &ms) == 0))
		err = generate_journal(argv[3], n, ms * CLOCK_MS);
	else if (argc == 4 && strcmp(argv[1], "--generate-pipeline") == 0 &&
		 text_to_u64(argv[2], UINT64_MAX, &n) == 0)
		err = generate_pipeline(argv[3], n);
	else if (argc == 4 && strcmp(argv[1], "--generate-store") == 0 &&
		 text_to_u64(argv[2], UINT64_MAX, &n) == 0)
		err = generate_store(argv[3], n);
	else if (argc == 3 && strcmp(argv[1], "--figures") == 0)
		err = figures_say(argv[2]);
	else if (argc >= 3 && strcmp(argv[1], "--measure") == 0)
		err = figures_measure(argv + 2);
	else if (argc >= 2 && argc <= 4 && argv[1][0] != '-' &&
		 (argc < 3 || text_to_u64(argv[2], REPEAT_MAX, &n) == 0) &&
		 (argc < 4 || text_to_u64(argv[3], STAGES - 1, &stage) == 0) &&
		 n > 0)
		err = bench_journal(
		    argv[1], (unsigned)n, stage < STAGES ? (int)stage : -1);
	else
		return usage();
	if (err < 0)
		fprintf(stderr, "bench_central: %s\n", strerror(-err));
	return err < 0 ? 1 : 0;
}
