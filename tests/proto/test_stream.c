/* SPDX-License-Identifier: ISC */
/* Text in memory by way of stdio; that memory runs out is tests/torture's. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/stream.h"

static void
test_nothing(void **state)
{
	struct stream s;
	size_t len = 1;
	char *text;

	(void)state;
	assert_non_null(stream_open(&s));
	assert_int_equal(stream_close(&s, &text, &len), 0);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	free(text);
}

static void
test_much(void **state)
{
	size_t len, i, n = 100000;
	struct stream s;
	FILE *out;
	char *text;

	(void)state;
	out = stream_open(&s);
	assert_non_null(out);
	for (i = 0; i < n; i++)
		fprintf(out, "%06zu\n", i);
	assert_int_equal(stream_close(&s, &text, &len), 0);
	assert_int_equal(len, 7 * n);
	assert_int_equal(strlen(text), len);
	assert_memory_equal(text, "000000\n000001\n", 14);
	assert_string_equal(text + len - 7, "099999\n");
	free(text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
