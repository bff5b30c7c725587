/* SPDX-License-Identifier: ISC */
/*
 * Golden journals: small recorded histories under golden/journals2, each
 * with the verdict and the anomalies that it must give, for ever. BLESS=1
 * records them anew and writes what is said of them; look at the diff. Those
 * of format 1 are under golden/journals: nothing writes such ones any more.
 */
#include "tests/stories/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/text.h"

#define ROUNDS	 40
#define TEXT_MAX 16384

struct golden {
	const char *name;
	void (*tell)(struct story *);
	unsigned version; /* of the format */
};

static void
load(struct story *s, void (*between)(struct story *))
{
	uint32_t fault;

	story_open(s);
	story_rounds(s, ROUNDS / 4);
	story_phase(s, "mayhem");
	fault = story_fault(s, false);
	story_rounds(s, ROUNDS / 4);
	story_healed(s, fault, true);
	if (between != NULL)
		between(s);
	story_rounds(s, ROUNDS / 2);
	story_close(s);
}

static void
tell_pass(struct story *s)
{
	load(s, NULL);
}

static void
lose(struct story *s)
{
	s->stored[3].state = s->stored[7].state = STORY_GONE;
}

static void
tell_lost(struct story *s)
{
	load(s, lose);
}

static void
store_twice(struct story *s)
{
	uint64_t seq = story_round(s);

	story_consume(s, story_store(s, s->stored[seq].id));
}

static void
tell_duplicate(struct story *s)
{
	load(s, store_twice);
}

static void
send_again(struct story *s)
{
	uint64_t seq = story_round(s), number;

	story_rounds(s, 1);
	number = story_deliver(s, STORY_CONSUMER, seq, 2);
	story_ack_ok(s, STORY_CONSUMER, seq, number);
}

static void
tell_redelivered(struct story *s)
{
	load(s, send_again);
}

static void
hang(struct story *s)
{
	uint64_t seq = story_publish(s);

	story_pass(s, 33 * CLOCK_S);
	story_consume(s, seq);
}

static void
tell_stuck(struct story *s)
{
	load(s, hang);
}

static void
tell_memory(struct story *s)
{
	s->storage = "memory";
	load(s, lose);
}

static void
die(struct story *s)
{
	story_kill(s, STORY_CHAOS);
}

static void
tell_chaos_died(struct story *s)
{
	load(s, die);
}

static void
tell_no_fault(struct story *s)
{
	story_open(s);
	story_rounds(s, ROUNDS);
	story_close(s);
}

static void
tell_chance(struct story *s)
{
	story_chance(s, 300);
}

#define BOTH(name, tell)                                                       \
	{name, tell, 1},                                                       \
	{                                                                      \
		name, tell, 2                                                  \
	}

static const struct golden goldens[] = {
    BOTH("pass", tell_pass),
    BOTH("lost", tell_lost),
    BOTH("duplicate", tell_duplicate),
    BOTH("redelivered_after_ack", tell_redelivered),
    BOTH("stuck", tell_stuck),
    BOTH("lost_from_memory", tell_memory),
    BOTH("chaos_died", tell_chaos_died),
    BOTH("no_fault", tell_no_fault),
    BOTH("rough_but_legal", tell_chance),
};

#define GOLDENS (sizeof(goldens) / sizeof(goldens[0]))

static void
dir_of(const struct golden *g, char *out, size_t size)
{
	text_format(out, size, TESTS_DIR "/golden/journals%s/%s",
	    g->version == 1 ? "" : "2", g->name);
}

static void
describe(const struct history *h, char *out)
{
	const struct anomaly *a;
	size_t i;

	out[0] = '\0';
	text_add(out, TEXT_MAX, "%s, exit %d\n",
	    verdict_name(h->result.verdict), (int)h->result.exit_code);
	for (i = 0; i < h->result.nreasons; i++)
		text_add(out, TEXT_MAX, "reason: %s\n", h->result.reasons[i]);
	for (i = 0; (a = judge_anomaly(h->judge, i)) != NULL; i++)
		text_add(out, TEXT_MAX, "%s (%s, %s): %s\n",
		    anomaly_kind_name(a->kind), anomaly_class_name(a->class),
		    a->rule, a->says);
	text_add(out, TEXT_MAX,
	    "%llu events, %llu rounds, %llu delivered, %llu again, "
	    "%llu workers died\n",
	    (unsigned long long)h->stats.events,
	    (unsigned long long)h->stats.rounds,
	    (unsigned long long)stats_seen(&h->stats, MESSAGE_DELIVER),
	    (unsigned long long)h->stats.seen[MESSAGE_DELIVER][CASE_AGAIN],
	    (unsigned long long)h->stats.workers_died);
}

static void
write_anew(const struct golden *g, const char *dir)
{
	char path[SUPPORT_PATH_MAX + 32], text[TEXT_MAX];
	struct history h;
	struct story s;
	FILE *f;

	support_dir_remove(dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	story_init(&s, 7);
	g->tell(&s);
	record(&s, dir, &h);
	describe(&h, text);
	text_format(path, sizeof(path), "%s/expected.txt", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	history_fini(&h);
	story_fini(&s);
}

static void
test_golden(void **state)
{
	char dir[SUPPORT_PATH_MAX], path[SUPPORT_PATH_MAX + 32];
	static char text[TEXT_MAX], expected[TEXT_MAX];
	const struct golden *g = *state;
	struct history h;
	FILE *f;

	dir_of(g, dir, sizeof(dir));
	if (support_bless() && g->version != 1)
		write_anew(g, dir);
	text_format(path, sizeof(path), "%s/expected.txt", dir);
	f = fopen(path, "re");
	if (f == NULL)
		fail_msg("%s: %s; BLESS=1 writes it", path, strerror(errno));
	expected[fread(expected, 1, TEXT_MAX - 1, f)] = '\0';
	fclose(f);
	assert_int_equal(history_init(&h, NULL, NULL), 0);
	assert_int_equal(history_replay(&h, dir), 0);
	assert_false(h.torn || h.damaged);
	describe(&h, text);
	history_fini(&h);
	assert_string_equal(text, expected);
}

int
main(void)
{
	struct CMUnitTest tests[GOLDENS];
	int failed;
	size_t i;

	memset(tests, 0, sizeof(tests));
	for (i = 0; i < GOLDENS; i++) {
		tests[i].name = goldens[i].name;
		tests[i].test_func = test_golden;
		tests[i].initial_state = (void *)(uintptr_t)&goldens[i];
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	frame_cleanup();
	return failed;
}
