/* SPDX-License-Identifier: ISC */
/* ensure: what does not hold ends the process, with its place and code. */
#include "tests/support.h"

#include <string.h>
#include <sys/wait.h>

#include "proto/base/ensure.h"

static unsigned evaluated;

static unsigned
evaluate(void)
{
	return ++evaluated;
}

static void
test_failure_ends_the_process(void **state)
{
	char words[1024];
	int status = support_run_self("fails", words, sizeof(words));

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ENSURE_EXIT);
	assert_non_null(strstr(words, "tests/proto/test_ensure.c:"));
	assert_non_null(strstr(words, "does not hold: evaluate() == 2\n"));
}

static void
test_success_goes_on(void **state)
{
	char words[1024];

	(void)state;
	assert_int_equal(support_run_self("holds", words, sizeof(words)), 0);
	assert_string_equal(words, "");
	ensure(evaluate() == 1); /* once, and not twice */
	assert_int_equal(evaluated, 1);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_failure_ends_the_process),
	    cmocka_unit_test(test_success_goes_on),
	};

	if (argc > 1) {
		if (strcmp(argv[1], "fails") == 0)
			ensure(evaluate() == 2);
		ensure(evaluate() == 1);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
