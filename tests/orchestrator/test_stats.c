/* SPDX-License-Identifier: ISC */
/* stats: what is counted of keys and of streams, unknowns above all. */
#include "tests/support.h"

#include <string.h>

#include "orchestrator/history/stats.h"
#include "proto/base/text.h"

static struct stats stats;
static struct ledger ledger;
static uint64_t now;

static void
count(struct event *ev)
{
	ev->time_ns = ++now;
	stats_event(&stats, &ledger, ev);
}

static void
count_type(enum message_type type)
{
	struct event ev = {.type = type};

	count(&ev);
}

static void
test_keys(void **state)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE};
	uint32_t i;

	(void)state;
	for (i = 1; i <= 4; i++) {
		ev.u.kv_update.attempt = i;
		count(&ev);
	}
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_KV_UPDATE_END;
	for (i = 1; i <= 2; i++) {
		ev.u.kv_update_end.outcome = (uint8_t)i;
		count(&ev);
	}
	count_type(MESSAGE_KV_READ_FAILED);
	count_type(MESSAGE_KV_VALUE);
	count_type(MESSAGE_KV_UPDATE_REJECTED);
	count_type(MESSAGE_KV_UPDATE_OK);
	assert_int_equal(stats.seen[MESSAGE_KV_UPDATE][CASE_AGAIN], 3);
	assert_int_equal(stats.seen[MESSAGE_KV_UPDATE_END][CASE_UNKNOWN], 1);
	assert_int_equal(stats_seen(&stats, MESSAGE_KV_READ_FAILED), 1);
	assert_int_equal(stats_seen(&stats, MESSAGE_KV_VALUE), 1);
	assert_int_equal(stats_seen(&stats, MESSAGE_KV_UPDATE_REJECTED), 1);
	assert_int_equal(stats_seen(&stats, MESSAGE_KV_UPDATE_OK), 1);
	assert_int_equal(stats.rounds, 1);
}

static void
test_streams(void **state)
{
	struct event add = {.type = MESSAGE_STREAM_ADD};
	struct event gone = {.type = MESSAGE_STREAM_REMOVE};
	struct event end = {.type = MESSAGE_STREAM_OP_END};
	struct event list = {.type = MESSAGE_STREAM_LIST_END};
	uint32_t i;

	(void)state;
	for (i = 1; i <= 3; i++) {
		add.u.stream_add.attempt = i;
		count(&add);
		gone.u.stream_remove.attempt = i;
		count(&gone);
		end.u.stream_op_end.outcome = (uint8_t)(i - 1);
		count(&end);
		list.u.stream_list_end.ok = i == 1;
		count(&list);
	}
	assert_int_equal(stats.seen[MESSAGE_STREAM_ADD][CASE_AGAIN] +
			     stats.seen[MESSAGE_STREAM_REMOVE][CASE_AGAIN],
	    4);
	assert_int_equal(stats.seen[MESSAGE_STREAM_OP_END][CASE_UNKNOWN], 1);
	assert_int_equal(stats.seen[MESSAGE_STREAM_LIST_END][CASE_OK], 1);
	assert_int_equal(stats.seen[MESSAGE_STREAM_LIST_END][CASE_FAILED], 2);
	assert_int_equal(stats.rounds, 1);
}

/* A round takes from its first attempt until one of them succeeds. */
static void
test_rounds(void **state)
{
	struct event ask = {.type = MESSAGE_KV_UPDATE, .source = 3};
	struct event ok = {.type = MESSAGE_KV_UPDATE_OK, .source = 3};
	struct event list = {.type = MESSAGE_STREAM_LIST, .source = 4};
	struct event end = {.type = MESSAGE_STREAM_LIST_END, .source = 4};
	uint64_t began;

	(void)state;
	ask.u.kv_update.attempt = 1;
	count(&ask);
	began = now;
	ask.u.kv_update.attempt = 2;
	count(&ask);
	count(&list);
	count(&ok);
	assert_int_equal(stats.rounds, 1);
	assert_int_equal(stats.other.max, now - began);
	count(&end); /* not whole */
	assert_int_equal(stats.rounds, 1);
	assert_int_equal(stats.other.count, 1);
	count(&list);
	end.u.stream_list_end.ok = 1;
	count(&end);
	assert_int_equal(stats.rounds, 2);
	assert_int_equal(stats.other.count, 2);
	count(&end); /* nothing was asked: a round, and no time of it */
	assert_int_equal(stats.other.count, 2);
}

/* What a process did is counted by the class of what it says. */
static void
test_processes(void **state)
{
	struct event ev;
	struct rng rng;
	uint64_t ok = 0, unknown = 0;
	unsigned i, is;

	(void)state;
	rng_init(&rng, support_seed(), "processes");
	for (i = 0; i < support_types(); i++) {
		support_fill(&ev, support_type(i), FILL_LEAST, &rng);
		if (ev.type == MESSAGE_CHILD_START)
			continue; /* it is about another process */
		ev.source = 7;
		count(&ev);
		is = message_class(ev.type);
		ok += (is & (IS_OK | IS_READ)) != 0 &&
		      ev.type != MESSAGE_STREAM_LIST_END && /* they failed */
		      ev.type != MESSAGE_LOOK_END &&
		      ev.type != MESSAGE_WATCH_END;
		unknown += (is & IS_UNKNOWN) != 0;
	}
	assert_true(ok > 0);
	assert_true(unknown > 0);
	assert_int_equal(stats.workers[7].ok, ok);
	assert_int_equal(stats.workers[7].unknown, unknown);
	assert_int_equal(stats.workers[7].deliver, 1);
}

static int
setup(void **state)
{
	(void)state;
	stats_init(&stats);
	ledger_init(&ledger);
	now = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	stats_fini(&stats);
	ledger_fini(&ledger);
	return 0;
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void
say(uint32_t node, uint8_t level, uint64_t lines, uint64_t last_ns,
    const char *says)
{
	struct event ev = {.type = MESSAGE_SERVER_SAYS};
	struct msg_server_says *m = &ev.u.server_says;

	m->node = node;
	m->level = level;
	m->count = lines;
	m->first_ns = 10 + node;
	m->last_ns = last_ns;
	text_set(m->says, sizeof(m->says), says);
	count(&ev);
}

/* Kinds of lines: one over all servers; the latest word of each counts. */
static void
test_server_log(void **state)
{
	const struct logs_kind *kinds[4];
	struct logs_count all;
	char says[32];
	unsigned i;

	(void)state;
	say(2, LEVEL_WARNING, 1, 20, "slow");
	say(2, LEVEL_WARNING, 7, 90, "slow");
	say(1, LEVEL_WARNING, 2, 40, "slow");
	say(1, LEVEL_WARNING, 30, 40, "often");
	say(3, LEVEL_ERROR, 1, 50, "slow");
	say(3, LEVEL_WARNING, 4, 50, "");
	say(1, LEVEL_ERROR, 4, 50, "");
	say(0, LEVEL_ERROR, 4, 50, "nobody");
	say(CONFIG_NODES_MAX + 1, LEVEL_ERROR, 4, 50, "nobody");
	assert_int_equal(stats.logs.n, 4);
	assert_int_equal(logs_order(&stats.logs, kinds, 3), 3);
	assert_string_equal(kinds[0]->says, "");
	assert_int_equal(logs_total(kinds[0]).count, 8);
	assert_string_equal(kinds[1]->says, "slow");
	assert_int_equal(kinds[1]->level, LEVEL_ERROR);
	assert_string_equal(kinds[2]->says, "often");
	assert_int_equal(logs_order(&stats.logs, kinds, 4), 4);
	all = logs_total(kinds[3]);
	assert_int_equal(all.count, 9);
	assert_int_equal(all.first_ns, 11);
	assert_int_equal(all.last_ns, 90);
	for (i = 0; i < 2 * LOGS_MAX; i++) {
		text_format(says, sizeof(says), "kind %u", i);
		say(1, LEVEL_WARNING, 1, 1, says);
	}
	assert_int_equal(stats.logs.n, LOGS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FRESH(test_keys),
	    FRESH(test_streams),
	    FRESH(test_rounds),
	    FRESH(test_processes),
	    FRESH(test_server_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
