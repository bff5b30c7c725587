/* SPDX-License-Identifier: ISC */
/* array: room is doubled and zeroed, the maximum holds, contents stay. */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/array.h"

static void
test_grows_and_keeps(void **state)
{
	uint64_t *a = NULL;
	uint32_t room = 0, i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(
		    array_reserve(&a, &room, i + 1, sizeof(*a), 4096), 0);
		assert_true(room > i);
		assert_true(a[i] == 0);
		a[i] = i + 1;
	}
	for (i = 0; i < 1000; i++)
		assert_true(a[i] == i + 1);
	assert_int_equal(room, 1024);
	free(a);
}

static void
test_maximum(void **state)
{
	uint16_t *a = NULL;
	uint32_t room = 0;

	(void)state;
	assert_int_equal(array_reserve(&a, &room, 11, sizeof(*a), 10), -ENOSPC);
	assert_null(a);
	assert_int_equal(array_reserve(&a, &room, 9, sizeof(*a), 10), 0);
	assert_int_equal(room, 10);
	a[9] = 7;
	assert_int_equal(array_reserve(&a, &room, 11, sizeof(*a), 10), -ENOSPC);
	assert_int_equal(a[9], 7);
	free(a);
}

static void
test_no_memory(void **state)
{
	char *a = NULL;
	uint32_t room = 0;

	(void)state;
	assert_int_equal(
	    array_reserve(&a, &room, 3, SIZE_MAX / 2, 10), -ENOMEM);
	assert_null(a);
	assert_int_equal(room, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grows_and_keeps),
	    cmocka_unit_test(test_maximum),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
