/* SPDX-License-Identifier: ISC */
/*
 * --journal-keep: what is dropped changes no verdict, what is needed stays,
 * and a journal with holes neither convicts nor passes because of them.
 */
#include "tests/stories/story.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "orchestrator/history/evidence.h"
#include "orchestrator/live/retain.h"
#include "proto/base/text.h"
#include "tests/stories/pipe_story.h"
#include "tests/stories/record.h"

#define KEEP   ((uint64_t)100 << 10)
#define ROUNDS 6000
#define SEEDS  60

/* A run on disk: its history as it was judged live. */
struct told {
	char dir[SUPPORT_PATH_MAX];
	struct history live;
	uint64_t bytes; /* of the journal */
};

static uint64_t
journal_bytes(const char *dir)
{
	char path[SUPPORT_PATH_MAX + 280];
	const struct dirent *d;
	uint64_t bytes = 0;
	struct stat st;
	DIR *list;

	text_format(path, sizeof(path), "%s/journal", dir);
	list = opendir(path);
	assert_non_null(list);
	while ((d = readdir(list)) != NULL) {
		text_format(
		    path, sizeof(path), "%s/journal/%s", dir, d->d_name);
		assert_int_equal(stat(path, &st), 0);
		if (S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	}
	closedir(list);
	return bytes;
}

/* As a run does it: every few events there is a moment for the journal. */
static void
tell(struct told *t, const struct story *s, uint64_t keep)
{
	struct journal_writer journal;
	struct retain retain;
	uint8_t frame[FRAME_MAX];
	size_t i;
	int len;

	support_dir_make(t->dir);
	assert_int_equal(journal_create(&journal, t->dir, STORY_RUN), 0);
	assert_int_equal(history_init(&t->live, NULL, NULL), 0);
	t->live.journal = &journal;
	retain_init(&retain, &journal, keep);
	for (i = 0; i < s->n; i++) {
		len = frame_encode(&s->events[i], frame);
		assert_true(len > 0);
		assert_int_equal(
		    history_enter(&t->live, &s->events[i], frame, (size_t)len),
		    0);
		if (i % 50 == 0)
			assert_int_equal(retain_poll(&retain, &t->live), 0);
	}
	retain_fini(&retain);
	assert_int_equal(journal_close(&journal), 0);
	t->live.journal = NULL;
	history_finish(&t->live);
	t->bytes = journal_bytes(t->dir);
}

static void
told_fini(struct told *t)
{
	history_fini(&t->live);
	support_dir_remove(t->dir);
}

static void
replay(const struct told *t, struct history *again)
{
	assert_int_equal(history_init(again, NULL, NULL), 0);
	assert_int_equal(history_replay(again, t->dir), 0);
	assert_false(again->torn || again->damaged);
}

/* The events that show the first anomaly, as the report has them. */
static char *
evidence_of(const struct told *t)
{
	struct evidence found = {0};
	char *text;

	found.events = cJSON_CreateArray();
	assert_int_equal(evidence_collect(t->live.judge, t->dir, &found, 1), 0);
	assert_true(cJSON_GetArraySize(found.events) > 0);
	text = cJSON_PrintUnformatted(found.events);
	cJSON_Delete(found.events);
	assert_non_null(text);
	return text;
}

static uint64_t
violations(const struct judge *j)
{
	uint64_t n = 0;
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		n += judge_count(j, k, CLASS_VIOLATION);
	return n;
}

static bool
has_event(const struct told *t, enum message_type type, uint64_t id)
{
	struct journal_reader r;
	struct event ev;
	bool has = false;

	assert_int_equal(journal_open(&r, t->dir), 0);
	while (journal_next(&r, &ev, NULL, NULL) == JOURNAL_EVENT)
		has |= ev.type == type && ev.u.publish_invoke.id == id;
	journal_reader_fini(&r);
	return has;
}

/* An honest run: the same verdict live; nothing of it is a pass again. */
static void
test_honest(void **state)
{
	struct told all, kept;
	struct history again;
	struct story s;
	uint32_t fault;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	fault = story_fault(&s, false);
	story_rounds(&s, ROUNDS);
	story_healed(&s, fault, true);
	story_close(&s);
	tell(&all, &s, 0);
	tell(&kept, &s, KEEP);
	assert_int_equal(all.live.result.exit_code, EXIT_PASS);
	assert_int_equal(kept.live.result.exit_code, EXIT_PASS);
	assert_int_equal(all.live.dropped.events, 0);
	assert_true(kept.live.dropped.events > 0);
	/* Besides the last segment, which is still written. */
	assert_true(all.bytes > 2 * KEEP);
	assert_true(kept.bytes < all.bytes / 2);

	replay(&all, &again);
	assert_int_equal(again.result.exit_code, EXIT_PASS);
	history_fini(&again);
	replay(&kept, &again);
	assert_int_equal(again.result.exit_code, EXIT_INCONCLUSIVE);
	assert_int_equal(violations(again.judge), 0);
	assert_non_null(strstr(again.result.reasons[0], "--journal-keep"));
	assert_false(again.result.is_whole);
	assert_true(again.dropped.events == kept.live.dropped.events);
	assert_true(again.dropped.places == kept.live.dropped.places);
	assert_true(again.dropped.first_ns == kept.live.dropped.first_ns);
	assert_true(again.dropped.last_ns == kept.live.dropped.last_ns);
	assert_true(again.stats.events == kept.live.stats.events);
	assert_true(again.stats.nphases == kept.live.stats.nphases);
	history_fini(&again);
	told_fini(&all);
	told_fini(&kept);
	story_fini(&s);
}

/*
 * A violation near the beginning: whatever is dropped later, the events that
 * show it are those of a journal that was kept whole. So are those of a
 * publish whose outcome is unknown, and faults.
 */
static void
test_evidence_stays(void **state)
{
	struct told all, kept;
	char *want, *got;
	struct story s;
	uint64_t id, settled;
	uint32_t fault;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_rounds(&s, 500);
	story_pass(&s, 20 * CLOCK_S); /* all around an anomaly is kept */
	story_consume(
	    &s, story_store(&s, message_id(STORY_PUBLISHER, 1000000)));
	id = story_new_id(&s);
	story_invoke(&s, id, 1);
	story_unknown(&s, id, 1);
	story_publish_end(&s, id, 2);
	story_pass(&s, 20 * CLOCK_S);
	story_rounds(&s, 500);
	settled = s.stored[story_round(&s)].id;
	fault = story_fault(&s, false);
	story_healed(&s, fault, true);
	story_rounds(&s, ROUNDS);
	story_pass(&s, 20 * CLOCK_S); /* the scan tells of it again */
	story_close(&s);
	tell(&all, &s, 0);
	tell(&kept, &s, 1);
	assert_int_equal(kept.live.result.exit_code, EXIT_VIOLATION);
	assert_true(kept.bytes < all.bytes / 2);
	assert_false(has_event(&kept, MESSAGE_PUBLISH_INVOKE, settled));
	assert_true(has_event(&kept, MESSAGE_PUBLISH_INVOKE, id));
	assert_true(has_event(&kept, MESSAGE_PUBLISH_UNKNOWN, id));
	assert_true(has_event(&kept, MESSAGE_PUBLISH_END, id));
	assert_true(all.live.stats.nfaults == kept.live.stats.nfaults);
	want = evidence_of(&all);
	got = evidence_of(&kept);
	assert_string_equal(want, got);
	free(want);
	free(got);
	told_fini(&all);
	told_fini(&kept);
	story_fini(&s);
}

/* What convicts without the events that are missing still convicts. */
static void
test_stands_alone(void **state)
{
	struct history again;
	struct told kept;
	struct story s;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_rounds(&s, ROUNDS);
	story_mark(&s, story_round(&s), STORY_DAMAGED);
	story_close(&s);
	tell(&kept, &s, KEEP);
	assert_int_equal(kept.live.result.exit_code, EXIT_VIOLATION);
	assert_true(kept.live.dropped.events > 0);
	replay(&kept, &again);
	assert_int_equal(again.result.exit_code, EXIT_VIOLATION);
	assert_int_equal(
	    judge_count(again.judge, ANOMALY_CORRUPT, CLASS_VIOLATION), 1);
	history_fini(&again);
	told_fini(&kept);
	story_fini(&s);
}

/* Drop whatever a random choice drops, and judge the rest. */
struct holes {
	struct judge *judge;
	struct rng rng;
	struct event hole;
	uint64_t left, dropped; /* events that are still dropped; all */
};

static void
holes_init(struct holes *h, uint64_t seed)
{
	memset(h, 0, sizeof(*h));
	rng_init(&h->rng, seed, "holes");
	h->judge = judge_create(NULL, NULL);
	assert_non_null(h->judge);
}

static void
holes_close(struct holes *h)
{
	if (h->hole.u.dropped.events > 0)
		assert_int_equal(judge_event(h->judge, &h->hole), 0);
	memset(&h->hole, 0, sizeof(h->hole));
}

static void
holes_take(struct holes *h, const struct event *ev)
{
	struct msg_dropped *m = &h->hole.u.dropped;

	if (h->left == 0 && rng_below(&h->rng, 60) == 0)
		h->left = 1 + rng_below(&h->rng, 120);
	if (h->left > 0)
		h->left--;
	if (h->left == 0 || retain_is_frame(ev)) {
		holes_close(h);
		assert_int_equal(judge_event(h->judge, ev), 0);
		return;
	}
	if (m->events++ == 0)
		m->first_ns = ev->time_ns;
	h->hole.type = MESSAGE_DROPPED;
	h->hole.time_ns = m->last_ns = ev->time_ns;
	h->dropped++;
}

/* No false alarm, and no pass for what was not seen. */
static void
holes_judge(struct holes *h)
{
	struct judge_result result;

	holes_close(h);
	judge_finish(h->judge, &result);
	assert_int_equal(violations(h->judge), 0);
	assert_true(result.verdict != VERDICT_FAIL);
	if (h->dropped > 0)
		assert_true(result.verdict != VERDICT_PASS);
	judge_destroy(h->judge);
}

static void
test_holes_convict_nobody(void **state)
{
	uint64_t seed, dropped = 0;
	struct holes h;
	struct story s;
	size_t i;

	(void)state;
	for (seed = 0; seed < SEEDS; seed++) {
		story_init(&s, support_seed() * 1000 + seed);
		story_chance(&s, 80);
		holes_init(&h, seed);
		for (i = 0; i < s.n; i++)
			holes_take(&h, &s.events[i]);
		holes_judge(&h);
		dropped += h.dropped;
		story_fini(&s);
	}
	assert_true(dropped > SEEDS);
}

static void
pipe_sink(void *arg, struct event *ev)
{
	holes_take(arg, ev);
}

static void
test_holes_of_pipelines(void **state)
{
	uint64_t seed, dropped = 0;
	struct pipe_story s;
	struct holes h;

	(void)state;
	for (seed = 0; seed < SEEDS; seed++) {
		pipe_story_init(&s, support_seed() * 1000 + seed);
		s.messages = 3000;
		s.trouble = 30;
		s.retention = (uint8_t)(seed % 3);
		s.faults = true;
		holes_init(&h, seed);
		s.sink = pipe_sink;
		s.arg = &h;
		pipe_story_tell(&s);
		holes_judge(&h);
		dropped += h.dropped;
		pipe_story_fini(&s);
	}
	assert_true(dropped > SEEDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_honest),
	    cmocka_unit_test(test_evidence_stays),
	    cmocka_unit_test(test_stands_alone),
	    cmocka_unit_test(test_holes_convict_nobody),
	    cmocka_unit_test(test_holes_of_pipelines),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
