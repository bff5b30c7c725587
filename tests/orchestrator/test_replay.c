/* SPDX-License-Identifier: ISC */
/*
 * A history that went through frames, merge and journal is judged as the
 * one that was judged live: same verdict, same reasons, same anomalies.
 */
#include "tests/stories/story.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/history/history.h"
#include "orchestrator/live/merge.h"
#include "proto/base/text.h"
#include "tests/stories/record.h"

#define STORIES 300

static void
same(const struct history *a, const struct history *b)
{
	const struct anomaly *x, *y;
	size_t i;

	assert_int_equal(a->result.verdict, b->result.verdict);
	assert_int_equal(a->result.exit_code, b->result.exit_code);
	assert_int_equal(a->result.nreasons, b->result.nreasons);
	for (i = 0; i < a->result.nreasons; i++)
		assert_string_equal(a->result.reasons[i], b->result.reasons[i]);
	for (i = 0;; i++) {
		x = judge_anomaly(a->judge, i);
		y = judge_anomaly(b->judge, i);
		if (x == NULL || y == NULL)
			break;
		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->class, y->class);
		assert_true(x->time_ns == y->time_ns);
		assert_string_equal(x->says, y->says);
	}
	assert_true(x == NULL && y == NULL);
	assert_true(a->stats.events == b->stats.events);
	assert_true(a->stats.rounds == b->stats.rounds);
	assert_true(a->stats.longest_stall_ns == b->stats.longest_stall_ns);
	assert_true(a->stats.publish.max == b->stats.publish.max);
	assert_true(a->stats.consume.max == b->stats.consume.max);
}

static void
judge_both(const struct story *s)
{
	struct history live, again;
	char dir[SUPPORT_PATH_MAX];

	support_dir_make(dir);
	record(s, dir, &live);
	assert_int_equal(history_init(&again, NULL, NULL), 0);
	assert_int_equal(history_replay(&again, dir), 0);
	assert_false(again.torn || again.damaged);
	same(&live, &again);
	history_fini(&live);
	history_fini(&again);
	support_dir_remove(dir);
}

/* Random legal histories, every third with something wrong in it. */
static void
test_random(void **state)
{
	struct story s;
	uint64_t i;

	(void)state;
	for (i = 0; i < STORIES; i++) {
		story_init(&s, support_seed() * 1000 + i);
		if (i % 2 == 0)
			s.no_end = i % 4 == 0;
		story_chance(&s, 80);
		if (i % 3 == 0)
			s.events[s.n / 2].type = MESSAGE_CHILD_GAP;
		judge_both(&s);
		story_fini(&s);
	}
}

static void
test_violations(void **state)
{
	struct story s;
	int i;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	for (i = 0; i < 30; i++)
		story_mark(
		    &s, story_round(&s), i % 2 ? STORY_GONE : STORY_DAMAGED);
	(void)story_publish(&s); /* and nobody gets it */
	story_pass(&s, 40 * CLOCK_S);
	story_close(&s);
	judge_both(&s);
	story_fini(&s);
}

/* What is left after a kill is judged, and is no pass. */
static void
test_torn(void **state)
{
	char dir[SUPPORT_PATH_MAX], path[SUPPORT_PATH_MAX + 32];
	struct history live, again;
	struct story s;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_rounds(&s, 10);
	story_close(&s);
	support_dir_make(dir);
	record(&s, dir, &live);
	text_format(path, sizeof(path), "%s/journal/000001.nbj.zst", dir);
	record_cut(path, 3);
	assert_int_equal(history_init(&again, NULL, NULL), 0);
	assert_int_equal(history_replay(&again, dir), 0);
	assert_true(again.torn);
	assert_false(again.damaged);
	assert_int_equal(again.result.exit_code, EXIT_INCONCLUSIVE);
	history_fini(&live);
	history_fini(&again);
	support_dir_remove(dir);
	story_fini(&s);
}

/* Damage is the harness's fault: never a pass. */
static void
test_damaged(void **state)
{
	char dir[SUPPORT_PATH_MAX], path[SUPPORT_PATH_MAX + 32];
	struct history live, again;
	struct story s;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_rounds(&s, 10);
	story_close(&s);
	support_dir_make(dir);
	record(&s, dir, &live);
	text_format(path, sizeof(path), "%s/journal/000001.nbj.zst", dir);
	record_damage(path); /* of the checksum */
	assert_int_equal(history_init(&again, NULL, NULL), 0);
	assert_int_equal(history_replay(&again, dir), 0);
	assert_true(again.damaged);
	assert_int_equal(again.result.exit_code, EXIT_HARNESS);
	history_fini(&live);
	history_fini(&again);
	support_dir_remove(dir);
	story_fini(&s);
}

static void
test_nothing_there(void **state)
{
	char dir[SUPPORT_PATH_MAX];
	struct history h;

	(void)state;
	support_dir_make(dir);
	assert_int_equal(history_init(&h, NULL, NULL), 0);
	assert_true(history_replay(&h, dir) < 0);
	history_fini(&h);
	support_dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_violations),
	    cmocka_unit_test(test_torn),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_nothing_there),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
