/* SPDX-License-Identifier: ISC */
/* What a leader's list of empty sequences says of gaps. */
#include "tests/support.h"

#include "worker/audit/listed.h"

#define ANSWER(first, last, deleted)                                           \
	"{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\","         \
	"\"config\":{\"first_seq\":7},\"state\":{\"messages\":3,"              \
	"\"first_seq\":" first ",\"last_seq\":" last                           \
	",\"num_deleted\":4" deleted "},\"cluster\":{\"leader\":\"n1\"}}"

static void
gaps_make(struct gaps *g)
{
	*g = (struct gaps){0};
	assert_int_equal(gaps_add(g, 1, 9), 0);	  /* before the first */
	assert_int_equal(gaps_add(g, 11, 11), 0); /* listed */
	assert_int_equal(gaps_add(g, 13, 14), 0); /* half of it */
	assert_int_equal(gaps_add(g, 16, 18), 0); /* all of it */
	assert_int_equal(gaps_add(g, 20, 22), 0); /* 21, 22: beyond the end */
	assert_int_equal(gaps_add(g, 30, 30), 0); /* beyond the end */
}

static void
expect_rounds(const char *text, bool is_answer, const uint32_t want[6])
{
	struct gaps g;
	uint32_t i;

	gaps_make(&g);
	assert_int_equal(listed_count(&g, text), is_answer);
	for (i = 0; i < 6; i++)
		if (g.list[i].rounds != want[i])
			fail_msg("gap %u of %s", i, text);
	gaps_fini(&g);
}

static void
test_count(void **state)
{
	(void)state;
	expect_rounds(ANSWER("10", "20", ",\"deleted\":[11,14,16,17,18,20]"),
	    true, (const uint32_t[]){1, 1, 0, 1, 1, 1});
	expect_rounds(
	    ANSWER("10", "20", ""), true, (const uint32_t[]){1, 0, 0, 0, 0, 1});
	/* 9 is not empty, 17 not listed, 20 is the last message. */
	expect_rounds(ANSWER("9", "20", ",\"deleted\":[11,13,14,16,18]"), true,
	    (const uint32_t[]){0, 1, 1, 0, 0, 1});
	/* A stream that is empty begins behind its end. */
	expect_rounds(
	    ANSWER("31", "30", ""), true, (const uint32_t[]){1, 1, 1, 1, 1, 1});
}

/* What is out of order or said twice says nothing more. */
static void
test_odd(void **state)
{
	static const uint32_t none[6] = {0};

	(void)state;
	expect_rounds(ANSWER("10", "20", ",\"deleted\":[16,16,16,11,13]"), true,
	    (const uint32_t[]){1, 0, 0, 0, 0, 1});
	expect_rounds(ANSWER("10", "20", ",\"deleted\":[11,]"), true,
	    (const uint32_t[]){1, 1, 0, 0, 0, 1});
	expect_rounds(ANSWER("10", "20", ",\"deleted\":[11"), true,
	    (const uint32_t[]){1, 1, 0, 0, 0, 1});
	expect_rounds(
	    "{\"error\":{\"code\":404,\"err_code\":10059}}", false, none);
	expect_rounds("", false, none);
	expect_rounds(ANSWER("x", "20", ""), false, none);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_count),
	    cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
