/* SPDX-License-Identifier: ISC */
/* stats: what is counted of keys and of streams, unknowns above all. */
#include "tests/support.h"

#include <string.h>

#include "orchestrator/history/stats.h"

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
	assert_int_equal(stats.updates_retries, 3);
	assert_int_equal(stats.updates_unknown, 1);
	assert_int_equal(stats.reads_failed, 1);
	assert_int_equal(stats.reads, 1);
	assert_int_equal(stats.rejected, 1);
	assert_int_equal(stats.updates, 1);
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
	assert_int_equal(stats.stream_ops_retries, 4);
	assert_int_equal(stats.stream_ops_unknown, 1);
	assert_int_equal(stats.listings, 1);
	assert_int_equal(stats.listings_failed, 2);
	assert_int_equal(stats.rounds, 1);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FRESH(test_keys),
	    FRESH(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
