/* SPDX-License-Identifier: ISC */
/* session_delivery: the reply subjects of both forms (ADR-15). */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "worker/session.h"

static void
test_good(void **state)
{
	static const char *const subjects[] = {
	    "$JS.ACK.stream.consumer.3.7.11.1700000000000000001.5",
	    "$JS.ACK.dom.hash.stream.consumer.3.7.11.1700000000000000001.5",
	    "$JS.ACK._.hash.stream.consumer.3.7.11.1700000000000000001.5.rnd",
	    "$JS.ACK._.h.stream.consumer.3.7.11.1700000000000000001.5.r.x.y",
	};
	struct delivery d;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		assert_int_equal(session_delivery(subjects[i], &d), 0);
		assert_int_equal(d.delivered, 3);
		assert_int_equal(d.seq, 7);
		assert_int_equal(d.consumer_seq, 11);
		assert_true(d.stamp_ns == INT64_C(1700000000000000001));
		assert_int_equal(d.pending, 5);
	}
}

static void
test_bad(void **state)
{
	static const char *const subjects[] = {
	    "",
	    "$JS.ACK",
	    "$JS.ACK.",
	    "$JS.NAK.stream.consumer.3.7.11.1.5",
	    "_INBOX.abc.1",
	    "$JS.ACK.stream.consumer.3.7.11.1",
	    "$JS.ACK.stream.consumer.3.7.11.1.5.6",
	    "$JS.ACK.stream.consumer.x.7.11.1.5",
	    "$JS.ACK.stream.consumer.3.7x.11.1.5",
	    "$JS.ACK.stream.consumer.3.7.11.1.5x",
	    /* what strtoull() would take */
	    "$JS.ACK.stream.consumer..7.11.1.5",
	    "$JS.ACK.stream.consumer.3.7.11.1.",
	    "$JS.ACK.stream.consumer.-3.7.11.1.5",
	    "$JS.ACK.stream.consumer. 3.7.11.1.5",
	};
	struct delivery d;
	size_t i;
	int wrong = 0;

	(void)state;
	for (i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (session_delivery(subjects[i], &d) != -EINVAL) {
			print_message("taken: \"%s\"\n", subjects[i]);
			wrong++;
		}
	assert_int_equal(session_delivery(NULL, &d), -EINVAL);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
