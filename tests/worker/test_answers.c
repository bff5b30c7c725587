/* SPDX-License-Identifier: ISC */
/* pipeline: how often which answer is given, and what a back-off may be. */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/option.h"
#include "proto/base/text.h"
#include "worker/workloads/pipeline/pipeline.h"

static int
read_answers(const char *text, uint64_t max_deliver, struct pipe_answers *a)
{
	struct pipe_options o = {.max_deliver = max_deliver};
	char why[OPTION_WHY_MAX] = "";
	int err;

	text_set(o.answers, sizeof(o.answers), text);
	err = pipe_answers_read(&o, a, why);
	assert_int_equal(err == 0, why[0] == '\0');
	return err;
}

static void
test_answers_read(void **state)
{
	static const char *const bad[] = {"ack", "ack:", "ack:x", "ack:1001",
	    "ack:-1", "nack:3", "ack:1,,nak:1", "ack:0", ":1", "nak:3,none:1"};
	struct pipe_answers a;
	size_t i;

	(void)state;
	assert_int_equal(read_answers("", 0, &a), 0);
	assert_int_equal(a.sum, 0);
	assert_int_equal(
	    read_answers("ack:90,nak-delay:2,none:4,ack:80", 0, &a), 0);
	assert_int_equal(a.weights[PIPE_ACK], 80);
	assert_int_equal(a.weights[PIPE_NAK], 0);
	assert_int_equal(a.weights[PIPE_NAK_DELAY], 2);
	assert_int_equal(a.sum, 86);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read_answers(bad[i], 0, &a) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
	/* With MaxDeliver each message comes to an end. */
	assert_int_equal(read_answers("nak:3,none:1", 2, &a), 0);
	assert_int_equal(read_answers("nak:0", 2, &a), -EINVAL);
}

static void
test_answers_draw(void **state)
{
	unsigned n[PIPE_ANSWERS] = {0}, i;
	struct pipe_answers a;
	struct rng r;

	(void)state;
	rng_init(&r, support_seed(), "test_answers");
	assert_int_equal(read_answers("", 0, &a), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(pipe_answers_draw(&a, &r), PIPE_ACK);
	assert_int_equal(read_answers("ack:6,term:3,none:1", 0, &a), 0);
	for (i = 0; i < 10000; i++)
		n[pipe_answers_draw(&a, &r)]++;
	assert_in_range(n[PIPE_ACK], 5500, 6500);
	assert_in_range(n[PIPE_TERM], 2600, 3400);
	assert_in_range(n[PIPE_NONE], 700, 1300);
	assert_int_equal(n[PIPE_ACK] + n[PIPE_TERM] + n[PIPE_NONE], 10000);
}

static void
test_backoff(void **state)
{
	static const char *const bad[] = {"1", "1s,,2s", "50ms", "2h", "x",
	    "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s"};
	struct pipe_options o = {.ack_wait_ns = 5 * CLOCK_S};
	char why[OPTION_WHY_MAX];
	int64_t waits[PIPE_WAITS_MAX];
	uint64_t shortest;
	size_t i;
	int n;

	(void)state;
	assert_int_equal(pipe_backoff_read(&o, waits, &n, why), 0);
	assert_int_equal(n, 0);
	assert_int_equal(pipe_wait_read(&o, &shortest, why), 0);
	assert_int_equal(shortest, 5 * CLOCK_S);
	text_set(o.backoff, sizeof(o.backoff), "2s,500ms,1h");
	assert_int_equal(pipe_backoff_read(&o, waits, &n, why), 0);
	assert_int_equal(n, 3);
	assert_int_equal(waits[2], 3600 * CLOCK_S);
	assert_int_equal(pipe_wait_read(&o, &shortest, why), 0);
	assert_int_equal(shortest, CLOCK_S / 2);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text_set(o.backoff, sizeof(o.backoff), bad[i]);
		if (pipe_backoff_read(&o, waits, &n, why) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers_read),
	    cmocka_unit_test(test_answers_draw),
	    cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
